"""Values from repeated trials, each with its Monte Carlo standard error and a 95% interval.

References
----------
Wilson EB (1927), J Am Stat Assoc 22:209-212 (interval of a probability).
Clopper CJ, Pearson ES (1934), Biometrika 26:404-413 (exact upper limit).
Conover WJ (1999), Practical Nonparametric Statistics, 3rd ed., section 3.2 (limits of a quantile by rank).
Bonett DG, Price RM (2012), J Educ Behav Stat 37:479-488, equation 9 (difference of paired probabilities).
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtr, betaincinv, ndtri

Numbers = NDArray[Any]

LEVEL = 0.95
Z = float(ndtri(0.5 + LEVEL / 2))
_WIDEST_COUNT = 1 << 22
_BLOCK = 1 << 13


class MonteCarlo(NamedTuple):
    """A value, its Monte Carlo standard error and its limits; ``None`` where there is none.

    ``n`` counts the replicates that entered the value.
    """

    value: float
    mcse: float | None
    lower: float | None
    upper: float | None
    n: int


def wilson(successes: int, n: int, z: float = Z) -> tuple[float, float]:
    """Limits of a probability after Wilson, exactly 0 or 1 at the ends.

    Parameters
    ----------
    successes, n
        Successes among `n` > 0 independent replicates.
    z
        Normal quantile of the wanted level.
    """
    share = successes / n
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    lower = 0.0 if successes == 0 else max(0.0, centre - half)
    upper = 1.0 if successes == n else min(1.0, centre + half)
    return lower, upper


def proportion(successes: int, n: int) -> MonteCarlo:
    """Return the share of `n` replicates with its binomial error and Wilson limits."""
    share = successes / n
    return MonteCarlo(share, math.sqrt(share * (1 - share) / n), *wilson(successes, n), n)


def upper_limit(successes: int, n: int, tail: float) -> float:
    """Exact one-sided upper limit of a probability, exceeded with a chance of at most `tail`."""
    if successes >= n:
        return 1.0
    return float(betaincinv(successes + 1, n - successes, 1 - tail))


def normal(value: float, mcse: float | None, n: int) -> MonteCarlo:
    """Return a value with limits of the normal approximation."""
    if mcse is None:
        return MonteCarlo(value, None, None, None, n)
    return MonteCarlo(value, mcse, value - Z * mcse, value + Z * mcse, n)


def mean(values: Numbers) -> MonteCarlo | None:
    """Return the mean of finite `values`; ``None`` where there are none."""
    n = values.size
    if n == 0:
        return None
    if (counted := counts_of(values)) is not None:
        return mean_of_counts(*counted)
    centre = float(np.mean(values, dtype=np.float64))
    if n == 1:
        return normal(centre, None, n)
    return normal(centre, math.sqrt(_squares(values, centre) / (n - 1) / n), n)


def _squares(values: Numbers, centre: float) -> float:
    """Return the sum of squared deviations, block by block, so that they stay near the processor.

    Blocks are also short enough for the library of linear algebra to add them up in one thread: several wait for each
    other longer than they compute, and on another number of processors the last digit would be another.
    """
    total = 0.0
    for start in range(0, values.size, _BLOCK):
        deviations = np.subtract(values[start : start + _BLOCK], centre, dtype=np.float64)
        total += float(deviations @ deviations)
    return total


def counts_of(values: Numbers) -> tuple[NDArray[np.intp], int] | None:
    """Return how often whole numbers occur, from the smallest on, and the smallest.

    ``None`` where they are not whole or none, or lie too far apart to be counted.
    """
    if values.dtype.kind not in "iu" or values.size == 0:
        return None
    origin = int(values.min())
    if int(values.max()) - origin >= _WIDEST_COUNT:
        return None
    return np.bincount(np.subtract(values, origin, dtype=np.int64)), origin


def mean_of_counts(counts: NDArray[np.integer], origin: int) -> MonteCarlo | None:
    """Return the mean of whole numbers given how often ``origin``, ``origin + 1``, ... occur."""
    n = int(counts.sum())
    if n == 0:
        return None
    steps = np.arange(counts.size, dtype=np.float64)
    centre = float(steps @ counts) / n
    if n == 1:
        return normal(origin + centre, None, n)
    variance = float(np.square(steps - centre) @ counts) / (n - 1)
    return normal(origin + centre, math.sqrt(variance / n), n)


def root_mean_square(errors: Numbers) -> MonteCarlo | None:
    """Return the root of the mean square: error by the delta method, limits those of the square."""
    squares = mean(np.square(errors, dtype=np.float64))
    if squares is None:
        return None
    value = math.sqrt(squares.value)
    if squares.mcse is None or squares.lower is None or squares.upper is None:
        return MonteCarlo(value, None, None, None, squares.n)
    mcse = squares.mcse / (2 * value) if value > 0 else 0.0
    return MonteCarlo(value, mcse, math.sqrt(max(0.0, squares.lower)), math.sqrt(squares.upper), squares.n)


class OrderStatistics(Protocol):
    """Sorted access to a sample."""

    n: int

    def at(self, positions: NDArray[np.intp]) -> NDArray[np.float64]:
        """Return the values at 0-based `positions` of the sorted sample."""


class Sorted:
    """Sorted access to any numbers: NumPy sorts in vectors, in less time than it selects several of them."""

    def __init__(self, values: Numbers) -> None:
        self.n = int(values.size)
        self._values = values

    def at(self, positions: NDArray[np.intp]) -> NDArray[np.float64]:
        """Return the values at 0-based `positions` of the sorted sample."""
        first = self._values[0]
        if (self._values == first).all():
            return np.full(positions.size, first, dtype=np.float64)
        return np.sort(self._values)[positions].astype(np.float64)


class Counted:
    """Sorted access to whole numbers, given how often ``origin``, ``origin + 1``, ... occur."""

    def __init__(self, counts: NDArray[np.integer], origin: int) -> None:
        self._upto = np.cumsum(counts)
        self._origin = origin
        self.n = int(self._upto[-1]) if counts.size else 0

    def at(self, positions: NDArray[np.intp]) -> NDArray[np.float64]:
        """Return the values at 0-based `positions` of the sorted sample."""
        return (np.searchsorted(self._upto, positions, side="right") + self._origin).astype(np.float64)


@lru_cache(maxsize=256)
def limiting_ranks(n: int, probability: float) -> tuple[int, int]:
    """1-based ranks whose values enclose a quantile with a chance of at least 95%, whatever the distribution.

    Rank 0 and rank ``n + 1`` mean that the sample is too small for that limit.
    """
    tail = (1 - LEVEL) / 2

    def first_above(target: float) -> int:
        low, high = -1, n
        while high - low > 1:
            middle = (low + high) // 2
            if bdtr(middle, n, probability) >= target:
                high = middle
            else:
                low = middle
        return high

    lower = first_above(math.nextafter(tail, 1.0))
    upper = first_above(1 - tail) + 1
    return lower, upper


def quantiles(sample: OrderStatistics, probabilities: tuple[float, ...]) -> list[MonteCarlo]:
    """Quantiles (linear between order statistics) with limits by rank.

    The error is the width of the limits over twice the normal quantile; it is ``None`` where the sample is
    too small for both limits.
    """
    n = sample.n
    if n == 0:
        return []
    wanted: list[int] = []
    for probability in probabilities:
        lower, upper = limiting_ranks(n, probability)
        below = math.floor((n - 1) * probability)
        wanted += [below, min(below + 1, n - 1), max(lower - 1, 0), min(upper - 1, n - 1)]
    at = iter(sample.at(np.array(wanted, dtype=np.intp)).tolist())
    found = []
    for probability, below, above, low, high in zip(probabilities, at, at, at, at, strict=False):
        lower, upper = limiting_ranks(n, probability)
        place = (n - 1) * probability
        value = below + (above - below) * (place - math.floor(place))
        lower_limit = low if lower >= 1 else None
        upper_limit_ = high if upper <= n else None
        both = lower_limit is not None and upper_limit_ is not None
        found.append(
            MonteCarlo(value, (high - low) / (2 * Z) if both else None, lower_limit, upper_limit_, n)
        )
    return found


def paired_difference(values: Numbers, reference: Numbers) -> MonteCarlo | None:
    """Return the mean of the differences between the same replicates."""
    return mean(np.subtract(values, reference, dtype=np.float64))


def paired_proportions(events: NDArray[np.bool_], reference: NDArray[np.bool_]) -> MonteCarlo | None:
    """Difference of two probabilities over the same replicates; limits after Bonett and Price.

    Their limits stay of use when no replicate differs, where the plain error is 0.
    """
    n = events.size
    if n == 0:
        return None
    gained = int(np.count_nonzero(events & ~reference))
    lost = int(np.count_nonzero(reference & ~events))
    value = (gained - lost) / n
    mcse = math.sqrt(max(0.0, (gained + lost) / n - value * value) / (n - 1)) if n > 1 else None
    more, fewer = (gained + 1) / (n + 2), (lost + 1) / (n + 2)
    centre = more - fewer
    half = Z * math.sqrt((more + fewer - centre * centre) / (n + 2))
    return MonteCarlo(value, mcse, max(-1.0, centre - half), min(1.0, centre + half), n)
