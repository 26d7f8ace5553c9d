"""Analyses of two arms by NUTS: those that ship, and a user's own PyMC model made into one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trialsim.analyses.bayesian.options import options_of
from trialsim.analyses.bayesian.outcome import posterior_of
from trialsim.analyses.keys import Key
from trialsim.analyses.sampled import models
from trialsim.analyses.sampled.held_data import refuse_fixed_data
from trialsim.analyses.sampled.nuts import CompiledModel, Fit, Sampling, probability_and_error
from trialsim.contracts import JUDGED_BY, DataCut, Floats, PatientRows, Posterior, Status
from trialsim.stats.cholesky import independent_columns

_CHECKED = "ArviZ gates every fit: R-hat up to 1.05, 200 effective draws (100 in the tails), 1% divergent"


def arrays_of(rows: PatientRows, place: int) -> dict[str, NDArray[Any]]:
    """Return one data set's patients as a model gets them, by name.

    Parameters
    ----------
    rows
        Patients of a batch.
    place
        Position of the data set in it.

    Returns
    -------
    dict
        ``treated``, ``value``, ``event``, ``stratum``, each ``[patient]``, and ``covariates``, ``[patient, column]``,
        centred and scaled to standard deviation 1 in the data at hand.
    """
    here = slice(rows.offsets[place], rows.offsets[place + 1])
    covariates = rows.covariates[here].copy()
    kept = independent_columns(covariates)
    covariates[:, kept:] = 0.0
    return {
        "treated": rows.treated[here].astype(np.float64),
        "value": rows.value[here].astype(np.float64),
        "event": rows.event[here].astype(np.float64),
        "stratum": rows.stratum[here],
        "covariates": covariates,
    }


class PymcAnalysis:
    """A PyMC model made into an analysis by a function that builds it from a data cut's arrays.

    Parameters
    ----------
    name
        Of the analysis; part of every seed.
    build
        Takes the arrays of :func:`arrays_of` by name and the options, and returns a PyMC model that holds what it needs of
        the arrays as ``pm.Data`` under the same names. The first line of its docstring is what lists show of the analysis.
    effect
        The variable that is treatment's effect, one number.
    endpoint_kinds, estimand, reference
        What the analysis is for, what it estimates and where that comes from.
    prior, defaults
        Options by name: their meaning, and their values where they are left out.
    sampling
        Length of chains and what they have to pass.
    """

    name: str
    endpoint_kinds: tuple[str, ...]
    estimand: str
    reference: str
    prior: Mapping[str, str]
    defaults: Mapping[str, Any]
    kind = "sampled"
    keyed = True
    accuracy = f"NUTS by nutpie, Monte Carlo error with each probability; {_CHECKED}"

    def __init__(
        self,
        name: str,
        build: Callable[[Mapping[str, NDArray[Any]], Mapping[str, Any]], Any],
        effect: str = "effect",
        endpoint_kinds: tuple[str, ...] = ("binary", "continuous", "survival"),
        estimand: str = "effect",
        reference: str = "",
        prior: Mapping[str, str] | None = None,
        defaults: Mapping[str, Any] | None = None,
        sampling: Sampling | None = None,
    ) -> None:
        self.name, self.build, self.effect = name, build, effect
        self.endpoint_kinds, self.estimand, self.reference = endpoint_kinds, estimand, reference
        self.prior = {"margin": "effect by which treatment has to be better", **(prior or {})}
        self.defaults = {"margin": 0.0, **(defaults or {})}
        self.sampling = sampling or Sampling()
        if type(self) is PymcAnalysis and build.__doc__:
            # What the builder says of its model is what lists show.
            self.__doc__ = build.__doc__
        self._compiled: dict[str, CompiledModel] = {}

    def __call__(self) -> PymcAnalysis:
        """Return itself: a registry asks a part for its instance."""
        return self

    def posterior(
        self,
        cut: DataCut,
        lower_is_better: bool,
        options: Mapping[str, Any],
        level: float | None = 0.95,
        keys: list[Key] | None = None,
    ) -> Posterior:
        """Return the posterior of every replicate.

        Parameters
        ----------
        cut, lower_is_better, options, level
            As of every Bayesian analysis.
        keys
            Address of each replicate's fit; without it seed 0 and the replicates' places in the batch.
        """
        chosen = options_of(self.name, self.prior, self.defaults, options)
        rows = cut.patients()
        size = len(rows.offsets) - 1
        out, chains = np.full((6, size), np.nan), np.full((size, len(JUDGED_BY)), np.nan)
        failed = np.zeros(size, dtype=bool)
        empty = np.zeros(size, dtype=bool)
        for r in range(size):
            data = arrays_of(rows, r)
            empty[r] = len(data["value"]) == 0
            if empty[r]:
                continue
            fit = self.fit(data, chosen, keys[r] if keys else Key(0, r))
            failed[r], chains[r] = not fit.passed, fit.chains
            draws = fit.draws[self.effect]
            better = -draws > chosen["margin"] if lower_is_better else draws > chosen["margin"]
            out[0, r], out[5, r] = probability_and_error(better.astype(np.float64))
            out[1, r], out[2, r] = draws.mean(), draws.std(ddof=1)
            if level is not None:
                out[3:5, r] = np.quantile(draws, [0.5 - 0.5 * level, 0.5 + 0.5 * level])
        failures: list[tuple[Status, object]] = [
            (Status.EMPTY_ARM, empty),
            (Status.CHAINS_FAILED, failed),
        ]
        found = posterior_of("sampled", out[0], out[1], out[2], (out[3], out[4]), out[5], failures)
        return replace(found, chains=chains)

    def failed_by(self, chains: Floats) -> str:
        """Return what the chains of a fit fail, in words; empty where they pass.

        Parameters
        ----------
        chains
            What they are judged by, as a posterior has them of one replicate.
        """
        return self.sampling.failed_by(chains, self.effect)

    def fit(self, data: Mapping[str, NDArray[Any]], options: Mapping[str, Any], key: Key) -> Fit:
        """Return the fit of one data set; the model is compiled at the first one with these options."""
        shape = data["covariates"].shape[1]
        made = f"{shape} {sorted((name, value) for name, value in options.items() if name != 'margin')}"
        if made not in self._compiled:
            model = self.build(data, options)
            refuse_fixed_data(self.name, model, data)
            self._compiled[made] = CompiledModel(self.name, model, (self.effect,))
        return self._compiled[made].fit(data, key, self.sampling)


_REGRESSION_PRIOR = {
    "prior_mean": "mean of the normal prior of the log ratio",
    "prior_sd": "its standard deviation",
    "covariate_sd": "standard deviation of the normal priors of covariates' coefficients, covariates scaled to sd 1",
    "intercept_mean": "mean of the intercept's normal prior",
    "intercept_sd": "its standard deviation",
}
_REGRESSION_DEFAULTS = {
    "prior_mean": 0.0,
    "prior_sd": 2.5,
    "covariate_sd": 2.5,
    "intercept_mean": 0.0,
    "intercept_sd": 2.5,
}


class LogisticNuts(PymcAnalysis):
    """Log odds ratio of treatment given covariates with normal priors, by NUTS."""

    name = "logistic_nuts"
    endpoint_kinds = ("binary",)
    estimand = "log_odds_ratio"
    reference = "Gelman et al. 2008; NUTS: Hoffman and Gelman 2014"
    prior: Mapping[str, str] = {
        "margin": "log ratio by which treatment has to be better",
        **_REGRESSION_PRIOR,
    }
    defaults: Mapping[str, Any] = {"margin": 0.0, **_REGRESSION_DEFAULTS}

    def __init__(self, sampling: Sampling | None = None) -> None:
        super().__init__(
            self.name,
            models.logistic,
            "effect",
            self.endpoint_kinds,
            self.estimand,
            self.reference,
            type(self).prior,
            type(self).defaults,
            sampling,
        )


class WeibullNuts(PymcAnalysis):
    """Log hazard ratio of treatment given covariates in a Weibull model, by NUTS."""

    name = "weibull_nuts"
    endpoint_kinds = ("survival",)
    estimand = "log_hazard_ratio"
    reference = "Ibrahim, Chen and Sinha 2001, section 2.2; NUTS: Hoffman and Gelman 2014"
    prior: Mapping[str, str] = {
        "margin": "log ratio by which treatment has to be better",
        **_REGRESSION_PRIOR,
        "log_shape_sd": "standard deviation of the normal prior, of mean 0, of the log of Weibull's shape",
        "time_unit": "days that the intercept's rate is for",
    }
    defaults: Mapping[str, Any] = {
        "margin": 0.0,
        **_REGRESSION_DEFAULTS,
        "log_shape_sd": 0.5,
        "time_unit": 365.25,
    }

    def __init__(self, sampling: Sampling | None = None) -> None:
        super().__init__(
            self.name,
            models.weibull,
            "effect",
            self.endpoint_kinds,
            self.estimand,
            self.reference,
            type(self).prior,
            type(self).defaults,
            sampling,
        )
