"""How far the mix of those enrolled is from that of those who could have been."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def distance(shares: Floats, pool: Floats) -> Floats:
    """Return half the sum of the absolute differences of shares: the part that would have to be another group's.

    Parameters
    ----------
    shares
        Of the enrolled by level, ``[trial, level]``.
    pool
        Of the eligible, ``[level]`` or ``[trial, level]``.
    """
    return np.asarray(0.5 * np.abs(shares - pool).sum(axis=-1))
