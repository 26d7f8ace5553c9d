"""Sums of independent gamma variables with factors of any sign, by integrals along a contour of the complex plane.

The moment generating function of such a sum is a product of powers, so that its distribution function is an inverse
Laplace transform. The contour runs through the saddle point of the integrand, where it is largest on the contour and
does not oscillate (Daniels, Annals of Mathematical Statistics 25, 1954, 631-650); the trapezoidal rule after a hyperbolic
sine then converges geometrically (Trefethen and Weideman, SIAM Review 56, 2014). Means of Dirichlet probabilities and
cumulative hazards of piecewise-constant hazards are such sums.
"""

# Compiled functions take arrays that the type checker cannot see into.
# mypy: disallow-untyped-defs=False

from __future__ import annotations

import cmath
import math

from trialsim.compiled import kernel

_BISECTIONS = 200
_BEND = math.tan(math.pi / 6.0)
"""How steeply the contour of a positive sum turns to where its exponential decays."""
_FIRST_STEP = 0.25
_ENOUGH = 1e-11
_HALVINGS = 7
_NEGLIGIBLE = 1e-18
_MOST_POINTS = 100_000


@kernel
def _slope(factors, shapes, x, s):
    """Return the derivative of the log integrand on the real axis."""
    total = x - 1.0 / s
    for k in range(len(factors)):
        total += shapes[k] * factors[k] / (1.0 - factors[k] * s)
    return total


@kernel
def _saddle(factors, shapes, x):
    """Return the saddle point to the right of 0, and a scale for steps away from it."""
    largest = 0.0
    for k in range(len(factors)):
        largest = max(largest, factors[k])
    high = 1.0 / largest if largest > 0.0 else 1.0
    if largest <= 0.0:
        while _slope(factors, shapes, x, high) < 0.0:
            high *= 2.0
    low = 0.0
    for _ in range(_BISECTIONS):
        middle = 0.5 * (low + high)
        if middle <= low or middle >= high:
            break
        if _slope(factors, shapes, x, middle) < 0.0:
            low = middle
        else:
            high = middle
        if high - low < 1e-4 * low:
            break
    s = 0.5 * (low + high)
    curvature = 1.0 / (s * s)
    for k in range(len(factors)):
        ratio = factors[k] / (1.0 - factors[k] * s)
        curvature += shapes[k] * ratio * ratio
    return s, 1.0 / math.sqrt(curvature)


@kernel
def _along(factors, shapes, x, s, scale, bend, power, v):
    """Return the integrand at ``v`` along the contour; ``power`` of 1/s is 1 for probabilities, 0 for densities."""
    sine = math.sinh(v)
    cosine = math.cosh(v)
    at = complex(s - scale * bend * (cosine - 1.0), scale * sine)
    direction = complex(-scale * bend * sine, scale * cosine)
    exponent = at * x
    for k in range(len(factors)):
        exponent -= shapes[k] * cmath.log(1.0 - factors[k] * at)
    if exponent.real < -745.0:
        return 0.0
    value = cmath.exp(exponent) * direction
    if power == 1:
        value /= at
    return value.imag / math.pi


@kernel
def _contour(factors, shapes, x, bend, power):
    """Return the integral along the contour, halving the step until the sum stays as it is."""
    s, scale = _saddle(factors, shapes, x)
    step = _FIRST_STEP
    first = 0.5 * _along(factors, shapes, x, s, scale, bend, power, 0.0)
    total, points = first, 0
    while points < _MOST_POINTS:
        points += 1
        term = _along(factors, shapes, x, s, scale, bend, power, points * step)
        total += term
        if abs(term) < _NEGLIGIBLE * abs(first) or points * step > 340.0:
            break
    found = total * step
    for _ in range(_HALVINGS):
        for k in range(points):
            total += _along(factors, shapes, x, s, scale, bend, power, (k + 0.5) * step)
        step *= 0.5
        points *= 2
        change = abs(total * step - found)
        found = total * step
        if change < _ENOUGH * max(abs(found), 1e-3):
            break
    return found


@kernel
def probability_positive(factors, shapes):
    """Return the probability that a sum of gamma variables of unit rate times their factors is above 0.

    Parameters
    ----------
    factors
        Of any sign, not all 0, ``[term]``.
    shapes
        Positive, ``[term]``.
    """
    mean, some_above, some_below = 0.0, False, False
    for k in range(len(factors)):
        mean += factors[k] * shapes[k]
        some_above |= factors[k] > 0.0
        some_below |= factors[k] < 0.0
    if not some_below:
        return 1.0 if some_above else 0.0
    if not some_above:
        return 0.0
    # The smaller of the two tails keeps its digits.
    if mean > 0.0:
        return 1.0 - _contour(-factors, shapes, 0.0, 0.0, 1)
    return _contour(factors, shapes, 0.0, 0.0, 1)


@kernel
def sum_below(factors, shapes, x):
    """Return the distribution function at ``x`` of a sum of gamma variables of unit rate times positive factors.

    Parameters
    ----------
    factors, shapes
        Positive, ``[term]``.
    x
        Where.
    """
    if x <= 0.0:
        return 0.0
    if x == math.inf:
        return 1.0
    return min(max(_contour(-factors, shapes, x, _BEND, 1), 0.0), 1.0)


@kernel
def sum_density(factors, shapes, x):
    """Return the density at a positive ``x`` of the same sum."""
    return max(_contour(-factors, shapes, x, _BEND, 0), 0.0)
