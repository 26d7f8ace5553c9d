"""The Cox model with treatment and covariates, plain or stratified, by maximum partial likelihood."""

# Compiled functions take arrays that the type checker cannot see into.
# mypy: disallow-untyped-defs=False

from __future__ import annotations

import math

import numpy as np

from trialsim.compiled import kernel
from trialsim.stats.cholesky import factorise, independent_columns, solve

_STEPS = 30
"""Newton steps allowed; where there is no finite maximum a step adds about 1 to the linear predictor for ever."""


@kernel
def partial_likelihood(design, time, event, stratum, beta, gradient, information):
    """Return the log partial likelihood with Efron's ties, and fill its gradient and information.

    Rows are sorted by stratum, then by time, latest first: whoever stands before in the stratum is at risk.
    """
    n, p = design.shape
    gradient[:] = 0.0
    information[:] = 0.0
    first = np.empty(p)
    tied = np.empty(p)
    second = np.empty((p, p))
    tied_second = np.empty((p, p))
    mean = np.empty(p)
    likelihood = 0.0
    total = 0.0
    i = 0
    while i < n:
        if i == 0 or stratum[i] != stratum[i - 1]:
            total = 0.0
            first[:] = 0.0
            second[:] = 0.0
        t, s = time[i], stratum[i]
        deaths = 0
        tied_total = 0.0
        tied[:] = 0.0
        tied_second[:] = 0.0
        while i < n and time[i] == t and stratum[i] == s:
            eta = 0.0
            for c in range(p):
                eta += design[i, c] * beta[c]
            weight = math.exp(eta)
            total += weight
            dead = event[i] != 0
            if dead:
                deaths += 1
                likelihood += eta
                tied_total += weight
            for c in range(p):
                first[c] += weight * design[i, c]
                if dead:
                    gradient[c] += design[i, c]
                    tied[c] += weight * design[i, c]
                for other in range(c + 1):
                    part = weight * design[i, c] * design[i, other]
                    second[c, other] += part
                    if dead:
                        tied_second[c, other] += part
            i += 1
        for k in range(deaths):
            share = float(k) / float(deaths)
            whole = total - share * tied_total
            likelihood -= math.log(whole)
            for c in range(p):
                mean[c] = (first[c] - share * tied[c]) / whole
                gradient[c] -= mean[c]
                for other in range(c + 1):
                    both = (second[c, other] - share * tied_second[c, other]) / whole
                    information[c, other] += both - mean[c] * mean[other]
    for c in range(p):
        for other in range(c):
            information[other, c] = information[c, other]
    return likelihood


@kernel
def _fit(design, time, event, stratum, beta, lower):
    """Fill the maximum and the factor of its information; return whether there is a finite one."""
    p = design.shape[1]
    gradient, step, trial = np.empty(p), np.empty(p), np.zeros(p)
    information = np.empty((p, p))
    beta[:] = 0.0
    best = partial_likelihood(design, time, event, stratum, beta, gradient, information)
    for _ in range(_STEPS):
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
        scale = min(1.0, 5.0 / largest)
        for _half in range(30):
            for c in range(p):
                trial[c] = beta[c] + scale * step[c]
            now = partial_likelihood(design, time, event, stratum, trial, gradient, information)
            if now >= best - 1e-12 * abs(best):
                break
            scale *= 0.5
        for c in range(p):
            beta[c] = trial[c]
        best = max(best, now)
    return False


@kernel
def _centre_within(columns, stratum):
    """Centre columns within strata, which leaves the likelihood as it is and shows what does not vary within any."""
    strata = 0
    for i in range(len(stratum)):
        strata = max(strata, stratum[i] + 1)
    sums, sizes = np.empty(strata), np.empty(strata)
    for c in range(columns.shape[1]):
        sums[:] = 0.0
        sizes[:] = 0.0
        largest = 0.0
        for i in range(len(stratum)):
            sums[stratum[i]] += columns[i, c]
            sizes[stratum[i]] += 1.0
            largest = max(largest, abs(columns[i, c]))
        for i in range(len(stratum)):
            apart = columns[i, c] - sums[stratum[i]] / sizes[stratum[i]]
            columns[i, c] = apart if abs(apart) > 1e-12 * largest else 0.0


@kernel
def adjusted_log_hazard_ratios(
    offsets, treated, stratum, time, event, covariates, log_ratio, information, events
):
    """Fill the log hazard ratio of treatment given covariates, and its information, of each replicate.

    Cox, JRSS B 34, 1972, 187-220; ties by Efron, JASA 72, 1977, 557-565; existence of a maximum: Jacobsen, Scand. J.
    Statist. 16, 1989, 335-349.

    Parameters
    ----------
    offsets, treated, stratum, time, event, covariates
        Of :class:`~trialsim.contracts.PatientRows`.
    log_ratio, information
        Results, ``[replicate]``; NaN and 0 where the likelihood has no finite maximum.
    events
        Number of events, ``[replicate]``.
    """
    for r in range(len(offsets) - 1):
        start, last = offsets[r], offsets[r + 1]
        n = last - start
        log_ratio[r], information[r], events[r] = np.nan, 0.0, 0
        on_treatment = 0
        for i in range(start, last):
            events[r] += event[i]
            on_treatment += treated[i]
        if events[r] == 0 or on_treatment == 0 or on_treatment == n:
            continue
        columns = covariates[start:last].copy()
        _centre_within(columns, stratum[start:last])
        kept = independent_columns(columns)
        order = np.argsort(-time[start:last], kind="mergesort")
        order = order[np.argsort(stratum[start:last][order], kind="mergesort")]
        design = np.empty((n, kept + 1))
        times, ends = np.empty(n), np.empty(n, np.int8)
        strata = np.empty(n, np.int64)
        for i in range(n):
            at = order[i]
            for c in range(kept):
                design[i, c] = columns[at, c]
            # Treatment stands last: its information is then that of the last pivot.
            design[i, kept] = float(treated[start + at])
            times[i], ends[i], strata[i] = time[start + at], event[start + at], stratum[start + at]
        beta, lower = np.zeros(kept + 1), np.zeros((kept + 1, kept + 1))
        if _fit(design, times, ends, strata, beta, lower):
            log_ratio[r] = beta[kept]
            information[r] = lower[kept, kept] * lower[kept, kept]
