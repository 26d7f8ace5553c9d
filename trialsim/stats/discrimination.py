"""The area under the curve of a score that is correlated with a latent normal trait."""

from __future__ import annotations

import functools

import numpy as np

from trialsim.stats.normal import upper_quantile

_NODES = 160
_FAR = 9.0


@functools.lru_cache(maxsize=64)
def _pairs(prevalence: float) -> tuple[np.ndarray, np.ndarray]:
    """Return how far apart the traits of a positive and a negative lie, and how much each such pair weighs."""
    threshold = upper_quantile(prevalence)
    x, w = np.polynomial.legendre.leggauss(_NODES)
    halves = []
    for low, high in ((threshold, max(threshold, 0.0) + _FAR), (min(threshold, 0.0) - _FAR, threshold)):
        at = 0.5 * (high - low) * x + 0.5 * (high + low)
        weight = w * np.exp(-0.5 * at * at)
        halves.append((at, weight / weight.sum()))
    (above, much), (below, less) = halves
    return (above[:, None] - below).ravel(), np.outer(much, less).ravel()


def area_of_correlation(rho: float, prevalence: float) -> float:
    """Return the area under the curve of a score ``rho * L + sqrt(1 - rho**2) * noise``.

    The label is whether L, a standard normal, lies in its upper ``prevalence``. Two such scores of candidates with traits
    ``l1`` and ``l0`` differ by a normal with mean ``rho * (l1 - l0)`` and variance ``2 * (1 - rho**2)``, so that the area,
    the probability that a positive outranks a negative (Bamber, J Math Psychol 12, 1975, 387-415), is the mean of a normal
    probability over both traits; Gauss-Legendre quadrature.

    Parameters
    ----------
    rho
        Correlation of score and trait, between -1 and 1.
    prevalence
        Share of positives, between 0 and 1.
    """
    from scipy.special import ndtr

    apart, weight = _pairs(prevalence)
    return float(weight @ ndtr(rho * apart / np.sqrt(2.0 * (1.0 - rho * rho))))


@functools.lru_cache(maxsize=256)
def correlation_for_area(area: float, prevalence: float) -> float:
    """Return the correlation with the trait that gives a score this area under the curve; negative below 0.5.

    Parameters
    ----------
    area
        Wanted, from 0.001 to 0.999.
    prevalence
        Share of positives, between 0 and 1.
    """
    if area == 0.5:
        return 0.0
    low, high = -1.0 + 1e-9, 1.0 - 1e-9
    for _ in range(60):
        middle = 0.5 * (low + high)
        if area_of_correlation(middle, prevalence) < area:
            low = middle
        else:
            high = middle
    return 0.5 * (low + high)
