"""Statistics of two proportions."""

from __future__ import annotations

import math

import numpy as np

from trialsim.compiled import kernel
from trialsim.contracts import Status

_OK, _EMPTY_ARM, _NO_VARIANCE = (
    np.int8(status) for status in (Status.OK, Status.EMPTY_ARM, Status.NO_VARIANCE)
)


@kernel
def score_statistics(n, mean, sign, z, difference, se, information, status):  # type: ignore[no-untyped-def]
    """Fill the score test of two proportions for each replicate.

    Its square is Pearson's chi-square (Pearson, Phil. Mag. 50, 1900, 157-175). The standard error is the unpooled one
    (Wald). Where an arm is empty or nothing varies there are NaN, no information and a status.

    Parameters
    ----------
    n, mean
        Patients and proportion of control and treatment, ``[2, replicate]``.
    sign
        -1 where fewer are better, else 1.
    z, difference, se, information, status
        To fill, ``[replicate]``.
    """
    # One loop a result, so that each has few arrays and is worked on in vectors. The variance stands in the place of the
    # information, and is 0 in a failed replicate.
    variance = information
    for k in range(len(z)):
        n0, n1 = float(max(n[0, k], 1)), float(max(n[1, k], 1))
        pooled = (mean[0, k] * n0 + mean[1, k] * n1) / (n0 + n1)
        found = pooled * (1.0 - pooled) * (1.0 / n0 + 1.0 / n1)
        empty = (n[0, k] == 0) | (n[1, k] == 0)
        variance[k] = 0.0 if empty else found
    for k in range(len(z)):
        empty = (n[0, k] == 0) | (n[1, k] == 0)
        status[k] = _EMPTY_ARM if empty else (_NO_VARIANCE if variance[k] <= 0.0 else _OK)
    for k in range(len(z)):
        difference[k] = mean[1, k] - mean[0, k] if variance[k] > 0.0 else np.nan
    for k in range(len(z)):
        root = math.sqrt(variance[k] if variance[k] > 0.0 else 1.0)
        z[k] = sign * difference[k] / root
    for k in range(len(z)):
        n0, n1 = float(max(n[0, k], 1)), float(max(n[1, k], 1))
        p0, p1 = mean[0, k], mean[1, k]
        unpooled = p0 * (1.0 - p0) / n0 + p1 * (1.0 - p1) / n1
        se[k] = math.sqrt(unpooled) if variance[k] > 0.0 else np.nan
    for k in range(len(z)):
        information[k] = 1.0 / variance[k] if variance[k] > 0.0 else 0.0
