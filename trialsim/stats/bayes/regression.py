"""Posteriors of treatment's coefficient in logistic regression and the Cox model, for a batch of replicates."""

# Compiled functions take arrays that the type checker cannot see into.
# mypy: disallow-untyped-defs=False

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trialsim.compiled import kernel
from trialsim.contracts import Floats, Ints, PatientRows
from trialsim.stats.bayes.log_posteriors import COX, LOGISTIC
from trialsim.stats.bayes.marginal_laplace import (
    NODES,
    marginal_of_last,
    mean_and_sd,
    quantile,
    upper_probability,
)
from trialsim.stats.cholesky import independent_columns


@dataclass(frozen=True)
class CoefficientPosterior:
    """The posterior of one coefficient, each array ``[replicate]``.

    Parameters
    ----------
    above
        Probability that it exceeds the margin.
    mean, sd
        Its mean and standard deviation.
    lower, upper
        Ends of the equal-tailed interval.
    patients, events, other
        Of both arms together: patients, those with an event or a response, and those without.
    """

    above: Floats
    mean: Floats
    sd: Floats
    lower: Floats
    upper: Floats
    patients: Ints
    events: Ints
    other: Ints


@kernel
def _summarise(low, high, logs, margin, tail, out):
    """Fill probability above the margin, mean, standard deviation and, with a positive tail, the interval."""
    out[0] = upper_probability(low, high, logs, margin)
    out[1], out[2] = mean_and_sd(low, high, logs)
    if tail > 0.0:
        out[3] = quantile(low, high, logs, tail)
        out[4] = quantile(low, high, logs, 1.0 - tail)


@kernel
def _logistic(offsets, treated, value, covariates, prior, margin, tail, out):
    none = np.zeros(0, np.int8)
    nowhere = np.zeros(0, np.int64)
    logs = np.empty(len(NODES))
    for r in range(len(offsets) - 1):
        first, last = offsets[r], offsets[r + 1]
        columns = covariates[first:last].copy()
        kept = independent_columns(columns)
        if kept == 0:
            # Two rows hold all that there is to know.
            design, share, weight = np.zeros((2, 2)), np.zeros(2), np.zeros(2)
            for i in range(first, last):
                arm = 1 if treated[i] else 0
                weight[arm] += 1.0
                share[arm] += value[i]
            for arm in range(2):
                design[arm, 0], design[arm, 1] = 1.0, float(arm)
                share[arm] = share[arm] / weight[arm] if weight[arm] > 0.0 else 0.0
        else:
            n = last - first
            design, share, weight = np.empty((n, kept + 2)), value[first:last].copy(), np.ones(n)
            for i in range(n):
                design[i, 0] = 1.0
                for c in range(kept):
                    design[i, c + 1] = columns[i, c]
                design[i, kept + 1] = float(treated[first + i])
        p = kept + 2
        centre, spread = np.zeros(p), np.full(p, prior[4])
        centre[0], spread[0], centre[p - 1], spread[p - 1] = prior[0], prior[1], prior[2], prior[3]
        low, high = marginal_of_last(LOGISTIC, design, share, weight, none, nowhere, centre, spread, logs)
        _summarise(low, high, logs, margin, tail, out[r])


@kernel
def _cox(offsets, treated, stratum, time, event, covariates, prior, margin, tail, out):
    none = np.zeros(0)
    logs = np.empty(len(NODES))
    for r in range(len(offsets) - 1):
        first, last = offsets[r], offsets[r + 1]
        n = last - first
        columns = covariates[first:last].copy()
        kept = independent_columns(columns)
        order = np.argsort(-time[first:last], kind="mergesort")
        order = order[np.argsort(stratum[first:last][order], kind="mergesort")]
        design, times = np.empty((n, kept + 1)), np.empty(n)
        ends, strata = np.empty(n, np.int8), np.empty(n, np.int64)
        for i in range(n):
            at = order[i]
            for c in range(kept):
                design[i, c] = columns[at, c]
            design[i, kept] = float(treated[first + at])
            times[i], ends[i], strata[i] = time[first + at], event[first + at], stratum[first + at]
        p = kept + 1
        centre, spread = np.zeros(p), np.full(p, prior[4])
        centre[p - 1], spread[p - 1] = prior[2], prior[3]
        low, high = marginal_of_last(COX, design, times, none, ends, strata, centre, spread, logs)
        _summarise(low, high, logs, margin, tail, out[r])


def _found(rows: PatientRows, out: Floats, counted: Floats) -> CoefficientPosterior:
    events = np.add.reduceat(np.append(counted, 0.0), rows.offsets[:-1]) * (np.diff(rows.offsets) > 0)
    n = np.diff(rows.offsets)
    events = np.rint(events).astype(np.int64)
    above, mean, sd, lower, upper = out.T
    return CoefficientPosterior(above, mean, sd, lower, upper, n, events, n - events)


def logistic_posterior(
    rows: PatientRows,
    margin: float,
    effect_prior: tuple[float, float],
    intercept_prior: tuple[float, float],
    covariate_sd: float,
    tail: float = 0.025,
) -> CoefficientPosterior:
    """Return the posterior of treatment's log odds ratio given covariates.

    Parameters
    ----------
    rows
        Patients; ``value`` is 0 or 1.
    margin
        Log odds ratio whose exceedance is asked for.
    effect_prior, intercept_prior
        Mean and standard deviation of the normal priors.
    covariate_sd
        Standard deviation of the covariates' normal priors, of mean 0, the covariates being centred and scaled to standard
        deviation 1 in the data at hand.
    tail
        Probability beyond each end of the interval; 0 leaves it out (NaN).
    """
    out = np.full((len(rows.offsets) - 1, 5), np.nan)
    prior = np.array([*intercept_prior, *effect_prior, covariate_sd], dtype=np.float64)
    value = rows.value.astype(np.float64)
    _logistic(rows.offsets, rows.treated, value, rows.covariates, prior, float(margin), tail, out)
    return _found(rows, out, value)


def cox_posterior(
    rows: PatientRows,
    margin: float,
    effect_prior: tuple[float, float],
    covariate_sd: float,
    tail: float = 0.025,
) -> CoefficientPosterior:
    """Return the posterior of treatment's log hazard ratio, the partial likelihood standing for the likelihood.

    The partial likelihood is the limit of the full one under a diffuse gamma process prior on the baseline hazard
    (Kalbfleisch, JRSS B 40, 1978, 214-221; Sinha, Ibrahim and Chen, Biometrika 90, 2003, 629-641).

    Parameters
    ----------
    rows
        Patients; strata have baseline hazards of their own.
    margin
        Log hazard ratio whose exceedance is asked for.
    effect_prior
        Mean and standard deviation of the normal prior.
    covariate_sd
        As in :func:`logistic_posterior`.
    tail
        As in :func:`logistic_posterior`.
    """
    out = np.full((len(rows.offsets) - 1, 5), np.nan)
    prior = np.array([0.0, 1.0, *effect_prior, covariate_sd], dtype=np.float64)
    time = rows.value.astype(np.float64)
    _cox(
        rows.offsets, rows.treated, rows.stratum, time, rows.event, rows.covariates, prior, float(margin), tail, out
    )  # fmt: skip
    return _found(rows, out, rows.event.astype(np.float64))
