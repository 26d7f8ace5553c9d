"""Piecewise-constant intensities: their cumulative function and its inverse.

The inverse is a sum of clipped pieces, one a segment, so that it has no branch and vectorises over patients; a segment
of zero intensity adds its whole length as soon as anything lies beyond it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trialsim.compiled import inline
from trialsim.timegrid import LAST_TICK, TICKS_PER_DAY

Floats = NDArray[np.float64]

LAST_DAY = LAST_TICK / TICKS_PER_DAY


@dataclass(frozen=True)
class PiecewiseIntensity:
    """Intensities that are constant between break points, for several groups at once.

    Parameters
    ----------
    begin
        Cumulative intensity at the start of each segment, ``[group, segment]``.
    width
        Cumulative intensity spanned by the segment (infinite in the last one), ``[group, segment]``.
    slope
        Days per unit of cumulative intensity, 0 where the intensity is 0, ``[group, segment]``.
    jump
        Days added as soon as the segment is entered: its length where the intensity is 0, else 0.
    starts
        Break points in days, ``[group, segment]``.
    rates
        Intensities per day, ``[group, segment]``.
    """

    begin: Floats
    width: Floats
    slope: Floats
    jump: Floats
    starts: Floats
    rates: Floats

    @property
    def lasting(self) -> bool:
        """Whether the first segment of every group lasts for ever, so that no other adds anything."""
        return bool((self.width[:, 0] == np.inf).all())

    def cumulative(self, group: int, days: Floats) -> Floats:
        """Return the cumulative intensity of one group by each time.

        Parameters
        ----------
        group
            Index of the group.
        days
            Times in days, any shape.

        Returns
        -------
        numpy.ndarray
            Same shape as ``days``.
        """
        total = np.zeros_like(np.asarray(days, dtype=np.float64))
        starts = self.starts[group][np.isfinite(self.starts[group])]
        ends = np.append(starts[1:], np.inf)
        for start, end, rate in zip(starts, ends, self.rates[group][: len(starts)], strict=True):
            total = total + rate * np.clip(days - start, 0.0, end - start)
        return total


def piecewise_intensity(groups: Sequence[tuple[Sequence[float], Sequence[float]]]) -> PiecewiseIntensity:
    """Return the pieces of several step functions, padded to the same number of segments.

    Parameters
    ----------
    groups
        For each group the starts of its segments in days (the first is 0) and its intensities per day.

    Returns
    -------
    PiecewiseIntensity
        Arrays ``[group, segment]``.
    """
    segments = max(len(starts) for starts, _ in groups)
    shape = (len(groups), segments)
    begin, width = np.full(shape, np.inf), np.zeros(shape)
    slope, jump = np.zeros(shape), np.zeros(shape)
    padded_starts, padded_rates = np.full(shape, np.inf), np.zeros(shape)
    for g, (starts, rates) in enumerate(groups):
        cumulative = 0.0
        for j, (start, rate) in enumerate(zip(starts, rates, strict=True)):
            last = j + 1 == len(starts)
            length = LAST_DAY if last else starts[j + 1] - start
            begin[g, j] = cumulative
            padded_starts[g, j], padded_rates[g, j] = start, rate
            if rate > 0.0:
                width[g, j] = np.inf if last else rate * length
                slope[g, j] = 1.0 / rate
            else:
                jump[g, j] = length
            cumulative += 0.0 if last else rate * length
    return PiecewiseIntensity(begin, width, slope, jump, padded_starts, padded_rates)


@inline
def piece_days(amount: float, begin: float, width: float, slope: float, jump: float) -> float:
    """Return the days that one segment adds until the cumulative intensity reaches ``amount``."""
    return min(max(amount - begin, 0.0), width) * slope + (jump if amount > begin else 0.0)
