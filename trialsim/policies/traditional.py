"""The traditional choice in the slots whose decisions need sites, screening and visits to matter."""

from __future__ import annotations

import numpy as np

from trialsim.contracts import NOTHING, CandidateView, Ints, Memory, VisitView


class FirstComeFirstServed:
    """Take patients in the order in which they come."""

    name = "first_come_first_served"
    reference = "usual practice"
    decides_on = "candidate"
    as_they_come = True

    def decide(self, view: CandidateView, memory: Memory) -> tuple[Ints, Memory]:
        """Return the same score for everybody."""
        return np.zeros(len(view.candidate), dtype=np.int64), memory


class ByProtocol:
    """Monitor nobody beyond the protocol."""

    name = "by_protocol"
    reference = "usual practice"
    decides_on = "visit"

    def decide(self, view: VisitView, memory: Memory) -> tuple[Ints, Memory]:
        """Return that nothing is done."""
        return np.full(len(view.patient), NOTHING), memory
