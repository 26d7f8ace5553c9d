"""Imputation of who will have had an event by a time, from each patient's own follow-up and a piecewise-exponential model.

Broglio, Connor and Berry, J. Biopharm. Stat. 24, 2014, 685-705: hazards are drawn from their gamma posteriors, and patients
followed to ``u`` without an event have one by ``at`` with probability 1 - exp(-(H(at) - H(u))).
"""

# Compiled functions take arrays that the type checker cannot see into.
# mypy: disallow-untyped-defs=False

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from trialsim.compiled import inline, kernel
from trialsim.contracts import Ints

_GOLDEN, _FIRST, _SECOND = (
    np.uint64(0x9E3779B97F4A7C15),
    np.uint64(0xBF58476D1CE4E5B9),
    np.uint64(0x94D049BB133111EB),
)
_S30, _S27, _S31, _S11 = np.uint64(30), np.uint64(27), np.uint64(31), np.uint64(11)


@dataclass(frozen=True)
class CompletedEvents:
    """Data sets of two arms completed by imputation, arms in the order control, treatment.

    Parameters
    ----------
    events
        Events seen by the time that counts, ``[replicate, 2]``.
    enrolled, largest
        Patients enrolled, reported on or not, and at the largest sample size, ``[replicate, 2]``.
    now, later
        Events to come among those enrolled, and among all, ``[replicate, 2, draw]``.
    """

    events: Ints
    enrolled: Ints
    largest: Ints
    now: Ints
    later: Ints


@inline
def next_uniform(state):
    """Return the next uniform in (0, 1) of a stream, whose state ``[1]`` is moved on: SplitMix64 (Steele et al. 2014)."""
    state[0] += _GOLDEN
    z = state[0]
    z = (z ^ (z >> _S30)) * _FIRST
    z = (z ^ (z >> _S27)) * _SECOND
    return ((z ^ (z >> _S31)) >> _S11) * 2.0**-53 + 2.0**-54


@kernel
def gamma_variate(shape, state):
    """Return a gamma variate of rate 1 (Marsaglia and Tsang, ACM Trans. Math. Softw. 26, 2000, 363-372)."""
    raised = shape if shape >= 1.0 else shape + 1.0
    d = raised - 1.0 / 3.0
    c = 1.0 / math.sqrt(9.0 * d)
    while True:
        radius = math.sqrt(-2.0 * math.log(next_uniform(state)))
        x = radius * math.cos(2.0 * math.pi * next_uniform(state))
        v = 1.0 + c * x
        if v <= 0.0:
            continue
        v = v * v * v
        if math.log(next_uniform(state)) < 0.5 * x * x + d - d * v + d * math.log(v):
            break
    found = d * v
    if shape < 1.0:
        found *= next_uniform(state) ** (1.0 / shape)
    return found


@kernel
def tally_known(offsets, treated, value, event, at, known, events):
    """Fill how many patients' outcomes at a time are known, and how many of them had the event, ``[replicate, 2]``.

    Parameters
    ----------
    offsets, treated, value, event
        Patients with their days of follow-up, as in :class:`~trialsim.contracts.PatientRows`.
    at
        Days by which an event counts.
    known, events
        Results: control, treatment.
    """
    for r in range(len(offsets) - 1):
        for i in range(offsets[r], offsets[r + 1]):
            arm = 1 if treated[i] else 0
            if event[i] and value[i] <= at:
                known[r, arm] += 1
                events[r, arm] += 1
            elif value[i] >= at:
                known[r, arm] += 1


@kernel
def impute_events(
    offsets, treated, value, event, at, starts, shape, rate, unseen, to_come, words, now, later
):
    """Fill how many more patients will have had an event by a time, in data sets completed by imputation.

    Parameters
    ----------
    offsets, treated, value, event, at
        As of :func:`tally_known`.
    starts
        Days at which the hazards' pieces begin, the first 0.
    shape, rate
        Of the hazards' gamma posteriors, ``[replicate, 2, piece]``.
    unseen, to_come
        Patients enrolled of whom nothing has been reported yet, and those still to be enrolled, ``[replicate, 2]``.
    words
        Random bits at which the streams of the arms begin, ``[replicate, 2]``.
    now, later
        Results, ``[replicate, 2, draw]``: events to come among enrolled patients whose outcome is not known yet, and among
        these and those still to come. Both come from the same hazards.
    """
    pieces, draws = len(starts), now.shape[2]
    hazard, state = np.empty(pieces), np.empty(1, np.uint64)
    for r in range(len(offsets) - 1):
        first, last = offsets[r], offsets[r + 1]
        waiting = np.empty(last - first)
        for arm in range(2):
            count = 0
            for i in range(first, last):
                if (1 if treated[i] else 0) == arm and not event[i] and value[i] < at:
                    waiting[count] = value[i]
                    count += 1
            state[0] = words[r, arm]
            for m in range(draws):
                whole = 0.0
                for k in range(pieces):
                    hazard[k] = gamma_variate(shape[r, arm, k], state) / rate[r, arm, k]
                    end = min(starts[k + 1], at) if k + 1 < pieces else at
                    whole += hazard[k] * max(0.0, end - starts[k])
                more = 0
                for i in range(count):
                    left = whole
                    for k in range(pieces):
                        if waiting[i] <= starts[k]:
                            break
                        end = min(starts[k + 1], at) if k + 1 < pieces else at
                        left -= hazard[k] * (min(waiting[i], end) - starts[k])
                    if next_uniform(state) < -math.expm1(-max(left, 0.0)):
                        more += 1
                chance = -math.expm1(-whole)
                for _ in range(unseen[r, arm]):
                    if next_uniform(state) < chance:
                        more += 1
                now[r, arm, m] = more
                for _ in range(to_come[r, arm]):
                    if next_uniform(state) < chance:
                        more += 1
                later[r, arm, m] = more
