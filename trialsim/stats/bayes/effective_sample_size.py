"""How many patients, or events, a prior is worth, and how far the data are from what it expected."""

from __future__ import annotations

from typing import Literal

import numpy as np

from trialsim.contracts import Floats
from trialsim.errors import UsageError
from trialsim.stats.bayes.families import Family
from trialsim.stats.bayes.robust_mixture import Mixture

_POINTS = 20_001

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
        Sample size.

    Raises
    ------
    UsageError
        When a gamma prior is asked for patients, or a normal one without ``sd``.
    """
    parameters, weights = prior.parameters, prior.weights
    if prior.family == Family.BETA:
        edge = 40.0 / min(1.0, float(parameters[:, :2].min()))
        logit = np.linspace(-edge, edge, _POINTS)
        theta = np.exp(-np.logaddexp(0.0, -logit))
        rest = np.exp(-np.logaddexp(0.0, logit))
        score = [(a - 1.0) / theta - (b - 1.0) / rest for a, b, _ in parameters]
        bend = [-(a - 1.0) / theta**2 - (b - 1.0) / rest**2 for a, b, _ in parameters]
        logs = [a * np.log(theta) + b * np.log(rest) - _log_beta(a, b) for a, b, _ in parameters]
        own, step = theta * rest, logit[1] - logit[0]
    elif prior.family == Family.GAMMA:
        if unit == "patient":
            raise UsageError("the unit of a gamma prior is time or event; patients have no rate of their own")
        low = float((np.log(parameters[:, 0] / parameters[:, 1]) - 45.0 / np.sqrt(parameters[:, 0])).min())
        low = min(low, float((np.log(parameters[:, 0] / parameters[:, 1]) - 45.0 / parameters[:, 0]).min()))
        high = float(
            (np.log((parameters[:, 0] + 60.0 + 12.0 * np.sqrt(parameters[:, 0])) / parameters[:, 1])).max()
        )
        log_theta = np.linspace(low, high, _POINTS)
        theta = np.exp(log_theta)
        score = [(a - 1.0) / theta - b for a, b, _ in parameters]
        bend = [-(a - 1.0) / theta**2 for a, _b, _ in parameters]
        logs = [a * np.log(b) - _log_gamma(a) + a * log_theta - b * theta for a, b, _ in parameters]
        own, step = (theta if unit == "time" else theta**2), log_theta[1] - log_theta[0]
    else:
        low = float((parameters[:, 0] - 12.0 * parameters[:, 1]).min())
        high = float((parameters[:, 0] + 12.0 * parameters[:, 1]).max())
        theta = np.linspace(low, high, _POINTS)
        score = [-(theta - m) / s**2 for m, s, _ in parameters]
        bend = [np.full_like(theta, -1.0 / s**2) for _m, s, _ in parameters]
        logs = [
            -0.5 * ((theta - m) / s) ** 2 - np.log(s) - 0.5 * np.log(2.0 * np.pi) for m, s, _ in parameters
        ]
        own, step = np.full_like(theta, _known(sd) ** 2), theta[1] - theta[0]
    return _averaged(weights, np.array(logs), np.array(score), np.array(bend), own, float(step))


def _averaged(weights: Floats, logs: Floats, score: Floats, bend: Floats, own: Floats, step: float) -> float:
    """Return the integral of the mixture's information over that of one observation."""
    joint = np.log(weights)[:, None] + logs
    top = joint.max(axis=0)
    shares = np.exp(joint - top)
    total = shares.sum(axis=0)
    shares /= total
    slope = (shares * score).sum(axis=0)
    curvature = (shares * (bend + score**2)).sum(axis=0) - slope**2
    density = np.exp(top) * total
    good = density > 0.0
    return float((density[good] * -curvature[good] * own[good]).sum() * step)


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
