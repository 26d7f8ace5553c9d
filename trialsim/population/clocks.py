"""Clocks on the cumulative-hazard scale: a unit exponential is spent at the current hazard, which may change mid-way.

A clock's hazard is that of a group (an arm, with as much of its effect as is left) times the patient's own factor times
a *pace*, what the patient's state makes of it. Whoever changes group or pace first spends what has passed and then asks
anew when the rest will be spent (Bender, Augustin and Blettner, Statist. Med. 24, 2005, 1713-1723, on the inverse).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trialsim.compiled import kernel
from trialsim.elementary import natural_exp, power
from trialsim.population.endpoints.survival import HazardLaw
from trialsim.stats.piecewise import PiecewiseIntensity, piece_days, piecewise_intensity
from trialsim.timegrid import NEVER, TICKS_PER_DAY, delay_ticks

Floats = NDArray[np.float64]


STARTS, RATES, BEGIN, WIDTH, SLOPE, JUMP = range(6)
"""Fields of :attr:`ClockTables.hazards`: those of :class:`~trialsim.stats.piecewise.PiecewiseIntensity`."""
_FIELDS = {"starts": np.inf, "rates": 0.0, "begin": np.inf, "width": 0.0, "slope": 0.0, "jump": 0.0}

EXPONENT, SCALE = range(2)
"""Fields of :attr:`ClockTables.shapes`: those of :class:`~trialsim.population.endpoints.survival.HazardLaw`."""


class ClockTables(NamedTuple):
    """The hazards of several clocks.

    Compiled functions take the two arrays one by one: reading an array from a tuple costs a reference count each time.

    Parameters
    ----------
    hazards
        Break points in days (or baseline cumulative hazard) and what belongs to them, ``[clock, group, field, segment]``.
    shapes
        What turns days into baseline cumulative hazard, ``[clock, field]``.
    """

    hazards: Floats
    shapes: Floats


def clock_tables(laws: Sequence[HazardLaw]) -> ClockTables:
    """Return the hazards of some laws as one set of arrays, padded to the same numbers of groups and segments."""
    groups = max(len(law.pieces.begin) for law in laws)
    segments = max(law.pieces.begin.shape[1] for law in laws)
    hazards = np.empty((len(laws), groups, len(_FIELDS), segments))
    for field, (name, fill) in enumerate(_FIELDS.items()):
        hazards[:, :, field] = fill
        for c, law in enumerate(laws):
            part = getattr(law.pieces, name)
            hazards[c, : part.shape[0], field, : part.shape[1]] = part
    return ClockTables(hazards, np.array([(law.exponent, law.scale) for law in laws]))


def with_whole_effect(tables: ClockTables, weights: int) -> Floats:
    """Return begin, width, slope and jump of clocks whose effect is whole, ``[4, clock, arm, segment]``.

    ``weights`` is how many groups each arm has, the first of them with the whole effect; see :func:`with_weights`.
    """
    return np.stack([tables.hazards[:, ::weights, field] for field in (BEGIN, WIDTH, SLOPE, JUMP)])


def with_weights(law: HazardLaw, weights: Sequence[float]) -> HazardLaw:
    """Return the law with a group for every arm and every weight of its effect.

    Parameters
    ----------
    law
        One group an arm, the first of them control.
    weights
        What is left of the log hazard ratio: 1 for all of it, 0 for nothing.

    Returns
    -------
    HazardLaw
        Groups in order of arm, then weight; with weight w the hazard is control's to the power 1 - w times the arm's
        to the power w.
    """
    starts, rates = law.pieces.starts, law.pieces.rates

    def at(group: int, time: float) -> float:
        own = starts[group][np.isfinite(starts[group])]
        return float(rates[group][int(np.searchsorted(own, time, side="right")) - 1])

    groups: list[tuple[list[float], list[float]]] = []
    for arm in range(len(starts)):
        both = np.concatenate([starts[0], starts[arm]])
        breaks = sorted({float(time) for time in both if np.isfinite(time)})
        for weight in weights:
            if weight == 1.0:
                own = [float(time) for time in starts[arm] if np.isfinite(time)]
                groups.append((own, [at(arm, time) for time in own]))
                continue
            mixed = [
                0.0 if at(0, time) == 0.0 else at(0, time) * (at(arm, time) / at(0, time)) ** weight
                for time in breaks
            ]
            groups.append((breaks, mixed))
    pieces: PiecewiseIntensity = piecewise_intensity(groups)
    return HazardLaw(pieces, law.exponent, law.scale)


@kernel
def cumulative_at(ticks, c, g, hazards, shapes):  # type: ignore[no-untyped-def]
    """Return the cumulative hazard of a clock in a group by a time since entry, for a patient with factor and pace 1."""
    if ticks <= 0:
        return 0.0
    at = ticks / TICKS_PER_DAY
    if shapes[c, EXPONENT] != 1.0:
        at = power(at / shapes[c, SCALE], 1.0 / shapes[c, EXPONENT])
    j = 0
    while j + 1 < hazards.shape[3] and hazards[c, g, STARTS, j + 1] <= at:
        j += 1
    return hazards[c, g, BEGIN, j] + hazards[c, g, RATES, j] * (at - hazards[c, g, STARTS, j])


@kernel
def still_to_spend(amount, pace, since, now, c, g, hazards, shapes):  # type: ignore[no-untyped-def]
    """Return what is left of an amount of hazard that was spent from ``since`` to ``now`` (ticks since entry)."""
    if pace <= 0.0 or now <= since:
        return amount
    return amount - pace * (
        cumulative_at(now, c, g, hazards, shapes) - cumulative_at(since, c, g, hazards, shapes)
    )


@kernel
def spent_at(amount, pace, since, c, g, hazards, shapes, grid):  # type: ignore[no-untyped-def]
    """Return when an amount of hazard will have been spent, in ticks since entry.

    Parameters
    ----------
    amount
        What is left: unit exponential times exp(-linear predictor), less what has been spent.
    pace
        By how much the patient's state multiplies the hazard; at 0 the clock stands still.
    since
        Ticks since entry from which it is spent.
    c, g, hazards, shapes
        Clock, group, and :class:`ClockTables`.
    grid
        Step of the time grid in ticks.

    Returns
    -------
    int
        Later than ``since`` by at least a step of the grid; NEVER where the clock stands still.
    """
    if pace <= 0.0:
        return np.int64(NEVER)
    target = max(amount, 0.0) / pace
    if since > 0:
        target += cumulative_at(since, c, g, hazards, shapes)
    days = 0.0
    j = 0
    # Segments that begin with more hazard than the target add nothing.
    while j < hazards.shape[3] and (j == 0 or hazards[c, g, BEGIN, j] < target):
        days += piece_days(
            target, hazards[c, g, BEGIN, j], hazards[c, g, WIDTH, j], hazards[c, g, SLOPE, j], hazards[c, g, JUMP, j]
        )  # fmt: skip
        j += 1
    if shapes[c, EXPONENT] != 1.0:
        days = shapes[c, SCALE] * power(days, shapes[c, EXPONENT])
    return since + delay_ticks(max(days - since / TICKS_PER_DAY, 0.0), grid)


@kernel
def fill_spent_at(amount, since, groups, c, hazards, shapes, grid, target, days, out):  # type: ignore[no-untyped-def]
    """Fill :func:`spent_at` of many patients at pace 1: the same sums in the same order.

    Parameters
    ----------
    amount
        What each has to spend, not negative, ``[patient]``.
    since, groups
        Ticks since entry from which it is spent, later than entry, and the group, ``[patient]``.
    c, hazards, shapes, grid
        As there.
    target, days
        Scratch, ``[patient]``.
    out
        Results in ticks since entry.
    """
    count = len(amount)
    exponent, scale = shapes[c, EXPONENT], shapes[c, SCALE]
    laws = hazards[c]
    for i in range(count):
        days[i] = since[i] / TICKS_PER_DAY
    if exponent != 1.0:
        for i in range(count):
            days[i] = power(days[i] / scale, 1.0 / exponent)
    for i in range(count):
        g = np.uint64(groups[i])
        target[i] = laws[g, BEGIN, 0] + laws[g, RATES, 0] * (days[i] - laws[g, STARTS, 0])
    segments = _segments_of(laws)
    for j in range(1, segments):
        for i in range(count):
            g = np.uint64(groups[i])
            begun = laws[g, BEGIN, j] + laws[g, RATES, j] * (days[i] - laws[g, STARTS, j])
            target[i] = begun if laws[g, STARTS, j] <= days[i] else target[i]
    for i in range(count):
        target[i] = amount[i] + target[i]
        days[i] = 0.0
    for j in range(segments):
        for i in range(count):
            g = np.uint64(groups[i])
            days[i] += piece_days(
                target[i], laws[g, BEGIN, j], laws[g, WIDTH, j], laws[g, SLOPE, j], laws[g, JUMP, j]
            )
    if exponent != 1.0:
        for i in range(count):
            days[i] = scale * power(days[i], exponent)
    for i in range(count):
        out[i] = since[i] + delay_ticks(max(days[i] - since[i] / TICKS_PER_DAY, 0.0), grid)


@kernel
def _segments_of(laws):  # type: ignore[no-untyped-def]
    """Return how many segments the group with most of them has."""
    found = 1
    for g in range(laws.shape[0]):
        while found < laws.shape[2] and laws[g, STARTS, found] < np.inf:
            found += 1
    return found


@kernel
def departure_pace(after, heard):  # type: ignore[no-untyped-def]
    """Return the pace of leaving: the ratio after the worst adverse event so far, times exp(sum of outcomes heard)."""
    if heard == 0.0:
        return after
    return after * natural_exp(heard)
