"""Decision rules in words: what each weighed at a look, with its error and its threshold, and what it then did."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from trialsim.contracts import Floats
from trialsim.policies.decision_rules import DecisionRules, error_of
from trialsim.scenario.decisions import OF_ARMS, Condition, Limited, Posterior, Predictive, Utility
from trialsim.stats.bayes import best_arm, beta_binomial, close_arms

ERRORS: Mapping[str, float] = {
    "Best": best_arm.ERROR,
    "Equivalent": close_arms.ERROR,
}
"""Largest error of each probability of all arms, which is computed and not simulated."""


def account(policy: DecisionRules, trace: Floats, look: int, decided: int) -> list[str]:
    """Return a sentence for each rule that was weighed at a look.

    Parameters
    ----------
    policy
        The rules.
    trace
        What was weighed, ``[quantity]``; NaN where nothing was.
    look
        Index from 0.
    decided
        Number of the rule that decided, 0 for none.
    """
    found = []
    for number, rule in enumerate(policy.rules, 1):
        weighed = _condition(policy, rule.when, rule.do in OF_ARMS, trace, look)
        if weighed is None:
            continue
        action = rule.do.replace("_", " ")
        found.append(f"Rule {number}, {action}: {weighed}{': done' if number == decided else ''}.")
    return found


def _condition(
    policy: DecisionRules, condition: Condition, by_arm: bool, trace: Floats, look: int
) -> str | None:
    """Return what a condition weighed, None where nothing was."""
    if condition.children:
        each = [_condition(policy, child, by_arm, trace, look) for child in condition.children]
        if any(part is None for part in each):
            return None
        return (" or " if condition.any_of else " and ").join(str(part) for part in each)
    leaf = condition.leaf
    assert leaf is not None
    parts = []
    for name in policy.names_of(leaf, by_arm):
        value = float(trace[policy.quantities.index(name)])
        if np.isfinite(value) and isinstance(leaf, Utility):
            parts.append(f"{name} {value:.5f}")
        elif np.isfinite(value):
            parts.append(f"{name} {value:.5f} ({_error(policy, leaf, name, trace)})")
    if not parts:
        return None
    return f"{', '.join(parts)}, asked to be {_threshold(leaf, look)}"


def _error(policy: DecisionRules, leaf: Limited, name: str, trace: Floats) -> str:
    """Return in words how exact a probability is."""
    if policy.imputed_or_sampled(leaf, name):
        return f"Monte Carlo error {float(trace[policy.quantities.index(error_of(name))]):.4f}"
    if isinstance(leaf, Posterior):
        return error_of_model(policy.model_of(policy.test_of(leaf, name)), math.nan)
    largest = policy.largest_error(leaf) if isinstance(leaf, Predictive) else ERRORS[type(leaf).__name__]
    return f"error below {largest:.0e}"


def error_of_model(model: Any, monte_carlo: float) -> str:
    """Return in words how exact a model's posterior probability is.

    Parameters
    ----------
    model
        Of a test's analysis; None of the beta-binomial one.
    monte_carlo
        The error of the probability at hand, where the model is sampled.
    """
    kind = getattr(model, "kind", "exact")
    if kind == "sampled":
        return f"Monte Carlo error {monte_carlo:.4f}"
    if kind == "approximate":
        return f"error below {model.probit_error:g} on the probit scale"
    return f"error below {getattr(model, 'largest_error', beta_binomial.ERROR):.0e}"


def _threshold(leaf: Limited, look: int) -> str:
    """Return the threshold in force at a look."""
    side = "above" if leaf.above is not None else "below"
    limit = leaf.above if leaf.above is not None else leaf.below
    return f"{side} {limit[look] if isinstance(limit, tuple) else limit:g}"
