"""What a design does under an effect: where it stops, for what, and after how much information."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trialsim.stats.group_sequential.recursion import stage_probabilities

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Characteristics:
    """What a design does under one effect.

    Parameters
    ----------
    power
        Chance to reject on the side of the effect; on either side of a two-sided design where there is no effect.
    stage_reject, stage_futility
        Chances to end at each look with rejecting, on either side of a two-sided design, and without, shape ``[look]``;
        together they are 1. Ending without rejecting at the last look counts as futility there.
    expected_rate
        Mean information rate at the end.
    """

    power: float
    stage_reject: Floats
    stage_futility: Floats
    expected_rate: float


def characteristics(
    rates: Floats, lower: Floats, upper: Floats, drift: float, two_sided: bool
) -> Characteristics:
    """Return what a design does when the statistic has mean ``drift`` at information rate 1.

    Parameters
    ----------
    rates, lower, upper
        Information rates and bounds that are obeyed, shape ``[look]``; at the last look the two meet.
    drift
        Mean of the statistic at rate 1.
    two_sided
        Whether the bounds are those of the absolute value of the statistic.
    """
    below, futile, above = stage_probabilities(rates, drift, lower, upper, two_sided)
    reject = above + below
    ended = reject + futile
    goes_on = max(0.0, 1.0 - float(ended[:-1].sum()))
    expected = float(rates[:-1] @ ended[:-1]) + float(rates[-1]) * goes_on
    successes = reject if drift == 0.0 else above if drift > 0.0 or not two_sided else below
    return Characteristics(float(successes.sum()), reject, futile, expected)
