"""Probabilities that one of several response rates with beta priors is the best.

The laws of all arms are laid on one grid of the logit of the rate, from where every arm's law has ended down to where the
best arm's begins. Tails add up by the trapezoidal rule with its first Euler-Maclaurin corrections.
"""

# Compiled functions take arrays that the type checker cannot see into.
# mypy: disallow-untyped-defs=False

from __future__ import annotations

import math

import numpy as np

from trialsim.compiled import inline, kernel
from trialsim.elementary import natural_exp, natural_log

ERROR = 2e-5
"""Largest error of a probability found here, measured (tests/reference/test_beta_binomial.py)."""

MOST_POINTS = 4096
_REACH_SDS = 4.6
_REACH_TAIL = 7.0
_STEP_SDS = 0.5
_UNROLLED = 4


@kernel
def log_gammas(shape, most):
    """Return the logarithms of the gamma function at ``shape``, ``shape + 1``, ..., ``shape + most``."""
    found = np.empty(most + 1)
    for k in range(most + 1):
        found[k] = math.lgamma(shape + k)
    return found


@kernel
def probabilities_best(successes, n, counted, prior_a, prior_b, out):
    """Fill the probability that each arm has the highest rate among the arms that count.

    Parameters
    ----------
    successes, n
        Successes and patients, ``[replicate, arm]``.
    counted
        Which arms are compared, ``[replicate, arm]``.
    prior_a, prior_b
        Shapes of the beta prior of every arm.
    out
        Result, 0 for arms that do not count, ``[replicate, arm]``.
    """
    arms = n.shape[1]
    most = 0
    for r in range(len(n)):
        for k in range(arms):
            most = max(most, n[r, k])
    of_a, of_b = log_gammas(prior_a, most), log_gammas(prior_b, most)
    of_both = log_gammas(prior_a + prior_b, most)
    shape_a, shape_b, scale = np.empty(arms), np.empty(arms), np.empty(arms)
    which = np.empty(arms, np.int64)
    grid = np.empty((4, MOST_POINTS))
    rows = max(arms, _UNROLLED)
    density, beside = np.empty((rows, MOST_POINTS)), np.empty((rows, MOST_POINTS))
    found = np.empty(rows)
    for r in range(len(n)):
        count = 0
        bottom, top, narrow = -1e300, -1e300, 0.8
        for k in range(arms):
            out[r, k] = 0.0
            if not counted[r, k]:
                continue
            good = np.int64(successes[r, k])
            a = prior_a + good
            b = prior_b + (n[r, k] - good)
            which[count] = k
            shape_a[count], shape_b[count] = a, b
            scale[count] = of_a[good] + of_b[n[r, k] - good] - of_both[n[r, k]]
            count += 1
            mean = natural_log(a / b) - 0.5 / a + 0.5 / b
            sd = math.sqrt(1.0 / a + 0.5 / (a * a) + 1.0 / b + 0.5 / (b * b))
            bottom = max(bottom, mean - _REACH_SDS * sd - _REACH_TAIL / a)
            top = max(top, mean + _REACH_SDS * sd + _REACH_TAIL / b)
            narrow = min(narrow, sd)
        if count == 1:
            out[r, which[0]] = 1.0
            continue
        points = min(MOST_POINTS, np.int64((top - bottom) / (_STEP_SDS * narrow)) + 2)
        step = (top - bottom) / (points - 1)
        _lay_out_grid(top, step, points, grid)
        for k in range(count):
            _lay_out(grid, points, step, shape_a[k], shape_b[k], scale[k], density[k], beside[k])
        if count <= _UNROLLED:
            for k in range(count, _UNROLLED):
                density[k, :points] = 0.0
                beside[k, :points] = 0.0
            _best_of_four(density, beside, points, step, found)
        else:
            _best_of_many(density, beside, points, step, found[:count])
        total = found[:count].sum()
        for k in range(count):
            out[r, which[k]] = found[k] / total


@kernel
def _lay_out_grid(top, step, points, grid):
    """Fill rates, their complements and the logarithms of both on a grid of logits that goes down."""
    x, rest, x_log, rest_log = grid[0], grid[1], grid[2], grid[3]
    for i in range(points):
        y = top - i * step
        small = natural_exp(-abs(y))
        large = 1.0 / (1.0 + small)
        tail = natural_log(1.0 + small)
        x[i] = large if y >= 0.0 else small * large
        rest[i] = small * large if y >= 0.0 else large
        x_log[i] = min(y, 0.0) - tail
        rest_log[i] = min(-y, 0.0) - tail


@kernel
def _lay_out(grid, points, step, a, b, scale, density, beside):
    """Fill the density of the logit of a beta(a, b) variable on a grid, and what its tail has beside those further up.

    ``beside`` is half a step of the density itself, less the trapezoidal rule's error: the derivatives of the density f at
    its logit are f' = f u with u = a - (a + b) x, u' = -(a + b) x (1 - x).
    """
    x, rest, x_log, rest_log = grid[0], grid[1], grid[2], grid[3]
    square = step * step / 12.0
    fourth = step**4 / 720.0
    whole = a + b
    for i in range(points):
        f = natural_exp(a * x_log[i] + b * rest_log[i] - scale)
        u = a - whole * x[i]
        slope = -whole * x[i] * rest[i]
        bend = slope * (rest[i] - x[i])
        third = u * u * u + 3.0 * u * slope + bend
        density[i] = f
        beside[i] = f * (0.5 * step + square * u - fourth * third)


@inline
def _below(above, beside):
    """Return a distribution function from what lies further up and what its tail has beside it."""
    return min(1.0, max(0.0, 1.0 - (above + beside)))


@kernel
def _best_of_many(density, beside, points, step, found):
    """Fill the sums over the grid of each density times the distribution functions of the others, arm after arm."""
    above, below = np.zeros(len(found)), np.empty(len(found))
    found[:] = 0.0
    for i in range(points):
        for k in range(len(found)):
            below[k] = _below(step * above[k], beside[k, i])
            above[k] += density[k, i]
        for k in range(len(found)):
            product = density[k, i]
            for other in range(len(found)):
                if other != k:
                    product *= below[other]
            found[k] += product


@kernel
def _best_of_four(density, beside, points, step, found):
    """Fill those of :func:`_best_of_many` for four arms side by side; an arm that is not there has zeros."""
    a, b, c, d = 0.0, 0.0, 0.0, 0.0
    first, second, third, fourth = 0.0, 0.0, 0.0, 0.0
    for i in range(points):
        e, f, g, h = density[0, i], density[1, i], density[2, i], density[3, i]
        p, q = _below(step * a, beside[0, i]), _below(step * b, beside[1, i])
        s, t = _below(step * c, beside[2, i]), _below(step * d, beside[3, i])
        a, b, c, d = a + e, b + f, c + g, d + h
        first, second = first + e * q * (s * t), second + f * p * (s * t)
        third, fourth = third + g * t * (p * q), fourth + h * s * (p * q)
    found[0], found[1], found[2], found[3] = first, second, third, fourth
