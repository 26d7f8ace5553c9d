"""The log-rank test with Fleming-Harrington weights, plain or stratified, for effects that come late or fade."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from trialsim.analyses.outcome import estimates
from trialsim.contracts import DataCut, Estimates, Floats, Ints, RiskTables, Status
from trialsim.stats.weighted_logrank import fleming_harrington_sums


class FlemingHarrington:
    """Weighted log-rank test, weights S^rho (1 - S)^gamma; estimate: a weighted one-step log hazard ratio.

    Stratified, S is that of each stratum, and scores and variances add up over the strata.

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
        """Return the test of every replicate; options ``rho``, ``gamma`` and ``strata``."""
        tables = cut.risk_tables_by_stratum() if options.get("strata") else [cut.risk_tables()]
        powers = (float(options["rho"]), float(options["gamma"]))
        parts = [_sums(table, *powers) for table in tables]
        if not parts:
            parts = [_sums(cut.risk_tables(), *powers)]
        score, variance, slope = (np.add.reduce([part[place] for part in parts]) for place in range(3))
        rows = np.add.reduce([part[3] for part in parts])
        sign = -1.0 if lower_is_better else 1.0
        nothing = rows == 0
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


def _sums(table: RiskTables, rho: float, gamma: float) -> tuple[Floats, Floats, Floats, Ints]:
    """Return score, variance, what the score gains per log hazard ratio, and event times of every replicate."""
    size = len(table.offsets) - 1
    score, variance, slope = np.zeros(size), np.zeros(size), np.zeros(size)
    fleming_harrington_sums(
        table.offsets, table.at_risk, table.at_risk_treatment, table.events, table.events_treatment, rho, gamma, score,
        variance, slope,
    )  # fmt: skip
    return score, variance, slope, np.diff(table.offsets)
