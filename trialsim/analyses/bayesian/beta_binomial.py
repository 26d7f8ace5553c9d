"""Response rates with beta priors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from trialsim.analyses.bayesian.arms import difference_of_arms
from trialsim.analyses.bayesian.options import options_of
from trialsim.contracts import DataCut, Floats, Posterior
from trialsim.stats.bayes.families import Family


class BetaBinomial:
    """Difference of two response rates, each with a beta prior."""

    name = "beta_binomial"
    endpoint_kinds = ("binary",)
    estimand = "difference_in_proportions"
    reference = "Gelman et al. 2013, section 2.4"
    kind = "exact"
    accuracy = "quadrature to 1e-9"
    prior: Mapping[str, str] = {
        "a": "first shape of both beta priors, responses that they are worth",
        "b": "second shape, patients without response that they are worth",
        "margin": "difference of rates by which treatment has to be better",
    }
    defaults: Mapping[str, Any] = {"a": 1.0, "b": 1.0, "margin": 0.0}

    def posterior(
        self, cut: DataCut, lower_is_better: bool, options: Mapping[str, Any], level: float | None = 0.95
    ) -> Posterior:
        """Return the posterior of every replicate."""
        chosen = options_of(self.name, self.prior, self.defaults, options)
        n, successes = responses(cut)
        parameters = np.stack(
            [chosen["a"] + successes, chosen["b"] + n - successes, np.zeros_like(successes)], axis=-1
        )
        return difference_of_arms(Family.BETA, parameters, chosen["margin"], lower_is_better, level, [])


def responses(cut: DataCut) -> tuple[Floats, Floats]:
    """Return patients read out and responses, ``[replicate, 2]``: control, treatment."""
    moments = cut.moments()
    n = moments.n.astype(np.float64)
    return n, np.rint(n * np.where(moments.n > 0, moments.mean, 0.0))
