"""The difference of survival at a milestone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from trialsim.analyses.kaplan_meier_curves import curves_until
from trialsim.analyses.outcome import estimates
from trialsim.contracts import DataCut, Estimates, Status


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
        difference = found.survival[:, 1] - found.survival[:, 0]
        variance = found.survival_variance[:, 1] + found.survival_variance[:, 0]
        flat = variance <= 0.0
        se = np.sqrt(np.where(flat, 1.0, variance))
        # The more live without the event, the lower its hazard.
        sign = 1.0 if lower_is_better else -1.0
        return estimates(
            difference,
            se,
            sign * difference / se,
            1.0 / se**2,
            [
                (Status.EMPTY_ARM, found.empty),
                (Status.SHORT_FOLLOW_UP, found.short),
                (Status.NO_VARIANCE, flat),
            ],
        )
