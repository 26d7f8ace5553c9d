"""The difference of restricted mean survival times."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from trialsim.analyses.kaplan_meier_curves import curves_until
from trialsim.analyses.outcome import estimates
from trialsim.contracts import DataCut, Estimates, Status


class RestrictedMean:
    """Difference of the areas under the Kaplan-Meier curves up to a time, in days; z by Wald."""

    name = "restricted_mean"
    endpoint_kinds = ("survival",)
    estimator = "difference_in_restricted_means"
    estimand = "difference_in_restricted_means"
    reference = "Royston and Parmar 2013; variance: Greenwood"
    information = "1 / se^2 of the difference"
    increments = (
        "independent asymptotically, up_to being the same at all looks (Scharfstein, Tsiatis and Robins 1997)"
    )

    def estimate(self, cut: DataCut, lower_is_better: bool, options: Mapping[str, Any]) -> Estimates:
        """Return the test of every replicate; option ``up_to`` in days."""
        found = curves_until(cut, float(options["up_to"]))
        difference = found.mean[:, 1] - found.mean[:, 0]
        variance = found.mean_variance[:, 1] + found.mean_variance[:, 0]
        flat = variance <= 0.0
        se = np.sqrt(np.where(flat, 1.0, variance))
        # The longer one lives without the event, the lower its hazard.
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
