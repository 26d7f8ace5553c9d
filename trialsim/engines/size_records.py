"""Records of sizes, in patients or in events, where a design of the scenario re-estimates its own.

What each look made of it, and what it came to.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from trialsim.contracts import Floats

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from trialsim.engines.conduct import ChunkResult, LookRecord
    from trialsim.engines.plan import Plan


def size_at(plan: Plan, look: LookRecord) -> NDArray[np.int32]:
    """Return the patients to enrol as decided at a round of looks, ``[k]``; the planned ones where nothing was."""
    further = look.decision.further_counts
    if further is None:
        return np.full(len(look.point.rows), plan.n, dtype=np.int32)
    return plan.size_after(further).astype(np.int32)


def events_at(plan: Plan, look: LookRecord) -> NDArray[np.int32]:
    """Return the events that the last look waits for as decided at a round of looks, ``[k]``."""
    further = look.decision.further_counts
    if further is None or plan.resizing is None or not plan.resizing.by_events:
        return np.full(len(look.point.rows), plan.events_awaited, dtype=np.int32)
    return (plan.events_awaited + further).astype(np.int32)


def conditional_power_at(look: LookRecord) -> Floats:
    """Return the conditional power with the size as it was before a round of looks, ``[k]``; not a number without one."""
    return np.full(len(look.point.rows), np.nan) if look.conditional_power is None else look.conditional_power


def final_size(result: ChunkResult) -> NDArray[np.int32]:
    """Return the patients that each trial came to plan, ``[replicate]``."""
    return _in_the_end(result, result.chunk.plan.n, size_at)


def final_events(result: ChunkResult) -> NDArray[np.int32]:
    """Return the events that the last look of each trial came to wait for, ``[replicate]``."""
    return _in_the_end(result, result.chunk.plan.events_awaited, events_at)


def _in_the_end(
    result: ChunkResult, planned: int, at: Callable[[Plan, LookRecord], NDArray[np.int32]]
) -> NDArray[np.int32]:
    """Return what the decisions that were carried out made of a size."""
    plan = result.chunk.plan
    size = np.full(len(result.chunk.replicates), planned, dtype=np.int32)
    for look in result.looks:
        if look.decision.further_counts is not None:
            carried = look.carried_out
            size[look.point.rows[carried]] = at(plan, look)[carried]
    return size
