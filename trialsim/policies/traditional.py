"""The traditional choice in the slots whose decisions need sites, screening and visits to matter."""

from __future__ import annotations

import numpy as np

from trialsim.contracts import CandidateView, Ints


class FirstComeFirstServed:
    """Take patients in the order in which they come."""

    name = "first_come_first_served"
    reference = "usual practice"
    as_they_come = True

    def score(self, view: CandidateView) -> Ints:
        """Return the same score for everybody."""
        return np.zeros(len(view.candidate), dtype=np.int64)


class ByProtocol:
    """Monitor nobody beyond the protocol."""

    name = "by_protocol"
    reference = "usual practice"
