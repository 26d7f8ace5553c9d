"""Bounds that trials applied, where they are not those of the plan: spending follows the information that looks see."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trialsim.oc.bounds_by_look import bounds_by_look
from trialsim.oc.columns import Cell, Records, categories_of, numbers_of
from trialsim.report.numbers import plain
from trialsim.report.tables import TextTable

MOST_ROWS = 60
_SAME = 1e-6
_BOUNDS = ("efficacy_z", "futility_z")

ABOUT_PLANNED = (
    "Bounds as planned, for the planned information. Where another table follows, trials applied others: bounds follow "
    "the events or read-outs that a look sees, or the level that a hypothesis has come to have. A look sees the events or "
    "read-outs of the endpoint that are known at its cut, in all arms of the design, whatever the strategy of a hypothesis "
    "makes of them; their share of those planned for the last look is what spending functions are read at."
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
    if not {"efficacy_z", "futility_z", "hypothesis"} <= set(records.columns("looks")):
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
    """Yield what trials applied in each test at each look where it is not what was planned."""
    moved = _moved(records, cell, planned)
    if not moved:
        return
    tests, looks = records.categories("looks", "hypothesis", cell), records.numbers("looks", "look", cell)
    applied = [np.asarray(records.numbers("looks", name, cell), dtype=np.float64) for name in _BOUNDS]
    for test, look in ((str(row["hypothesis"]), int(row["look"])) for row in planned):
        if (test, look) not in moved:
            continue
        here = tests.equal(test) & (looks == look)
        names = (cell.truth, cell.design, test, str(look), f"{np.count_nonzero(here):,}")
        yield (*((name,) for name in names), *(_shown(values[here]) for values in applied))


def _moved(records: Records, cell: Cell, planned: Sequence[Mapping[str, Any]]) -> set[tuple[str, int]]:
    """Return the tests and looks, from 1, at which any trial applied another bound than planned.

    Most designs have none, and there are many rows: they are gone through once, a part at a time.
    """
    found: set[tuple[str, int]] = set()
    if not planned:
        return found
    last = max(int(row["look"]) for row in planned)
    for part in records.parts("looks", ("hypothesis", "look", *_BOUNDS), cell):
        tests, looks = categories_of(part["hypothesis"]), numbers_of(part["look"])
        width = max(last, int(looks.max(initial=0))) + 1
        place = looks if len(tests.names) == 1 else tests.codes * np.int64(width) + looks
        for name in _BOUNDS:
            values = np.asarray(numbers_of(part[name]), dtype=np.float64)
            if np.isnan(values).all():
                continue
            expected = np.full((len(tests.names), width), np.nan)
            for row in planned:
                if row[name] is not None and row["hypothesis"] in tests.names:
                    expected[tests.names.index(row["hypothesis"]), row["look"]] = row[name]
            here = expected.ravel().take(place)
            if (values == here).all():
                continue
            with np.errstate(invalid="ignore"):  # where there is no bound
                other = (np.abs(values - here) > _SAME) & np.isfinite(values)
            for at in np.unique(place[other]).tolist():
                found.add((tests.names[at // width], at % width))
    return found


def _shown(values: NDArray[np.float64]) -> tuple[str, ...]:
    """Return the mean of the bounds there are, and below it their 10th to 90th percentile."""
    finite = values[np.isfinite(values)]
    if finite.size == 0:
        return ("–",)
    low, high = np.quantile(finite, (0.1, 0.9))
    mean = plain(float(finite.mean()), 3)
    return (mean,) if high - low <= _SAME else (mean, f"{plain(float(low), 3)} to {plain(float(high), 3)}")
