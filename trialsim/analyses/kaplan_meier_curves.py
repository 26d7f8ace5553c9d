"""Both arms' Kaplan-Meier estimates at a time, for the analyses that compare curves."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from trialsim.analyses.outcome import estimates
from trialsim.contracts import Bools, DataCut, Estimates, Floats, Status
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


def wald_difference(curves: Curves, values: Floats, variances: Floats, lower_is_better: bool) -> Estimates:
    """Return the Wald test of treatment minus control of a quantity read from both curves.

    Parameters
    ----------
    curves
        Both arms' estimates, which tell where they cannot be compared.
    values, variances
        The quantity, in its own unit, and its variance, ``[replicate, 2]``; more of it means a lower hazard.
    lower_is_better
        Whether the tested direction is the lower hazard.
    """
    difference = values[:, 1] - values[:, 0]
    variance = variances[:, 1] + variances[:, 0]
    flat = variance <= 0.0
    se = np.sqrt(np.where(flat, 1.0, variance))
    sign = 1.0 if lower_is_better else -1.0
    failures: list[tuple[Status, object]] = [
        (Status.EMPTY_ARM, curves.empty), (Status.SHORT_FOLLOW_UP, curves.short), (Status.NO_VARIANCE, flat),
    ]  # fmt: skip
    return estimates(difference, se, sign * difference / se, 1.0 / se**2, failures)
