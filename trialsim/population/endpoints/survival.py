"""Times to an event on the cumulative-hazard scale: piecewise exponential and Weibull.

A patient has one unit exponential, spent at the current hazard (Bender, Augustin and Blettner, Statist. Med. 24, 2005,
1713-1723): baseline hazard x hazard ratio of the arm x exp(linear predictor). A Weibull baseline is a piecewise
exponential in its own cumulative hazard, so one inverse serves both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trialsim.compiled import kernel
from trialsim.draws import unit, unit_exponential
from trialsim.elementary import natural_exp, power
from trialsim.stats.piecewise import PiecewiseIntensity, piece_days, piecewise_intensity
from trialsim.timegrid import delay_ticks

Floats = NDArray[np.float64]
Steps = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class HazardLaw:
    """The law of a time to event by arm.

    Parameters
    ----------
    pieces
        The hazards by arm, in days, or in baseline cumulative hazard for a Weibull baseline.
    exponent
        1 / shape of a Weibull baseline; 1 for an exponential one.
    scale
        Scale of a Weibull baseline in days; 1 for an exponential one.
    """

    pieces: PiecewiseIntensity
    exponent: float
    scale: float

    def cumulative_hazard(self, arm: int, days: Floats) -> Floats:
        """Return the cumulative hazard of a patient with linear predictor 0 by each time in days."""
        operational = np.asarray(days, dtype=np.float64)
        if self.exponent != 1.0:
            operational = np.power(operational / self.scale, 1.0 / self.exponent)
        return self.pieces.cumulative(arm, operational)


def hazard_law(
    segments: tuple[Sequence[float], Sequence[float]],
    weibull: tuple[float, float] | None,
    ratios: Sequence[Steps],
) -> HazardLaw:
    """Return the law of each arm from a baseline and hazard ratios.

    Parameters
    ----------
    segments
        Starts in days and hazards per day of a piecewise exponential baseline; ignored for a Weibull one.
    weibull
        Shape and scale in days of a Weibull baseline, or None.
    ratios
        For each arm its steps (start in days since entry, hazard ratio); control's is 1 throughout.

    Returns
    -------
    HazardLaw
        One group an arm.
    """
    if weibull is not None and weibull[0] == 1.0:
        segments, weibull = ((0.0,), (1.0 / weibull[1],)), None
    groups: list[tuple[list[float], list[float]]] = []
    for steps in ratios:
        if weibull is not None:
            shape, scale = weibull
            groups.append(([(start / scale) ** shape for start, _ in steps], [ratio for _, ratio in steps]))
            continue
        starts, hazards = segments
        breaks = sorted({*starts, *(start for start, _ in steps)})
        rates = [
            hazards[int(np.searchsorted(starts, at, side="right")) - 1]
            * steps[int(np.searchsorted([start for start, _ in steps], at, side="right")) - 1][1]
            for at in breaks
        ]
        groups.append((breaks, rates))
    exponent, scale = (1.0, 1.0) if weibull is None else (1.0 / weibull[0], weibull[1])
    return HazardLaw(piecewise_intensity(groups), exponent, scale)


@kernel
def hazard_factors(main, modifier, drift, arms, out):  # type: ignore[no-untyped-def]
    """Fill ``out[row, arm]`` with exp(-linear predictor), the factor on a patient's unit exponential."""
    for i in range(len(main)):
        shared = main[i] + drift[i]
        out[i, 0] = natural_exp(-shared)
        treated = natural_exp(-(shared + modifier[i]))
        for a in range(1, arms):
            out[i, a] = treated


@kernel
def event_ticks(bits, factor, arm, begin, width, slope, jump, exponent, scale, grid):  # type: ignore[no-untyped-def]
    """Return the delay from entry to the event of one patient, in ticks.

    Parameters
    ----------
    bits
        The patient's random word.
    factor
        exp(-linear predictor).
    arm
        Index of the arm.
    begin, width, slope, jump
        Of :class:`~trialsim.stats.piecewise.PiecewiseIntensity`, ``[arm, segment]``.
    exponent, scale
        Of :class:`HazardLaw`.
    grid
        Step of the time grid in ticks.

    Returns
    -------
    int
        Ticks, at least one step of the grid.
    """
    amount = unit_exponential(unit(bits)) * factor
    days = 0.0
    for j in range(begin.shape[1]):
        days += piece_days(amount, begin[arm, j], width[arm, j], slope[arm, j], jump[arm, j])
    if exponent != 1.0:
        days = scale * power(days, exponent)
    return delay_ticks(days, grid)


@kernel
def order_by_arm(arms, first, last, order, until):  # type: ignore[no-untyped-def]
    """Fill ``order`` with patients ``first`` to ``last - 1``, arm by arm; those of arm ``a`` end before ``until[a]``."""
    arms = arms[first:last]
    place = np.uint64(0)
    for a in range(len(until)):
        for i in range(last - first):
            order[place] = first + i
            place += np.uint64(arms[i] == a)
        until[a] = place


@kernel
def fill_lasting_event_ticks(  # type: ignore[no-untyped-def]
    words, factor, slope, exponent, scale, grid, first, last, days, out
):
    """Fill what :func:`fill_event_ticks` fills where the first segment begins at once and never ends, in every arm.

    The other segments then add nothing. ``factor`` and ``slope`` are those of each patient in the own arm, ``[patient]``;
    ``days`` is scratch.
    """
    # Slices that begin at zero spare the test for negative indices, which would keep the loops from vectorising.
    count = last - first
    words = words[first:last]
    factor = factor[first:last]
    slope = slope[first:last]
    out = out[first:last]
    for i in range(count):
        days[i] = unit_exponential(unit(words[i])) * factor[i] * slope[i]
    if exponent != 1.0:
        for i in range(count):
            days[i] = scale * power(days[i], exponent)
    for i in range(count):
        out[i] = delay_ticks(days[i], grid)


@kernel
def fill_event_ticks(  # type: ignore[no-untyped-def]
    words,
    factors,
    rows,
    arms,
    order,
    until,
    begin,
    width,
    slope,
    jump,
    exponent,
    scale,
    grid,
    first,
    last,
    amount,
    held,
    days,
    out,
):
    """Fill ``out`` with :func:`event_ticks` of patients ``first`` to ``last - 1``: the same sums in the same order.

    Arms one after the other, segments inside and patients innermost, where the numbers of a segment are constants.

    Parameters
    ----------
    words
        Of each patient, ``[patient]``.
    factors, rows
        exp(-linear predictor) ``[row, arm]``, and the row of each patient; one row is everybody's.
    arms, order, until
        The arm of each patient, and what :func:`order_by_arm` made of them.
    begin, width, slope, jump, exponent, scale, grid
        As in :func:`event_ticks`.
    first, last
        Patients to fill.
    amount
        Filled with the hazard that each patient bears, ``[patient]``, counted from ``first``.
    held, days
        Scratch, ``[patient]``.
    out
        Results in ticks, ``[patient]``.
    """
    # Slices that begin at zero and unsigned indices spare the test for negative ones, which would keep the loops
    # from vectorising.
    count = last - first
    words = words[first:last]
    arms = arms[first:last]
    for i in range(count):
        amount[i] = unit_exponential(unit(words[i]))
    if factors.shape[0] == 1:
        factor = factors[0]
        for i in range(count):
            amount[i] = amount[i] * factor[np.uint64(arms[i])]
    else:
        rows = rows[first:last]
        for i in range(count):
            amount[i] = amount[i] * factors[np.uint64(rows[i]), np.uint64(arms[i])]
    for k in range(count):
        held[k] = amount[np.uint64(order[k] - first)]
    start = 0
    for a in range(len(until)):
        mine = held[start : until[a]]
        each = days[start : until[a]]
        b, w, s, p = begin[a, 0], width[a, 0], slope[a, 0], jump[a, 0]
        for k in range(len(mine)):
            each[k] = piece_days(mine[k], b, w, s, p)
        for j in range(1, begin.shape[1]):
            b, w, s, p = begin[a, j], width[a, j], slope[a, j], jump[a, j]
            if b == np.inf:  # no segment: it would add zero
                continue
            for k in range(len(mine)):
                each[k] += piece_days(mine[k], b, w, s, p)
        start = until[a]
    if exponent != 1.0:
        for k in range(count):
            days[k] = scale * power(days[k], exponent)
    ticks = np.empty(count, np.int64)  # in a loop of its own, as scattering does not vectorise
    for k in range(count):
        ticks[k] = delay_ticks(days[k], grid)
    for k in range(count):
        out[np.uint64(order[k])] = ticks[k]
