"""Futility rules that are straight lines in the last efficacy bound and in the drift of the alternative."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from trialsim.stats.group_sequential.classical import power_shape

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class FutilityRule:
    """Lower bounds ``constant + of_last * last efficacy bound + of_drift * drift``, look by look."""

    constant: Floats
    of_last: Floats
    of_drift: Floats

    def bounds(self, upper: Floats, drift: float) -> Floats:
        """Return the lower bounds, nowhere above the upper ones, which they meet at the last look."""
        lower = self.constant + self.of_drift * drift
        if self.of_last.any():
            lower = lower + self.of_last * upper[-1]
        lower = np.minimum(lower, upper)
        lower[-1] = upper[-1]
        return np.asarray(lower)


def z_rule(bounds: Floats) -> FutilityRule:
    """Return the rule to stop at or below given values of the statistic, one for each look (the last is not read)."""
    return FutilityRule(bounds, np.zeros(len(bounds)), np.zeros(len(bounds)))


def conditional_power_rule(rates: Floats, least: float, trend: bool) -> FutilityRule:
    """Return the rule to stop where the conditional power of the last look is at or below ``least``.

    Conditional power is the chance that the last statistic reaches its bound, given the present one (Lan, Simon and
    Halperin 1982; Jennison and Turnbull 2000, sec. 10.2), under the alternative or under the current trend.

    Parameters
    ----------
    rates
        Information rates.
    least
        In (0, 1).
    trend
        Under the trend seen so far, ``z / sqrt(t)``, instead of under the alternative.
    """
    last = rates[-1]
    left = last - rates
    short = -ndtri(least) * np.sqrt(left)
    if trend:
        share = np.sqrt(rates) / last
        return FutilityRule(-share * short, share * np.sqrt(last), np.zeros(len(rates)))
    here = np.sqrt(rates)
    return FutilityRule(-short / here, np.sqrt(last) / here, -left / here)


def mirrored_rule(rates: Floats, exponent: float) -> FutilityRule:
    """Return the lower power family that meets the upper bound at the last look (Pampallona and Tsiatis 1994).

    ``a_k = drift sqrt(t_k) - (drift sqrt(t_K) - b_K) (t_k / t_K)**(exponent - 1/2)``: the efficacy bounds of the family,
    seen from the alternative.
    """
    shape = power_shape(rates / rates[-1], exponent)
    return FutilityRule(np.zeros(len(rates)), shape, np.sqrt(rates) - np.sqrt(rates[-1]) * shape)


def mirrored_constant_rule(rates: Floats, distance: float) -> FutilityRule:
    """Return the rule to stop ``distance`` below the mean under the alternative, as Haybittle and Peto do above zero."""
    return FutilityRule(np.full(len(rates), -distance), np.zeros(len(rates)), np.sqrt(rates))
