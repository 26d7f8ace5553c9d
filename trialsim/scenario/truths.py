"""Truths: overlays of numbers on the world, grids of them, and how they are named and chosen."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field, GetCoreSchemaHandler, GetJsonSchemaHandler, TypeAdapter
from pydantic_core import CoreSchema, core_schema

from trialsim.errors import Problem, ScenarioError, UsageError
from trialsim.scenario.hazards import Ratio
from trialsim.scenario.units import (
    DURATION_PATTERN,
    PERCENT_RATE_PATTERN,
    RATE_PATTERN,
    is_duration,
    is_quantity,
    parse_duration,
    parse_rate,
    plain_rate,
    write_duration,
    write_rate,
)
from trialsim.scenario.values import NAME_PATTERN, NameAtom, NumberAtom
from trialsim.scenario.wording import did_you_mean, listed, printable, refuse, shown

ANY = "*"
WORLD_PARTS = (
    "population", "accrual", "screening", "endpoints", "dropout", "treatment", "discontinuation", "withdrawal",
    "adverse_events", "visits", "costs",
)  # fmt: skip
MOST_FAILED = 100
"""Truths whose problems are told."""

_TRUTH = re.compile(r"([a-z][a-z0-9_]*)(\[[^\[\]\n]{1,300}\])?\Z")
_INDEX = re.compile(r"\[([0-9]{1,6})\]")
_NUMBER = NumberAtom(least=-1e9, most=1e9)
_PIECES: TypeAdapter[Any] = TypeAdapter(Ratio)


@dataclass(frozen=True)
class TruthNameAtom:
    """A truth's name, or the name that a grid gave to one of its cells: ``ladder[treatment=0.8]``."""

    def parse(self, value: Any) -> str:
        """Return the name, or refuse it."""
        match = _TRUTH.match(value) if isinstance(value, str) else None
        NameAtom().parse(match[1] if match else value)
        return str(value)

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Tell pydantic to use :meth:`parse`."""
        return core_schema.no_info_plain_validator_function(self.parse)

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """Return the JSON Schema of the name."""
        return {"type": "string", "pattern": NAME_PATTERN.removesuffix("$") + r"(\[[^\[\]]+\])?$"}


@dataclass(frozen=True)
class PathAtom:
    """A dotted path into the world, its indices kept as segments: ``rates[0].rate`` is ``rates.0.rate``."""

    def parse(self, value: Any) -> str:
        """Return the path in its canonical spelling, or refuse it."""
        if not isinstance(value, str) or not value or len(value) > 500:
            raise refuse(f"a dotted path into the world is expected, found {shown(value)}")
        path = canonical_path(value)
        segments = path.split(".")
        if "" in segments:
            raise refuse(f"{shown(value)} is not a dotted path; a segment is empty")
        if segments[0] not in WORLD_PARTS:
            hint = did_you_mean(segments[0], WORLD_PARTS)
            raise refuse(
                f"{shown(value)} is not in the world; a truth changes numbers in {listed(WORLD_PARTS)}.{hint}"
            )
        return path

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Tell pydantic to use :meth:`parse`."""
        return core_schema.no_info_plain_validator_function(self.parse)

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """Return the JSON Schema of the path."""
        return {"type": "string", "pattern": rf"^({'|'.join(WORLD_PARTS)})[.\[]"}


@dataclass(frozen=True)
class NewValueAtom:
    """What a truth puts in a place: a number, a quantity with its unit, or piecewise hazard ratios."""

    def parse(self, value: Any) -> Any:
        """Return the value in its canonical spelling, or refuse it."""
        value = plain_rate(value)
        if isinstance(value, str) and is_quantity(value):
            if is_duration(value):
                return write_duration(parse_duration(value))
            return write_rate(parse_rate(value, zero=True))
        if isinstance(value, list):
            return _PIECES.dump_python(_PIECES.validate_python(value), mode="json")
        if isinstance(value, (int, float, str)) and not isinstance(value, bool):
            return float(_NUMBER.parse(value))
        raise refuse(f"a number is expected, found {shown(value)}")

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Tell pydantic to use :meth:`parse`."""
        return core_schema.no_info_plain_validator_function(self.parse)

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """Return the JSON Schema of the value."""
        pieces = _PIECES.json_schema()
        definitions = pieces.get("$defs", {})
        array = next(part for part in pieces["oneOf"] if part.get("type") == "array")
        array = {**array, "items": next(iter(definitions.values()))} if definitions else array
        return {
            "anyOf": [
                {"type": "number"},
                {"type": "string", "pattern": DURATION_PATTERN},
                {"type": "string", "pattern": RATE_PATTERN},
                {"type": "string", "pattern": PERCENT_RATE_PATTERN},
                array,
            ]
        }


TruthName = Annotated[str, TruthNameAtom()]
Overlay = Annotated[dict[Annotated[str, PathAtom()], Annotated[Any, NewValueAtom()]], Field(max_length=200)]


def canonical_path(path: str) -> str:
    """Return a path with its indices as segments."""
    return _INDEX.sub(r".\1", path)


def leads_into(path: str, place: str) -> bool:
    """Return whether the path of a truth may lead to a place, or into it."""
    steps, others = canonical_path(path).split("."), canonical_path(place).split(".")
    same = all(step in (other, ANY) for step, other in zip(steps, others, strict=False))
    return same and len(steps) >= len(others)


def places(tree: Any, segments: Sequence[str]) -> Iterator[tuple[Any, Any]]:
    """Yield the container and the key of every place in a tree that a path matches.

    A key that itself holds dots, such as ``sex.male``, is matched by as many segments; ``*`` matches one key.
    """
    if isinstance(tree, list):
        head, rest = segments[0], segments[1:]
        chosen = range(len(tree)) if head == ANY else [int(head)] if head.isascii() and head.isdigit() else []
        for index in chosen:
            if index < len(tree):
                yield from places(tree[index], rest) if rest else iter([(tree, index)])
    elif isinstance(tree, dict):
        for key in tree:
            parts = [key] if segments[0] == ANY else key.split(".")
            taken = len(parts)
            if segments[0] != ANY and list(segments[:taken]) != parts:
                continue
            rest = segments[taken:]
            yield from places(tree[key], rest) if rest else iter([(tree, key)])


def holds_number(value: Any) -> bool:
    """Return whether a place holds what a truth may change: a number, a quantity, piecewise hazard ratios."""
    if isinstance(value, list):
        return bool(value) and all(isinstance(piece, dict) and "hazard_ratio" in piece for piece in value)
    return is_quantity(value) or (isinstance(value, (int, float)) and not isinstance(value, bool))


def apply_overlay(world: dict[str, Any], overlay: dict[str, Any]) -> dict[str, Any]:
    """Return a written world with the values of an overlay put in their places.

    A place that several paths match has the value of the one with the fewest ``*``, in whatever order they are written.

    Raises
    ------
    ScenarioError
        Where a path matches nothing that holds a number, where two with as many ``*`` match the same place, or where more
        exact ones match all the places of another.
    """
    changed, problems = overlaid(world, overlay)
    if problems:
        raise ScenarioError(problems)
    return changed


def overlaid(world: dict[str, Any], overlay: dict[str, Any]) -> tuple[dict[str, Any], list[Problem]]:
    """Return a written world with the values of an overlay as :func:`apply_overlay`, and what is wrong with its paths.

    Parameters
    ----------
    world
        As it is written.
    overlay
        Values by path; those whose paths lead nowhere change nothing.
    """
    changed = copy.deepcopy(world)
    problems = []
    set_by: dict[tuple[int, Any], str] = {}
    for path, value in sorted(overlay.items(), key=lambda item: -_stars(item[0])):
        found = [
            (container, key)
            for container, key in places(changed, canonical_path(path).split("."))
            if holds_number(container[key])
        ]
        if not found:
            problems.append(
                Problem("", f"{printable(path, 200)} matches no number of the world{_nearest(world, path)}")
            )
        same = {set_by.get((id(container), key), "") for container, key in found} - {""}
        problems += [
            Problem(
                "", f"{printable(path, 200)} and {printable(other, 200)} set the same number; leave one out"
            )
            for other in sorted(same)
            if _stars(other) == _stars(path)
        ]
        for container, key in found:
            container[key] = value
            set_by[id(container), key] = path
    if not problems:
        problems += [
            Problem(
                "",
                f"{printable(path, 200)} changes nothing: more exact paths set all it matches; leave it out",
            )
            for path in sorted(overlay.keys() - set(set_by.values()))
        ]
    return changed, problems


def _stars(path: str) -> int:
    """Return how many segments of a path match any key."""
    return canonical_path(path).split(".").count(ANY)


def number_paths(tree: Any, lead: str = "") -> Iterator[str]:
    """Yield the path of every place in a tree that holds a number."""
    if holds_number(tree):
        yield lead
    if isinstance(tree, (dict, list)):
        for key, part in tree.items() if isinstance(tree, dict) else enumerate(tree):
            yield from number_paths(part, f"{lead}.{key}" if lead else str(key))


def _nearest(world: dict[str, Any], path: str) -> str:
    """Return a hint for a path that matches nothing: a close one, or some of those below its start."""
    known = list(number_paths(world))
    hint = did_you_mean(path, known)
    if hint:
        return "." + hint
    start = path.rsplit(".", 1)[0]
    below = [one for one in known if one.startswith(start + ".")]
    return f"; numbers there are {listed(below or known, most=6)}"


def select(
    what: str, names: Iterable[str] | None, known: tuple[str, ...], *, families: bool
) -> tuple[str, ...]:
    """Return the names asked for, each once, in the order asked for; all of them where none is asked for.

    Raises
    ------
    UsageError
        Where a name is not known.
    """
    if names is None:
        return known
    chosen: dict[str, None] = {}
    exact = set(known)
    for name in [names] if isinstance(names, str) else names:
        if name in exact:
            chosen[name] = None
        elif cells := [one for one in known if families and one.startswith(f"{name}[")]:
            chosen.update(dict.fromkeys(cells))
        else:
            heads = dict.fromkeys(one.partition("[")[0] for one in known)
            hint = did_you_mean(name, [*known, *heads])
            raise UsageError(f"There is no {what} {shown(name)}; there are {listed(heads)}.{hint}")
    return tuple(chosen)
