"""A question about time to event as it is written on a command line: what is given, and what is to be found."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from trialsim.stats.sample_size.answer import Requirements
from trialsim.stats.sample_size.answer_survival import Wanted
from trialsim.stats.sample_size.piecewise_events import Steps, SurvivalPlan, constant
from trialsim.stats.sample_size.sequential import SequentialBounds
from trialsim.stats.sample_size.survival import LogrankDesign
from trialsim.stats.sample_size.survival_question import METHODS, SurvivalQuestion, strongest_ratio
from trialsim.stats.sample_size.survival_trade_off import accrual_of_patients
from trialsim.stats.sample_size.written import (
    accrual_rate_of,
    duration_of,
    hazard_of,
    ratio_of,
    weight_of,
)


@dataclass(frozen=True)
class WrittenSurvival:
    """The options of a question about time to event, as text; None for what is not given.

    Parameters
    ----------
    control, treatment
        Survival as a median, a hazard, or a mapping of the scenario language.
    hazard_ratio
        A number, or pieces of the scenario language.
    delay
        Time from randomisation before which the hazard ratio is 1.
    null
        Hazard ratio to be ruled out.
    accrual, accrual_rate, patients, follow_up
        How patients come and how long the last is followed.
    dropout, treatment_dropout
        Dropout, on treatment where it differs.
    test, method
        The weight and the formula.
    direction
        ``lower`` where fewer events are the benefit, ``higher`` where more are; by default the side of a constant
        hazard ratio, and ``lower`` where it changes.
    times
        Times of further analyses, separated by commas.
    alpha
        One-sided.
    ratio
        Treatment patients for each control patient.
    """

    control: str | None = None
    treatment: str | None = None
    hazard_ratio: str | None = None
    delay: str | None = None
    null: float = 1.0
    accrual: str | None = None
    accrual_rate: str | None = None
    patients: int | None = None
    follow_up: str | None = None
    dropout: str | None = None
    treatment_dropout: str | None = None
    test: str = "logrank"
    method: str | None = None
    direction: str | None = None
    times: str | None = None
    alpha: float = 0.025
    ratio: float = 1.0


def survival_question(
    written: WrittenSurvival,
    asks_power: bool,
    events: bool = False,
    bounds: SequentialBounds | None = None,
) -> tuple[SurvivalQuestion, Wanted]:
    """Return the question and what is given.

    Parameters
    ----------
    written
        The options.
    asks_power
        Whether power is asked for, so that everything else must be given.
    events
        Whether the number of events at the analysis is given.
    bounds
        Of a group sequential design; None for a single analysis.

    Raises
    ------
    ScenarioError
        With everything that cannot be used.
    """
    check = Requirements()
    check.within("ratio", written.ratio, 0.001, 1000.0)
    control = hazard_of(check, "control", written.control)
    if control is not None and max(control.values) <= 0.0:
        check.refuse("control", "the hazard is zero throughout; assume one above zero")
    ratio = _ratio(check, written, control)
    weight = weight_of(check, "test", written.test)
    if written.method is not None:
        check.one_of("method", written.method, METHODS)
    if written.direction is not None:
        check.one_of("direction", written.direction, ("lower", "higher"))
    _check_given(check, written, asks_power, events)
    parts = _Parts(
        duration_of(check, "accrual", written.accrual),
        accrual_rate_of(check, "accrual_rate", written.accrual_rate),
        duration_of(check, "follow_up", written.follow_up, zero=True),
        hazard_of(check, "dropout", written.dropout),
        hazard_of(check, "treatment_dropout", written.treatment_dropout),
        _times(check, written.times),
    )
    check.whole("patients", written.patients, 2)
    check.settle("survival")
    if ratio is None:
        raise AssertionError("a missing hazard ratio is refused above")
    plan = None if control is None else _plan(check, written, control, ratio, parts)
    check.settle("survival")
    changes = plan is not None and not plan.hazard_ratio.constant
    method = written.method or ("nonproportional" if changes or not weight.plain else "schoenfeld")
    single = ratio.values[0] if plan is None else strongest_ratio(plan)
    formula = "schoenfeld" if method == "nonproportional" else method
    design = LogrankDesign(single, written.null, written.alpha, written.ratio, formula)
    wanted = Wanted(
        plan,
        written.patients is not None or parts.rate is not None,
        written.accrual is not None or written.patients is not None,
        parts.follow_up,
        parts.times,
    )
    higher = written.direction == "higher"
    if written.direction is not None and method != "nonproportional" and higher != (single > written.null):
        check.refuse(
            "direction", f"a hazard ratio of {single:g} is no benefit in this direction; change one of them"
        )
        check.settle("survival")
    if written.direction is None and not changes:
        higher = single > written.null
    return SurvivalQuestion(design, weight, method == "nonproportional", bounds, higher), wanted


@dataclass(frozen=True)
class _Parts:
    accrual: float | None
    rate: Steps | None
    follow_up: float | None
    dropout: Steps | None
    treatment_dropout: Steps | None
    times: tuple[float, ...]


def _ratio(check: Requirements, written: WrittenSurvival, control: Steps | None) -> Steps | None:
    """Return the hazard ratio, from itself or from both arms' survival, with its delay."""
    ratio = ratio_of(check, "hazard_ratio", written.hazard_ratio)
    treatment = hazard_of(check, "treatment", written.treatment)
    if (written.hazard_ratio is None) == (written.treatment is None):
        many = "not both" if written.treatment is not None else "one of them is needed"
        check.refuse(
            "hazard_ratio", f"give the hazard ratio or survival under treatment (--treatment), {many}"
        )
        return ratio
    if written.treatment is not None:
        if written.control is None:
            check.refuse("treatment", "survival under treatment needs that under control (--control)")
        if treatment is None or control is None:
            return None
        ratio = _quotient(check, treatment, control)
    delay = duration_of(check, "delay", written.delay, zero=True)
    if ratio is not None and delay:
        if not ratio.constant:
            check.refuse("delay", "the hazard ratio has pieces already; put the delay among them")
            return ratio
        return Steps((0.0, delay), (1.0, ratio.values[0]))
    return ratio


def _quotient(check: Requirements, treatment: Steps, control: Steps) -> Steps | None:
    starts = np.array(sorted({*treatment.starts, *control.starts}))
    above, below = treatment.at(starts), control.at(starts)
    if np.any(below <= 0.0) or np.any(above <= 0.0):
        check.refuse("treatment", "a hazard of zero has no ratio; write hazards above zero in every piece")
        return None
    return Steps(tuple(starts.tolist()), tuple((above / below).tolist()))


def _times(check: Requirements, text: str | None) -> tuple[float, ...]:
    if text is None:
        return ()
    found = [duration_of(check, "at", part.strip()) for part in text.split(",")]
    return tuple(sorted(day for day in found if day is not None))


def _check_given(check: Requirements, written: WrittenSurvival, asks_power: bool, events: bool) -> None:
    """Note what is missing, or given twice, for something to be worked out."""
    about_time = (written.accrual, written.accrual_rate, written.patients, written.follow_up, written.dropout)
    if written.control is None:
        if any(each is not None for each in about_time) or written.delay is not None:
            check.refuse("control", "is missing: survival under control decides when events come")
        elif asks_power and not events:
            check.refuse(
                "events", "give the number of events, or a plan: --control, --accrual, --patients, ..."
            )
        if written.method in ("lachin-foulkes", "nonproportional") or written.test.lower() != "logrank":
            check.refuse("control", "is missing: this formula needs the whole plan, not events alone")
        return
    rate, patients = written.accrual_rate is not None, written.patients is not None
    accrual, follow_up = written.accrual is not None, written.follow_up is not None
    if not (accrual or rate):
        check.refuse("accrual", "is missing: give how long patients are recruited, or --accrual-rate")
    elif asks_power:
        if not (patients or (rate and accrual)):
            check.refuse(
                "patients", "is missing: give the number of patients, or rate and duration of accrual"
            )
        if follow_up == events:
            given = "give one of follow-up and events" if events else "is missing: give it, or --events"
            check.refuse("follow_up", given)
    elif follow_up and patients:
        check.refuse("patients", "are given, and so is the follow-up; leave out the one to be worked out")
    elif not follow_up and not (patients or (rate and accrual)):
        check.refuse("follow_up", "is missing: give it, or the number of patients for it to be worked out")


def _plan(
    check: Requirements, written: WrittenSurvival, control: Steps, ratio: Steps, parts: _Parts
) -> SurvivalPlan | None:
    rate = parts.rate or constant(1.0)
    none = constant(0.0)
    dropout = parts.dropout or none
    other = parts.treatment_dropout or dropout
    duration = parts.accrual
    # Where accrual is to be found, any length serves until then.
    plan = SurvivalPlan(control, ratio, rate, duration or 365.25, dropout, other, written.ratio)
    if duration is None and written.patients is not None:
        duration = accrual_of_patients(plan, written.patients)
        if duration is None:
            check.refuse("accrual_rate", f"at these rates {written.patients:,} patients never come")
            return None
        return replace(plan, accrual_duration=duration)
    if plan.patients <= 0.0:
        if duration is None:
            return replace(plan, accrual_duration=parts.rate.starts[-1] + 365.25 if parts.rate else 365.25)
        check.refuse("accrual", "no patient comes in this time at the accrual rates given")
        return None
    return plan if written.patients is None else plan.with_patients(written.patients)
