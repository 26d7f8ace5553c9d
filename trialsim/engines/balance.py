"""How minimisation and the biased coin are set up: what is balanced, with which weights, by which measure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trialsim.contracts import Ints
from trialsim.operations.minimisation import RANGE, SD, VARIANCE, steps_of
from trialsim.scenario.design import Allocation

_MEASURES = {"range": RANGE, "variance": VARIANCE, "sd": SD}


@dataclass(frozen=True)
class Balance:
    """What an allocation that favours arms keeps in balance.

    Parameters
    ----------
    margins
        Covariates whose levels, taken together, are balanced: each factor of minimisation alone, the strata of a biased
        coin all together. A margin without covariates is the trial as a whole.
    weights
        Weight of each margin, ``[margin]``.
    steps
        Steps of one patient on the common scale of all arms, ``[arm]``.
    probability
        Of the favoured arm.
    measure
        ``RANGE``, ``VARIANCE`` or ``SD`` of :mod:`trialsim.operations.minimisation`.
    """

    margins: tuple[tuple[str, ...], ...]
    weights: Ints
    steps: Ints
    probability: float
    measure: int


def build_balance(rule: Allocation, ratio: Ints) -> Balance | None:
    """Return what an allocation keeps in balance, or None where it favours no arm.

    Parameters
    ----------
    rule
        As it is written.
    ratio
        Shares of the design's arms, ``[arm]``.
    """
    if rule.probability is None:
        return None
    if rule.minimisation is None:
        margins: tuple[tuple[str, ...], ...] = (tuple(rule.strata),)
        weights, measure = {}, "range"
    else:
        margins = tuple((name,) for name in rule.factors) or ((),)
        weights, measure = rule.minimisation.weights, rule.minimisation.measure
    by_margin = [weights.get(margin[0], 1) if margin else 1 for margin in margins]
    return Balance(
        margins, np.array(by_margin, dtype=np.int64), steps_of(ratio), rule.probability, _MEASURES[measure]
    )
