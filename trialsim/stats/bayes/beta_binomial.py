"""Posterior probabilities of response rates with beta priors: one rate, and the difference of two.

Integrals over a beta law are taken on the logit scale, where its density is analytic and falls off exponentially, so that
the trapezoidal rule converges faster than any power of its step (Trefethen and Weideman, SIAM Review 56, 2014, 385-458).
"""

# Compiled functions take arrays that the type checker cannot see into.
# mypy: disallow-untyped-defs=False

from __future__ import annotations

import math

import numpy as np

from trialsim.compiled import kernel
from trialsim.stats.bayes.special import THIN, log_beta

ERROR = 1e-7
"""Largest error of a probability found here, measured against SciPy and mpmath (tests/reference/test_beta_binomial.py)."""

_TINY = 1e-300
_CLOSE = 1e-15
_STEPS = 2000
_MOST_TERMS = 4096.0
_DEEPEST = -690.0


@kernel
def _fraction(x, a, b):
    """Return the continued fraction of the incomplete beta function (NIST Handbook, 2010, 8.17.22), by Lentz's method."""
    c = 1.0
    d = 1.0 - (a + b) * x / (a + 1.0)
    d = 1.0 / (d if abs(d) > _TINY else _TINY)
    found = d
    for m in range(1, _STEPS):
        for odd in range(2):
            if odd == 0:
                term = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m))
            else:
                term = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0))
            d = 1.0 + term * d
            d = 1.0 / (d if abs(d) > _TINY else _TINY)
            c = 1.0 + term / c
            c = c if abs(c) > _TINY else _TINY
            change = c * d
            found *= change
        if abs(change - 1.0) < _CLOSE:
            break
    return found


@kernel
def beta_above(x, a, b):
    """Return the probability that a beta(a, b) variable exceeds ``x``."""
    if x <= 0.0:
        return 1.0
    if x >= 1.0:
        return 0.0
    front = math.exp(a * math.log(x) + b * math.log1p(-x) - log_beta(a, b))
    if x < (a + 1.0) / (a + b + 2.0):
        return 1.0 - front * _fraction(x, a, b) / a
    return front * _fraction(1.0 - x, b, a) / b


@kernel
def beta_above_at(x, rest, a, b):
    """Return the probability that a beta(a, b) variable exceeds ``x``, whose distance from 1 is ``rest``.

    With a thin shape much of a law lies nearer to 1 than a number can tell from 1, unlike the distance.
    """
    if x <= 0.5 or min(a, b) >= THIN:
        return beta_above(x, a, b)
    return 1.0 - beta_above(rest, b, a)


@kernel
def logit_reach(a, b):
    """Return where the logit of a beta(a, b) variable lies but for about 1e-9 of its law, and its standard deviation.

    Mean and variance are those of the digamma and trigamma functions' first terms, which is near enough for limits; beyond
    them the tails fall off like ``exp(a y)`` and ``exp(-b y)``.
    """
    mean = math.log(a) - 0.5 / a - math.log(b) + 0.5 / b
    sd = math.sqrt(1.0 / a + 0.5 / (a * a) + 1.0 / b + 0.5 / (b * b))
    return mean - 6.0 * sd - 12.0 / a, mean + 6.0 * sd + 12.0 / b, sd


@kernel
def _reach(a, b):
    """Return between which rates a beta(a, b) variable lies but for about 1e-9, and its standard deviation."""
    low, high, _ = logit_reach(a, b)
    mean = a / (a + b)
    return (
        1.0 / (1.0 + math.exp(-low)),
        1.0 / (1.0 + math.exp(-high)),
        math.sqrt(mean * (1.0 - mean) / (a + b + 1.0)),
    )


@kernel
def difference_above(delta, a1, b1, a0, b0):
    """Return the probability that a beta(a1, b1) rate exceeds an independent beta(a0, b0) rate by more than ``delta``.

    The second rate x is integrated over between the limits in which ``x + delta`` is a rate, on the logit scale of that
    interval, so that what happens at its ends lies infinitely far away.

    Parameters
    ----------
    delta
        From -1 to 1.
    a1, b1, a0, b0
        Shapes, above 0.
    """
    if delta >= 1.0:
        return 0.0
    if delta <= -1.0:
        return 1.0
    begin, width = max(0.0, -delta), 1.0 - abs(delta)
    total = 1.0 - beta_above(begin, a0, b0)
    least, most, sd0 = _reach(a0, b0)
    _, _, sd1 = _reach(a1, b1)
    if delta == 0.0:
        low, high, _ = logit_reach(a0, b0)
        steepest = max(least * (1.0 - least), most * (1.0 - most), 0.25 if least < 0.5 < most else 0.0)
    else:
        # At the end that is cut the density is bounded, at the other it falls off as it does without a cut.
        low, high, _ = logit_reach(a0, b0)
        share = (least - begin) / width if delta < 0.0 else (most - begin) / width
        cut = -26.0 if share < 5e-12 else 26.0 if share > 1.0 - 5e-12 else math.log(share / (1.0 - share))
        low, high = (cut, high - math.log(width)) if delta < 0.0 else (low - math.log(width), cut)
        if low >= high:
            return min(1.0, max(0.0, total))
        inner_low, inner_high = 1.0 / (1.0 + math.exp(-low)), 1.0 / (1.0 + math.exp(-high))
        steepest = max(inner_low * (1.0 - inner_low), inner_high * (1.0 - inner_high))
        steepest = width * (0.25 if inner_low < 0.5 < inner_high else steepest)
    step = min(0.4, 0.7 * min(sd0, sd1) / steepest)
    points = int((high - low) / step) + 2
    step = (high - low) / (points - 1)
    scale = log_beta(a0, b0)
    for i in range(points):
        y = low + i * step
        if delta == 0.0:
            tail = math.log1p(math.exp(-abs(y)))
            x_log, rest_log = min(y, 0.0) - tail, min(-y, 0.0) - tail
            weight = math.exp(a0 * x_log + b0 * rest_log - scale)
            x, rest = math.exp(x_log), math.exp(rest_log)
        else:
            inner = 1.0 / (1.0 + math.exp(-y))
            x = begin + width * inner
            rest = max(delta, 0.0) + width / (1.0 + math.exp(y))
            weight = math.exp((a0 - 1.0) * math.log(x) + (b0 - 1.0) * math.log(rest) - scale)
            weight *= width * inner / (1.0 + math.exp(y))
        if weight * step > 1e-14:
            above = beta_above(x + delta, a1, b1) if delta != 0.0 else beta_above_at(x, rest, a1, b1)
            total += step * weight * above
    return min(1.0, max(0.0, total))


@kernel
def _is_whole(shape):
    """Return whether a shape is a whole number, and not so large that a sum over it takes longer than an integral."""
    return shape == math.floor(shape) and shape <= _MOST_TERMS


@kernel
def _sum_of_wholes(a, b, c, d, ratios):
    """Return the probability that a beta(a, b) variable exceeds a beta(c, d) one, ``a`` being whole; -1: it underflows.

    The sum over i < a of B(c + i, b + d) / ((b + i) B(1 + i, b) B(c, d)), from (X > y) as a binomial tail (Thompson 1933).
    Each term follows from the one before by a ratio of shapes; all are positive, so that no digit is lost.
    """
    log_first = math.lgamma(b + d) + math.lgamma(c + d) - math.lgamma(b + c + d) - math.lgamma(d)
    if log_first < _DEEPEST:
        return -1.0
    term = math.exp(log_first)
    total = term
    terms = np.int64(a)
    for begin in range(0, terms - 1, len(ratios)):
        count = min(len(ratios), terms - 1 - begin)
        for k in range(count):
            i = np.float64(begin + k)
            ratios[k] = (c + i) * (b + i) / ((b + c + d + i) * (1.0 + i))
        for k in range(count):
            term *= ratios[k]
            total += term
    return total


@kernel
def exceeds(a1, b1, a0, b0, ratios):
    """Return :func:`difference_above` for a difference of 0: by an exact sum where any shape is whole, with scratch.

    Turned about, the shorter of four sums serves: 1 - X is a beta(b, a) variable.
    """
    least = math.inf
    for shape in (a1, b1, a0, b0):
        if _is_whole(shape):
            least = min(least, shape)
    found = -1.0
    if least == math.inf:
        return difference_above(0.0, a1, b1, a0, b0)
    if least == a1:
        found = _sum_of_wholes(a1, b1, a0, b0, ratios)
    elif least == b0:
        found = _sum_of_wholes(b0, a0, b1, a1, ratios)
    elif least == b1:
        found = 1.0 - _sum_of_wholes(b1, a1, b0, a0, ratios)
    else:
        found = 1.0 - _sum_of_wholes(a0, b0, a1, b1, ratios)
    if not 0.0 <= found <= 1.5:
        return difference_above(0.0, a1, b1, a0, b0)
    return min(found, 1.0)


@kernel
def posterior_differences(successes, n, delta, prior, out):
    """Fill the probability that the rate on treatment exceeds that on control by more than ``delta``.

    Parameters
    ----------
    successes, n
        Successes and patients, control first, ``[replicate, 2]``.
    delta
        By how much.
    prior
        Shapes of the beta priors, control first, ``[2, 2]``.
    out
        Result, ``[replicate]``.
    """
    ratios = np.empty(64)
    for r in range(len(out)):
        if delta == 0.0:
            out[r] = exceeds(
                prior[1, 0] + successes[r, 1], prior[1, 1] + n[r, 1] - successes[r, 1],
                prior[0, 0] + successes[r, 0], prior[0, 1] + n[r, 0] - successes[r, 0], ratios,
            )  # fmt: skip
            continue
        out[r] = difference_above(
            delta, prior[1, 0] + successes[r, 1], prior[1, 1] + n[r, 1] - successes[r, 1],
            prior[0, 0] + successes[r, 0], prior[0, 1] + n[r, 0] - successes[r, 0],
        )  # fmt: skip


@kernel
def posterior_above(successes, n, rate, a, b, out):
    """Fill the probability that a rate with a beta(a, b) prior exceeds ``rate``, arrays ``[replicate]``."""
    for r in range(len(out)):
        out[r] = beta_above(rate, a + successes[r], b + n[r] - successes[r])


@kernel
def posterior_moments(successes, n, a, b, mean, variance):
    """Fill mean and variance of a rate's posterior with a beta(a, b) prior, arrays ``[replicate]``."""
    for r in range(len(mean)):
        whole = a + b + n[r]
        mean[r] = (a + successes[r]) / whole
        variance[r] = mean[r] * (1.0 - mean[r]) / (whole + 1.0)


def effective_sample_size(a: float, b: float) -> float:
    """Return how many patients a beta(a, b) prior is worth (Morita, Thall and Mueller, Biometrics 64, 2008, 595-602)."""
    return a + b
