"""What tests and decision rules of a Bayesian design found at a look: probabilities, their errors, their thresholds."""

from __future__ import annotations

import math

from scipy.special import ndtr

from trialsim.policies.decision_rules import DecisionRules
from trialsim.policies.decision_words import account, error_of_model
from trialsim.report.numbers import plain
from trialsim.report.story_borrowing import borrowing_sentence
from trialsim.report.story_replay import Look, Replay


def decides_by_rules(replay: Replay) -> bool:
    """Return whether the design decides by rules on probabilities."""
    return isinstance(replay.plan.stopping, DecisionRules)


def posterior_finding(replay: Replay, look: Look, place: int) -> str:
    """Return a test's posterior probability of a benefit, its error and z, and where it stands to its threshold.

    Parameters
    ----------
    replay, look
        The replicate and its look.
    place
        Number of the test.
    """
    test, z, bound = replay.plan.tests[place], float(look.z[place]), float(look.efficacy_z[place])
    sampled = math.nan if look.error is None else float(look.error[place])
    error = error_of_model(getattr(test.analysis, "model", None), sampled)
    found = f"{test.name} probability of a benefit {ndtr(z):.5f} ({error}), z = {plain(z, 3)}"
    if replay.decided_before(look, place):
        return found
    if not math.isfinite(bound):
        return f"{found}, with no threshold of its own at this look"
    return f"{found}, {'at or above' if z >= bound else 'below'} the threshold {ndtr(bound):g}"


def rules_weighed(replay: Replay, look: Look) -> list[str]:
    """Return what is borrowed, and what the decision rules weighed."""
    policy, decision = replay.plan.stopping, look.decision
    if not isinstance(policy, DecisionRules) or decision.trace is None or decision.rule is None:
        return []
    borrowing = [
        borrowing_sentence(test.name, found)
        for test, found in zip(replay.plan.tests, look.borrowing, strict=True)
        if found is not None
    ]
    return [*borrowing, *account(policy, decision.trace[0], look.number - 1, int(decision.rule[0]))]
