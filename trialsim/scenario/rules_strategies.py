"""Rules on how hypotheses handle intercurrent events: there must be some, and the endpoint must allow it."""

from __future__ import annotations

from collections.abc import Iterator

from trialsim.scenario.endpoints import ContinuousEndpoint
from trialsim.scenario.rules_life import discontinuation_reasons
from trialsim.scenario.rules_world import Finding
from trialsim.scenario.trial_parts import TrialParts


def strategy_findings(parts: TrialParts) -> Iterator[Finding]:
    """Yield strategies that the scenario leaves nothing to do, and such as an endpoint does not allow."""
    world = parts.world
    treatment = world.treatment
    occurs = bool(discontinuation_reasons(world)) or (
        treatment is not None and (treatment.duration is not None or treatment.crossover is not None)
    )
    for name, hypothesis in parts.hypotheses.items():
        at = ("hypotheses", name, "strategy")
        if hypothesis.window is not None and hypothesis.strategy != "while_on_treatment":
            yield (
                ("hypotheses", name, "window"),
                f"goes with while_on_treatment, and the strategy is {hypothesis.strategy}; leave it out, or take that one",
            )
        if hypothesis.strategy == "treatment_policy":
            continue
        if not occurs:
            yield (
                at,
                "nothing in this scenario ends treatment, so that every strategy is treatment_policy; leave it out",
            )
            continue
        endpoint = world.endpoints.get(hypothesis.endpoint)
        if isinstance(endpoint, ContinuousEndpoint) and hypothesis.strategy == "composite":
            yield (
                at,
                "a measurement has no value that stands for failure; composite is for survival and binary endpoints",
            )
