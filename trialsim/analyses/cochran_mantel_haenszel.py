"""The Cochran-Mantel-Haenszel test of two proportions within strata."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from trialsim.analyses.outcome import estimates
from trialsim.contracts import DataCut, Estimates, PatientRows, Status
from trialsim.stats.mantel_haenszel import mantel_haenszel


def stratified(rows: PatientRows, lower_is_better: bool) -> Estimates:
    """Return the test of patients within the strata that their rows name."""
    size = len(rows.offsets) - 1
    score, variance, difference, spread, weight = (np.zeros(size) for _ in range(5))
    mantel_haenszel(
        rows.offsets, rows.treated, rows.stratum, rows.value, score, variance, difference, spread, weight
    )
    flat = variance <= 0.0
    sign = -1.0 if lower_is_better else 1.0
    return estimates(
        difference,
        np.sqrt(np.maximum(spread, 0.0)),
        sign * score / np.sqrt(np.where(flat, 1.0, variance)),
        variance,
        [(Status.EMPTY_ARM, weight <= 0.0), (Status.NO_VARIANCE, flat)],
    )


class CochranMantelHaenszel:
    """Cochran-Mantel-Haenszel test without continuity correction; estimate: the Mantel-Haenszel risk difference."""

    name = "cochran_mantel_haenszel"
    endpoint_kinds = ("binary",)
    estimator = "mantel_haenszel_risk_difference"
    estimand = "risk_difference"
    reference = "Mantel and Haenszel 1959; difference: Greenland and Robins 1985, variance: Sato et al. 1989"
    information = "variance of the test's score"
    increments = "independent asymptotically, where the difference is the same in all strata"

    def estimate(self, cut: DataCut, lower_is_better: bool, options: Mapping[str, Any]) -> Estimates:
        """Return the test of every replicate."""
        return stratified(cut.patients(), lower_is_better)
