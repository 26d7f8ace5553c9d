"""What a design does under an effect: where it stops, for what, and after how much information."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trialsim.stats.group_sequential.integration import stage_probabilities

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
        Information rates and bounds that are obeyed, shape ``[look]``; below ``lower`` a one-sided design gives up, a
        two-sided one rejects.
    drift
        Mean of the statistic at rate 1.
    two_sided
        Whether ``lower`` rejects too.
    """
    below, above = stage_probabilities(rates, drift, lower, upper)
    reject = above + below if two_sided else above
    futile = np.zeros(len(rates)) if two_sided else below
    interim = reject + futile
    goes_on = max(0.0, 1.0 - float(interim[:-1].sum()))
    if two_sided:
        futile[-1] = max(0.0, goes_on - float(reject[-1]))
    expected = float(rates[:-1] @ interim[:-1]) + float(rates[-1]) * goes_on
    successes = reject
    if two_sided and drift != 0.0:
        successes = above if drift > 0.0 else below
    return Characteristics(float(successes.sum()), reject, futile, expected)
