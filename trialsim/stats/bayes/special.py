"""Distribution functions for compiled code: normal, gamma, beta and Student's t."""

# Compiled functions take arrays that the type checker cannot see into.
# mypy: disallow-untyped-defs=False

from __future__ import annotations

import math
from typing import Final

from trialsim.compiled import kernel

_TERMS = 100_000
_TINY = 1e-300
_EPSILON = 1e-16


@kernel
def normal_cdf(x):
    """Return the standard normal distribution function."""
    return 0.5 * math.erfc(-x * math.sqrt(0.5))


@kernel
def regularised_gamma(shape, x):
    """Return P(shape, x), the distribution function at ``x`` of a gamma variable of unit rate.

    The series of DLMF 8.11.4 below the mean, the continued fraction of DLMF 8.9.2 above it (Lentz's algorithm), relative
    error about 1e-14 times the size of the logarithms.
    """
    if x <= 0.0:
        return 0.0
    if x == math.inf:
        return 1.0
    front = math.exp(shape * math.log(x) - x - math.lgamma(shape))
    if x < shape + 1.0:
        term = 1.0 / shape
        total = term
        for k in range(1, _TERMS):
            term *= x / (shape + k)
            total += term
            if term < total * _EPSILON:
                break
        return min(front * total, 1.0)
    b = x + 1.0 - shape
    c = 1.0 / _TINY
    d = 1.0 / b
    fraction = d
    for k in range(1, _TERMS):
        numerator = -k * (k - shape)
        b += 2.0
        d = numerator * d + b
        c = b + numerator / c
        if abs(d) < _TINY:
            d = _TINY
        if abs(c) < _TINY:
            c = _TINY
        d = 1.0 / d
        change = c * d
        fraction *= change
        if abs(change - 1.0) < _EPSILON * 4.0:
            break
    return max(1.0 - front * fraction, 0.0)


@kernel
def _beta_fraction(a, b, x):
    """Return the continued fraction of DLMF 8.17.22 by Lentz's algorithm."""
    c = 1.0
    d = 1.0 - (a + b) * x / (a + 1.0)
    if abs(d) < _TINY:
        d = _TINY
    d = 1.0 / d
    fraction = d
    for k in range(1, _TERMS):
        even = k * (b - k) * x / ((a + 2.0 * k - 1.0) * (a + 2.0 * k))
        d = 1.0 + even * d
        c = 1.0 + even / c
        if abs(d) < _TINY:
            d = _TINY
        if abs(c) < _TINY:
            c = _TINY
        d = 1.0 / d
        fraction *= c * d
        odd = -(a + k) * (a + b + k) * x / ((a + 2.0 * k) * (a + 2.0 * k + 1.0))
        d = 1.0 + odd * d
        c = 1.0 + odd / c
        if abs(d) < _TINY:
            d = _TINY
        if abs(c) < _TINY:
            c = _TINY
        d = 1.0 / d
        change = c * d
        fraction *= change
        if abs(change - 1.0) < _EPSILON * 4.0:
            break
    return fraction


THIN: Final = 0.3
"""A beta law with a shape below this has more than 1e-5 of itself so near to 1 that a number cannot be told from 1."""


@kernel
def log_beta(a, b):
    """Return the logarithm of the beta function."""
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)


@kernel
def regularised_beta(a, b, x):
    """Return I_x(a, b), the distribution function at ``x`` of a beta variable (DLMF 8.17)."""
    if x <= 0.0:
        return 0.0
    if x >= 1.0:
        return 1.0
    front = math.exp(a * math.log(x) + b * math.log1p(-x) - log_beta(a, b))
    if x < (a + 1.0) / (a + b + 2.0):
        return min(front * _beta_fraction(a, b, x) / a, 1.0)
    return max(1.0 - front * _beta_fraction(b, a, 1.0 - x) / b, 0.0)


@kernel
def student_cdf(t, freedom):
    """Return the distribution function of Student's t (Abramowitz and Stegun 26.7.1)."""
    # The nearer of the two arguments that sum to 1 keeps its digits.
    square = t * t
    if square < freedom:
        middle = 0.5 * regularised_beta(0.5, 0.5 * freedom, square / (freedom + square))
        return 0.5 + middle if t > 0.0 else 0.5 - middle
    tail = 0.5 * regularised_beta(0.5 * freedom, 0.5, freedom / (freedom + square))
    return 1.0 - tail if t > 0.0 else tail
