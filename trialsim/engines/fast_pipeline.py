"""Who of the fast engine's patients is still waited for: randomised, an outcome not known but to come; and until when."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from trialsim.contracts import Bools, Ints
from trialsim.engines.fast_outcomes import Outcome
from trialsim.timegrid import NEVER

if TYPE_CHECKING:
    from trialsim.engines.fast import FastChunk


def patients_waited_for(chunk: FastChunk, ticks: Ints) -> Ints | None:
    """Return how many patients of each replicate are waited for at a time, ``[replicate]``.

    None where everybody randomised is known, lost or waited for, no two of these at once, so that a difference tells.
    """
    if parts_add_up(chunk):
        return None
    outcome = chunk.outcome(chunk.plan.primary)
    return np.asarray(waited_for(chunk, outcome, np.arange(len(ticks)), ticks).sum(axis=1))


def parts_add_up(chunk: FastChunk) -> bool:
    """Return whether nobody can be lost once the primary outcome is known, nor end without it otherwise."""
    if chunk.lives is not None:
        return False
    world = chunk.plan.world
    if world.dropout is None or len(world.outcomes) == 1:
        return True
    longest = world.outcomes[chunk.plan.primary].readout_ticks
    return all(law.kind != "survival" and law.readout_ticks <= longest for law in world.outcomes)


def waited_for(chunk: FastChunk, outcome: Outcome, rows: Ints, ticks: Ints) -> Bools:
    """Return whose outcome is not known at some times in some replicates and can still become known, ``[k, patient]``."""
    cut = ticks[:, None]
    come = _of(chunk.entry, rows) <= cut
    if outcome.law.kind == "survival":
        over, wait = _of(outcome.known_at, rows), outcome.law.readout_ticks
        if wait:
            over = over + np.where(_of(outcome.event_at, rows) == over, wait, 0)
        return np.asarray(come & (over > cut))
    gone = _of(chunk.entry, rows) + np.minimum(_of(chunk.dropout, rows), _of(chunk.complete, rows))
    found: Bools = come & (_of(outcome.readout_at, rows) > cut) & (gone > cut)
    if chunk.lives is not None and chunk.lives.read_at_visits(outcome.index):
        found &= chunk.lives.last_visits(rows) > cut
    return found


def last_of(chunk: FastChunk, outcome: Outcome, rows: Ints) -> Ints:
    """Return when an outcome can still come of nobody who comes in some replicates, ``[k]``.

    An event has come once it is reported; a delay that is the same for all reports is left out.
    """
    entry = _of(chunk.entry, rows)
    if outcome.law.kind == "survival":
        told = _of(outcome.reported_at, rows)
        over = np.where(told < NEVER, told, _of(outcome.exit_at, rows))
    else:
        gone = entry + np.minimum(_of(chunk.dropout, rows), _of(chunk.complete, rows))
        over = np.minimum(_of(outcome.readout_at, rows), gone)
        if chunk.lives is not None and chunk.lives.read_at_visits(outcome.index):
            over = np.minimum(over, chunk.lives.last_visits(rows))
    return np.broadcast_to(np.where(entry < NEVER, over, 0).max(axis=1), len(rows)).copy()


def in_arms(chosen: Bools, arm: NDArray[np.int8], rows: Ints, arms: int) -> Ints:
    """Return how many of some patients ``[k, patient]`` are in each arm, ``[k, arm]``."""
    own = _of(arm, rows)
    return np.stack([np.count_nonzero(chosen & (own == a), axis=1) for a in range(arms)], axis=1)


def _of(array: NDArray[Any], rows: Ints) -> NDArray[Any]:
    """Return the rows of some replicates of an array ``[replicate or 1, patient]``, one row where they share it."""
    return array[rows] if len(array) > 1 else array
