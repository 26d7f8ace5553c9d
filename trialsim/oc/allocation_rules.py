"""What a comparison of allocation rules found, for tables and figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from trialsim.oc.drift_points import DriftPoint
from trialsim.stats.optimal_allocation import Course


@dataclass(frozen=True)
class RuleResult:
    """What one rule does.

    Parameters
    ----------
    label
        Its name.
    family
        ``traditional``, ``learned`` or ``optimum``.
    power_weight
        For which it was trained or is optimal; None for traditional rules.
    responders, rejects
        Expected responders and probability of rejecting under the prior, exactly.
    error
        Probability of rejecting by rate of both arms alike, exactly.
    calibrated_bound
        Smallest bound that holds the level at each of these rates; None where a rule has bounds of its own.
    power, calibrated_power, responders_at_point
        At the rates at which power is shown, exactly.
    simulated
        Power at that point in simulated trials and its Monte Carlo standard error; None where no engine has the rule.
    shares
        Expected share of each block on treatment at that point, exactly.
    """

    label: str
    family: str
    power_weight: float | None
    responders: float
    rejects: float
    error: Mapping[float, float]
    calibrated_bound: float | None
    power: float
    calibrated_power: float | None
    responders_at_point: float
    simulated: tuple[float, float] | None = None
    shares: tuple[float, ...] = ()

    def value(self, power_weight: float) -> float:
        """Return responders + ``power_weight`` times the probability of rejecting."""
        return self.responders + power_weight * self.rejects

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        found = {name: each for name, each in vars(self).items() if name != "error"}
        return found | {"error": {f"{rate:g}": each for rate, each in self.error.items()}}


@dataclass(frozen=True)
class AllocationResult:
    """What was found.

    Parameters
    ----------
    course
        The trial.
    rules
        Every rule.
    digests
        Of the checkpoints, by label.
    curves
        Of training, by label.
    power_weights
        What a rejection was worth, in responders.
    drift
        How often simulated rules reject while both arms drift.
    """

    course: Course
    rules: list[RuleResult]
    digests: Mapping[str, str]
    curves: Mapping[str, list[dict[str, float]]]
    power_weights: tuple[float, ...]
    drift: Sequence[DriftPoint] = ()

    def share(self, power_weight: float) -> tuple[float, str, float]:
        """Return how far the learned rule is on the way from the best traditional one to the optimum.

        Returns
        -------
        share
            0 for no better than the best traditional rule, 1 for the optimum; below 0 it loses.
        best
            Label of the best traditional rule.
        distance
            From there to the optimum, in responders.
        """
        of = {rule.label: rule for rule in self.rules}
        rivals = [rule for rule in self.rules if rule.family == "traditional"]
        best = max(rivals, key=lambda rule: rule.value(power_weight))
        whole = of[f"optimum_{power_weight:g}"].value(power_weight) - best.value(power_weight)
        gained = of[f"learned_{power_weight:g}"].value(power_weight) - best.value(power_weight)
        return gained / whole, best.label, whole
