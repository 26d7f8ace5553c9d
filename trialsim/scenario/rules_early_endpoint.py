"""Rules for events that are set by another endpoint: what the stages must be, so that the level is held."""

from __future__ import annotations

from collections.abc import Iterator

from trialsim.scenario.design import Design
from trialsim.scenario.reestimation import EarlyEndpoint
from trialsim.scenario.rules_stages import stage_findings
from trialsim.scenario.rules_world import Finding
from trialsim.scenario.trial_parts import Place, TrialParts
from trialsim.scenario.wording import unknown


def early_endpoint_findings(
    at: Place, inside: Place, design: Design, rule: EarlyEndpoint, parts: TrialParts
) -> Iterator[Finding]:
    """Yield what does not suit a number of events that is set by an early endpoint.

    Increments of a log-rank score are independent of interim decisions that saw nothing but the score (Tsiatis 1982); with
    other data of patients who are followed on a split by patients is needed (Jenkins, Stone and Jennison 2011).
    """
    first = next(iter(design.tests), "")
    tested = parts.hypotheses[first].endpoint if first in parts.hypotheses else None
    if rule.endpoint not in parts.endpoint_names:
        yield (*inside, "endpoint"), unknown("the endpoint", rule.endpoint, parts.endpoint_names)
    elif rule.endpoint == tested:
        yield (
            (*inside, "endpoint"),
            f"'{rule.endpoint}' is what is tested; write conditional_power, which goes by its own statistic",
        )
    if len(design.looks) > 2:
        yield (
            (*at, "looks"),
            f"events are set by an early endpoint at one interim look, found {len(design.looks) - 1}",
        )
    if design.stages is None:
        yield (
            inside,
            f"events are set by '{rule.endpoint}' of patients who are still followed for '{tested}': increments of the "
            "log-rank score are not independent of it, and the level is not held; write stages: {patient_wise: {events: "
            "[...]}}, or stages: increments, to see by how much",
        )
        return
    yield from stage_findings(at, design, parts)
    if design.patient_wise is None:
        return
    place, split = (*at, "stages", "patient_wise"), design.patient_wise
    planned = design.looks[-1].when.count
    if split.events is None:
        yield (*place, "calendar"), "the events of the last stage are set anew; write events: [...]"
    elif planned is not None and sum(split.events) != planned:
        yield (
            (*place, "events"),
            f"the stages end with {sum(split.events)} events in all, and the last look waits for {planned}; make them "
            "agree",
        )
    if split.interim_information is not None:
        yield (
            (*place, "interim_information"),
            "an interim look that sets events rejects nothing here; leave it out",
        )
