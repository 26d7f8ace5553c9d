"""Bounds that trials applied, where they are not those of the plan: spending follows the information that looks see."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trialsim.oc.bounds_by_look import bounds_by_look
from trialsim.oc.columns import Cell, Records
from trialsim.report.numbers import plain
from trialsim.report.tables import TextTable

MOST_ROWS = 60
_SAME = 1e-6

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
        for planned in bounds_by_look(scenario, [cell.design])
        if (row := _row(records, cell, planned)) is not None
    ]
    if not rows:
        return None
    headings = ("truth", "design", "hypothesis", "look", "trials", "rejected from z", "given up to z")
    return TextTable("Bounds by look, as applied", headings, tuple(rows[:MOST_ROWS]))


def _row(records: Records, cell: Cell, planned: Mapping[str, Any]) -> tuple[tuple[str, ...], ...] | None:
    """Return what trials applied in one test at one look; None where it is what was planned."""
    here = records.categories("looks", "hypothesis", cell).equal(str(planned["hypothesis"]))
    here &= records.numbers("looks", "look", cell) == planned["look"]
    applied = {
        name: np.asarray(records.numbers("looks", name, cell)[here], dtype=np.float64)
        for name in ("efficacy_z", "futility_z")
    }
    if not any(_moved(values, planned[name]) for name, values in applied.items()):
        return None
    number = f"{np.count_nonzero(here):,}"
    names = (cell.truth, cell.design, str(planned["hypothesis"]), str(planned["look"]), number)
    return (*((name,) for name in names), *(_shown(values) for values in applied.values()))


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
