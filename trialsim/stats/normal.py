"""The standard normal law: tail probabilities and quantiles."""

from __future__ import annotations


def upper_tail(z: float) -> float:
    """Return the probability that a standard normal exceeds ``z``."""
    from scipy.special import ndtr

    return float(ndtr(-z))


def upper_quantile(probability: float) -> float:
    """Return the point that a standard normal exceeds with this probability."""
    from scipy.special import ndtri

    return float(-ndtri(probability))
