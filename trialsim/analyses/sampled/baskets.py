"""The hierarchical basket by NUTS, beside its quadrature."""

from __future__ import annotations

import copy
from dataclasses import dataclass

import numpy as np

from trialsim.analyses.keys import Key
from trialsim.analyses.sampled import models
from trialsim.analyses.sampled.nuts import CompiledModel, Fit, Sampling, probability_and_error
from trialsim.contracts import Floats, Ints
from trialsim.stats.bayes.basket import BasketPrior


@dataclass(frozen=True)
class BasketFit:
    """What one data set says of each basket.

    Parameters
    ----------
    above, error
        Probability that the rate exceeds the basket's reference rate, and its Monte Carlo standard error, ``[basket]``; NaN
        where the chains failed.
    mean
        Posterior mean of the rate, ``[basket]``.
    sentence
        What the chains failed; empty where they passed.
    """

    above: Floats
    error: Floats
    mean: Floats
    sentence: str


class BasketNuts:
    """The posterior of a basket design's rates by NUTS: compiled once, then given each look's data.

    Parameters
    ----------
    prior
        Of the log odds; ``exchangeable`` below 1 is EXNEX.
    reference_rates
        The rate that each basket's has to exceed, ``[basket]``.
    sampling
        Length of chains and what they have to pass.
    """

    def __init__(self, prior: BasketPrior, reference_rates: Floats, sampling: Sampling | None = None) -> None:
        rates = np.asarray(reference_rates, dtype=np.float64)
        self.prior, self.sampling = prior, sampling or Sampling()
        self._borders = np.log(rates / (1.0 - rates))
        data = {"n": np.full(len(rates), 10), "responses": np.full(len(rates), 3)}
        partly = prior.exchangeable < 1.0
        model = models.exnex(data, prior) if partly else models.basket(data, prior)
        quantities = ("theta", "own", "belongs") if partly else ("theta",)
        self._compiled = CompiledModel("basket_nuts", model, quantities)

    def machine_code(self) -> str:
        """Return the compiler's account of the log density: see :meth:`CompiledModel.machine_code`."""
        return self._compiled.machine_code()

    def against(self, log_odds: Floats) -> BasketNuts:
        """Return the same compiled model with other references, on the log odds, ``[basket]``."""
        other = copy.copy(self)
        other._borders = np.asarray(log_odds, dtype=np.float64)
        return other

    def fit(self, responses: Ints, n: Ints, key: Key) -> BasketFit:
        """Return the posterior of one data set.

        Parameters
        ----------
        responses, n
            ``[basket]``.
        key
            Address of the fit.
        """
        data = {"n": np.asarray(n, dtype=np.int64), "responses": np.asarray(responses, dtype=np.int64)}
        fit = self._compiled.fit(data, key, self.sampling)
        if not fit.passed:
            nothing = np.full(len(self._borders), np.nan)
            return BasketFit(nothing, nothing, nothing, fit.sentence)
        exceeding, rate = self._by_draw(fit)
        found = [probability_and_error(exceeding[:, :, j]) for j in range(len(self._borders))]
        above, error = (np.array(each) for each in zip(*found, strict=True))
        return BasketFit(above, error, rate.mean(axis=(0, 1)), "")

    def _by_draw(self, fit: Fit) -> tuple[Floats, Floats]:
        """Return by draw whether each rate exceeds its reference, and the rate, ``[chain, draw, basket]``."""
        theta = fit.draws["theta"]
        exceeding, rate = (theta > self._borders).astype(np.float64), 1.0 / (1.0 + np.exp(-theta))
        if "own" not in fit.draws:
            return exceeding, rate
        own, belongs = fit.draws["own"], fit.draws["belongs"]
        exceeding = belongs * exceeding + (1.0 - belongs) * (own > self._borders)
        return exceeding, belongs * rate + (1.0 - belongs) / (1.0 + np.exp(-own))
