"""How many patients, or events, a prior is worth, and how far the data are from what it expected."""

from __future__ import annotations

from typing import Literal

import numpy as np

from trialsim.contracts import Floats
from trialsim.errors import UsageError
from trialsim.stats.bayes.families import Family
from trialsim.stats.bayes.robust_mixture import Mixture

_PANELS, _NODES = 200, 8
"""Panels of a part of a mixture, and Gauss-Legendre points of a panel."""

Unit = Literal["patient", "time", "event"]


def moment_sample_size(prior: Mixture, sd: float | None = None) -> float:
    """Return the sample size of the single conjugate prior with the mixture's mean and variance.

    Parameters
    ----------
    prior
        Weights ``[part]``.
    sd
        Standard deviation of an outcome, for a normal prior.

    Returns
    -------
    float
        Patients; for a gamma prior time at risk.
    """
    mean, spread = (float(each) for each in prior.moments())
    if prior.family == Family.BETA:
        return mean * (1.0 - mean) / spread**2 - 1.0
    if prior.family == Family.GAMMA:
        return mean / spread**2
    return (_known(sd) / spread) ** 2


def elir_sample_size(prior: Mixture, sd: float | None = None, unit: Unit = "patient") -> float:
    """Return the expected local information ratio: the prior's information over one observation's, averaged.

    It is the only measure in use that is predictively consistent: the posterior's, averaged over what the prior expects of
    N further observations, is the prior's plus N (Neuenschwander, Weber, Schmidli and O'Hagan, Biometrics 76, 2020,
    578-587).

    Parameters
    ----------
    prior
        Weights ``[part]``.
    sd
        Standard deviation of an outcome, for a normal prior.
    unit
        Of a gamma prior: ``"time"`` counts the time at risk of a Poisson rate, ``"event"`` the events of an exponential
        hazard. Other priors count patients.

    Returns
    -------
    float
        Sample size; NaN where the integral diverges: a beta part has a shape below 1, or a gamma part, by time, a shape
        below 1.

    Raises
    ------
    UsageError
        When a gamma prior is asked for patients, or a normal one without ``sd``.
    """
    believed = prior.weights > 0.0
    parameters, weights = prior.parameters[believed], prior.weights[believed]
    first, second = parameters[:, :1], parameters[:, 1:2]
    if prior.family == Family.BETA:
        shapes = parameters[:, :2]
        if (shapes < 1.0).any():
            return float("nan")
        logit, step = _points(np.log(first / second), np.sqrt(1.0 / first + 1.0 / second), _tail(shapes))
        theta, rest = np.exp(-np.logaddexp(0.0, -logit)), np.exp(-np.logaddexp(0.0, logit))
        log_own = np.logaddexp(0.0, -logit) + np.logaddexp(0.0, logit)
        score = (first - 1.0) * rest - (second - 1.0) * theta
        bend = (first - 1.0) * rest**2 + (second - 1.0) * theta**2
        logs = -first * np.logaddexp(0.0, -logit) - second * np.logaddexp(0.0, logit)
        logs -= np.array([[_log_beta(a, b)] for a, b, _ in parameters])
    elif prior.family == Family.GAMMA:
        if unit == "patient":
            raise UsageError("the unit of a gamma prior is time or event; patients have no rate of their own")
        if unit == "time" and (first < 1.0).any():
            return float("nan")
        reach = _tail(first) if unit == "time" else 45.0 / min(1.0, float(first.min()))
        log_theta, step = _points(np.log(first / second), 1.0 / np.sqrt(first), reach, right=60.0)
        theta = np.exp(log_theta)
        log_own = -log_theta if unit == "time" else np.zeros_like(theta)
        score, bend = first - 1.0 - second * theta, np.broadcast_to(first - 1.0, (len(first), len(theta)))
        logs = first * (np.log(second) + log_theta) - second * theta
        logs -= np.array([[_log_gamma(a)] for a, _b, _ in parameters])
    else:
        theta, step = _points(first, second, 12.0 * float(second.max()))
        log_own = np.full_like(theta, 2.0 * np.log(_known(sd)))
        score = -(theta - first) / second**2
        bend = np.broadcast_to(1.0 / second**2, score.shape)
        logs = -0.5 * ((theta - first) / second) ** 2 - np.log(second) - 0.5 * np.log(2.0 * np.pi)
    return _averaged(weights, logs, score, bend, log_own, step)


def _tail(shapes: Floats) -> float:
    """Return how far out an integrand that falls by the least shape above 1, less 1, still counts."""
    more = shapes[shapes > 1.0] - 1.0
    return 45.0 / min(1.0, float(more.min(initial=1.0)))


def _points(
    centres: Floats, spreads: Floats, reach: float, right: float | None = None
) -> tuple[Floats, Floats]:
    """Return points and weights of an integral over a mixture's parts: each has its own panels, close at its centre.

    One even grid would pass over a sharp part beside a wide one.
    """
    from numpy.polynomial.legendre import leggauss

    low, high = float(centres.min()) - reach, float(centres.max()) + (reach if right is None else right)
    furthest = np.arcsinh((high - low) / spreads)
    edges = centres + spreads * np.sinh(furthest * np.linspace(-1.0, 1.0, _PANELS + 1))
    edges = np.unique(np.clip(edges, low, high))
    nodes, weights = leggauss(_NODES)
    half = 0.5 * np.diff(edges)[:, None]
    points = edges[:-1, None] + half * (1.0 + nodes)
    return points.ravel(), (half * weights).ravel()


def _averaged(
    weights: Floats, logs: Floats, score: Floats, bend: Floats, log_own: Floats, step: Floats
) -> float:
    """Return the integral of the mixture's information over that of one observation.

    ``score`` and ``bend`` are a part's first derivative of the log density, and its second with the sign turned, by what
    keeps them from overflowing; ``log_own`` makes up for that.
    """
    joint = np.log(weights)[:, None] + logs
    top = joint.max(axis=0)
    shares = np.exp(joint - top)
    total = shares.sum(axis=0)
    shares /= total
    apart = score - (shares * score).sum(axis=0)
    information = (shares * (bend - apart**2)).sum(axis=0)
    return float((np.exp(top + np.log(total) + log_own) * information * step).sum())


def prior_predictive_tail(prior: Mixture, successes: int, n: int) -> float:
    """Return Box's prior predictive p-value of a count of responses: how unexpected the prior finds it.

    The probability, were the prior right, of a count that is at most as probable as the one observed (Box, JRSS A 143,
    1980, 383-430). A small value is prior-data conflict.

    Parameters
    ----------
    prior
        A beta mixture, weights ``[part]``.
    successes, n
        What was observed.
    """
    from scipy.special import betaln, gammaln

    count = np.arange(n + 1)
    choices = gammaln(n + 1) - gammaln(count + 1) - gammaln(n - count + 1)
    predicted = sum(
        w * np.exp(choices + betaln(a + count, b + n - count) - betaln(a, b))
        for w, (a, b, _) in zip(prior.weights, prior.parameters, strict=True)
    )
    # Counts that are equally probable differ in their last digits.
    return float(min(predicted[predicted <= predicted[successes] * (1.0 + 1e-9)].sum(), 1.0))


def mean_tail(prior: Mixture, mean: float, n: int, sd: float) -> float:
    """Return Box's prior predictive p-value of the mean of ``n`` outcomes by a single normal prior; 1 of none.

    Parameters
    ----------
    prior
        A normal prior of one part.
    mean, n
        What was observed.
    sd
        Standard deviation of an outcome.
    """
    from scipy.special import ndtr

    if n == 0:
        return 1.0
    centre, spread, _ = prior.parameters[0]
    return float(2.0 * ndtr(-abs(mean - centre) / np.hypot(spread, sd / np.sqrt(n))))


def _known(sd: float | None) -> float:
    if sd is None:
        raise UsageError(
            "sd: a normal prior is worth patients only beside the standard deviation of an outcome"
        )
    return sd


def _log_beta(a: float, b: float) -> float:
    from scipy.special import betaln

    return float(betaln(a, b))


def _log_gamma(a: float) -> float:
    from scipy.special import gammaln

    return float(gammaln(a))
