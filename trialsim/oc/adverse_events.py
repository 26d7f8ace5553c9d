"""Adverse events over time: the mean number per patient at risk by time since randomisation, by arm and term.

The mean cumulative function of Nelson (1988), as of all trials together: the sum over periods of events by patient-time at
risk in them, times their length.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from trialsim.engines.adverse_event_records import SUMMED, summed_up
from trialsim.oc.columns import Cell, Records, categories_of, numbers_of
from trialsim.timegrid import TICKS_PER_DAY

ADVERSE_EVENTS: Final = "adverse_events"
ALL, SERIOUS = "all", "serious"
_LEAST_AT_RISK = 0.05

Floats = NDArray[np.float64]


class AdverseEventTally:
    """Adds up, block by block, adverse events and time at risk; holds one cell at a time."""

    def __init__(self) -> None:
        self._cell: Cell | None = None
        self._names: dict[str, tuple[str, ...]] = {}
        self._rows: dict[str, NDArray[Any]] = {}

    def add(self, block: pa.Table) -> pa.Table | None:
        """Add a block of one cell, as the runner hands it over, and return the cell before where that is now complete.

        Parameters
        ----------
        block
            A row a group of trials, arm, term and period; the blocks of a cell follow each other.
        """
        if block.num_rows == 0:
            return None
        cell = Cell(str(block["design"][0].as_py()), str(block["truth"][0].as_py()))
        complete = self.finish() if cell != self._cell else None
        codes = {name: categories_of(block[name]) for name in ("arm", "term")}
        rows = {name: found.codes for name, found in codes.items()}
        rows |= {name: numbers_of(block[name]) for name in ("trial_group", "period", "time", *SUMMED)}
        if self._cell is not None:
            rows = {name: np.concatenate([self._rows[name], values]) for name, values in rows.items()}
        self._cell = cell
        self._names = {name: found.names for name, found in codes.items()}
        self._rows = summed_up(rows)
        return complete

    def finish(self) -> pa.Table | None:
        """Return the table of the cell at hand, and let go of it; None where there is none."""
        if self._cell is None:
            return None
        rows, size = self._rows, len(self._rows["period"])
        columns: dict[str, pa.Array] = {
            "design": pa.array([self._cell.design] * size),
            "truth": pa.array([self._cell.truth] * size),
        }
        for name, names in self._names.items():
            columns[name] = pa.DictionaryArray.from_arrays(pa.array(rows[name]), pa.array(names))
        columns |= {name: pa.array(rows[name].astype(np.int64)) for name in ("trial_group", "period")}
        columns["time"] = pa.array(rows["time"])
        columns |= {name: pa.array(rows[name]) for name in SUMMED if name != "risk_ticks"}
        columns["risk_days"] = pa.array(rows["risk_ticks"] / float(TICKS_PER_DAY))
        self._cell, self._rows = None, {}
        return pa.table(columns)


@dataclass(frozen=True)
class AdverseEventCurve:
    """Adverse events of one arm over time since randomisation, arrays ``[period]``.

    Parameters
    ----------
    arm, term
        Names; :data:`ALL` and :data:`SERIOUS` stand for those of all terms together.
    days
        Ends of the periods, as far as there are patients at risk: a twentieth of those there were at first.
    mean
        Mean number of events of a patient who stays at risk.
    mcse
        Its Monte Carlo error, NaN where there is one trial.
    trials
        How many there are.
    """

    arm: str
    term: str
    days: Floats
    mean: Floats
    mcse: Floats
    trials: int


def adverse_event_curves(records: Records, cell: Cell) -> tuple[AdverseEventCurve, ...]:
    """Return the curves of a cell by arm: all events, serious ones, then each term; none without adverse events.

    Parameters
    ----------
    records, cell
        Which trials; all of them, those in which a test could not be computed too.
    """
    if not records.columns(ADVERSE_EVENTS):
        return ()
    arms, terms = (records.categories(ADVERSE_EVENTS, name, cell) for name in ("arm", "term"))
    events, serious, risk, trials = (
        _cube(records, cell, name) for name in ("events", "serious", "risk_days", "trials")
    )
    ends = np.unique(records.numbers(ADVERSE_EVENTS, "time", cell))
    number = int(trials[:, 0, 0, 0].sum())
    found = []
    for a, arm in enumerate(_in_order(arms)):
        # What has been seen of nearly nobody tells nothing, and would set the scale.
        reached = _at_risk(risk[:, a].sum(axis=0), ends)
        chosen = [(ALL, events[:, a], risk[:, a]), (SERIOUS, serious[:, a], risk[:, a])]
        chosen += [
            (term, events[:, a, t : t + 1], risk[:, a, t : t + 1]) for t, term in enumerate(_in_order(terms))
        ]
        for term, counts, days in chosen:
            value, error = mean_cumulative(counts[..., :reached], days[..., :reached], ends[:reached])
            found.append(AdverseEventCurve(arm, term, ends[:reached], value, error, number))
    return tuple(found)


def mean_cumulative(events: Floats, risk: Floats, ends: Floats) -> tuple[Floats, Floats]:
    """Return the mean cumulative number of events, and its Monte Carlo error by the delta method over groups of trials.

    Parameters
    ----------
    events, risk
        Events and days at risk, ``[group of trials, term, period]``; terms are added up, each by its own time at risk.
    ends
        Ends of the periods in days, the first begins at 0, ``[period]``.

    Returns
    -------
    mean, mcse
        ``[period]`` each; the error is NaN where there is one group.
    """
    width = np.diff(ends, prepend=0.0)
    total = risk.sum(axis=0)
    rate = events.sum(axis=0) / total
    value = np.cumsum((rate * width).sum(axis=0))
    groups = len(events)
    if groups < 2:
        return value, np.full(len(ends), np.nan)
    deviation = np.cumsum(((events - rate * risk) / total * width).sum(axis=1), axis=1)
    return value, np.sqrt(groups / (groups - 1) * np.sum(deviation**2, axis=0))


def _cube(records: Records, cell: Cell, name: str) -> Floats:
    """Return a column as ``[group of trials, arm, term, period]``, in which order its rows stand."""
    keys = [records.numbers(ADVERSE_EVENTS, key, cell) for key in ("trial_group", "period")]
    names = [records.categories(ADVERSE_EVENTS, key, cell).codes for key in ("arm", "term")]
    shape = [len(np.unique(key)) for key in (keys[0], *names, keys[1])]
    return records.numbers(ADVERSE_EVENTS, name, cell).astype(np.float64).reshape(shape)


def _in_order(found: Any) -> list[str]:
    """Return names in the order in which they occur."""
    return list(dict.fromkeys(found.names[int(code)] for code in found.codes))


def _at_risk(risk: Floats, ends: Floats) -> int:
    """Return how many periods there are, from the first on, in which enough patients are at risk of every term."""
    patients = risk / np.diff(ends, prepend=0.0)
    few = (patients < _LEAST_AT_RISK * patients[:, :1]).any(axis=0) | (patients[:, :1] <= 0.0).any(axis=0)
    return int(np.argmax(few)) if few.any() else len(ends)
