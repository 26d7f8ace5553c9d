"""The world of one truth as one design meets it: laws of patients, entry, outcomes and dropout, with numbers in arrays."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trialsim.compiled import kernel
from trialsim.draws import Purpose, uniform
from trialsim.elementary import standard_normal
from trialsim.engines.life import LifeLaw
from trialsim.operations.accrual import AccrualLaw
from trialsim.operations.candidate_records import RecordsLaw
from trialsim.operations.costs import CostLaw
from trialsim.operations.entry_quantiles import entry_quantiles
from trialsim.operations.screening import ScreeningLaw
from trialsim.operations.sites import SITE_BITS, SitesLaw
from trialsim.population.chances import Chances
from trialsim.population.endpoints.binary import response_thresholds
from trialsim.population.endpoints.continuous import expected_values
from trialsim.population.endpoints.survival import HazardLaw, hazard_factors
from trialsim.population.estimands import cox_log_ratio
from trialsim.population.mixtures import mixed_factors, nodes_for
from trialsim.population.patients import PatientSource
from trialsim.population.predictor import Predictor, linear_predictors
from trialsim.timegrid import DAYS_PER_YEAR

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_SITE = int(Purpose.SITE)
_GOLDEN = 0.6180339887498949
_DRIFTING = (
    4_000  # patients, or nearly as many, of whom the true value of an endpoint that drifts is the average
)


@dataclass(frozen=True)
class Drift:
    """How an outcome drifts with the calendar time of entry.

    Parameters
    ----------
    per_year
        Change per year on the linear predictor, or on the probability.
    starts, changes
        Steps in days and what each adds, from then on.
    on_probability
        Whether it is added to the probability.
    """

    per_year: float = 0.0
    starts: Floats = field(default_factory=lambda: np.zeros(0))
    changes: Floats = field(default_factory=lambda: np.zeros(0))
    on_probability: bool = False

    @property
    def none(self) -> bool:
        """Whether nothing drifts."""
        return self.per_year == 0.0 and len(self.starts) == 0

    def at(self, entry_days: Floats) -> Floats:
        """Return the drift of patients who enter at these days, ``[patient]``."""
        total = self.per_year * (entry_days / DAYS_PER_YEAR)
        if len(self.starts):
            step = np.searchsorted(self.starts, entry_days, side="right")
            total = total + np.concatenate([[0.0], self.changes])[step]
        return np.asarray(total, dtype=np.float64)


@dataclass(frozen=True)
class OutcomeLaw:
    """The law of one endpoint, or of dropout.

    Parameters
    ----------
    name, kind
        Of the endpoint; dropout is of kind ``survival``.
    purpose, draw
        Address of its random words.
    readout_ticks
        Delay from entry to the read-out; for survival from the event to its report.
    predictor, drift
        What traits and the calendar add.
    hazard
        Law of a time to event.
    intercepts
        Of each arm on the link's scale, for binary and continuous outcomes, ``[arm]``.
    sd
        Residual standard deviation of a continuous outcome.
    site_sd, site_treatment_sd
        Standard deviations of a site's random effect on the linear predictor: in every arm, and added in the arms other
        than control.
    """

    name: str
    kind: str
    purpose: int
    draw: int
    readout_ticks: int
    predictor: Predictor
    drift: Drift
    hazard: HazardLaw | None
    intercepts: Floats
    sd: float
    site_sd: float = 0.0
    site_treatment_sd: float = 0.0

    @property
    def by_site(self) -> bool:
        """Whether outcomes differ between sites."""
        return self.site_sd > 0.0 or self.site_treatment_sd > 0.0

    def site_deviation(self, arm: int) -> float:
        """Return the standard deviation of what sites add to the linear predictor in an arm."""
        return math.hypot(self.site_sd, self.site_treatment_sd) if arm else self.site_sd

    def site_effects(self, seed: int, replicates: Ints, keys: Ints) -> Floats:
        """Return what the site of each patient adds to the linear predictor.

        Parameters
        ----------
        seed, replicates, keys
            Address of the patients, ``[patient]`` each; a site's draws stand at its first candidate.

        Returns
        -------
        numpy.ndarray
            ``[2, patient]``: in every arm, and in the arms other than control.
        """
        out = np.zeros((2, len(keys)))
        if self.by_site:
            _site_effects(seed, replicates, keys, self.draw, self.site_sd, self.site_treatment_sd, out)
        return out

    def linear_parts(
        self, records: Floats, entry_days: Floats, site_effects: Floats | None = None
    ) -> tuple[Floats, Floats, Floats]:
        """Return what each patient adds to the linear predictor; see :meth:`parameters`.

        Returns
        -------
        main, modifier, drift
            In every arm, in arms other than control, and by the calendar, ``[patient]`` each.
        """
        main, modifier = linear_predictors(self.predictor, records)
        if site_effects is not None and self.by_site:
            main, modifier = main + site_effects[0], modifier + site_effects[1]
        drift = np.zeros(len(records)) if self.drift.none else self.drift.at(entry_days)
        return main, modifier, drift

    def parameters(
        self, records: Floats, entry_days: Floats, site_effects: Floats | None = None
    ) -> NDArray[Any]:
        """Return what the outcome's law needs of each patient under each arm.

        Parameters
        ----------
        records
            The patients' records, ``[patient, column]``.
        entry_days
            When they enter, ``[patient]``; read only where the outcome drifts.
        site_effects
            From :meth:`site_effects`, where outcomes differ between sites.

        Returns
        -------
        numpy.ndarray
            ``[patient, arm]``: exp(-linear predictor) for survival, a uint64 threshold for binary, the expected value
            for continuous outcomes.
        """
        return self.parameters_of(*self.linear_parts(records, entry_days, site_effects))

    def parameters_of(self, main: Floats, modifier: Floats, drift: Floats, left: float = 1.0) -> NDArray[Any]:
        """Return what the outcome's law needs of each patient, given the parts of the linear predictor, ``[patient, arm]``.

        Parameters
        ----------
        main, modifier, drift
            From :meth:`linear_parts`.
        left
            What is left of the effects of arms on a binary or continuous outcome.
        """
        intercepts = self.intercepts
        if left != 1.0:
            intercepts, modifier = intercepts[0] + left * (intercepts - intercepts[0]), left * modifier
        shape = (len(main), len(intercepts))
        if self.kind == "survival":
            factors = np.empty(shape)
            hazard_factors(main, modifier, drift, shape[1], factors)
            return factors
        if self.kind == "binary":
            thresholds = np.empty(shape, dtype=np.uint64)
            response_thresholds(main, modifier, drift, self.drift.on_probability, intercepts, thresholds)
            return thresholds
        expected = np.empty(shape)
        expected_values(main, modifier, drift, intercepts, expected)
        return expected


@kernel
def _site_effects(seed, replicates, keys, draw, sd, treatment_sd, out):  # type: ignore[no-untyped-def]
    """Fill the normal effects of each patient's site; the draws of an endpoint stand at its name."""
    for i in range(len(keys)):
        site = keys[i] >> SITE_BITS << SITE_BITS
        # The two lowest bits of a name's address are free for the two effects: names differ in many more.
        out[0, i] = sd * standard_normal(uniform(seed, replicates[i], site, _SITE, draw >> 2 << 2 | 2))
        out[1, i] = treatment_sd * standard_normal(
            uniform(seed, replicates[i], site, _SITE, draw >> 2 << 2 | 3)
        )


@dataclass(frozen=True)
class World:
    """All laws of one truth for one design.

    Parameters
    ----------
    source
        Who the patients are.
    accrual
        When they enter.
    outcomes
        Laws of the endpoints, in the scenario's order.
    dropout
        Law of loss to follow-up, or None.
    n
        Patients to randomise.
    most
        Patients to randomise at most, where the number is re-estimated.
    arms
        Names of the design's arms.
    sample
        Records over which true values are averaged, ``[patient, column]``.
    sites, screening, chances
        Where candidates come from, their way to randomisation, and what their traits say of it; None where patients simply
        enter.
    costs
        What is paid for, or None.
    life
        What happens to patients from randomisation on beyond endpoints and loss, or None.
    clocks
        Laws of what :attr:`life` adds: withdrawal, adverse events, reasons to discontinue.
    records
        What the records of candidates lack or have wrong.
    """

    source: PatientSource
    accrual: AccrualLaw
    outcomes: tuple[OutcomeLaw, ...]
    dropout: OutcomeLaw | None
    n: int
    most: int
    arms: tuple[str, ...]
    sample: Floats
    sites: SitesLaw | None = None
    screening: ScreeningLaw | None = None
    chances: Chances | None = None
    costs: CostLaw | None = None

    life: LifeLaw | None = None
    clocks: tuple[OutcomeLaw, ...] = ()
    records: RecordsLaw = field(default_factory=RecordsLaw)

    @property
    def subgroup_levels(self) -> tuple[str, ...]:
        """Names of the levels of the subgroup that is reported; none where there is none."""
        if self.screening is None or self.screening.subgroup < 0:
            return ()
        return self.source.categories[self.source.columns[self.screening.subgroup]]

    @property
    def stratum_errors(self) -> float:
        """Probability that a patient is allocated in a wrong stratum."""
        return self.screening.stratum_errors if self.screening is not None else 0.0

    @property
    def laws(self) -> tuple[OutcomeLaw, ...]:
        """Endpoints, dropout where there is any, and what else happens to patients."""
        lost = () if self.dropout is None else (self.dropout,)
        return (*self.outcomes, *lost, *self.clocks)

    def truth_entry_days(self, law: OutcomeLaw, size: int) -> Floats:
        """Return entry times in days for so many patients of whom true values are averages; 0 where nothing drifts.

        They are spread over the law of entry of the design's patients, in all trials and not in one, in an order that has
        nothing to do with that of the patients (multiples of the golden ratio).
        """
        if law.drift.none:
            return np.zeros(size)
        spread = np.asarray((np.arange(size) + 0.5) * _GOLDEN % 1.0, dtype=np.float64)
        return entry_quantiles(self.accrual, self.n, spread)

    def true_value(self, endpoint: int, treatment: int, control: int, follow_up: float) -> float:
        """Return the true effect of two arms on one endpoint.

        Parameters
        ----------
        endpoint, treatment, control
            Indices.
        follow_up
            Days of follow-up to which a hazard ratio refers.

        Returns
        -------
        float
            Log hazard ratio, difference of probabilities, or difference of means.
        """
        return self._true_values(endpoint, treatment, control, follow_up)

    @cached_property
    def _true_values(self) -> Callable[[int, int, int, float], float]:
        """The true values found so far."""
        return functools.cache(self._find_true_value)

    def _find_true_value(self, endpoint: int, treatment: int, control: int, follow_up: float) -> float:
        """Return the true effect of two arms on one endpoint."""
        law = self.outcomes[endpoint]
        _, parts = self.truth_sample(endpoint)
        if law.hazard is not None:
            return _true_log_ratio(
                law, law.hazard, law.parameters_of(*parts), (treatment, control), follow_up
            )
        return _true_difference(law, parts, treatment, control)

    def truth_sample(self, endpoint: int) -> tuple[Floats, tuple[Floats, Floats, Floats]]:
        """Return the patients over whom true values are averaged: records, and parts of an endpoint's linear predictor."""
        law = self.outcomes[endpoint]
        sample = self.sample
        if not law.drift.none and len(sample) < _DRIFTING:
            # Alike, they take every place in the order of entry equally often.
            size = -(-_DRIFTING // self.n) * self.n if len(sample) == 1 else _DRIFTING
            sample = np.repeat(sample, size // len(sample), axis=0)
        if len(self.sample) == 1 and not law.drift.none:
            entry = entry_quantiles(self.accrual, self.n, (np.arange(len(sample)) + 0.5) / len(sample))
        else:
            entry = self.truth_entry_days(law, len(sample))
        return sample, law.linear_parts(sample, entry)

    def truth_factors(
        self, endpoint: int, arms: tuple[int, int]
    ) -> tuple[tuple[Floats, Floats], tuple[Floats, Floats] | tuple[None, None]]:
        """Return the factors of those patients under two arms, and their weights where outcomes differ between sites."""
        law = self.outcomes[endpoint]
        parameters = law.parameters_of(*self.truth_sample(endpoint)[1])
        return _over_sites(law, parameters, arms)

    def mean_responses(self, endpoint: int, arms: tuple[int, int]) -> tuple[float, float]:
        """Return the mean probability of response under two arms, over those patients and over sites."""
        law, (_, parts) = self.outcomes[endpoint], self.truth_sample(endpoint)
        return _mean_response(law, parts, arms[0]), _mean_response(law, parts, arms[1])


def _true_log_ratio(
    law: OutcomeLaw, hazard: HazardLaw, parameters: NDArray[Any], arms: tuple[int, int], follow_up: float
) -> float:
    """Return the log hazard ratio of treatment and control over patients whose factors are given, and over sites."""
    factors = [parameters[:, arm] for arm in arms]
    sds = [law.site_deviation(arm) for arm in arms]
    pieces = (hazard.pieces.begin, hazard.pieces.slope, hazard.pieces.jump)
    alike = all(np.array_equal(piece[arms[0]], piece[arms[1]]) for piece in pieces)
    if alike and np.array_equal(factors[0], factors[1]) and sds[0] == sds[1]:
        return 0.0
    mixed, weights = _over_sites(law, parameters, arms)
    return cox_log_ratio(hazard, arms, mixed, follow_up, weights)


def _over_sites(
    law: OutcomeLaw, parameters: NDArray[Any], arms: tuple[int, int]
) -> tuple[tuple[Floats, Floats], tuple[Floats, Floats] | tuple[None, None]]:
    """Return factors under two arms with the effects of sites mixed in, and their weights; none without such effects."""
    factors = (parameters[:, arms[0]], parameters[:, arms[1]])
    if not law.by_site:
        return factors, (None, None)
    first, second = (
        mixed_factors(each, law.site_deviation(arm)) for each, arm in zip(factors, arms, strict=True)
    )
    return (first[0], second[0]), (first[1], second[1])


def _true_difference(
    law: OutcomeLaw, parts: tuple[Floats, Floats, Floats], treatment: int, control: int
) -> float:
    """Return the difference of mean outcomes over patients, by their parts of the linear predictor, and over sites."""
    if law.kind == "binary" and law.by_site:
        return _mean_response(law, parts, treatment) - _mean_response(law, parts, control)
    # Effects of sites have mean 0, and a continuous outcome is linear in them.
    values = law.parameters_of(*parts)
    values = values.astype(np.float64) * 2.0**-52 if law.kind == "binary" else values
    return float(np.mean(values[:, treatment] - values[:, control]))


def _mean_response(law: OutcomeLaw, parts: tuple[Floats, Floats, Floats], arm: int) -> float:
    """Return the mean probability of response under an arm, over patients and over sites."""
    main, modifier, drift = parts
    sd = law.site_deviation(arm)
    nodes, weights = nodes_for(len(main)) if sd > 0.0 else (np.zeros(1), np.ones(1))
    chances = [
        law.parameters_of(main + sd * node, modifier, drift)[:, arm].astype(np.float64).mean()
        for node in nodes
    ]
    return float(weights @ np.array(chances)) * 2.0**-52
