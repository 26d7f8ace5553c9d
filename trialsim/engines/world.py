"""The world of one truth as one design meets it: laws of patients, entry, outcomes and dropout, with numbers in arrays."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trialsim.compiled import kernel
from trialsim.draws import TRUTH_REPLICATE, TRUTH_SEED, Purpose, uniform
from trialsim.elementary import standard_normal
from trialsim.engines.life import LifeLaw
from trialsim.operations.accrual import AccrualLaw
from trialsim.operations.costs import CostLaw
from trialsim.operations.screening import ScreeningLaw
from trialsim.operations.sites import SITE_BITS, SitesLaw
from trialsim.population.chances import Chances
from trialsim.population.endpoints.binary import response_thresholds
from trialsim.population.endpoints.continuous import expected_values
from trialsim.population.endpoints.survival import HazardLaw, hazard_factors
from trialsim.population.estimands import cox_log_ratio
from trialsim.population.patients import PatientSource
from trialsim.population.predictor import Predictor, linear_predictors
from trialsim.timegrid import DAYS_PER_YEAR

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

TRUTH_SITES = 10_000
"""Sites over which true values are averaged where outcomes differ between sites."""

_SITE = int(Purpose.SITE)


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
        main, modifier = linear_predictors(self.predictor, records)
        if site_effects is not None and self.by_site:
            main, modifier = main + site_effects[0], modifier + site_effects[1]
        drift = np.zeros(len(records)) if self.drift.none else self.drift.at(entry_days)
        shape = (len(records), len(self.intercepts))
        if self.kind == "survival":
            factors = np.empty(shape)
            hazard_factors(main, modifier, drift, shape[1], factors)
            return factors
        if self.kind == "binary":
            thresholds = np.empty(shape, dtype=np.uint64)
            response_thresholds(main, modifier, drift, self.drift.on_probability, self.intercepts, thresholds)
            return thresholds
        expected = np.empty(shape)
        expected_values(main, modifier, drift, self.intercepts, expected)
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
    """

    source: PatientSource
    accrual: AccrualLaw
    outcomes: tuple[OutcomeLaw, ...]
    dropout: OutcomeLaw | None
    n: int
    arms: tuple[str, ...]
    sample: Floats
    sites: SitesLaw | None = None
    screening: ScreeningLaw | None = None
    chances: Chances | None = None
    costs: CostLaw | None = None

    life: LifeLaw | None = None
    clocks: tuple[OutcomeLaw, ...] = ()

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

    def site_effects(self, seed: int, replicates: Ints, keys: Ints) -> list[Floats]:
        """Return what the site of each patient adds to the linear predictor of each law; see :class:`OutcomeLaw`."""
        return [law.site_effects(seed, replicates, keys) for law in self.laws]

    @property
    def laws(self) -> tuple[OutcomeLaw, ...]:
        """Endpoints, dropout where there is any, and what else happens to patients."""
        lost = () if self.dropout is None else (self.dropout,)
        return (*self.outcomes, *lost, *self.clocks)

    @cached_property
    def truth_entry_days(self) -> Floats:
        """Entry times in days that the patients of :attr:`sample` are given, spread over the accrual of the design."""
        ticks = self.accrual.entry_ticks(TRUTH_SEED, TRUTH_REPLICATE, self.n, 1)
        return np.asarray(ticks[np.arange(len(self.sample)) % self.n] / float(1 << 20))

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
        _, parameters = self.truth_parameters(endpoint)
        return _true_value(self.outcomes[endpoint], parameters, treatment, control, follow_up)

    def truth_parameters(self, endpoint: int) -> tuple[Floats, NDArray[Any]]:
        """Return records of patients, ``[patient, column]``, and what an endpoint's law needs of each under each arm."""
        law = self.outcomes[endpoint]
        sample, entry = self.sample, self.truth_entry_days
        if law.by_site and len(sample) < TRUTH_SITES:
            sample = np.repeat(sample, -(-TRUTH_SITES // len(sample)), axis=0)
            entry = np.resize(entry, len(sample))
        if not law.drift.none and len(sample) < self.n:
            sample = np.repeat(sample, -(-self.n // len(sample)), axis=0)
            entry = (
                np.resize(self.truth_entry_days, len(sample))
                if len(self.sample) > 1
                else self._all_entries(len(sample))
            )
        # Every patient of the sample has a site of their own.
        keys = np.arange(len(sample), dtype=np.int64) << SITE_BITS
        effects = law.site_effects(TRUTH_SEED, np.full(len(sample), TRUTH_REPLICATE, dtype=np.int64), keys)
        return sample, law.parameters(sample, entry, effects)

    def _all_entries(self, size: int) -> Floats:
        """Return the entry times in days of every patient of the design, repeated to a size."""
        return np.resize(
            self.accrual.entry_ticks(TRUTH_SEED, TRUTH_REPLICATE, self.n, 1) / float(1 << 20), size
        )


def _true_value(
    law: OutcomeLaw, parameters: NDArray[Any], treatment: int, control: int, follow_up: float
) -> float:
    """Return the average effect over patients whose parameters are given."""
    if law.hazard is not None:
        factors = (parameters[:, treatment], parameters[:, control])
        same = np.array_equal(*factors) and all(
            np.array_equal(piece[treatment], piece[control])
            for piece in (law.hazard.pieces.begin, law.hazard.pieces.slope, law.hazard.pieces.jump)
        )
        return 0.0 if same else cox_log_ratio(law.hazard, (treatment, control), factors, follow_up)
    values = parameters.astype(np.float64) * 2.0**-52 if law.kind == "binary" else parameters
    return float(np.mean(values[:, treatment] - values[:, control]))
