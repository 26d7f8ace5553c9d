"""Views to ask policies about, made up: candidates, looks and reviews of every sort."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from trialsim.contracts import (
    AllocationView,
    CandidateView,
    LookView,
    SitesSoFar,
    SiteView,
    Status,
    VisitView,
)

_SEED = 7


def candidate_view(n: int = 300) -> CandidateView:
    """Return candidates of several trials with a group, an age and a marker, some missing, and all that is hidden.

    Parameters
    ----------
    n
        How many.
    """
    rng = np.random.default_rng(_SEED)
    covariates = np.column_stack(
        [rng.integers(0, 2, n), rng.normal(60.0, 10.0, n), rng.lognormal(0.5, 0.7, n)]
    ).astype(np.float64)
    covariates[rng.random(covariates.shape) < 0.1] = np.nan
    site = rng.integers(0, 5, n)
    return CandidateView(
        replicate=np.sort(rng.integers(0, 4, n)),
        candidate=(site << 32) + np.arange(n),
        site=site,
        contact_days=rng.uniform(0.0, 300.0, n),
        covariates=covariates,
        names=("group", "age", "marker"),
        levels={"group": ("A", "B")},
        seed=12345,
        latent=rng.standard_normal((n, 1)),
        traits=("eligibility",),
        chances=rng.random((n, 3)),
        rows=np.zeros(n, dtype=np.int64),
    )


def look_view(n: int = 40) -> LookView:
    """Return the looks of trials with three arms and two tests: clear and unclear results, failed ones, closed arms.

    Parameters
    ----------
    n
        How many trials.
    """
    rng = np.random.default_rng(_SEED)
    pairs, arms = (n, 2), (n, 3)
    z = rng.normal(1.0, 2.0, pairs)
    decided = rng.random(pairs) < 0.15
    rejected = decided & (rng.random(pairs) < 0.5)
    status = np.where(rng.random(pairs) < 0.1, int(Status.NO_EVENTS), int(Status.OK)).astype(np.int8)
    open_arms = rng.random(arms) < 0.85
    open_arms[:, 0] = True
    return LookView(
        replicate=np.arange(n),
        look=rng.integers(0, 3, n),
        is_last=rng.random(n) < 0.3,
        cut_days=rng.uniform(100.0, 900.0, n),
        z=z,
        effect=0.1 * z,
        se=np.full(pairs, 0.1),
        information=np.full(pairs, 100.0),
        status=status,
        efficacy_z=np.full(pairs, 2.3),
        futility_z=np.full(pairs, 0.0),
        test_arms=np.array([[1, 0], [2, 0]]),
        rejected=rejected,
        futile=decided & ~rejected,
        open_arms=open_arms,
        arm_enrolled=rng.integers(20, 80, arms),
        arm_events=rng.integers(0, 40, arms),
        arm_readouts=rng.integers(10, 60, arms),
        seed=12345,
        benefit=np.array([0.2, 0.0]),
    )


def allocation_view(n: int = 40) -> AllocationView:
    """Return reviews of trials with three arms, some closed and some without read-outs.

    Parameters
    ----------
    n
        How many trials.
    """
    rng = np.random.default_rng(_SEED)
    arms = (n, 3)
    readouts = np.where(rng.random(arms) < 0.1, 0, rng.integers(1, 60, arms))
    open_arms = rng.random(arms) < 0.8
    open_arms[:, 0] = True
    return AllocationView(
        replicate=np.arange(n),
        cut_days=rng.uniform(50.0, 400.0, n),
        arm_enrolled=readouts + rng.integers(0, 20, arms),
        arm_events=readouts // 2,
        arm_readouts=readouts,
        arm_total=rng.binomial(readouts, 0.4).astype(np.float64),
        open_arms=open_arms,
        ratio=np.array([1, 1, 1]),
        n_max=240,
        benefit=np.array([0.0, -0.1, 0.2]),
        seed=12345,
    )


def visit_view(n: int = 120) -> VisitView:
    """Return visits of patients with two terms of adverse events, none to many of each severity, at three dose levels.

    Parameters
    ----------
    n
        How many.
    """
    rng = np.random.default_rng(_SEED)
    events = rng.poisson(0.5, (n, 2, 3))
    return VisitView(
        replicate=np.sort(rng.integers(0, 4, n)),
        patient=np.arange(n),
        visit=rng.integers(0, 6, n),
        days=rng.uniform(20.0, 200.0, n),
        events=events,
        serious=rng.binomial(events[:, :, 2].sum(axis=1), 0.5),
        dose=rng.integers(0, 3, n),
        terms=("rash", "fatigue"),
        levels=("mild", "moderate", "severe"),
        doses=3,
        seed=12345,
        latent=rng.standard_normal((n, 1)),
        traits=("toxicity",),
    )


def site_view(n: int = 40) -> SiteView:
    """Return reviews of trials with six sites, on record or not: open, closed, on their way and in reserve.

    Parameters
    ----------
    n
        How many trials.
    """
    rng = np.random.default_rng(_SEED)
    shape = (n, 6)
    reserve = rng.random(shape) < 0.4
    opened = ~reserve & (rng.random(shape) < 0.8)
    came = np.where(opened, rng.poisson(12.0, shape), 0)
    days = np.array([365.0, 365.0, 200.0, 100.0, 0.0, 0.0])
    promised = rng.uniform(0.05, 0.4, shape)
    promised[:, 5] = np.nan
    view = SiteView(
        replicate=np.arange(n),
        names=tuple("abcdef"),
        groups=("x", "x", "x", "x", "y", "y"),
        history_days=days,
        history_patients=rng.poisson(0.1 * days, shape),
        promised=promised,
        seed=12345,
        rates=rng.gamma(1.5, 0.1, shape),
        levels=("A", "B"),
    )
    some = rng.binomial(view.history_patients, 0.3)
    view = replace(view, history_levels=np.stack([view.history_patients - some, some], axis=2))
    so_far = SitesSoFar(
        review=rng.integers(0, 5, n),
        review_days=rng.uniform(50.0, 400.0, n),
        open=opened & (rng.random(shape) < 0.9),
        reserve=reserve,
        open_days=np.where(opened, rng.uniform(1.0, 200.0, shape), 0.0),
        came=came,
        randomised=rng.binomial(came, 0.4),
        n_max=120,
    )
    return replace(view, so_far=so_far)
