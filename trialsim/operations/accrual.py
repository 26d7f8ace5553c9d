"""When patients enter: the laws of accrual."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trialsim.compiled import kernel
from trialsim.draws import Purpose, uniform, unit_exponential
from trialsim.stats.piecewise import PiecewiseIntensity, piece_days, piecewise_intensity
from trialsim.timegrid import delay_ticks

_ARRIVAL = int(Purpose.ARRIVAL)


@dataclass(frozen=True)
class AccrualLaw:
    """A law of entry times.

    Parameters
    ----------
    random
        Whether entry times differ between replicates.
    over
        Length of the period in which ``n`` patients enter, in days, or None for a law given by rates.
    pieces
        Rates of arrival for a law given by rates, one group.
    paced_for
        Patients for whom the period is meant, where more may come at that pace; None for those asked for.
    """

    random: bool
    over: float | None
    pieces: PiecewiseIntensity | None
    paced_for: int | None = None

    def entry_ticks(self, seed: int, replicate: int, n: int, grid: int) -> NDArray[np.int64]:
        """Return the entry times of one replicate.

        Parameters
        ----------
        seed, replicate
            Address of the draws.
        n
            Patients to enter.
        grid
            Step of the time grid in ticks.

        Returns
        -------
        numpy.ndarray
            int64 ``[n]``, ticks since the start of accrual, not decreasing; patient ``i`` is the ``i``-th to enter.
        """
        out = np.empty(n, dtype=np.int64)
        if self.pieces is not None:
            p = self.pieces
            _enter_by_rate(seed, replicate, self.random, p.begin, p.width, p.slope, p.jump, grid, out)
        elif self.over is not None:
            _enter_over(seed, replicate, self.random, self.over, self.paced_for or n, grid, out)
        return out


def accrual_law(kind: str, over: float | None, rates: list[tuple[float, float]], arrivals: str) -> AccrualLaw:
    """Return the law that a scenario states.

    Parameters
    ----------
    kind
        ``evenly_spaced``, ``uniform``, ``piecewise`` or ``poisson``.
    over
        Length of the period in days, for the laws that state one.
    rates
        Starts in days and rates per day, for the laws that state them.
    arrivals
        ``poisson`` or ``evenly_spaced`` spacing of a piecewise law.

    Returns
    -------
    AccrualLaw
        Ready to draw from.
    """
    if over is not None:
        return AccrualLaw(kind == "uniform", over, None)
    spaced = kind == "evenly_spaced" or (kind == "piecewise" and arrivals == "evenly_spaced")
    starts, values = zip(*rates, strict=True)
    if starts[0] > 0.0:
        starts, values = (0.0, *starts), (0.0, *values)
    return AccrualLaw(not spaced, None, piecewise_intensity([(starts, values)]))


@kernel
def _enter_over(seed, replicate, random, over, n, grid, out):  # type: ignore[no-untyped-def]
    """Enter ``n`` patients within a period, and more at their pace: at equal distances, or at ordered uniform times."""
    for i in range(len(out)):
        if random:
            out[i] = delay_ticks(uniform(seed, replicate, i, _ARRIVAL, 0) * over, grid)
        else:
            out[i] = delay_ticks((i + 1) * over / n, grid)
    if random:
        out.sort()


@kernel
def _enter_by_rate(seed, replicate, random, begin, width, slope, jump, grid, out):  # type: ignore[no-untyped-def]
    """Enter patients at unit steps of the cumulative rate: exponential ones, or equal ones."""
    amount = 0.0
    for i in range(len(out)):
        amount += unit_exponential(uniform(seed, replicate, i, _ARRIVAL, 0)) if random else 1.0
        days = 0.0
        for j in range(begin.shape[1]):
            days += piece_days(amount, begin[0, j], width[0, j], slope[0, j], jump[0, j])
        out[i] = delay_ticks(days, grid)
