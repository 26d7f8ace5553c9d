"""Sample size and power of the log-rank test under proportional hazards, and what events cost in patients and time.

References
----------
Schoenfeld, Biometrika 68, 1981, 316-319; Freedman, Statistics in Medicine 1, 1982, 121-129; Hsieh, Statistics in
Medicine 11, 1992, 1337-1345 (unequal allocation); Lachin and Foulkes, Biometrics 42, 1986, 507-519, on the scale of the log
hazard ratio.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from trialsim.errors import UsageError
from trialsim.stats.normal import upper_quantile, upper_tail
from trialsim.stats.sample_size.piecewise_events import (
    ExpectedCourse,
    SurvivalPlan,
    constant,
    events_in_the_end,
    expected_course,
)

METHODS = ("schoenfeld", "freedman", "hsieh-freedman", "lachin-foulkes")
LONGEST_DAYS = 400.0 * 365.25


@dataclass(frozen=True)
class LogrankDesign:
    """What is tested, by which formula.

    Parameters
    ----------
    hazard_ratio
        Treatment over control, as assumed; not equal to ``null``.
    null
        Hazard ratio to be ruled out: 1, or a margin.
    alpha
        One-sided.
    ratio
        Treatment patients for each control patient.
    method
        One of :data:`METHODS`.
    """

    hazard_ratio: float
    null: float = 1.0
    alpha: float = 0.025
    ratio: float = 1.0
    method: str = "schoenfeld"

    @property
    def distance(self) -> float:
        """Expected z per root of an event, for the formulae of events."""
        share = self.ratio / (1.0 + self.ratio)
        relative = self.hazard_ratio / self.null
        if self.method == "hsieh-freedman":
            return 2.0 * math.sqrt(share * (1.0 - share)) * abs(1.0 - relative) / (1.0 + relative)
        if self.method == "freedman":
            return abs(1.0 - relative) * math.sqrt(self.ratio) / (1.0 + self.ratio * relative)
        return abs(math.log(relative)) * math.sqrt(share * (1.0 - share))


def required_events(design: LogrankDesign, power: float) -> float:
    """Return the events, as a fraction, at which the power by a formula of events is reached exactly.

    With ``p`` the share on treatment and ``r`` treatment patients a control, ``(z_alpha + z_beta)^2`` times:
    Schoenfeld (1981), ``1 / (p (1 - p) log(HR)^2)``; Freedman (1982), ``(1 + r HR)^2 / (r (1 - HR)^2)``; Hsieh (1992),
    Freedman's figure for equal arms over ``4 p (1 - p)``.
    """
    return ((upper_quantile(design.alpha) + upper_quantile(1.0 - power)) / design.distance) ** 2


def power_of_events(design: LogrankDesign, events: float) -> float:
    """Return the power by a formula of events with a number of events."""
    return upper_tail(upper_quantile(design.alpha) - math.sqrt(events) * design.distance)


def critical_hazard_ratio(design: LogrankDesign, events: float) -> float:
    """Return the estimated hazard ratio at which z meets its bound (Schoenfeld's variance of its logarithm)."""
    share = design.ratio / (1.0 + design.ratio)
    side = math.copysign(1.0, design.hazard_ratio - design.null)
    return design.null * math.exp(
        side * upper_quantile(design.alpha) / math.sqrt(events * share * (1.0 - share))
    )


def lachin_foulkes_factor(design: LogrankDesign, plan: SurvivalPlan, time: float, power: float) -> float:
    """Return by how much a plan's patients must be multiplied, analysed at ``time`` days.

    The log hazard ratio has variance ``1/D1 + 1/D0``; under the null both arms have, in each piece, the hazard that gives
    the mean of the arms' hazards by allocation.
    """
    reach = upper_quantile(design.alpha) * _null_deviation(design, plan, time)
    reach += upper_quantile(1.0 - power) * _deviation(expected_course(plan, time))
    return (reach / math.log(design.hazard_ratio / design.null)) ** 2


def lachin_foulkes_power(design: LogrankDesign, plan: SurvivalPlan, time: float) -> float:
    """Return the power of a plan analysed at ``time`` days."""
    distance = abs(math.log(design.hazard_ratio / design.null))
    beyond = upper_quantile(design.alpha) * _null_deviation(design, plan, time) - distance
    return upper_tail(beyond / _deviation(expected_course(plan, time)))


def _deviation(course: ExpectedCourse) -> float:
    return math.sqrt(1.0 / course.treatment_events + 1.0 / course.control_events)


def _null_deviation(design: LogrankDesign, plan: SurvivalPlan, time: float) -> float:
    factor = (1.0 + design.ratio * design.hazard_ratio) / (1.0 + design.ratio * design.null)
    under_null = replace(
        plan, control_hazard=plan.control_hazard.times(factor), hazard_ratio=constant(design.null)
    )
    return _deviation(expected_course(under_null, time))


def plan_power(design: LogrankDesign, plan: SurvivalPlan, time: float) -> float:
    """Return the power of a plan analysed at ``time`` days, by the design's formula."""
    if design.method == "lachin-foulkes":
        return lachin_foulkes_power(design, plan, time)
    return power_of_events(design, expected_course(plan, time).events)


def time_of_events(plan: SurvivalPlan, events: float) -> float:
    """Return the day at which this many events are expected.

    Raises
    ------
    UsageError
        When the patients cannot give so many.
    """
    from scipy.optimize import brentq

    ceiling = events_in_the_end(plan)
    if events >= ceiling * (1.0 - 1e-12):
        raise UsageError(too_many_events(events, ceiling, plan.patients))
    upper = plan.accrual_duration
    while expected_course(plan, upper).events < events:
        upper *= 2.0
        if upper > LONGEST_DAYS:
            raise UsageError(
                f"{events:,.1f} events take longer than 400 years with {plan.patients:,.0f} patients; recruit more."
            )
    return float(
        brentq(lambda day: expected_course(plan, day).events - events, 0.0, upper, xtol=1e-9, rtol=1e-14)
    )


def too_many_events(events: float, ceiling: float, patients: float) -> str:
    """Return the sentence for more events than patients can give."""
    return (
        f"{events:,.1f} events are needed, but {patients:,.0f} patients can give only {ceiling:,.1f} in expectation "
        f"however long they are followed (the others drop out first, or never have one); recruit more patients, at least "
        f"{math.ceil(patients * events / ceiling):,}, or ask for less power."
    )


def solve_patients(design: LogrankDesign, plan: SurvivalPlan, follow_up: float, power: float) -> SurvivalPlan:
    """Return the plan with the accrual rate multiplied so that the power is met after ``follow_up`` days."""
    time = plan.accrual_duration + follow_up
    if design.method == "lachin-foulkes":
        return plan.with_patients(plan.patients * lachin_foulkes_factor(design, plan, time, power))
    needed = required_events(design, power)
    return plan.with_patients(plan.patients * needed / expected_course(plan, time).events)


def solve_follow_up(design: LogrankDesign, plan: SurvivalPlan, power: float, inflation: float = 1.0) -> float:
    """Return the follow-up in days after accrual (below zero: events are there before it ends).

    Parameters
    ----------
    design, plan
        The test, and the trial with its patients.
    power
        Asked for.
    inflation
        Maximum information of a group sequential design over that of the fixed one.

    Raises
    ------
    UsageError
        When the patients cannot give the events.
    """
    from scipy.optimize import brentq

    if design.method != "lachin-foulkes":
        return time_of_events(plan, inflation * required_events(design, power)) - plan.accrual_duration
    fixed = plan.with_patients(plan.patients / inflation)
    if lachin_foulkes_power(design, fixed, LONGEST_DAYS) <= power:
        most = lachin_foulkes_power(design, fixed, LONGEST_DAYS)
        raise UsageError(
            f"{plan.patients:,.0f} patients reach a power of only {most:.3f} with the {events_in_the_end(plan):,.1f} "
            "events they can give; recruit more patients, or ask for less power."
        )
    least = plan.accrual_duration * 1e-3
    time = brentq(
        lambda day: lachin_foulkes_power(design, fixed, day) - power,
        least,
        LONGEST_DAYS,
        xtol=1e-8,
        rtol=1e-14,
    )
    return float(time) - plan.accrual_duration


def solve_accrual(design: LogrankDesign, plan: SurvivalPlan, follow_up: float, power: float) -> SurvivalPlan:
    """Return the plan with accrual open just long enough for the power, the rates and the follow-up (days) as given."""
    from scipy.optimize import brentq

    def excess(duration: float) -> float:
        longer = replace(plan, accrual_duration=duration)
        if longer.patients <= 0.0:
            return -power
        return plan_power(design, longer, duration + follow_up) - power

    upper = 30.0
    while excess(upper) < 0.0:
        upper *= 2.0
        if upper > LONGEST_DAYS:
            raise UsageError(
                "accrual would have to stay open for more than 400 years; recruit faster, or ask for less power."
            )
    starts = [
        start for start, rate in zip(plan.accrual_rate.starts, plan.accrual_rate.values, strict=True) if rate
    ]
    duration = float(brentq(excess, starts[0] + 1e-6, upper, xtol=1e-9, rtol=1e-14))
    return replace(plan, accrual_duration=duration)


def hazards_of_survival(control: float, treatment: float, days: float) -> tuple[float, float]:
    """Return the control hazard per day and the hazard ratio of two survival probabilities at a time."""
    hazard = -math.log(control) / days
    return hazard, math.log(treatment) / math.log(control)
