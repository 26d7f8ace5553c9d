"""Records of sizes, where a design of the scenario re-estimates its own: what each look made of it, and what it came to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from trialsim.contracts import Floats

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from trialsim.engines.conduct import ChunkResult, LookRecord
    from trialsim.engines.plan import Plan


def size_at(plan: Plan, look: LookRecord) -> NDArray[np.int32]:
    """Return the patients to enrol as decided at a round of looks, ``[k]``; the planned ones where nothing was."""
    further = look.decision.further_readouts
    if further is None:
        return np.full(len(look.point.rows), plan.n, dtype=np.int32)
    return plan.size_after(further).astype(np.int32)


def conditional_power_at(look: LookRecord) -> Floats:
    """Return the conditional power with the size as it was before a round of looks, ``[k]``; not a number without one."""
    return np.full(len(look.point.rows), np.nan) if look.conditional_power is None else look.conditional_power


def final_size(result: ChunkResult) -> NDArray[np.int32]:
    """Return the patients that each trial came to plan, ``[replicate]``."""
    plan = result.chunk.plan
    size = np.full(len(result.chunk.replicates), plan.n, dtype=np.int32)
    for look in result.looks:
        if look.decision.further_readouts is not None:
            carried = look.carried_out
            size[look.point.rows[carried]] = size_at(plan, look)[carried]
    return size
