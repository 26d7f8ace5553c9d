"""A basket's response rate, the design's arms being baskets that borrow from each other."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import numpy as np

from trialsim.analyses.bayesian.options import options_of
from trialsim.analyses.bayesian.outcome import no_interval, posterior_of
from trialsim.contracts import DataCut, Posterior
from trialsim.stats.bayes.basket import BasketPrior, BasketQuadrature


class Basket:
    """Response rate of one basket less a reference rate, log odds of all baskets exchangeable, or with some probability.

    Every arm of the design is a basket. No interval is worked out.
    """

    name = "basket"
    endpoint_kinds = ("binary",)
    estimand = "difference_in_proportions"
    reference = "Berry, Broglio, Groshen and Berry 2013; EXNEX: Neuenschwander et al. 2016"
    kind = "exact"
    accuracy = "quadrature to 2e-5"
    largest_error = 2e-5
    prior: Mapping[str, str] = {
        "rate": "the rate that the basket's has to exceed",
        "mean": "mean of the normal prior of the common mean of log odds",
        "mean_sd": "its standard deviation",
        "between_scale": "scale of the half-normal prior of the between-basket standard deviation",
        "exchangeable": "probability that a basket belongs with the others; 1 is full exchangeability",
        "own_mean": "mean of the normal prior of a basket that does not",
        "own_sd": "its standard deviation",
    }
    defaults: Mapping[str, Any] = {
        "rate": None,
        "mean": 0.0,
        "mean_sd": 2.0,
        "between_scale": 1.0,
        "exchangeable": 1.0,
        "own_mean": 0.0,
        "own_sd": 2.0,
    }

    def posterior(
        self, cut: DataCut, lower_is_better: bool, options: Mapping[str, Any], level: float | None = 0.95
    ) -> Posterior:
        """Return the posterior of every replicate; ``level`` is not used."""
        chosen = options_of(self.name, self.prior, self.defaults, options)
        rate = chosen.pop("rate")
        arms = cut.every_arm()
        engine = _quadrature(BasketPrior(**chosen), rate, arms.n.shape[1], arms.most)
        found = engine.posterior(np.rint(arms.total).astype(np.int64), arms.n)
        above, mean, sd = (each[:, arms.arm] for each in (found.above, found.mean, found.sd))
        probability = 1.0 - above if lower_is_better else above
        return posterior_of(
            self.kind, probability, mean - rate, sd, no_interval(len(mean)), self.largest_error, []
        )


@functools.lru_cache(maxsize=8)
def _quadrature(prior: BasketPrior, rate: float, baskets: int, patients: int) -> BasketQuadrature:
    """Return the tables for one prior and rate, which all tests and looks of a design share."""
    return BasketQuadrature(prior, np.full(baskets, rate), patients)
