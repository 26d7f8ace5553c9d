"""A Bayesian model as the analysis of a hypothesis: its posterior probability on the z scale."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from trialsim import registry
from trialsim.analyses.equivalent_z import z_of_tail
from trialsim.analyses.keys import Key
from trialsim.contracts import BayesianAnalysis, DataCut, Estimates, Floats, Ints, PatientRows
from trialsim.stats.bayes.imputation import CompletedEvents

_SAME = {"difference_in_proportions": "risk_difference"}
_KNOWN = (
    "log_hazard_ratio",
    "log_odds_ratio",
    "risk_difference",
    "difference_in_means",
    "difference_in_survival",
    "difference_in_event_rates",
    "log_rate_ratio",
)
UNKNOWN_ESTIMAND = "effect_of_the_model"
"""Estimand of a model that says of its effect nothing whose true value is worked out here."""


class PosteriorAnalysis:
    """A registered Bayesian model: z is the normal deviate of P(benefit), the estimate the effect's posterior mean.

    So a bound of 1.96 on the z scale is a posterior probability of 0.975. The standard error is the posterior standard
    deviation. Models that sample or impute (``costly``) find their draws at the run's seed, the replicate and the look, and
    are asked only at looks at which something depends on them.

    Parameters
    ----------
    name
        Of a registered posterior.
    """

    estimator = "posterior_mean"
    information = "1 / posterior variance"
    increments = "not independent: the prior stays in every look; thresholds are on posterior probabilities"

    def __init__(self, name: str) -> None:
        self.model: BayesianAnalysis = registry.get("posteriors", name)()
        self.name, self.reference = name, self.model.reference
        self.endpoint_kinds = self.model.endpoint_kinds
        estimand = _SAME.get(self.model.estimand, self.model.estimand)
        self.estimand = estimand if estimand in _KNOWN else UNKNOWN_ESTIMAND
        self.keyed = bool(getattr(self.model, "keyed", False))
        self.costly = self.keyed
        self.sampled = getattr(self.model, "kind", "") == "sampled"

    def estimate(self, cut: DataCut, lower_is_better: bool, options: Mapping[str, Any]) -> Estimates:
        """Return the posterior of every replicate as estimates; of a model with draws, those of seed 0."""
        return self._estimate(cut, lower_is_better, options, {})

    def estimate_at(
        self,
        cut: DataCut,
        lower_is_better: bool,
        options: Mapping[str, Any],
        seed: int,
        replicates: Ints,
        looks: Ints,
        last: int,
    ) -> Estimates:
        """Return the posterior of every replicate, its draws at the address of the look.

        Parameters
        ----------
        cut, lower_is_better, options
            As of every analysis.
        seed
            Of the run.
        replicates, looks
            Global numbers of the replicates, and indices of the looks, ``[replicate]``.
        last
            Index of the last look.
        """
        keys = [Key(seed, int(r), int(look)) for r, look in zip(replicates, looks, strict=True)]
        more: dict[str, Any] = {"keys": keys}
        if getattr(self.model, "has_final_prior", False):
            more["final"] = looks == last
        return self._estimate(cut, lower_is_better, options, more)

    @property
    def has_arm_laws(self) -> bool:
        """Whether the posterior of each arm's own parameter is of a known family."""
        return hasattr(self.model, "arm_laws")

    def arm_laws(self, cut: DataCut, lower_is_better: bool, options: Mapping[str, Any]) -> tuple[int, Floats]:
        """Return the number of the family of the arms' posteriors and their parameters, ``[replicate, 2, 3]``.

        Parameters
        ----------
        cut, lower_is_better, options
            As of every analysis.
        """
        family, parameters = self.model.arm_laws(cut, self.options_of_model(options, lower_is_better))  # type: ignore[attr-defined]
        return int(family), parameters

    def completed(
        self,
        rows: PatientRows,
        lower_is_better: bool,
        options: Mapping[str, Any],
        seed: int,
        view_of: tuple[Ints, Ints],
        patients: tuple[Ints, Ints],
    ) -> CompletedEvents | Floats:
        """Return what is found in data sets completed by imputation, of a model that has ``completed``.

        Parameters
        ----------
        rows
            Patients at an interim look.
        lower_is_better, options
            As of every analysis.
        seed
            Of the run.
        view_of
            Global numbers of the replicates, and indices of the looks, ``[replicate]`` each.
        patients
            Those enrolled who are not among ``rows``, and those not enrolled yet, ``[replicate, 2]`` each, control first.

        Returns
        -------
        CompletedEvents or numpy.ndarray
            Their events where the model is of rates of events, otherwise posterior probabilities of a benefit,
            ``[2, replicate, draw]``, first of the patients enrolled so far, then of all that may be.
        """
        keys = [Key(seed, int(r), int(look)) for r, look in zip(*view_of, strict=True)]
        chosen = self.options_of_model(options, lower_is_better)
        found: CompletedEvents | Floats = self.model.completed(rows, lower_is_better, chosen, keys, *patients)  # type: ignore[attr-defined]
        return found

    def draws(self, options: Mapping[str, Any]) -> int:
        """Return how many data sets are completed where success is predicted from follow-up."""
        return int(options["draws"] or self.model.defaults["draws"])

    def options_of_model(self, options: Mapping[str, Any], lower_is_better: bool) -> dict[str, Any]:
        """Return the model's options: its margin is by how much better, a hypothesis' is the effect to be bettered."""
        known = self.model.defaults
        found = {name: value for name, value in options.items() if name in known and value is not None}
        # Survival grows as events become rarer.
        sign = -1.0 if lower_is_better != (self.estimand == "difference_in_survival") else 1.0
        if "margin" in found:
            found["margin"] = sign * options["margin"]
        elif "margin" in known and "margin_ratio" in options:
            found["margin"] = sign * math.log(options["margin_ratio"])
        return found

    def _estimate(
        self, cut: DataCut, lower_is_better: bool, options: Mapping[str, Any], more: Mapping[str, Any]
    ) -> Estimates:
        chosen = self.options_of_model(options, lower_is_better)
        found = self.model.posterior(cut, lower_is_better, chosen, None, **more)
        z = z_of_tail(np.clip(1.0 - found.probability, 1e-16, 1.0 - 1e-16))
        good = found.status == 0
        with np.errstate(divide="ignore", invalid="ignore"):
            information = np.where(good, 1.0 / (found.sd * found.sd), 0.0)
        return Estimates(
            found.mean,
            found.sd,
            np.where(good, z, np.nan),
            information,
            found.status,
            found.error,
            found.chains,
        )
