"""Rules across the fields of a patient's life: names that exist, severities on one scale, deaths with an endpoint."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from trialsim.scenario.endpoints import SurvivalEndpoint
from trialsim.scenario.life import Treatment
from trialsim.scenario.monitoring_policies import CONTROLS
from trialsim.scenario.rules_rankings import undeclared
from trialsim.scenario.rules_world import Finding, WorldParts, effect_findings, predictor_findings
from trialsim.scenario.wording import listed, unknown

DISCONTINUATION = "discontinuation"
MONITORING = "monitoring"
"""Why treatment ends that a decision at a visit ends."""
BY_PROTOCOL = "by_protocol"
ADVERSE_EVENT = "adverse_event"
MOST_OFTEN = 5.0
"""Adverse events of a term a day, at most, in a patient at the centre: more would fill the memory, not a trial."""


def life_findings(parts: WorldParts) -> Iterator[Finding]:
    """Yield everything that is wrong with what happens to patients from randomisation on."""
    yield from _terminal(parts)
    yield from _detection(parts)
    for reason, departure in parts.discontinuation.items():
        yield from _departure(("discontinuation", reason), departure, parts)
    if parts.withdrawal is not None:
        yield from _departure(("withdrawal",), parts.withdrawal, parts)
    if parts.dropout is not None:
        yield from _dependence(("dropout",), parts.dropout, parts)
    yield from _adverse_events(parts)
    yield from _treatment(parts)


def survival_endpoints(parts: WorldParts) -> list[str]:
    """Return the names of the survival endpoints."""
    return [name for name, endpoint in parts.endpoints.items() if isinstance(endpoint, SurvivalEndpoint)]


def terminal_endpoints(parts: WorldParts) -> list[str]:
    """Return the names of the endpoints whose event ends everything."""
    return [name for name in survival_endpoints(parts) if parts.endpoints[name].terminal]


def _terminal(parts: WorldParts) -> Iterator[Finding]:
    """Yield a second way to die."""
    for name in terminal_endpoints(parts)[1:]:
        sentence = (
            "a patient dies once: at most one endpoint is terminal; causes come from fatal adverse events"
        )
        yield ("endpoints", name, "terminal"), sentence


def _detection(parts: WorldParts) -> Iterator[Finding]:
    """Yield what is wrong with how events become known."""
    last = max(parts.visits.times) if parts.visits is not None else 0.0
    for name, endpoint in parts.endpoints.items():
        at = ("endpoints", name)
        if endpoint.detected is not None:
            if parts.visits is None and "visits" in parts.unread:
                pass
            elif parts.visits is None:
                sentence = "needs a schedule of visits: visits: {every: 8 weeks, until: 2 years}"
                yield (*at, "detected"), sentence
            elif endpoint.kind != "survival" and endpoint.readout > last:
                sentence = f"no visit comes at or after the read-out at {endpoint.readout:g} days"
                yield (*at, "detected"), sentence
        if not isinstance(endpoint, SurvivalEndpoint):
            continue
        if endpoint.detected is not None and endpoint.terminal:
            yield (*at, "detected"), "death is known when it happens, not at a visit"
        if endpoint.readout > 0:
            for part in ("report_delay", "adjudication"):
                if getattr(endpoint, part) is not None:
                    sentence = "readout is a fixed delay of the report already; leave one of the two out"
                    yield (*at, part), sentence


def _departure(at: tuple[str | int, ...], part: Any, parts: WorldParts) -> Iterator[Finding]:
    """Yield what is wrong with a hazard of leaving treatment or trial."""
    yield from effect_findings(at, part.effect, parts, whole=False)
    yield from predictor_findings(at, part, parts)
    yield from _dependence(at, part, parts)


def scale_of(parts: WorldParts) -> tuple[str, ...]:
    """Return the levels of severity of the scenario's adverse events, empty where there are none."""
    return next((event.levels for event in parts.adverse_events.values()), ())


def _dependence(at: tuple[str | int, ...], part: Any, parts: WorldParts) -> Iterator[Finding]:
    """Yield severities and outcomes that a hazard depends on and that do not exist."""
    levels = scale_of(parts)
    for level in part.after or {}:
        if not levels and "adverse_events" in parts.unread:
            continue
        if not levels:
            yield (*at, "after", level), "there are no adverse events in this scenario (adverse_events)"
        elif level not in levels:
            yield (*at, "after", level), f"adverse events here have the severities {listed(levels)}"
    read = [name for name, one in parts.endpoints.items() if not isinstance(one, SurvivalEndpoint)]
    for name in part.outcome or {}:
        if name not in read and f"endpoints.{name}" not in parts.unread:
            sentence = (
                unknown("the binary or continuous endpoint", name, read)
                if read
                else f"'{name}' has no read-out: only binary and continuous endpoints are observed as outcomes"
            )
            yield (*at, "outcome", name), sentence


def _adverse_events(parts: WorldParts) -> Iterator[Finding]:
    """Yield what is wrong with adverse events."""
    levels = scale_of(parts)
    for name, event in parts.adverse_events.items():
        at = ("adverse_events", name)
        yield from effect_findings(at, event.effect, parts, whole=False)
        yield from predictor_findings(at, event, parts)
        if event.levels != levels:
            yield at, f"all adverse events are graded alike; others have the severities {listed(levels)}"
        highest = max(event.baseline.segments()[1], default=0.0)
        if highest > MOST_OFTEN:
            sentence = f"{highest:g} a day is too often; a term comes at most {MOST_OFTEN:g} times a day"
            yield (*at, "baseline"), sentence
        deadly = any(event.fatal.values()) or (event.grades or {}).get("5", 0.0) > 0
        if deadly and not terminal_endpoints(parts) and "endpoints" not in parts.unread:
            sentence = (
                "a fatal adverse event needs an endpoint of death: a survival endpoint with terminal: true"
            )
            yield (*at, "fatal" if any(event.fatal.values()) else "grades"), sentence
        for level, action in event.actions.items():
            if (action.reduce or 0.0) > 0 and _one_dose(parts):
                sentence = "a dose can be reduced only where there are several: treatment: {doses: [1, 0.5]}"
                yield (*at, "actions", level, "reduce"), sentence


def _treatment(parts: WorldParts) -> Iterator[Finding]:
    """Yield what is wrong with treatment, rescue and crossover."""
    treatment = parts.treatment
    if treatment is None:
        return
    ends = list(discontinuation_reasons(parts))
    unread_ends = {"discontinuation", "adverse_events"} & parts.unread
    survival = survival_endpoints(parts)
    if treatment.rescue is not None:
        if not ends and not unread_ends:
            yield ("treatment", "rescue"), "rescue follows discontinuation, and nothing here discontinues"
        for name in treatment.rescue.hazard_ratio:
            if name not in survival and f"endpoints.{name}" not in parts.unread:
                yield (
                    ("treatment", "rescue", "hazard_ratio", name),
                    unknown("the survival endpoint", name, survival),
                )
    crossover = treatment.crossover
    if crossover is None:
        return
    at = ("treatment", "crossover")
    arms = parts.arms or ()
    for place, arm in enumerate(crossover.start):
        if arms and arm not in arms:
            yield (*at, "from", place), unknown("the arm", arm, arms)
        if arm == crossover.to:
            yield (*at, "from", place), f"'{arm}' is also the arm to cross to"
    if arms and crossover.to not in arms:
        yield (*at, "to"), unknown("the arm", crossover.to, arms)
    if crossover.on == DISCONTINUATION:
        if not ends and not unread_ends:
            yield (*at, "on"), "nothing in this scenario discontinues treatment"
    elif f"endpoints.{crossover.on}" in parts.unread:
        return
    elif crossover.on not in survival:
        yield (*at, "on"), unknown("the event", crossover.on, [*survival, DISCONTINUATION])
    elif crossover.on in terminal_endpoints(parts):
        yield (*at, "on"), f"nobody crosses over after {crossover.on}, which ends everything"


def _one_dose(parts: WorldParts) -> bool:
    """Return whether nobody's dose can be reduced; not where treatment is written and could not be read."""
    return "treatment" not in parts.unread and len((parts.treatment or Treatment()).levels) < 2


def discontinuation_reasons(parts: WorldParts) -> tuple[str, ...]:
    """Return why treatment can be discontinued, sorted."""
    return reasons_of(parts.discontinuation, parts.adverse_events)


def monitoring_findings(
    at: tuple[str | int, ...], name: str, parameters: Mapping[str, Any], parts: WorldParts
) -> Iterator[Finding]:
    """Yield what a monitoring policy needs and the world does not have."""
    if name == BY_PROTOCOL:
        return
    if parts.visits is None and "visits" not in parts.unread:
        yield (
            at,
            f"{name} decides at visits, and there are none; add visits: {{every: 4 weeks, until: 1 year}}",
        )
    fewer_doses = _one_dose(parts)
    if name in CONTROLS:
        if parameters["do"] == "reduce" and fewer_doses:
            yield (
                (*at, "do"),
                "there is one dose level; add treatment: {doses: [1, 0.5]}, or take do: discontinue",
            )
        if parts.visits is not None and parameters["visit"] > len(parts.visits.times):
            yield (*at, "visit"), f"visit {parameters['visit']} of {len(parts.visits.times)} does not exist"
        known = () if parts.population is None else tuple(parts.population.traits)
        if "trait" in parameters and parameters["trait"] not in known:
            yield (*at, "trait"), undeclared(parameters["trait"], known)
        return
    if not parts.adverse_events:
        if "adverse_events" in parts.unread:
            return
        yield (
            at,
            f"{name} counts adverse events, and there are none; add adverse_events, or take {BY_PROTOCOL}",
        )
        return
    levels = next(iter(parts.adverse_events.values())).levels
    if parameters["level"] not in levels:
        yield (*at, "level"), unknown("the severity", parameters["level"], levels)
    if parameters.get("reduce_after") is not None and fewer_doses:
        yield (
            (*at, "reduce_after"),
            "there is one dose level; add treatment: {doses: [1, 0.5]}, or leave this out",
        )


def reasons_of(discontinuation: Mapping[str, Any], adverse_events: Mapping[str, Any]) -> tuple[str, ...]:
    """Return why treatment can be discontinued: the stated reasons, and adverse events that lead to it, sorted."""
    acted = any(
        (action.discontinue or 0.0) > 0 or (action.reduce or 0.0) > 0
        for event in adverse_events.values()
        for action in event.actions.values()
    )
    return tuple(sorted({*discontinuation, *([ADVERSE_EVENT] if acted else [])}))
