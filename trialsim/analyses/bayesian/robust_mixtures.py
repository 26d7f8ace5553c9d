"""A control arm that borrows from earlier trials through a robust mixture prior."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from trialsim.analyses.bayesian.beta_binomial import responses
from trialsim.analyses.bayesian.options import options_of
from trialsim.analyses.bayesian.outcome import equal_tailed, posterior_of
from trialsim.contracts import DataCut, Floats, Posterior
from trialsim.errors import Problem, ScenarioError
from trialsim.stats.bayes.effective_sample_size import elir_sample_size, mean_tail, prior_predictive_tail
from trialsim.stats.bayes.families import Family
from trialsim.stats.bayes.robust_mixture import (
    Mixture,
    mixture,
    mixtures_exceed,
    update_by_mean,
    update_by_responses,
)


@dataclass(frozen=True)
class Borrowing:
    """How far control's data and what earlier trials say agree, and what is borrowed.

    Parameters
    ----------
    before, after
        Weight of the informative part, in the prior and in the posterior.
    worth_before, worth_after
        Patients that the prior is worth, and that the posterior is worth beyond those it has seen (expected local
        information ratio).
    tail
        Box's p-value: the probability, by earlier trials alone, of data at most as probable as those seen.
    """

    before: float
    after: float
    worth_before: float
    worth_after: float
    tail: float


def _borrowing(
    prior: Mixture, posterior: Mixture, row: int, n: int, tail: float, sd: float | None = None
) -> Borrowing:
    after = Mixture(posterior.family, posterior.weights[row], posterior.parameters[row])
    return Borrowing(
        float(prior.weights[0]), float(after.weights[0]), elir_sample_size(prior, sd),
        elir_sample_size(after, sd) - n, tail,
    )  # fmt: skip


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


def _first_part(prior: Mixture) -> Mixture:
    """Return what earlier trials say, alone."""
    return Mixture(prior.family, np.ones(1), prior.parameters[:1])


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

    def control_prior(self, options: Mapping[str, Any]) -> Mixture:
        """Return control's prior, what earlier trials say first."""
        chosen = options_of(self.name, self.prior, self.defaults, options)
        _refuse_weight(self.name, chosen["robust_weight"])
        vague = (chosen["robust_weight"], chosen["vague_a"], chosen["vague_b"])
        informative = (1.0 - chosen["robust_weight"], chosen["control_a"], chosen["control_b"])
        return mixture(Family.BETA, [informative, vague])

    def control_posterior(self, cut: DataCut, options: Mapping[str, Any]) -> Mixture:
        """Return control's posterior, whose first weight is how far earlier trials are still believed."""
        n, successes = responses(cut)
        return update_by_responses(self.control_prior(options), successes[:, 0], n[:, 0])

    def borrowing(self, cut: DataCut, options: Mapping[str, Any], row: int = 0) -> Borrowing:
        """Return what one replicate of a cut borrows."""
        n, successes = (int(each[row, 0]) for each in responses(cut))
        prior = self.control_prior(options)
        tail = prior_predictive_tail(_first_part(prior), successes, n)
        return _borrowing(prior, self.control_posterior(cut, options), row, n, tail)

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

    def control_prior(self, options: Mapping[str, Any]) -> Mixture:
        """Return control's prior, what earlier trials say first."""
        chosen = options_of(self.name, self.prior, self.defaults, options)
        _refuse_weight(self.name, chosen["robust_weight"])
        vague = (chosen["robust_weight"], chosen["vague_mean"], chosen["vague_sd"])
        informative = (1.0 - chosen["robust_weight"], chosen["control_mean"], chosen["control_sd"])
        return mixture(Family.NORMAL, [informative, vague])

    def control_posterior(self, cut: DataCut, options: Mapping[str, Any]) -> Mixture:
        """Return control's posterior, whose first weight is how far earlier trials are still believed."""
        moments = cut.moments()
        return update_by_mean(self.control_prior(options), moments.mean[:, 0], moments.n[:, 0], options["sd"])

    def borrowing(self, cut: DataCut, options: Mapping[str, Any], row: int = 0) -> Borrowing:
        """Return what one replicate of a cut borrows."""
        moments, prior, sd = cut.moments(), self.control_prior(options), float(options["sd"])
        n, mean = int(moments.n[row, 0]), float(moments.mean[row, 0])
        tail = mean_tail(_first_part(prior), mean, n, sd)
        return _borrowing(prior, self.control_posterior(cut, options), row, n, tail, sd)

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
