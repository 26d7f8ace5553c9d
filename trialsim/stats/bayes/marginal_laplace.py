"""The posterior of one coefficient of a regression, the others integrated out by Laplace's method.

At each value of the coefficient of interest the others are put at their conditional mode and integrated as if normal
(Tierney and Kadane, JASA 81, 1986, 82-86, equation 4.1), which has relative error n**(-3/2) after normalisation. What is
left is a density in one dimension, normalised and integrated by quadrature. With no other coefficient nothing is
approximated.
"""

# Compiled functions take arrays that the type checker cannot see into.
# mypy: disallow-untyped-defs=False

from __future__ import annotations

import math

import numpy as np

from trialsim.compiled import kernel
from trialsim.stats.bayes.log_posteriors import log_posterior
from trialsim.stats.cholesky import factorise, solve

NODES, WEIGHTS = np.polynomial.legendre.leggauss(32)
_POWERS = np.arange(len(NODES))
# Weights of interpolation in Gauss-Legendre nodes (Wang and Xiang, Mathematics of Computation 81, 2012, 861-877).
INTERPOLATING = (-1.0) ** _POWERS * np.sqrt((1.0 - NODES**2) * WEIGHTS)

_STEPS = 60
_DEPTH = 28.0
"""The density is followed until it has fallen by this much on the log scale."""
_MOST_STEPS = 200


@kernel
def _mode(model, design, value, weight, event, stratum, centre, spread, fixed, beta, lower):
    """Move all coefficients, or all but the last, to their mode; return the log posterior and half the log determinant.

    Newton's method; a step that does not raise the posterior is halved. The normal prior makes the mode finite.
    """
    p = design.shape[1]
    free = p - 1 if fixed else p
    gradient, information = np.empty(p), np.empty((p, p))
    step, trial = np.empty(free), beta.copy()
    best = log_posterior(
        model, design, value, weight, event, stratum, centre, spread, beta, gradient, information
    )
    half = 0.0
    for _ in range(_STEPS):
        if free == 0:
            break
        block = information[:free, :free].copy()
        if not factorise(block, lower[:free, :free]):
            return best, math.nan
        half = 0.0
        for c in range(free):
            half += math.log(lower[c, c])
        solve(lower[:free, :free], gradient[:free].copy(), step)
        largest = 0.0
        for c in range(free):
            largest = max(largest, abs(step[c]))
        if largest < 1e-7:
            break
        scale = min(1.0, 5.0 / largest)
        for _half in range(40):
            for c in range(free):
                trial[c] = beta[c] + scale * step[c]
            now = log_posterior(
                model, design, value, weight, event, stratum, centre, spread, trial, gradient, information
            )
            if now >= best - 1e-12 * abs(best):
                break
            scale *= 0.5
        for c in range(free):
            beta[c] = trial[c]
        best = max(best, now)
    return best, half


@kernel
def _log_marginal(model, design, value, weight, event, stratum, centre, spread, at, beta, lower):
    """Return the log marginal posterior at a value of the last coefficient; ``beta`` holds where to begin."""
    beta[len(beta) - 1] = at
    best, half = _mode(model, design, value, weight, event, stratum, centre, spread, True, beta, lower)
    return best - half


@kernel
def marginal_of_last(model, design, value, weight, event, stratum, centre, spread, logs):
    """Fill the log marginal density of the last coefficient at nodes; return the ends of the interval they span.

    Parameters
    ----------
    model, design, value, weight, event, stratum, centre, spread
        See :func:`~trialsim.stats.bayes.log_posteriors.log_posterior`.
    logs
        Results at the interval's ``NODES``, normalised, ``[node]``.

    Returns
    -------
    tuple of float
        Ends of the interval, beyond which the density is negligible; NaN where there is no mode.
    """
    p = design.shape[1]
    beta, lower = np.zeros(p), np.zeros((p, p))
    beta[:] = centre
    _best, half = _mode(model, design, value, weight, event, stratum, centre, spread, False, beta, lower)
    if math.isnan(half):
        return math.nan, math.nan
    mode = beta[p - 1]
    sd = 1.0 / lower[p - 1, p - 1]
    moving = beta.copy()
    peak = _log_marginal(model, design, value, weight, event, stratum, centre, spread, mode, moving, lower)
    ends = np.empty(2)
    for side in range(2):
        at, stride = mode, (2.0 * side - 1.0) * sd
        moving[:] = beta
        for _ in range(_MOST_STEPS):
            at += stride
            here = _log_marginal(
                model, design, value, weight, event, stratum, centre, spread, at, moving, lower
            )
            if here < peak - _DEPTH:
                break
            # A marginal that turns out higher than at the joint mode is followed from there.
            peak = max(peak, here)
        ends[side] = at
    moving[:] = beta
    middle, reach = 0.5 * (ends[0] + ends[1]), 0.5 * (ends[1] - ends[0])
    total = 0.0
    for k in range(len(NODES)):
        logs[k] = (
            _log_marginal(
                model,
                design,
                value,
                weight,
                event,
                stratum,
                centre,
                spread,
                middle + reach * NODES[k],
                moving,
                lower,
            )
            - peak
        )
        total += WEIGHTS[k] * reach * math.exp(logs[k])
    for k in range(len(NODES)):
        logs[k] -= math.log(total)
    return ends[0], ends[1]


@kernel
def _log_density(low, high, logs, x):
    """Return the log density between the nodes: a polynomial through its values at them (second barycentric form)."""
    v = (2.0 * x - low - high) / (high - low)
    above, below = 0.0, 0.0
    for k in range(len(NODES)):
        apart = v - NODES[k]
        if apart == 0.0:
            return logs[k]
        share = INTERPOLATING[k] / apart
        above += share * logs[k]
        below += share
    return above / below


@kernel
def upper_probability(low, high, logs, x):
    """Return the posterior probability that the coefficient exceeds ``x``."""
    if not x > low:
        return 1.0 if x <= low else math.nan
    if x >= high:
        return 0.0
    total = 0.0
    above = x - low > high - x
    begin, end = (x, high) if above else (low, x)
    middle, reach = 0.5 * (begin + end), 0.5 * (end - begin)
    for k in range(len(NODES)):
        total += WEIGHTS[k] * reach * math.exp(_log_density(low, high, logs, middle + reach * NODES[k]))
    return min(total, 1.0) if above else max(1.0 - total, 0.0)


@kernel
def quantile(low, high, logs, probability):
    """Return the point below which the posterior has a probability, by bisection."""
    a, b = low, high
    for _ in range(50):
        middle = 0.5 * (a + b)
        if 1.0 - upper_probability(low, high, logs, middle) < probability:
            a = middle
        else:
            b = middle
        if b - a < 1e-9 * (high - low):
            break
    return 0.5 * (a + b)


@kernel
def mean_and_sd(low, high, logs):
    """Return mean and standard deviation of the coefficient."""
    middle, reach = 0.5 * (low + high), 0.5 * (high - low)
    first, second = 0.0, 0.0
    for k in range(len(NODES)):
        mass, at = WEIGHTS[k] * reach * math.exp(logs[k]), reach * NODES[k]
        first += mass * at
        second += mass * at * at
    return middle + first, math.sqrt(max(second - first * first, 0.0))
