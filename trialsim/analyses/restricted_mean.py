"""The difference of restricted mean survival times."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trialsim.analyses.kaplan_meier_curves import curves_until, wald_difference
from trialsim.contracts import DataCut, Estimates


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
        return wald_difference(found, found.mean, found.mean_variance, lower_is_better)
