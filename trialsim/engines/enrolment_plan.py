"""When a run counts the patients who have been randomised so far, and how many a plan on paper would expect by then."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from trialsim.operations.delays import drawn_delay
from trialsim.timegrid import NEVER, TICKS_PER_DAY, to_ticks

if TYPE_CHECKING:
    from trialsim.engines.world import World
    from trialsim.operations.sites import SitesLaw

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_NEAR, _FAR = 60, 30
_POINTS = 2000


def enrolment_dates(expected: float, horizon: int, grid: int) -> Ints:
    """Return the times at which patients are counted: dense to twice the expected length of enrolment, then sparse.

    Nothing of a replicate, a chunk or an engine is in them, so that counts of all trials can be added up.

    Parameters
    ----------
    expected
        Days in which enrolment is expected to be complete.
    horizon
        Tick at which the trial ends whatever happens.
    grid
        Step of the time grid in ticks.
    """
    dense = min(2 * to_ticks(expected, grid), horizon)
    near = np.linspace(0, dense, _NEAR + 1)[1:]
    far = np.linspace(dense, horizon, _FAR + 1)[1:] if dense < horizon else np.zeros(0)
    return np.unique(np.rint(np.concatenate([near, far])).astype(np.int64))


def planned_enrolment(world: World, days: Floats, single: bool = False) -> Floats:
    """Return how many patients of each group of sites a plan on paper would expect by some times.

    The sites of a group open at evenly spaced quantiles of their law, find candidates at their mean rate, and lose to
    other trials what is stated. Of those the average share passes, at the first attempt; nobody waits or withdraws, and
    everyone takes the median time. Sites and the trial stop when they are full. Where trials are slower than this, it is
    queues, withdrawals, and luck.

    Parameters
    ----------
    world
        With sites.
    days
        Times in days, ``[date]``.
    single
        Whether by single site in place of by group.

    Returns
    -------
    numpy.ndarray
        float64 ``[group, date]``, or ``[site, date]``.
    """
    sites, screening, chances = world.sites, world.screening, world.chances
    assert sites is not None and screening is not None and chances is not None
    each = chances.of(world.sample)
    eligible = each[:, 2] + (1.0 - each[:, 2]) * screening.wrongly_randomised
    share = float(np.mean(each[:, 0] * each[:, 1] * eligible))
    delay = screening.median_ticks(1) / TICKS_PER_DAY
    time = np.linspace(0.0, max(float(days.max()), 1e-9), _POINTS)
    found = np.zeros((sites.count if single else len(sites.groups), len(time)))
    for s, opening in enumerate(_openings(sites)):
        came = _expected_arrivals(sites, s, opening, time) * share
        patients = np.minimum(np.interp(time - delay, time, came, left=0.0), float(sites.cap[s]))
        found[s if single else sites.group[s]] += patients * (1.0 - sites.never_opens[s])
    total = found.sum(axis=0)
    full = int(np.argmax(total >= world.n)) if total[-1] >= world.n else len(time)
    if full < len(time):
        before, at = found[:, max(full - 1, 0)] * (full > 0), found[:, full]
        share = (world.n - before.sum()) / (total[full] - before.sum())
        found[:, full:] = (before + share * (at - before))[:, None]
    return np.array([np.interp(days, time, row) for row in found])


def _openings(sites: SitesLaw) -> Floats:
    """Return the days after the first opening at which each site opens, evenly spaced over its group's law."""
    opens = np.empty(sites.count)
    for g in range(len(sites.groups)):
        members = np.flatnonzero(sites.group == g)
        for place, s in enumerate(members):
            kind, first, second = sites.activation[s]
            ticks = drawn_delay((place + 0.5) / len(members), int(kind), first, second, 1)
            opens[s] = ticks / TICKS_PER_DAY
    return np.asarray(opens - opens.min())


def _expected_arrivals(sites: SitesLaw, s: int, opening: float, time: Floats) -> Floats:
    """Return the candidates expected at a site by each time."""
    since = time - opening
    rate = np.interp(since, sites.knot_days[s], sites.knot_factor[s]) * sites.rate[s]
    taken = np.zeros(len(time))
    for tick, share in zip(sites.competing_tick[s], sites.competing_share[s], strict=True):
        if tick < NEVER:
            taken[time >= tick / TICKS_PER_DAY] = share
    closes = sites.closes[s] / TICKS_PER_DAY if sites.closes[s] < NEVER else np.inf
    rate = np.where((since >= 0.0) & (time < closes), rate * (1.0 - taken), 0.0)
    amount = np.concatenate([[0.0], np.cumsum(0.5 * (rate[1:] + rate[:-1]) * np.diff(time))])
    return np.asarray(amount + sites.backlog[s] * (since >= 0.0))
