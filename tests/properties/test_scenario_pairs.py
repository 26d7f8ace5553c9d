"""Two things wrong with a scenario: whatever is told of each alone is told of both together, and nothing else.

Faults of several kinds are planted in the shipped files, alone and in pairs. A problem of one that is not told beside the
other is a true consequence (the other fault takes away what it is about) and is named below, with the reason.
"""

from __future__ import annotations

import copy
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from trialsim.errors import ScenarioError
from trialsim.scenario.load import scenario_from
from trialsim.scenario.resolve import read_extended

ROOT = Path(__file__).parents[2]
RICH = ROOT / "tests/unit/scenario_rich.yaml"
SHIPPED = sorted(path for path in ROOT.glob("scenarios/**/*.yaml") if path.name != "expected.yaml")

Place = tuple[str | int, ...]
Fault = tuple[str, Place]
"""What is done, and where."""

Told = set[tuple[str, str]]
"""Paths and sentences, these without the lists of what is allowed: they name what stands in the file."""

_LISTS = re.compile(r"; allowed: .*|; numbers there are .*|\. Did you mean .*", re.DOTALL)
_NAME = re.compile(r"[a-z][a-z0-9_]*\Z")
_TEXTS = ("name", "source", "description", "assumed")

ADDED: dict[str, Any] = {
    "designs/*/bounds": {"efficacy_z": [2.5, 2.0]},
    "designs/*/power": 0.9,
    "designs/*/under": "nowhere",
    "designs/*/arms": ["control", "nobody"],
    "designs/*/reviews": {"every": {"enrolled": 1_000_000}},
    "designs/*/selection": "select_best",
    "designs/*/multiplicity": "holm",
    "designs/*/overrunning": True,
    "hypotheses/*/window": "30 days",
    "hypotheses/*/follow_up": "900 years",
    "truths/*/endpoints.nowhere.rate": 0.5,
    "screening": {"duration": "10 days"},
    "costs": {"consent": 10},
    "withdrawal": {"baseline": {"hazard": "0.1 per year"}, "after": {"terrible": 2.0}},
    "dropout": {"baseline": {"hazard": "0.1 per year"}, "effect": {"nobody": 2.0}},
}
"""What contradicts the rest of a scenario."""


CONSEQUENCES = {
    "dose_modification: missing at adverse_events.toxicity + contradiction at designs.by_protocol.overrunning": (
        "the sentence names what patients have: without its one entry adverse_events is not known to be there"
    ),
    "prognostic_enrichment: unknown key at designs.everybody + contradiction at designs.ranked_90.selection": (
        "of what kind the design is stands in the one that it extends, which is there under no known name"
    ),
    "four_arms: missing at designs.means_best.looks.1.when.readouts.open_arms + "
    "wrong kind of value at designs.means_best.looks.0": (
        "whether the looks wait for the same hangs on the look that cannot be read"
    ),
    "rar_four_arms: misspelt name at arms.2 + out of range at endpoints.response.effect.middle": (
        "the place whose value is refused is that of the name; one sentence there is enough to look at it"
    ),
}
"""Pairs of which something is rightly not told, or told in other words, by the pair; with the reason."""


def at(tree: Any, path: Place) -> Any:
    for step in path:
        tree = tree[step]
    return tree


def places(tree: Any, path: Place = ()) -> Iterator[Place]:
    items = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, part in items:
        yield (*path, key)
        yield from places(part, (*path, key))


def misspelt(word: str) -> str:
    return f"{word[:-1]}x{word[-1:]}"


def faults(tree: Any) -> Iterator[Fault]:
    """Yield what can be done to a scenario, at every place."""
    for path in places(tree):
        if path[0] in _TEXTS:
            continue
        value = at(tree, path)
        if isinstance(at(tree, path[:-1]), dict):
            yield from ((kind, path) for kind in ("misspelt key", "unknown key", "missing"))
        if isinstance(value, str):
            yield ("misspelt name" if _NAME.match(value) else "wrong unit"), path
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            yield from ((kind, path) for kind in ("out of range", "too large"))
        elif isinstance(value, list) and len(value) > 1:
            yield "too few", path
        yield "wrong kind of value", path
    for pattern in ADDED:
        part, _, rest = pattern.partition("/")
        _, _, key = rest.partition("/")
        if not rest:
            yield from [("contradiction", (part,))] if part not in tree else ()
            continue
        for name, entry in tree.get(part, {}).items():
            if isinstance(entry, dict) and key not in entry:
                yield "contradiction", (part, name, key)


def plant(tree: Any, fault: Fault) -> None:
    """Do something to a scenario, in place."""
    kind, path = fault
    parent, key = at(tree, path[:-1]), path[-1]
    match kind:
        case "misspelt key" | "unknown key":
            name = misspelt(str(key)) if kind == "misspelt key" else f"zq{len(str(path))}"
            entries = [(name if each == key else each, value) for each, value in parent.items()]
            parent.clear()
            parent.update(entries)
        case "missing":
            del parent[key]
        case "misspelt name":
            parent[key] = misspelt(parent[key])
        case "wrong unit":
            parent[key] += "q"
        case "out of range":
            parent[key] = -abs(parent[key]) - 7e9
        case "too large":
            parent[key] = 1000 * (parent[key] or 1)
        case "too few":
            parent[key] = parent[key][:-1]
        case "wrong kind of value":
            parent[key] = "x y" if not isinstance(parent[key], str) else 3.25
        case "contradiction":
            pattern = str(path[0]) if len(path) == 1 else f"{path[0]}/*/{path[-1]}"
            parent[key] = copy.deepcopy(ADDED[pattern])


def told(tree: Any, folder: Path, *planted: Fault) -> Told:
    """Return what is told of a scenario in which something is planted."""
    tree = copy.deepcopy(tree)
    for fault in planted:
        plant(tree, fault)
    try:
        scenario_from(tree, folder)
    except ScenarioError as error:
        return {(problem.path, _LISTS.sub("", problem.message)) for problem in error.problems}
    return set()


def independent(one: Fault, other: Fault) -> bool:
    """Return whether neither fault lies in the other."""
    shorter = min(len(one[1]), len(other[1]))
    return one[1][:shorter] != other[1][:shorter]


def pairs(tree: Any, folder: Path, number: int, seed: str) -> Iterator[tuple[Fault, Fault, Told, Told]]:
    """Yield pairs of independent faults that are both told, with what is told of each."""
    every, rng, alone = list(faults(tree)), random.Random(seed), dict[Fault, Told]()
    for _ in range(number):
        chosen = rng.sample(every, 2)
        for fault in chosen:
            if fault not in alone:
                alone[fault] = told(tree, folder, fault)
        one, other = chosen
        if independent(one, other) and alone[one] and alone[other]:
            yield one, other, alone[one], alone[other]


def written(fault: Fault) -> str:
    return f"{fault[0]} at {'.'.join(map(str, fault[1]))}"


def is_told_below(place: str, sentence: str, both: Told) -> bool:
    """Return whether a sentence is told of the same place of another design, from which this one has it."""
    part, _, rest = place.partition(".")
    inside = rest.partition(".")[2]
    return part == "designs" and any(
        other == sentence and there.startswith("designs.") and there.split(".", 2)[2:] == [inside]
        for there, other in both
    )


def findings(path: Path, number: int) -> Iterator[tuple[str, str]]:
    """Yield the pairs of a file of which something is not told, or too much, and what that is."""
    tree, folder = read_extended(path, []), path.parent
    for one, other, first, second in pairs(tree, folder, number, path.name):
        try:
            both = told(tree, folder, one, other)
        except (KeyError, IndexError):  # the first fault has moved the place of the second
            continue
        pair = f"{path.stem}: {written(one)} + {written(other)}"
        for place, sentence in sorted((first | second) - both):
            if not is_told_below(place, sentence, both):
                yield pair, f"{place} is not told: {sentence}"
        for place, sentence in sorted(both - (first | second)):
            yield pair, f"{place} is told in addition: {sentence}"


def unexpected(files: list[Path], number: int) -> list[tuple[str, str]]:
    """Return what is found in some files beside true consequences."""
    return [found for path in files for found in findings(path, number) if found[0] not in CONSEQUENCES]


FEW = ("nph_oncology", "dose_modification", "scenario_rich")


def test_two_things_that_are_wrong_are_told_together() -> None:
    files = [path for path in (*SHIPPED, RICH) if path.stem in FEW]
    assert len(files) == len(FEW)
    assert unexpected(files, 8) == []


@pytest.mark.slow
def test_two_things_that_are_wrong_in_any_shipped_file_are_told_together() -> None:
    assert unexpected([*SHIPPED, RICH], 3) == []


def test_faults_of_every_kind_are_planted_and_told() -> None:
    tree = read_extended(RICH, [])
    by_kind = dict[str, list[Fault]]()
    for fault in faults(tree):
        by_kind.setdefault(fault[0], []).append(fault)
    answered = {
        kind for kind, some in by_kind.items() if any(told(tree, RICH.parent, fault) for fault in some)
    }
    assert answered == {
        "misspelt key", "unknown key", "missing", "misspelt name", "wrong unit",
        "out of range", "too large", "too few", "wrong kind of value", "contradiction",
    }  # fmt: skip
