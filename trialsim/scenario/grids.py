"""Grids of truths: every combination of some values becomes a truth of its own, named by them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

from pydantic_core import PydanticCustomError

from trialsim.errors import Problem
from trialsim.scenario.truths import canonical_path
from trialsim.scenario.units import (
    is_duration,
    parse_duration,
    parse_rate,
    plain_rate,
    readable_duration,
    write_rate,
)
from trialsim.scenario.wording import shown

MOST_CELLS = 10_000
MOST_VALUES = 100_000


def expand_grids(tree: dict[str, Any], problems: list[Problem]) -> None:
    """Replace each truth with a grid by one truth for each of its cells, in place.

    Parameters
    ----------
    tree
        The scenario; its ``truths`` are replaced.
    problems
        Problems found are appended here.
    """
    truths = tree.get("truths")
    if not isinstance(truths, dict):
        return
    expanded: dict[str, Any] = {}
    for name, truth in truths.items():
        if not isinstance(truth, dict) or "grid" not in truth:
            expanded[name] = truth
            continue
        at = f"truths.{name}.grid"
        grid = truth["grid"]
        plain = {key: value for key, value in truth.items() if key != "grid"}
        found = list(_grid_problems(at, grid, plain, len(expanded)))
        problems += found
        if found:
            expanded[name] = (
                plain  # it is there, though its cells are not: what follows from its absence is not said
            )
            continue
        labels = _labels(list(grid))
        in_order = sorted(
            range(len(labels)), key=labels.__getitem__
        )  # the order of keys is no part of a name
        for values in itertools.product(*grid.values()):
            inner = ",".join(f"{labels[index]}={_value_label(values[index])}" for index in in_order)
            cell = f"{name}[{inner}]"
            if cell in expanded or cell in truths:
                problems.append(Problem(at, f"the cell {inner} occurs twice; keep each value once"))
                break
            expanded[cell] = plain | dict(zip(grid, values, strict=True))
    tree["truths"] = expanded


def _grid_problems(at: str, grid: Any, plain: dict[str, Any], truths_before: int) -> Iterator[Problem]:
    """Yield why a grid cannot be expanded."""
    if not isinstance(grid, dict) or not grid:
        found = "an empty one" if grid == {} else shown(grid)
        yield Problem(at, f"a mapping of paths to lists of values is expected, found {found}")
        return
    cells = 1
    for path, values in grid.items():
        place = f"{at}.{path}"
        if values == []:
            yield Problem(place, "the list is empty; give at least one value")
            continue
        if not isinstance(values, list):
            yield Problem(place, f"a list of values is expected, found {shown(values)}")
            continue
        odd = next((value for value in values if not _is_cell(value)), values)
        if odd is not values:
            yield Problem(place, f"numbers and quantities are expected, found {shown(odd)}")
        if path in plain:
            yield Problem(place, "is set beside the grid as well; keep one of them")
        cells = min(cells * len(values), MOST_CELLS + 1)
    size = len(plain) + len(grid)
    if cells + truths_before > MOST_CELLS:
        yield Problem(at, f"the grid takes the scenario beyond {MOST_CELLS:,} truths; give fewer values")
    elif cells * size > MOST_VALUES:
        yield Problem(at, f"{cells:,} truths of {size} values are too many; at most {MOST_VALUES:,} in all")


def _labels(paths: list[str]) -> list[str]:
    """Return the last segment of each path, or as many of the last as tell them apart."""
    segments = [canonical_path(path).split(".") for path in paths]
    labels = []
    for index, parts in enumerate(segments):
        others = segments[:index] + segments[index + 1 :]
        taken = 2 if parts[-1] == "*" or parts[-1].isdigit() else 1
        while taken < len(parts) and any(other[-taken:] == parts[-taken:] for other in others):
            taken += 1
        labels.append(".".join(parts[-taken:]))
    return labels


def _value_label(value: Any) -> str:
    """Return a value as it stands in a cell's name, whatever the spelling of its unit."""
    if isinstance(value, str):
        days = is_duration(value)
        if days:
            return readable_duration(parse_duration(value))
        return write_rate(parse_rate(plain_rate(value), zero=True))
    return repr(float(value))


def _is_cell(value: Any) -> bool:
    """Return whether a grid may hold a value: a finite number, or a quantity that can be read."""
    if isinstance(value, str):
        try:
            return bool(_value_label(value))
        except (PydanticCustomError, ValueError):
            return False
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e15
