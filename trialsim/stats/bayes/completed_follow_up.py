"""Completed follow-up: what survival data will be once everybody has been followed for as long as is planned.

Broglio, Connor and Berry, J. Biopharm. Stat. 24, 2014, 685-705: hazards are drawn from their gamma posteriors. A patient
followed to ``u`` without an event has a time from the law of survival beyond ``u``, one still to come from the law itself.
"""

# Compiled functions take arrays that the type checker cannot see into.
# mypy: disallow-untyped-defs=False

from __future__ import annotations

import math

import numpy as np

from trialsim.compiled import kernel
from trialsim.stats.bayes.imputation import gamma_variate, next_uniform

NOW, LATER = 0, 1
"""Places of the data of patients enrolled so far, and of these and those still to come."""


@kernel
def _follow(days, until, starts, hazard, state, events, exposure):
    """Add the further events and days at risk by piece of one patient, followed for ``days`` without an event."""
    pieces = len(starts)
    left = -math.log(next_uniform(state))
    for k in range(pieces):
        end = min(starts[k + 1], until) if k + 1 < pieces else until
        begin = max(starts[k], days)
        if end <= begin:
            continue
        spent = hazard[k] * (end - begin)
        if left < spent:
            exposure[k] += left / hazard[k]
            events[k] += 1.0
            return
        exposure[k] += end - begin
        left -= spent


@kernel
def complete_follow_up(
    offsets, treated, value, waits, until, starts, shape, rate, unseen, to_come, words, events, exposure
):
    """Fill the further events and days at risk in data sets that are completed by imputation.

    Parameters
    ----------
    offsets, treated, value
        Patients with their days of follow-up, as in :class:`~trialsim.contracts.PatientRows`.
    waits
        Whether a patient is still followed and has had no event, int8 ``[row]``; the others stay as they are.
    until
        Days for which everybody will have been followed.
    starts
        Days at which the hazards' pieces begin, the first 0.
    shape, rate
        Of the hazards' gamma posteriors, ``[replicate, 2, piece]``.
    unseen, to_come
        Patients enrolled of whom nothing has been reported yet, and those still to be enrolled, ``[replicate, 2]``.
    words
        Random bits at which the streams of the arms begin, ``[replicate, 2]``.
    events, exposure
        Results, ``[2, replicate, draw, 2, piece]``: at ``NOW`` and at ``LATER``, both from the same hazards.
    """
    pieces, draws = len(starts), events.shape[2]
    hazard, state = np.empty(pieces), np.empty(1, np.uint64)
    for r in range(len(offsets) - 1):
        first, last = offsets[r], offsets[r + 1]
        waiting = np.empty(last - first)
        for arm in range(2):
            count = 0
            for i in range(first, last):
                if (1 if treated[i] else 0) == arm and waits[i] and value[i] < until:
                    waiting[count] = value[i]
                    count += 1
            state[0] = words[r, arm]
            for m in range(draws):
                had, risk = events[0, r, m, arm], exposure[0, r, m, arm]
                for k in range(pieces):
                    hazard[k] = gamma_variate(shape[r, arm, k], state) / rate[r, arm, k]
                    had[k] = 0.0
                    risk[k] = 0.0
                for i in range(count):
                    _follow(waiting[i], until, starts, hazard, state, had, risk)
                for _ in range(unseen[r, arm]):
                    _follow(0.0, until, starts, hazard, state, had, risk)
                more, longer = events[1, r, m, arm], exposure[1, r, m, arm]
                for k in range(pieces):
                    more[k] = had[k]
                    longer[k] = risk[k]
                for _ in range(to_come[r, arm]):
                    _follow(0.0, until, starts, hazard, state, more, longer)
