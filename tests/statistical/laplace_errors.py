"""How far Laplace's method is from the posterior itself, by patients and events.

``python -m tests.statistical.laplace_errors`` prints the difference of the probits of P(effect > 0), where the posterior's
own probability lies between 0.0005 and 0.9995. The posterior itself is a sum over a fine grid of all coefficients, written
apart from the package's code.
"""

from __future__ import annotations

import numpy as np
from scipy.integrate import simpson
from scipy.interpolate import CubicSpline
from scipy.special import log_expit, ndtri

from trialsim.contracts import PatientRows
from trialsim.stats.bayes.regression import cox_posterior, logistic_posterior

SD = 2.5
RANGE = (0.0005, 0.9995)


def patient_rows(treated, value, event=None, covariates=None):
    """Return the rows of one trial."""
    n = len(treated)
    return PatientRows(
        np.array([0, n]),
        np.asarray(treated, dtype=np.int8),
        np.zeros(n, dtype=np.int64),
        np.asarray(value, dtype=float),
        np.zeros(n, dtype=np.int8) if event is None else np.asarray(event, dtype=np.int8),
        np.zeros((n, 0)) if covariates is None else np.asarray(covariates, dtype=float).reshape(n, -1),
    )


def above_zero(at, density):
    """Return the share of a density above 0, a spline through its logarithm on a grid."""
    log_density = CubicSpline(at, np.log(np.maximum(density, 1e-300)))
    fine = np.linspace(at[0], at[-1], 20 * (len(at) - 1) + 1)
    value = np.exp(log_density(fine))
    middle = len(fine) // 2
    return simpson(value[middle:], x=fine[middle:]) / simpson(value, x=fine)


def exact_logistic(treated, value, covariate=None):
    """Return P(log odds ratio > 0) by a sum over intercept, covariate and effect."""
    a, b = np.linspace(-14, 14, 1401), np.linspace(-15, 15, 301)
    if covariate is None:
        logs = np.zeros((len(a), len(b)))
        for arm in (0, 1):
            eta = a[:, None] + arm * b
            wins = value[treated == arm].sum()
            logs += wins * log_expit(eta) + ((treated == arm).sum() - wins) * log_expit(-eta)
        logs -= 0.5 * ((a[:, None] / SD) ** 2 + (b / SD) ** 2)
        mass = np.exp(logs - logs.max()).sum(axis=0)
    else:
        z = (covariate - covariate.mean()) / covariate.std()
        a, g, b = np.linspace(-11, 11, 111), np.linspace(-10, 10, 101), np.linspace(-14, 14, 113)
        logs = -0.5 * (a[:, None, None] ** 2 + g[:, None] ** 2 + b**2) / SD**2
        for i in range(len(value)):
            eta = a[:, None, None] + g[:, None] * z[i] + b * treated[i]
            logs = logs + log_expit(eta if value[i] else -eta)
        mass = np.exp(logs - logs.max()).sum(axis=(0, 1))
    return above_zero(b, mass)


def exact_cox(treated, time, event, covariate):
    """Return P(log hazard ratio > 0) by a sum over covariate and effect; no two times are equal."""
    g, b = np.linspace(-10, 10, 161), np.linspace(-12, 12, 241)
    z = (covariate - covariate.mean()) / covariate.std()
    logs = -0.5 * (g[:, None] ** 2 + b**2) / SD**2
    eta = g[:, None, None] * z + b[:, None] * treated
    for i in np.nonzero(event)[0]:
        at_risk = eta[:, :, time >= time[i]]
        top = at_risk.max(axis=2)
        logs = logs + eta[:, :, i] - top - np.log(np.exp(at_risk - top[:, :, None]).sum(axis=2))
    mass = np.exp(logs - logs.max()).sum(axis=0)
    return above_zero(b, mass)


def sampled_logistic(rng, design, value, draws=400_000):
    """Return P(last coefficient > 0) by importance sampling from a t law at the mode, and its standard error."""
    p = design.shape[1]
    beta = np.zeros(p)
    for _ in range(50):
        rate = 1.0 / (1.0 + np.exp(-design @ beta))
        information = (design * (rate * (1.0 - rate))[:, None]).T @ design + np.eye(p) / SD**2
        step = np.linalg.solve(information, design.T @ (value - rate) - beta / SD**2)
        beta += step * min(1.0, 3.0 / np.abs(step).max())
    root = np.linalg.cholesky(1.3 * np.linalg.inv(information))
    squares = rng.chisquare(7, draws) / 7
    normal = rng.normal(size=(draws, p))
    some = beta + (normal / np.sqrt(squares)[:, None]) @ root.T
    distance = (normal**2).sum(axis=1) / squares
    logs = 0.5 * (7 + p) * np.log1p(distance / 7) - 0.5 * (some**2).sum(axis=1) / SD**2
    for row, won in zip(design, value):
        eta = some @ row
        logs += log_expit(eta if won else -eta)
    weight = np.exp(logs - logs.max())
    weight /= weight.sum()
    above = some[:, -1] > 0
    share = (weight * above).sum()
    return share, np.sqrt((weight**2 * (above - share) ** 2).sum())


def many_covariates(rng, n, covariates):
    """Return events and difference of one trial with several covariates; one that the sample cannot tell is left out."""
    treated, x = np.arange(n) % 2, rng.normal(size=(n, covariates))
    x = (x - x.mean(axis=0)) / x.std(axis=0)
    eta = rng.normal(-0.5, 1.0) + x @ rng.normal(0.0, 0.7, covariates) + rng.normal() * treated
    value = (rng.random(n) < 1.0 / (1.0 + np.exp(-eta))).astype(float)
    design = np.column_stack([np.ones(n), x, treated])
    prior = (0.0, SD)
    found = logistic_posterior(patient_rows(treated, value, None, x), 0.0, prior, prior, SD, 0.0)
    wanted, error = sampled_logistic(rng, design, value)
    apart = difference(found.above[0], wanted) if 0.002 < wanted < 0.998 and error < 0.001 else None
    return int(min(value.sum(), n - value.sum())), apart


def difference(found, wanted):
    """Return the difference of probits, or None where the probability is too near 0 or 1."""
    return ndtri(found) - ndtri(wanted) if RANGE[0] < wanted < RANGE[1] else None


def logistic_difference(rng, n, rates, adjusted):
    """Return events and difference of one trial of ``n`` patients."""
    treated = np.arange(n) % 2
    value = (rng.random(n) < np.where(treated, rates[1], rates[0])).astype(float)
    covariate = rng.normal(size=n) if adjusted else None
    prior = (0.0, SD)
    found = logistic_posterior(patient_rows(treated, value, None, covariate), 0.0, prior, prior, SD, 0.0)
    fewer = int(min(value.sum(), n - value.sum()))
    return fewer, difference(found.above[0], exact_logistic(treated, value, covariate))


def cox_difference(rng, n, ratio, censored):
    """Return events and difference of one trial of ``n`` patients with a covariate."""
    treated, covariate = np.arange(n) % 2, rng.normal(size=n)
    time = rng.exponential(size=n) / np.exp(np.log(ratio) * treated + 0.4 * covariate)
    end = np.quantile(time, 1.0 - censored)
    event, time = time <= end, np.minimum(time, end) + 1e-9 * np.arange(n)
    found = cox_posterior(patient_rows(treated, time, event, covariate), 0.0, (0.0, SD), SD, 0.0)
    return int(event.sum()), difference(found.above[0], exact_cox(treated, time, event, covariate))


def largest(pairs, borders):
    """Return the largest difference by number of events."""
    cells = []
    for low, high in zip(borders, [*borders[1:], 10**9]):
        some = [abs(d) for events, d in pairs if low <= events < high and d is not None]
        cells.append((f"{max(some):.4f} ({len(some)})" if some else "-").rjust(14))
    return " ".join(cells)


def main() -> None:
    """Print the tables."""
    borders = [0, 1, 2, 3, 5, 10, 20]
    print("largest difference of probits (trials); columns: events, or non-events where fewer, from", borders)
    for adjusted, sizes, draws in ((False, (6, 10, 20, 40, 100, 400), 200), (True, (10, 20, 40), 20)):
        for n in sizes:
            rng = np.random.default_rng(n)
            pairs = [logistic_difference(rng, n, rng.uniform(0.02, 0.7, 2), adjusted) for _ in range(draws)]
            print(f"logistic{' + covariate' if adjusted else '':12} n {n:4}", largest(pairs, borders))
    for n, covariates in ((20, 3), (40, 3), (60, 3), (20, 5), (60, 5), (100, 5)):
        rng = np.random.default_rng(n)
        pairs = [many_covariates(rng, n, covariates) for _ in range(15)]
        print(f"logistic + {covariates} covariates n {n:4}", largest(pairs, borders))
    for n in (10, 20, 40):
        rng = np.random.default_rng(n)
        pairs = [cox_difference(rng, n, np.exp(rng.normal()), rng.uniform(0, 0.9)) for _ in range(40)]
        print(f"cox + covariate      n {n:4}", largest(pairs, borders))


if __name__ == "__main__":
    main()
