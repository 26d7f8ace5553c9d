"""Patients of the fast engine by stage: who was randomised between two looks, and what is known of them alone."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import numpy as np

from trialsim.contracts import Bools, Ints, TestPlan
from trialsim.engines import fast_count_kernels as counting
from trialsim.engines.fast_outcomes import FastCut, Outcome
from trialsim.engines.points import Point
from trialsim.timegrid import NEVER

if TYPE_CHECKING:
    from trialsim.engines.fast import FastChunk


class FastCohorts:
    """The stages of the trials of a chunk, each the patients randomised after one look and up to the next.

    Parameters
    ----------
    chunk
        The trials, of a design whose stages are split by patients.
    """

    def __init__(self, chunk: FastChunk) -> None:
        self._cuts = np.full((len(chunk.replicates), len(chunk.plan.looks)), NEVER)
        self._outcomes: dict[int, Outcome] = {}

    def note(self, point: Point) -> None:
        """Note that looks are taken: who was randomised by then is in the stage that ends with them."""
        self._cuts[point.rows, point.number] = point.tick

    def members(self, chunk: FastChunk, rows: Ints, stage: int) -> Bools:
        """Return which patients belong to a stage, ``[k, patient]``."""
        entry = chunk.entry[rows] if len(chunk.entry) > 1 else chunk.entry
        after = np.full(len(rows), -1) if stage == 0 else self._cuts[rows, stage - 1]
        last = stage == self._cuts.shape[1] - 1
        until = np.full(len(rows), NEVER) if last else self._cuts[rows, stage]
        return np.asarray((entry > after[:, None]) & (entry <= until[:, None]))

    def ends(self, chunk: FastChunk, rows: Ints) -> Ints:
        """Return when each stage ends, ``[k, stage]``; NEVER where its patients do not have as many events."""
        planned = chunk.plan.stage_ends
        assert planned is not None
        if planned.ticks is not None:
            return np.broadcast_to(np.array(planned.ticks, dtype=np.int64), (len(rows), len(planned.ticks)))
        assert planned.events is not None
        outcome, everybody = chunk.outcome(planned.endpoint), np.ones(len(chunk.plan.arms), dtype=bool)
        ends = np.empty((len(rows), len(planned.events)), dtype=np.int64)
        dates = np.empty(len(rows), dtype=np.int64)
        further = chunk.further(rows)
        for stage, events in enumerate(planned.events):
            count = events + further if stage == len(planned.events) - 1 else np.array([events])
            theirs = np.where(self.members(chunk, rows, stage), outcome.reported_at[rows], NEVER)
            counting.dates_of_counts(np.arange(len(rows)), theirs, chunk.arm, everybody, count, dates)
            ends[:, stage] = np.where(dates < NEVER, dates + outcome.law.readout_ticks, NEVER)
        return ends

    def events(self, chunk: FastChunk, rows: Ints, ends: Ints) -> Ints:
        """Return the events of each stage's patients that are known by its end, ``[k, stage]``."""
        planned = chunk.plan.stage_ends
        assert planned is not None
        outcome, found = chunk.outcome(planned.endpoint), np.empty(ends.shape, dtype=np.int64)
        for stage in range(ends.shape[1]):
            until = ends[:, stage, None] - outcome.law.readout_ticks
            known = self.members(chunk, rows, stage) & (outcome.analysed_at[rows] <= until)
            found[:, stage] = known.sum(axis=1)
        return found

    def outcome(self, chunk: FastChunk, stage: int, analysed: Outcome) -> Outcome:
        """Return the outcomes that a test analyses, with a memory of the exits seen of its own.

        The exits of a stage are seen up to its end, which may be earlier than looks that saw those of all patients.
        """
        if analysed is not chunk.outcome(analysed.index):
            return _apart(analysed)
        if stage not in self._outcomes:
            self._outcomes[stage] = _apart(analysed)
        return self._outcomes[stage]


def _apart(outcome: Outcome) -> Outcome:
    """Return the same outcomes, of which nothing has been seen so far."""
    made = copy.copy(outcome)
    made.begin_anew()
    return made


class CohortCut(FastCut):
    """What is known for one test at a point of the patients of one stage; see :class:`~trialsim.contracts.DataCut`."""

    def __init__(
        self, chunk: FastChunk, point: Point, test: TestPlan, stage: int, cohorts: FastCohorts
    ) -> None:
        super().__init__(chunk, point, test)
        self._outcome = cohorts.outcome(chunk, stage, self._outcome)
        self._members = cohorts.members(chunk, point.rows, stage)

    def _strata(self) -> tuple[Ints, int]:
        """Return the stratum of each patient in the analysis, beyond the last one where they are of another stage."""
        strata, count = super()._strata()
        rows = self._point.rows
        own = np.full((len(self._chunk.replicates), self._members.shape[1]), count, dtype=np.int64)
        own[rows] = np.where(self._members, strata[rows] if len(strata) > 1 else strata, count)
        return own, count

    def _here(self) -> tuple[Ints, Ints]:
        """Return place of the replicate and patient of those of the stage who are followed."""
        places, patients = super()._here()
        chosen = self._members[places, patients]
        return places[chosen], patients[chosen]
