"""Both arms' Kaplan-Meier estimates at a time, for the analyses that compare curves."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from trialsim.contracts import Bools, DataCut, Floats
from trialsim.stats.kaplan_meier import kaplan_meier


class Curves(NamedTuple):
    """Estimates ``[replicate, 2]``, control and treatment, and what keeps them from being compared, ``[replicate]``."""

    survival: Floats
    survival_variance: Floats
    mean: Floats
    mean_variance: Floats
    empty: Bools
    short: Bools


def curves_until(cut: DataCut, until: float) -> Curves:
    """Return survival at a time in days since entry, mean survival time up to it, and Greenwood's variances.

    Follow-up is too short where everybody left in an arm was censored before the time.
    """
    rows = cut.patients()
    size = len(rows.offsets) - 1
    shape = (size, 2)
    n, longest = np.zeros(shape, dtype=np.int64), np.zeros(shape)
    survival, survival_variance, mean, mean_variance = (np.zeros(shape) for _ in range(4))
    kaplan_meier(
        rows.offsets, rows.treated, rows.value, rows.event, until, n, longest, survival, survival_variance, mean,
        mean_variance,
    )  # fmt: skip
    empty, short = n.min(axis=1) == 0, longest.min(axis=1) < until
    return Curves(survival, survival_variance, mean, mean_variance, empty, short)
