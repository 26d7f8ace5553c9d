"""Stages that may be changed in between, combined by a rule fixed in advance: bounds, and what p values conclude."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trialsim.designs.boundaries import group_sequential
from trialsim.designs.boundary_request import Parameter
from trialsim.errors import UsageError
from trialsim.scenario.wording import listed, unknown
from trialsim.stats.combination.fisher import (
    FisherDesign,
    fisher_conditional_error,
    fisher_design,
    fisher_final_p,
    fisher_products,
)
from trialsim.stats.combination.inverse_normal import inverse_normal, stage_weights
from trialsim.stats.inference.conditional import conditional_power
from trialsim.stats.inference.stagewise import adjusted_inference

Floats = NDArray[np.float64]

SOURCES = {
    "inverse_normal": "Lehmacher and Wassmer 1999; Cui, Hung and Wang 1999",
    "fisher": "Bauer and Köhne 1994; Wassmer 1999",
}


@dataclass(frozen=True)
class Combined:
    """A combination test: its bounds, and what the stages seen conclude; lists are by stage.

    Parameters
    ----------
    combination
        ``inverse_normal`` or ``fisher``.
    alpha
        One-sided level.
    information_rates
        Planned, whose increments are the squared weights; None for Fisher's product.
    critical
        Rejected where the combined statistic is at or above it (inverse normal), the product at or below (Fisher).
    futility_p
        P value of a stage above which the trial is given up, by all stages but the last; None where there is none.
    alpha_spent
        Chances under no effect to reject by each stage, cumulative.
    p
        Of the stages seen.
    combined
        The statistic, or the product, up to each of them.
    decision
        ``reject``, ``give_up``, ``go_on`` or ``not_rejected``; None before the first stage.
    overall_p
        By the stage-wise ordering where the trial ends; None where it goes on.
    conditional_error
        Chance under no effect to reject later, where it goes on: the level of what is planned anew (Müller and Schäfer
        2001).
    """

    combination: str
    alpha: float
    information_rates: tuple[float, ...] | None
    critical: tuple[float, ...]
    futility_p: tuple[float, ...] | None
    alpha_spent: tuple[float, ...]
    p: tuple[float, ...]
    combined: tuple[float, ...]
    decision: str | None
    overall_p: float | None
    conditional_error: float | None

    def document(self) -> dict[str, Any]:
        """Return plain data for JSON: see ``schemas/combination.json``; what is infinite is None."""
        rates = self.information_rates
        weights = None if rates is None else stage_weights(rates).tolist()
        return {
            "combination": self.combination,
            "source": SOURCES[self.combination],
            "alpha": self.alpha,
            "information_rates": None if rates is None else list(rates),
            "weights": weights,
            "critical": [value if np.isfinite(value) else None for value in self.critical],
            "futility_p": None if self.futility_p is None else list(self.futility_p),
            "alpha_spent": list(self.alpha_spent),
            "p": list(self.p),
            "combined": list(self.combined),
            "decision": self.decision,
            "overall_p": self.overall_p,
            "conditional_error": self.conditional_error,
        }


def by_fisher(
    stages: int, alpha: float, futility_p: Sequence[float] | float, method: str, p: Sequence[float]
) -> Combined:
    """Return Fisher's product test, its critical values, and what the p values of the stages seen conclude."""
    design = fisher_design(alpha, stages, futility_p, method)
    seen = _seen(p, stages)
    products = fisher_products(seen) if len(seen) else seen
    futile = [bool(value > bound) for value, bound in zip(seen, [*design.futility, np.inf])]
    decision = _decision([bool(a <= b) for a, b in zip(products, design.critical)], futile, stages)
    last = len(seen) - 1
    ended = decision in ("reject", "not_rejected")
    overall = fisher_final_p(design, last, float(products[last])) if ended else None
    error = None
    if decision == "go_on":
        error = fisher_conditional_error(design, last, float(products[last]))
    return Combined(
        "fisher", alpha, None, tuple(design.critical.tolist()), _futility(design), tuple(design.spent.tolist()),
        tuple(seen.tolist()), tuple(products.tolist()), decision, overall, error,
    )  # fmt: skip


def by_inverse_normal(
    information: Sequence[float], alpha: float, efficacy: str, parameter: Parameter, p: Sequence[float]
) -> Combined:
    """Return the inverse normal test with the bounds of a group sequential plan, and what the stages seen conclude."""
    plan = group_sequential(information, alpha=alpha, efficacy=efficacy, efficacy_parameter=parameter)
    rates, bounds = plan.information_rates, plan.efficacy_z
    stages = len(rates)
    seen = np.clip(_seen(p, stages), 1e-300, 1.0 - 1e-16)
    statistics = inverse_normal(seen, rates) if len(seen) else seen
    decision = _decision([bool(a >= b) for a, b in zip(statistics, bounds)], [False] * len(seen), stages)
    nowhere = np.full(stages, -np.inf)
    last = len(seen) - 1
    overall = error = None
    if decision in ("reject", "not_rejected"):
        told = adjusted_inference(
            rates, nowhere, bounds, last, float(statistics[last]), 1.0 - 2.0 * alpha, False
        )
        overall = min(float(told.p_value[0]), 1.0)
    elif decision == "go_on":
        error = float(conditional_power(rates, bounds, last, float(statistics[last]), 0.0, None, False).sum())
    return Combined(
        "inverse_normal", alpha, tuple(rates.tolist()), tuple(bounds.tolist()), None, tuple(plan.alpha_spent.tolist()),
        tuple(float(value) for value in p), tuple(statistics.tolist()), decision, overall, error,
    )  # fmt: skip


def combine(
    combination: str,
    alpha: float = 0.025,
    stages: int | None = None,
    futility_p: Sequence[float] | None = None,
    method: str | None = None,
    information: Sequence[float] | None = None,
    efficacy: str | None = None,
    efficacy_parameter: Parameter = None,
    p: Sequence[float] = (),
) -> Combined:
    """Return a combination test; what belongs to the other kind is refused.

    Raises
    ------
    UsageError, ScenarioError
        With what is wrong.
    """
    if combination not in SOURCES:
        raise UsageError(f"{unknown('the combination', combination, list(SOURCES))}.")
    fisher = combination == "fisher"
    foreign = {
        "stages": (stages, True), "futility-p": (futility_p, True), "method": (method, True),
        "information": (information, False), "efficacy": (efficacy, False),
        "efficacy-parameter": (efficacy_parameter, False),
    }  # fmt: skip
    wrong = [
        f"--{key}" for key, (value, of_fisher) in foreign.items() if value is not None and of_fisher != fisher
    ]
    if wrong:
        other = "inverse_normal" if fisher else "fisher"
        raise UsageError(f"{', '.join(wrong)}: for --combination {other}; leave it out.")
    if fisher:
        if stages is None:
            raise UsageError("Fisher's product needs --stages, such as --stages 2.")
        bounds = [1.0] if futility_p is None else list(futility_p)
        return by_fisher(stages, alpha, bounds if len(bounds) > 1 else bounds[0], method or "equal_levels", p)
    if information is None:
        raise UsageError("The inverse normal needs --information, such as --information 0.5,1.")
    return by_inverse_normal(
        information, alpha, efficacy or "lan_demets_obrien_fleming", efficacy_parameter, p
    )


def _futility(design: FisherDesign) -> tuple[float, ...]:
    return tuple(float(each) for each in design.futility)


def _seen(p: Sequence[float], stages: int) -> Floats:
    """Return the p values of the stages seen, or refuse them."""
    seen = np.array(p, dtype=np.float64)
    if len(seen) > stages:
        raise UsageError(f"{len(seen)} p values are given, of {stages} stages that were planned.")
    wrong = [value for value in p if not 0.0 <= value <= 1.0]
    if wrong:
        raise UsageError(f"p values lie from 0 to 1, found {listed(f'{value:g}' for value in wrong)}.")
    return seen


def _decision(rejects: list[bool], futile: list[bool], stages: int) -> str | None:
    """Return what the stages seen come to; a stage after the end is refused."""
    for stage, (shown_now, given_up) in enumerate(zip(rejects, futile, strict=False)):
        last = stage == len(rejects) - 1
        if shown_now or given_up:
            if not last:
                what = "rejects" if shown_now else "is given up"
                raise UsageError(
                    f"The trial {what} at stage {stage + 1}; leave the p values of later stages out."
                )
            return "reject" if shown_now else "give_up"
    if not rejects:
        return None
    return "not_rejected" if len(rejects) == stages else "go_on"
