"""Two-sample statistics of a table of numbers at risk: log-rank and the Cox model with one binary covariate."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from trialsim.compiled import inline, kernel

Floats = NDArray[np.float64]


@inline
def logrank_term(at_risk: int, treated: int, events: int, events_treated: int) -> tuple[float, float]:
    """Return observed minus expected events on treatment at one time, and the hypergeometric variance."""
    n = np.float64(at_risk)
    d = np.float64(events)
    share = np.float64(treated) / n
    variance = d * share * (1.0 - share) * ((n - d) / max(n - 1.0, 1.0))
    return np.float64(events_treated) - d * share, variance


@kernel
def logrank_sums(  # type: ignore[no-untyped-def]
    offsets, at_risk, at_risk_treatment, events, events_treatment, observed_minus_expected, variance
):
    """Fill the log-rank numerator and its hypergeometric variance of each replicate.

    Mantel, Cancer Chemother. Rep. 50, 1966, 163-170; Peto and Peto, JRSS A 135, 1972, 185-207. A table that holds one
    stratum after the other gives the stratified test.

    Parameters
    ----------
    offsets, at_risk, at_risk_treatment, events, events_treatment
        Of :class:`~trialsim.contracts.RiskTables`.
    observed_minus_expected, variance
        Results, ``[replicate]``: events on treatment minus those expected under equality, and the variance.
    """
    most = 0
    for r in range(len(offsets) - 1):
        most = max(most, offsets[r + 1] - offsets[r])
    difference = np.empty(most)
    spread = np.empty(most)
    for r in range(len(offsets) - 1):
        first = offsets[r]
        last = offsets[r + 1]
        count = last - first
        n = at_risk[first:last]
        n1 = at_risk_treatment[first:last]
        d = events[first:last]
        d1 = events_treatment[first:last]
        for i in range(count):
            difference[i], spread[i] = logrank_term(n[i], n1[i], d[i], d1[i])
        whole = count // 4 * 4
        o0 = o1 = o2 = o3 = 0.0
        v0 = v1 = v2 = v3 = 0.0
        # Four sums side by side: the order of additions is part of the definition.
        for i in range(0, whole, 4):
            o0 += difference[i]
            o1 += difference[i + 1]
            o2 += difference[i + 2]
            o3 += difference[i + 3]
            v0 += spread[i]
            v1 += spread[i + 1]
            v2 += spread[i + 2]
            v3 += spread[i + 3]
        for i in range(whole, count):
            o0 += difference[i]
            v0 += spread[i]
        observed_minus_expected[r] = (o0 + o1) + (o2 + o3)
        variance[r] = (v0 + v1) + (v2 + v3)


@kernel
def cox_fit(offsets, at_risk, at_risk_treatment, events, events_treatment, log_ratio, information):  # type: ignore[no-untyped-def]
    """Fill the maximum partial likelihood log hazard ratio and its information, with Efron's treatment of ties.

    Cox, JRSS B 34, 1972, 187-220; Efron, JASA 72, 1977, 557-565. Newton's method from zero with halved steps where the
    likelihood would fall; an infinite maximum (all events in one arm) gives NaN.

    Parameters
    ----------
    offsets, at_risk, at_risk_treatment, events, events_treatment
        Of :class:`~trialsim.contracts.RiskTables`; one stratum after the other gives the stratified model.
    log_ratio, information
        Results, ``[replicate]``.
    """
    for r in range(len(offsets) - 1):
        first = offsets[r]
        last = offsets[r + 1]
        beta = 0.0
        best = -np.inf
        step = 0.0
        log_ratio[r] = np.nan
        information[r] = 0.0
        # A finite maximum needs an event that a large ratio would belie, and one that a small ratio would.
        against_large = against_small = False
        for i in range(first, last):
            against_large |= at_risk_treatment[i] > 0 and events_treatment[i] < events[i]
            against_small |= at_risk[i] > at_risk_treatment[i] and events_treatment[i] > 0
        if not (against_large and against_small):
            continue
        for _ in range(100):
            theta = math.exp(beta)
            likelihood = 0.0
            score = 0.0
            observed = 0.0
            for i in range(first, last):
                d = events[i]
                d1 = events_treatment[i]
                n1 = np.float64(at_risk_treatment[i])
                n0 = np.float64(at_risk[i]) - n1
                likelihood += d1 * beta
                score += d1
                for k in range(d):
                    tied = np.float64(k) / np.float64(d)
                    s1 = (n1 - tied * d1) * theta
                    s = s1 + n0 - tied * (d - d1)
                    share = s1 / s
                    likelihood -= math.log(s)
                    score -= share
                    observed += share * (1.0 - share)
            if likelihood < best - 1e-12 * abs(best):
                step *= 0.5
                beta -= step
                continue
            best = likelihood
            if observed <= 0.0 or abs(beta) > 30.0:
                break
            if abs(score) <= 1e-11 * max(1.0, math.sqrt(observed)):
                log_ratio[r] = beta
                information[r] = observed
                break
            step = score / observed
            step = min(max(step, -2.0), 2.0)
            if abs(step) < 1e-13 * max(1.0, abs(beta)):
                log_ratio[r] = beta
                information[r] = observed
                break
            beta += step
