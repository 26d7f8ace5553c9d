"""Means and sums of squares, always added in the order in which the patients entered."""

from __future__ import annotations

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
