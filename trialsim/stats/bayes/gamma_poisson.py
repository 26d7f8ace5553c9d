"""Counts of events in a known time at risk, as of adverse events, with a gamma prior on the rate."""

# Compiled functions take arrays that the type checker cannot see into.
# mypy: disallow-untyped-defs=False

from __future__ import annotations

import numpy as np

from trialsim.compiled import kernel
from trialsim.contracts import Floats, Ints
from trialsim.stats.bayes.special import regularised_beta


def posterior_rate(events: Floats | Ints, exposure: Floats, prior_shape: float, prior_rate: float) -> Floats:
    """Return shape and rate of the gamma posterior of an event rate.

    Parameters
    ----------
    events, exposure
        Events and the time at risk in which they happened, any shape.
    prior_shape, prior_rate
        Of the gamma prior; its mean is their ratio, and ``prior_rate`` is the time at risk that it is worth.

    Returns
    -------
    numpy.ndarray
        Parameters of :attr:`Family.GAMMA <trialsim.stats.bayes.families.Family.GAMMA>`, ``[..., 3]``.

    References
    ----------
    Gelman et al., Bayesian Data Analysis (3rd edition, 2013), section 2.6.
    """
    shape = prior_shape + np.asarray(events, dtype=np.float64)
    rate = prior_rate + np.asarray(exposure, dtype=np.float64)
    return np.stack([shape, rate, np.zeros_like(shape)], axis=-1)


@kernel
def _ratios_below(treatment, control, ratio, out):
    for r in range(len(out)):
        odds = ratio * treatment[r, 1] / control[r, 1]
        out[r] = regularised_beta(treatment[r, 0], control[r, 0], odds / (1.0 + odds))


def probability_ratio_below(treatment: Floats, control: Floats, ratio: float) -> Floats:
    """Return the probability that treatment's rate is below control's times a ratio, in closed form.

    The ratio of two gamma variables is a scaled beta prime variable (Johnson, Kotz and Balakrishnan, Continuous Univariate
    Distributions 2, 1995, section 25.7).

    Parameters
    ----------
    treatment, control
        Posteriors of the rates, ``[replicate, 3]``.
    ratio
        Above 0.
    """
    found = np.empty(len(treatment))
    _ratios_below(treatment, control, float(ratio), found)
    return found


def ratio_quantile(treatment: Floats, control: Floats, probability: float) -> Floats:
    """Return a quantile of treatment's rate over control's, ``[replicate]``, by the quantile of a beta variable."""
    from scipy.special import betaincinv

    # Where the share is near 1 its distance from 1 keeps the digits.
    share = betaincinv(treatment[:, 0], control[:, 0], probability)
    rest = betaincinv(control[:, 0], treatment[:, 0], 1.0 - probability)
    with np.errstate(divide="ignore"):
        odds = np.where(share < 0.5, share / (1.0 - share), (1.0 - rest) / rest)
    return np.asarray(odds * control[:, 1] / treatment[:, 1])


def log_ratio_moments(treatment: Floats, control: Floats) -> tuple[Floats, Floats]:
    """Return mean and standard deviation of the log ratio of two gamma rates, ``[replicate]`` (digamma and trigamma)."""
    from scipy.special import digamma, polygamma

    mean = digamma(treatment[:, 0]) - np.log(treatment[:, 1]) - digamma(control[:, 0]) + np.log(control[:, 1])
    variance = polygamma(1, treatment[:, 0]) + polygamma(1, control[:, 0])
    return np.asarray(mean), np.asarray(np.sqrt(variance))


def predictive_at_least(posterior: Floats, exposure: float, events: int) -> Floats:
    """Return the probability of at least so many further events in a further time at risk: negative binomial.

    Parameters
    ----------
    posterior
        Of the rate, ``[..., 3]``.
    exposure
        Further time at risk.
    events
        How many.
    """
    from scipy.special import betainc

    if events <= 0:
        return np.ones(posterior.shape[:-1])
    share = exposure / (posterior[..., 1] + exposure)
    return np.asarray(betainc(events, posterior[..., 0], share))
