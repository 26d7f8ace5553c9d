"""Rules of strata: covariates and the site; who has levels, and how many strata there may be."""

from __future__ import annotations

from collections.abc import Iterator

from trialsim.scenario.design import SITE, Allocation
from trialsim.scenario.rules_world import Finding, WorldParts, covariate_levels, strata_findings

Place = tuple[str | int, ...]

_MOST_BLOCKS = 100_000


def allocation_strata_findings(at: Place, rule: Allocation, parts: WorldParts) -> Iterator[Finding]:
    """Yield what is wrong with the strata of an allocation.

    Parameters
    ----------
    at
        The place of the list of strata.
    rule
        The allocation.
    parts
        What could be read of the world.
    """
    yield from site_findings(at, rule.strata, parts, in_blocks=rule.stratified_permuted_blocks is not None)


def site_findings(
    at: Place, strata: tuple[str, ...], parts: WorldParts, in_blocks: bool = True
) -> Iterator[Finding]:
    """Yield what is wrong with strata among which the site may be, where the rule that has them knows of sites.

    Parameters
    ----------
    at
        The place of the list of strata.
    strata
        Covariates and ``site``.
    parts
        What could be read of the world.
    in_blocks
        Whether the rule is one that knows of sites; of allocations, blocks alone do.
    """
    levels = covariate_levels(parts)
    sites = parts.accrual.sites if parts.accrual is not None else None
    if SITE not in strata or (sites is None and SITE in levels):
        yield from strata_findings(at, strata, parts)
        return
    place = strata.index(SITE)
    if SITE in levels:
        yield (
            (*at, place),
            "'site' is the name of a covariate and stands for the site of a patient too; give the covariate another name",
        )
    elif sites is None and parts.accrual is not None:
        yield (
            (*at, place),
            "'site' stands for the site of a patient, and this scenario has none; write accrual: {sites: {...}}, from "
            "which candidates come, or leave it out",
        )
    elif not in_blocks:
        yield (
            (*at, place),
            "'site' is known to stratified_permuted_blocks alone; take these, or strata of covariates",
        )
    if strata.count(SITE) > 1:
        yield (*at, strata.index(SITE, place + 1)), "'site' is named twice"
    others = tuple(name for name in strata if name != SITE)
    for where, what in strata_findings(at, others, parts):
        # Places are those of the list as it is written, in which the site stands too.
        if len(where) > len(at) and isinstance(where[-1], int):
            where = (*at, strata.index(others[where[-1]]))
        yield where, what
    if sites is not None:
        count = sum(group.count for group in sites.values())
        for name in others:
            count *= len(levels.get(name) or (0,))
        if count > _MOST_BLOCKS:
            yield at, f"these make {count:,} strata with the sites; at most {_MOST_BLOCKS:,} are allowed"
