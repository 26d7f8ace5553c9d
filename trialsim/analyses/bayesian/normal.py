"""Means of normal outcomes, their variance known or not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from trialsim.analyses.bayesian.arms import difference_of_arms
from trialsim.analyses.bayesian.options import options_of
from trialsim.contracts import DataCut, Floats, Posterior, Status
from trialsim.stats.bayes.families import Family
from trialsim.stats.bayes.normal import posterior_known_variance, posterior_unknown_variance


class NormalKnownVariance:
    """Difference of two means with normal priors, the outcomes' standard deviation being known."""

    name = "normal_known_variance"
    endpoint_kinds = ("continuous",)
    estimand = "difference_in_means"
    reference = "Gelman et al. 2013, section 2.5"
    kind = "exact"
    accuracy = "closed form"
    prior: Mapping[str, str] = {
        "sd": "standard deviation of an outcome",
        "prior_mean": "mean of both means' normal priors",
        "prior_sd": "their standard deviation",
        "margin": "difference of means by which treatment has to be better",
    }
    defaults: Mapping[str, Any] = {"sd": None, "prior_mean": 0.0, "prior_sd": None, "margin": 0.0}

    def posterior(
        self, cut: DataCut, lower_is_better: bool, options: Mapping[str, Any], level: float | None = 0.95
    ) -> Posterior:
        """Return the posterior of every replicate."""
        chosen = options_of(self.name, self.prior, self.defaults, options)
        family, parameters = self.arm_laws(cut, options)
        return difference_of_arms(family, parameters, chosen["margin"], lower_is_better, level, [])

    def arm_laws(self, cut: DataCut, options: Mapping[str, Any]) -> tuple[Family, Floats]:
        """Return the family of the means' posteriors and their parameters, ``[replicate, 2, 3]``: control, treatment."""
        chosen = options_of(self.name, self.prior, self.defaults, options)
        moments = cut.moments()
        return Family.NORMAL, posterior_known_variance(
            moments.n, moments.mean, chosen["sd"], chosen["prior_mean"], chosen["prior_sd"]
        )


class NormalUnknownVariance:
    """Difference of two means, each arm's variance unknown and its own: Student's t against Student's t."""

    name = "normal_unknown_variance"
    endpoint_kinds = ("continuous",)
    estimand = "difference_in_means"
    reference = (
        "Gelman et al. 2013, section 3.3; with the values left out the Behrens-Fisher solution, Fisher 1935"
    )
    kind = "exact"
    accuracy = "quadrature to 1e-9"
    prior: Mapping[str, str] = {
        "prior_mean": "mean of both means' priors",
        "prior_worth": "outcomes that they are worth; 0 is flat",
        "variance_shape_parameter": "shape of the variances' inverse-gamma priors; -0.5 with scale 0 is flat in log sd",
        "variance_scale_parameter": "scale of the variances' inverse-gamma priors",
        "margin": "difference of means by which treatment has to be better",
    }
    defaults: Mapping[str, Any] = {
        "prior_mean": 0.0,
        "prior_worth": 0.0,
        "variance_shape_parameter": -0.5,
        "variance_scale_parameter": 0.0,
        "margin": 0.0,
    }

    def posterior(
        self, cut: DataCut, lower_is_better: bool, options: Mapping[str, Any], level: float | None = 0.95
    ) -> Posterior:
        """Return the posterior of every replicate."""
        chosen = options_of(self.name, self.prior, self.defaults, options)
        family, parameters = self.arm_laws(cut, options)
        improper = ~np.isfinite(parameters).all(axis=(1, 2))
        failures: list[tuple[Status, object]] = [(Status.NO_VARIANCE, improper)]
        return difference_of_arms(family, parameters, chosen["margin"], lower_is_better, level, failures)

    def arm_laws(self, cut: DataCut, options: Mapping[str, Any]) -> tuple[Family, Floats]:
        """Return the family of the means' posteriors and their parameters, ``[replicate, 2, 3]``: control, treatment."""
        chosen = options_of(self.name, self.prior, self.defaults, options)
        moments = cut.moments()
        return Family.STUDENT, posterior_unknown_variance(
            moments.n,
            moments.mean,
            moments.squares,
            chosen["prior_mean"],
            chosen["prior_worth"],
            chosen["variance_shape_parameter"],
            chosen["variance_scale_parameter"],
        )
