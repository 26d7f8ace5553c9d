"""Whose outcomes of the fast engine's patients are missing at a cut, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from trialsim.contracts import Ints
from trialsim.engines.fast_missing_kernels import missing_by_arm
from trialsim.engines.missing_records import REASONS, MissingOutcomes

if TYPE_CHECKING:
    from trialsim.engines.fast import FastChunk


def missing_outcomes(chunk: FastChunk, ticks: Ints) -> MissingOutcomes:
    """Return whose outcome of the primary endpoint is missing at some times."""
    lives, plan = chunk.lives, chunk.plan
    outcome, rows = chunk.outcome(plan.primary), np.arange(len(ticks))
    survival = outcome.law.kind == "survival"
    nothing = np.empty((0, chunk.entry.shape[1]), dtype=np.int64)
    ends = (outcome.event_at, outcome.known_at) if survival else (nothing, nothing)
    known, wait = (outcome.analysed_at, outcome.law.readout_ticks) if survival else (outcome.readout_at, 0)
    how = nothing.astype(np.int8) if lives is None else lives.left
    closed = nothing
    if lives is not None and lives.seen_at_visits(outcome.index):
        closed = lives.last_visits(rows)
    out = np.zeros((len(ticks), len(plan.arms), len(REASONS) + 2), dtype=np.int64)
    missing_by_arm(
        rows, ticks, chunk.entry, known, wait, *ends, closed, chunk.dropout, chunk.complete, how,
        outcome.law.readout_ticks, chunk.arm, out,
    )  # fmt: skip
    return MissingOutcomes(out[:, :, :-2], out[:, :, -2], out[:, :, -1])
