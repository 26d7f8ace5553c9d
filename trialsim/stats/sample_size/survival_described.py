"""What is told of a time-to-event design beside its size: looks, analyses, the true error of its bound, cautions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from trialsim.stats.normal import upper_quantile
from trialsim.stats.sample_size.answer import Answer, AttainedAlpha, Curve, Figure
from trialsim.stats.sample_size.piecewise_events import Steps, SurvivalPlan, expected_course
from trialsim.stats.sample_size.sparse_events import FEW_EVENTS, SPARSE_SHARE, sparse_event_alpha
from trialsim.stats.sample_size.survival import (
    LogrankDesign,
    critical_hazard_ratio,
    plan_power,
    power_of_events,
)
from trialsim.stats.sample_size.survival_question import SurvivalQuestion
from trialsim.stats.sample_size.weighted_logrank import LOGRANK, increments, weighted_analyses

MONTH = 30.4375


def _attained(question: SurvivalQuestion, plan: SurvivalPlan | None, events: float) -> AttainedAlpha:
    """Return the true error where events are few, so that each falls on an arm by its share of those at risk."""
    alpha, dense = question.design.alpha, None
    if not question.weight.plain:
        dense = "not enumerated for a weighted test"
    elif plan is not None and events > SPARSE_SHARE * plan.patients:
        share = 100 * SPARSE_SHARE
        dense = f"not enumerated: more than {share:.0f}% of the patients have an event, so that the numbers at risk change"
    elif plan is None and events > FEW_EVENTS:
        dense = f"not enumerated above {FEW_EVENTS} events of unknown numbers at risk"
    if dense is not None:
        how = f"{dense}; a simulation of the design gives it."
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
        attained = sparse_event_alpha(counts, bounds, *_share_and_null(question))
    return AttainedAlpha(alpha, attained, None, None, how)


def _share_and_null(question: SurvivalQuestion) -> tuple[float, float]:
    """Return the share and the null of the arm that has fewer events if the benefit is real."""
    design = question.design
    share = design.ratio / (1.0 + design.ratio)
    higher = question.higher if question.nonproportional else design.hazard_ratio > design.null
    return (1.0 - share, 1.0 / design.null) if higher else (share, design.null)


def _analyses(
    question: SurvivalQuestion, plan: SurvivalPlan, time: float, times: Sequence[float]
) -> tuple[dict[str, Figure], ...]:
    """Return what each analysis may expect of the test, its information and whether its step is independent."""
    days = sorted({*times, *question.look_times(plan, time)})
    found = weighted_analyses(plan, days, question.weight, question.design.null)
    last = next(each for each in reversed(found) if each.time == time)
    return tuple(
        {
            "time": each.time,
            "enrolled": each.enrolled,
            "events": each.events,
            "event_fraction": each.events / last.events,
            "information": each.information,
            "information_fraction": each.information / last.information,
            "expected_z": question.sign * each.drift,
            "power": question.power_of_z(question.sign * each.drift),
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
    return critical_hazard_ratio(_at_level(question, level), events)


def _cautions(question: SurvivalQuestion, plan: SurvivalPlan, time: float, power: float | None) -> list[str]:
    """Return what the formula does not see."""
    found = []
    if not question.nonproportional and not plan.hazard_ratio.constant:
        side = 1.0 if question.design.hazard_ratio < question.design.null else -1.0
        true = question.power_of_z(
            side * weighted_analyses(plan, [time], LOGRANK, question.design.null)[0].drift
        )
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


def _world(plan: SurvivalPlan) -> dict[str, Figure]:
    """Return what is assumed of the world, rates a month, as text where they change."""
    return {
        "control_hazard_per_month": _per_month(plan.control_hazard),
        "control_dropout_per_month": _per_month(plan.control_dropout),
        "treatment_dropout_per_month": _per_month(plan.treatment_dropout),
        "accrual_per_month": _per_month(plan.accrual_rate),
    }


def _per_month(steps: Steps) -> Figure:
    if steps.constant:
        return steps.values[0] * MONTH
    parts = zip(steps.starts, steps.values, strict=True)
    return ", ".join(f"{value * MONTH:.4g} from {start / MONTH:.3g} months" for start, value in parts)


def _pieces(plan: SurvivalPlan) -> str:
    parts = zip(plan.hazard_ratio.starts, plan.hazard_ratio.values, strict=True)
    return ", ".join(f"{value:g} from {start / MONTH:.3g} months" for start, value in parts)


def survival_answer(
    kind: str,
    question: SurvivalQuestion,
    times: Sequence[float],
    plan: SurvivalPlan | None,
    time: float,
    power: float | None,
    results: dict[str, Figure],
    curves: tuple[Curve, ...],
    trade_off: tuple[dict[str, Figure], ...] = (),
    events: float | None = None,
    warnings: Sequence[str] = (),
) -> Answer:
    """Return an answer with its looks, its analyses, the true error of its bound, and its cautions.

    Parameters
    ----------
    kind
        ``samplesize`` or ``power``.
    question
        The test and its formula.
    times
        Further analyses to describe, days.
    plan, time
        The trial and the day of its last analysis; None and 0 where only events are asked about.
    power
        Asked for, or None.
    results
        So far; what is expected of a group sequential design is added.
    curves
        For pictures.
    trade_off
        Other ways to the same power.
    events
        At the last analysis, where ``results`` hold them rounded.
    warnings
        So far.
    """
    design = question.design
    if events is None:
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
            **({} if plan is None else _world(plan)),
        },
        results=results,
        attained_alpha=attained,
        curves=curves,
        looks=tuple(looks),
        analyses=() if plan is None else _analyses(question, plan, time, times),
        trade_off=trade_off,
        warnings=tuple(told),
    )


def last_test(question: SurvivalQuestion) -> LogrankDesign:
    """Return the design with the nominal level of its last analysis, its hazard ratio on the side of the benefit."""
    level = question.design.alpha if question.bounds is None else question.bounds.nominal[-1]
    return _at_level(question, level)


def _at_level(question: SurvivalQuestion, level: float) -> LogrankDesign:
    design = replace(question.design, alpha=level)
    if not question.nonproportional:
        return design
    return replace(design, hazard_ratio=design.null * (2.0 if question.higher else 0.5))
