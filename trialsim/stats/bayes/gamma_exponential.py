"""Survival times with a constant hazard and a gamma prior on it."""

# Compiled functions take arrays that the type checker cannot see into.
# mypy: disallow-untyped-defs=False

from __future__ import annotations

from dataclasses import replace

import numpy as np

from trialsim.compiled import kernel
from trialsim.contracts import Floats, PatientRows


@kernel
def _tally(offsets, treated, value, event, starts, events, exposure):
    """Add up events and time at risk by arm and piece."""
    pieces = len(starts)
    for r in range(len(offsets) - 1):
        for i in range(offsets[r], offsets[r + 1]):
            arm = 1 if treated[i] else 0
            here = 0
            for j in range(pieces):
                if value[i] > starts[j]:
                    end = starts[j + 1] if j + 1 < pieces else np.inf
                    exposure[r, arm, j] += min(value[i], end) - starts[j]
                    here = j
            events[r, arm, here] += event[i]


def events_and_exposure(rows: PatientRows, starts: Floats | None = None) -> tuple[Floats, Floats]:
    """Return events and days at risk by arm and piece of follow-up.

    An event at the start of a piece belongs to the piece before: pieces are open on the left, as in a Cox model's split.

    Parameters
    ----------
    rows
        Patients; ``value`` is days of follow-up, ``event`` the number of events in them.
    starts
        Days at which pieces begin, the first 0; without it one piece.

    Returns
    -------
    tuple of numpy.ndarray
        Events and exposure, ``[replicate, 2, piece]``: control, treatment.
    """
    begin = np.zeros(1) if starts is None else np.asarray(starts, dtype=np.float64)
    shape = (len(rows.offsets) - 1, 2, len(begin))
    events, exposure = np.zeros(shape), np.zeros(shape)
    _tally(rows.offsets, rows.treated, rows.value.astype(np.float64), rows.event, begin, events, exposure)
    return events, exposure


def followed_within(rows: PatientRows, days: float) -> PatientRows:
    """Return patients with what happened within a time since entry; an event at that time itself counts.

    Parameters
    ----------
    rows
        Patients; ``value`` is days of follow-up.
    days
        The time, above 0.
    """
    value = rows.value.astype(np.float64)
    event = np.where(value > days, 0, rows.event).astype(np.int8)
    return replace(rows, value=np.minimum(value, days), event=event)


def mean_survival(posterior: Floats, days: float) -> Floats:
    """Return the posterior mean of survival at a time: the predictive survival function, a Lomax law.

    Parameters
    ----------
    posterior
        Shape and rate of the hazard's gamma posterior, ``[..., 3]``.
    days
        Time since randomisation.
    """
    return np.asarray((posterior[..., 1] / (posterior[..., 1] + days)) ** posterior[..., 0])


def probability_median_exceeds(posterior: Floats, days: float) -> Floats:
    """Return the probability that the median survival time, log 2 over the hazard, is above a time.

    Thall, Wooten and Tannir, Clinical Trials 2, 2005, 467-478, monitor it.
    """
    from scipy.special import gammainc

    return np.asarray(gammainc(posterior[..., 0], posterior[..., 1] * np.log(2.0) / days))
