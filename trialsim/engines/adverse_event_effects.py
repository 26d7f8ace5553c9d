"""True values of tests about adverse events, from the potential outcomes of keyed patients."""

from __future__ import annotations

import math

import numpy as np

from trialsim.contracts import Floats, TestPlan
from trialsim.engines import potential_outcomes
from trialsim.engines.fast_adverse_events import count_by_patient
from trialsim.engines.plan import Plan
from trialsim.timegrid import NEVER, TICKS_PER_DAY, to_ticks


def true_value(plan: Plan, test: TestPlan, treatment: int, control: int) -> float:
    """Return the true log ratio of rates, or difference of probabilities, of keyed patients under each of two arms.

    The patients are those of :mod:`~trialsim.engines.potential_outcomes`: never lost, followed for ``follow_up`` or for as
    long as events count.

    Parameters
    ----------
    plan
        The design under a truth.
    test
        About adverse events.
    treatment, control
        Indices of the arms; the same where treatment is compared with a rate.
    """
    return _effect(plan, test, treatment, control)[0]


def true_value_with_error(plan: Plan, test: TestPlan, treatment: int, control: int) -> tuple[float, float]:
    """Return the true value and its standard error; parameters as :func:`true_value`."""
    return _effect(plan, test, treatment, control)


def _effect(plan: Plan, test: TestPlan, treatment: int, control: int) -> tuple[float, float]:
    """Return the true value and its standard error."""
    found = [_rate_under(plan, test, arm) for arm in dict.fromkeys((treatment, control))]
    counted, limit = test.adverse_events, test.options.get("rate")
    assert counted is not None
    if limit is not None:
        found = [found[0], (float(limit), 0.0)]
    (rate, error), (against, other) = found[0], found[-1]
    if counted.worst:
        return rate - against, math.hypot(error, other)
    if rate <= 0.0 or against <= 0.0:
        return math.nan, 0.0
    return math.log(rate / against), math.hypot(error / rate, other / against)


def _rate_under(plan: Plan, test: TestPlan, arm: int) -> tuple[float, float]:
    """Return events a day at risk, or the share of patients with so bad an event, under an arm, and its standard error."""
    counted, life = test.adverse_events, plan.world.life
    assert counted is not None
    assert life is not None
    until = max(to_ticks(test.follow_up), 1) if counted.within is None else counted.within
    lives, journal = potential_outcomes.journal_under(plan, arm, until)
    nobody = np.full((1, len(lives.last_dose)), NEVER)
    ended = lives.left[None, :]
    first = np.zeros(1, dtype=np.int64)
    entry = np.zeros_like(nobody)
    _, events, worst, risk = count_by_patient(
        test, life, first, np.array([until]), entry, nobody, ended, lives.last_dose[None, :], journal
    )
    if counted.worst:
        share = float((worst >= counted.least).mean())
        return share, math.sqrt(share * (1.0 - share) / worst.size)
    days: Floats = risk / float(TICKS_PER_DAY)
    rate = float(events.sum() / days.sum())
    # Patients differ in how often they have events, so that counts are no Poisson variables.
    return rate, float(np.sqrt(np.sum((events - rate * days) ** 2)) / days.sum())
