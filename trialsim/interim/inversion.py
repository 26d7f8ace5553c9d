"""Limits by inversion of a test: an effect is within them where the test that it is the true one does not reject.

Needed where a test of another effect is not just the same statistic shifted: the variance of a score test of proportions
goes with the difference tested (Miettinen and Nurminen 1985), and a t statistic has longer tails than its deviate.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from trialsim.interim.data_file import TrialData
from trialsim.interim.design import InterimDesign
from trialsim.registry import get
from trialsim.stats.two_by_two import miettinen_nurminen_variance

OwnTest = Callable[[float], float]
"""From an effect the normal deviate of the test that it is the true one, positive in favour."""

_SHIFTED = ("t_test", "welch", "ancova", "procova")
_HALVINGS = 70
_FARTHEST = 1e9  # standard errors beyond which there is no limit
_LEAST = 1e-20  # a variance of nothing; rates of 0 and 1 leave none


def own_test(design: InterimDesign, data: TrialData, effect: float) -> OwnTest | None:
    """Return the test of any effect, None where it is the same statistic shifted.

    Parameters
    ----------
    design, data
        The analysis and the patients.
    effect
        As estimated.
    """
    if design.analysis == "miettinen_nurminen":
        return _score_test(design, data, effect)
    if design.analysis in _SHIFTED:
        return _shifted_test(design, data)
    return None


def _score_test(design: InterimDesign, data: TrialData, estimate: float) -> OwnTest:
    """Return the score test of any difference of rates."""
    arms = [data.outcome[data.treated == place] for place in (True, False)]
    (x1, n1), (x0, n0) = ((np.array([float(arm.sum())]), np.array([float(len(arm))])) for arm in arms)

    def test(effect: float) -> float:
        variance = np.zeros(1)
        miettinen_nurminen_variance(x1, n1, x0, n0, effect, variance)
        return design.benefit * (estimate - effect) / math.sqrt(max(float(variance[0]), _LEAST))

    return test


def _shifted_test(design: InterimDesign, data: TrialData) -> OwnTest:
    """Return the test of any difference of means: that of no difference, once it is taken off treated patients."""
    analysis = get("analyses", design.analysis)()

    def test(effect: float) -> float:
        moved = replace(data, outcome=data.outcome - np.where(data.treated, effect, 0.0))
        found = analysis.estimate(moved, design.lower_is_better, design.options)
        return float(found.z[0])

    return test


def own_limit(limit: Callable[[float], float], start: float, step: float, most: float) -> float:
    """Return the effect that is the limit found by its own test.

    Parameters
    ----------
    limit
        The limit found by the test of an effect; above that effect where it is below the one sought.
    start, step
        Where it is sought from, and the first step; steps double.
    most
        Largest size of an effect.
    """
    ends = []
    for way in (-1.0, 1.0):
        at, reach = start, step
        while (limit(at) > at) == (way > 0.0):
            if way * at >= most or reach > _FARTHEST * step:
                return way * most
            at = min(max(at + way * reach, -most), most)
            reach *= 2.0
        ends.append(at)
    low, high = ends
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        if limit(middle) > middle:
            low = middle
        else:
            high = middle
    return 0.5 * (low + high)
