"""Means and sums of squares, always added in the same order: eight sums side by side, patient by patient in turn.

One sum after the other would have the processor wait for each addition; eight of them take an eighth of the time.
"""

from __future__ import annotations

import numpy as np

from trialsim.compiled import inline, kernel

_SIDE_BY_SIDE = 8


@inline
def squared(x: float) -> float:
    """Return the square of a number."""
    return x * x


@inline
def _sum_of_eight(a: float, b: float, c: float, d: float, e: float, f: float, g: float, h: float) -> float:
    """Return the sum of eight sums."""
    return ((a + b) + (c + d)) + ((e + f) + (g + h))


@kernel
def mean_and_squares(values, n):  # type: ignore[no-untyped-def]
    """Return the mean of the first ``n`` values and the sum of squared deviations from it (two passes).

    Parameters
    ----------
    values
        float64, at least ``n`` of them.
    n
        How many count.

    Returns
    -------
    tuple of float
        Mean and sum of squares; both 0 when ``n`` is 0.
    """
    whole = n // _SIDE_BY_SIDE * _SIDE_BY_SIDE
    a, b, c, d, e, f, g, h = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for i in range(0, whole, _SIDE_BY_SIDE):
        a, b, c, d = a + values[i], b + values[i + 1], c + values[i + 2], d + values[i + 3]
        e, f, g, h = e + values[i + 4], f + values[i + 5], g + values[i + 6], h + values[i + 7]
    rest = n - whole
    a += values[whole] if rest > 0 else 0.0
    b += values[whole + 1] if rest > 1 else 0.0
    c += values[whole + 2] if rest > 2 else 0.0
    d += values[whole + 3] if rest > 3 else 0.0
    e += values[whole + 4] if rest > 4 else 0.0
    f += values[whole + 5] if rest > 5 else 0.0
    g += values[whole + 6] if rest > 6 else 0.0
    mean = _sum_of_eight(a, b, c, d, e, f, g, h) / n if n > 0 else 0.0
    a, b, c, d, e, f, g, h = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for i in range(0, whole, _SIDE_BY_SIDE):
        a, b = a + squared(values[i] - mean), b + squared(values[i + 1] - mean)
        c, d = c + squared(values[i + 2] - mean), d + squared(values[i + 3] - mean)
        e, f = e + squared(values[i + 4] - mean), f + squared(values[i + 5] - mean)
        g, h = g + squared(values[i + 6] - mean), h + squared(values[i + 7] - mean)
    a += squared(values[whole] - mean) if rest > 0 else 0.0
    b += squared(values[whole + 1] - mean) if rest > 1 else 0.0
    c += squared(values[whole + 2] - mean) if rest > 2 else 0.0
    d += squared(values[whole + 3] - mean) if rest > 3 else 0.0
    e += squared(values[whole + 4] - mean) if rest > 4 else 0.0
    f += squared(values[whole + 5] - mean) if rest > 5 else 0.0
    g += squared(values[whole + 6] - mean) if rest > 6 else 0.0
    return mean, _sum_of_eight(a, b, c, d, e, f, g, h)


@kernel
def _sum_of_row(sums):  # type: ignore[no-untyped-def]
    """Return the sum of eight sums in a row."""
    return _sum_of_eight(sums[0], sums[1], sums[2], sums[3], sums[4], sums[5], sums[6], sums[7])


@kernel
def moments_by_group(values, groups, times, since, until, wanted, spread, n, mean, squares):  # type: ignore[no-untyped-def]
    """Fill number, mean and sum of squared deviations of the values of each group, in two passes over all of them.

    The same sums in the same order as those of :func:`mean_and_squares` of each group by itself; of zeros and ones those
    of :func:`binary_moments`.

    Parameters
    ----------
    values
        In the order in which they are added.
    groups
        Group of each value.
    times, since, until
        Only values with ``since < time <= until`` count.
    wanted
        Which groups; the others have nothing.
    spread
        Whether ``squares`` are wanted; otherwise they are 0.
    n, mean, squares
        Filled, ``[group]``.
    """
    n[:] = 0
    squares[:] = 0.0
    sums = np.zeros((len(n), _SIDE_BY_SIDE))
    for i in range(len(values)):
        g = np.uint64(groups[i])
        if wanted[g] and times[i] > since and times[i] <= until:
            sums[g, np.uint64(n[g]) % np.uint64(_SIDE_BY_SIDE)] += values[i]
            n[g] += 1
    for g in range(len(n)):
        mean[g] = _sum_of_row(sums[g]) / n[g] if n[g] > 0 else 0.0
    if not spread:
        return
    if values.itemsize == 1:
        for g in range(len(n)):
            squares[g] = n[g] * mean[g] * (1.0 - mean[g])
        return
    sums[:] = 0.0
    come = np.zeros(len(n), np.uint64)
    for i in range(len(values)):
        g = np.uint64(groups[i])
        if wanted[g] and times[i] > since and times[i] <= until:
            sums[g, come[g] % np.uint64(_SIDE_BY_SIDE)] += squared(values[i] - mean[g])
            come[g] += np.uint64(1)
    for g in range(len(n)):
        squares[g] = _sum_of_row(sums[g])


@kernel
def binary_moments(n, successes):  # type: ignore[no-untyped-def]
    """Return mean and sum of squared deviations of ``n`` zeros and ones with a number of successes; 0 when empty."""
    if n == 0:
        return 0.0, 0.0
    mean = successes / n
    return mean, successes * (1.0 - mean)


@kernel
def fill_binary_moments(n, squares, mean):  # type: ignore[no-untyped-def]
    """Fill :func:`binary_moments` of many groups, in vectors; ``squares`` holds their successes at first."""
    for k in range(len(n)):
        successes = squares[k]
        mean[k] = successes / float(max(n[k], 1))
        squares[k] = successes * (1.0 - mean[k])
