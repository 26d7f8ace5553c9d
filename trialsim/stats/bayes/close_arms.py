"""Probabilities that several response rates with beta priors lie close together."""

# Compiled functions take arrays that the type checker cannot see into.
# mypy: disallow-untyped-defs=False

from __future__ import annotations

import math

import numpy as np

from trialsim.compiled import kernel
from trialsim.stats.bayes.beta_binomial import beta_above_at, logit_reach
from trialsim.stats.bayes.special import log_beta

ERROR = 2e-5
"""Largest error of a probability found here, measured (tests/reference/test_beta_binomial.py)."""

_MOST_POINTS = 2048
_CUT = 26.0
"""How far an interval's logit is followed to where it is cut: e**-26 = 5e-12."""

_SMOOTH = 8.0
"""Shapes from which on a beta density and its first derivatives vanish at both ends."""


@kernel
def probabilities_within(successes, n, counted, prior_a, prior_b, width, out):
    """Fill the probability that the rates of all arms that count lie within ``width`` of each other.

    The arm with the lowest rate is integrated over, one arm after the other:
    sum over a of the integral of f_a(x) times the product over b of F_b(x + width) - F_b(x).

    Parameters
    ----------
    successes, n
        Successes and patients, ``[replicate, arm]``.
    counted
        Which arms are compared, ``[replicate, arm]``.
    prior_a, prior_b
        Shapes of the beta prior of every arm.
    width
        Above 0, below 1.
    out
        Result, ``[replicate]``.
    """
    arms = n.shape[1]
    a, b = np.empty(arms), np.empty(arms)
    density, below = np.empty((arms, _MOST_POINTS)), np.empty((arms, _MOST_POINTS))
    for r in range(len(n)):
        count = 0
        smallest = 1e300
        for k in range(arms):
            if counted[r, k]:
                a[count] = prior_a + successes[r, k]
                b[count] = prior_b + n[r, k] - successes[r, k]
                smallest = min(smallest, a[count], b[count])
                count += 1
        found = -1.0
        if smallest >= _SMOOTH:
            found = _on_one_grid(a[:count], b[:count], width, density, below)
        out[r] = min(1.0, max(0.0, found if found >= 0.0 else _one_by_one(a[:count], b[:count], width)))


@kernel
def _on_one_grid(a, b, width, density, below):
    """Return the probability from densities on a grid of rates of which ``width`` is a whole number of steps; -1: too fine.

    Distribution functions are added up by the trapezoidal rule with its first two Euler-Maclaurin corrections.
    """
    count = len(a)
    low, high, narrow = 1.0, 0.0, 1.0
    for k in range(count):
        mean = a[k] / (a[k] + b[k])
        sd = math.sqrt(mean * (1.0 - mean) / (a[k] + b[k] + 1.0))
        low, high, narrow = min(low, mean - 7.0 * sd), max(high, mean + 7.0 * sd), min(narrow, sd)
    ahead = int(width / (0.5 * narrow)) + 1
    step = width / ahead
    first = max(1, int(low / step))
    points = min(int(high / step), int((1.0 - 1e-9) / step)) - first + 1
    if points + ahead > _MOST_POINTS or points < 2:
        return -1.0
    for k in range(count):
        scale = log_beta(a[k], b[k])
        passed = 0.0
        for i in range(points):
            x = (first + i) * step
            rest = 1.0 - x
            up, down = (a[k] - 1.0) / x, (b[k] - 1.0) / rest
            f = math.exp((a[k] - 1.0) * math.log(x) + (b[k] - 1.0) * math.log(rest) - scale)
            u = up - down
            bend = -up / x - down / rest
            third = u * u * u + 3.0 * u * bend + 2.0 * (up / (x * x) - down / (rest * rest))
            density[k, i] = f
            share = step * (passed + 0.5 * f) - f * (step * step / 12.0 * u - step**4 / 720.0 * third)
            below[k, i] = min(1.0, max(0.0, share))
            passed += f
        for i in range(points, points + ahead):
            below[k, i] = 1.0
    total = 0.0
    for k in range(count):
        for i in range(points):
            product = density[k, i]
            for other in range(count):
                if other != k:
                    product *= below[other, i + ahead] - below[other, i]
            total += product
    return step * total


@kernel
def _one_by_one(a, b, width):
    """Return the probability by integrating over each arm's rate in turn, however uneven the shapes.

    Beyond ``1 - width`` nothing limits the others from above. What is below and what is beyond is integrated over the logit
    of its own interval, so that the bend between the two lies infinitely far away.
    """
    total = 0.0
    for k in range(len(a)):
        total += _over_interval(a, b, k, width, 0.0, 1.0 - width)
        total += _over_interval(a, b, k, width, 1.0 - width, width)
    return total


@kernel
def _over_interval(a, b, k, width, begin, length):
    """Return what arm ``k`` adds over the rates from ``begin`` to ``begin + length``, one of which is 0 or 1."""
    narrow = 0.8
    for other in range(len(a)):
        narrow = min(narrow, logit_reach(a[other], b[other])[2])
    least, most, _ = logit_reach(a[k], b[k])
    # Towards 0 and 1 the law falls off as it does without a cut, at the cut its density is bounded.
    low, high = (least, _CUT) if begin == 0.0 else (-_CUT, max(most, 0.0))
    low, high = low - math.log(length), high - math.log(length)
    scale, log_length, found = log_beta(a[k], b[k]), math.log(length), 0.0
    step = 0.75 * narrow
    for i in range(int((high - low) / step) + 2):
        y = low + i * step
        tail = math.log1p(math.exp(-abs(y)))
        share_log, other_log = min(y, 0.0) - tail, min(-y, 0.0) - tail
        share, rest = math.exp(share_log), math.exp(other_log)
        if begin == 0.0:
            x, rest = length * share, width + length * rest
            x_log, rest_log = log_length + share_log, math.log(rest)
        else:
            x, rest = begin + length * share, length * rest
            x_log, rest_log = math.log(x), log_length + other_log
        product = step * math.exp(
            (a[k] - 1.0) * x_log + (b[k] - 1.0) * rest_log - scale + log_length + share_log + other_log
        )
        for other in range(len(a)):
            if other != k and product >= 1e-10:
                above = beta_above_at(x, rest, a[other], b[other])
                if begin == 0.0:
                    above -= beta_above_at(x + width, length * math.exp(other_log), a[other], b[other])
                product *= above
        found += product
    return found
