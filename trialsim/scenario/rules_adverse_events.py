"""Rules on hypotheses about adverse events: that there are such events, and that a Bayesian design tests them."""

from __future__ import annotations

from collections.abc import Iterator

from trialsim.scenario.design import Design
from trialsim.scenario.hypotheses import ADVERSE_EVENTS, POSTERIORS_OF_KIND, Hypothesis
from trialsim.scenario.rules_life import scale_of
from trialsim.scenario.rules_world import Finding
from trialsim.scenario.trial_parts import Place, TrialParts
from trialsim.scenario.wording import listed, unknown


def about_adverse_events(hypothesis: Hypothesis, parts: TrialParts) -> bool:
    """Return whether a hypothesis is about adverse events, and not about an endpoint that somebody has called so."""
    return hypothesis.endpoint == ADVERSE_EVENTS and ADVERSE_EVENTS not in parts.endpoint_names


def adverse_event_findings(at: Place, hypothesis: Hypothesis, parts: TrialParts) -> Iterator[Finding]:
    """Yield what is wrong with a hypothesis about adverse events.

    Parameters
    ----------
    at
        The place of the hypothesis.
    hypothesis
        Whose endpoint is adverse events.
    parts
        What could be read.
    """
    world, suited = parts.world, POSTERIORS_OF_KIND[ADVERSE_EVENTS]
    if hypothesis.analysis not in suited:
        what = f"{hypothesis.analysis} does not suit adverse events"
        yield (*at, "analysis"), f"{what}; allowed: {listed(suited)}"
        return
    if not world.adverse_events:
        yield (*at, "endpoint"), "there are no adverse events in this scenario (adverse_events)"
        return
    if hypothesis.strategy != "treatment_policy":
        yield (*at, "strategy"), "adverse events are counted whatever became of treatment; leave it out"
    inside, options = (*at, "analysis", hypothesis.analysis), hypothesis.analysis_options
    for place, term in enumerate(options["terms"] or ()):
        if term not in world.adverse_events:
            yield (*inside, "terms", place), unknown("the adverse event", term, world.adverse_events)
    levels = scale_of(world)
    if options["at_least"] is not None and options["at_least"] not in levels:
        yield (*inside, "at_least"), f"adverse events here have the severities {listed(levels)}"
    alpha = options.get("prior_alpha")
    if alpha is not None and len(alpha) != len(levels) + 1:
        yield (
            (*inside, "prior_alpha"),
            f"{len(alpha)} numbers are given; give {len(levels) + 1}: for none, {listed(levels)}",
        )
    if options.get("within") is not None and options["within"] > world.horizon:
        beyond = f"{options['within']:g} days is beyond the horizon of {world.horizon:g} days"
        yield (*inside, "within"), f"{beyond}, at which the trial ends"


def adverse_event_test_findings(at: Place, design: Design, parts: TrialParts) -> Iterator[Finding]:
    """Yield designs that cannot test a hypothesis about adverse events; ``at`` is the place of the design."""
    for place, test in enumerate(design.tests):
        hypothesis = parts.hypotheses.get(test)
        if hypothesis is None or not about_adverse_events(hypothesis, parts):
            continue
        if design.kind != "bayesian":
            yield (
                (*at, "tests", test),
                f"is about adverse events, which a {design.kind} design does not test; take kind: bayesian",
            )
        elif place == 0:
            yield (
                (*at, "tests", test),
                "is about adverse events; the first test is of an endpoint, whose patients looks count: name one before it",
            )
