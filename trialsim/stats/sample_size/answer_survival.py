"""Questions of size and power about time to event: events, patients, duration, and what each costs in the others."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trialsim.errors import UsageError
from trialsim.stats.sample_size.answer import (
    Answer,
    Curve,
    Figure,
    Requirements,
    spread,
    target_problems,
)
from trialsim.stats.sample_size.answer_events import events_alone, power_of_events_alone
from trialsim.stats.sample_size.piecewise_events import (
    SurvivalPlan,
    events_in_the_end,
    expected_course,
)
from trialsim.stats.sample_size.smallest import split_whole, whole_patients
from trialsim.stats.sample_size.survival import (
    critical_hazard_ratio,
    too_many_events,
)
from trialsim.stats.sample_size.survival_described import MONTH, last_test, survival_answer
from trialsim.stats.sample_size.survival_question import SurvivalQuestion
from trialsim.stats.sample_size.survival_trade_off import trade_off

_POINTS, _FEW_POINTS = 41, 17
_FEWEST_EVENTS = 1e-6


@dataclass(frozen=True)
class Wanted:
    """Which of patients, follow-up and accrual are given; what is not is solved for.

    Parameters
    ----------
    plan
        The trial; None when only events are asked about.
    patients
        Whether its accrual rate, and so the number of patients, is given.
    accrual
        Whether the duration of its accrual is given.
    follow_up
        Days after the end of accrual, or None.
    times
        Further analyses, days from the start of accrual.
    """

    plan: SurvivalPlan | None
    patients: bool = False
    accrual: bool = True
    follow_up: float | None = None
    times: tuple[float, ...] = ()


def survival_size_answer(
    question: SurvivalQuestion, wanted: Wanted, power: float, unrounded: bool = False
) -> Answer:
    """Return the events, patients and time that reach a power.

    Parameters
    ----------
    question
        The test and its formula.
    wanted
        What is given.
    power
        Asked for.
    unrounded
        Whether power, looks and effects are those of the exact solution, a fraction, in place of whole patients.

    Raises
    ------
    ScenarioError
        With everything that is wrong with the numbers.
    UsageError
        When the patients cannot give the events.
    """
    _refuse(question, wanted, power)
    if wanted.plan is None:
        return events_alone(question, power, unrounded)
    plan, follow_up = _solved(question, wanted, wanted.plan, power)
    time = plan.accrual_duration + follow_up
    treatment, control = _arms(plan)
    whole = plan if unrounded else plan.with_patients(treatment + control)
    results = _counts(question, plan, time)
    results |= {"n_exact": plan.patients, **_sizes(treatment, control), "power": question.power(whole, time)}
    points = _power_by_patients(question, plan, time)
    mark = (whole.patients, float(str(results["power"])))
    curve = Curve("Power by patients, same accrual and follow-up", "patients", "power", points, mark, power)
    other_ways = trade_off(question, plan, power)
    curves = (curve, _duration_curve(other_ways, plan.patients, time)) if len(other_ways) > 1 else (curve,)
    return survival_answer(
        "samplesize", question, wanted.times, whole, time, power, results, curves, tuple(other_ways),
        warnings=_too_early(plan, time),
    )  # fmt: skip


def survival_power_answer(question: SurvivalQuestion, wanted: Wanted, events: float | None = None) -> Answer:
    """Return the power of a plan, or of a number of events.

    Parameters
    ----------
    question
        The test and its formula.
    wanted
        The plan with its patients, accrual and, unless events decide, its follow-up.
    events
        At which it is analysed, in place of a follow-up.

    Raises
    ------
    ScenarioError
        With everything that is wrong with the numbers.
    """
    _refuse(question, wanted, None, events)
    if wanted.plan is None:
        return power_of_events_alone(question, float(events or 0.0))
    plan = wanted.plan
    warnings: list[str] = []
    time = plan.accrual_duration + (wanted.follow_up or 0.0)
    if events is not None:
        time, warning = _time_of(plan, events)
        warnings += [warning] if warning else []
    treatment, control = _arms(plan)
    results = _counts(question, plan, time)
    results |= {**_sizes(treatment, control), "power": question.power(plan, time)}
    points_over_time = _POINTS if question.bounds is None or not question.nonproportional else _FEW_POINTS
    points = tuple(
        (day / MONTH, question.power(plan, day))
        for day in spread(0.2 * time, 1.8 * time, points_over_time)
        if expected_course(plan, day).events > 0.0
    )
    mark = (time / MONTH, float(str(results["power"])))
    curve = Curve("Power by the time of analysis", "months from the start of accrual", "power", points, mark)
    return survival_answer(
        "power", question, wanted.times, plan, time, None, results, (curve,), warnings=warnings
    )


def _too_early(plan: SurvivalPlan, time: float) -> list[str]:
    if time >= plan.accrual_duration * (1.0 - 1e-9):
        return []
    came = float(plan.enrolled(np.array(time)))
    return [
        f"The analysis is due after {time / MONTH:.1f} months, before accrual ends ({plan.accrual_duration / MONTH:.1f} "
        f"months): only {came:,.0f} of the {plan.patients:,.0f} patients will have been recruited. Plan fewer patients."
    ]


def _refuse(
    question: SurvivalQuestion, wanted: Wanted, power: float | None, events: float | None = None
) -> None:
    check = Requirements()
    design = question.design
    target_problems(check, design.alpha, power, design.ratio)
    known = check.within("hazard_ratio", design.hazard_ratio, 0.0, 1e4)
    if check.within("null", design.null, 0.0, 1e4) and known and design.hazard_ratio == design.null:
        check.refuse(
            "hazard_ratio", f"{design.hazard_ratio:g} is the value to be ruled out; assume another effect"
        )
    check.within("events", events, 0.0, 1e9)
    if question.nonproportional and design.null != 1.0:
        check.refuse("null", "the weighted log-rank test is of equality only; use schoenfeld for a margin")
    if not question.nonproportional and not question.weight.plain:
        check.refuse("test", "only the method nonproportional weighs events; leave out --method")
    if question.design.method == "freedman" and design.null != 1.0:
        check.refuse("null", "Freedman's formula is of equality only; use schoenfeld for a margin")
    check.settle("survival")


def _solved(
    question: SurvivalQuestion, wanted: Wanted, plan: SurvivalPlan, power: float
) -> tuple[SurvivalPlan, float]:
    """Return the plan and the follow-up in days that meet the power."""
    if wanted.follow_up is None:
        return plan, question.follow_up(plan, power)
    if not wanted.accrual:
        return question.with_accrual(plan, wanted.follow_up, power), wanted.follow_up
    return question.with_patients(plan, wanted.follow_up, power), wanted.follow_up


def _counts(question: SurvivalQuestion, plan: SurvivalPlan, time: float) -> dict[str, Figure]:
    course = expected_course(plan, time)
    if min(course.treatment_events, course.control_events) < _FEWEST_EVENTS:
        raise UsageError(
            f"next to no events are expected by {time / MONTH:.1f} months in one of the arms; follow patients for longer."
        )
    found: dict[str, Figure] = {
        "events_exact": course.events,
        "events": math.ceil(course.events - 1e-6),
        "events_treatment": course.treatment_events,
        "events_control": course.control_events,
        "dropouts": course.control_dropouts + course.treatment_dropouts,
        "accrual_duration": plan.accrual_duration,
        "follow_up": time - plan.accrual_duration,
        "study_duration": time,
    }
    if question.weight.plain:
        found["critical_effect"] = critical_hazard_ratio(last_test(question), course.events)
    return found


def _sizes(treatment: int, control: int) -> dict[str, Figure]:
    return {"n_total": treatment + control, "n_treatment": treatment, "n_control": control}


def _arms(plan: SurvivalPlan) -> tuple[int, int]:
    """Return whole patients of treatment and control: a whole total is split, a fraction rounded up in each arm."""
    patients = plan.patients
    if abs(patients - round(patients)) < 1e-9 * patients and round(patients) >= 2:
        return split_whole(round(patients), plan.ratio)
    return whole_patients(patients * plan.share, patients * (1.0 - plan.share))


def _time_of(plan: SurvivalPlan, events: float) -> tuple[float, str | None]:
    """Return when events are expected; where they never are, a time when nearly all are in, with a sentence."""
    from trialsim.stats.sample_size.survival import time_of_events

    ceiling = events_in_the_end(plan)
    if events < ceiling * (1.0 - 1e-9):
        return time_of_events(plan, events), None
    sentence = too_many_events(events, ceiling, plan.patients)
    return time_of_events(plan, 0.999 * ceiling), (
        f"More events than the patients can give: {sentence} The power is that of 99.9% of what they can give."
    )


def _power_by_patients(
    question: SurvivalQuestion, plan: SurvivalPlan, time: float
) -> tuple[tuple[float, float], ...]:
    factors = spread(0.1, 2.0, _POINTS)
    powers = question.power_of_multiples(plan, time, factors)
    return tuple((factor * plan.patients, power) for factor, power in zip(factors, powers, strict=True))


def _duration_curve(rows: Sequence[dict[str, Figure]], patients: float, time: float) -> Curve:
    points = tuple((float(str(row["n_total"])), float(str(row["study_duration"])) / MONTH) for row in rows)
    title = "Study duration by patients, same rate of accrual and power"
    return Curve(title, "patients", "months from first patient to analysis", points, (patients, time / MONTH))
