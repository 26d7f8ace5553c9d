"""The true error of bounds that are applied to t statistics at several looks, by simulation of sufficient statistics.

No recursion in one dimension exists: the estimated deviation of a look depends on the one before. Means and sums of
squares of each block of new patients are drawn and merged, which is exact whatever the sizes.

References
----------
Jennison and Turnbull, Group Sequential Methods with Applications to Clinical Trials (2000), sections 4.4 and 4.5; merging
of sums of squares: Chan, Golub and LeVeque, The American Statistician 37, 1983, 242-247.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

REPLICATES = 1_000_000
_BLOCK = 250_000
_KEY = 20_000


def repeated_t_error(
    bounds: Sequence[float], sizes: Sequence[tuple[int, int]], replicates: int = REPLICATES
) -> tuple[float, float]:
    """Return the probability to cross a bound at any look under no effect, and its Monte Carlo standard error.

    Parameters
    ----------
    bounds
        On the statistic, by look.
    sizes
        Patients of both arms by look, cumulative; the second is 0 for one sample.
    replicates
        How many trials are drawn.
    """
    generator = np.random.Generator(np.random.Philox(key=_KEY))
    crossed = 0
    for begin in range(0, replicates, _BLOCK):
        crossed += _crossings(bounds, sizes, min(_BLOCK, replicates - begin), generator)
    share = crossed / replicates
    return share, math.sqrt(share * (1.0 - share) / replicates)


def _crossings(
    bounds: Sequence[float], sizes: Sequence[tuple[int, int]], count: int, generator: np.random.Generator
) -> int:
    means, squares = [np.zeros(count), np.zeros(count)], np.zeros(count)
    before = (0, 0)
    crossed = np.zeros(count, dtype=bool)
    arms = 2 if sizes[-1][1] else 1
    for bound, size in zip(bounds, sizes, strict=True):
        for arm in range(arms):
            means[arm], more = _merged(means[arm], before[arm], size[arm] - before[arm], generator)
            squares += more
        before = size
        degrees = sum(size) - arms
        if degrees <= 0 or not math.isfinite(bound):
            continue
        variance = squares / degrees * sum(1.0 / size[arm] for arm in range(arms))
        crossed |= means[0] - means[1] >= bound * np.sqrt(variance)
    return int(crossed.sum())


def _merged(mean: Floats, before: int, added: int, generator: np.random.Generator) -> tuple[Floats, Floats]:
    """Return an arm's mean after new patients, and what they add to its sum of squares."""
    if added == 0:
        return mean, np.zeros_like(mean)
    fresh = generator.standard_normal(len(mean)) / math.sqrt(added)
    within = generator.chisquare(added - 1, len(mean)) if added > 1 else np.zeros_like(mean)
    shift = fresh - mean
    total = before + added
    return mean + shift * (added / total), within + shift * shift * (before * added / total)
