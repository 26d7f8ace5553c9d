"""The grid of a sweep: which numbers of a scenario vary over which values, and the scenario at each point."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from trialsim.engines.unattainable import unattainable_ratios
from trialsim.errors import ScenarioError, UsageError, names_given
from trialsim.scenario.load import scenario_from
from trialsim.scenario.planned_looks import as_asked
from trialsim.scenario.schema import Scenario
from trialsim.scenario.truths import WORLD_PARTS, canonical_path, holds_number, number_paths, places
from trialsim.scenario.wording import did_you_mean, listed, printable, shown

MOST_VARIED = 2
MOST_VALUES = 100_000
PARTS = ("designs", *WORLD_PARTS)

_VALUE = re.compile(
    r"\s*([+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?)\s*((?:per\s+|/\s*)?[A-Za-z]+)?\s*\Z"
)
_GREATEST = Decimal(10) ** 15
_FORMS = "write FROM:TO:STEP, such as 300:900:50, or a list, such as 0.2,0.25,0.3; a unit may follow"

Number = int | float
Point = tuple[Number, ...]


@dataclass(frozen=True)
class Vary:
    """A number of the scenario that takes each of several values.

    Parameters
    ----------
    paths
        Where it stands; several places take the same value.
    values
        In increasing order.
    unit
        Such as ``weeks`` or ``per month``, for a duration or a rate.
    """

    paths: tuple[str, ...]
    values: tuple[Number, ...]
    unit: str | None = None

    @property
    def label(self) -> str:
        """Return the paths as they are written on the command line."""
        return "+".join(self.paths)

    def written(self, value: Number) -> Number | str:
        """Return a value as it stands in a scenario file."""
        return value if self.unit is None else f"{value!r} {self.unit}"

    def document(self) -> dict[str, Any]:
        """Return what varies as it stands in JSON."""
        return {
            "label": self.label,
            "paths": list(self.paths),
            "unit": self.unit,
            "values": list(self.values),
        }


def parse_vary(text: str) -> Vary:
    """Read ``PATH=FROM:TO:STEP`` or ``PATH=VALUE,VALUE,...``; several paths are joined by ``+``.

    Parameters
    ----------
    text
        A range holds both its ends where the steps meet them. A unit after the last value holds for all.

    Raises
    ------
    UsageError
        With what is allowed.

    Examples
    --------
    >>> parse_vary("designs.fixed.n=300:400:50").values
    (300, 350, 400)
    >>> parse_vary("endpoints.response.readout=4,8 weeks")
    Vary(paths=('endpoints.response.readout',), values=(4, 8), unit='weeks')
    """
    left, equals, right = text.partition("=")
    paths = tuple(path.strip() for path in left.split("+"))
    if not equals or not all(paths):
        raise UsageError(
            f"vary: {shown(text)} is not a path and its values; write such as designs.fixed.n=300:900:50."
        )
    try:
        values, unit = _values(right)
    except ValueError as error:
        raise UsageError(f"vary: {printable(left.strip(), 200)}: {error}.") from None
    return Vary(paths, values, unit)


def _values(text: str) -> tuple[tuple[Number, ...], str | None]:
    """Return the values of a range or a list in increasing order, and their unit."""
    is_range = ":" in text
    found = [_VALUE.match(part) for part in text.split(":" if is_range else ",")]
    if len(found) > MOST_VALUES:
        raise ValueError(f"{len(found):,} values are too many; at most {MOST_VALUES:,} are allowed")
    numbers, units = [], []
    for match in found:
        if match is None:
            raise ValueError(f"{shown(text.strip())} are no values; {_FORMS}")
        numbers.append(Decimal(match[1]))
        units.append(match[2])
    if any(abs(number) > _GREATEST for number in numbers):
        raise ValueError(f"{shown(text.strip())} are too large; a value is at most 1e15")
    unit = units[-1]
    if any(one != unit for one in units[:-1] if unit is None or one is not None):
        raise ValueError(f"{shown(text.strip())} mixes units; write one unit after the last value")
    if is_range:
        numbers = _range(numbers, text)
    in_order = sorted(set(numbers))
    if len(in_order) < len(numbers):
        raise ValueError(f"{shown(text.strip())} holds a value twice; keep each once")
    whole = all(number == number.to_integral_value() for number in in_order)
    return tuple(int(number) if whole else float(number) for number in in_order), unit


def _range(numbers: list[Decimal], text: str) -> list[Decimal]:
    """Return the values of a range, exact in decimals."""
    if len(numbers) != 3:
        raise ValueError(f"{shown(text.strip())} is no range; {_FORMS}")
    first, last, step = numbers
    if step <= 0:
        raise ValueError(f"the step {step} is not allowed; it must be above zero")
    if first > last:
        raise ValueError(f"the range begins at {first}, above its end {last}; write the smaller value first")
    count = (last - first) / step
    if count >= MOST_VALUES:
        raise ValueError(f"the range has more than {MOST_VALUES:,} values; take a larger step")
    return [first + step * place for place in range(math.floor(count) + 1)]


@dataclass(frozen=True, eq=False)
class Grid:
    """A scenario with the designs and truths that are asked about, and what varies in it.

    Parameters
    ----------
    scenario
        The scenario as it is written.
    designs, truths
        Names in it.
    varied
        One or two numbers that vary.
    """

    scenario: Scenario
    designs: tuple[str, ...]
    truths: tuple[str, ...]
    varied: tuple[Vary, ...]

    @property
    def labels(self) -> tuple[str, ...]:
        """Return the labels of what varies."""
        return tuple(vary.label for vary in self.varied)

    def points(self) -> Iterator[Point]:
        """Yield every combination of values, the last number varying fastest."""
        return itertools.product(*(vary.values for vary in self.varied))

    def size(self) -> int:
        """Return how many points there are."""
        return math.prod(len(vary.values) for vary in self.varied)

    def at(self, point: Point) -> Scenario:
        """Return the scenario at a point.

        Raises
        ------
        ScenarioError
            Where the values of the point make no valid scenario; the point is named as its source.
        """
        tree = _asked(self.scenario, self.designs, self.truths)
        for vary, value in zip(self.varied, point, strict=True):
            for path in vary.paths:
                for container, key in number_places(tree, path):
                    container[key] = vary.written(value)
        try:
            return scenario_from(tree, self.scenario.folder, unattainable_ratios)
        except ScenarioError as error:
            where = f"{self.scenario.name} with {point_words(self.varied, point)}"
            raise ScenarioError(error.problems, where) from None


def grid_of(
    scenario: Scenario,
    vary: Sequence[Vary],
    designs: Sequence[str] | None,
    truths: Sequence[str] | None,
) -> Grid:
    """Return the grid of a sweep.

    Parameters
    ----------
    scenario
        A loaded scenario.
    vary
        One or two numbers that vary.
    designs
        Names; by default the designs in which something varies, or all where the world varies.
    truths
        Names; by default all.

    Raises
    ------
    UsageError
        Where a name is unknown or a path holds no number.
    """
    if not 1 <= len(vary) <= MOST_VARIED:
        raise UsageError(f"vary: {len(vary)} numbers are to vary; allowed are 1 to {MOST_VARIED}.")
    everything = _asked(scenario, tuple(scenario.designs), ())
    for each in vary:
        for path in each.paths:
            _require_numbers(everything, path, tuple(scenario.designs))
    chosen = _designs(scenario, vary, designs)
    tree = _asked(scenario, chosen, ())
    taken: dict[tuple[int, Any], str] = {}
    for each in vary:
        for path in each.paths:
            for container, key in _require_numbers(tree, path, chosen):
                if (id(container), key) in taken:
                    raise UsageError(f"vary: {printable(path, 200)} is set twice; name each number once.")
                taken[id(container), key] = path
    return Grid(scenario, chosen, scenario.select_truths(names_given("truths", truths)), tuple(vary))


def set_by_truths(grid: Grid) -> list[tuple[str, Vary]]:
    """Return each truth that sets itself a number that is to vary, so that it does not vary under it."""
    tree = grid.scenario.dump_world()
    found = []
    for truth in grid.truths:
        own = {
            (id(container), key)
            for path in grid.scenario.truths[truth]
            for container, key in places(tree, canonical_path(path).split("."))
        }
        for vary in grid.varied:
            varied = {(id(where), key) for path in vary.paths for where, key in number_places(tree, path)}
            if varied & own:
                found.append((truth, vary))
    return found


def own_values(grid: Grid) -> list[str]:
    """Return a sentence for each truth that sets itself what is to vary."""
    return [
        f"Truth {truth} sets {vary.label} itself: under it, that number does not vary."
        for truth, vary in set_by_truths(grid)
    ]


def number_places(tree: Any, path: str) -> list[tuple[Any, Any]]:
    """Return the container and key of every number that a path matches; a look's count may be left unsaid."""
    found = []
    for container, key in places(tree, canonical_path(path).split(".")):
        if holds_number(container[key]):
            found.append((container, key))
        elif isinstance(container[key], dict) and holds_number(container[key].get("count")):
            found.append((container[key], "count"))
    return found


def point_words(varied: Sequence[Vary], point: Point) -> str:
    """Return a point as people write it: ``designs.fixed.n = 300``."""
    return ", ".join(
        f"{vary.label} = {vary.written(value)}" for vary, value in zip(varied, point, strict=True)
    )


def _designs(scenario: Scenario, vary: Sequence[Vary], asked: Sequence[str] | None) -> tuple[str, ...]:
    """Return the designs asked for, or else those in which something varies."""
    if asked is not None:
        return scenario.select_designs(names_given("designs", asked))
    paths = [canonical_path(path).split(".") for each in vary for path in each.paths]
    if any(path[0] != "designs" for path in paths):
        return tuple(scenario.designs)
    return tuple(name for name in scenario.designs if any(path[1] in (name, "*") for path in paths))


def _asked(scenario: Scenario, designs: Sequence[str], truths: Sequence[str]) -> dict[str, Any]:
    """Return the written scenario with no designs and truths but those asked about, or that sizes are solved under."""
    tree = scenario.dump()
    # What was worked out of a design is worked out anew at each point.
    tree["designs"] = {name: as_asked(tree["designs"][name]) for name in designs}
    solved_under = (design.get("under") for design in tree["designs"].values())
    needed = (*truths, *(name for name in solved_under if name is not None and name not in truths))
    tree["truths"] = {name: tree["truths"][name] for name in needed}
    return tree


def _require_numbers(tree: dict[str, Any], path: str, designs: Sequence[str]) -> list[tuple[Any, Any]]:
    """Return the places that a path matches; refuse it where there are none."""
    head = canonical_path(path).split(".")[0]
    if head not in PARTS:
        hint = did_you_mean(head, PARTS)
        raise UsageError(
            f"vary: {printable(path, 200)} cannot vary; a sweep varies numbers in {listed(PARTS)}.{hint}"
        )
    found = number_places(tree, path)
    if not found:
        known = list(number_paths({part: tree[part] for part in PARTS if part in tree}))
        hint = did_you_mean(path, known)
        start = canonical_path(path).rsplit(".", 1)[0]
        below = [one for one in known if one.startswith(start + ".")]
        more = f" Numbers there are {listed(below, most=6)}." if below and not hint else hint
        where = f" (designs: {listed(designs)})" if head == "designs" else ""
        raise UsageError(f"vary: {printable(path, 200)} matches no number of the scenario{where}.{more}")
    return found
