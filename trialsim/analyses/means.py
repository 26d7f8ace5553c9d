"""Tests of a difference in means: t with the pooled variance, Welch's, z with a known one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from trialsim.analyses.equivalent_z import z_of_t
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
    information = "1 / se^2, from the pooled variance at the look"
    increments = "independent asymptotically (Jennison and Turnbull 1997)"

    def estimate(self, cut: DataCut, lower_is_better: bool, options: Mapping[str, Any]) -> Estimates:
        """Return the test of every replicate."""
        difference, spread, freedom, squares, empty = _difference(cut)
        usable = np.maximum(freedom, 1.0)
        variance = squares / usable
        flat = (variance <= 0.0) | (freedom < 1.0)
        se = np.sqrt(np.where(flat, 1.0, variance) * spread)
        z = z_of_t(difference / se, usable)
        sign = -1.0 if lower_is_better else 1.0
        return estimates(
            difference, se, sign * z, 1.0 / se**2, [(Status.EMPTY_ARM, empty), (Status.NO_VARIANCE, flat)]
        )


class Welch:
    """Two-sample t test with unequal variances and Satterthwaite's degrees of freedom, reported as an equivalent z."""

    name = "welch"
    endpoint_kinds = ("continuous",)
    estimator = "difference_in_means"
    estimand = "difference_in_means"
    reference = "Welch 1938; Satterthwaite 1946; z by equal tail probability"
    information = "1 / se^2, from both variances at the look"
    increments = "independent asymptotically (Jennison and Turnbull 1997)"

    def estimate(self, cut: DataCut, lower_is_better: bool, options: Mapping[str, Any]) -> Estimates:
        """Return the test of every replicate."""
        m = cut.moments()
        empty, single = any_of(m.n == 0), any_of(m.n < 2)
        part = m.squares / np.maximum(m.n - 1, 1) / np.maximum(m.n, 1)
        variance = sum_of(part)
        flat = single | (variance <= 0.0)
        usable = np.where(flat, 1.0, variance)
        spread = sum_of(part * part / np.maximum(m.n - 1, 1))
        freedom = np.where(flat, 1.0, usable * usable / np.where(flat, 1.0, spread))
        difference, se = m.mean[:, 1] - m.mean[:, 0], np.sqrt(usable)
        sign = -1.0 if lower_is_better else 1.0
        return estimates(
            difference,
            se,
            sign * z_of_t(difference / se, freedom),
            1.0 / usable,
            [(Status.EMPTY_ARM, empty), (Status.NO_VARIANCE, flat)],
        )


class ZTest:
    """Two-sample z test with a known standard deviation, the option sd."""

    name = "z_test"
    endpoint_kinds = ("continuous",)
    estimator = "difference_in_means"
    estimand = "difference_in_means"
    reference = "normal theory with known variance"
    uses_spread = False
    information = "1 / se^2, known from the numbers of patients"
    increments = "independent"

    def estimate(self, cut: DataCut, lower_is_better: bool, options: Mapping[str, Any]) -> Estimates:
        """Return the test of every replicate."""
        m = cut.moments()
        empty = any_of(m.n == 0)
        n = np.maximum(m.n, 1).astype(np.float64)
        difference = m.mean[:, 1] - m.mean[:, 0]
        se = float(options["sd"]) * np.sqrt(1.0 / n[:, 0] + 1.0 / n[:, 1])
        sign = -1.0 if lower_is_better else 1.0
        return estimates(difference, se, sign * difference / se, 1.0 / se**2, [(Status.EMPTY_ARM, empty)])
