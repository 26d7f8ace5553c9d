"""What a policy of allocation remembers of a trial does not depend on which other trials it was asked about before."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from trialsim.contracts import AllocationView, Decision, Memory
from trialsim.engines.conduct import conduct
from trialsim.engines.plan import Plan, build_plan
from trialsim.engines.runner import start_engine
from trialsim.scenario.load import scenario_from

REPLICATES = np.arange(24)
SCENARIO: dict[str, Any] = {
    "name": "memory",
    "horizon": "3 years",
    # In some trials the look at six months comes before the first review, in others after it.
    "accrual": {"poisson": {"rate": "3 per month"}},
    "arms": ["control", "treatment"],
    "endpoints": {
        "response": {"kind": "binary", "readout": "2 weeks", "rate": 0.3, "effect": {"treatment": 2.0},
                     "effect_measure": "odds_ratio", "effect_kind": "conditional"},
    },
    "hypotheses": {
        "primary": {"endpoint": "response", "arms": ["treatment", "control"], "analysis": "score_test",
                    "direction": "higher"},
    },
    "truths": {"effect": {}},
    "designs": {
        "adaptive": {
            "kind": "group_sequential",
            "n": 60,
            "allocation": {"permuted_blocks": {"size": 4}},
            "looks": [{"when": {"calendar": "6 months"}}, {"when": {"readouts": 60}}],
            "bounds": {"efficacy_z": [3.0, 2.0]},
            "tests": {"primary": {"alpha": 0.025}},
            "reviews": {"every": {"enrolled": 18}},
            "policies": {"randomisation": {"thompson": {}}},
        }
    },
}  # fmt: skip


class Counting:
    """Gives treatment more weight the more often it was asked before, counted from five on."""

    decides_on, adaptive, name = "allocation", True, "counting"

    def __init__(self) -> None:
        self.mixed = False

    def decide(self, view: AllocationView, memory: Memory) -> tuple[Decision, Memory]:
        asked = memory["asked"] + 1 if memory else np.full(len(view.replicate), 5)
        self.mixed |= bool((asked == 5).any() and (asked > 5).any())
        return Decision(weights=np.stack([np.ones(len(asked)), asked.astype(float)], axis=1)), {
            "asked": asked
        }


class LateCounting(Counting):
    """Begins to remember only once 30 are enrolled."""

    def decide(self, view: AllocationView, memory: Memory) -> tuple[Decision, Memory]:
        decision, kept = super().decide(view, memory)
        late = view.arm_enrolled.sum(axis=1) >= 30
        self.mixed |= bool(late.any() and not late.all())
        return decision, kept if late.all() else {}


def plan_with(policy: Any, look: str = "6 months") -> Plan:
    tree = copy.deepcopy(SCENARIO)
    tree["designs"]["adaptive"]["looks"][0] = {"when": {"calendar": look}}
    scenario = scenario_from(tree)
    return replace(build_plan(scenario, "adaptive", "effect", 1), randomisation=policy)


def arms_of(plan: Plan, engine: str, replicates: np.ndarray) -> np.ndarray:
    """Return how many were randomised to each arm, ``[replicate, arm]``."""
    chunk = start_engine(plan, engine).start(replicates)
    conduct(chunk)
    ends = chunk.ends()
    return np.asarray(chunk.counts(np.arange(len(replicates)), ends.cut).enrolled)


@pytest.mark.parametrize(("policy", "look"), [(Counting(), "6 months"), (LateCounting(), "11 months")])
def test_trials_that_are_asked_late_remember_as_they_do_alone(policy: Counting, look: str) -> None:
    plan = plan_with(policy, look)
    together = arms_of(plan, "fast", REPLICATES)
    alone = np.concatenate([arms_of(plan, "fast", REPLICATES[k : k + 1]) for k in REPLICATES])
    other = np.concatenate([arms_of(plan, "reference", REPLICATES[k : k + 1]) for k in REPLICATES[:6]])
    assert together.tolist() == alone.tolist()
    assert together[:6].tolist() == other.tolist()
    assert not policy.mixed
