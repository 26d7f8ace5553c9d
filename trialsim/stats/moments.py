"""Means and sums of squares, always added in the same order: eight sums side by side, patient by patient in turn.

One sum after the other would have the processor wait for each addition; eight of them take an eighth of the time.
"""

from __future__ import annotations

from trialsim.compiled import inline, kernel

_SIDE_BY_SIDE = 8


@inline
def squared(x: float) -> float:
    """Return the square of a number."""
    return x * x


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
    for i in range(whole, n):
        a += values[i]
    mean = (((a + b) + (c + d)) + ((e + f) + (g + h))) / n if n > 0 else 0.0
    a, b, c, d, e, f, g, h = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for i in range(0, whole, _SIDE_BY_SIDE):
        a, b = a + squared(values[i] - mean), b + squared(values[i + 1] - mean)
        c, d = c + squared(values[i + 2] - mean), d + squared(values[i + 3] - mean)
        e, f = e + squared(values[i + 4] - mean), f + squared(values[i + 5] - mean)
        g, h = g + squared(values[i + 6] - mean), h + squared(values[i + 7] - mean)
    for i in range(whole, n):
        a += squared(values[i] - mean)
    return mean, ((a + b) + (c + d)) + ((e + f) + (g + h))


@kernel
def binary_moments(n, successes):  # type: ignore[no-untyped-def]
    """Return mean and sum of squared deviations of ``n`` zeros and ones with a number of successes; 0 when empty."""
    if n == 0:
        return 0.0, 0.0
    mean = successes / n
    return mean, successes * (1.0 - mean)
