"""Stages that are split by patients: each is a cohort followed to an end of its own, all are tested at the last look.

The patients randomised between two looks are a stage. Their p value is taken at an end fixed in advance, whatever was
decided meanwhile and by what, so that the stages' p values are independent under no effect although interim decisions see
everything of patients who are still followed (Jenkins, Stone and Jennison 2011, Pharm. Stat. 10, 347-356; Irle and Schaefer
2012, JASA 107, 341-350). What is seen of a cohort after its end is not tested (Magirr et al. 2016, PLoS ONE 11, e0146465).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trialsim.contracts import Bools, Floats, Ints, Status
from trialsim.engines.plan import Plan
from trialsim.engines.points import Chunk, CutCounts, Point
from trialsim.engines.stages import Found, part_of
from trialsim.stats.combination.closed_stages import ClosedPlan, ClosedStages

_OK, _NOT_ANALYSED = np.int8(Status.OK), np.int8(Status.NOT_ANALYSED)


@dataclass(frozen=True)
class Cohorts:
    """What the stages of some trials at their last look were, where they are split by patients.

    Parameters
    ----------
    ends
        When each stage ended, ``[k, stage]``; -1 at looks before the last.
    z
        Statistics of each stage's patients, ``[k, stage, test]``; not a number where there is none.
    untested
        Events known at the look that came after the end of their stage, ``[k]``; not a number at looks before the last.
    """

    ends: Ints
    z: Floats
    untested: Floats


class CohortStages:
    """The stages of the trials of a chunk, each a cohort of patients.

    Parameters
    ----------
    plan
        Of the chunk, with the ends of its stages.
    closed
        What the closed test fixes in advance.
    size
        Trials in it.
    """

    def __init__(self, plan: Plan, closed: ClosedPlan, size: int) -> None:
        self._plan = plan
        self._tests = ClosedStages(closed, size)
        self._there = np.zeros((len(plan.looks), len(plan.tests), size), dtype=bool)

    def analyse(self, chunk: Chunk, point: Point, counts: CutCounts, there: Bools) -> Found:
        """Return what a look finds: see :meth:`trialsim.engines.stages.Stages.analyse`.

        Before the last look statistics are those of all data, by which arms may be chosen or given up; none is a test, so
        that none has failed where it could not be had.
        """
        tests, size, stages = len(self._plan.tests), len(point.rows), len(self._plan.looks)
        z, effect, se, information = (np.full((tests, size), np.nan) for _ in range(4))
        status = np.full((tests, size), _NOT_ANALYSED, dtype=np.int8)
        held: Bools = np.ascontiguousarray(there.T)
        for t, test in enumerate(self._plan.tests):
            self._there[point.number, t, point.rows] = held[t]
            chosen = np.flatnonzero(held[t])
            if not len(chosen):
                continue
            whole = test.analysis.estimate(
                chunk.cut(part_of(point, chosen), t), test.lower_is_better, test.options
            )
            z[t, chosen] = np.where(whole.status == _OK, whole.z, np.nan)
            effect[t, chosen], se[t, chosen] = whole.effect, whole.se
            information[t, chosen], status[t, chosen] = whole.information, whole.status
        interim = point.number < stages - 1
        status[(status != _OK) & interim] = _NOT_ANALYSED
        own, lost = z.copy(), np.zeros((tests, size), dtype=bool)
        nothing = np.full((size, stages, tests), np.nan)
        cohorts = Cohorts(np.full((size, stages), -1), nothing, np.full(size, np.nan))
        last = np.flatnonzero(point.number == stages - 1)
        if len(last):
            self._combine(chunk, part_of(point, last), last, (z, own, lost), cohorts)
            used = chunk.stage_events(point.rows[last], cohorts.ends[last]).sum(axis=1)
            cohorts.untested[last] = counts.events[last].sum(axis=1) - used
        z, own = np.where(held, z, np.nan), np.where(held, own, np.nan)
        return Found(z.T, effect.T, se.T, information.T, status.T, own.T, lost.T, cohorts)

    def _combine(
        self, chunk: Chunk, point: Point, at: Ints, into: tuple[Floats, Floats, Bools], cohorts: Cohorts
    ) -> None:
        """Test the stages of trials at their last look, and put what is found in its place."""
        z, own, lost = into
        cohorts.ends[at] = np.minimum(chunk.stage_ends(point.rows), point.tick[:, None])
        for stage in range(len(self._plan.looks)):
            ends = np.ascontiguousarray(cohorts.ends[at, stage])
            there = np.ascontiguousarray(self._there[stage][:, point.rows])
            statistics = self._statistics(
                chunk, Point(point.kind, point.rows, point.number, ends), stage, there
            )
            cohorts.z[at, stage] = statistics.T
            number = np.full(len(at), stage)
            closed = self._tests.add(point.rows, number, statistics, there, None)
        z[:, at], own[:, at], lost[:, at] = closed.closed, closed.own, closed.lost

    def _statistics(self, chunk: Chunk, point: Point, stage: int, there: Bools) -> NDArray[np.float64]:
        """Return the statistics of one stage's patients at its end, ``[test, k]``; not a number where there is none."""
        found = np.full(there.shape, np.nan)
        for t, test in enumerate(self._plan.tests):
            chosen = np.flatnonzero(there[t])
            if not len(chosen):
                continue
            cut = chunk.cohort_cut(part_of(point, chosen), t, stage)
            estimates = test.analysis.estimate(cut, test.lower_is_better, test.options)
            found[t, chosen] = np.where(estimates.status == _OK, estimates.z, np.nan)
        return found
