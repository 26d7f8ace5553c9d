"""Patients over time: the table of a run that says how many there are by each time, over its trials."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from trialsim.engines.enrolment import SITE_MARK
from trialsim.oc.columns import Cell, Records, categories_of, numbers_of
from trialsim.oc.montecarlo import Counted, mean_of_counts, quantiles

ENROLMENT = "enrolment"
_PROBABILITIES = (0.1, 0.5, 0.9)

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
_Key = tuple[str, int]


class EnrolmentTally:
    """Adds up, block by block, how many trials had how many patients by each time; holds one cell at a time."""

    def __init__(self) -> None:
        self._cell: Cell | None = None
        self._counts: dict[_Key, Ints] = {}
        self._of: dict[_Key, tuple[float, float]] = {}

    def add(self, block: pa.Table) -> pa.Table | None:
        """Add a block of one cell, as the runner hands it over, and return the cell before where that is now complete.

        Parameters
        ----------
        block
            A row a group of sites, time and number of patients that occurs; the blocks of a cell follow each other.
        """
        if block.num_rows == 0:
            return None
        cell = Cell(str(block["design"][0].as_py()), str(block["truth"][0].as_py()))
        complete = self.finish() if cell != self._cell else None
        self._cell = cell
        group = categories_of(block["group"])
        date, randomised, trials = (
            numbers_of(block[name]).astype(np.int64) for name in ("date", "randomised", "trials")
        )
        time, planned = numbers_of(block["time"]), numbers_of(block["planned"])
        stride = int(date.max()) + 1
        order = np.argsort(group.codes.astype(np.int64) * stride + date, kind="stable")
        places = group.codes.astype(np.int64)[order] * stride + date[order]
        for rows in np.split(order, np.flatnonzero(np.diff(places)) + 1):
            key = (group.names[int(group.codes[rows[0]])], int(date[rows[0]]))
            counts = np.bincount(randomised[rows], weights=trials[rows]).astype(np.int64)
            self._counts[key] = _sum(self._counts.get(key), counts)
            self._of[key] = float(time[rows[0]]), float(planned[rows[0]])
        return complete

    def finish(self) -> pa.Table | None:
        """Return the table of the cell at hand, and let go of it; None where there is none."""
        if self._cell is None:
            return None
        last = self._last_change()
        rows = [
            {
                "design": self._cell.design,
                "truth": self._cell.truth,
                "group": group,
                **self._row((group, date)),
            }
            for group, date in self._counts
            if date <= last
        ]
        self._cell, self._counts, self._of = None, {}, {}
        table = pa.Table.from_pylist(rows, schema=_SCHEMA)
        return table

    def _last_change(self) -> int:
        """Return the first time by which every trial has all its patients; later ones say nothing new."""
        dates = sorted({date for _, date in self._counts})
        totals = {date: [] for date in dates}  # type: dict[int, list[int]]
        for group, date in sorted(self._counts):
            counts = self._counts[group, date]
            totals[date].append(int(counts @ np.arange(counts.size)))
        return next(date for date in dates if totals[date] == totals[dates[-1]])

    def _row(self, key: _Key) -> dict[str, float | int]:
        """Return what the trials had by one time."""
        counts = self._counts[key]
        time, planned = self._of[key]
        average = mean_of_counts(counts, 0)
        assert average is not None
        p10, median, p90 = (each.value for each in quantiles(Counted(counts, 0), _PROBABILITIES))
        return {
            "time": time, "planned": planned, "mean": average.value,
            "mcse": math.nan if average.mcse is None else average.mcse,
            "p10": p10, "median": median, "p90": p90, "trials": average.n,
        }  # fmt: skip


_SCHEMA = pa.schema(
    [
        *((name, pa.string()) for name in ("design", "truth", "group")),
        *((name, pa.float64()) for name in ("time", "planned", "mean", "mcse", "p10", "median", "p90")),
        ("trials", pa.int64()),
    ]
)


def _sum(first: Ints | None, second: Ints) -> Ints:
    """Return two counts, added place by place."""
    if first is None:
        return second
    longer, shorter = (first, second) if first.size >= second.size else (second, first)
    total = longer.copy()
    total[: shorter.size] += shorter
    return total


@dataclass(frozen=True)
class EnrolmentCurve:
    """Patients over time of one cell and group of sites, arrays ``[time]``.

    Parameters
    ----------
    group
        Name of the group; empty for all sites together.
    days
        Times.
    planned
        What a plan on paper expects.
    mean, mcse, p10, median, p90
        Over the trials; the error is NaN where there is one trial.
    trials
        How many there are.
    """

    group: str
    days: Floats
    planned: Floats
    mean: Floats
    mcse: Floats
    p10: Floats
    median: Floats
    p90: Floats
    trials: int


def enrolment_curves(records: Records, cell: Cell, single: bool = False) -> tuple[EnrolmentCurve, ...]:
    """Return the curves of a cell: all sites first, then each group; none in a world without sites.

    Parameters
    ----------
    records, cell
        Which trials.
    single
        Whether to return those of single sites instead, under the sites' names; there are none where a scenario has many.
    """
    if not records.columns("enrolment"):
        return ()
    groups = records.categories("enrolment", "group", cell)
    names = ("time", "planned", "mean", "mcse", "p10", "median", "p90")
    columns = {name: records.numbers("enrolment", name, cell).astype(np.float64) for name in names}
    trials = records.numbers("enrolment", "trials", cell)
    found = []
    # In the order of the rows, which is that of the scenario; codes of names may be in another.
    for name in dict.fromkeys(groups.names[int(code)] for code in groups.codes):
        if name.startswith(SITE_MARK) != single:
            continue
        here = np.flatnonzero(groups.equal(name))
        days, *rest = (columns[each][here] for each in names)
        planned, average, mcse, p10, median, p90 = rest
        found.append(
            EnrolmentCurve(
                name.removeprefix(SITE_MARK),
                days,
                planned,
                average,
                mcse,
                p10,
                median,
                p90,
                int(trials[here[0]]),
            )
        )
    return tuple(found)
