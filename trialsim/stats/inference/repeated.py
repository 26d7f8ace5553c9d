"""Repeated inference: intervals and p values that hold at every look, whether the trial stops there or not."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, ndtri

Floats = NDArray[np.float64]

_STEPS, _CLOSE = 100, 1e-11


def repeated_interval(z: ArrayLike, information: ArrayLike, bound: ArrayLike) -> tuple[Floats, Floats]:
    """Return the repeated confidence interval ``(z -+ bound) / sqrt(information)`` (Jennison and Turnbull 1989).

    Parameters
    ----------
    z
        The statistic, any shape.
    information
        1 / variance of the estimated effect.
    bound
        The efficacy bound of that look, futility not counted on: one-sided at level ``a`` for an interval of
        confidence ``1 - 2 a``, two-sided at level ``2 a`` likewise. Where it is infinite so is the interval.
    """
    centre, root = np.asarray(z, dtype=np.float64), np.sqrt(np.asarray(information, dtype=np.float64))
    width = np.asarray(bound, dtype=np.float64)
    return np.asarray((centre - width) / root), np.asarray((centre + width) / root)


def repeated_p(z: float, bound_at: Callable[[float], float], least: float, most: float) -> float:
    """Return the repeated p value: the least level at which the design rejects at this look (J&T 2000, sec. 9.4).

    Parameters
    ----------
    z
        The statistic; its absolute value where the design is two-sided.
    bound_at
        The efficacy bound of this look of the same family of designs at any level; never rises with it.
    least, most
        Levels to search between; the nearer end where the p value lies beyond.
    """
    low, high = float(ndtri(least)), float(ndtri(most))
    value_low, value_high = bound_at(least) - z, bound_at(most) - z
    if value_low <= 0.0:
        return least
    if value_high >= 0.0:
        return most
    for step in range(_STEPS):
        middle = 0.5 * (low + high)
        if math.isfinite(value_low) and step % 3 != 2:  # every third step halves, lest one end stays for ever
            middle = low + (high - low) * value_low / (value_low - value_high)
        value = bound_at(float(ndtr(middle))) - z
        if value > 0.0:
            low, value_low = middle, value
        else:
            high, value_high = middle, value
        if abs(value) <= _CLOSE or high - low <= _CLOSE:
            break
    return float(ndtr(middle))
