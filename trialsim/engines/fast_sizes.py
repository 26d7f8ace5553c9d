"""Sizes of the trials of a chunk that are re-estimated: who of the patients laid out come, and when.

As long as nobody has been turned away, entry times are those of the accrual, shared by all replicates, and each replicate
has so many of them. Enrolment that had closed and opens again moves later patients, and losses differ between
replicates: then every replicate has entry times of its own, NEVER for those who do not come.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from trialsim.contracts import Bools, Ints
from trialsim.timegrid import NEVER

if TYPE_CHECKING:
    from trialsim.engines.fast import FastChunk


class Resized(NamedTuple):
    """Changes of size that were decided together, each array ``[k]``.

    Parameters
    ----------
    rows
        Positions in the chunk.
    tick, look
        When, and at which look.
    target
        Patients to randomise from then on, or events to wait for.
    entered
        Patients randomised by then.
    reopens, closes
        Whether enrolment had closed and opens again, or closes now.
    """

    rows: Ints
    tick: Ints
    look: Ints
    target: Ints
    entered: Ints
    reopens: Bools
    closes: Bools


class FastEvents:
    """How many events looks wait for in each replicate of a chunk; whoever comes is as planned.

    Attributes
    ----------
    further
        Events that looks wait for beyond those first planned, ``[replicate]``.
    changes
        What was decided, in order; ``target`` is the number of events.
    shared
        Whether all replicates share read-outs in the order of entry, which events never have.
    """

    shared = False

    def __init__(self, chunk: FastChunk) -> None:
        self.further = np.zeros(len(chunk.replicates), dtype=np.int64)
        self.changes: list[Resized] = []

    def resize(self, chunk: FastChunk, rows: Ints, ticks: Ints, further: Ints) -> None:
        """Let some replicates wait for other numbers of events from some times on."""
        changed = np.flatnonzero(further != self.further[rows])
        if not len(changed):
            return
        rows, ticks, further = rows[changed], ticks[changed], further[changed]
        self.further[rows] = further
        never, nobody = np.zeros(len(rows), dtype=bool), np.zeros(len(rows), dtype=np.int64)
        target = chunk.plan.events_awaited + further
        self.changes.append(Resized(rows, ticks, chunk.looks_at(rows), target, nobody, never, never))


def sizes_of(chunk: FastChunk) -> FastSizes | FastEvents | None:
    """Return what keeps the sizes of a chunk, where its design re-estimates them."""
    resizing = chunk.plan.resizing
    if resizing is None:
        return None
    return FastEvents(chunk) if resizing.by_events else FastSizes(chunk)


class FastSizes:
    """How many patients come in each replicate of a chunk.

    Attributes
    ----------
    coming
        Patients who come, as far as is decided, ``[replicate]``.
    further
        Read-outs that looks wait for beyond those first planned, ``[replicate]``.
    changes
        What was decided, in order.
    """

    def __init__(self, chunk: FastChunk) -> None:
        plan, size = chunk.plan, len(chunk.replicates)
        self.coming = np.full(size, plan.n)
        self.further = np.zeros(size, dtype=np.int64)
        self.changes: list[Resized] = []
        self._closed = np.full(size, NEVER)
        self._natural = chunk.entry
        world = plan.world
        only_readouts = all(law.kind != "survival" for law in world.outcomes)
        self._shared = (
            len(chunk.entry) == 1 and world.dropout is None and world.costs is None and only_readouts
        )
        if not self._shared:
            self._separate(chunk)

    @property
    def shared(self) -> bool:
        """Whether all replicates share the entry times of the accrual, of which each has its first."""
        return self._shared

    def _separate(self, chunk: FastChunk) -> None:
        """Give every replicate entry times of its own."""
        self._shared = False
        shape = (len(self.coming), chunk.patients.width)
        self._natural = np.broadcast_to(self._natural, shape).copy()
        chunk.set_entry(self._those_who_come(np.arange(shape[0])))

    def _those_who_come(self, rows: Ints) -> Ints:
        """Return the entry times of some replicates, NEVER for those who do not come."""
        natural = self._natural[rows]
        return np.where(np.arange(natural.shape[1]) < self.coming[rows][:, None], natural, NEVER)

    def resize(self, chunk: FastChunk, rows: Ints, ticks: Ints, further: Ints) -> None:
        """Let some replicates wait for other numbers of read-outs from some times on, and enrol accordingly."""
        changed = np.flatnonzero(further != self.further[rows])
        if not len(changed):
            return
        rows, ticks, further = rows[changed], ticks[changed], further[changed]
        before = self.coming[rows]
        entered = self._entered(chunk, rows, ticks)
        target = chunk.plan.size_after(further)
        was_closed = entered >= before
        entry = chunk.entry[rows if len(chunk.entry) > 1 else np.zeros_like(rows), before - 1]
        closed = np.where(was_closed, np.where(self._closed[rows] < NEVER, self._closed[rows], entry), NEVER)
        reopens, closes = was_closed & (target > entered), ~was_closed & (target <= entered)
        pause = np.where(reopens, ticks - closed, 0)
        if self._shared and reopens.any():
            self._separate(chunk)
            for index in range(len(chunk.plan.world.outcomes)):
                chunk.outcome(index).separate(len(self.coming))
            chunk.lay_out_outcomes(np.arange(len(self.coming)), np.zeros(len(self.coming), dtype=np.int64))
        self._closed[rows] = np.where(reopens, NEVER, np.where(closes, ticks, closed))
        self.further[rows], self.coming[rows] = further, np.maximum(target, entered)
        self.changes.append(Resized(rows, ticks, chunk.looks_at(rows), target, entered, reopens, closes))
        first = np.zeros(len(self.coming), dtype=np.int64)
        if self._shared:
            first[rows] = before
            chunk.lay_out_outcomes(rows[self.coming[rows] > before], first)
            return
        opened = np.flatnonzero(reopens)
        if len(opened):
            self._move(rows[opened], entered[opened], pause[opened], ticks[opened] + chunk.plan.grid)
        chunk.set_entry(self._those_who_come(rows), rows)
        if len(opened):
            chunk.patients.enter_anew(self._natural)
        first[rows] = entered
        chunk.lay_out_outcomes(rows, first)

    def _move(self, rows: Ints, entered: Ints, pause: Ints, earliest: Ints) -> None:
        """Let those who have not come yet come later by a pause, and not before some times."""
        natural = self._natural[rows]
        moved = np.maximum(natural + pause[:, None], earliest[:, None])
        self._natural[rows] = np.where(np.arange(natural.shape[1]) >= entered[:, None], moved, natural)

    def _entered(self, chunk: FastChunk, rows: Ints, ticks: Ints) -> Ints:
        """Return how many patients were randomised by some times."""
        if len(chunk.entry) == 1:
            come = np.searchsorted(chunk.entry[0], ticks, side="right")
            return np.asarray(np.minimum(come, self.coming[rows]))
        return np.asarray((chunk.entry[rows] <= ticks[:, None]).sum(axis=1))
