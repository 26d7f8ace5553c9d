"""Probabilities that one of several response rates with beta priors is the best.

The laws of all arms are laid on one grid of the logit of the rate, from where every arm's law has ended down to where the
best arm's begins. Tails add up by the trapezoidal rule with its first Euler-Maclaurin corrections.
"""

# Compiled functions take arrays that the type checker cannot see into.
# mypy: disallow-untyped-defs=False

from __future__ import annotations

import math

import numpy as np

from trialsim.compiled import kernel

ERROR = 2e-5
"""Largest error of a probability found here, measured (tests/reference/test_beta_binomial.py)."""

MOST_POINTS = 4096
_REACH_SDS = 4.6
_REACH_TAIL = 7.0
_STEP_SDS = 0.5


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
    x_log, rest_log = np.empty(MOST_POINTS), np.empty(MOST_POINTS)
    density, below = np.empty((arms, MOST_POINTS)), np.empty((arms, MOST_POINTS))
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
            mean = math.log(a / b) - 0.5 / a + 0.5 / b
            sd = math.sqrt(1.0 / a + 0.5 / (a * a) + 1.0 / b + 0.5 / (b * b))
            bottom = max(bottom, mean - _REACH_SDS * sd - _REACH_TAIL / a)
            top = max(top, mean + _REACH_SDS * sd + _REACH_TAIL / b)
            narrow = min(narrow, sd)
        if count == 1:
            out[r, which[0]] = 1.0
            continue
        points = min(MOST_POINTS, np.int64((top - bottom) / (_STEP_SDS * narrow)) + 2)
        step = (top - bottom) / (points - 1)
        for i in range(points):
            y = top - i * step
            tail = math.log1p(math.exp(-abs(y)))
            x_log[i] = min(y, 0.0) - tail
            rest_log[i] = min(-y, 0.0) - tail
        for k in range(count):
            a, b = shape_a[k], shape_b[k]
            _lay_out(x_log, rest_log, points, step, a, b, scale[k], density[k], below[k])
        total = 0.0
        for k in range(count):
            found = 0.0
            for i in range(points):
                product = density[k, i]
                for other in range(count):
                    if other != k:
                        product *= below[other, i]
                found += product
            out[r, which[k]] = found
            total += found
        for k in range(count):
            out[r, which[k]] /= total


@kernel
def _lay_out(x_log, rest_log, points, step, a, b, scale, density, below):
    """Fill density and distribution function of the logit of a beta(a, b) variable on a grid that goes down."""
    for i in range(points):
        density[i] = math.exp(a * x_log[i] + b * rest_log[i] - scale)
    above = 0.0
    square = step * step / 12.0
    fourth = step**4 / 720.0
    whole = a + b
    for i in range(points):
        # The derivatives of the density f at its logit: f' = f u with u = a - (a + b) x, u' = -(a + b) x (1 - x).
        x = math.exp(x_log[i])
        rest = math.exp(rest_log[i])
        u = a - whole * x
        slope = -whole * x * rest
        bend = slope * (rest - x)
        third = u * u * u + 3.0 * u * slope + bend
        f = density[i]
        tail = step * (above + 0.5 * f) + f * (square * u - fourth * third)
        below[i] = min(1.0, max(0.0, 1.0 - tail))
        above += f
