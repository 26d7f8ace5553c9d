"""Which sites open, and when, for both engines: the sites' own laws, and the policy that chooses among them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from trialsim.contracts import Bools, Floats, Ints, Memory, SiteDecision, SitesSoFar, SiteView
from trialsim.engines.candidate_views import seed_for_policies
from trialsim.operations.site_history import history_levels
from trialsim.timegrid import NEVER

if TYPE_CHECKING:
    from trialsim.engines.plan import Plan
    from trialsim.engines.world import World


def level_shares(world: World) -> Floats:
    """Return the share of each level of the reported subgroup among a site's candidates, ``[site, level]``."""
    assert world.sites is not None
    levels = len(world.subgroup_levels)
    if not levels:
        return np.zeros((world.sites.count, 0))
    assert world.screening is not None
    source, column = world.source, world.screening.subgroup
    if source.table is not None or source.marginals is None:
        codes = source.rows[:, column].astype(np.int64)
        shares = np.bincount(codes, minlength=levels)[None, :] / len(codes)
        return np.broadcast_to(shares, (world.sites.count, levels))
    from scipy.special import ndtr

    mixes = source.mixes or (source.marginals.cuts,)
    below = np.array([ndtr(cuts[column, : levels - 1]) for cuts in mixes])
    edges = np.hstack([np.zeros((len(mixes), 1)), below, np.ones((len(mixes), 1))])
    shares = np.diff(edges, axis=1)
    return (
        shares[source.mix_of_site] if source.mixes else np.broadcast_to(shares, (world.sites.count, levels))
    )


@dataclass(frozen=True)
class SiteChoice:
    """Which sites a policy asked to open before the trial, and why.

    Parameters
    ----------
    view
        What it saw.
    score
        Its scores, ``[replicate, site]``.
    chosen
        Which sites are asked, ``[replicate, site]``.
    memory
        What it remembers.
    decision
        What it answered.
    """

    view: SiteView
    score: Floats
    chosen: Bools
    memory: Memory
    decision: SiteDecision


def openings(plan: Plan, replicates: Ints, choice: SiteChoice | None) -> Ints:
    """Return when each site opens, in ticks since the first chosen one did, ``[replicate, site]``; NEVER if it does not.

    Parameters
    ----------
    plan
        A plan with sites.
    replicates
        Global numbers.
    choice
        Of :func:`choice_of_sites`.
    """
    laws = plan.world.sites
    assert laws is not None
    opening = laws.activations(plan.seed, replicates, plan.grid)
    if choice is None:
        return opening
    opening = np.where(choice.chosen, opening, NEVER)
    first = opening.min(axis=1, keepdims=True)
    return np.where(opening < NEVER, opening - np.where(first < NEVER, first, 0), NEVER)


def choice_of_sites(plan: Plan, replicates: Ints) -> SiteChoice | None:
    """Return which sites are asked to open before the trial; None where all are.

    Parameters
    ----------
    plan
        A plan with sites.
    replicates
        Global numbers.
    """
    laws, policy = plan.world.sites, plan.site_policy
    assert laws is not None
    if policy is None or policy.open_sites is None or policy.open_sites >= laws.count:
        return None
    view = site_view(plan, replicates)
    decision, memory = policy.decide(view, {})
    score = decision.score
    if score is None:  # nothing tells one from another
        score = np.zeros((len(replicates), laws.count))
    # Highest first, the first among equals; not a number comes last.
    order = np.argsort(np.where(np.isnan(score), np.inf, -score), axis=1, kind="stable")
    chosen = np.zeros(score.shape, dtype=bool)
    np.put_along_axis(chosen, order[:, : policy.open_sites], True, axis=1)
    return SiteChoice(view, score, chosen, memory, decision)


def closed_and_called(decision: SiteDecision, so_far: SitesSoFar) -> tuple[Bools, Bools]:
    """Return which sites close at a review and which reserves are asked to open, ``[replicate, site]``."""
    nothing = np.zeros(so_far.open.shape, dtype=bool)
    closed = nothing if decision.close is None else decision.close & so_far.open
    return closed, nothing if decision.open is None else decision.open & so_far.reserve


def site_view(plan: Plan, replicates: Ints) -> SiteView:
    """Return what is known of the sites before the trial.

    Parameters
    ----------
    plan
        A plan with sites and a policy for them.
    replicates
        Global numbers.
    """
    laws = plan.world.sites
    assert laws is not None
    patients, promised = laws.history(plan.seed, replicates)
    return SiteView(
        replicate=replicates,
        names=laws.names,
        groups=tuple(laws.groups[group] for group in laws.group),
        history_days=laws.history_days,
        history_patients=patients,
        promised=promised,
        seed=seed_for_policies(plan.seed),
        rates=laws.rates(plan.seed, replicates)
        if getattr(plan.site_policy, "reads_latent", False)
        else np.zeros((0, 0)),
        levels=plan.world.subgroup_levels,
        history_levels=history_levels(plan.seed, replicates, patients, level_shares(plan.world)),
    )
