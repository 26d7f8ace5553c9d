"""The log-rank test with Fleming-Harrington weights, from a table of numbers at risk."""

# Compiled functions take arrays that the type checker cannot see into.
# mypy: disallow-untyped-defs=False

from __future__ import annotations

import numpy as np

from trialsim.compiled import kernel
from trialsim.elementary import power
from trialsim.stats.survival import logrank_term


@kernel
def _raise(base, exponent, count, out):
    """Multiply the first ``count`` of ``out`` by a power of ``base``; a power of zero is 1 throughout, 0 has only zero."""
    if exponent == 1.0:
        for i in range(count):
            out[i] *= base[i]
    elif exponent != 0.0:
        for i in range(count):
            out[i] *= power(base[i], exponent) if base[i] > 0.0 else 0.0


@kernel
def fleming_harrington_sums(
    offsets, at_risk, at_risk_treatment, events, events_treatment, rho, gamma, score, variance, slope
):
    """Fill the weighted log-rank score, its variance, and what the score gains per unit of log hazard ratio.

    Harrington and Fleming, Biometrika 69, 1982, 553-566; Fleming and Harrington, Counting Processes and Survival Analysis,
    1991, section 7.2. The survival S is the pooled Kaplan-Meier estimate just before each time.

    Parameters
    ----------
    offsets, at_risk, at_risk_treatment, events, events_treatment
        Of :class:`~trialsim.contracts.RiskTables`, not stratified.
    rho, gamma
        Powers of S and of 1 - S.
    score, variance, slope
        Results, ``[replicate]``: sums of w (O - E), of w^2 v and of w v, v the hypergeometric variance.
    """
    most = 0
    for r in range(len(offsets) - 1):
        most = max(most, offsets[r + 1] - offsets[r])
    survival, gone, weight = np.empty(most), np.empty(most), np.empty(most)
    difference, spread = np.empty(most), np.empty(most)
    # Loops of their own, as only so each of them vectorises but the product of survival.
    for r in range(len(offsets) - 1):
        first, last = offsets[r], offsets[r + 1]
        count = last - first
        n, n1 = at_risk[first:last], at_risk_treatment[first:last]
        d, d1 = events[first:last], events_treatment[first:last]
        for i in range(count):
            difference[i], spread[i] = logrank_term(n[i], n1[i], d[i], d1[i])
            gone[i] = (np.float64(n[i]) - np.float64(d[i])) / np.float64(n[i])
            weight[i] = 1.0
        still = 1.0
        for i in range(count):
            survival[i] = still
            still *= gone[i]
        for i in range(count):
            gone[i] = 1.0 - survival[i]
        _raise(survival, rho, count, weight)
        _raise(gone, gamma, count, weight)
        whole = count // 4 * 4
        o0 = o1 = o2 = o3 = v0 = v1 = v2 = v3 = g0 = g1 = g2 = g3 = 0.0
        # Four sums side by side: the order of additions is part of the definition.
        for i in range(0, whole, 4):
            a, b, c, e = weight[i], weight[i + 1], weight[i + 2], weight[i + 3]
            o0, o1 = o0 + a * difference[i], o1 + b * difference[i + 1]
            o2, o3 = o2 + c * difference[i + 2], o3 + e * difference[i + 3]
            g0, g1 = g0 + a * spread[i], g1 + b * spread[i + 1]
            g2, g3 = g2 + c * spread[i + 2], g3 + e * spread[i + 3]
            v0, v1 = v0 + a * a * spread[i], v1 + b * b * spread[i + 1]
            v2, v3 = v2 + c * c * spread[i + 2], v3 + e * e * spread[i + 3]
        for i in range(whole, count):
            o0 += weight[i] * difference[i]
            g0 += weight[i] * spread[i]
            v0 += weight[i] * weight[i] * spread[i]
        score[r] = (o0 + o1) + (o2 + o3)
        variance[r] = (v0 + v1) + (v2 + v3)
        slope[r] = (g0 + g1) + (g2 + g3)
