"""Readable scenarios for one that cannot be read, so that all else in it is judged at once.

Where a value cannot be read, others are put in its place, far apart from each other. What the rules say of every one of
these scenarios holds whatever was meant there; what they say of some is not told.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from trialsim.errors import Problem
from trialsim.scenario.samples import (
    NAME,
    Names,
    Schema,
    forms,
    keys_of,
    required_of,
    samples,
    schema_at,
    suits,
)
from trialsim.scenario.schema import Scenario
from trialsim.scenario.sentences import problems_from
from trialsim.scenario.severity import GRADES, SEVERITIES
from trialsim.scenario.wording import closest, printable

MOST_SCENARIOS = 8
"""Scenarios that are tried for one that cannot be read."""

MOST_OTHERS = 3
"""Entries whose values are tried in another one."""

MOST_ROUNDS = 30
"""Times that a scenario is read while its places are filled."""

MOST_PLACES = 200
"""Places of a scenario that are filled."""

Path = tuple[str | int, ...]


@dataclass(frozen=True)
class Mended:
    """A readable scenario in place of one that is not.

    Parameters
    ----------
    scenario, tree
        The scenario, read and as plain data.
    filled
        Paths of what was put in or left out.
    problems
        What showed only when other places had been filled.
    """

    scenario: Scenario
    tree: dict[str, Any]
    filled: frozenset[str]
    problems: tuple[Problem, ...]


def lies_in(path: str, places: Collection[str]) -> bool:
    """Return whether a path leads to one of some places, or into it."""
    return any(path == place or path.startswith((f"{place}.", f"{place}[")) for place in places)


def mended(tree: dict[str, Any]) -> Iterator[Mended]:
    """Yield readable scenarios in place of one, the likeliest first; nothing where none can be made.

    Parameters
    ----------
    tree
        The scenario as plain data, designs merged and looks laid out.
    """
    choices, number = _Choices(), 0
    while number < choices.scenarios:
        found = _Mending(tree, number, choices).done()
        if found is not None:
            yield found
        number += 1


@dataclass(frozen=True)
class _Filling:
    """What may be done about one place: a value put there, or the place left out."""

    at: Path
    value: Any
    places: tuple[Path, ...]
    """Where something is then not as it was written."""
    instead: bool = False
    """Whether nothing else need be tried."""


_LEFT_OUT = object()


@dataclass
class _Choices:
    """What is put where in which scenario, so that few scenarios show many combinations."""

    scenarios: int = 1
    """How many scenarios show them."""
    _turns: dict[Path, list[int]] = field(default_factory=dict)

    def first(self, scenario: int, path: Path, number: int) -> int:
        """Return with which of a number of fillings a scenario begins at a place.

        Every filling has its turn, and the turns of one place do not go with those of another.
        """
        if number == 1:
            return 0
        if path not in self._turns:
            turns = list(range(1, MOST_SCENARIOS))
            if self._turns:
                random.Random(len(self._turns)).shuffle(turns)
            self.scenarios = MOST_SCENARIOS if self._turns else min(number, MOST_SCENARIOS)
            self._turns[path] = [0, *turns]
        return self._turns[path][scenario] % number


class _Mending:
    """The filling of one scenario, place by place."""

    def __init__(self, tree: dict[str, Any], number: int, choices: _Choices) -> None:
        self.tree, self.number, self.choices = tree, number, choices
        self.names = _names(tree)
        self.tried: dict[Path, int] = {}
        self.filled: set[Path] = set()
        self.problems: list[Problem] = []

    def done(self) -> Mended | None:
        """Return the scenario once it can be read, None where it never can."""
        for read in range(MOST_ROUNDS):
            keys: dict[int, tuple[str, ...]] = {}
            try:
                scenario = Scenario.model_validate(self.tree, context=keys)
            except ValidationError as error:
                details = error.errors(include_url=False)
                if len(details) + len(self.filled) > MOST_PLACES:
                    return None
                if read:
                    self._note(problems_from(error, self.tree, keys))
                if read == MOST_ROUNDS - 2:
                    self._leave_out(details)
                else:
                    self._fill(details)
            else:
                return Mended(scenario, self.tree, self._places(), tuple(self.problems))
        return None

    def _places(self) -> frozenset[str]:
        """Return the paths of what was filled."""
        return frozenset(_written(path) for path in self.filled)

    def _note(self, problems: Sequence[Problem]) -> None:
        """Keep the problems that lie neither in what was put in or left out, nor around it, where they may come of it."""
        places = self._places()
        above = {_written(path[:depth]) for path in self.filled for depth in range(len(path))}
        self.problems += [
            problem for problem in problems if not lies_in(problem.path, places) and problem.path not in above
        ]

    def _leave_out(self, details: Sequence[Mapping[str, Any]]) -> None:
        """Leave out the parts of the scenario that nothing mends."""
        for part in {detail["loc"][0] for detail in details if detail["loc"]}:
            self.tree = _with(self.tree, (part,), _LEFT_OUT)
            self.filled.add((part,))

    def _fill(self, details: Sequence[Mapping[str, Any]]) -> None:
        """Do something about every error."""
        now: list[Path] = []
        missing = [_place(self.tree, each["loc"]) for each in details if each["type"] == "missing"]
        lacking = Counter(path[:-1] for path in missing if path[:1] == ("designs",) and len(path) == 3)
        # A design that lacks several things has them from another one, as probably what is not missed.
        self.filled.update(path for path, number in lacking.items() if number > 1)
        inner = {detail["loc"][:depth] for detail in details for depth in range(len(detail["loc"]))}
        for detail in sorted(details, key=lambda each: each["type"] == "missing"):
            if detail["type"] == "too_short" and detail["loc"] in inner:
                continue  # its entries were refused
            path = _place(self.tree, detail["loc"])
            done = not path or (detail["type"] == "missing" and _is_there(self.tree, path))
            if done or any(path[: len(place)] == place for place in now):
                continue
            filling = self._next(path, detail)
            if filling is None:
                continue
            self.tree = _with(self.tree, filling.at, filling.value)
            self.filled.update(filling.places)
            now.append(path)

    def _next(self, path: Path, detail: Mapping[str, Any]) -> _Filling | None:
        """Return what is tried next at a place, or at the one that it lies in when all has been tried there."""
        if not path:
            return None
        fillings = list(self._fillings(path, detail))
        tried = self.tried.get(path, 0)
        if tried >= len(fillings) and len(path) > 1:
            return self._next(path[:-1], {"type": "tried", "loc": path})
        if not fillings:
            return None
        self.tried = {one: times for one, times in self.tried.items() if one[: len(path)] != path}
        self.tried[path] = tried + 1
        return fillings[(self.choices.first(self.number, path, len(fillings)) + tried) % len(fillings)]

    def _fillings(self, path: Path, detail: Mapping[str, Any]) -> Iterator[_Filling]:
        """Yield what may be done about an error."""
        schema, value = schema_at(self.tree, path), _at(self.tree, path)
        if detail["type"] == "missing" and not _is_there(self.tree, path):
            if schema is not None:
                yield from self._samples(path, schema, value)
        elif (detail["type"] == "extra_forbidden" or "[key]" in detail["loc"]) and isinstance(
            _at(self.tree, path[:-1]), dict
        ):
            yield from self._renamed(path, extra=detail["type"] == "extra_forbidden")
        else:
            repaired = list(_repaired(path, schema, value, detail))
            yield from repaired
            if schema is not None and not any(filling.instead for filling in repaired):
                yield from self._samples(path, schema, value)

    def _samples(self, path: Path, schema: Schema, value: Any) -> Iterator[_Filling]:
        """Yield values that may stand in a place: the word or name that was probably meant, otherwise samples."""
        key = next((str(step) for step in reversed(path) if isinstance(step, str)), "")
        found = [*self._as_others(path, schema), *samples(schema, self.names, key)]
        if isinstance(value, str):
            words = [one for form in forms(schema) for one in form.get("enum", ())]
            words += [key for form in forms(schema) for key in form.get("properties", ())]
            words += [
                one for one in found if isinstance(one, str) and suits(NAME, one) and suits(schema, one)
            ]
            beside = self._beside(path)
            words = [word for word in words if isinstance(word, str) and word not in (value, *beside)]
            found = [one for one in found if one not in beside] or found
            meant = closest(_as_name(value), words) or closest(value, words)
            found = [meant] if meant is not None else found
        yield from (_Filling(path, one, (path,)) for one in found)

    def _beside(self, path: Path) -> list[Any]:
        """Return what else stands in a list."""
        here = _at(self.tree, path[:-1])
        return [each for k, each in enumerate(here) if k != path[-1]] if isinstance(here, list) else []

    def _as_others(self, path: Path, schema: Schema) -> list[Any]:
        """Return what stands in the same place of other entries, such as the level of another test."""
        found: list[Any] = []
        for depth in range(1, len(path) - 1):
            entries = _at(self.tree, path[:depth])
            for name in entries if isinstance(entries, dict) else ():
                place = (*path[:depth], name, *path[depth + 1 :])
                value = _at(self.tree, place)
                filled = any(place[: len(one)] == one for one in self.filled)
                if name != path[depth] and not filled and value not in found and suits(schema, value):
                    found.append(value)
        return found[:MOST_OTHERS]

    def _renamed(self, path: Path, *, extra: bool) -> Iterator[_Filling]:
        """Yield an entry left out, and under other keys that it may have been meant for."""
        above, key = path[:-1], str(path[-1])
        here, schema = _at(self.tree, above), schema_at(self.tree, above)
        if extra:
            allowed = [each for each in keys_of(schema or {}, here) if each not in here]
            close = closest(key, keys_of(schema or {}, here))
            if close in allowed:
                yield self._moved(path, str(close), (path,))
                return
            value = here[path[-1]]
            # A key of a design may be meant to replace one that it has from the design below.
            keys = keys_of(schema or {}, here) if above[:-1] == ("designs",) else allowed
            meant = [one for one in keys if suits(schema_at(self.tree, (*above, one)) or {}, value)]
            needed = [one for one in meant if one in required_of(schema or {}, here) and one not in here]
            if len(needed) == 1:
                yield self._moved(path, needed[0], (path, (*above, needed[0])))
                return
            if set(allowed) & set(required_of(schema or {}, here)) and above:
                # What lacks something and has something unknown is not what it was meant to be.
                yield _Filling(path, _LEFT_OUT, (above,))
                return
        else:
            words = [
                word for form in forms(schema or {}) for word in form.get("propertyNames", {}).get("enum", ())
            ]
            close = closest(key, words)
            if close is not None and close not in here:
                yield self._moved(path, close, (path, (*above, close)))
                return
            meant = words or [_as_name(key)]
        yield _Filling(path, _LEFT_OUT, (path,))
        for one in meant:
            if extra or one not in here:
                yield self._moved(path, one, (path, (*above, one)))

    def _moved(self, path: Path, key: str, places: tuple[Path, ...]) -> _Filling:
        """Return an entry under another key, in the same place among the others."""
        here = {one: value for one, value in _at(self.tree, path[:-1]).items() if one != key}
        moved = {key if each == path[-1] else each: value for each, value in here.items()}
        return _Filling(path[:-1], moved, places)


def _repaired(path: Path, schema: Schema | None, value: Any, detail: Mapping[str, Any]) -> Iterator[_Filling]:
    """Yield the value of a place with as little changed as may be."""
    most = detail.get("ctx", {}).get("max_length")
    if detail["type"] == "too_long" and isinstance(value, (list, dict)):
        for part in (slice(None, most), slice(-most, None)):
            kept = value[part] if isinstance(value, list) else dict(list(value.items())[part])
            yield _Filling(path, kept, (path,), instead=True)
        return
    if isinstance(value, list) and len(value) > 1:
        yield _Filling(path, value[:1], (path,))
    if not isinstance(value, dict) or schema is None:
        return
    kinds = [
        form["properties"]["kind"]["const"]
        for form in forms(schema)
        if "const" in form.get("properties", {}).get("kind", {})
    ]
    if kinds:
        close = closest(str(value.get("kind")), kinds)
        strange = {kind: len(value.keys() - {*keys_of(schema, value | {"kind": kind})}) for kind in kinds}
        kinds = [kind for kind in kinds if strange[kind] == min(strange.values())]
        for kind in [close] if close is not None else kinds:
            yield _Filling((*path, "kind"), kind, ((*path, "kind"),), instead=True)
    elif detail["type"] == "tried" and keys_of(schema, value):
        # What stands in it cannot be mended; it may not be needed.
        inner = detail["loc"][: len(path) + 1]
        yield _Filling(inner, _LEFT_OUT, (inner,))
    elif keys_of(schema, value):
        # Fields that contradict each other: each of them may be the wrong one.
        for key in value:
            yield _Filling((*path, key), _LEFT_OUT, ((*path, key),))
    elif value and all(isinstance(each, (int, float)) for each in value.values()):
        # Shares that do not make a whole.
        yield _Filling(path, dict.fromkeys(value, 1 / len(value)), (path,), instead=True)


def _names(tree: Mapping[str, Any]) -> Names:
    """Return the names of a scenario by the key under which they stand, or those that others refer to."""
    hypotheses = [each for each in _entries(tree, "hypotheses").values() if isinstance(each, dict)]
    pairs = [each["arms"] for each in hypotheses if isinstance(each.get("arms"), list)]
    compared = [arm for place in (-1, 0) for pair in pairs if pair for arm in [pair[place]]]
    endpoints = [each for each in _entries(tree, "endpoints").values() if isinstance(each, dict)]
    affected = [arm for each in endpoints for arm in _entries(each, "effect")]
    given = isinstance(tree.get("arms"), list)
    arms = _as_used(_texts(tree["arms"]), _texts([*compared, *affected])) if given else _texts(compared)
    measured = _texts([each.get("endpoint") for each in hypotheses])
    designs = [each for each in _entries(tree, "designs").values() if isinstance(each, dict)]
    tested = _texts([test for each in designs for test in _entries(each, "tests")])
    measures, named = _texts([*_entries(tree, "endpoints")]), _texts([*_entries(tree, "hypotheses")])
    return (
        dict.fromkeys(("arms", "arm", "from", "to", "ratio"), arms)
        | {"effect": arms[1:], "endpoints": measured, "hypotheses": tested}
        | dict.fromkeys(("severity", "serious", "fatal", "actions"), SEVERITIES[:1])
        | {"grades": GRADES[:1]}
        | dict.fromkeys(("endpoint", "on"), measures or measured)
        | dict.fromkeys(("tests", "test"), named or tested)
    )


def _as_used(given: Sequence[str], used: Sequence[str]) -> list[str]:
    """Return names as they are given; for one that cannot be a name, one that is used and not given."""
    left = [name for name in used if suits(NAME, name) and name not in given]
    names = []
    for name in given:
        if not suits(NAME, name) and left:
            name = closest(_as_name(name), left) or left[0]
            left.remove(name)
        names.append(name)
    return names


def _as_name(text: str) -> str:
    """Return the name that comes closest to a text."""
    return re.sub(r"[^a-z0-9_]", "_", text.lower())[:60]


def _entries(tree: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """Return what stands at a key where it is a mapping, otherwise an empty one."""
    found = tree.get(key)
    return found if isinstance(found, dict) else {}


def _texts(found: Sequence[Any]) -> list[str]:
    """Return those that are text, each once."""
    return list(dict.fromkeys(each for each in found if isinstance(each, str)))


def _place(tree: Any, location: Sequence[str | int]) -> Path:
    """Return the path of the innermost place of a validation error that is written; of what is missing, its own."""
    path: list[str | int] = []
    here = tree
    for place, step in enumerate(location):
        if step == "[key]" or (isinstance(step, str) and step.startswith("<")):
            continue
        there = (
            step in here if isinstance(here, dict) else isinstance(here, list) and step in range(len(here))
        )
        if not there:
            return (*path, step) if isinstance(here, dict) and place == len(location) - 1 else tuple(path)
        path.append(step)
        here = here[step]
    return tuple(path)


def _is_there(tree: Any, path: Path) -> bool:
    """Return whether something stands at a place."""
    here = _at(tree, path[:-1])
    return path[-1] in here if isinstance(here, dict) else isinstance(here, list)


def _at(tree: Any, path: Path) -> Any:
    """Return what stands at a place, None where there is nothing."""
    for step in path:
        inside = (
            step in tree if isinstance(tree, dict) else isinstance(tree, list) and step in range(len(tree))
        )
        if not inside:
            return None
        tree = tree[step]
    return tree


def _with(tree: Any, path: Path, value: Any) -> Any:
    """Return a tree with another value in a place, or without the place; the tree given stays as it is."""
    if not path:
        return value
    step, rest = path[0], path[1:]
    if isinstance(tree, list):
        return [
            _with(each, rest, value) if place == step else each
            for place, each in enumerate(tree)
            if place != step or rest or value is not _LEFT_OUT
        ]
    if not rest and value is _LEFT_OUT:
        return {key: each for key, each in tree.items() if key != step}
    return tree | {step: _with(tree.get(step, {}), rest, value)}


def _written(path: Path) -> str:
    """Return a path as problems have it."""
    written = ""
    for step in path:
        if isinstance(step, int):
            written += f"[{step}]"
        else:
            written += f".{printable(str(step))}" if written else printable(str(step))
    return written
