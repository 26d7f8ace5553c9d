"""What the re-enactments of any trial are compared by: an estimator, and where a real figure lies among simulated ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

RANGE = (2.5, 97.5)


@dataclass(frozen=True)
class Figure:
    """One figure of the real trial among its re-enactments; ``percentile`` is where the real value falls."""

    arm: str
    name: str
    real: float
    mean: float
    low: float
    high: float
    percentile: float

    @property
    def inside(self) -> bool:
        """Whether the real value lies inside the central 95% of the re-enactments."""
        return self.low <= self.real <= self.high


def figure_among(arm: str, name: str, real: float, simulated: NDArray[Any]) -> Figure:
    """Return one figure; the percentile counts re-enactments below the real value, ties half."""
    low, high = np.percentile(simulated, RANGE)
    below = float(np.mean(simulated < real) + 0.5 * np.mean(simulated == real))
    return Figure(arm, name, real, float(simulated.mean()), float(low), float(high), 100.0 * below)


def survival_at(followed: NDArray[Any], event: NDArray[np.bool_], times: NDArray[Any]) -> tuple[Floats, Ints]:
    """Return Kaplan-Meier estimates (1958) and numbers at risk at some times.

    Parameters
    ----------
    followed
        Time from randomisation to event or censoring, ``[patient]``.
    event
        Whether it ended in the event; at equal times events come before censorings.
    times
        When to estimate, in the same unit, increasing, ``[time]``.
    """
    order = np.lexsort((~event, followed))
    sorted_times = followed[order]
    left = np.arange(len(followed), 0, -1)
    survival = np.concatenate([[1.0], np.cumprod(1.0 - event[order] / left)])
    reached = np.searchsorted(sorted_times, times, side="right")
    return survival[reached], len(followed) - np.searchsorted(sorted_times, times, side="left")
