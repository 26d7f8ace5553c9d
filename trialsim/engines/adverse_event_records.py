"""Adverse events by time since randomisation, added up over trials: events and time at risk by arm, term and period.

Trials fall into a fixed number of groups by their number. Sums of two sets of trials are added to give those of both, so
that a run of any length keeps a table of fixed size, and how the groups differ gives the Monte Carlo error.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from trialsim.contracts import Ints
from trialsim.engines.life import LifeNumbers
from trialsim.engines.plan import Plan
from trialsim.engines.points import Chunk
from trialsim.timegrid import TICKS_PER_DAY

Columns = dict[str, NDArray[Any]]

TRIAL_GROUPS = 50
"""Groups of trials: with n of them the error of an error is about 1 in sqrt(2 (n - 1)), here a tenth."""

_EVEN_PERIODS, _MOST_EVEN_DAYS = 24, 730
_FOUR_WEEKS, _QUARTER, _YEAR = 28, 91, 364


def period_ends(numbers: LifeNumbers, horizon: int) -> Ints:
    """Return the ends of the periods since randomisation in which adverse events are counted, in ticks, ``[period]``.

    Where nobody is at risk for more than two years they are 24 equal ones. Otherwise they are of four weeks in the first
    year, of a quarter to the end of the third, of a year to the tenth, and one for the rest.

    Parameters
    ----------
    numbers
        The laws of lives: the planned end of treatment, windows, and read-outs that end follow-up.
    horizon
        Tick at which a trial ends whatever happens.
    """
    span = int(min(horizon, numbers.treatment.duration + int(numbers.term.window.max(initial=0))))
    if not len(numbers.survival.endpoints) and not numbers.reading.at_visit.any():
        span = min(span, int(numbers.reading.readout.max()))
    if span <= _MOST_EVEN_DAYS * TICKS_PER_DAY:
        return np.unique(-(-span * np.arange(1, _EVEN_PERIODS + 1, dtype=np.int64) // _EVEN_PERIODS))
    days = np.concatenate(
        [
            np.arange(1, 14) * _FOUR_WEEKS,
            _YEAR + np.arange(1, 9) * _QUARTER,
            np.arange(4, 11) * _YEAR,
        ]
    ).astype(np.int64)
    ticks = days * TICKS_PER_DAY
    return np.append(ticks[ticks < span], span)


def adverse_event_columns(chunk: Chunk, cut: Ints) -> Columns | None:
    """Return the table ``adverse_events`` of some trials that have ended; None where a scenario has no adverse events.

    Parameters
    ----------
    chunk
        The trials.
    cut
        Deciding data cut of each, up to which is counted, ``[replicate]``.

    Returns
    -------
    dict
        A row for each group of trials that occurs, arm, term and period: ``events`` and ``serious`` ones among the patients
        who were at risk for ``risk_ticks`` in it, in ``trials``.
    """
    plan = chunk.plan
    life = plan.world.life
    if life is None or not life.terms:
        return None
    ends = period_ends(life.numbers, plan.horizon)
    group = chunk.replicates % TRIAL_GROUPS
    trials = np.bincount(group, minlength=TRIAL_GROUPS)
    here = np.flatnonzero(trials)
    sums = chunk.adverse_events_by(ends, np.searchsorted(here, group), cut)
    groups, arms, terms, periods = sums.shape[:4]
    place = np.indices((groups, arms, terms, periods)).reshape(4, -1)
    return {
        "trial_group": here[place[0]].astype(np.int32),
        "arm": place[1].astype(np.int16),
        "term": place[2].astype(np.int16),
        "period": place[3].astype(np.int16),
        "time": ends[place[3]] / float(TICKS_PER_DAY),
        "trials": trials[here][place[0]].astype(np.int64),
        "events": sums[..., 0].ravel(),
        "serious": sums[..., 1].ravel(),
        "risk_ticks": sums[..., 2].ravel(),
    }


SUMMED = ("trials", "events", "serious", "risk_ticks")
_KEYS = ("trial_group", "arm", "term", "period")


def summed_up(rows: Columns) -> Columns:
    """Return the table of several sets of trials of one cell, from their rows one after the other."""
    if not len(rows["period"]):
        return rows
    sizes = tuple(int(rows[name].max()) + 1 for name in _KEYS)
    keys = np.ravel_multi_index(tuple(rows[name].astype(np.int64) for name in _KEYS), sizes)
    # Keys are dense, so that places take the room of sorting.
    one_of = np.full(int(np.prod(sizes)), -1)
    one_of[keys] = np.arange(len(keys))
    there = np.flatnonzero(one_of >= 0)
    found = {name: values[one_of[there]] for name, values in rows.items()}
    for name in SUMMED:
        total = np.zeros(len(one_of), dtype=np.int64)
        np.add.at(total, keys, rows[name])
        found[name] = total[there]
    return found


def term_vocabulary(plan: Plan) -> dict[str, tuple[str, ...]]:
    """Return the names for codes in this table."""
    return {} if plan.world.life is None else {"term": plan.world.life.terms}
