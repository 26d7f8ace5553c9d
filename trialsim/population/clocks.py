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


class ClockTables(NamedTuple):
    """The hazards of several clocks, each array ``[clock, group, segment]`` but for the last two, ``[clock]``.

    Parameters
    ----------
    starts, rates
        Break points in days (or baseline cumulative hazard, see :class:`HazardLaw`) and hazards from there on.
    begin, width, slope, jump
        Of :class:`~trialsim.stats.piecewise.PiecewiseIntensity`.
    exponent, scale
        Of :class:`~trialsim.population.endpoints.survival.HazardLaw`.
    """

    starts: Floats
    rates: Floats
    begin: Floats
    width: Floats
    slope: Floats
    jump: Floats
    exponent: Floats
    scale: Floats


def clock_tables(laws: Sequence[HazardLaw]) -> ClockTables:
    """Return the hazards of some laws as one set of arrays, padded to the same numbers of groups and segments."""
    groups = max(len(law.pieces.begin) for law in laws)
    segments = max(law.pieces.begin.shape[1] for law in laws)

    def padded(name: str, fill: float) -> Floats:
        out = np.full((len(laws), groups, segments), fill)
        for c, law in enumerate(laws):
            part = getattr(law.pieces, name)
            out[c, : part.shape[0], : part.shape[1]] = part
        return out

    return ClockTables(
        starts=padded("starts", np.inf),
        rates=padded("rates", 0.0),
        begin=padded("begin", np.inf),
        width=padded("width", 0.0),
        slope=padded("slope", 0.0),
        jump=padded("jump", 0.0),
        exponent=np.array([law.exponent for law in laws]),
        scale=np.array([law.scale for law in laws]),
    )


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
def cumulative_at(ticks, c, g, tables):  # type: ignore[no-untyped-def]
    """Return the cumulative hazard of a clock in a group by a time since entry, for a patient with factor and pace 1."""
    if ticks <= 0:
        return 0.0
    at = ticks / TICKS_PER_DAY
    if tables.exponent[c] != 1.0:
        at = power(at / tables.scale[c], 1.0 / tables.exponent[c])
    j = 0
    while j + 1 < tables.starts.shape[2] and tables.starts[c, g, j + 1] <= at:
        j += 1
    return tables.begin[c, g, j] + tables.rates[c, g, j] * (at - tables.starts[c, g, j])


@kernel
def still_to_spend(amount, pace, since, now, c, g, tables):  # type: ignore[no-untyped-def]
    """Return what is left of an amount of hazard that was spent from ``since`` to ``now`` (ticks since entry)."""
    if pace <= 0.0 or now <= since:
        return amount
    return amount - pace * (cumulative_at(now, c, g, tables) - cumulative_at(since, c, g, tables))


@kernel
def spent_at(amount, pace, since, c, g, tables, grid):  # type: ignore[no-untyped-def]
    """Return when an amount of hazard will have been spent, in ticks since entry.

    Parameters
    ----------
    amount
        What is left: unit exponential times exp(-linear predictor), less what has been spent.
    pace
        By how much the patient's state multiplies the hazard; at 0 the clock stands still.
    since
        Ticks since entry from which it is spent.
    c, g, tables
        Clock, group, hazards.
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
        target += cumulative_at(since, c, g, tables)
    days = 0.0
    for j in range(tables.begin.shape[2]):
        days += piece_days(
            target, tables.begin[c, g, j], tables.width[c, g, j], tables.slope[c, g, j], tables.jump[c, g, j]
        )
    if tables.exponent[c] != 1.0:
        days = tables.scale[c] * power(days, tables.exponent[c])
    return since + delay_ticks(max(days - since / TICKS_PER_DAY, 0.0), grid)


@kernel
def departure_pace(after, heard):  # type: ignore[no-untyped-def]
    """Return the pace of leaving: the ratio after the worst adverse event so far, times exp(sum of outcomes heard)."""
    if heard == 0.0:
        return after
    return after * natural_exp(heard)
