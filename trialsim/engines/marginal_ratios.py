"""Marginal hazard ratios: which of them conditional ones can give, and the conditional one that gives each.

A marginal ratio maximises the partial likelihood of treatment alone, which knows the order of events only. Where an event
of a treated patient comes earlier, or one of a control patient later, its score grows at every ratio, and so does the
ratio. It therefore grows with the conditional one, and it lies between those of patients in groups, where each has the
latest or the earliest event of the group's.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from trialsim.population.endpoints.survival import HazardLaw
from trialsim.population.estimands import cox_log_ratio
from trialsim.scenario.units import readable_duration

Floats = NDArray[np.float64]

_GROUPS = (64, 1024)
_LEAST, _MOST = 1e-4, 1e4
"""Conditional ratios that are tried; a scenario may state none above the greatest."""
_MARGINS = ((math.log(20.0), 0.01), (math.log(100.0), 0.02), (math.log(500.0), 0.1))
"""On the log scale, up to which ratio either way from 1, and far more than what integration over time errs by there."""


class MarginalRatios:
    """The marginal hazard ratio of treatment against control as a function of the conditional one.

    Parameters
    ----------
    law
        From the conditional hazard ratio to the law of control, the first arm, and of treatment, the second.
    treated, control
        exp(-linear predictor) of each patient, ``[patient]``.
    follow_up
        Days to which the marginal ratio refers.
    """

    def __init__(
        self, law: Callable[[float], HazardLaw], treated: Floats, control: Floats, follow_up: float
    ) -> None:
        self._law, self._factors, self._follow_up = law, (treated, control), follow_up
        self.log_at = functools.cache(self._log_at)
        self._bound = functools.cache(self._bounded)

    def refusal(self, stated: float) -> str:
        """Return why no conditional hazard ratio gives a marginal one, empty where one does."""
        target = math.log(stated)
        if self._passes(target, _LEAST) and self._passes(target, _MOST):
            return ""
        least, most = self.log_at(math.log(_LEAST)), self.log_at(math.log(_MOST))
        tried = f"no conditional hazard ratio from {_LEAST:g} to {_MOST:,.0f}"
        within = readable_duration(self._follow_up)
        if not least < most:
            return (
                f"{tried} makes a difference within the follow-up of {within}: nobody has the event by then, or everybody "
                "at once; mind baseline, centre and follow-up, or state it as conditional"
            )
        return (
            f"{tried} gives this marginal one, the traits matter so much; within the follow-up of {within} they give "
            f"{_inward(least, math.ceil):g} to {_inward(most, math.floor):g}; state one of these, or state it as "
            "conditional"
        )

    def conditional(self, stated: float) -> float:
        """Return the conditional hazard ratio that gives a marginal one, which is not refused."""
        from scipy.optimize import brentq

        target = math.log(stated)
        ends = (math.log(_LEAST), math.log(_MOST))
        return math.exp(brentq(lambda x: self.log_at(x) - target, *ends, xtol=1e-14))

    def _log_at(self, log_ratio: float) -> float:
        """Return the logarithm of the marginal ratio at that of a conditional one."""
        return cox_log_ratio(self._law(math.exp(log_ratio)), (1, 0), self._factors, self._follow_up)

    def _passes(self, target: float, ratio: float) -> bool:
        """Return whether a conditional ratio, one of both ends, gives a marginal one beyond the target on its side."""
        below = ratio > 1.0
        outward = 1.0 if below else -1.0
        margin = next((margin for most, margin in _MARGINS if abs(target) < most), math.inf)
        for groups in _GROUPS if math.isfinite(margin) else ():
            if (
                groups < len(self._factors[0])
                and outward * (self._bound(ratio, below, groups) - target) > margin
            ):
                return True
        return outward * (self.log_at(math.log(ratio)) - target) > 0.0

    def _bounded(self, ratio: float, below: bool, groups: int) -> float:
        """Return what the logarithm of the marginal ratio is not below, or not above, at a conditional one.

        Patients of either arm are in groups of neighbours. For a bound from below treated patients have the greatest factor
        of their group, so that their events come later, and those of control the smallest.
        """
        grouped = (
            _in_groups(each, latest, groups)
            for each, latest in zip(self._factors, (below, not below), strict=True)
        )
        (treated, of_treated), (control, of_control) = grouped
        return cox_log_ratio(
            self._law(ratio), (1, 0), (treated, control), self._follow_up, (of_treated, of_control)
        )


def _in_groups(factors: Floats, latest: bool, groups: int) -> tuple[Floats, Floats]:
    """Return the greatest or the smallest factor of each group of neighbours, and how many are in it."""
    edges = np.linspace(0, len(factors), groups + 1).astype(np.int64)
    return np.sort(factors)[edges[1:] - 1 if latest else edges[:-1]], np.diff(edges).astype(np.float64)


def _inward(log_ratio: float, rounded: Callable[[float], int]) -> float:
    """Return a ratio to three digits, rounded so that it can be had."""
    ratio = math.exp(log_ratio)
    unit = 10.0 ** (math.floor(math.log10(ratio)) - 2)
    return rounded(ratio / unit) * unit
