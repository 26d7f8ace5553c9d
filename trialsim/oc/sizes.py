"""How large and how long the trials are: means, medians, 10th and 90th percentiles."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trialsim.oc.columns import Cell, Records
from trialsim.oc.measures import DAYS, EVENTS, PATIENTS, QUANTILES, SIZES, TIMES, Measure, measure
from trialsim.oc.montecarlo import (
    Counted,
    MonteCarlo,
    OrderStatistics,
    Sorted,
    counts_of,
    mean,
    mean_of_counts,
    quantiles,
)
from trialsim.oc.rejections import Flags, count

TIME_COLUMNS = {
    "duration": "lock_time",
    "decision_time": "decision_time",
    "last_visit_time": "last_visit_time",
}
_OF_EVENTS = {  # the estimands of endpoints whose events are counted
    "log_hazard_ratio",
    "conditional_log_hazard_ratio",
    "weighted_log_hazard_ratio",
    "difference_in_restricted_means",
    "difference_in_survival",
}


def size_measures(records: Records, cell: Cell, failed: Flags | None, with_events: bool) -> Iterator[Measure]:
    """Yield the measures of patients, events and times of one cell.

    Parameters
    ----------
    records, cell
        Which trials.
    failed
        The replicates to leave out; ``None`` where there is none.
    with_events
        Whether the design counts events at all.
    """
    present = set(records.columns("trials"))
    before, found = np.empty(0), {}
    for name in (*SIZES, *TIMES):
        column = TIME_COLUMNS.get(name, name)
        if column not in present or (name == "events" and not with_events):
            continue
        unit = DAYS if name in TIMES else EVENTS if name == "events" else PATIENTS
        values = succeeded(records.numbers("trials", column, cell), failed)
        left_out = count(failed)
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            finite = values[np.isfinite(values)]
            left_out += values.size - finite.size
            values = finite
        # Without delays between look and decision several times are the same.
        if not np.array_equal(values, before):
            found = summary(values)
        before = values
        for suffix, value in found.items():
            yield measure(*cell, name + suffix, value, unit=unit, n_failed=left_out)


def succeeded(values: NDArray[Any], failed: Flags | None) -> NDArray[Any]:
    """Return the values of the replicates that did not fail."""
    return values if failed is None else values[~failed]


def counts_events(records: Records, cells: list[Cell]) -> bool:
    """Whether a design is driven by events: of its first test's endpoint, whether or not any came."""
    if "events" not in records.columns("trials"):
        return False
    first = next((fact for fact in records.facts() if (fact.design, fact.truth) in cells), None)
    if first is not None and first.estimand in _OF_EVENTS:
        return True
    return any(bool(np.any(records.numbers("trials", "events", cell))) for cell in cells)


def summary(values: NDArray[Any]) -> dict[str, MonteCarlo]:
    """Return the mean and the quantiles of finite values, by suffix of the measure's name; nothing where there are none."""
    if values.size == 0:
        return {}
    centre: MonteCarlo | None
    sample: OrderStatistics
    if (counted := counts_of(values)) is not None:
        centre, sample = mean_of_counts(*counted), Counted(*counted)
    else:
        centre, sample = mean(values), Sorted(values)
    found = {} if centre is None else {"": centre}
    for suffix, value in zip(QUANTILES, quantiles(sample, tuple(QUANTILES.values())), strict=True):
        found[f"_{suffix}"] = value
    return found
