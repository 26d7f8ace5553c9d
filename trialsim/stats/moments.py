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
def moments_of_four(first, second, third, fourth, side, ends, counts, mean, squares):  # type: ignore[no-untyped-def]
    """Fill mean and sum of squares of two groups in four rows: those of :func:`mean_and_squares`, to the last bit.

    Each addition waits for the one before in its group; those of the other groups and rows fill the wait.

    Parameters
    ----------
    first, second, third, fourth
        The rows, float64.
    side
        Group of each place, the same in all rows: 0, 1, or anything else for neither.
    ends
        How many places of each row count.
    counts
        How many of them are in each group, ``[row, group]``.
    mean, squares
        Filled, ``[row, group]``.
    """
    rows = (first, second, third, fourth)
    common = ends.min()
    a, b, c, d, e, f, g, h = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for i in range(common):
        if side[i] == 0:
            a, c, e, g = a + first[i], c + second[i], e + third[i], g + fourth[i]
        elif side[i] == 1:
            b, d, f, h = b + first[i], d + second[i], f + third[i], h + fourth[i]
    mean[0, 0], mean[0, 1], mean[1, 0], mean[1, 1] = a, b, c, d
    mean[2, 0], mean[2, 1], mean[3, 0], mean[3, 1] = e, f, g, h
    for k in range(4):
        row = rows[k]
        for i in range(common, ends[k]):
            if side[i] == 0 or side[i] == 1:
                mean[k, side[i]] += row[i]
        for s in range(2):
            mean[k, s] = mean[k, s] / counts[k, s] if counts[k, s] > 0 else 0.0
    m, n, o, p = mean[0, 0], mean[0, 1], mean[1, 0], mean[1, 1]
    q, r, t, u = mean[2, 0], mean[2, 1], mean[3, 0], mean[3, 1]
    a, b, c, d, e, f, g, h = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for i in range(common):
        if side[i] == 0:
            a, c = a + (first[i] - m) * (first[i] - m), c + (second[i] - o) * (second[i] - o)
            e, g = e + (third[i] - q) * (third[i] - q), g + (fourth[i] - t) * (fourth[i] - t)
        elif side[i] == 1:
            b, d = b + (first[i] - n) * (first[i] - n), d + (second[i] - p) * (second[i] - p)
            f, h = f + (third[i] - r) * (third[i] - r), h + (fourth[i] - u) * (fourth[i] - u)
    squares[0, 0], squares[0, 1], squares[1, 0], squares[1, 1] = a, b, c, d
    squares[2, 0], squares[2, 1], squares[3, 0], squares[3, 1] = e, f, g, h
    for k in range(4):
        row = rows[k]
        for i in range(common, ends[k]):
            if side[i] == 0 or side[i] == 1:
                squares[k, side[i]] += (row[i] - mean[k, side[i]]) * (row[i] - mean[k, side[i]])


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


@kernel
def fill_binary_moments(n, squares, mean):  # type: ignore[no-untyped-def]
    """Fill :func:`binary_moments` of many groups, in vectors.

    Parameters
    ----------
    n
        Patients of each group, int64 ``[group]``.
    squares
        Successes at first, float64 ``[group]``; sums of squared deviations afterwards, 0 where a group is empty.
    mean
        Filled, float64 ``[group]``.
    """
    for k in range(len(n)):
        successes = squares[k]
        mean[k] = successes / float(max(n[k], 1))
        squares[k] = successes * (1.0 - mean[k])
