"""Bounds on the scales that people read: nominal p value, effect, conditional power."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

Floats = NDArray[np.float64]


def nominal_p(z: Floats, sides: int) -> Floats:
    """Return the p value of a statistic taken alone, one- or two-sided as the test is."""
    return np.asarray(ndtr(-z) if sides == 1 else 2.0 * ndtr(-np.abs(z)))


def effect_estimate(z: Floats, information: Floats) -> Floats:
    """Return the effect that is estimated where the statistic is ``z``: ``z / sqrt(information)``."""
    return np.asarray(z / np.sqrt(information))


def conditional_power(z: Floats, rates: Floats, last_bound: float, drift: float | None) -> Floats:
    """Return the chance that the last statistic reaches its bound, given the present one.

    Lan, Simon and Halperin (1982); Jennison and Turnbull (2000), sec. 10.2. Looks in between are passed over.

    Parameters
    ----------
    z
        The statistic at each look, shape ``[look]``.
    rates
        Information rates; the last is that of the last look.
    last_bound
        Efficacy bound of the last look.
    drift
        Mean of the statistic at rate 1; None for the trend at each look, ``z / sqrt(t)``.

    Returns
    -------
    Floats
        By look; not a number at the last look, and 0 or 1 where ``z`` is infinite.
    """
    here, left = np.sqrt(rates[:-1]), rates[-1] - rates[:-1]
    score = z[:-1] * here
    ahead = drift if drift is not None else z[:-1] / here
    with np.errstate(
        invalid="ignore"
    ):  # from a bound that is infinite to another that is, nothing is defined
        found = ndtr((score + ahead * left - last_bound * np.sqrt(rates[-1])) / np.sqrt(left))
    return np.append(found, np.nan)
