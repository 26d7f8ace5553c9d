"""Re-randomisation tests: what happened among all that the rule of allocation could have done to the same patients."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from trialsim.analyses.equivalent_z import z_of_tail
from trialsim.analyses.logrank import Logrank
from trialsim.analyses.means import TTest
from trialsim.analyses.score_test import ScoreTest
from trialsim.contracts import DataCut, Estimates, Status
from trialsim.stats.rerandomisation import logrank_scores, rerandomisation_tail

_INCREMENTS = "z is that of a p-value; independent asymptotically where those of the plain test are"


def _rerandomised(
    found: Estimates, survival: bool, cut: DataCut, lower_is_better: bool, options: Mapping[str, Any]
) -> Estimates:
    """Return a plain analysis' estimates with z replaced by that of the re-randomisation test's p-value."""
    rows, sign = cut.patients(), -1.0 if lower_is_better else 1.0
    tail = np.full(len(found.z), np.nan)
    for r, redrawn in enumerate(cut.redrawn(int(options["draws"]))):
        if found.status[r] != Status.OK:
            continue
        here = slice(rows.offsets[r], rows.offsets[r + 1])
        scores = rows.value[here].copy()
        if survival:
            logrank_scores(rows.value[here], rows.event[here], scores)
        tail[r] = rerandomisation_tail(scores, rows.treated[here], redrawn, sign)
    failed = np.isnan(tail)
    return replace(found, z=np.where(failed, np.nan, z_of_tail(np.where(failed, 0.5, tail))))


class RerandomisedLogrank:
    """Re-randomisation test of log-rank scores, its one-sided p-value as an equivalent z; estimate as of logrank."""

    name = "rerandomised_logrank"
    costly = True
    endpoint_kinds = ("survival",)
    estimator = "peto_log_hazard_ratio"
    estimand = "log_hazard_ratio"
    reference = "Rosenberger and Lachin 2016; scores: Peto and Peto 1972"
    information = Logrank.information
    increments = _INCREMENTS

    def estimate(self, cut: DataCut, lower_is_better: bool, options: Mapping[str, Any]) -> Estimates:
        """Return the test of every replicate; option ``draws``."""
        return _rerandomised(
            Logrank().estimate(cut, lower_is_better, {}), True, cut, lower_is_better, options
        )


class RerandomisedMeans:
    """Re-randomisation test of the difference of means, its p-value as an equivalent z; estimate as of t_test."""

    name = "rerandomised_means"
    costly = True
    endpoint_kinds = ("continuous",)
    estimator = "difference_in_means"
    estimand = "difference_in_means"
    reference = "Fisher 1935; Rosenberger and Lachin 2016"
    information = TTest.information
    increments = _INCREMENTS

    def estimate(self, cut: DataCut, lower_is_better: bool, options: Mapping[str, Any]) -> Estimates:
        """Return the test of every replicate; option ``draws``."""
        return _rerandomised(TTest().estimate(cut, lower_is_better, {}), False, cut, lower_is_better, options)


class RerandomisedProportions:
    """Re-randomisation test of the difference of proportions, its p-value as an equivalent z; estimate as of score_test."""

    name = "rerandomised_proportions"
    costly = True
    endpoint_kinds = ("binary",)
    estimator = "difference_in_proportions"
    estimand = "risk_difference"
    reference = "Fisher 1935; Rosenberger and Lachin 2016"
    information = ScoreTest.information
    increments = _INCREMENTS

    def estimate(self, cut: DataCut, lower_is_better: bool, options: Mapping[str, Any]) -> Estimates:
        """Return the test of every replicate; option ``draws``."""
        return _rerandomised(
            ScoreTest().estimate(cut, lower_is_better, {}), False, cut, lower_is_better, options
        )
