"""The bounds in force at the looks of a chunk: those of the plan, or those of the information that was actually seen."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trialsim.contracts import BoundsFollower, Floats, Ints
from trialsim.engines.plan import Plan
from trialsim.engines.points import CutCounts, Point


class BoundsInForce:
    """Remembers what each trial of a chunk saw at its looks, as far as bounds depend on it.

    Parameters
    ----------
    plan
        Of the chunk.
    size
        Trials in it.
    """

    def __init__(self, plan: Plan, size: int) -> None:
        self._plan = plan
        self._follows = any(test.follower is not None for test in plan.tests)
        self._survival = plan.world.outcomes[plan.primary].kind == "survival"
        self._seen = np.zeros((size if self._follows else 0, len(plan.looks)), dtype=np.int64)

    def at(self, point: Point, counts: CutCounts) -> tuple[Floats, Floats]:
        """Return the efficacy and futility bounds of a round of looks, ``[k, test]``.

        Parameters
        ----------
        point
            The looks.
        counts
            What is visible at them.
        """
        plan, number = self._plan, point.number
        efficacy: Floats = plan.efficacy_z.T.take(number, axis=1).T
        futility: Floats = plan.futility_z.T.take(number, axis=1).T
        if self._follows:
            seen = counts.events if self._survival else counts.readouts
            self._seen[point.rows, number] = seen.sum(axis=1)
            for place, test in enumerate(plan.tests):
                if test.follower is not None:
                    self._follow(test.follower, point, efficacy[:, place], futility[:, place])
        return efficacy, futility

    def _follow(self, follower: BoundsFollower, point: Point, efficacy: Floats, futility: Floats) -> None:
        """Replace, in place, the bounds of those trials that have seen other counts than planned."""
        last = len(self._plan.looks) - 1
        for k in self._off_plan(follower, point):
            row, look = point.rows[k], int(point.number[k])
            path = tuple(self._seen[row, : look + 1].tolist())
            efficacy[k], futility[k] = follower.at(path, look == last)

    def _off_plan(self, follower: BoundsFollower, point: Point) -> Ints:
        """Return which trials have seen other counts than planned, now or at an earlier look."""
        if follower.counts is None:
            return np.arange(len(point.rows))
        other = self._seen[point.rows] != np.array(follower.counts)
        reached: NDArray[np.bool_] = np.arange(other.shape[1]) <= point.number[:, None]
        return np.flatnonzero((other & reached).any(axis=1))
