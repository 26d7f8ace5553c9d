"""Looks of designs whose stages are tested together: what each stage shows, and what closed tests make of it.

A stage of a binary or continuous endpoint is what was read out after the look before, so that decisions at that look,
which saw none of it, leave its p value what it is. A stage of a survival endpoint is the increment of the log-rank score,
independent of what earlier looks saw (Tsiatis 1982).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from trialsim.contracts import Bools, Floats, Status
from trialsim.engines.plan import Plan
from trialsim.engines.points import Chunk, CutCounts, Point
from trialsim.stats.combination.closed_stages import ClosedPlan, ClosedStages

if TYPE_CHECKING:
    from trialsim.engines.cohort_stages import Cohorts

_OK, _NOT_ANALYSED = np.int8(Status.OK), np.int8(Status.NOT_ANALYSED)


@dataclass(frozen=True)
class Found:
    """What a look of a closed combination test finds, each ``[k, test]``.

    Parameters
    ----------
    z
        Closed statistics.
    effect, se, information, status
        Of the estimates from all data.
    own_z
        Statistics of each test alone.
    lost
        Which tests can no longer be rejected.
    cohorts
        The stages, where they are split by patients.
    """

    z: Floats
    effect: Floats
    se: Floats
    information: Floats
    status: NDArray[np.int8]
    own_z: Floats
    lost: Bools
    cohorts: Cohorts | None = None


class Stages:
    """The stages of the trials of a chunk.

    Parameters
    ----------
    plan
        Of the chunk.
    closed
        What the closed test fixes in advance.
    size
        Trials in it.
    """

    def __init__(self, plan: Plan, closed: ClosedPlan, size: int) -> None:
        self._plan = plan
        self._survival = plan.world.outcomes[plan.primary].kind == "survival"
        self._tests = ClosedStages(closed, size)
        tests = len(plan.tests)
        self._score, self._information = (np.zeros((tests, size if self._survival else 0)) for _ in range(2))
        self._readouts = np.zeros((size, len(plan.arms)), dtype=np.int64)
        self._sides = [0, *(test.treatment for test in plan.tests)]

    def analyse(self, chunk: Chunk, point: Point, counts: CutCounts, there: Bools) -> Found:
        """Return closed statistics, estimates from all data, their status, own statistics and what is lost.

        Parameters
        ----------
        chunk
            The trials.
        point
            Some of them at a look.
        counts
            What is visible there.
        there
            Which tests are undecided; the others are not analysed.

        Before the last look nothing has failed where no statistic can be had: an arm may be given up then.
        """
        tests, size = len(self._plan.tests), len(point.rows)
        held: Bools = np.ascontiguousarray(there.T)
        every = bool(held.all())
        shape = (tests, size)
        z, effect, se, information = (np.empty(shape) if every else np.full(shape, np.nan) for _ in range(4))
        status = np.full(shape, _NOT_ANALYSED, dtype=np.int8)
        for t in range(tests):
            chosen = np.flatnonzero(held[t])
            if not len(chosen):
                continue
            here = slice(None) if len(chosen) == size else chosen
            part = part_of(point, chosen)
            found = self._test(chunk, part, t)
            z[t, here], effect[t, here], se[t, here], information[t, here], status[t, here] = found
        # A stage without a statistic counts as p = 1, which is an answer; the last look must have an estimate.
        status[(status != _OK) & (point.number < len(self._plan.looks) - 1)] = _NOT_ANALYSED
        n = self._stage_sizes(point, counts)
        closed = self._tests.add(point.rows, point.number, z, held, n)
        value = closed.closed if every else np.where(held, closed.closed, np.nan)
        own = closed.own if every else np.where(held, closed.own, np.nan)
        return Found(value.T, effect.T, se.T, information.T, status.T, own.T, closed.lost.T)

    def _test(
        self, chunk: Chunk, point: Point, t: int
    ) -> tuple[Floats, Floats, Floats, Floats, NDArray[np.int8]]:
        """Return the statistic of a stage's own data for one test, and the estimates from all data."""
        test = self._plan.tests[t]
        whole = test.analysis.estimate(chunk.cut(point, t), test.lower_is_better, test.options)
        usable = whole.status == _OK
        if self._survival:
            z = self._increment(
                point, t, np.where(usable, whole.z, 0.0), np.where(usable, whole.information, 0.0)
            )
        elif not point.number.any():
            z = np.where(usable, whole.z, np.nan)
        else:
            stage = test.analysis.estimate(chunk.stage_cut(point, t), test.lower_is_better, test.options)
            z = np.where(stage.status == _OK, stage.z, np.nan)
        return z, whole.effect, whole.se, whole.information, whole.status

    def _increment(self, point: Point, t: int, z: Floats, information: Floats) -> Floats:
        """Return what the score of a log-rank test has gained since the look before, as a statistic; NaN for nothing."""
        score = z * np.sqrt(information)
        gained = information - self._information[t, point.rows]
        step = score - self._score[t, point.rows]
        self._score[t, point.rows], self._information[t, point.rows] = score, information
        return np.where(gained > 0.0, step / np.sqrt(np.where(gained > 0.0, gained, 1.0)), np.nan)

    def _stage_sizes(self, point: Point, counts: CutCounts) -> NDArray[np.int64] | None:
        """Return the read-outs of the stage on control and in the arms of the tests, ``[1 + test, k]``."""
        if self._survival:
            return None  # the planned shares are those of the numbers at risk while nothing differs
        if len(point.rows) == len(self._readouts):
            gained = counts.readouts - self._readouts
            self._readouts[:] = counts.readouts
        else:
            gained = counts.readouts - self._readouts.take(point.rows, axis=0)
            self._readouts[point.rows] = counts.readouts
        return np.stack([gained[:, arm] for arm in self._sides])


def part_of(point: Point, chosen: NDArray[np.int64]) -> Point:
    """Return a point of some of its trials; the very same one where those are all."""
    if len(chosen) == len(point.rows):
        return point
    return Point(point.kind, point.rows[chosen], point.number[chosen], point.tick[chosen])
