"""The Bayesian design: decision rules on posterior and predictive probabilities at each look."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from scipy.special import ndtri

from trialsim.contracts import BoundsFollower, TestPlan
from trialsim.policies.decision_rules import DecisionRules
from trialsim.policies.probabilities import Probabilities
from trialsim.scenario.design import Design
from trialsim.scenario.schema import Scenario


class Bayesian:
    """Decision rules at looks; at the last one a test succeeds whose posterior probability passes its threshold."""

    name = "bayesian"
    reference = "Berry et al., Bayesian Adaptive Methods for Clinical Trials, 2010"

    def bounds(self, design: Design, test: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Return bounds on the z scale by look: at the last, the normal deviate of the posterior probability it takes.

        Parameters
        ----------
        design
            The design of a loaded scenario.
        test
            Name of the hypothesis tested.
        """
        early = len(design.looks) - 1
        last = float(ndtri(threshold_of(design, test)))
        return (*(float("inf"),) * early, last), (-float("inf"),) * (early + 1)

    def follower(self, scenario: Scenario, name: str, test: str) -> BoundsFollower | None:
        """Return None: thresholds of posterior probabilities depend on no information seen before."""
        return None

    def stopping(self, design: Design, tests: Sequence[TestPlan], allocation: Any) -> DecisionRules:
        """Return the policy that carries out the design's rules.

        Parameters
        ----------
        design
            The design of a loaded scenario.
        tests
            Its tests, resolved, in order.
        allocation
            Its allocation plan.
        """
        # Blocks, turns and minimisation keep the arms near their shares to the end, chance alone does not.
        balanced = design.allocation.kind != "simple" and design.policies["randomisation"][0] == "by_design"
        thresholds = [threshold_of(design, test.name) for test in tests]
        probabilities = Probabilities(tests, thresholds, design.n, allocation.ratio, balanced)
        return DecisionRules(
            design.decisions or (), probabilities, [test.name for test in tests], design.arms
        )


def threshold_of(design: Design, test: str) -> float:
    """Return the posterior probability above which a test succeeds at the last look."""
    asked = design.tests[test]
    return 1.0 - asked.alpha if asked.posterior is None else asked.posterior
