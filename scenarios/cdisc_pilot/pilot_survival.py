"""The Kaplan-Meier estimate, for what the real trial showed and for durations."""

from __future__ import annotations

import numpy as np
from pilot_tables import Floats


def kaplan_meier(time: Floats, event: Floats, at: Floats) -> tuple[Floats, Floats, Floats]:
    """Return survival, Greenwood's standard error, and numbers at risk at some times.

    Parameters
    ----------
    time, event
        Follow-up and whether it ended in the event, ``[patient]``; at equal times events come before censorings.
    at
        Times at which survival (events up to and including them) and numbers at risk are given.
    """
    order = np.argsort(time, kind="stable")
    distinct = np.unique(time[event.astype(bool)])
    at_risk = len(time) - np.searchsorted(time[order], distinct, side="left")
    deaths = np.array([np.sum((time == t) & event.astype(bool)) for t in distinct], dtype=float)
    survival = np.concatenate([[1.0], np.cumprod(1 - deaths / at_risk)])
    with np.errstate(divide="ignore"):
        terms = np.where(at_risk > deaths, deaths / (at_risk * np.maximum(at_risk - deaths, 1e-300)), 0.0)
    variance = np.concatenate([[0.0], np.cumsum(terms)])
    reached = np.searchsorted(distinct, at, side="right")
    left = len(time) - np.searchsorted(time[order], at, side="left")
    return survival[reached], survival[reached] * np.sqrt(variance[reached]), left
