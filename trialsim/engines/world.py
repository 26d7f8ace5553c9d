"""The world of one truth as one design meets it: laws of patients, entry, outcomes and dropout, with numbers in arrays."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trialsim.draws import TRUTH_REPLICATE, TRUTH_SEED
from trialsim.engines.life import LifeLaw
from trialsim.operations.accrual import AccrualLaw
from trialsim.population.endpoints.binary import response_thresholds
from trialsim.population.endpoints.continuous import expected_values
from trialsim.population.endpoints.survival import HazardLaw, hazard_factors
from trialsim.population.estimands import cox_log_ratio
from trialsim.population.patients import PatientSource
from trialsim.population.predictor import Predictor, linear_predictors
from trialsim.timegrid import DAYS_PER_YEAR

Floats = NDArray[np.float64]


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

    def parameters(self, records: Floats, entry_days: Floats) -> NDArray[Any]:
        """Return what the outcome's law needs of each patient under each arm.

        Parameters
        ----------
        records
            The patients' records, ``[patient, column]``.
        entry_days
            When they enter, ``[patient]``; read only where the outcome drifts.

        Returns
        -------
        numpy.ndarray
            ``[patient, arm]``: exp(-linear predictor) for survival, a uint64 threshold for binary, the expected value
            for continuous outcomes.
        """
        main, modifier = linear_predictors(self.predictor, records)
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
    life: LifeLaw | None = None
    clocks: tuple[OutcomeLaw, ...] = ()

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
        law = self.outcomes[endpoint]
        sample, entry = self.sample, self.truth_entry_days
        if not law.drift.none and len(sample) < self.n:
            sample = np.repeat(sample, -(-self.n // len(sample)), axis=0)
            entry = (
                np.resize(self.truth_entry_days, len(sample))
                if len(self.sample) > 1
                else self._all_entries(len(sample))
            )
        return _true_value(law, law.parameters(sample, entry), treatment, control, follow_up)

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
