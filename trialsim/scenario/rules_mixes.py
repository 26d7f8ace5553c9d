"""Whether the mix of a group of sites fits the population."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from trialsim.scenario.population import Population
from trialsim.scenario.sites import SiteGroup
from trialsim.scenario.wording import listed, shown, unknown

Finding = tuple[tuple[str | int, ...], str]


def mix_findings(population: Population, groups: Mapping[str, SiteGroup]) -> Iterator[Finding]:
    """Yield covariates and levels of sites' mixes that the population does not have, and shares that make no whole.

    Parameters
    ----------
    population
        The patients of the scenario.
    groups
        Of sites, by name.
    """
    categorical = [name for name, marginal in population.marginals.items() if marginal.levels]
    for group, stated in groups.items():
        for name, shares in (stated.mix or {}).items():
            at = ("accrual", "sites", group, "mix", name)
            if population.resample is not None:
                yield at, "patients are rows of a table, so that sites have no mix of their own; leave it out"
                continue
            if name not in categorical:
                known = listed(categorical) if categorical else "the population has no categorical covariate"
                yield at, f"{shown(name)} is no categorical covariate; allowed: {known}"
                continue
            levels = population.marginals[name].levels
            strange = [level for level in shares if level not in levels]
            for level in strange:
                yield (*at, level), unknown(f"the level of {name}", level, levels)
            missing = [level for level in levels if level not in shares]
            if missing:
                yield at, f"every level of {name} needs a share; missing: {listed(missing)}"
            if not strange and not missing and abs(sum(shares.values()) - 1.0) > 1e-9:
                yield at, f"the shares of the levels must sum to 1; they sum to {shown(sum(shares.values()))}"
