"""The log-rank test, plain or stratified, with Peto's one-step estimate of the log hazard ratio."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from trialsim.analyses.outcome import estimates
from trialsim.contracts import DataCut, Estimates, Status
from trialsim.stats.survival import logrank_sums


class Logrank:
    """Log-rank test (Mantel 1966); estimate (O - E) / V (Yusuf, Peto et al., Prog. Cardiovasc. Dis. 27, 1985, 335-371)."""

    name = "logrank"
    endpoint_kinds = ("survival",)
    estimator = "peto_log_hazard_ratio"
    estimand = "log_hazard_ratio"
    reference = "Mantel 1966; Peto one-step estimate: Yusuf et al. 1985"
    information = "hypergeometric variance of the score, near events / 4 while both arms have as many at risk"
    increments = "independent asymptotically (Tsiatis 1982)"

    def estimate(self, cut: DataCut, lower_is_better: bool, options: Mapping[str, Any]) -> Estimates:
        """Return the test of every replicate; the information is the variance of the score."""
        table = cut.risk_tables()
        size = len(table.offsets) - 1
        score, variance = np.zeros(size), np.zeros(size)
        logrank_sums(
            table.offsets,
            table.at_risk,
            table.at_risk_treatment,
            table.events,
            table.events_treatment,
            score,
            variance,
        )
        sign = -1.0 if lower_is_better else 1.0
        nothing = np.diff(table.offsets) == 0
        flat = variance <= 0.0
        root = np.sqrt(np.where(flat, 1.0, variance))
        return estimates(
            score / np.where(flat, 1.0, variance),
            1.0 / root,
            sign * score / root,
            variance,
            [(Status.NO_EVENTS, nothing), (Status.NO_VARIANCE, flat)],
        )
