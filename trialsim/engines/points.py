"""What passes between an engine and the loop that runs it: decision points, and what is left when a trial has ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from trialsim.contracts import Bools, DataCut, Decision, Floats, Ints, LogRow
from trialsim.engines.life_tally import LifeTally
from trialsim.engines.plan import Plan


@dataclass(frozen=True)
class CutCounts:
    """Visible counts by arm at a cut, each ``[replicate, arm]``, of the plan's primary endpoint."""

    enrolled: Ints
    events: Ints
    readouts: Ints


@dataclass(frozen=True)
class Point:
    """Replicates that have come to a decision.

    Parameters
    ----------
    kind
        ``look`` or ``review``.
    rows
        Positions of the replicates in the chunk, ``[k]``.
    number
        Index of the look, or number of the review, from 0, ``[k]``.
    tick
        The cut, ``[k]``.
    """

    kind: str
    rows: Ints
    number: Ints
    tick: Ints


@dataclass(frozen=True)
class Ends:
    """How the trials of a chunk ended, each ``[replicate]`` unless said otherwise.

    Parameters
    ----------
    reason
        :class:`~trialsim.contracts.Stop` codes.
    tick
        When the trial ended.
    look
        Index of the look that decided, or -1.
    cut
        Data cut of that look, or the end.
    enrolled
        Patients randomised when randomisation ended.
    enrolment_end
        Time of the last randomisation, 0 without any.
    last_visit
        When the last patient randomised gives the last read-out, at least the cut.
    arm_enrolled
        ``[replicate, arm]``.
    dropped_look
        Look (from 1) at which an arm was closed, 0 for never, ``[replicate, arm]``.
    """

    reason: NDArray[np.int8]
    tick: Ints
    look: Ints
    cut: Ints
    enrolled: Ints
    enrolment_end: Ints
    last_visit: Ints
    arm_enrolled: Ints
    dropped_look: Ints


class Chunk(Protocol):
    """The state of some replicates of one plan in an engine."""

    plan: Plan
    replicates: Ints

    def advance(self) -> Point | None:
        """Run every live replicate to its next decision and return those that share a kind; None when all ended."""
        ...

    def cut(self, point: Point, test: int) -> DataCut:
        """Return what is known for a test at the point."""
        ...

    def counts(self, rows: Ints, ticks: Ints) -> CutCounts:
        """Return the visible counts of some replicates at some times."""
        ...

    def lost(self, rows: Ints, ticks: Ints) -> Ints:
        """Return how many patients were lost to follow-up by some times, ``[k, arm]``."""
        ...

    def tally(self, ticks: Ints) -> LifeTally | None:
        """Return what has become of the patients of each replicate by a time, ``[replicate]``, where the scenario says."""
        ...

    def totals(self, point: Point) -> tuple[Ints, Floats]:
        """Return read-outs and their sum by arm, ``[k, arm]``, of the endpoint a randomisation policy learns from."""
        ...

    def open_arms(self, rows: Ints) -> Bools:
        """Return which arms are open to allocation, ``[k, arm]``."""
        ...

    def apply(self, point: Point, decision: Decision, marks: Floats) -> None:
        """Take a decision into account from its time on; ``marks[k, test]`` are the statistics for the log."""
        ...

    def ends(self) -> Ends:
        """Return how every trial ended; only once :meth:`advance` has returned None."""
        ...

    def log(self, row: int) -> list[LogRow]:
        """Return the event log of one replicate, in order."""
        ...
