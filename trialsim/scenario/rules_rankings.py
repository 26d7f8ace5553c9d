"""Rules for rankings of candidates: covariates, groups and latent traits that they name exist."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from trialsim.scenario.population import TRAITS
from trialsim.scenario.rules_world import Finding, WorldParts, covariate_levels, covariate_problem
from trialsim.scenario.wording import listed, shown, unknown

_Place = tuple[str | int, ...]
AT_REVIEWS = ("relearned",)
"""Rankings that learn at reviews."""


def ranking_findings(at: _Place, ranking: Mapping[str, Any], world: WorldParts) -> Iterator[Finding]:
    """Yield what a ranking names and the population does not have, rankings inside it included.

    Parameters
    ----------
    at
        Where the ranking stands.
    ranking
        ``{name: parameters}``.
    world
        The parts of the world that could be read.
    """
    if world.population is None:
        return
    ((name, parameters),) = ranking.items()
    place, levels = (*at, name), covariate_levels(world)
    traits = tuple(world.population.traits)
    if name == "by_covariate":
        if sentence := covariate_problem(parameters["covariate"], levels):
            yield (*place, "covariate"), sentence
    elif name in ("oracle", "adversarial"):
        if parameters["reads"] not in ("eligible", *traits):
            yield (*place, "reads"), undeclared(parameters["reads"], ("eligible", *traits))
    elif name == "emulated":
        if parameters["trait"] not in traits:
            yield (*place, "trait"), undeclared(parameters["trait"], traits)
        if "subgroup" in parameters:
            yield from _group((*place, "subgroup"), parameters["subgroup"], levels)
            yield from _levels(
                (*place, "auc_by_level"), parameters["auc_by_level"], levels.get(parameters["subgroup"])
            )
    elif name == "prescreen_rules":
        yield from _criteria((*place, "require"), parameters["require"], levels)
    elif name == "expected_completion":
        yield from _chances(place, parameters, levels)
    elif name in ("within_group", "exposure"):
        yield from _group((*place, "covariate"), parameters["covariate"], levels)
    if name == "exposure":
        yield from _levels((*place, "shares"), parameters["shares"], levels.get(parameters["covariate"]))
        if known := levels.get(parameters["covariate"]):
            yield from _whole((*place, "shares"), parameters["shares"], known)
    elif name in AT_REVIEWS and not levels:
        yield (
            place,
            f"{name} learns from covariates, and the population has none; add population: {{marginals: ...}}",
        )
    if "ranking" in parameters:
        if (inner := next(iter(parameters["ranking"]))) in AT_REVIEWS:
            yield (
                (*place, "ranking"),
                f"{inner} learns at reviews and cannot stand inside {name}; name it alone",
            )
        yield from ranking_findings((*place, "ranking"), parameters["ranking"], world)


def undeclared(name: str, known: tuple[str, ...]) -> str:
    """Return the sentence for a trait that the population does not have."""
    if name in TRAITS:
        return f"the latent trait '{name}' is not declared; add population: {{traits: {{{name}: {{sd: 1}}}}}}"
    return unknown("the latent trait", name, known or TRAITS)


def _group(at: _Place, name: str, levels: Mapping[str, tuple[str, ...] | None]) -> Iterator[Finding]:
    """Yield a covariate that makes no groups."""
    if name not in levels:
        yield at, unknown("the covariate", name, levels)
    elif levels[name] == ():
        yield at, f"'{name}' is a number; name a categorical covariate"


def _levels(at: _Place, stated: Mapping[str, float], known: tuple[str, ...] | None) -> Iterator[Finding]:
    """Yield levels that a covariate does not have."""
    for level in stated:
        if known and level not in known:
            yield (*at, level), unknown("the level", level, known)


def _whole(at: _Place, shares: Mapping[str, float], known: tuple[str, ...]) -> Iterator[Finding]:
    """Yield shares that leave nothing for the levels that are not named, or are all named and do not add up to 1."""
    total = sum(shares.values())
    every = set(known) <= set(shares)
    if total > 1 + 1e-9 or (every and total < 1 - 1e-9):
        yield at, f"the shares add up to {total:g}; {'1 is expected' if every else 'at most 1 is allowed'}"
    elif not every and total > 1 - 1e-9:
        rest = listed(level for level in known if level not in shares)
        yield at, f"the shares add up to 1 and leave nothing for {rest}; state a share of each"


def _chances(
    at: _Place, chances: Mapping[str, Any], levels: Mapping[str, tuple[str, ...] | None]
) -> Iterator[Finding]:
    """Yield covariates of chances that do not exist, and centres of what is no covariate of the chance."""
    for what, chance in chances.items():
        for name in chance["covariates"]:
            if sentence := covariate_problem(name, levels):
                yield (*at, what, "covariates", name), sentence
        for name in chance["centre"]:
            if name not in chance["covariates"]:
                yield (
                    (*at, what, "centre", name),
                    f"{shown(name)} is not among the covariates ({listed(chance['covariates'])})",
                )


def _criteria(
    at: _Place, require: Mapping[str, Any], levels: Mapping[str, tuple[str, ...] | None]
) -> Iterator[Finding]:
    """Yield criteria on covariates that do not exist or are of the other kind."""
    for name, rule in require.items():
        if name not in levels:
            yield (*at, name), unknown("the covariate", name, levels)
            continue
        known = levels[name]
        if known is None:
            continue
        if known and "levels" not in rule:
            yield (
                (*at, name),
                f"'{name}' is categorical; state the levels that are allowed, of {listed(known)}",
            )
        elif not known and "levels" in rule:
            yield (*at, name, "levels"), f"'{name}' is a number; state least, most or both"
        for level in rule.get("levels", ()):
            if known and level not in known:
                yield (*at, name, "levels"), unknown(f"the level of {name}", level, known)
