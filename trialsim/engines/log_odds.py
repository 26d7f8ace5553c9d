"""The scale of log odds, and the intercept on it at which an average over patients is what it shall be."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_USUAL = 40.0


def logit(p: float) -> float:
    """Return the log odds of a probability."""
    return float(np.log(p / (1.0 - p)))


def inverse_logit(log_odds: Floats) -> Floats:
    """Return the probabilities of log odds; far out they are 0 or 1."""
    with np.errstate(over="ignore"):
        return np.asarray(1.0 / (1.0 + np.exp(-log_odds)))


def root(function: Callable[[float], float]) -> float:
    """Return the root of an increasing function by bisection, to the last bit.

    Parameters
    ----------
    function
        Below zero far to the left and above it far to the right. Log odds are mostly within 40 of zero; where covariates
        are not centred the root lies farther out, and the search begins on a wider range.
    """
    low, high = -_USUAL, _USUAL
    while function(low) > 0.0 and math.isfinite(2.0 * low):
        low *= 2.0
    while function(high) < 0.0 and math.isfinite(2.0 * high):
        high *= 2.0
    for _ in range(200):
        middle = 0.5 * (low + high)
        if middle in (low, high):
            break
        if function(middle) < 0.0:
            low = middle
        else:
            high = middle
    return 0.5 * (low + high)
