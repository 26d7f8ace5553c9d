"""Logistic regression and the Cox model with normal priors, other coefficients integrated out by Laplace's method."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from trialsim.analyses.bayesian.options import options_of
from trialsim.analyses.bayesian.outcome import posterior_of
from trialsim.contracts import DataCut, Posterior, Status
from trialsim.stats.bayes.regression import CoefficientPosterior, cox_posterior, logistic_posterior

LEAST_PATIENTS = 20
"""Patients for each covariate, and at all, from which on Laplace's method is taken: measured, see docs/bayes.md."""
LEAST_EVENTS = 3
"""Events, and in logistic regression non-events, for each covariate, and at all, from which on it is taken."""
LARGEST_ERROR = 0.02
"""Largest error of the probit of a probability that was found inside that range."""

_EFFECT_PRIOR = {
    "prior_mean": "mean of the normal prior of the log ratio",
    "prior_sd": "its standard deviation",
    "covariate_sd": "standard deviation of the normal priors of covariates' coefficients, covariates scaled to sd 1",
    "margin": "log ratio by which treatment has to be better",
}
_EFFECT_DEFAULTS = {"prior_mean": 0.0, "prior_sd": 2.5, "covariate_sd": 2.5, "margin": 0.0}


def _posterior(
    found: CoefficientPosterior,
    upper: bool,
    covariates: int,
    fewest: Any,
    failures: list[tuple[Status, object]],
) -> Posterior:
    from scipy.special import ndtr, ndtri

    probability = found.above if upper else 1.0 - found.above
    coefficients = max(covariates, 1)
    outside = (found.patients < LEAST_PATIENTS * coefficients) | (fewest < LEAST_EVENTS * coefficients)
    # The probit's error as one of the probability.
    depth = -np.abs(ndtri(np.clip(probability, 1e-15, 1.0 - 1e-15)))
    error = ndtr(depth + LARGEST_ERROR) - ndtr(depth)
    failures = [*failures, (Status.OUTSIDE_RANGE, outside), (Status.NO_FINITE_ESTIMATE, np.isnan(found.mean))]
    return posterior_of(
        "approximate", probability, found.mean, found.sd, (found.lower, found.upper), error, failures
    )


class LogisticLaplace:
    """Log odds ratio of treatment given covariates with normal priors, by Laplace's method."""

    name = "logistic_laplace"
    endpoint_kinds = ("binary",)
    estimand = "log_odds_ratio"
    reference = "Tierney and Kadane 1986"
    kind = "approximate"
    probit_error = LARGEST_ERROR
    accuracy = (
        f"within {LARGEST_ERROR} on the probit scale from {LEAST_PATIENTS} patients, {LEAST_EVENTS} responses and "
        f"{LEAST_EVENTS} non-responses on for each covariate, and at all; refused below"
    )
    prior: Mapping[str, str] = {
        **_EFFECT_PRIOR,
        "intercept_mean": "mean of the normal prior of control's log odds",
        "intercept_sd": "its standard deviation",
    }
    defaults: Mapping[str, Any] = {**_EFFECT_DEFAULTS, "intercept_mean": 0.0, "intercept_sd": 2.5}

    def posterior(
        self, cut: DataCut, lower_is_better: bool, options: Mapping[str, Any], level: float | None = 0.95
    ) -> Posterior:
        """Return the posterior of every replicate."""
        chosen = options_of(self.name, self.prior, self.defaults, options)
        margin = -chosen["margin"] if lower_is_better else chosen["margin"]
        rows = cut.patients()
        found = logistic_posterior(
            rows,
            margin,
            (chosen["prior_mean"], chosen["prior_sd"]),
            (chosen["intercept_mean"], chosen["intercept_sd"]),
            chosen["covariate_sd"],
            0.0 if level is None else 0.5 * (1.0 - level),
        )
        fewest = np.minimum(found.events, found.other)
        return _posterior(found, not lower_is_better, rows.covariates.shape[1], fewest, [])


class CoxLaplace:
    """Log hazard ratio of treatment given covariates with normal priors, by Laplace's method on the partial likelihood."""

    name = "cox_laplace"
    endpoint_kinds = ("survival",)
    estimand = "log_hazard_ratio"
    reference = "Tierney and Kadane 1986; partial likelihood: Kalbfleisch 1978"
    kind = "approximate"
    probit_error = LARGEST_ERROR
    accuracy = (
        f"within {LARGEST_ERROR} on the probit scale from {LEAST_PATIENTS} patients and {LEAST_EVENTS} events on for "
        "each covariate, and at all; refused below; exact without covariates"
    )
    prior: Mapping[str, str] = _EFFECT_PRIOR
    defaults: Mapping[str, Any] = _EFFECT_DEFAULTS

    def posterior(
        self, cut: DataCut, lower_is_better: bool, options: Mapping[str, Any], level: float | None = 0.95
    ) -> Posterior:
        """Return the posterior of every replicate."""
        chosen = options_of(self.name, self.prior, self.defaults, options)
        margin = -chosen["margin"] if lower_is_better else chosen["margin"]
        rows = cut.patients()
        found = cox_posterior(
            rows,
            margin,
            (chosen["prior_mean"], chosen["prior_sd"]),
            chosen["covariate_sd"],
            0.0 if level is None else 0.5 * (1.0 - level),
        )
        nothing: list[tuple[Status, object]] = [(Status.NO_EVENTS, found.events == 0)]
        return _posterior(found, not lower_is_better, rows.covariates.shape[1], found.events, nothing)
