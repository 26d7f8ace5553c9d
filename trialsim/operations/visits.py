"""When a visit takes place: its scheduled time, moved by a jitter and by lateness, after the visit before."""

from __future__ import annotations

import math

from trialsim.compiled import kernel
from trialsim.elementary import standard_normal
from trialsim.timegrid import TICKS_PER_DAY

PUNCTUAL, NORMAL, EVEN = range(3)
# What a draw for a visit is for: its place among the draws of that visit.
MISSED, JITTER, LATE, LATENESS = range(4)


@kernel
def visit_time(scheduled, previous, u, kind, size, grid):  # type: ignore[no-untyped-def]
    """Return when a visit takes place unless it is late, in ticks since entry.

    Parameters
    ----------
    scheduled
        Ticks since entry.
    previous
        When the visit before took place, or was missed.
    u
        Uniform in (0, 1) of the jitter.
    kind, size
        ``PUNCTUAL``; ``NORMAL`` and its standard deviation in days; ``EVEN`` and the most days to either side.
    grid
        Step of the time grid in ticks.

    Returns
    -------
    int
        At least a step of the grid after ``previous``; the jitter is rounded to the nearest step.
    """
    shift = 0.0
    if kind == NORMAL:
        shift = size * standard_normal(u)
    elif kind == EVEN:
        shift = size * (2.0 * u - 1.0)
    steps = math.floor(shift * (TICKS_PER_DAY / grid) + 0.5)
    return max(scheduled + int(steps) * grid, previous + grid)
