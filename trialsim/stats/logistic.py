"""Logistic regression on treatment and covariates by maximum likelihood."""

# Compiled functions take arrays that the type checker cannot see into.
# mypy: disallow-untyped-defs=False

from __future__ import annotations

import math

import numpy as np

from trialsim.compiled import kernel
from trialsim.stats.cholesky import factorise, independent_columns, solve

_STEPS = 30
"""Newton steps allowed. Where the data are separated a step adds about 1 to the linear predictor for ever."""


@kernel
def _log_likelihood(design, answers, beta):
    """Return the log likelihood of answers in [0, 1]."""
    total = 0.0
    for i in range(len(answers)):
        eta = 0.0
        for c in range(len(beta)):
            eta += design[i, c] * beta[c]
        total += answers[i] * eta - max(eta, 0.0) - math.log1p(math.exp(-abs(eta)))
    return total


@kernel
def fit_logistic(design, answers, beta, lower):
    """Fill the maximum likelihood coefficients and the factor of their information; return whether there is a maximum.

    Newton's method with halved steps where the likelihood would fall. Separated data (Albert and Anderson, Biometrika 71,
    1984, 1-10) have no maximum: the steps do not become small.
    """
    n, p = design.shape
    gradient, step, trial = np.empty(p), np.empty(p), np.empty(p)
    information = np.empty((p, p))
    beta[:] = 0.0
    best = _log_likelihood(design, answers, beta)
    for _ in range(_STEPS):
        gradient[:] = 0.0
        information[:] = 0.0
        for i in range(n):
            eta = 0.0
            for c in range(p):
                eta += design[i, c] * beta[c]
            rate = 1.0 / (1.0 + math.exp(-eta))
            spread = rate * (1.0 - rate)
            for c in range(p):
                gradient[c] += design[i, c] * (answers[i] - rate)
                for other in range(c + 1):
                    information[c, other] += spread * design[i, c] * design[i, other]
        for c in range(p):
            for other in range(c):
                information[other, c] = information[c, other]
        if not factorise(information, lower):
            return False
        solve(lower, gradient, step)
        largest = 0.0
        for c in range(p):
            largest = max(largest, abs(step[c]))
        if not largest < 1e6:
            return False
        if largest < 1e-9:
            for c in range(p):
                beta[c] += step[c]
            return True
        scale = 1.0
        for _half in range(30):
            for c in range(p):
                trial[c] = beta[c] + scale * step[c]
            now = _log_likelihood(design, answers, trial)
            if now >= best - 1e-12 * abs(best):
                break
            scale *= 0.5
        for c in range(p):
            beta[c] = trial[c]
        best = max(best, now)
    return False


@kernel
def log_odds_ratios(offsets, treated, value, covariates, log_ratio, variance, empty):
    """Fill the log odds ratio of treatment given the covariates, and its variance, of each replicate.

    Cox, JRSS B 20, 1958, 215-242.

    Parameters
    ----------
    offsets, treated, value, covariates
        Of :class:`~trialsim.contracts.PatientRows`, ``value`` in [0, 1].
    log_ratio, variance
        Results, ``[replicate]``; NaN and 0 where the likelihood has no finite maximum.
    empty
        Whether an arm has nobody, ``[replicate]``.
    """
    for r in range(len(offsets) - 1):
        first, last = offsets[r], offsets[r + 1]
        n = last - first
        log_ratio[r], variance[r] = np.nan, 0.0
        on_treatment = 0
        for i in range(first, last):
            on_treatment += treated[i]
        empty[r] = on_treatment == 0 or on_treatment == n
        if empty[r]:
            continue
        columns = covariates[first:last].copy()
        kept = independent_columns(columns)
        # Treatment stands last: its variance is then that of the last pivot.
        design = np.empty((n, kept + 2))
        for i in range(n):
            design[i, 0] = 1.0
            for c in range(kept):
                design[i, c + 1] = columns[i, c]
            design[i, kept + 1] = float(treated[first + i])
        beta, lower = np.zeros(kept + 2), np.zeros((kept + 2, kept + 2))
        if fit_logistic(design, value[first:last], beta, lower):
            log_ratio[r] = beta[kept + 1]
            variance[r] = 1.0 / (lower[kept + 1, kept + 1] * lower[kept + 1, kept + 1])
