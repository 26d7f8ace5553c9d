"""How much time a test needs whose power need not rise with time.

Under an effect that fades a later analysis can be the weaker one, so time is searched for, from early to late, and the
first that has the power is taken.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from trialsim.errors import UsageError
from trialsim.stats.sample_size.piecewise_events import SurvivalPlan
from trialsim.stats.sample_size.survival import LONGEST_DAYS

PowerOf = Callable[[SurvivalPlan, float], float]
"""Power of a plan that is analysed at a time (days)."""

_STEP = 1.08  # of time, in the search for the first that has the power


def follow_up_of_power(plan: SurvivalPlan, power_of: PowerOf, power: float) -> float:
    """Return the first follow-up (days after accrual; below zero: before its end) at which the power is met.

    Raises
    ------
    UsageError
        When it never is.
    """
    start, end = plan.accrual_duration / 20.0, _when_all_is_over(plan)
    time, best = _first_rise(lambda day: power_of(plan, day) - power, start, end)
    if time is None:
        raise UsageError(
            f"{plan.patients:,.0f} patients reach a power of {best + power:.3f} at most, whenever they are analysed; "
            "recruit more, weigh otherwise, or ask for less power."
        )
    return time - plan.accrual_duration


def accrual_of_power(plan: SurvivalPlan, follow_up: float, power_of: PowerOf, power: float) -> SurvivalPlan:
    """Return the plan with accrual open just long enough for the power, its rates and follow-up (days) as given.

    Raises
    ------
    UsageError
        When 400 years are not enough.
    """

    def excess(duration: float) -> float:
        longer = replace(plan, accrual_duration=duration)
        return power_of(longer, duration + follow_up) - power

    rates = zip(plan.accrual_rate.starts, plan.accrual_rate.values, strict=True)
    begins = next(start for start, rate in rates if rate > 0.0)
    duration, _ = _first_rise(excess, begins + 1.0, LONGEST_DAYS)
    if duration is None:
        raise UsageError(
            "accrual would have to stay open for more than 400 years; recruit faster, weigh otherwise, or ask for "
            "less power."
        )
    return replace(plan, accrual_duration=duration)


def _first_rise(excess: Callable[[float], float], start: float, end: float) -> tuple[float | None, float]:
    """Return the first point at which a function rises to zero, searched for in steps of 8%, and its largest value."""
    from scipy.optimize import brentq

    at, best = start, excess(start)
    if best >= 0.0:
        return at, best
    while at < end:
        before, at = at, min(at * _STEP, end)
        value = excess(at)
        best = max(best, value)
        if value >= 0.0:
            return float(brentq(excess, before, at, xtol=1e-9, rtol=1e-13)), best
    return None, best


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
