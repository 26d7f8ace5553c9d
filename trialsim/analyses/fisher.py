"""Fisher's exact test of two proportions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from trialsim.analyses.equivalent_z import z_of_tail
from trialsim.analyses.outcome import estimates
from trialsim.analyses.two_proportions import proportions_of
from trialsim.contracts import DataCut, Estimates, Status
from trialsim.stats.two_by_two import fisher_upper_tail


class Fisher:
    """Fisher's exact test, its one-sided p-value in the direction of benefit reported as an equivalent z.

    The p-value counts the observed table, so that z falls below that of the score test, and exchanging the arms does not
    just turn its sign. The standard error beside the estimate is Wald's.
    """

    name = "fisher"
    endpoint_kinds = ("binary",)
    estimator = "difference_in_proportions"
    estimand = "risk_difference"
    reference = "Fisher 1935; z by equal tail probability"
    information = "1 / pooled variance of the difference"
    increments = "nearly independent for large samples; discrete and conservative for small ones"

    def estimate(self, cut: DataCut, lower_is_better: bool, options: Mapping[str, Any]) -> Estimates:
        """Return the test of every replicate."""
        p = proportions_of(cut)
        x1, n1, x0, n0 = (
            each.astype(np.int64) for each in (p.successes, p.n, p.successes_control, p.n_control)
        )
        tail = np.zeros(len(p.n))
        if lower_is_better:
            fisher_upper_tail(x0, n0, x1, n1, tail)
        else:
            fisher_upper_tail(x1, n1, x0, n0, tail)
        flat = p.pooled_variance <= 0.0
        return estimates(
            p.difference,
            p.se,
            z_of_tail(tail),
            1.0 / np.where(flat, 1.0, p.pooled_variance),
            [(Status.EMPTY_ARM, p.empty), (Status.NO_VARIANCE, flat)],
        )
