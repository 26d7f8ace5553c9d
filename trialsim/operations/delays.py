"""How long things take: a delay is the inverse distribution function of one uniform, rounded up to the time grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trialsim.compiled import kernel
from trialsim.draws import unit_exponential
from trialsim.elementary import fill_standard_normal, natural_exp, power, standard_normal
from trialsim.scenario.delays import Delay
from trialsim.timegrid import delay_ticks, to_ticks

FIXED, UNIFORM, EXPONENTIAL, LOG_NORMAL, WEIBULL = range(5)


@dataclass(frozen=True)
class DelayLaw:
    """The law of a delay.

    Parameters
    ----------
    kind
        ``FIXED``, ``UNIFORM``, ``EXPONENTIAL``, ``LOG_NORMAL`` or ``WEIBULL``.
    first, second
        Its two parameters: ticks and nothing; least and most days; mean in days and nothing; median in days and sd of the
        logarithm; scale in days and shape.
    """

    kind: int
    first: float
    second: float = 0.0

    @property
    def parameters(self) -> tuple[int, float, float]:
        """The three numbers that :func:`drawn_delay` takes."""
        return self.kind, self.first, self.second


def delay_law(stated: Delay, grid: int) -> DelayLaw:
    """Return the law that a scenario states; a fixed duration is rounded to the nearest step of the grid."""
    if stated.uniform is not None:
        return DelayLaw(UNIFORM, stated.uniform.least, stated.uniform.most)
    if stated.exponential is not None:
        return DelayLaw(EXPONENTIAL, stated.exponential.mean)
    if stated.log_normal is not None:
        return DelayLaw(LOG_NORMAL, stated.log_normal.median, stated.log_normal.sd_log)
    if stated.weibull is not None:
        return DelayLaw(WEIBULL, stated.weibull.scale, stated.weibull.shape)
    return DelayLaw(FIXED, float(to_ticks(stated.fixed or 0.0, grid)))


@kernel
def drawn_delay(u, kind, first, second, grid):  # type: ignore[no-untyped-def]
    """Return a delay in ticks, at least one step of the grid, increasing in the uniform ``u``.

    Parameters
    ----------
    u
        Uniform in (0, 1).
    kind, first, second
        Of :class:`DelayLaw`.
    grid
        Step of the time grid in ticks.
    """
    if kind == FIXED:
        return max(np.int64(first), np.int64(grid))
    if kind == UNIFORM:
        days = first + (second - first) * u
    elif kind == EXPONENTIAL:
        days = first * unit_exponential(1.0 - u)
    elif kind == LOG_NORMAL:
        days = first * natural_exp(second * standard_normal(u))
    else:
        days = first * power(unit_exponential(1.0 - u), 1.0 / second)
    return delay_ticks(days, grid)


@kernel
def fill_delays(u, kind, first, second, grid, tails, held, days, out):  # type: ignore[no-untyped-def]
    """Fill :func:`drawn_delay` of many uniforms.

    Parameters
    ----------
    u
        In (0, 1).
    kind, first, second, grid
        As there.
    tails, held, days
        Scratch, int64 one longer than ``u``, float64 ``[2, at least as long as u]`` and one as long.
    out
        Results in ticks.
    """
    count = len(u)
    if kind == FIXED:
        out[:count] = max(np.int64(first), np.int64(grid))
        return
    if kind == UNIFORM:
        for i in range(count):
            days[i] = first + (second - first) * u[i]
    elif kind == EXPONENTIAL:
        for i in range(count):
            days[i] = first * unit_exponential(1.0 - u[i])
    elif kind == LOG_NORMAL:
        fill_standard_normal(u, tails, held, days)
        for i in range(count):
            days[i] = first * natural_exp(second * days[i])
    else:
        for i in range(count):
            days[i] = first * power(unit_exponential(1.0 - u[i]), 1.0 / second)
    for i in range(count):
        out[i] = delay_ticks(days[i], grid)
