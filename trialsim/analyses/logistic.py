"""Logistic regression on treatment, plain or adjusted for covariates, tested by Wald's statistic."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from trialsim.analyses.outcome import estimates
from trialsim.contracts import DataCut, Estimates, Status
from trialsim.stats.logistic import log_odds_ratios


class Logistic:
    """Maximum likelihood log odds ratio of treatment given the covariates (Cox 1958), z by Wald."""

    name = "logistic"
    endpoint_kinds = ("binary",)
    estimator = "logistic_log_odds_ratio"
    estimand = "log_odds_ratio"
    reference = "Cox 1958; separation: Albert and Anderson 1984"
    information = "1 / se^2 of the log odds ratio"
    increments = "independent asymptotically, where the model holds (Jennison and Turnbull 1997)"

    def estimate(self, cut: DataCut, lower_is_better: bool, options: Mapping[str, Any]) -> Estimates:
        """Return the fit of every replicate."""
        rows = cut.patients()
        size = len(rows.offsets) - 1
        effect, variance, empty = np.zeros(size), np.zeros(size), np.zeros(size, dtype=bool)
        log_odds_ratios(rows.offsets, rows.treated, rows.value, rows.covariates, effect, variance, empty)
        infinite = ~np.isfinite(effect) | (variance <= 0.0)
        se = np.sqrt(np.where(infinite, 1.0, variance))
        sign = -1.0 if lower_is_better else 1.0
        return estimates(
            effect,
            se,
            sign * effect / se,
            1.0 / se**2,
            [(Status.EMPTY_ARM, empty), (Status.NO_FINITE_ESTIMATE, infinite)],
        )
