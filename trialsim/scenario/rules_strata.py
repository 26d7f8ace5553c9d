"""Rules of strata: covariates and, in blocks, the site; who has levels, and how many strata there may be."""

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
    levels = covariate_levels(parts)
    sites = parts.accrual.sites if parts.accrual is not None else None
    if SITE not in rule.strata or (sites is None and SITE in levels):
        yield from strata_findings(at, rule.strata, parts)
        return
    place = rule.strata.index(SITE)
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
    elif rule.stratified_permuted_blocks is None:
        yield (
            (*at, place),
            "'site' is known to stratified_permuted_blocks alone; take these, or strata of covariates",
        )
    if rule.strata.count(SITE) > 1:
        yield (*at, rule.strata.index(SITE, place + 1)), "'site' is named twice"
    others = tuple(name for name in rule.strata if name != SITE)
    for where, what in strata_findings(at, others, parts):
        # Places are those of the list as it is written, in which the site stands too.
        if len(where) > len(at) and isinstance(where[-1], int):
            where = (*at, rule.strata.index(others[where[-1]]))
        yield where, what
    if sites is not None:
        count = sum(group.count for group in sites.values())
        for name in others:
            count *= len(levels.get(name) or (0,))
        if count > _MOST_BLOCKS:
            yield at, f"these make {count:,} strata with the sites; at most {_MOST_BLOCKS:,} are allowed"
