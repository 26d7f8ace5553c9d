"""What the re-enactments of any trial are compared by: an estimator, and where a real figure lies among simulated ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

RANGE = (2.5, 97.5)


@dataclass(frozen=True)
class Figure:
    """One figure of the real trial among its re-enactments; ``percentile`` is where the real value falls.

    ``simulated`` has the figure of each re-enactment, ``[replicate]``.
    """

    arm: str
    name: str
    real: float
    mean: float
    low: float
    high: float
    percentile: float
    simulated: Floats = field(repr=False, compare=False)

    @property
    def inside(self) -> bool:
        """Whether the real value lies inside the central 95% of the re-enactments."""
        return self.low <= self.real <= self.high


def figure_among(arm: str, name: str, real: float, simulated: NDArray[Any]) -> Figure:
    """Return one figure; the percentile counts re-enactments below the real value, ties half."""
    low, high = np.percentile(simulated, RANGE)
    below = float(np.mean(simulated < real) + 0.5 * np.mean(simulated == real))
    return Figure(arm, name, real, float(simulated.mean()), float(low), float(high), 100.0 * below, simulated)


@dataclass(frozen=True)
class Joint:
    """Many figures at once: how often one re-enactment, taken for the real trial, would be as far off as that is.

    Parameters
    ----------
    figures, outside
        How many there are, and how many real values lie outside the central 95% of the re-enactments.
    usual
        2.5th, 50th and 97.5th percentile of the number outside, over re-enactments.
    p_outside
        Share of trials, the real one among them, with as many outside or more.
    p_extreme
        Share of trials, the real one among them, whose most extreme figures are as extreme or more.
    """

    figures: int
    outside: int
    usual: tuple[float, float, float]
    p_outside: float
    p_extreme: float


def joint(listed: Sequence[Figure]) -> Joint:
    """Return how far off the real trial is in many figures at once.

    Figures of one trial hang together, so that the number outside varies much more than that of independent ones. What
    is usual is read off the re-enactments themselves: each is set among all trials as the real one is.

    Notes
    -----
    ``p_extreme`` is that of the extreme rank length (Myllymäki, Mrkvička, Grabarnik, Seijo and Hahn, J R Stat Soc B
    2017;79:381, section 4): trials are ordered by their figures' ranks from the nearer end, the smallest first.
    """
    trials = np.array([np.append(one.simulated, one.real) for one in listed]).T
    columns = [(np.sort(column), column) for column in trials.T]
    below = np.array([np.searchsorted(ranked, column, side="left") for ranked, column in columns]).T
    reached = np.array([np.searchsorted(ranked, column, side="right") for ranked, column in columns]).T
    depths = np.sort(np.minimum(below, len(trials) - reached), axis=1)
    low, high = np.percentile(trials[:-1], RANGE, axis=0)
    outside = ((trials < low) | (trials > high)).sum(axis=1)
    order = np.lexsort(depths.T[::-1])
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    last_equal = place[(depths == depths[-1]).all(axis=1)].max()
    return Joint(
        len(listed),
        int(outside[-1]),
        tuple(float(v) for v in np.percentile(outside[:-1], (2.5, 50, 97.5))),
        float((outside >= outside[-1]).mean()),
        float((last_equal + 1) / len(trials)),
    )


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
