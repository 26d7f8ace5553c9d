"""Time as whole ticks of 2**-20 day, so that sums and differences are exact and ties are real.

A *grid* of more than one tick (a day, a week) rounds every delay up to its multiple; it exists to force ties when the
two engines are compared.
"""

from __future__ import annotations

import numpy as np

from trialsim.compiled import kernel
from trialsim.elementary import WHOLE, WHOLE_FROM, bits_of

TICKS_PER_DAY = 1 << 20
"""Ticks in one day; one tick is about 0.08 seconds."""

NEVER = 1 << 50
"""A tick later than any that can happen (about 2.9 million years)."""

LAST_TICK = 1 << 40
"""Delays are cut here (about 2,870 years), so that a sum of a few of them stays below :data:`NEVER`."""

DAYS_PER_MONTH = 30.4375
DAYS_PER_YEAR = 365.25


@kernel
def delay_ticks(days: float, grid: int) -> int:
    """Return a delay in days as ticks: rounded up to the grid, at least one step of it.

    Parameters
    ----------
    days
        Delay in days, finite or infinite, not negative.
    grid
        Step of the grid in ticks, at least 1.

    Returns
    -------
    int
        Ticks, a multiple of ``grid``, at most about :data:`LAST_TICK`.
    """
    step = np.float64(grid)
    steps = np.ceil(min(days * (TICKS_PER_DAY / step), LAST_TICK / step))
    # Whole and below 2**52, so every product and sum is exact.
    return bits_of(max(steps, 1.0) * step + WHOLE_FROM) - WHOLE


def to_ticks(days: float, grid: int = 1) -> int:
    """Return a stated duration in days as ticks, rounded to the nearest step; zero stays zero."""
    return round(min(days * TICKS_PER_DAY, float(LAST_TICK)) / grid) * grid


def to_days(ticks: int) -> float:
    """Return ticks as days (exact in float64 up to 2**53 ticks)."""
    return ticks / TICKS_PER_DAY
