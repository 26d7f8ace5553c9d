"""Mixtures of conjugate priors, as of what earlier trials say and of a vague part that holds should they be wrong.

Each part is updated by its own conjugate rule, and the weights by how well each part predicted the data (Schmidli et al.,
Biometrics 70, 2014, 1023-1032).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trialsim.contracts import Floats, Ints
from trialsim.stats.bayes.families import Family, mean_and_variance
from trialsim.stats.bayes.independent import probability_exceeds


@dataclass(frozen=True)
class Mixture:
    """A mixture of distributions of one family.

    Parameters
    ----------
    family
        Of all parts.
    weights
        ``[..., part]``, which add up to 1.
    parameters
        In the order that :class:`~trialsim.stats.bayes.families.Family` names, ``[..., part, 3]``.
    """

    family: Family
    weights: Floats
    parameters: Floats

    def moments(self) -> tuple[Floats, Floats]:
        """Return mean and standard deviation, ``[...]``."""
        flat = self.parameters.reshape(-1, 3)
        each = np.array([mean_and_variance(int(self.family), part) for part in flat]).reshape(
            *self.parameters.shape[:-1], 2
        )
        mean = (self.weights * each[..., 0]).sum(axis=-1)
        square = (self.weights * (each[..., 1] + each[..., 0] ** 2)).sum(axis=-1)
        return mean, np.sqrt(square - mean**2)


def mixture(family: Family, parts: Sequence[Sequence[float]]) -> Mixture:
    """Return a mixture from its parts, each its weight and two parameters; weights are scaled to add up to 1."""
    table = np.array(parts, dtype=np.float64)
    parameters = np.column_stack([table[:, 1:3], np.zeros(len(table))])
    return Mixture(family, table[:, 0] / table[:, 0].sum(), parameters)


def _reweighed(prior: Mixture, log_likelihood: Floats, parameters: Floats) -> Mixture:
    """Return the updated mixture, the weights in proportion to what each part made of the data."""
    with np.errstate(divide="ignore"):
        logs = np.log(prior.weights) + log_likelihood
    shares = np.exp(logs - logs.max(axis=-1, keepdims=True))
    return Mixture(prior.family, shares / shares.sum(axis=-1, keepdims=True), parameters)


def update_by_responses(prior: Mixture, successes: Floats | Ints, n: Floats | Ints) -> Mixture:
    """Return a beta mixture after ``successes`` out of ``n``, ``[...]``; each part predicts a beta-binomial count."""
    from scipy.special import betaln

    a, b = prior.parameters[:, 0], prior.parameters[:, 1]
    wins, losses = np.asarray(successes, dtype=float)[..., None], (np.asarray(n) - successes)[..., None]
    after = np.stack([a + wins, b + losses, np.zeros_like(a + wins)], axis=-1)
    return _reweighed(prior, betaln(after[..., 0], after[..., 1]) - betaln(a, b), after)


def update_by_events(prior: Mixture, events: Floats, exposure: Floats) -> Mixture:
    """Return a gamma mixture after events in a time at risk, ``[...]``; each part predicts a negative binomial count."""
    from scipy.special import gammaln

    a, b = prior.parameters[:, 0], prior.parameters[:, 1]
    shape = a + np.asarray(events, dtype=float)[..., None]
    rate = b + np.asarray(exposure, dtype=float)[..., None]
    log_likelihood = gammaln(shape) - gammaln(a) + a * np.log(b) - shape * np.log(rate)
    return _reweighed(prior, log_likelihood, np.stack([shape, rate, np.zeros_like(shape)], axis=-1))


def update_by_mean(prior: Mixture, mean: Floats, n: Ints, sd: float) -> Mixture:
    """Return a normal mixture after the mean of ``n`` outcomes of known standard deviation, ``[...]``."""
    centre, spread = prior.parameters[:, 0], prior.parameters[:, 1]
    data = (np.asarray(n) / sd**2)[..., None]
    seen = np.where(np.asarray(n) > 0, mean, 0.0)[..., None]
    precision = 1.0 / spread**2 + data
    after = (centre / spread**2 + data * seen) / precision
    with np.errstate(divide="ignore"):
        variance = spread**2 + np.where(data > 0.0, 1.0 / data, np.inf)
    apart = np.where(data > 0.0, (seen - centre) ** 2 / variance, 0.0)
    # Without data no part has predicted anything.
    log_likelihood = np.where(
        data > 0.0, -0.5 * apart - 0.5 * np.log(np.where(data > 0.0, variance, 1.0)), 0.0
    )
    parameters = np.stack([after, 1.0 / np.sqrt(precision), np.zeros_like(after)], axis=-1)
    return _reweighed(prior, log_likelihood, parameters)


def mixtures_exceed(
    treatment: Mixture, control: Mixture, margin: float | Floats = 0.0
) -> tuple[Floats, Floats]:
    """Return P(treatment > control + margin) of two independent mixtures of one family, and the quadrature's error.

    Parameters
    ----------
    treatment, control
        Posteriors, weights ``[replicate, part]``.
    margin
        On the parameter's own scale, one or ``[replicate]``.
    """
    size = len(treatment.weights)
    found, error = np.zeros(size), np.zeros(size)
    for i in range(treatment.weights.shape[1]):
        for j in range(control.weights.shape[1]):
            pair = (
                np.ascontiguousarray(treatment.parameters[:, i]),
                np.ascontiguousarray(control.parameters[:, j]),
            )
            probability, change = probability_exceeds(treatment.family, *pair, margin)
            weight = treatment.weights[:, i] * control.weights[:, j]
            found += weight * probability
            error += weight * change
    return found, error
