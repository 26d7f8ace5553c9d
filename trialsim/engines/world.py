"""The world of one truth as one design meets it: laws of patients, entry, outcomes and dropout, with numbers in arrays."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trialsim.draws import TRUTH_REPLICATE, Purpose, name_address
from trialsim.errors import Problem, ScenarioError
from trialsim.operations.accrual import AccrualLaw, accrual_law
from trialsim.population.endpoints.binary import response_thresholds
from trialsim.population.endpoints.continuous import expected_values
from trialsim.population.endpoints.survival import HazardLaw, hazard_factors, hazard_law
from trialsim.population.estimands import cox_log_ratio
from trialsim.population.patients import TRAITS, PatientSource, build_marginals
from trialsim.population.predictor import Predictor, build_predictor, linear_predictors
from trialsim.scenario.schema import Scenario
from trialsim.timegrid import DAYS_PER_YEAR, to_ticks

Floats = NDArray[np.float64]

TRUTH_PATIENTS = 10_000
"""Patients over which true values are averaged, where the population is not a finite list of rows."""


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
    """

    source: PatientSource
    accrual: AccrualLaw
    outcomes: tuple[OutcomeLaw, ...]
    dropout: OutcomeLaw | None
    n: int
    arms: tuple[str, ...]
    sample: Floats
    seed: int

    @property
    def laws(self) -> tuple[OutcomeLaw, ...]:
        """Endpoints and, last, dropout where there is any."""
        return self.outcomes if self.dropout is None else (*self.outcomes, self.dropout)

    @cached_property
    def truth_entry_days(self) -> Floats:
        """Entry times in days that the patients of :attr:`sample` are given, spread over the accrual of the design."""
        ticks = self.accrual.entry_ticks(self.seed, TRUTH_REPLICATE, self.n, 1)
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
            self.accrual.entry_ticks(self.seed, TRUTH_REPLICATE, self.n, 1) / float(1 << 20), size
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


def build_source(scenario: Scenario, table: Mapping[str, Any] | None) -> PatientSource:
    """Return who the patients of a scenario are.

    Parameters
    ----------
    scenario
        Its population part is read.
    table
        For a resampled population: trait name to (values, levels), as the loader gives it.
    """
    population = scenario.population
    covariates = population.covariates
    traits = {name: population.traits[name].sd for name in TRAITS if name in population.traits}
    columns = (*covariates, *traits)
    categories: dict[str, tuple[str, ...]] = {}
    rows: Floats | None = None
    families: list[tuple[str, str, Mapping[str, float]]] = []
    if table is not None:
        rows = np.ascontiguousarray(
            np.stack([np.asarray(table[name][0], dtype=np.float64) for name in covariates], axis=1)
        )
        categories = {name: tuple(table[name][1]) for name in covariates if table[name][1]}
    for name, marginal in population.marginals.items():
        families.append((name, marginal.kind, marginal.parameters))
        if marginal.levels:
            categories[name] = marginal.levels
    if not families and not traits:
        return PatientSource(columns, categories, rows, None)
    order = [*population.marginals, *traits]
    given = np.asarray(population.correlation_matrix(), dtype=np.float64)
    place = [population.correlated.index(name) for name in order]
    return PatientSource(
        columns, categories, rows, build_marginals(families, traits, given[np.ix_(place, place)])
    )


def _drift(stated: Any) -> Drift:
    """Return the drift that an endpoint states, if it states one."""
    if stated is None:
        return Drift()
    steps = stated.steps or ()
    return Drift(
        stated.per_year or 0.0,
        np.array([step.start for step in steps], dtype=np.float64),
        np.array([step.change for step in steps], dtype=np.float64),
        stated.scale == "probability",
    )


def _logit(p: float) -> float:
    """Return the log odds of a probability."""
    return float(np.log(p / (1.0 - p)))


def _solve(function: Callable[[float], float], low: float, high: float) -> float:
    """Return the root of an increasing function by bisection, to the last bit."""
    for _ in range(200):
        middle = 0.5 * (low + high)
        if middle in (low, high):
            break
        if function(middle) < 0.0:
            low = middle
        else:
            high = middle
    return 0.5 * (low + high)


class _Builder:
    """Turns the endpoints of a scenario into laws, solving for conditional effects where marginal ones are stated."""

    def __init__(
        self, scenario: Scenario, arms: tuple[str, ...], source: PatientSource, seed: int, grid: int
    ) -> None:
        self.scenario, self.arms, self.source, self.grid = scenario, arms, source, grid
        if source.finite:
            self.sample = source.rows
        else:
            self.sample = source.records(seed, TRUTH_REPLICATE, TRUTH_PATIENTS)

    def predictor(self, part: Any) -> Predictor:
        """Return the predictor of an endpoint or of dropout."""
        return build_predictor(
            self.source.columns,
            self.source.categories,
            part.covariates,
            part.centre,
            part.latent,
            getattr(part, "modifiers", {}),
        )

    def hazard(self, part: Any, effects: Mapping[str, Any]) -> HazardLaw:
        """Return the hazards of each arm; an arm without an effect has the baseline's."""
        ratios = []
        for arm in self.arms:
            effect = effects.get(arm, 1.0)
            ratios.append(effect if isinstance(effect, tuple) else ((0.0, float(effect)),))
        weibull = part.baseline.weibull
        segments = ((0.0,), (1.0,)) if weibull else part.baseline.segments()
        return hazard_law(segments, weibull, ratios)

    def law(self, name: str, part: Any) -> OutcomeLaw:
        """Return the law of one endpoint."""
        predictor, drift = self.predictor(part), _drift(part.drift)
        purpose = Purpose.EVENT if part.kind == "survival" else Purpose.READOUT
        common = (name, part.kind, int(purpose), name_address(name), self._readout(part), predictor, drift)
        effects = {arm: part.effect[arm] for arm in self.arms if arm in part.effect}
        marginal = part.effect_kind == "marginal" and not (predictor.empty)
        none = np.zeros(len(self.arms))
        if part.kind == "survival":
            law = OutcomeLaw(*common, self.hazard(part, effects), none, 0.0)
            return self._marginal_survival(law, part, effects) if marginal else law
        intercepts = np.array([self._intercept(part, effects.get(arm)) for arm in self.arms])
        law = OutcomeLaw(*common, None, intercepts, getattr(part, "sd", 0.0))
        return self._marginal_intercepts(law) if marginal else law

    def _readout(self, part: Any) -> int:
        """Return the delay to the read-out in ticks: at least one step of the grid where a read-out is scheduled."""
        ticks = to_ticks(part.readout, self.grid)
        return ticks if part.kind == "survival" else max(ticks, self.grid)

    def dropout(self) -> OutcomeLaw | None:
        """Return the law of loss to follow-up, if there is any."""
        part = self.scenario.dropout
        if part is None:
            return None
        common = ("dropout", "survival", int(Purpose.DROPOUT), 0, 0, self.predictor(part), Drift())
        return OutcomeLaw(*common, self.hazard(part, part.effect), np.zeros(len(self.arms)), 0.0)

    def _intercept(self, part: Any, effect: float | None) -> float:
        """Return an arm's value on the link's scale, for the centred patient."""
        if part.kind == "continuous":
            return float(part.mean + (effect or 0.0))
        if effect is None:
            return _logit(part.rate)
        if part.effect_measure == "rate":
            return _logit(effect)
        if part.effect_measure == "odds_ratio":
            return _logit(part.rate) + float(np.log(effect))
        return _logit(part.rate + effect)

    def _marginal_intercepts(self, law: OutcomeLaw) -> OutcomeLaw:
        """Return the law whose averages over the population are the values stated."""
        if law.kind == "continuous":
            averages = self._averages(law, law.intercepts)
            return _with_intercepts(law, 2.0 * law.intercepts - averages)
        targets = 1.0 / (1.0 + np.exp(-law.intercepts))

        def gap(arm: int, target: float) -> Callable[[float], float]:
            return lambda x: float(self._averages(law, np.full(len(self.arms), x))[arm]) - target

        solved = [_solve(gap(arm, float(target)), -40.0, 40.0) for arm, target in enumerate(targets)]
        return _with_intercepts(law, np.array(solved))

    def _averages(self, law: OutcomeLaw, intercepts: Floats) -> Floats:
        """Return the population average of each arm's probability or mean, without drift."""
        main, modifier = linear_predictors(law.predictor, self.sample)
        treated = np.arange(len(self.arms)) > 0
        linear = intercepts[None, :] + main[:, None] + modifier[:, None] * treated[None, :]
        values = linear if law.kind == "continuous" else 1.0 / (1.0 + np.exp(-linear))
        return np.asarray(values.mean(axis=0))

    def _marginal_survival(self, law: OutcomeLaw, part: Any, effects: Mapping[str, Any]) -> OutcomeLaw:
        """Return the law whose population hazard ratios are those stated."""
        from scipy.optimize import brentq

        main, modifier = linear_predictors(law.predictor, self.sample)
        factors = np.empty((len(self.sample), len(self.arms)))
        hazard_factors(main, modifier, np.zeros(len(main)), len(self.arms), factors)
        solved: dict[str, float] = {}
        follow_up = follow_up_of(self.scenario, law.name)
        for a, arm in enumerate(self.arms):
            if a == 0 or arm not in effects:
                continue
            if isinstance(effects[arm], tuple):
                path = f"endpoints.{law.name}.effect.{arm}"
                why = "a hazard ratio that changes in time cannot be marginal; state it as conditional"
                raise ScenarioError([Problem(path, why)])
            target = float(np.log(effects[arm]))

            def gap(log_ratio: float, a: int = a, arm: str = arm, target: float = target) -> float:
                trial = self.hazard(part, {**effects, arm: float(np.exp(log_ratio))})
                return cox_log_ratio(trial, (a, 0), (factors[:, a], factors[:, 0]), follow_up) - target

            low, high = target - 3.0, target + 3.0
            if not gap(low) < 0.0 < gap(high):
                path = f"endpoints.{law.name}.effect.{arm}"
                why = (
                    f"no conditional hazard ratio within a factor of 20 of {effects[arm]:g} gives this marginal one, "
                    "the traits matter so much; state it as conditional"
                )
                raise ScenarioError([Problem(path, why)])
            solved[arm] = float(np.exp(brentq(gap, low, high, xtol=1e-14)))
        replaced = self.hazard(part, {**effects, **solved})
        return OutcomeLaw(**{**law.__dict__, "hazard": replaced})


def _with_intercepts(law: OutcomeLaw, intercepts: Floats) -> OutcomeLaw:
    """Return the law with other intercepts."""
    return OutcomeLaw(**{**law.__dict__, "intercepts": intercepts})


def follow_up_of(scenario: Scenario, endpoint: str) -> float:
    """Return the days to which a marginal hazard ratio refers: those of the endpoint's first hypothesis, or the horizon."""
    for hypothesis in scenario.hypotheses.values():
        if hypothesis.endpoint == endpoint:
            return hypothesis.follow_up or scenario.horizon
    return scenario.horizon


def build_world(
    scenario: Scenario, design: str, seed: int, table: Mapping[str, Any] | None, grid: int = 1
) -> World:
    """Return the laws of a scenario's world for one design.

    Parameters
    ----------
    scenario
        The scenario with the overlay of a truth applied.
    design
        Name of the design.
    seed
        Seed of the run.
    table
        Covariates of real patients, or None.
    grid
        Step of the time grid in ticks.

    Raises
    ------
    ScenarioError
        If a marginal effect cannot be solved for.
    """
    chosen = scenario.designs[design]
    source = build_source(scenario, table)
    builder = _Builder(scenario, chosen.arms, source, seed, grid)
    accrual = scenario.accrual
    rates = [(start, rate) for start, rate in accrual.rates] if accrual.kind == "piecewise" else []
    if accrual.rate is not None and not rates:
        rates = [(0.0, accrual.rate)]
    return World(
        source,
        accrual_law(accrual.kind, accrual.over, rates, accrual.arrivals or ""),
        tuple(builder.law(name, part) for name, part in scenario.endpoints.items()),
        builder.dropout(),
        chosen.n,
        chosen.arms,
        builder.sample,
        seed,
    )
