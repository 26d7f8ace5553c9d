"""Bounds that trials applied, where they are not those of the plan: spending follows the information that looks see."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trialsim.oc.bounds_by_look import bounds_by_look
from trialsim.oc.columns import Categories, Cell, Records
from trialsim.report.numbers import plain
from trialsim.report.tables import TextTable

MOST_ROWS = 60
_SAME = 1e-6
_BOUNDS = ("efficacy_z", "futility_z")
_BLOCK = 1 << 14

ABOUT_PLANNED = (
    "Bounds as planned, for the planned information. Where another table follows, trials applied others: bounds follow "
    "the information that each look sees, or the level that a hypothesis has come to have."
)
ABOUT_APPLIED = (
    "Bounds that trials applied, where they are not those of the plan: the mean over the trials that took the look, and "
    "the 10th to the 90th percentile."
)


def applied_bounds_table(scenario: Mapping[str, Any], records: Records) -> TextTable | None:
    """Return a row for each design, truth, test and look whose trials applied other bounds than planned; None without any.

    Parameters
    ----------
    scenario
        The resolved scenario as plain data.
    records
        Of the run; without bounds at looks nothing is returned.
    """
    if not {*_BOUNDS, "hypothesis"} <= set(records.columns("looks")):
        return None
    rows = [
        row
        for cell in records.cells()
        for row in _rows(records, cell, bounds_by_look(scenario, [cell.design]))
    ]
    if not rows:
        return None
    headings = ("truth", "design", "hypothesis", "look", "trials", "rejected from z", "given up to z")
    return TextTable("Bounds by look, as applied", headings, tuple(rows[:MOST_ROWS]))


def _rows(
    records: Records, cell: Cell, planned: Sequence[Mapping[str, Any]]
) -> Iterator[tuple[tuple[str, ...], ...]]:
    """Yield what the trials of a cell applied, test by test and look by look, where it is not what was planned."""
    if not planned:
        return
    hypotheses = records.categories("looks", "hypothesis", cell)
    look = records.numbers("looks", "look", cell)
    columns = {name: records.numbers("looks", name, cell) for name in _BOUNDS}
    if not _any_moved(hypotheses, look, columns, planned):
        return
    for bound in planned:
        here = hypotheses.equal(str(bound["hypothesis"])) & (look == bound["look"])
        applied = {name: np.asarray(column[here], dtype=np.float64) for name, column in columns.items()}
        if any(_moved(values, bound[name]) for name, values in applied.items()):
            number = f"{np.count_nonzero(here):,}"
            names = (cell.truth, cell.design, str(bound["hypothesis"]), str(bound["look"]), number)
            yield (*((name,) for name in names), *(_shown(values) for values in applied.values()))


def _any_moved(
    hypotheses: Categories,
    look: NDArray[Any],
    columns: Mapping[str, NDArray[Any]],
    planned: Sequence[Mapping[str, Any]],
) -> bool:
    """Return whether any trial may have applied another bound than planned: block by block, until one has."""
    width = 1 + max(int(look.max(initial=0)), *(int(bound["look"]) for bound in planned))
    expected = {name: np.full((len(hypotheses.names), width), np.nan) for name in columns}
    for bound in planned:
        if (name := str(bound["hypothesis"])) in hypotheses.names:
            place = hypotheses.names.index(name), int(bound["look"])
            for kind, values in expected.items():
                values[place] = np.nan if bound[kind] is None else bound[kind]
    for start in range(0, len(look), _BLOCK):
        rows = slice(start, start + _BLOCK)
        for name, column in columns.items():
            with np.errstate(invalid="ignore"):  # no bound, as planned
                apart = np.abs(column[rows] - expected[name][hypotheses.codes[rows], look[rows]])
            if (apart > _SAME).any():
                return True
    return False


def _moved(values: NDArray[np.float64], planned: float | None) -> bool:
    """Return whether any trial applied another bound than planned."""
    finite = values[np.isfinite(values)]
    return planned is not None and bool((np.abs(finite - planned) > _SAME).any())


def _shown(values: NDArray[np.float64]) -> tuple[str, ...]:
    """Return the mean of the bounds there are, and below it their 10th to 90th percentile."""
    finite = values[np.isfinite(values)]
    if finite.size == 0:
        return ("–",)
    low, high = np.quantile(finite, (0.1, 0.9))
    mean = plain(float(finite.mean()), 3)
    return (mean,) if high - low <= _SAME else (mean, f"{plain(float(low), 3)} to {plain(float(high), 3)}")
