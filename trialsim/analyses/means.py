"""Tests of a difference in means: t with the pooled variance, z with a known one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from trialsim.analyses.outcome import estimates
from trialsim.contracts import DataCut, Estimates, Floats, Status, any_of, sum_of


def _difference(cut: DataCut) -> tuple[Floats, Floats, Floats, Floats, object]:
    """Return the difference of means, 1/n0 + 1/n1, degrees of freedom, pooled squares and where an arm is empty."""
    m = cut.moments()
    empty = any_of(m.n == 0)
    n = np.maximum(m.n, 1).astype(np.float64)
    difference = m.mean[:, 1] - m.mean[:, 0]
    return difference, 1.0 / n[:, 0] + 1.0 / n[:, 1], sum_of(n) - 2.0, sum_of(m.squares), empty


class TTest:
    """Two-sample t test with pooled variance (Student, Biometrika 6, 1908, 1-25), reported as an equivalent z.

    The t statistic is turned into the normal deviate with the same one-sided tail, so that bounds on the z scale hold
    their level exactly in a fixed design.
    """

    name = "t_test"
    endpoint_kinds = ("continuous",)
    estimator = "difference_in_means"
    estimand = "difference_in_means"
    reference = "Student 1908; z by equal tail probability"

    def estimate(self, cut: DataCut, lower_is_better: bool, options: Mapping[str, Any]) -> Estimates:
        """Return the test of every replicate."""
        from scipy.special import ndtri, stdtr

        difference, spread, freedom, squares, empty = _difference(cut)
        usable = np.maximum(freedom, 1.0)
        variance = squares / usable
        flat = (variance <= 0.0) | (freedom < 1.0)
        se = np.sqrt(np.where(flat, 1.0, variance) * spread)
        t = difference / se
        tail = np.maximum(stdtr(usable, -np.abs(t)), 1e-300)  # the lower tail keeps its digits
        z = np.sign(t) * -ndtri(tail)
        sign = -1.0 if lower_is_better else 1.0
        return estimates(
            difference, se, sign * z, 1.0 / se**2, [(Status.EMPTY_ARM, empty), (Status.NO_VARIANCE, flat)]
        )


class ZTest:
    """Two-sample z test with a known standard deviation, option ``sd``."""

    name = "z_test"
    endpoint_kinds = ("continuous",)
    estimator = "difference_in_means"
    estimand = "difference_in_means"
    reference = "normal theory with known variance"

    def estimate(self, cut: DataCut, lower_is_better: bool, options: Mapping[str, Any]) -> Estimates:
        """Return the test of every replicate."""
        difference, spread, _, _, empty = _difference(cut)
        se = float(options["sd"]) * np.sqrt(spread)
        sign = -1.0 if lower_is_better else 1.0
        return estimates(difference, se, sign * difference / se, 1.0 / se**2, [(Status.EMPTY_ARM, empty)])
