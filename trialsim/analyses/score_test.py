"""The score test for two proportions: the difference over its standard error under equality."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from trialsim.contracts import DataCut, Estimates
from trialsim.stats.proportions import score_statistics


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
        z, difference, se, information = (np.empty(len(m.n)) for _ in range(4))
        status = np.empty(len(m.n), dtype=np.int8)
        sign = -1.0 if lower_is_better else 1.0
        n, mean = np.ascontiguousarray(m.n.T), np.ascontiguousarray(m.mean.T)
        score_statistics(n, mean, sign, z, difference, se, information, status)
        return Estimates(difference, se, z, information, status)
