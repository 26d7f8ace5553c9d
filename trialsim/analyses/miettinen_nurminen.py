"""The score test of Miettinen and Nurminen that two proportions differ by a margin."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from trialsim.analyses.outcome import estimates
from trialsim.analyses.two_proportions import proportions_of
from trialsim.contracts import DataCut, Estimates, Status
from trialsim.stats.two_by_two import miettinen_nurminen_variance


class MiettinenNurminen:
    """Score test of a difference of proportions against a margin, whose inversion is Miettinen and Nurminen's interval.

    The effect is the difference; z says how far it is from the margin. A margin below 0 is one of non-inferiority where
    higher is better, a margin above 0 where lower is. The standard error beside the estimate is Wald's.
    """

    name = "miettinen_nurminen"
    endpoint_kinds = ("binary",)
    estimator = "difference_in_proportions"
    estimand = "risk_difference"
    reference = "Miettinen and Nurminen 1985"
    information = "1 / variance of the difference were it at the margin"
    increments = "independent asymptotically, at the margin"

    def estimate(self, cut: DataCut, lower_is_better: bool, options: Mapping[str, Any]) -> Estimates:
        """Return the test of every replicate; option ``margin``."""
        p, margin = proportions_of(cut), float(options.get("margin", 0.0))
        variance = np.zeros(len(p.n))
        miettinen_nurminen_variance(p.successes, p.n, p.successes_control, p.n_control, margin, variance)
        flat = variance <= 1e-14  # rounding leaves as much of a rate of 0 or 1
        usable = np.where(flat, 1.0, variance)
        sign = -1.0 if lower_is_better else 1.0
        return estimates(
            p.difference,
            p.se,
            sign * (p.difference - margin) / np.sqrt(usable),
            1.0 / usable,
            [(Status.EMPTY_ARM, p.empty), (Status.NO_VARIANCE, flat)],
        )
