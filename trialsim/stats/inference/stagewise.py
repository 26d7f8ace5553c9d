"""The stage-wise ordering: p value, median-unbiased estimate and interval after a trial that may have stopped early.

An earlier crossing of the upper bound is more extreme than a later one, and within a look a larger statistic is (Armitage
1957; Siegmund 1978; Fairbanks and Madsen 1982; Tsiatis, Rosner and Mehta 1984; Jennison and Turnbull 2000, sec. 8.4 and
8.5). The p value does not depend on looks that were still to come, nor on the information planned for them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trialsim.compiled import kernel
from trialsim.elementary import standard_normal
from trialsim.stats.group_sequential.recursion import stage_probabilities

Floats = NDArray[np.float64]

_STEPS, _CLOSE = 200, 1e-12
_SMALLEST, _LARGEST = 1e-300, 1.0 - 1e-16
_FARTHEST = 40.0  # standard errors between an estimate and the limits that are searched


@dataclass(frozen=True)
class AdjustedInference:
    """What is concluded once a trial has ended, all arrays ``[replicate]``.

    Parameters
    ----------
    p_value
        One-sided, of no effect against a positive one.
    estimate
        Median-unbiased.
    lower, upper
        Limits of the equal-tailed interval.
    """

    p_value: Floats
    estimate: Floats
    lower: Floats
    upper: Floats


@kernel
def p_above(
    information: Floats, lower: Floats, upper: Floats, two_sided: bool, look: int, z: float, effect: float
) -> float:
    """Return the chance under ``effect`` of an outcome at least as extreme upwards as ``z`` at ``look``.

    Parameters
    ----------
    information
        Information at each look, shape ``[look]``; 1 / variance of the estimated effect.
    lower, upper
        Bounds that are obeyed before ``look``; later ones are not read.
    two_sided
        Whether they bound the absolute value of the statistic.
    look
        The look, from 0, at which the trial ended.
    z
        The statistic there.
    effect
        The effect.
    """
    below = lower[: look + 1].copy()
    above = upper[: look + 1].copy()
    below[look] = -np.inf
    above[look] = z
    _, _, chances = stage_probabilities(information[: look + 1], effect, below, above, two_sided)
    return float(chances.sum())


@kernel
def effect_with_p(
    information: Floats, lower: Floats, upper: Floats, two_sided: bool, look: int, z: float, chance: float
) -> float:
    """Return the effect under which :func:`p_above` is ``chance``, within 1e-12 of a standard error.

    The p value rises with the effect; its normal quantile is a straight line where the trial ended at the first look and
    bends little otherwise, so that secant steps within a bracket end soon. Infinite where no effect is far enough.
    """
    se = 1.0 / math.sqrt(information[look])
    wanted = standard_normal(chance)
    low, high = -np.inf, np.inf
    here = (z + wanted) * se
    before, value_before = np.nan, np.nan
    stride = 0.5
    for _ in range(_STEPS):
        p = p_above(information, lower, upper, two_sided, look, z, here)
        value = standard_normal(min(max(p, _SMALLEST), _LARGEST)) - wanted
        if value == 0.0:
            return here
        if value < 0.0:
            low = here
        else:
            high = here
        slope = (value - value_before) / (here - before)
        ahead = here - value / slope if slope > 0.0 else np.nan
        if np.isinf(low) or np.isinf(high):
            stride *= 2.0
            limit = here - np.sign(value) * stride * se
            if not min(here, limit) <= ahead <= max(here, limit):
                ahead = limit
            if abs(ahead / se - z) > _FARTHEST:
                return -np.inf if value > 0.0 else np.inf
        elif not low < ahead < high:
            ahead = 0.5 * (low + high)
        if abs(ahead - here) <= _CLOSE * se or high - low <= _CLOSE * se:
            return ahead
        before, value_before, here = here, value, ahead
    return np.nan


@kernel
def _all_p(information, lower, upper, two_sided, looks, z, effect, found):  # type: ignore[no-untyped-def]
    for r in range(len(looks)):
        found[r] = p_above(information[r], lower[r], upper[r], two_sided, looks[r], z[r], effect[r])


@kernel
def _all_effects(information, lower, upper, two_sided, looks, z, chance, found):  # type: ignore[no-untyped-def]
    for r in range(len(looks)):
        found[r] = effect_with_p(information[r], lower[r], upper[r], two_sided, looks[r], z[r], chance)


def stagewise_p(
    information: ArrayLike,
    lower: ArrayLike,
    upper: ArrayLike,
    looks: ArrayLike,
    z: ArrayLike,
    effect: ArrayLike = 0.0,
    two_sided_bounds: bool = False,
) -> Floats:
    """Return the one-sided p value of the stage-wise ordering (Jennison and Turnbull 2000, sec. 8.4).

    It is the chance to cross the upper bound at an earlier look, or to run until this one and be at or above ``z`` there.
    Where a lower bound has been crossed, the same chance counts every outcome that is less unfavourable.

    Parameters
    ----------
    information
        Information at each look, ``[look]`` or ``[replicate, look]``; rates instead where ``effect`` is 0.
    lower, upper
        Bounds, of the same shape; minus infinity where a lower one is absent or not counted on.
    looks
        The look at which each trial ended, from 0, ``[replicate]``.
    z
        The statistic there, positive in favour.
    effect
        The effect under which the chance is taken.
    two_sided_bounds
        Whether the bounds are those of the absolute value of the statistic.

    Returns
    -------
    Floats
        ``[replicate]``. Two-sided: twice the smaller of it and one minus it.
    """
    at, statistic, rows = _ended(looks, z)
    info, low, high = (_rows(each, rows) for each in (information, lower, upper))
    under = np.array(np.broadcast_to(np.asarray(effect, dtype=np.float64), (rows,)))
    found = np.empty(rows)
    _all_p(info, low, high, two_sided_bounds, at, statistic, under, found)
    return found


def stagewise_effect(
    information: ArrayLike,
    lower: ArrayLike,
    upper: ArrayLike,
    looks: ArrayLike,
    z: ArrayLike,
    chance: float,
    two_sided_bounds: bool = False,
) -> Floats:
    """Return the effect under which :func:`stagewise_p` is ``chance``: 1/2 for the median-unbiased estimate.

    Kim and DeMets (1987, Biometrics 43, 857-864); Jennison and Turnbull (2000), sec. 8.3 (estimate), 8.5 (limits).

    Parameters
    ----------
    information, lower, upper, looks, z, two_sided_bounds
        As in :func:`stagewise_p`; information in the unit of the effect.
    chance
        In (0, 1): half the error of the interval for its lower limit, one minus that for the upper one.
    """
    at, statistic, rows = _ended(looks, z)
    info, low, high = (_rows(each, rows) for each in (information, lower, upper))
    found = np.empty(rows)
    _all_effects(info, low, high, two_sided_bounds, at, statistic, chance, found)
    return found


def adjusted_inference(
    information: ArrayLike,
    lower: ArrayLike,
    upper: ArrayLike,
    looks: ArrayLike,
    z: ArrayLike,
    confidence: float = 0.95,
    two_sided_bounds: bool = False,
) -> AdjustedInference:
    """Return p value, median-unbiased estimate and interval of the stage-wise ordering.

    Parameters
    ----------
    information, lower, upper, looks, z, two_sided_bounds
        As in :func:`stagewise_effect`.
    confidence
        Of the two-sided interval.

    Examples
    --------
    A trial stopped at the second of three looks planned with O'Brien-Fleming type spending, with z = 2.6:

    >>> found = adjusted_inference([100 / 3, 200 / 3], [-np.inf, -np.inf], [3.7103, 2.5114], [1], [2.6])
    >>> [round(float(each[0]), 4) for each in (found.p_value, found.estimate, found.lower, found.upper)]
    [0.0047, 0.3183, 0.0781, 0.5584]
    """
    tail = 0.5 * (1.0 - confidence)
    given = (information, lower, upper, looks, z)
    return AdjustedInference(
        stagewise_p(*given, two_sided_bounds=two_sided_bounds),
        stagewise_effect(*given, 0.5, two_sided_bounds),
        stagewise_effect(*given, tail, two_sided_bounds),
        stagewise_effect(*given, 1.0 - tail, two_sided_bounds),
    )


def _ended(looks: ArrayLike, z: ArrayLike) -> tuple[NDArray[np.int64], Floats, int]:
    """Return where trials ended and with what, as arrays of one length."""
    at, statistic = np.broadcast_arrays(
        np.atleast_1d(np.asarray(looks, dtype=np.int64)), np.asarray(z, dtype=np.float64)
    )
    return at.copy(), statistic.copy(), len(at)


def _rows(given: ArrayLike, rows: int) -> Floats:
    """Return ``[replicate, look]`` from that or from ``[look]``."""
    values = np.atleast_2d(np.asarray(given, dtype=np.float64))
    return np.array(np.broadcast_to(values, (rows, values.shape[1])))
