"""The log-rank test with Fleming-Harrington weights, for effects that come late or fade."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from trialsim.analyses.outcome import estimates
from trialsim.contracts import DataCut, Estimates, Status
from trialsim.stats.weighted_logrank import fleming_harrington_sums


class FlemingHarrington:
    """Weighted log-rank test, weights S^rho (1 - S)^gamma; estimate: a weighted one-step log hazard ratio.

    The estimate is the sum of w (O - E) over the sum of w v: the one-step estimate of a log hazard ratio that weighs times
    as the test does.
    """

    name = "fleming_harrington"
    endpoint_kinds = ("survival",)
    estimator = "weighted_one_step_log_hazard_ratio"
    estimand = "weighted_log_hazard_ratio"
    reference = "Harrington and Fleming 1982"
    information = "variance of the weighted score, which does not grow in proportion to events"
    increments = "independent (Tsiatis 1982), in this information, not in the fraction of events"

    def estimate(self, cut: DataCut, lower_is_better: bool, options: Mapping[str, Any]) -> Estimates:
        """Return the test of every replicate; options ``rho`` and ``gamma``."""
        table = cut.risk_tables()
        size = len(table.offsets) - 1
        score, variance, slope = np.zeros(size), np.zeros(size), np.zeros(size)
        fleming_harrington_sums(
            table.offsets,
            table.at_risk,
            table.at_risk_treatment,
            table.events,
            table.events_treatment,
            float(options["rho"]),
            float(options["gamma"]),
            score,
            variance,
            slope,
        )
        sign = -1.0 if lower_is_better else 1.0
        nothing = np.diff(table.offsets) == 0
        flat = variance <= 0.0
        root = np.sqrt(np.where(flat, 1.0, variance))
        gain = np.where(flat, 1.0, slope)
        return estimates(
            score / gain,
            root / gain,
            sign * score / root,
            variance,
            [(Status.NO_EVENTS, nothing), (Status.NO_VARIANCE, flat)],
        )
