"""Rules across the fields of the world: names that exist, effects for every arm, values in reach."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from trialsim.scenario.accrual import Accrual
from trialsim.scenario.costs import Costs
from trialsim.scenario.endpoints import PROBABILITY, BinaryEndpoint, Dropout, SurvivalEndpoint
from trialsim.scenario.life import AdverseEvent, Departure, Treatment
from trialsim.scenario.population import TRAITS, Population
from trialsim.scenario.rules_costs import cost_findings
from trialsim.scenario.rules_mixes import mix_findings
from trialsim.scenario.screening import Screening
from trialsim.scenario.sites import MOST_CANDIDATES, MOST_SITES, SiteGroup
from trialsim.scenario.table import MOST_LEVELS, Table
from trialsim.scenario.visits import Visits
from trialsim.scenario.wording import did_you_mean, listed, shown, unknown

Finding = tuple[tuple[str | int, ...], str]
"""A place in the models and what is wrong there."""


@dataclass(frozen=True)
class WorldParts:
    """Those parts of the world that could be read, and the names that stand in the file.

    Parameters
    ----------
    arms
        The arms, or None where they could not be read.
    population, accrual, endpoints, dropout, screening, costs
        What could be read.
    table
        The resampled patients.
    horizon
        In days.
    treatment, discontinuation, withdrawal, adverse_events, visits
        What could be read.
    unread
        Keys of the file under which something stands that could not be read, or not all of it; of a mapping those of
        its entries too, as ``endpoints.death``. What follows from its absence is not said.
    """

    arms: tuple[str, ...] | None
    population: Population | None
    accrual: Accrual | None
    endpoints: Mapping[str, Any]
    dropout: Dropout | None
    table: Table | None
    horizon: float
    screening: Screening | None = None
    costs: Costs | None = None
    treatment: Treatment | None = None
    discontinuation: Mapping[str, Departure] = field(default_factory=dict)
    withdrawal: Departure | None = None
    adverse_events: Mapping[str, AdverseEvent] = field(default_factory=dict)
    visits: Visits | None = None
    unread: frozenset[str] = frozenset()


def world_findings(parts: WorldParts) -> Iterator[Finding]:
    """Yield everything that is wrong across the fields of the world."""
    if parts.arms is not None:
        for place, arm in enumerate(parts.arms):
            if arm in parts.arms[:place]:
                yield ("arms", place), f"the arm {arm} is named twice; arms have different names"
    if parts.population is not None:
        yield from _copula(parts.population)
    if parts.accrual is not None and parts.accrual.over is not None and parts.accrual.over > parts.horizon:
        yield (
            ("accrual",),
            f"accrual over {parts.accrual.over:g} days goes beyond the horizon of {parts.horizon:g} days",
        )
    for name, endpoint in parts.endpoints.items():
        at = ("endpoints", name)
        yield from effect_findings(at, endpoint.effect, parts, whole=True)
        yield from predictor_findings(at, endpoint, parts)
        if endpoint.readout > parts.horizon:
            yield (
                (*at, "readout"),
                f"{endpoint.readout:g} days goes beyond the horizon of {parts.horizon:g} days",
            )
        yield from _endpoint(at, endpoint)
        if isinstance(endpoint, BinaryEndpoint):
            yield from _probabilities(at, endpoint)
    if parts.dropout is not None:
        yield from effect_findings(("dropout",), parts.dropout.effect, parts, whole=False)
        yield from predictor_findings(("dropout",), parts.dropout, parts)
    yield from recruitment_findings(parts)
    yield from cost_findings(
        parts.costs, parts.accrual, parts.screening, parts.visits, parts.adverse_events, parts.unread
    )
    if parts.screening is not None:
        for name in ("prescreen", "consent", "eligible"):
            if (chance := getattr(parts.screening, name)) is not None:
                yield from predictor_findings(("screening", name), chance, parts)
        yield from records_findings(parts)


def records_findings(parts: WorldParts) -> Iterator[Finding]:
    """Yield covariates whose records are described and that do not exist, or that cannot be measured."""
    records = parts.screening.records if parts.screening is not None else None
    if records is None or parts.population is None:
        return
    levels = covariate_levels(parts)
    for key in ("missing", "site_sd"):
        for name in getattr(records, key):
            at = ("screening", "records", key, name)
            if name not in levels:
                yield at, unknown("the covariate", name, levels)
            elif key == "site_sd" and levels[name]:
                yield at, f"'{name}' is categorical; sites measure numbers differently"


def recruitment_findings(parts: WorldParts) -> Iterator[Finding]:
    """Yield what needs sites and has none, and sites where nobody will ever come."""
    sites = parts.accrual.sites if parts.accrual is not None else None
    needs = "write accrual: {sites: {...}}, from which candidates come"
    if parts.accrual is not None and sites is None:
        if parts.screening is not None:
            yield ("screening",), f"is stated without sites; {needs}"
        for name, endpoint in parts.endpoints.items():
            if getattr(endpoint, "site", None) is not None:
                yield ("endpoints", name, "site"), f"is stated without sites; {needs}"
    if sites is not None:
        total = sum(group.count for group in sites.values())
        if total > MOST_SITES:
            yield ("accrual", "sites"), f"these are {total:,} sites; at most {MOST_SITES:,} are allowed"
        if not any(group.rate or group.backlog for group in sites.values()):
            yield (
                ("accrual", "sites"),
                "no site ever finds a candidate: every rate and every backlog is zero; give one of them a rate",
            )
        yield from _crowds(parts, sites)
        if parts.population is not None:
            yield from mix_findings(parts.population, sites)
    subgroup = parts.screening.subgroup if parts.screening is not None else None
    if subgroup is not None and parts.population is not None:
        levels = covariate_levels(parts)
        if subgroup not in levels:
            yield ("screening", "subgroup"), unknown("the covariate", subgroup, levels)
        elif levels[subgroup] == ():
            yield ("screening", "subgroup"), f"'{subgroup}' is a number; name a categorical covariate"


def _crowds(parts: WorldParts, sites: Mapping[str, SiteGroup]) -> Iterator[Finding]:
    """Yield sites to which more candidates may come before the horizon than one trial can hold."""
    again = parts.screening.rescreening if parts.screening is not None else None
    attempts = 1 if again is None else 1 + again.attempts
    expected = sum(
        group.count * (group.backlog + group.rate * min(group.closes or parts.horizon, parts.horizon))
        for group in sites.values()
    )
    if expected * attempts > MOST_CANDIDATES:
        times = f", each screened up to {attempts} times," if attempts > 1 else ""
        yield (
            ("accrual", "sites"),
            f"about {expected:,.0f} candidates{times} may come within the horizon of {parts.horizon:g} days; a trial can "
            f"hold {MOST_CANDIDATES // attempts:,}. Lower the rates, state when sites close, or shorten the horizon",
        )


def _copula(population: Population) -> Iterator[Finding]:
    """Yield names of the correlation that do not exist, and a matrix that is none."""
    known = population.correlated
    unknown_names = False
    for one, others in population.correlation.items():
        for other in others:
            for name in (one, other):
                if name not in known:
                    unknown_names = True
                    yield ("population", "correlation"), _not_correlated(name, population)
    if (
        not unknown_names
        and population.correlation
        and not _positive_definite(population.correlation_matrix())
    ):
        sentence = "no patients can be correlated like this (the matrix is not positive definite)"
        yield ("population", "correlation"), f"{sentence}; bring values nearer to 0"


def _not_correlated(name: str, population: Population) -> str:
    """Return why a name cannot be correlated."""
    if name in population.columns:
        return f"'{name}' is read from the table, whose rows keep their own correlation; name latent traits"
    if name in TRAITS:
        return f"the latent trait '{name}' is not among traits; add traits: {{{name}: {{sd: 1}}}}"
    return unknown("the covariate or latent trait", name, population.correlated)


def _positive_definite(matrix: list[list[float]]) -> bool:
    """Return whether a symmetric matrix has a Cholesky factor."""
    lower = [[0.0] * len(matrix) for _ in matrix]
    for i, row in enumerate(matrix):
        for j in range(i + 1):
            rest = row[j] - math.fsum(lower[i][k] * lower[j][k] for k in range(j))
            if i == j:
                if rest <= 1e-10:
                    return False
                lower[i][i] = math.sqrt(rest)
            else:
                lower[i][j] = rest / lower[j][j]
    return True


def effect_findings(
    at: tuple[str | int, ...], effect: Mapping[str, Any], parts: WorldParts, *, whole: bool
) -> Iterator[Finding]:
    """Yield arms of an effect that do not exist, and arms that are left out."""
    if parts.arms is None:
        return
    control, others = parts.arms[0], parts.arms[1:]
    for arm in effect:
        if arm == control:
            yield (
                (*at, "effect", arm),
                f"'{control}' is the control arm (the first of arms); effects are against it",
            )
        elif arm not in others:
            alone = f"the arm {shown(arm)} is unknown: '{control}' alone is named; name both, such as"
            both = f"{alone} arms: [{control}, treatment]"
            yield (*at, "effect", arm), unknown("the arm", arm, others) if others else both
    missing = [arm for arm in dict.fromkeys(others) if arm not in effect and arm != control]
    if whole and missing:
        yield (*at, "effect"), f"an effect is required for every arm but control; missing: {listed(missing)}"


def covariate_levels(parts: WorldParts) -> dict[str, tuple[str, ...] | None]:
    """Return the levels of each covariate: empty for a numeric one, None where they are not known."""
    population = parts.population
    if population is None:
        return {}
    if population.resample is not None:
        table = parts.table.columns if parts.table is not None else {}
        return {name: table[name].levels if name in table else None for name in population.columns}
    return {name: marginal.levels for name, marginal in population.marginals.items()}


def covariate_problem(name: str, levels: Mapping[str, tuple[str, ...] | None]) -> str | None:
    """Return what is wrong with a covariate's name, or a level's, or None."""
    head, dot, level = name.partition(".")
    if head in TRAITS:
        return f"'{head}' is a latent trait; put it under latent"
    if head not in levels:
        if not levels:
            return f"'{name}' is not known; the population has no covariates"
        return unknown("the covariate", head, levels)
    known = levels[head]
    if known is None:
        return None
    if known and not dot:
        return f"'{head}' is categorical; name one of its levels: {listed(f'{head}.{one}' for one in known)}"
    if known and level not in known:
        return unknown(f"the level of {head}", level, known)
    if dot and not known:
        return f"'{head}' is a number and has no levels; write {head} alone"
    return None


def predictor_findings(at: tuple[str | int, ...], part: Any, parts: WorldParts) -> Iterator[Finding]:
    """Yield names of a linear predictor that do not exist."""
    if parts.population is None:
        return
    levels = covariate_levels(parts)
    traits = parts.population.traits
    modifiers = getattr(part, "modifiers", {})
    for name in part.covariates:
        sentence = covariate_problem(name, levels)
        if sentence:
            yield (*at, "covariates", name), sentence
    products = [name for each in getattr(part, "interactions", None) or () for name in each.of]
    for place, name in enumerate(products):
        sentence = covariate_problem(name, levels)
        if sentence:
            yield (*at, "interactions", place // 2, "of", place % 2), sentence
    for name in modifiers:
        sentence = covariate_problem(name, levels) if name not in traits else None
        if sentence and name in TRAITS:
            sentence = _undeclared(name)
        if sentence:
            yield (*at, "modifiers", name), sentence
    for name in part.latent:
        if name not in traits:
            yield (*at, "latent", name), _undeclared(name)
    centred = [
        name for name in dict.fromkeys((*part.covariates, *modifiers, *products)) if name not in TRAITS
    ]
    for name in part.centre:
        if name not in centred:
            hint = did_you_mean(name, centred)
            yield (
                (*at, "centre", name),
                f"{shown(name)} is not among the covariates ({listed(centred)}).{hint}",
            )


def _undeclared(trait: str) -> str:
    """Return the sentence for a latent trait that the population does not have."""
    return f"the latent trait '{trait}' is not declared; add population: {{traits: {{{trait}: {{sd: 1}}}}}}"


def _endpoint(at: tuple[str | int, ...], endpoint: Any) -> Iterator[Finding]:
    """Yield an effect whose kind is not stated or not possible, and a drift on a wrong scale."""
    adjusted = [part for part in ("covariates", "latent", "modifiers") if getattr(endpoint, part)]
    if adjusted and "effect_kind" not in endpoint.model_fields_set:
        choice = "conditional (for given patients) or marginal (over the population)"
        yield (*at, "effect_kind"), f"is required with {listed(adjusted)}: {choice}"
    if adjusted and endpoint.effect_kind == "marginal" and isinstance(endpoint, SurvivalEndpoint):
        for arm, ratio in endpoint.effect.items():
            if isinstance(ratio, tuple):
                sentence = "a hazard ratio that changes in time cannot be marginal; state it as conditional"
                yield (*at, "effect", arm), sentence
    if endpoint.site is not None and endpoint.effect_kind == "marginal" and endpoint.kind != "continuous":
        yield (*at, "effect_kind"), "with sites that differ an effect is conditional; write conditional"
    if endpoint.drift is not None and endpoint.drift.scale == PROBABILITY and endpoint.kind != "binary":
        yield (*at, "drift", "scale"), f"probability is for binary endpoints; this one is {endpoint.kind}"


def _probabilities(at: tuple[str | int, ...], endpoint: BinaryEndpoint) -> Iterator[Finding]:
    """Yield probabilities of arms that are not between 0 and 1, before and after steps of drift."""
    rates = {}
    for arm, effect in endpoint.effect.items():
        place = (*at, "effect", arm)
        if endpoint.effect_measure == "odds_ratio":
            if not 0 < effect <= 1e4:
                yield place, f"{shown(effect)} is out of range; an odds ratio is above 0 and at most 10000"
                continue
            odds = endpoint.rate / (1 - endpoint.rate) * effect
            rate = odds / (1 + odds)
        else:
            rate = effect if endpoint.effect_measure == "rate" else endpoint.rate + effect
        if not 0 < rate < 1:
            added = (
                f" ({endpoint.rate:g} {effect:+g})" if endpoint.effect_measure == "risk_difference" else ""
            )
            yield place, f"the probability in this arm is {rate:.6g}{added}; it must be between 0 and 1"
        else:
            rates[arm] = rate
    drift = endpoint.drift
    if drift is None or drift.scale != PROBABILITY:
        return
    for number, step in enumerate(drift.steps or ()):
        for arm, rate in {"control": endpoint.rate, **rates}.items():
            if not 0 < rate + step.change < 1:
                sentence = f"the change takes the probability of {arm} to {rate + step.change:.6g}"
                yield (*at, "drift", "steps", number, "change"), f"{sentence}; it must stay between 0 and 1"
                break


def strata_findings(
    at: tuple[str | int, ...], strata: tuple[str, ...], parts: WorldParts, what: str = "strata"
) -> Iterator[Finding]:
    """Yield covariates that do not exist, or take too many values, to make strata of.

    Parameters
    ----------
    at
        The place of the list of strata.
    strata
        Names of covariates.
    what
        ``strata``, or ``factors``, whose levels are taken one factor at a time.
    """
    levels = covariate_levels(parts)
    if parts.population is None:
        return
    count = 1
    for place, name in enumerate(strata):
        if name in strata[:place]:
            yield (*at, place), f"'{name}' is named twice"
        elif name in TRAITS:
            yield (
                (*at, place),
                f"'{name}' is a latent trait, which nobody sees; {what} are made of covariates",
            )
        elif name not in levels:
            known = [one for one in levels if one]
            yield (*at, place), unknown("the covariate", name, known)
        elif levels[name]:
            count *= len(levels[name] or ())
        elif parts.population.resample is None:
            yield (
                (*at, place),
                f"'{name}' is not categorical; {what} {'are' if what == 'strata' else 'have'} levels",
            )
        elif parts.table is not None and name in parts.table.columns:
            values = parts.table.columns[name].distinct()
            count *= values
            if values > MOST_LEVELS:
                yield (*at, place), f"'{name}' takes more than {MOST_LEVELS} values; too many for {what}"
    if what == "strata" and count > 1000:
        yield at, f"these make {count} strata; at most 1000 are allowed"
