"""The true error of the log-rank bound when events are few among many at risk, by enumeration.

When the numbers at risk barely change, each event falls on treatment with the share of treatment among those at risk,
independently of the others: the treatment events of ``d`` are binomial, and z is ``(d p - x) / sqrt(d p (1 - p))``. This
is exact in the limit of rare events, and no approximation to a normal law enters.

References
----------
Schoenfeld, Biometrika 68, 1981, 316-319 (the conditional law); Jennison and Turnbull (2000), chapter 12 (repeated
tests of a binomial count).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from trialsim.errors import UsageError
from trialsim.stats.sample_size.exact_proportions import binomial_probabilities

FEW_EVENTS = 100  # up to which they are taken to be few of many, where the patients are not known
SPARSE_SHARE = 0.2  # of patients with an event, up to which the numbers at risk count as unchanged


def sparse_event_alpha(
    events: Sequence[int], bounds: Sequence[float], share: float, null: float = 1.0
) -> float:
    """Return the probability to cross a bound at any analysis under the null.

    Parameters
    ----------
    events
        Cumulative events at each analysis.
    bounds
        On the z scale, one for each analysis.
    share
        Share of treatment among those at risk.
    null
        Hazard ratio under the null.

    Raises
    ------
    UsageError
        When the lists do not match or events do not grow.
    """
    if (
        len(events) != len(bounds)
        or not events
        or any(b <= a for a, b in zip([0, *events], events, strict=False))
    ):
        raise UsageError("events need one bound each, and must grow from analysis to analysis")
    chance = share * null / (share * null + 1.0 - share)
    running, crossed, before = np.ones(1), 0.0, 0
    for count, bound in zip(events, bounds, strict=True):
        running = np.convolve(running, binomial_probabilities(count - before, chance))
        expected, deviation = count * chance, math.sqrt(count * chance * (1.0 - chance))
        rejects = (expected - np.arange(count + 1)) / deviation >= bound
        crossed += float(running[rejects].sum())
        running = np.where(rejects, 0.0, running)
        before = count
    return min(1.0, crossed)
