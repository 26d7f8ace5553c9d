"""Means and sums of squares, always added in the order in which the patients entered."""

from __future__ import annotations

import numpy as np

from trialsim.compiled import kernel


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
    total = 0.0
    for i in range(n):
        total += values[i]
    mean = total / n if n > 0 else 0.0
    squares = 0.0
    for i in range(n):
        squares += (values[i] - mean) * (values[i] - mean)
    return mean, squares


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
    mean[:] = 0.0
    squares[:] = 0.0
    for i in range(len(values)):
        g = np.uint64(groups[i])
        if wanted[g] and times[i] > since and times[i] <= until:
            n[g] += 1
            mean[g] += values[i]
    counts = values.itemsize == 1
    for g in range(len(n)):
        total = mean[g]
        mean[g] = total / n[g] if n[g] > 0 else 0.0
        squares[g] = total * (1.0 - mean[g]) if counts and spread else 0.0
    if counts or not spread:
        return
    for i in range(len(values)):
        g = np.uint64(groups[i])
        if wanted[g] and times[i] > since and times[i] <= until:
            squares[g] += (values[i] - mean[g]) * (values[i] - mean[g])


@kernel
def binary_moments(n, successes):  # type: ignore[no-untyped-def]
    """Return mean and sum of squared deviations of ``n`` zeros and ones with a number of successes; 0 when empty."""
    if n == 0:
        return 0.0, 0.0
    mean = successes / n
    return mean, successes * (1.0 - mean)
