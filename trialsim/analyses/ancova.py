"""Analysis of covariance, with chosen covariates or with a prognostic score."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from trialsim.analyses.equivalent_z import z_of_t
from trialsim.analyses.outcome import estimates
from trialsim.contracts import DataCut, Estimates, Status
from trialsim.stats.covariance_analysis import adjusted_difference


def _adjusted(cut: DataCut, lower_is_better: bool) -> Estimates:
    """Return the difference of means adjusted for the covariates of the cut, its t reported as an equivalent z."""
    rows = cut.patients()
    size = len(rows.offsets) - 1
    difference, variance, freedom = np.zeros(size), np.zeros(size), np.zeros(size)
    empty = np.zeros(size, dtype=bool)
    adjusted_difference(
        rows.offsets, rows.treated, rows.value, rows.covariates, difference, variance, freedom, empty
    )
    unknown, flat = ~np.isfinite(difference), variance <= 0.0
    se = np.sqrt(np.where(flat, 1.0, variance))
    z = z_of_t(np.where(unknown, 0.0, difference) / se, np.maximum(freedom, 1.0))
    sign = -1.0 if lower_is_better else 1.0
    return estimates(
        difference,
        se,
        sign * z,
        1.0 / se**2,
        [(Status.EMPTY_ARM, empty), (Status.NO_FINITE_ESTIMATE, unknown), (Status.NO_VARIANCE, flat)],
    )


class Ancova:
    """Analysis of covariance: the difference of means adjusted for covariates by least squares, t as an equivalent z."""

    name = "ancova"
    endpoint_kinds = ("continuous",)
    estimator = "adjusted_difference_in_means"
    estimand = "difference_in_means"
    reference = "Fisher 1932; unbiased in randomised trials whatever the model: Yang and Tsiatis 2001"
    information = "1 / se^2, from the residual variance at the look"
    increments = "independent where the linear model holds (Jennison and Turnbull 1997)"

    def estimate(self, cut: DataCut, lower_is_better: bool, options: Mapping[str, Any]) -> Estimates:
        """Return the test of every replicate."""
        return _adjusted(cut, lower_is_better)


class Procova:
    """Analysis of covariance with a prognostic score made before the trial, otherwise as ancova."""

    name = "procova"
    endpoint_kinds = ("continuous",)
    estimator = "adjusted_difference_in_means"
    estimand = "difference_in_means"
    reference = "Schuler et al. 2022"
    information = "1 / se^2, from the residual variance at the look"
    increments = "independent where the linear model holds (Jennison and Turnbull 1997)"

    def estimate(self, cut: DataCut, lower_is_better: bool, options: Mapping[str, Any]) -> Estimates:
        """Return the test of every replicate; the score stands among the covariates of the cut."""
        return _adjusted(cut, lower_is_better)
