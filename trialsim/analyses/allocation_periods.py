"""Tests of two proportions that allow for allocation that changed as the trial went on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from trialsim.analyses.cochran_mantel_haenszel import CochranMantelHaenszel, stratified
from trialsim.analyses.outcome import estimates
from trialsim.contracts import DataCut, Estimates, Status
from trialsim.stats.inverse_probability import weighted_difference


class CmhByPeriod:
    """Cochran-Mantel-Haenszel test stratified by allocation period: the time between changes of allocation weights.

    Within a period allocation is as in a trial with fixed shares, so that a drift of the outcome does not bias the test.
    """

    name = "cmh_by_period"
    endpoint_kinds = ("binary",)
    estimator = "mantel_haenszel_risk_difference"
    estimand = "risk_difference"
    reference = "Mantel and Haenszel 1959; by block: Jennison and Turnbull 2000, ch. 17; Villar, Bowden and Wason 2018"
    information = CochranMantelHaenszel.information
    increments = "independent asymptotically within periods; weights depend on earlier outcomes"

    def estimate(self, cut: DataCut, lower_is_better: bool, options: Mapping[str, Any]) -> Estimates:
        """Return the test of every replicate."""
        return stratified(replace(cut.patients(), stratum=cut.allocations().period), lower_is_better)


class InverseProbabilityWeighted:
    """Difference of proportions, each outcome weighted by the inverse of the probability of the arm that was given.

    The weighted means are Hajek's; the variance is that of their influence functions. Weights must be known, as they are
    here, and not small: arms that were hardly ever given make it large.
    """

    name = "inverse_probability_weighted"
    endpoint_kinds = ("binary",)
    estimator = "weighted_difference_in_proportions"
    estimand = "risk_difference"
    reference = "Horvitz and Thompson 1952; Hajek 1971; Bowden and Trippa 2017"
    information = "1 / se^2, from the weighted residuals"
    increments = "independent asymptotically"

    def estimate(self, cut: DataCut, lower_is_better: bool, options: Mapping[str, Any]) -> Estimates:
        """Return the test of every replicate."""
        rows = cut.patients()
        size = len(rows.offsets) - 1
        difference, variance, empty = np.zeros(size), np.zeros(size), np.zeros(size, dtype=bool)
        weighted_difference(
            rows.offsets, rows.treated, rows.value, cut.allocations().chance, difference, variance, empty
        )
        flat = variance <= 0.0
        se = np.sqrt(np.where(flat, 1.0, variance))
        sign = -1.0 if lower_is_better else 1.0
        return estimates(
            difference,
            se,
            sign * difference / se,
            1.0 / se**2,
            [(Status.EMPTY_ARM, empty), (Status.NO_VARIANCE, flat)],
        )
