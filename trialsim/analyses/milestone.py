"""The difference of survival at a milestone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trialsim.analyses.kaplan_meier_curves import curves_until, wald_difference
from trialsim.contracts import DataCut, Estimates


class Milestone:
    """Difference of the Kaplan-Meier estimates at a time, Greenwood's variance; z by Wald."""

    name = "milestone"
    endpoint_kinds = ("survival",)
    estimator = "difference_in_kaplan_meier_estimates"
    estimand = "difference_in_survival"
    reference = "Kaplan and Meier 1958; Klein, Logan, Harhoff and Andersen 2007 (the untransformed test)"
    information = "1 / se^2 of the difference"
    increments = "independent asymptotically (Jennison and Turnbull 1985)"

    def estimate(self, cut: DataCut, lower_is_better: bool, options: Mapping[str, Any]) -> Estimates:
        """Return the test of every replicate; option ``at`` in days."""
        found = curves_until(cut, float(options["at"]))
        return wald_difference(found, found.survival, found.survival_variance, lower_is_better)
