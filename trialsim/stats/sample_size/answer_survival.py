"""Questions of size and power about time to event: events, patients, duration, and what each costs in the others."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from trialsim.stats.normal import upper_quantile
from trialsim.stats.sample_size.answer import (
    Answer,
    AttainedAlpha,
    Curve,
    Figure,
    Requirements,
    spread,
    target_problems,
)
from trialsim.stats.sample_size.piecewise_events import (
    SurvivalPlan,
    events_in_the_end,
    expected_course,
)
from trialsim.stats.sample_size.smallest import whole_patients
from trialsim.stats.sample_size.sparse_events import SPARSE_SHARE, sparse_event_alpha
from trialsim.stats.sample_size.survival import (
    LogrankDesign,
    critical_hazard_ratio,
    plan_power,
    power_of_events,
    required_events,
    too_many_events,
)
from trialsim.stats.sample_size.survival_question import SurvivalQuestion
from trialsim.stats.sample_size.survival_trade_off import trade_off
from trialsim.stats.sample_size.weighted_logrank import LOGRANK, increments, weighted_analyses

_POINTS = 41
MONTH = 30.4375


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


def survival_size_answer(question: SurvivalQuestion, wanted: Wanted, power: float) -> Answer:
    """Return the events, patients and time that reach a power.

    Parameters
    ----------
    question
        The test and its formula.
    wanted
        What is given.
    power
        Asked for.

    Raises
    ------
    ScenarioError
        With everything that is wrong with the numbers.
    UsageError
        When the patients cannot give the events.
    """
    _refuse(question, wanted, power)
    if wanted.plan is None:
        return _events_alone(question, power)
    plan, follow_up = _solved(question, wanted, wanted.plan, power)
    time = plan.accrual_duration + follow_up
    share = plan.share
    treatment, control = whole_patients(plan.patients * share, plan.patients * (1.0 - share))
    whole = plan.with_patients(treatment + control)
    results = _counts(question, plan, time)
    results |= {"n_exact": plan.patients, **_sizes(treatment, control), "power": question.power(whole, time)}
    points = _power_by_patients(question, plan, time)
    mark = (float(treatment + control), float(str(results["power"])))
    curve = Curve("Power by patients, same accrual and follow-up", "patients", "power", points, mark, power)
    other_ways = trade_off(question, plan, power)
    curves = (curve, _duration_curve(other_ways, plan.patients, time)) if len(other_ways) > 1 else (curve,)
    return _answer(
        "samplesize", question, wanted, whole, time, power, results, curves, trade_off=tuple(other_ways)
    )


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
        return _power_of_events_alone(question, float(events or 0.0))
    plan = wanted.plan
    warnings: list[str] = []
    time = plan.accrual_duration + (wanted.follow_up or 0.0)
    if events is not None:
        time, warning = _time_of(plan, events)
        warnings += [warning] if warning else []
    treatment, control = whole_patients(plan.patients * plan.share, plan.patients * (1.0 - plan.share))
    results = _counts(question, plan, time)
    results |= {**_sizes(treatment, control), "power": question.power(plan, time)}
    points = tuple(
        (day / MONTH, question.power(plan, day))
        for day in spread(0.2 * time, 1.8 * time, _POINTS)
        if expected_course(plan, day).events > 0.0
    )
    mark = (time / MONTH, float(str(results["power"])))
    curve = Curve("Power by the time of analysis", "months from the start of accrual", "power", points, mark)
    return _answer("power", question, wanted, plan, time, None, results, (curve,), warnings=warnings)


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
        found["critical_effect"] = critical_hazard_ratio(_last_test(question), course.events)
    return found


def _last_test(question: SurvivalQuestion) -> LogrankDesign:
    """Return the design with the nominal level of its last analysis."""
    if question.bounds is None:
        return question.design
    return replace(question.design, alpha=question.bounds.nominal[-1])


def _sizes(treatment: int, control: int) -> dict[str, Figure]:
    return {"n_total": treatment + control, "n_treatment": treatment, "n_control": control}


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


def _events_alone(question: SurvivalQuestion, power: float) -> Answer:
    events = required_events(question.design, power)
    whole = math.ceil(events - 1e-8 * events)
    reached = power_of_events(question.design, whole)
    points = tuple(
        (count, power_of_events(question.design, count))
        for count in spread(0.1 * events, 2.0 * events, _POINTS)
    )
    curve = Curve("Power by events", "events", "power", points, (float(whole), reached), power)
    results: dict[str, Figure] = {"events_exact": events, "events": whole, "power": reached}
    results["critical_effect"] = critical_hazard_ratio(_last_test(question), whole)
    return _answer("samplesize", question, Wanted(None), None, 0.0, power, results, (curve,))


def _power_of_events_alone(question: SurvivalQuestion, events: float) -> Answer:
    reached = _power_of_events(question, events)
    away = math.log(question.design.hazard_ratio / question.design.null)
    points = []
    for share in spread(0.02, 2.0, _POINTS):
        ratio = question.design.null * math.exp(share * away)
        other = replace(question, design=replace(question.design, hazard_ratio=ratio))
        points.append((ratio, _power_of_events(other, events)))
    mark = (question.design.hazard_ratio, reached)
    curve = Curve("Power by hazard ratio", "true hazard ratio", "power", tuple(points), mark)
    results: dict[str, Figure] = {"events": events, "power": reached}
    results["critical_effect"] = critical_hazard_ratio(_last_test(question), events)
    return _answer("power", question, Wanted(None), None, 0.0, None, results, (curve,))


def _power_of_events(question: SurvivalQuestion, events: float) -> float:
    if question.bounds is None:
        return power_of_events(question.design, events)
    return question.bounds.power(power_of_events(question.design, events / question.inflation))


def _power_by_patients(
    question: SurvivalQuestion, plan: SurvivalPlan, time: float
) -> tuple[tuple[float, float], ...]:
    sizes = spread(0.1 * plan.patients, 2.0 * plan.patients, _POINTS)
    return tuple((size, question.power(plan.with_patients(size), time)) for size in sizes)


def _duration_curve(rows: Sequence[dict[str, Figure]], patients: float, time: float) -> Curve:
    points = tuple((float(str(row["n_total"])), float(str(row["study_duration"])) / MONTH) for row in rows)
    title = "Study duration by patients, same rate of accrual and power"
    return Curve(title, "patients", "months from first patient to analysis", points, (patients, time / MONTH))


def _attained(question: SurvivalQuestion, plan: SurvivalPlan | None, events: float) -> AttainedAlpha:
    alpha = question.design.alpha
    if not question.weight.plain or plan is None:
        how = "not enumerated: it needs the numbers at risk; a simulation of the design gives it."
        return AttainedAlpha(alpha, None, None, None, how)
    if events > SPARSE_SHARE * plan.patients:
        how = (
            f"not enumerated: more than {100 * SPARSE_SHARE:.0f}% of the patients have an event, so that the numbers at "
            "risk change; a simulation of the design gives it."
        )
        return AttainedAlpha(alpha, None, None, None, how)
    how = (
        "enumerated over the events of each arm, which are binomial when few of many patients have one; "
        "simulate the design, or plan more events."
    )
    rates = (1.0,) if question.bounds is None else question.bounds.rates
    counts = sorted({max(1, round(rate * events)) for rate in rates})
    bounds = (upper_quantile(alpha),) if question.bounds is None else question.bounds.efficacy
    attained = None
    if len(counts) == len(rates):
        attained = sparse_event_alpha(counts, bounds, plan.share, question.design.null)
    return AttainedAlpha(alpha, attained, None, None, how)


def _analyses(
    question: SurvivalQuestion, plan: SurvivalPlan, time: float, times: Sequence[float]
) -> tuple[dict[str, Figure], ...]:
    """Return what each analysis may expect of the test, its information and whether its step is independent."""
    days = sorted({*times, *question.look_times(plan, time)})
    found = weighted_analyses(plan, days, question.weight)
    last = next(each for each in reversed(found) if each.time == time)
    return tuple(
        {
            "time": each.time,
            "enrolled": each.enrolled,
            "events": each.events,
            "event_fraction": each.events / last.events,
            "information": each.information,
            "information_fraction": each.information / last.information,
            "expected_z": each.drift,
            "power": each.power(question.design.alpha),
            "independent_increments": "yes" if each.independent else "no",
            "why": each.why,
        }
        for each in found
    )


def _looks(
    question: SurvivalQuestion, plan: SurvivalPlan | None, time: float, events: float
) -> tuple[list[dict[str, Figure]], dict[str, Figure]]:
    """Return the looks of a group sequential design, and what is expected at the end."""
    bounds = question.bounds
    if bounds is None:
        return [], {}
    if plan is None:
        drift = bounds.drift(min(power_of_events(question.design, events / bounds.inflation), 1.0 - 1e-14))
        rows = bounds.looks(bounds.at(drift))
        for row, rate, p in zip(rows, bounds.rates, bounds.nominal, strict=True):
            row["events"] = rate * events
            row["critical_effect"] = _critical(question, p, rate * events)
        return rows, {"inflation_factor": bounds.inflation, **bounds.expected(drift, events, "events")}
    stages, nothing = question.stages(plan, time), bounds.at(0.0)
    if stages is None:
        return [], {}
    days = question.look_times(plan, time)
    courses = [expected_course(plan, day) for day in days]
    rows = bounds.looks(stages)
    for row, course, p in zip(rows, courses, bounds.nominal, strict=True):
        row |= {"time": course.time, "enrolled": course.enrolled, "events": course.events}
        row["critical_effect"] = _critical(question, p, course.events)
    found: dict[str, Figure] = {"inflation_factor": bounds.inflation}
    by_look = np.array([[course.events, course.enrolled, course.time] for course in courses]).T
    if not question.nonproportional:
        half = bounds.at(0.5 * float(bounds.drift(_fixed_power(question, plan, time))))
        found["expected_events_h01"] = half.mean(by_look[0])
    found |= {
        "expected_events_h0": nothing.mean(by_look[0]),
        "expected_events_h1": stages.mean(by_look[0]),
        "expected_n_h1": stages.mean(by_look[1]),
        "expected_duration_h1": stages.mean(by_look[2]),
    }
    return rows, found


def _fixed_power(question: SurvivalQuestion, plan: SurvivalPlan, time: float) -> float:
    smaller = plan.with_patients(plan.patients / question.inflation)
    return min(plan_power(question.design, smaller, time), 1.0 - 1e-14)


def _critical(question: SurvivalQuestion, level: float, events: float) -> float | None:
    if not question.weight.plain or not level > 0.0:
        return None
    return critical_hazard_ratio(replace(question.design, alpha=level), events)


def _cautions(question: SurvivalQuestion, plan: SurvivalPlan, time: float, power: float | None) -> list[str]:
    """Return what the formula does not see."""
    found = []
    if not question.nonproportional and not plan.hazard_ratio.constant:
        true = weighted_analyses(plan, [time], LOGRANK)[0].power(question.design.alpha)
        aim = f" in place of {power:g}" if power is not None else ""
        found.append(
            f"The formula of {question.design.method.title()} assumes proportional hazards, with a hazard ratio of "
            f"{question.design.hazard_ratio:g} throughout, but the declared one changes with time "
            f"({_pieces(plan)}): the log-rank test would have a power of about {true:.3f}{aim}. "
            "Size with --method nonproportional."
        )
    independent, why = increments(plan, question.weight)
    if question.bounds is not None and not independent:
        found.append(
            f"The bounds assume independent increments, which this test does not have ({why}): their error is not alpha. "
            "Simulate the design, or weigh otherwise."
        )
    if question.weight.kind == "fh" and question.weight.gamma > 0.0:
        found.append(
            f"{question.weight.name} holds its error when the arms are equal, and then only: where treatment is worse "
            "early and never better in survival, it can reject more often than alpha. Do not read a rejection as "
            "benefit without looking at the curves."
        )
    return found


def _pieces(plan: SurvivalPlan) -> str:
    parts = zip(plan.hazard_ratio.starts, plan.hazard_ratio.values, strict=True)
    return ", ".join(f"{value:g} from {start / MONTH:.3g} months" for start, value in parts)


def _answer(
    kind: str,
    question: SurvivalQuestion,
    wanted: Wanted,
    plan: SurvivalPlan | None,
    time: float,
    power: float | None,
    results: dict[str, Figure],
    curves: tuple[Curve, ...],
    trade_off: tuple[dict[str, Figure], ...] = (),
    warnings: Sequence[str] = (),
) -> Answer:
    design = question.design
    events = float(str(results["events" if plan is None else "events_exact"]))
    looks, expected = _looks(question, plan, time, events)
    results |= expected
    attained = _attained(question, plan, events)
    told = list(warnings)
    if plan is not None:
        told += _cautions(question, plan, time, power)
    caution = attained.caution()
    told += [caution] if caution else []
    return Answer(
        question=kind,
        endpoint="survival",
        method=question.name,
        source=question.source,
        assumptions={
            "hazard_ratio": design.hazard_ratio
            if plan is None or plan.hazard_ratio.constant
            else _pieces(plan),
            "null": design.null,
            "alpha_one_sided": design.alpha,
            "power_target": power,
            "ratio": design.ratio,
        },
        results=results,
        attained_alpha=attained,
        curves=curves,
        looks=tuple(looks),
        analyses=() if plan is None else _analyses(question, plan, time, wanted.times),
        trade_off=trade_off,
        warnings=tuple(told),
    )
