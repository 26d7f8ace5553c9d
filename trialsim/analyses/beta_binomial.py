"""The beta-binomial model of one response rate, or of the difference of two."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from trialsim.analyses.equivalent_z import z_of_tail
from trialsim.analyses.outcome import estimates
from trialsim.contracts import DataCut, Estimates, Status, any_of
from trialsim.stats.bayes.beta_binomial import posterior_above, posterior_differences, posterior_moments
from trialsim.stats.bayes.good_outcomes import as_benefit, benefit_margin, beta_priors, reference_rate


class BetaBinomial:
    """Exact posterior of response rates with beta priors (prior, control_prior): z is the deviate of P(benefit).

    So a bound of 1.96 on the z scale is a posterior probability of 0.975. The estimate is the posterior mean of the
    difference (of a single arm: of its rate less the option ``rate``), its standard error the posterior standard deviation.
    Exact: tails of beta laws by continued fractions, differences from zero by a sum where a shape is whole, others by
    quadrature with an error below 1e-7.
    """

    name = "beta_binomial"
    endpoint_kinds = ("binary",)
    estimator = "posterior_mean_difference"
    estimand = "risk_difference"
    reference = "Bayes 1763; Gelman et al., Bayesian Data Analysis, 3rd ed. 2013, ch. 2"
    information = "1 / posterior variance"
    increments = "not independent: the prior stays in every look; thresholds are on posterior probabilities"

    def estimate(self, cut: DataCut, lower_is_better: bool, options: Mapping[str, Any]) -> Estimates:
        """Return the posterior of every replicate; options ``prior``, ``control_prior``, ``margin`` and ``rate``."""
        m = cut.moments()
        n = m.n
        good = as_benefit(np.rint(m.mean * n).astype(np.int64), n, lower_is_better)
        prior = beta_priors(options, lower_is_better)
        single = options["rate"] is not None
        size = len(n)
        mean, variance, probability = np.empty((2, size)), np.empty((2, size)), np.empty(size)
        of_side = [
            (np.ascontiguousarray(good[:, side]), np.ascontiguousarray(n[:, side])) for side in range(2)
        ]
        for side, (successes, patients) in enumerate(of_side):
            a, b = prior[side]
            posterior_moments(successes, patients, a, b, mean[side], variance[side])
        margin = benefit_margin(options, lower_is_better)
        if single:
            rate = reference_rate(options, lower_is_better)
            successes, patients = of_side[1]
            posterior_above(successes, patients, rate + margin, prior[1, 0], prior[1, 1], probability)
            benefit, spread, empty = mean[1] - rate, variance[1], n[:, 1] == 0
        else:
            posterior_differences(good, n, margin, prior, probability)
            benefit, spread = mean[1] - mean[0], variance[0] + variance[1]
            empty = any_of(n == 0)
        effect = -benefit if lower_is_better else benefit
        z = z_of_tail(np.clip(1.0 - probability, 1e-16, 1.0 - 1e-16))
        return estimates(effect, np.sqrt(spread), z, 1.0 / spread, [(Status.EMPTY_ARM, empty)])
