"""Records of stages, where a design of the scenario splits them by patients: the events that no stage tested."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from trialsim.contracts import Floats

if TYPE_CHECKING:
    from trialsim.engines.conduct import ChunkResult


def untested_events(result: ChunkResult) -> Floats:
    """Return the events known at the last look that came after the end of their stage, ``[replicate]``.

    Not a number where a trial had no last look, or its stages are not split by patients.
    """
    found = np.full(len(result.chunk.replicates), np.nan)
    for look in result.looks:
        if look.cohorts is not None:
            found[look.point.rows] = look.cohorts.untested
    return found
