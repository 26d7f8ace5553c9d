"""The PyMC models that ship: covariate-adjusted logistic and Weibull regression, and the hierarchical basket.

Each takes one data set's arrays to begin with and holds them as ``pm.Data``, so that a compiled model can be given others.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trialsim.analyses.sampled.nuts import libraries
from trialsim.stats.bayes.basket import BasketPrior

Arrays = Mapping[str, NDArray[Any]]


def logistic(data: Arrays, prior: Mapping[str, Any]) -> Any:
    """Return logistic regression of ``value`` on treatment and covariates; ``effect`` is the log odds ratio."""
    pm, _, _ = libraries()
    with pm.Model() as model:
        treated, value = pm.Data("treated", data["treated"]), pm.Data("value", data["value"])
        intercept = pm.Normal("intercept", prior["intercept_mean"], prior["intercept_sd"])
        effect = pm.Normal("effect", prior["prior_mean"], prior["prior_sd"])
        eta = intercept + effect * treated + _of_covariates(pm, data, prior)
        pm.Bernoulli("response", logit_p=eta, observed=value)
    return model


def weibull(data: Arrays, prior: Mapping[str, Any]) -> Any:
    """Return Weibull regression of days of follow-up with proportional hazards; ``effect`` is the log hazard ratio."""
    pm, _, _ = libraries()
    with pm.Model() as model:
        treated, event = pm.Data("treated", data["treated"]), pm.Data("event", data["event"])
        time = pm.Data("value", data["value"]) / prior["time_unit"]
        log_shape = pm.Normal("log_shape", 0.0, prior["log_shape_sd"])
        shape = pm.math.exp(log_shape)
        intercept = pm.Normal("intercept", prior["intercept_mean"], prior["intercept_sd"])
        effect = pm.Normal("effect", prior["prior_mean"], prior["prior_sd"])
        log_rate = intercept + effect * treated + _of_covariates(pm, data, prior)
        log_time = pm.math.log(time)
        log_hazard = log_shape + log_rate + (shape - 1.0) * log_time
        pm.Potential("follow_up", (event * log_hazard - pm.math.exp(log_rate + shape * log_time)).sum())
    return model


def _of_covariates(pm: Any, data: Arrays, prior: Mapping[str, Any]) -> Any:
    """Return the covariates' part of the linear predictor, nothing without covariates."""
    columns = data["covariates"].shape[1]
    if columns == 0:
        return 0.0
    coefficients = pm.Normal("coefficients", 0.0, prior["covariate_sd"], shape=columns)
    return pm.math.dot(pm.Data("covariates", data["covariates"]), coefficients)


def basket(data: Arrays, prior: BasketPrior) -> Any:
    """Return the hierarchical basket model; ``theta`` are the baskets' log odds.

    Written non-centred (Betancourt and Girolami 2015), because a centred one diverges where baskets are alike.
    """
    pm, _, _ = libraries()
    baskets = len(data["n"])
    with pm.Model() as model:
        n, responses = pm.Data("n", data["n"]), pm.Data("responses", data["responses"])
        mean = pm.Normal("mean", prior.mean, prior.mean_sd)
        between = pm.HalfNormal("between", prior.between_scale)
        theta = mean + between * pm.Normal("apart", 0.0, 1.0, shape=baskets)
        pm.Deterministic("theta", theta)
        pm.Binomial("response", n=n, logit_p=theta, observed=responses)
    return model


def exnex(data: Arrays, prior: BasketPrior) -> Any:
    """Return the basket model in which each basket is exchangeable with some probability, else on its own.

    Which of the two holds is summed out: ``belongs`` is its probability given the draw, ``theta`` the log odds of a basket
    that belongs, ``own`` of one that does not.
    """
    pm, _, _ = libraries()
    baskets = len(data["n"])
    with pm.Model() as model:
        n, responses = pm.Data("n", data["n"]), pm.Data("responses", data["responses"])
        mean = pm.Normal("mean", prior.mean, prior.mean_sd)
        between = pm.HalfNormal("between", prior.between_scale)
        theta = mean + between * pm.Normal("apart", 0.0, 1.0, shape=baskets)
        pm.Deterministic("theta", theta)
        own = pm.Normal("own", prior.own_mean, prior.own_sd, shape=baskets)

        def log_likelihood(log_odds: Any) -> Any:
            return responses * log_odds - n * pm.math.log1pexp(log_odds)

        together = np.log(prior.exchangeable) + log_likelihood(theta)
        apart = np.log1p(-prior.exchangeable) + log_likelihood(own)
        pm.Deterministic("belongs", pm.math.sigmoid(together - apart))
        pm.Potential("response", pm.math.logaddexp(together, apart).sum())
    return model
