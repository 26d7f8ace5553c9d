"""A control arm that borrows from earlier trials through a robust mixture prior."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from trialsim.analyses.bayesian.beta_binomial import responses
from trialsim.analyses.bayesian.options import options_of
from trialsim.analyses.bayesian.outcome import equal_tailed, posterior_of
from trialsim.contracts import DataCut, Floats, Posterior
from trialsim.errors import Problem, ScenarioError
from trialsim.stats.bayes.families import Family
from trialsim.stats.bayes.robust_mixture import (
    Mixture,
    mixture,
    mixtures_exceed,
    update_by_mean,
    update_by_responses,
)


def _difference(
    treatment: Mixture, control: Mixture, margin: float, lower_is_better: bool, level: float | None
) -> Posterior:
    """Return the posterior of the difference of two arms with mixture posteriors."""
    first, second = treatment.moments(), control.moments()
    mean, sd = first[0] - second[0], np.hypot(first[1], second[1])
    pair = (control, treatment) if lower_is_better else (treatment, control)
    probability, error = mixtures_exceed(*pair, margin)

    def exceeds(at: Floats) -> Floats:
        return mixtures_exceed(treatment, control, at)[0]

    return posterior_of("exact", probability, mean, sd, equal_tailed(exceeds, mean, sd, level), error, [])


def _refuse_weight(name: str, weight: float) -> None:
    if not 0.0 < weight < 1.0:
        problem = Problem("robust_weight", f"{weight:g} is not between 0 and 1")
        raise ScenarioError([problem], f"The options of {name}")


class RobustBetaBinomial:
    """Difference of two response rates, control's prior a mixture of what earlier trials say and a vague part."""

    name = "robust_beta_binomial"
    endpoint_kinds = ("binary",)
    estimand = "difference_in_proportions"
    reference = "Schmidli et al. 2014"
    kind = "exact"
    accuracy = "quadrature to 1e-9"
    prior: Mapping[str, str] = {
        "control_a": "first shape of the informative part, responses of earlier controls",
        "control_b": "second shape of the informative part",
        "robust_weight": "prior weight of the vague part",
        "vague_a": "first shape of the vague part, and of treatment's prior",
        "vague_b": "second shape of the vague part, and of treatment's prior",
        "margin": "difference of rates by which treatment has to be better",
    }
    defaults: Mapping[str, Any] = {
        "control_a": None,
        "control_b": None,
        "robust_weight": 0.2,
        "vague_a": 1.0,
        "vague_b": 1.0,
        "margin": 0.0,
    }

    def control_posterior(self, cut: DataCut, options: Mapping[str, Any]) -> Mixture:
        """Return control's posterior, whose first weight is how far earlier trials are still believed."""
        chosen = options_of(self.name, self.prior, self.defaults, options)
        _refuse_weight(self.name, chosen["robust_weight"])
        n, successes = responses(cut)
        vague = (chosen["robust_weight"], chosen["vague_a"], chosen["vague_b"])
        informative = (1.0 - chosen["robust_weight"], chosen["control_a"], chosen["control_b"])
        return update_by_responses(mixture(Family.BETA, [informative, vague]), successes[:, 0], n[:, 0])

    def posterior(
        self, cut: DataCut, lower_is_better: bool, options: Mapping[str, Any], level: float | None = 0.95
    ) -> Posterior:
        """Return the posterior of every replicate."""
        chosen = options_of(self.name, self.prior, self.defaults, options)
        n, successes = responses(cut)
        vague = mixture(Family.BETA, [(1.0, chosen["vague_a"], chosen["vague_b"])])
        treatment = update_by_responses(vague, successes[:, 1], n[:, 1])
        return _difference(
            treatment, self.control_posterior(cut, options), chosen["margin"], lower_is_better, level
        )


class RobustNormal:
    """Difference of two means of known variance, control's prior a mixture of what earlier trials say and a vague part."""

    name = "robust_normal"
    endpoint_kinds = ("continuous",)
    estimand = "difference_in_means"
    reference = "Schmidli et al. 2014"
    kind = "exact"
    accuracy = "closed form"
    prior: Mapping[str, str] = {
        "sd": "standard deviation of an outcome",
        "control_mean": "mean of the informative part",
        "control_sd": "standard deviation of the informative part",
        "robust_weight": "prior weight of the vague part",
        "vague_mean": "mean of the vague part, and of treatment's prior",
        "vague_sd": "standard deviation of the vague part, and of treatment's prior",
        "margin": "difference of means by which treatment has to be better",
    }
    defaults: Mapping[str, Any] = {
        "sd": None,
        "control_mean": None,
        "control_sd": None,
        "robust_weight": 0.2,
        "vague_mean": None,
        "vague_sd": None,
        "margin": 0.0,
    }

    def control_posterior(self, cut: DataCut, options: Mapping[str, Any]) -> Mixture:
        """Return control's posterior, whose first weight is how far earlier trials are still believed."""
        chosen = options_of(self.name, self.prior, self.defaults, options)
        _refuse_weight(self.name, chosen["robust_weight"])
        moments = cut.moments()
        vague = (chosen["robust_weight"], chosen["vague_mean"], chosen["vague_sd"])
        informative = (1.0 - chosen["robust_weight"], chosen["control_mean"], chosen["control_sd"])
        prior = mixture(Family.NORMAL, [informative, vague])
        return update_by_mean(prior, moments.mean[:, 0], moments.n[:, 0], chosen["sd"])

    def posterior(
        self, cut: DataCut, lower_is_better: bool, options: Mapping[str, Any], level: float | None = 0.95
    ) -> Posterior:
        """Return the posterior of every replicate."""
        chosen = options_of(self.name, self.prior, self.defaults, options)
        moments = cut.moments()
        vague = mixture(Family.NORMAL, [(1.0, chosen["vague_mean"], chosen["vague_sd"])])
        treatment = update_by_mean(vague, moments.mean[:, 1], moments.n[:, 1], chosen["sd"])
        return _difference(
            treatment, self.control_posterior(cut, options), chosen["margin"], lower_is_better, level
        )
