"""From a t statistic or an exact tail to the normal deviate with the same one-sided tail."""

from __future__ import annotations

import numpy as np

from trialsim.contracts import Floats


def z_of_t(t: Floats, freedom: Floats) -> Floats:
    """Return the normal deviate with the one-sided tail of a t statistic.

    Parameters
    ----------
    t, freedom
        Statistic and degrees of freedom, at least 1, ``[replicate]``.
    """
    from scipy.special import ndtri, stdtr

    tail = np.maximum(stdtr(freedom, -np.abs(t)), 1e-300)  # the lower tail keeps its digits
    return np.asarray(np.sign(t) * -ndtri(tail))


def z_of_tail(tail: Floats) -> Floats:
    """Return the normal deviate with an upper tail; one of 0 or 1 gives the farthest that float64 can tell apart."""
    from scipy.special import ndtri

    return np.asarray(-ndtri(np.clip(tail, 1e-300, 1.0 - 2.0**-53)))
