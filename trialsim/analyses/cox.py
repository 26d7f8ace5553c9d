"""The Cox model with treatment as its covariate, plain or stratified, tested by Wald's statistic."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from trialsim.analyses.outcome import estimates
from trialsim.contracts import DataCut, Estimates, Status
from trialsim.stats.survival import cox_fit


class Cox:
    """Maximum partial likelihood log hazard ratio (Cox 1972), ties by Efron (1977), z by Wald."""

    name = "cox"
    endpoint_kinds = ("survival",)
    estimator = "cox_log_hazard_ratio"
    estimand = "log_hazard_ratio"
    reference = "Cox 1972; ties: Efron 1977"

    def estimate(self, cut: DataCut, lower_is_better: bool, options: Mapping[str, Any]) -> Estimates:
        """Return the fit of every replicate."""
        table = cut.risk_tables()
        size = len(table.offsets) - 1
        effect, information = np.zeros(size), np.zeros(size)
        cox_fit(
            table.offsets,
            table.at_risk,
            table.at_risk_treatment,
            table.events,
            table.events_treatment,
            effect,
            information,
        )
        nothing = np.diff(table.offsets) == 0
        infinite = ~np.isfinite(effect) | (information <= 0.0)
        root = np.sqrt(np.where(infinite, 1.0, information))
        sign = -1.0 if lower_is_better else 1.0
        return estimates(
            effect,
            1.0 / root,
            sign * effect * root,
            information,
            [(Status.NO_EVENTS, nothing), (Status.NO_FINITE_ESTIMATE, infinite)],
        )
