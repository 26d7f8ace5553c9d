"""How many patients, or how much time, a weighted log-rank test needs under any piecewise constant hazards.

The expected z grows with the root of the number of patients, so patients come in closed form. Over time it need not
grow: an effect that fades can make a later analysis the weaker one, so time is searched for, from early to late.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

from trialsim.errors import UsageError
from trialsim.stats.normal import upper_quantile
from trialsim.stats.sample_size.piecewise_events import SurvivalPlan
from trialsim.stats.sample_size.survival import LONGEST_DAYS
from trialsim.stats.sample_size.weighted_logrank import Weight, weighted_analyses

_STEP = 1.04  # of time, in the search for the first that has the power


def weighted_power(plan: SurvivalPlan, time: float, weight: Weight, alpha: float) -> float:
    """Return the power of a weighted log-rank test at an analysis at ``time`` days."""
    return weighted_analyses(plan, [time], weight)[0].power(alpha)


def weighted_patients(
    plan: SurvivalPlan, time: float, weight: Weight, alpha: float, power: float
) -> SurvivalPlan:
    """Return the plan with the accrual rate multiplied so that the power is met at ``time`` days.

    Raises
    ------
    UsageError
        When the test does not expect a benefit.
    """
    drift = weighted_analyses(plan, [time], weight)[0].drift
    if drift <= 1e-9:
        raise UsageError(
            f"the {weight.name} test expects no benefit at this analysis (expected z {drift:.3f}), so that no number of "
            "patients gives power; analyse at another time or weigh otherwise."
        )
    factor = ((upper_quantile(alpha) + upper_quantile(1.0 - power)) / drift) ** 2
    return plan.with_patients(plan.patients * factor)


def weighted_follow_up(plan: SurvivalPlan, weight: Weight, alpha: float, power: float) -> float:
    """Return the first follow-up (days after accrual; below zero: before its end) at which the power is met.

    Raises
    ------
    UsageError
        When it never is.
    """

    def excess(time: float) -> float:
        return weighted_power(plan, time, weight, alpha) - power

    time = _first_rise(excess, plan.accrual_duration / 20.0, _when_all_is_over(plan))
    if time is None:
        best = max(
            weighted_power(plan, plan.accrual_duration * _STEP**step, weight, alpha)
            for step in range(-40, _steps(plan.accrual_duration, _when_all_is_over(plan)) + 1)
        )
        raise UsageError(
            f"{plan.patients:,.0f} patients reach a power of {best:.3f} at most, whenever they are analysed; recruit "
            "more, weigh otherwise, or ask for less power."
        )
    return time - plan.accrual_duration


def weighted_accrual(
    plan: SurvivalPlan, follow_up: float, weight: Weight, alpha: float, power: float
) -> SurvivalPlan:
    """Return the plan with accrual open just long enough for the power, its rates and follow-up (days) as given.

    Raises
    ------
    UsageError
        When 400 years are not enough.
    """

    def excess(duration: float) -> float:
        longer = replace(plan, accrual_duration=duration)
        return weighted_power(longer, duration + follow_up, weight, alpha) - power

    rates = zip(plan.accrual_rate.starts, plan.accrual_rate.values, strict=True)
    begins = next(start for start, rate in rates if rate > 0.0)
    duration = _first_rise(excess, begins + 1.0, LONGEST_DAYS)
    if duration is None:
        raise UsageError(
            "accrual would have to stay open for more than 400 years; recruit faster, weigh otherwise, or ask for "
            "less power."
        )
    return replace(plan, accrual_duration=duration)


def _first_rise(excess: Callable[[float], float], start: float, end: float) -> float | None:
    """Return the first point at which a function rises to zero, searched for in steps of 4%."""
    from scipy.optimize import brentq

    before, at = start, start
    if excess(at) >= 0.0:
        return at
    while at < end:
        before, at = at, min(at * _STEP, end)
        if excess(at) >= 0.0:
            return float(brentq(excess, before, at, xtol=1e-9, rtol=1e-13))
    return None


def _steps(start: float, end: float) -> int:
    return math.ceil(math.log(end / start) / math.log(_STEP))


def _when_all_is_over(plan: SurvivalPlan) -> float:
    """Return a day by which all but one in a million patients have had an event or dropped out, within limits."""
    slowest = min(
        plan.control_hazard.values[-1] + plan.control_dropout.values[-1],
        plan.treatment_hazard.values[-1] + plan.treatment_dropout.values[-1],
    )
    if slowest <= 0.0:
        return LONGEST_DAYS
    breaks = (plan.control_hazard, plan.hazard_ratio, plan.control_dropout, plan.treatment_dropout)
    last = max(each.starts[-1] for each in breaks)
    return min(plan.accrual_duration + last + 14.0 / slowest, LONGEST_DAYS)
