"""Event rates and hazards with gamma priors: counts with their time at risk, and survival with a constant hazard."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from trialsim.analyses.bayesian.options import options_of
from trialsim.analyses.bayesian.outcome import no_interval, posterior_of
from trialsim.analyses.bayesian.predicted_hazards import (
    FOLLOWED,
    FOLLOWED_DEFAULTS,
    completed_hazards,
    rows_within,
)
from trialsim.analyses.keys import Key
from trialsim.contracts import DataCut, Floats, Ints, PatientRows, Posterior
from trialsim.stats.bayes.families import Family
from trialsim.stats.bayes.gamma_exponential import events_and_exposure
from trialsim.stats.bayes.gamma_poisson import (
    log_ratio_moments,
    posterior_rate,
    probability_ratio_below,
    ratio_quantile,
)


def _ratio_of_rates(
    rates: Floats, chosen: Mapping[str, Any], lower_is_better: bool, level: float | None
) -> Posterior:
    """Return the posterior of the log ratio of treatment's rate to control's, given both, ``[replicate, 2, 3]``."""
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


def _against_a_rate(
    treatment: Floats, rate: float, chosen: Mapping[str, Any], lower_is_better: bool, level: float | None
) -> Posterior:
    """Return the posterior of the log ratio of treatment's rate, ``[replicate, 3]``, to a rate."""
    from scipy.special import digamma, gammainc, gammaincinv, polygamma

    shape, per = treatment[:, 0], treatment[:, 1]
    below = gammainc(shape, per * rate * chosen["margin_ratio"])
    mean, sd = digamma(shape) - np.log(per * rate), np.sqrt(polygamma(1, shape))
    interval = no_interval(len(mean))
    if level is not None:
        tails = 0.5 * (1.0 - level), 0.5 * (1.0 + level)
        with np.errstate(divide="ignore"):
            low, high = (np.log(gammaincinv(shape, tail) / (per * rate)) for tail in tails)
        interval = (np.asarray(low), np.asarray(high))
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
        "limit": "events a day with which treatment alone is compared; 0: control is",
    }
    defaults: Mapping[str, Any] = {"prior_shape": 0.5, "prior_rate": None, "margin_ratio": 1.0, "limit": 0.0}

    def posterior(
        self, cut: DataCut, lower_is_better: bool, options: Mapping[str, Any], level: float | None = 0.95
    ) -> Posterior:
        """Return the posterior of every replicate; a patient's ``event`` is a number of events in ``value`` days."""
        chosen = options_of(self.name, self.prior, self.defaults, options)
        rows = cut.patients()
        size = len(rows.offsets) - 1
        cell = 2 * np.repeat(np.arange(size), np.diff(rows.offsets)) + rows.treated
        events, exposure = (
            np.bincount(cell, each, 2 * size).reshape(size, 2).astype(np.float64)
            for each in (rows.event, rows.value)
        )
        rates = posterior_rate(events, exposure, chosen["prior_shape"], chosen["prior_rate"])
        if chosen["limit"] > 0.0:
            return _against_a_rate(rates[:, 1], chosen["limit"], chosen, lower_is_better, level)
        return _ratio_of_rates(rates, chosen, lower_is_better, level)


class GammaExponential:
    """Hazard ratio of two arms with constant hazards, each with a gamma prior."""

    name = "gamma_exponential"
    endpoint_kinds = ("survival",)
    estimand = "log_hazard_ratio"
    reference = "Gelman et al. 2013, section 2.6; in trials: Thall, Wooten and Tannir 2005"
    kind = "exact"
    accuracy = "closed form"
    prior: Mapping[str, str] = {
        **{name: meaning for name, meaning in GammaPoisson.prior.items() if name != "limit"},
        **FOLLOWED,
    }
    defaults: Mapping[str, Any] = {
        "prior_shape": 0.5,
        "prior_rate": None,
        "margin_ratio": 1.0,
        **FOLLOWED_DEFAULTS,
    }

    def posterior(
        self, cut: DataCut, lower_is_better: bool, options: Mapping[str, Any], level: float | None = 0.95
    ) -> Posterior:
        """Return the posterior of every replicate."""
        chosen = options_of(self.name, self.prior, self.defaults, options)
        return _ratio_of_rates(self.arm_laws(cut, options)[1], chosen, lower_is_better, level)

    def arm_laws(self, cut: DataCut, options: Mapping[str, Any]) -> tuple[Family, Floats]:
        """Return the family of the hazards' posteriors and their parameters, ``[replicate, 2, 3]``: control, treatment."""
        chosen = options_of(self.name, self.prior, self.defaults, options)
        rows = rows_within(cut.patients(), chosen)
        events, exposure = (each[:, :, 0] for each in events_and_exposure(rows))
        return Family.GAMMA, posterior_rate(events, exposure, chosen["prior_shape"], chosen["prior_rate"])

    def completed(
        self,
        rows: PatientRows,
        lower_is_better: bool,
        options: Mapping[str, Any],
        keys: Sequence[Key],
        unseen: Ints,
        to_come: Ints,
    ) -> Floats:
        """Return the posterior probability of a benefit in completed data sets, ``[2, replicate, draw]``.

        Parameters
        ----------
        rows, keys, unseen, to_come
            As of :func:`~trialsim.analyses.bayesian.predicted_hazards.completed_hazards`.
        lower_is_better, options
            As of every Bayesian analysis.
        """
        chosen = options_of(self.name, self.prior, self.defaults, options)
        shape, rate = completed_hazards(self.name, rows, chosen, np.zeros(1), keys, unseen, to_come)
        laws = np.stack([shape[..., 0], rate[..., 0]], axis=-1).reshape(-1, 2, 2)
        control, treatment = (np.ascontiguousarray(laws[:, arm]) for arm in (0, 1))
        below = probability_ratio_below(treatment, control, chosen["margin_ratio"]).reshape(shape.shape[:3])
        return below if lower_is_better else 1.0 - below
