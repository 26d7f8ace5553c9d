"""Predictive probability of success: what a trial will show once patients not yet read out, or not yet enrolled, have been.

Given a beta posterior the successes to come are beta-binomial, so the probability is a sum and not a simulation.
"""

# Compiled functions take arrays that the type checker cannot see into.
# mypy: disallow-untyped-defs=False

from __future__ import annotations

import math

import numpy as np

from trialsim.compiled import kernel
from trialsim.stats.bayes.beta_binomial import beta_above, difference_above
from trialsim.stats.bayes.special import log_beta

ERROR = 1e-9
"""Largest error of a predictive probability, given its success criterion: sums in double precision."""


@kernel
def beta_binomial(m, a, b, out):
    """Fill the probabilities of 0 to ``m`` successes among ``m`` patients whose rate is beta(a, b), ``out[: m + 1]``.

    Neighbours follow from each other, from the mode outwards, so that nothing underflows that matters.
    """
    mode = min(m, max(0, int((m + 1) * (a / (a + b)))))
    choose = math.lgamma(m + 1.0) - math.lgamma(mode + 1.0) - math.lgamma(m - mode + 1.0)
    out[mode] = math.exp(choose + log_beta(a + mode, b + m - mode) - log_beta(a, b))
    for j in range(mode, m):
        out[j + 1] = out[j] * ((m - j) / (j + 1.0)) * ((a + j) / (b + m - j - 1.0))
    for j in range(mode, 0, -1):
        out[j - 1] = out[j] * (j / (m - j + 1.0)) * ((b + m - j) / (a + j - 1.0))


@kernel
def least_for_success(n, rate, a, b, threshold):
    """Return the least number of successes among ``n`` for which P(rate > ``rate``) > ``threshold``; n + 1 if none is."""
    low, high = 0, n + 1
    while low < high:
        middle = (low + high) // 2
        if beta_above(rate, a + middle, b + n - middle) > threshold:
            high = middle
        else:
            low = middle + 1
    return low


@kernel
def least_on_treatment(n1, n0, delta, prior, threshold, out):
    """Fill for each number of successes on control the least number on treatment that makes a success.

    Success is P(rate on treatment - rate on control > ``delta``) > ``threshold``. The more successes on control, the
    more it takes on treatment, so that one walk along the border suffices.

    Parameters
    ----------
    n1, n0
        Patients on treatment and on control.
    delta
        By how much treatment must be better.
    prior
        Shapes of the beta priors, control first, ``[2, 2]``.
    threshold
        Of the posterior probability.
    out
        Result, n1 + 1 where nothing suffices, ``[n0 + 1]``.
    """
    least = 0
    for y0 in range(n0 + 1):
        while least <= n1 and not (
            difference_above(
                delta, prior[1, 0] + least, prior[1, 1] + n1 - least, prior[0, 0] + y0, prior[0, 1] + n0 - y0
            )
            > threshold
        ):
            least += 1
        out[y0] = least


@kernel
def predictive_of_one(successes, n, further, rate, a, b, threshold, out):
    """Fill the predictive probability that one arm's rate will be shown to exceed ``rate``.

    Lee and Liu, Clinical Trials 5, 2008, 93-106, eq. (1).

    Parameters
    ----------
    successes, n, further
        Successes, patients read out and patients still to be, ``[replicate]``.
    rate, threshold
        Success is P(rate > ``rate``) > ``threshold`` once all are read out.
    a, b
        Shapes of the beta prior.
    out
        Result, ``[replicate]``.
    """
    most = 0
    for r in range(len(n)):
        most = max(most, further[r])
    chances = np.empty(most + 1)
    for r in range(len(n)):
        m = further[r]
        least = least_for_success(n[r] + m, rate, a, b, threshold)
        beta_binomial(m, a + successes[r], b + n[r] - successes[r], chances)
        total = 0.0
        for j in range(max(0, least - successes[r]), m + 1):
            total += chances[j]
        out[r] = min(1.0, total)


@kernel
def predictive_of_two(successes, n, further, prior, borders, starts, out):
    """Fill the predictive probability that treatment will be shown to be better.

    Parameters
    ----------
    successes, n, further
        Successes, patients read out and patients still to be, control first, ``[replicate, 2]``.
    prior
        Shapes of the beta priors, control first, ``[2, 2]``.
    borders, starts
        Least successes on treatment, of :func:`least_on_treatment`, one table after the other, and where that of each
        replicate begins, ``[replicate]``.
    out
        Result, ``[replicate]``.
    """
    most = 0
    for r in range(len(n)):
        most = max(most, further[r, 0], further[r, 1])
    on_control, on_treatment = np.empty(most + 1), np.empty(most + 2)
    for r in range(len(n)):
        m0, m1 = further[r, 0], further[r, 1]
        beta_binomial(m0, prior[0, 0] + successes[r, 0], prior[0, 1] + n[r, 0] - successes[r, 0], on_control)
        beta_binomial(
            m1, prior[1, 0] + successes[r, 1], prior[1, 1] + n[r, 1] - successes[r, 1], on_treatment
        )
        on_treatment[m1 + 1] = 0.0
        for j in range(m1, -1, -1):
            on_treatment[j] += on_treatment[j + 1]
        total = 0.0
        for j in range(m0 + 1):
            wanted = borders[starts[r] + successes[r, 0] + j] - successes[r, 1]
            if wanted <= m1:
                total += on_control[j] * on_treatment[max(0, wanted)]
        out[r] = min(1.0, total)
