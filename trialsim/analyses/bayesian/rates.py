"""Event rates and hazards with gamma priors: counts with their time at risk, and survival with a constant hazard."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from trialsim.analyses.bayesian.options import options_of
from trialsim.analyses.bayesian.outcome import no_interval, posterior_of
from trialsim.contracts import DataCut, Posterior
from trialsim.stats.bayes.gamma_exponential import events_and_exposure
from trialsim.stats.bayes.gamma_poisson import (
    log_ratio_moments,
    posterior_rate,
    probability_ratio_below,
    ratio_quantile,
)


def _ratio_of_rates(
    cut: DataCut, chosen: Mapping[str, Any], lower_is_better: bool, level: float | None
) -> Posterior:
    """Return the posterior of the log ratio of treatment's rate to control's."""
    events, exposure = (each[:, :, 0] for each in events_and_exposure(cut.patients()))
    rates = posterior_rate(events, exposure, chosen["prior_shape"], chosen["prior_rate"])
    control, treatment = (np.ascontiguousarray(rates[:, arm]) for arm in (0, 1))
    below = probability_ratio_below(treatment, control, chosen["margin_ratio"])
    mean, sd = log_ratio_moments(treatment, control)
    interval = no_interval(len(mean))
    if level is not None:
        tail = 0.5 * (1.0 - level)
        with np.errstate(divide="ignore"):
            interval = (
                np.log(ratio_quantile(treatment, control, tail)),
                np.log(ratio_quantile(treatment, control, 1.0 - tail)),
            )
    return posterior_of("exact", below if lower_is_better else 1.0 - below, mean, sd, interval, 0.0, [])


class GammaPoisson:
    """Ratio of two event rates of recurrent events, as adverse events, each with a gamma prior."""

    name = "gamma_poisson"
    endpoint_kinds = ("count",)
    estimand = "log_rate_ratio"
    reference = "Gelman et al. 2013, section 2.6"
    kind = "exact"
    accuracy = "closed form"
    prior: Mapping[str, str] = {
        "prior_shape": "shape of both gamma priors, events that they are worth",
        "prior_rate": "their rate, days at risk that they are worth",
        "margin_ratio": "rate ratio that has to be bettered; 1 is equality",
    }
    defaults: Mapping[str, Any] = {"prior_shape": 0.5, "prior_rate": None, "margin_ratio": 1.0}

    def posterior(
        self, cut: DataCut, lower_is_better: bool, options: Mapping[str, Any], level: float | None = 0.95
    ) -> Posterior:
        """Return the posterior of every replicate; a patient's ``event`` is a number of events in ``value`` days."""
        return _ratio_of_rates(
            cut, options_of(self.name, self.prior, self.defaults, options), lower_is_better, level
        )


class GammaExponential:
    """Hazard ratio of two arms with constant hazards, each with a gamma prior."""

    name = "gamma_exponential"
    endpoint_kinds = ("survival",)
    estimand = "log_hazard_ratio"
    reference = "Gelman et al. 2013, section 2.6; in trials: Thall, Wooten and Tannir 2005"
    kind = "exact"
    accuracy = "closed form"
    prior = GammaPoisson.prior
    defaults = GammaPoisson.defaults

    def posterior(
        self, cut: DataCut, lower_is_better: bool, options: Mapping[str, Any], level: float | None = 0.95
    ) -> Posterior:
        """Return the posterior of every replicate."""
        return _ratio_of_rates(
            cut, options_of(self.name, self.prior, self.defaults, options), lower_is_better, level
        )
