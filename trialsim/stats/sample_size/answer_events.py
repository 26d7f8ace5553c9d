"""Questions about events alone, for the formulae in which they decide the power of the log-rank test."""

from __future__ import annotations

import math
from dataclasses import replace

from trialsim.stats.sample_size.answer import Answer, Curve, Figure, spread
from trialsim.stats.sample_size.survival import critical_hazard_ratio, power_of_events, required_events
from trialsim.stats.sample_size.survival_described import last_test, survival_answer
from trialsim.stats.sample_size.survival_question import SurvivalQuestion

_POINTS = 41


def events_alone(question: SurvivalQuestion, power: float, unrounded: bool) -> Answer:
    """Return the events that reach a power, whoever they come from and whenever.

    Parameters
    ----------
    question
        The test and a formula of events.
    power
        Asked for.
    unrounded
        Whether power and effects are those of the exact solution, a fraction.
    """
    events = required_events(question.design, power)
    whole = math.ceil(events - 1e-8 * events)
    size = events if unrounded else float(whole)
    reached = _power_of_events(question, size)
    points = tuple(
        (count, _power_of_events(question, count)) for count in spread(0.1 * events, 2.0 * events, _POINTS)
    )
    curve = Curve("Power by events", "events", "power", points, (size, reached), power)
    results: dict[str, Figure] = {"events_exact": events, "events": whole, "power": reached}
    results["critical_effect"] = critical_hazard_ratio(last_test(question), size)
    return survival_answer("samplesize", question, (), None, 0.0, power, results, (curve,), events=size)


def power_of_events_alone(question: SurvivalQuestion, events: float) -> Answer:
    """Return the power of a number of events."""
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
    results["critical_effect"] = critical_hazard_ratio(last_test(question), events)
    return survival_answer("power", question, (), None, 0.0, None, results, (curve,))


def _power_of_events(question: SurvivalQuestion, events: float) -> float:
    if question.bounds is None:
        return power_of_events(question.design, events)
    return question.bounds.power(power_of_events(question.design, events / question.inflation))
