"""Statistics of two proportions."""

from __future__ import annotations

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
        Patients and proportion of control and treatment, ``[replicate, 2]``.
    sign
        -1 where fewer are better, else 1.
    z, difference, se, information, status
        To fill, ``[replicate]``.
    """
    for k in range(len(n)):
        n0, n1 = float(max(n[k, 0], 1)), float(max(n[k, 1], 1))
        p0, p1 = mean[k, 0], mean[k, 1]
        pooled = (p0 * n0 + p1 * n1) / (n0 + n1)
        variance = pooled * (1.0 - pooled) * (1.0 / n0 + 1.0 / n1)
        empty = (n[k, 0] == 0) | (n[k, 1] == 0)
        flat = variance <= 0.0
        bad = empty | flat
        # A failed replicate is divided by 1 and then marked.
        usable = 1.0 if bad else variance
        difference[k] = np.nan if bad else p1 - p0
        z[k] = np.nan if bad else sign * (p1 - p0) / np.sqrt(usable)
        se[k] = np.nan if bad else np.sqrt(p0 * (1.0 - p0) / n0 + p1 * (1.0 - p1) / n1)
        information[k] = 0.0 if bad else 1.0 / usable
        status[k] = _EMPTY_ARM if empty else (_NO_VARIANCE if flat else _OK)
