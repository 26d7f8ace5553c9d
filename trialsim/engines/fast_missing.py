"""Whose outcomes of the fast engine's patients are missing at a cut, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from trialsim.contracts import Ints
from trialsim.engines.fast_count_kernels import counts_by_arm
from trialsim.engines.fast_missing_kernels import lost_by_arm, missing_by_arm
from trialsim.engines.fast_pipeline import parts_add_up
from trialsim.engines.fast_straight_kernels import DEAD
from trialsim.engines.missing_records import LOST, REASONS, MissingOutcomes
from trialsim.engines.strategies import COMPOSITE
from trialsim.timegrid import NEVER

if TYPE_CHECKING:
    from trialsim.engines.fast import FastChunk
    from trialsim.engines.fast_lives import FastLives
    from trialsim.engines.fast_outcomes import Outcome


def missing_outcomes(chunk: FastChunk, ticks: Ints, lost: Ints) -> MissingOutcomes:
    """Return whose outcome of the primary endpoint is missing at some times, by when so many were lost, ``[k, arm]``."""
    lives, plan = chunk.lives, chunk.plan
    if lives is None:
        return _lost_alone(chunk, ticks, lost)
    outcome, rows = chunk.outcome(plan.primary), np.arange(len(ticks))
    survival = outcome.law.kind == "survival"
    nothing = np.empty((0, chunk.entry.shape[1]), dtype=np.int64)
    ends = (outcome.event_at, outcome.known_at) if survival else (nothing, nothing)
    known, wait = (outcome.analysed_at, outcome.law.readout_ticks) if survival else (outcome.readout_at, 0)
    failed = nothing if plan.tests[0].strategy != COMPOSITE else _failures(chunk, lives, outcome)
    closed = lives.last_visits(rows) if lives.seen_at_visits(outcome.index) else nothing
    out = np.zeros((len(ticks), len(plan.arms), len(REASONS) + 2), dtype=np.int64)
    missing_by_arm(
        rows, ticks, chunk.entry, known, wait, *ends, closed, chunk.dropout, chunk.complete, lives.left, failed,
        outcome.law.readout_ticks, chunk.arm, out,
    )  # fmt: skip
    return MissingOutcomes(out[:, :, :-2], out[:, :, -2], out[:, :, -1])


def _lost_alone(chunk: FastChunk, ticks: Ints, lost: Ints) -> MissingOutcomes:
    """Return the same where patients leave by loss alone: who is due and not lost is known, or an event can come."""
    outcome, rows = chunk.outcome(chunk.plan.primary), np.arange(len(ticks))
    survival, wait = outcome.law.kind == "survival", outcome.law.readout_ticks
    shape = (len(ticks), len(chunk.plan.arms))
    if not parts_add_up(chunk):  # who is lost may have had the outcome
        come, lost = outcome.event_at if survival else outcome.readout_at, np.empty(shape, dtype=np.int64)
        lost_by_arm(rows, ticks, chunk.entry, come, chunk.dropout, chunk.complete, chunk.arm, lost)
    missing = np.zeros((*shape, len(REASONS)), dtype=np.int64)
    missing[:, :, LOST] = lost
    if survival:
        return MissingOutcomes(missing, chunk.enrolled(rows, ticks), lost)
    due, read_out = np.empty(shape, dtype=np.int64), np.empty(shape, dtype=np.int64)
    counts_by_arm(rows, ticks - wait, chunk.entry, chunk.arm, chunk.coming, due)
    counts_by_arm(rows, ticks, outcome.readout_at, chunk.arm, chunk.coming, read_out)
    return MissingOutcomes(missing, due, due - read_out)


def _failures(chunk: FastChunk, lives: FastLives, outcome: Outcome) -> Ints:
    """Return from when on a composite strategy counts each patient as a failure, NEVER for who is none."""
    died = np.where(lives.left == DEAD, chunk.entry + lives.complete, NEVER)
    if lives.is_death(outcome.index):
        return lives.quit_at  # of death itself, what is told counts
    first = np.minimum(lives.quit_at, died)
    if outcome.law.kind == "survival":
        return first
    return np.where(first < chunk.entry + outcome.law.readout_ticks, first, NEVER)
