"""What becomes of the error where the interim look is placed by looking: at the first information at which it rejects."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import ndtri

from trialsim.stats.group_sequential.characteristics import characteristics
from trialsim.stats.group_sequential.spending import cumulative_spending

Floats = NDArray[np.float64]

TRIED = tuple(round(0.01 * k, 2) for k in range(20, 96))
"""Information rates 0.20, 0.21 to 0.95."""


def error_of_look_at_first_crossing(
    spending: str, alpha: float, rates: Sequence[float] = TRIED, parameter: object = None
) -> float:
    """Return the chance to reject without an effect where one interim is placed at the first crossing of its bound.

    The statistic is watched at each of the rates; the interim is held where it first lies beyond the bound that the
    spending function gives an interim there, at the last rate otherwise. The final bound is that of a design whose interim
    was planned at the last rate. Error spending holds the level where look times do not depend on what has been seen
    (Lan and DeMets, Biometrics 45, 1989, 1017-1020); here they do.

    Parameters
    ----------
    spending, parameter
        Name and number of a spending function.
    alpha
        One-sided level that is spent.
    rates
        At which the statistic is watched, ascending, below 1.

    Returns
    -------
    float
        By recursive integration: the chance to be beyond any of these bounds, or beyond the final one.
    """
    times = np.asarray(rates, dtype=np.float64)
    spent = [cumulative_spending(spending, parameter, alpha, np.array([time, 1.0]))[0] for time in times]
    bounds = -ndtri(np.array(spent))
    final = brentq(lambda z: _error(times[-1:], bounds[-1:], z) - alpha, 0.0, 10.0, xtol=1e-12)
    return _error(times, bounds, final)


def _error(times: Floats, bounds: Floats, final: float) -> float:
    """Return the chance to be beyond any of some bounds, or beyond the final one, without an effect."""
    upper, lower = np.append(bounds, final), np.append(np.full(len(bounds), -np.inf), final)
    return characteristics(np.append(times, 1.0), lower, upper, 0.0, False).power
