"""The score test for two proportions: the difference over its standard error under equality."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from trialsim.analyses.outcome import estimates
from trialsim.contracts import DataCut, Estimates, Status, any_of


class ScoreTest:
    """Score test with pooled variance, whose square is Pearson's chi-square (Pearson, Phil. Mag. 50, 1900, 157-175).

    The standard error beside the estimate is the unpooled one (Wald), as an interval for the difference wants it.
    """

    name = "score_test"
    endpoint_kinds = ("binary",)
    estimator = "difference_in_proportions"
    estimand = "risk_difference"
    reference = "Pearson 1900 (pooled variance)"
    information = "1 / pooled variance of the difference"
    increments = "independent asymptotically"

    def estimate(self, cut: DataCut, lower_is_better: bool, options: Mapping[str, Any]) -> Estimates:
        """Return the test of every replicate."""
        m = cut.moments()
        empty = any_of(m.n == 0)
        n0, n1 = np.maximum(m.n[:, 0], 1).astype(np.float64), np.maximum(m.n[:, 1], 1).astype(np.float64)
        p0, p1 = m.mean[:, 0], m.mean[:, 1]
        pooled = (p0 * n0 + p1 * n1) / (n0 + n1)
        variance = pooled * (1.0 - pooled) * (1.0 / n0 + 1.0 / n1)
        flat = variance <= 0.0
        usable = np.where(flat, 1.0, variance) if flat.any() else variance
        root = np.sqrt(usable)
        difference = p1 - p0
        se = np.sqrt(p0 * (1.0 - p0) / n0 + p1 * (1.0 - p1) / n1)
        sign = -1.0 if lower_is_better else 1.0
        return estimates(
            difference,
            se,
            sign * difference / root,
            1.0 / usable,
            [(Status.EMPTY_ARM, empty), (Status.NO_VARIANCE, flat)],
        )
