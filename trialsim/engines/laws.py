"""From what a scenario states to laws: patients, entry, outcomes and dropout, with marginal effects solved for."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trialsim.draws import TRUTH_REPLICATE, TRUTH_SEED, Purpose, name_address
from trialsim.engines.life_laws import build_life, life_clocks
from trialsim.engines.log_odds import inverse_logit, logit, root
from trialsim.engines.marginal_ratios import MarginalRatios
from trialsim.engines.world import Drift, OutcomeLaw, World
from trialsim.errors import Problem, ScenarioError
from trialsim.operations.accrual import AccrualLaw, accrual_law
from trialsim.operations.candidate_records import records_law
from trialsim.operations.costs import cost_law
from trialsim.operations.screening import ScreeningLaw, screening_law
from trialsim.operations.sites import SitesLaw, sites_law
from trialsim.population.chances import Chance, Chances, Interactions
from trialsim.population.endpoints.survival import HazardLaw, hazard_factors, hazard_law
from trialsim.population.patients import TRAITS, Marginals, PatientSource, build_marginals, cuts_of_mix
from trialsim.population.predictor import Predictor, build_predictor, linear_predictors
from trialsim.scenario.accrual import Accrual
from trialsim.scenario.load import patient_table
from trialsim.scenario.schema import Scenario
from trialsim.scenario.screening import Chance as StatedChance
from trialsim.scenario.screening import Screening
from trialsim.timegrid import to_ticks

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

TRUTH_PATIENTS = 10_000
"""Patients over which true values are averaged, where the population is not a finite list of rows."""


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
    marginals = build_marginals(families, traits, given[np.ix_(place, place)])
    return PatientSource(columns, categories, rows, marginals, *_mixes(scenario, marginals))


def _mixes(scenario: Scenario, marginals: Marginals) -> tuple[tuple[Floats, ...], Ints]:
    """Return the cuts of each mix, the first being that of all, and which one each site has; none without mixes."""
    groups = scenario.accrual.sites or {}
    if not any(group.mix for group in groups.values()):
        return (), np.zeros(0, dtype=np.int64)
    names = list(scenario.population.marginals)
    cuts, numbers = [marginals.cuts], []
    for group in groups.values():
        number = 0
        if group.mix:
            # Levels are sorted in the marginal, so that codes do not depend on how they are written.
            shares = {
                names.index(name): [own[level] for level in scenario.population.marginals[name].levels]
                for name, own in group.mix.items()
            }
            cuts.append(cuts_of_mix(marginals, shares))
            number = len(cuts) - 1
        numbers += [number] * group.count
    return tuple(cuts), np.array(numbers, dtype=np.int64)


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


class _Builder:
    """Turns the endpoints of a scenario into laws, solving for conditional effects where marginal ones are stated."""

    def __init__(self, scenario: Scenario, arms: tuple[str, ...], source: PatientSource, grid: int) -> None:
        self.scenario, self.arms, self.source, self.grid = scenario, arms, source, grid
        if source.finite:
            self.sample = source.rows
        else:
            self.sample = source.records(TRUTH_SEED, TRUTH_REPLICATE, TRUTH_PATIENTS)

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
        marginal = part.effect_kind == "marginal" and not predictor.empty
        none = np.zeros(len(self.arms))
        by_site = (part.site.sd, part.site.treatment_sd) if part.site is not None else (0.0, 0.0)
        if part.kind == "survival":
            law = OutcomeLaw(*common, self.hazard(part, effects), none, 0.0, *by_site)
            return self._marginal_survival(law, part, effects) if marginal and effects else law
        intercepts = np.array([self._intercept(part, effects.get(arm)) for arm in self.arms])
        law = OutcomeLaw(*common, None, intercepts, getattr(part, "sd", 0.0), *by_site)
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

    def _chance(self, stated: StatedChance | None) -> Chance:
        """Return the predictor of a chance and its log odds for the centred candidate; None where it is certain."""
        if stated is None:
            return None
        names = (self.source.columns, self.source.categories, stated.covariates, stated.centre, stated.latent)
        certain = {0.0: -np.inf, 1.0: np.inf}
        p = stated.probability
        log_odds = certain[p] if p in certain else logit(p)
        return build_predictor(*names, {}), log_odds, self._interactions(stated)

    def _interactions(self, stated: StatedChance) -> Interactions | None:
        """Return the products that a chance states, if it states any."""
        if not stated.interactions:
            return None
        terms = [
            # Both factors as terms of a predictor, which knows columns, codes and centres.
            build_predictor(
                self.source.columns,
                self.source.categories,
                {},
                stated.centre,
                dict.fromkeys(each.of, 0.0),
                {},
            )
            for each in stated.interactions
        ]
        return Interactions(
            np.array([term.level[[0, -1]] for term in terms]),
            np.array([term.category[[0, -1]] for term in terms]),
            np.array([term.centre[[0, -1]] for term in terms]),
            np.array([each.coefficient for each in stated.interactions]),
        )

    def screening(self) -> ScreeningLaw:
        """Return the law of a candidate's way to randomisation; without a stated one everybody goes straight through."""
        stated = self.scenario.screening or Screening()
        subgroup = -1 if stated.subgroup is None else self.source.columns.index(stated.subgroup)
        return screening_law(stated, subgroup, self.grid)

    def chances(self) -> Chances:
        """Return what traits say of passing the records, consenting and being eligible."""
        stated = self.scenario.screening or Screening()
        return Chances(*(self._chance(part) for part in (stated.prescreen, stated.consent, stated.eligible)))

    def _intercept(self, part: Any, effect: float | None) -> float:
        """Return an arm's value on the link's scale, for the centred patient."""
        if part.kind == "continuous":
            return float(part.mean + (effect or 0.0))
        if effect is None:
            return logit(part.rate)
        if part.effect_measure == "rate":
            return logit(effect)
        if part.effect_measure == "odds_ratio":
            return logit(part.rate) + float(np.log(effect))
        return logit(part.rate + effect)

    def _marginal_intercepts(self, law: OutcomeLaw) -> OutcomeLaw:
        """Return the law whose averages over the population are the values stated."""
        if law.kind == "continuous":
            averages = self._averages(law, law.intercepts)
            return _with_intercepts(law, 2.0 * law.intercepts - averages)
        targets = inverse_logit(law.intercepts)

        def gap(arm: int, target: float) -> Callable[[float], float]:
            return lambda x: float(self._averages(law, np.full(len(self.arms), x))[arm]) - target

        solved = [root(gap(arm, float(target))) for arm, target in enumerate(targets)]
        return _with_intercepts(law, np.array(solved))

    def _averages(self, law: OutcomeLaw, intercepts: Floats) -> Floats:
        """Return the population average of each arm's probability or mean, without drift."""
        main, modifier = linear_predictors(law.predictor, self.sample)
        treated = np.arange(len(self.arms)) > 0
        linear = intercepts[None, :] + main[:, None] + modifier[:, None] * treated[None, :]
        values = linear if law.kind == "continuous" else inverse_logit(linear)
        return np.asarray(values.mean(axis=0))

    def _marginal_survival(self, law: OutcomeLaw, part: Any, effects: Mapping[str, Any]) -> OutcomeLaw:
        """Return the law whose population hazard ratios are those stated."""
        solved = dict(_conditional_ratios(self.scenario, law.name, self.arms))
        return OutcomeLaw(**{**law.__dict__, "hazard": self.hazard(part, {**effects, **solved})})

    def marginal_ratios(self, name: str) -> MarginalRatios:
        """Return the marginal hazard ratios of an endpoint, those of any arm against control."""
        part = self.scenario.endpoints[name]
        treatment = self.arms[1]
        main, modifier = linear_predictors(self.predictor(part), self.sample)
        factors = np.empty((len(self.sample), 2))
        hazard_factors(main, modifier, np.zeros(len(main)), 2, factors)
        return MarginalRatios(
            lambda ratio: self.hazard(part, {treatment: ratio}),
            factors[:, 1].copy(),
            factors[:, 0].copy(),
            follow_up_of(self.scenario, name),
        )


@dataclass(frozen=True)
class _ApartFromEffects:
    """A survival endpoint of a world, equal to all others whose marginal hazard ratios go with conditional ones alike."""

    identity: str
    endpoint: str = field(compare=False)
    scenario: Scenario = field(compare=False, repr=False)


def marginal_ratios(scenario: Scenario, endpoint: str) -> MarginalRatios:
    """Return the marginal hazard ratios that conditional ones give, worked out once for all effects.

    Parameters
    ----------
    scenario
        The scenario with the overlay of a truth applied.
    endpoint
        A survival endpoint of it with traits that matter.
    """
    return _marginal_ratios(_ApartFromEffects(_apart_from_effects(scenario, endpoint), endpoint, scenario))


def _apart_from_effects(scenario: Scenario, endpoint: str) -> str:
    """Return all that marginal hazard ratios depend on beside the conditional ones, as text."""
    part = scenario.endpoints[endpoint]
    matters = {"baseline", "covariates", "centre", "latent", "modifiers"}
    table = scenario.table.digest if scenario.table is not None else ""
    return " ".join(
        [
            part.model_dump_json(include=matters),
            scenario.population.model_dump_json(),
            repr((table, follow_up_of(scenario, endpoint), TRUTH_PATIENTS)),
        ]
    )


@functools.lru_cache(maxsize=128)
def _marginal_ratios(world: _ApartFromEffects) -> MarginalRatios:
    """Return the marginal hazard ratios of one endpoint."""
    scenario = world.scenario
    two = scenario.arms[:2]
    return _Builder(scenario, two, build_source(scenario, patient_table(scenario)), 1).marginal_ratios(
        world.endpoint
    )


@functools.lru_cache(maxsize=1024)
def _conditional_ratios(
    scenario: Scenario, endpoint: str, arms: tuple[str, ...]
) -> tuple[tuple[str, float], ...]:
    """Return the conditional hazard ratios of an endpoint that give those stated, solved once for all plans of a process.

    Raises
    ------
    ScenarioError
        With every arm for which there is none.
    """
    known = marginal_ratios(scenario, endpoint)
    effect: Mapping[str, Any] = scenario.endpoints[endpoint].effect
    stated = {arm: effect[arm] for arm in arms[1:] if arm in effect}
    problems = [
        Problem(f"endpoints.{endpoint}.effect.{arm}", why)
        for arm, ratio in stated.items()
        if (why := known.refusal(ratio))
    ]
    if problems:
        raise ScenarioError(problems)
    return tuple((arm, known.conditional(ratio)) for arm, ratio in stated.items())


def _with_intercepts(law: OutcomeLaw, intercepts: Floats) -> OutcomeLaw:
    """Return the law with other intercepts."""
    return OutcomeLaw(**{**law.__dict__, "intercepts": intercepts})


def follow_up_of(scenario: Scenario, endpoint: str) -> float:
    """Return the days to which a marginal hazard ratio refers: those of the endpoint's first hypothesis, or the horizon."""
    for hypothesis in scenario.hypotheses.values():
        if hypothesis.endpoint == endpoint:
            return hypothesis.follow_up or scenario.horizon
    return scenario.horizon


def build_world(scenario: Scenario, design: str, table: Mapping[str, Any] | None, grid: int = 1) -> World:
    """Return the laws of a scenario's world for one design.

    Parameters
    ----------
    scenario
        The scenario with the overlay of a truth applied.
    design
        Name of the design.
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
    builder = _Builder(scenario, chosen.arms, source, grid)
    accrual = scenario.accrual
    sites, screening, chances = None, None, None
    if accrual.sites is not None:
        sites = sites_law(accrual.sites, scenario.horizon, grid)
        screening = builder.screening()
        chances = builder.chances()
        share = float(chances.of(builder.sample).prod(axis=1).mean())
        over = _expected_accrual(sites, share, chosen.n, scenario.horizon)
        entry = accrual_law("evenly_spaced", over, [], "")
    else:
        entry = _stated_accrual(accrual)
        if chosen.most > chosen.n:
            entry = replace(entry, paced_for=chosen.n)
    outcomes = tuple(builder.law(name, part) for name, part in scenario.endpoints.items())
    dropout, clocks = builder.dropout(), life_clocks(builder)
    laws = (*outcomes, *(() if dropout is None else (dropout,)), *clocks)
    parts = (("sites", sites), ("visits", scenario.visits), ("adverse_events", scenario.adverse_events))
    has = [name for name, part in parts if part is not None]
    return World(
        source,
        entry,
        outcomes,
        dropout,
        chosen.n,
        chosen.most,
        chosen.arms,
        builder.sample,
        sites,
        screening,
        chances,
        costs=None if scenario.costs is None else cost_law(scenario.costs, has),
        life=build_life(builder, laws, len(outcomes)),
        records=records_law(
            None if scenario.screening is None else scenario.screening.records, source.columns
        ),
        clocks=clocks,
    )


def _expected_accrual(sites: SitesLaw, share: float, n: int, horizon: float) -> float:
    """Return the days in which patients are expected to enter if nobody waits; true values of drifting outcomes use it."""
    days = np.linspace(0.0, horizon, 4000)[1:]
    expected = sites.expected_arrivals(days) * share
    return float(days[int(np.argmax(expected >= n))]) if expected[-1] >= n else horizon


def _stated_accrual(accrual: Accrual) -> AccrualLaw:
    """Return the law of entry times that a scenario without sites states."""
    rates = [(start, rate) for start, rate in accrual.rates] if accrual.kind == "piecewise" else []
    if accrual.rate is not None and not rates:
        rates = [(0.0, accrual.rate)]
    return accrual_law(accrual.kind, accrual.over, rates, accrual.arrivals or "")
