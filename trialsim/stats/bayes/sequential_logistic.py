"""Logistic regression that learns batch by batch: a normal posterior that becomes the next prior."""

# Compiled functions take arrays that the type checker cannot see into.
# mypy: disallow-untyped-defs=False

from __future__ import annotations

import math

import numpy as np

from trialsim.compiled import kernel
from trialsim.stats.cholesky import factorise, solve

_STEPS = 50
"""Newton steps allowed; the logarithm of the posterior is concave, so that a few are enough."""


@kernel
def _log_posterior(design, answers, beta, mean, precision):
    """Return the log likelihood of answers plus that of the prior, up to a constant."""
    total = 0.0
    for i in range(len(answers)):
        eta = 0.0
        for c in range(len(beta)):
            eta += design[i, c] * beta[c]
        total += answers[i] * eta - max(eta, 0.0) - math.log1p(math.exp(-abs(eta)))
    for c in range(len(beta)):
        row = 0.0
        for other in range(len(beta)):
            row += precision[c, other] * (beta[other] - mean[other])
        total -= 0.5 * (beta[c] - mean[c]) * row
    return total


@kernel
def _update(design, answers, mean, precision):
    """Put the mode of the posterior in place of the prior's mean, and its curvature there in place of the precision."""
    n, p = design.shape
    prior, prior_precision = mean.copy(), precision.copy()
    gradient, step, trial = np.empty(p), np.empty(p), np.empty(p)
    lower = np.empty((p, p))
    best = _log_posterior(design, answers, mean, prior, prior_precision)
    for _ in range(_STEPS):
        for c in range(p):
            gradient[c] = 0.0
            for other in range(p):
                precision[c, other] = prior_precision[c, other]
                gradient[c] -= prior_precision[c, other] * (mean[other] - prior[other])
        for i in range(n):
            eta = 0.0
            for c in range(p):
                eta += design[i, c] * mean[c]
            rate = 1.0 / (1.0 + math.exp(-eta))
            spread = rate * (1.0 - rate)
            for c in range(p):
                gradient[c] += design[i, c] * (answers[i] - rate)
                for other in range(p):
                    precision[c, other] += spread * design[i, c] * design[i, other]
        if not factorise(precision, lower):
            return
        solve(lower, gradient, step)
        largest = 0.0
        for c in range(p):
            largest = max(largest, abs(step[c]))
        if largest < 1e-10:
            return
        scale = 1.0
        for _half in range(30):
            for c in range(p):
                trial[c] = mean[c] + scale * step[c]
            now = _log_posterior(design, answers, trial, prior, prior_precision)
            if now >= best - 1e-12 * abs(best):
                break
            scale *= 0.5
        mean[:] = trial
        best = now


@kernel
def update_by_answers(offsets, design, answers, mean, precision):
    """Update the normal posteriors of the coefficients of several regressions, each by its own answers.

    Laplace's approximation of the posterior given one batch is the prior of the next (Spiegelhalter and Lauritzen, Networks
    20, 1990, 579-605).

    Parameters
    ----------
    offsets
        Answers of regression ``k`` are rows ``offsets[k]`` to ``offsets[k + 1] - 1``, ``[regression + 1]``.
    design
        A column of ones, then the features, ``[row, coefficient]``.
    answers
        0 or 1, ``[row]``.
    mean, precision
        Of the prior, and then of the posterior: ``[regression, coefficient]``, ``[regression, coefficient, coefficient]``.
    """
    for k in range(len(offsets) - 1):
        first, last = offsets[k], offsets[k + 1]
        if last > first:
            _update(design[first:last], answers[first:last], mean[k], precision[k])


@kernel
def log_odds_of(features, weights, rows, out):
    """Fill the intercept plus the weighted sum of the features of each candidate, by the weights of a regression of theirs.

    Parameters
    ----------
    features
        ``[candidate, feature]``.
    weights
        Intercept, then a coefficient for each feature, ``[regression, coefficient]``.
    rows
        Regression of each candidate, ``[candidate]``.
    out
        Filled, ``[candidate]``.
    """
    for i in range(features.shape[0]):
        mine = weights[rows[i]]
        total = mine[0]
        for k in range(features.shape[1]):
            total += mine[k + 1] * features[i, k]
        out[i] = total
