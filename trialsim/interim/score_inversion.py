"""Limits of a difference of proportions by inversion of its score test, whose variance goes with the difference tested.

Miettinen and Nurminen (1985): a difference is within the limits where the test that it is the true one does not reject.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from trialsim.interim.data_file import TrialData
from trialsim.stats.two_by_two import miettinen_nurminen_variance

_HALVINGS = 60
_LEAST = 1e-20  # a variance of nothing; rates of 0 and 1 leave none


def score_information(data: TrialData) -> Callable[[float], float]:
    """Return 1 / variance of the difference of rates as a function of what the difference is taken to be.

    Parameters
    ----------
    data
        Patients of two arms with outcomes of 0 and 1.
    """
    arms = [data.outcome[data.treated == place] for place in (True, False)]
    (x1, n1), (x0, n0) = ((np.array([float(arm.sum())]), np.array([float(len(arm))])) for arm in arms)

    def information(difference: float) -> float:
        variance = np.zeros(1)
        miettinen_nurminen_variance(x1, n1, x0, n0, difference, variance)
        return 1.0 / max(float(variance[0]), _LEAST)

    return information


def own_limit(limit: Callable[[float], float]) -> float:
    """Return the difference of rates that is the limit found at its own variance.

    Parameters
    ----------
    limit
        The limit found with the variance of a difference; above that difference where it is below the one sought.
    """
    low, high = -1.0, 1.0
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        if limit(middle) > middle:
            low = middle
        else:
            high = middle
    return 0.5 * (low + high)
