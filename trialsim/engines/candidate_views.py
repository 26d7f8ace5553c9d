"""What a recruitment policy gets to see of candidates, for both engines."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from trialsim.contracts import CandidateView, Floats, Ints, RecruitmentPolicy
from trialsim.draws import TRUTH_REPLICATE, TRUTH_SEED, Purpose, word
from trialsim.engines.world import World
from trialsim.operations.candidate_records import as_recorded
from trialsim.operations.sites import SITE_BITS
from trialsim.timegrid import TICKS_PER_DAY

_REFERENCE_CANDIDATES = 50_000


def candidate_view(
    world: World,
    policy: RecruitmentPolicy,
    seed: int,
    replicates: Ints,
    keys: Ints,
    ticks: Ints,
    records: Floats,
    chances: Floats,
    rows: Ints,
) -> CandidateView:
    """Return what a recruitment policy sees of candidates; latent traits and chances only where it declares to read them.

    Parameters
    ----------
    world, policy, seed
        Of the plan.
    replicates, keys, ticks
        Who they are and when they come, ``[candidate]`` each.
    records
        Covariates, then latent traits, ``[candidate, column]``.
    chances
        Of passing the records, consenting and being eligible, ``[candidate, 3]``.
    rows
        Where in the memory each candidate's trial stands, ``[candidate]``.
    """
    source, visible = world.source, world.source.covariate_count
    view = CandidateView(
        replicate=replicates,
        candidate=keys,
        site=keys >> SITE_BITS,
        contact_days=ticks / float(TICKS_PER_DAY),
        covariates=as_recorded(world.records, seed, replicates, keys, np.array(records[:, :visible])),
        names=source.columns[:visible],
        levels=source.categories,
        seed=seed_for_policies(seed),
        rows=rows,
    )
    if not getattr(policy, "reads_latent", False):
        return view
    latent = standardised(world, records[:, visible:])
    return replace(view, latent=latent, traits=source.columns[visible:], chances=chances)


def seed_for_policies(seed: int) -> int:
    """Return a seed from which nobody can find the one of the run, and with it what nature holds in store."""
    return int(word(seed, TRUTH_REPLICATE, 0, int(Purpose.SAMPLER), 0)) >> 1


def standardised(world: World, latent: Floats) -> Floats:
    """Return latent traits in units of their standard deviations."""
    count = latent.shape[1]
    if not count or world.source.marginals is None:
        return np.array(latent)
    sd = world.source.marginals.second[-count:]
    return np.asarray(latent / np.where(sd > 0.0, sd, 1.0))


def prepared(world: World, policy: RecruitmentPolicy) -> RecruitmentPolicy:
    """Return a recruitment policy ready for use, given a sample of candidates whom no trial meets, if it asks for one."""
    prepare = getattr(policy, "prepared", None)
    if prepare is None or world.sites is None or world.chances is None:
        return policy
    source = world.source
    n = len(source.rows) if source.finite else _REFERENCE_CANDIDATES
    # Sites in turn, each candidate under a number of their own.
    keys = (np.arange(n) % world.sites.count << SITE_BITS) + np.arange(n)
    replicates = np.full(n, TRUTH_REPLICATE, dtype=np.int64)
    records = source.rows if source.finite else source.records_at(TRUTH_SEED, replicates, keys)
    sample = candidate_view(
        world,
        policy,
        TRUTH_SEED,
        replicates,
        keys,
        np.zeros(n, dtype=np.int64),
        records,
        world.chances.of(records),
        np.zeros(n, dtype=np.int64),
    )
    ready: RecruitmentPolicy = prepare(sample)
    return ready
