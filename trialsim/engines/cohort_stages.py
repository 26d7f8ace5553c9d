"""Stages that are split by patients: each is a cohort followed to an end of its own, and tested in one or two parts.

The patients randomised between two looks are a stage. Their p value is taken at an end fixed in advance, whatever was
decided meanwhile and by what, so that the stages' p values are independent under no effect although interim decisions see
everything of patients who are still followed (Jenkins, Stone and Jennison 2011, Pharm. Stat. 10, 347-356; Irle and Schaefer
2012, JASA 107, 341-350). What is seen of a cohort after its end is not tested (Magirr et al. 2016, PLoS ONE 11, e0146465).

All stages are tested at the last look. Where looks before it may reject, each stage's patients are tested at their own
look as well, and at the last look what their score gained since: :mod:`trialsim.stats.combination.cohort_parts`.
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
from trialsim.stats.combination.closed_stages import Found as Closed

_OK, _NOT_ANALYSED = np.int8(Status.OK), np.int8(Status.NOT_ANALYSED)


@dataclass(frozen=True)
class Cohorts:
    """What the stages of some trials at their last look were, where they are split by patients.

    Parameters
    ----------
    ends
        When each stage ended, ``[k, stage]``; -1 at looks before the last.
    z
        Statistics of each stage's patients at its end, ``[k, stage, test]``; not a number where there is none.
    interim_z, since_z
        Those at the stage's own look and of what the score gained since, ``[k, stage, test]``; not a number where stages
        are tested at the last look alone.
    untested
        Events known at the look that came after the end of their stage, ``[k]``; not a number at looks before the last.
    """

    ends: Ints
    z: Floats
    interim_z: Floats
    since_z: Floats
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
        looks = len(plan.looks)
        self._plan, self._last = plan, looks - 1
        self._tests = ClosedStages(closed, size)
        self._there = np.zeros((looks, len(plan.tests), size), dtype=bool)
        self._in_parts = plan.stage_ends is not None and plan.stage_ends.tested_at_looks
        # Score and information of each stage at its own look.
        shape = (self._last if self._in_parts else 0, len(plan.tests), size)
        self._score, self._information = np.full(shape, np.nan), np.zeros(shape)

    def analyse(self, chunk: Chunk, point: Point, counts: CutCounts, there: Bools) -> Found:
        """Return what a look finds: see :meth:`trialsim.engines.stages.Stages.analyse`.

        Where only the last look tests, statistics before it are those of all data, by which arms may be chosen or given up;
        none is a test, so that none has failed where it could not be had.
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
        interim = point.number < self._last
        status[(status != _OK) & interim] = _NOT_ANALYSED
        own, lost = z.copy(), np.zeros((tests, size), dtype=bool)
        ends, untested = np.full((size, stages), -1), np.full(size, np.nan)
        at_end, at_look, since = (np.full((size, stages, tests), np.nan) for _ in range(3))
        cohorts = Cohorts(ends, at_end, at_look, since, untested)
        if self._in_parts:
            for stage in np.unique(point.number[interim]).tolist():
                at = np.flatnonzero(point.number == stage)
                self._test_at_look(chunk, part_of(point, at), stage, at, (z, own, lost), cohorts)
        last = np.flatnonzero(~interim)
        if len(last):
            self._test_at_end(chunk, part_of(point, last), last, (z, own, lost), cohorts)
            used = chunk.stage_events(point.rows[last], cohorts.ends[last]).sum(axis=1)
            cohorts.untested[last] = counts.events[last].sum(axis=1) - used
        z, own = np.where(held, z, np.nan), np.where(held, own, np.nan)
        return Found(z.T, effect.T, se.T, information.T, status.T, own.T, lost.T, cohorts)

    def _test_at_look(
        self,
        chunk: Chunk,
        point: Point,
        stage: int,
        at: Ints,
        into: tuple[Floats, Floats, Bools],
        cohorts: Cohorts,
    ) -> None:
        """Test the patients of the stage that ends with a look, as far as they had been followed by their own end."""
        z, own, lost = into
        there = np.ascontiguousarray(self._there[stage][:, point.rows])
        ends = np.minimum(chunk.stage_ends(point.rows)[:, stage], point.tick)
        found, information = self._statistics(chunk, point, stage, ends, there)
        self._score[stage][:, point.rows] = np.where(np.isnan(found), 0.0, found * np.sqrt(information))
        self._information[stage][:, point.rows] = information
        cohorts.interim_z[at, stage] = found.T
        closed = self._add(point, stage, found, there)
        z[:, at], own[:, at], lost[:, at] = closed.closed, closed.own, closed.lost

    def _test_at_end(
        self, chunk: Chunk, point: Point, at: Ints, into: tuple[Floats, Floats, Bools], cohorts: Cohorts
    ) -> None:
        """Test the stages of trials at their last look, or what is left of them, and put what is found in its place."""
        z, own, lost = into
        cohorts.ends[at] = np.minimum(chunk.stage_ends(point.rows), point.tick[:, None])
        for stage in range(self._last + 1):
            there = np.ascontiguousarray(self._there[stage][:, point.rows])
            ends = np.ascontiguousarray(cohorts.ends[at, stage])
            found, information = self._statistics(chunk, point, stage, ends, there)
            cohorts.z[at, stage] = found.T
            part = stage
            if self._in_parts:
                part += self._last
                if stage < self._last:
                    cohorts.interim_z[at, stage] = self._at_look(stage, point.rows).T
                    found = self._since(stage, point.rows, found, information)
                    cohorts.since_z[at, stage] = found.T
            closed = self._add(point, part, found, there)
        z[:, at], own[:, at], lost[:, at] = closed.closed, closed.own, closed.lost

    def _at_look(self, stage: int, rows: Ints) -> Floats:
        """Return the statistics of a stage's patients at their own look, ``[test, k]``; not a number where none was."""
        score, information = self._score[stage][:, rows], self._information[stage][:, rows]
        some = information > 0.0
        return np.where(some, score / np.sqrt(np.where(some, information, 1.0)), np.nan)

    def _since(self, stage: int, rows: Ints, z: Floats, information: Floats) -> Floats:
        """Return the statistics of what the score of a stage gained after its own look, ``[test, k]``."""
        step = np.where(np.isnan(z), np.nan, z * np.sqrt(information)) - self._score[stage][:, rows]
        gained = information - self._information[stage][:, rows]
        return np.where(gained > 0.0, step / np.sqrt(np.where(gained > 0.0, gained, 1.0)), np.nan)

    def _add(self, point: Point, part: int, z: Floats, there: Bools) -> Closed:
        """Add a part to the closed test."""
        return self._tests.add(point.rows, np.full(len(point.rows), part), z, there, None)

    def _statistics(
        self, chunk: Chunk, point: Point, stage: int, ends: Ints, there: Bools
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return statistics and information of one stage's patients as of some times, ``[test, k]``.

        A statistic is not a number, and its information 0, where there is none.
        """
        found, information = np.full(there.shape, np.nan), np.zeros(there.shape)
        as_of = Point(point.kind, point.rows, point.number, ends)
        for t, test in enumerate(self._plan.tests):
            chosen = np.flatnonzero(there[t])
            if not len(chosen):
                continue
            cut = chunk.cohort_cut(part_of(as_of, chosen), t, stage)
            estimates = test.analysis.estimate(cut, test.lower_is_better, test.options)
            usable = estimates.status == _OK
            found[t, chosen] = np.where(usable, estimates.z, np.nan)
            information[t, chosen] = np.where(usable, estimates.information, 0.0)
        return found, information
