"""Log posteriors of regression coefficients with independent normal priors: logistic regression and the Cox model."""

# Compiled functions take arrays that the type checker cannot see into.
# mypy: disallow-untyped-defs=False

from __future__ import annotations

import math
from typing import Final

from trialsim.compiled import kernel
from trialsim.stats.cox_covariates import partial_likelihood

LOGISTIC: Final = 0
"""``value`` is the share of successes of a row, ``weight`` the patients that it stands for."""
COX: Final = 1
"""Rows are sorted by stratum, then by ``value``, days of follow-up, latest first; ``event`` ends them."""


@kernel
def log_posterior(model, design, value, weight, event, stratum, centre, spread, beta, gradient, information):
    """Return the log posterior without its constant, and fill its gradient and negative second derivatives.

    Parameters
    ----------
    model
        ``LOGISTIC`` or ``COX``.
    design
        ``[row, coefficient]``.
    value, weight, event, stratum
        ``[row]``; what they are depends on the model.
    centre, spread
        Means and standard deviations of the normal priors, ``[coefficient]``.
    beta
        The coefficients.
    gradient, information
        Filled.
    """
    n, p = design.shape
    if model == COX:
        total = partial_likelihood(design, value, event, stratum, beta, gradient, information)
    else:
        total = 0.0
        gradient[:] = 0.0
        information[:] = 0.0
        for i in range(n):
            eta = 0.0
            for c in range(p):
                eta += design[i, c] * beta[c]
            rate = 1.0 / (1.0 + math.exp(-eta))
            total += weight[i] * (value[i] * eta - max(eta, 0.0) - math.log1p(math.exp(-abs(eta))))
            for c in range(p):
                gradient[c] += weight[i] * design[i, c] * (value[i] - rate)
                for other in range(c + 1):
                    both = design[i, c] * design[i, other]
                    information[c, other] += weight[i] * rate * (1.0 - rate) * both
        for c in range(p):
            for other in range(c):
                information[other, c] = information[c, other]
    for c in range(p):
        apart = (beta[c] - centre[c]) / spread[c]
        total -= 0.5 * apart * apart
        gradient[c] -= apart / spread[c]
        information[c, c] += 1.0 / (spread[c] * spread[c])
    return total
