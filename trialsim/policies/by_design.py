"""Allocation as the design's own rule has it: nothing is decided at reviews."""

from __future__ import annotations

from trialsim.contracts import AllocationView, Decision, Memory


class ByDesign:
    """Leave allocation to the design's rule and ratio."""

    name = "by_design"
    reference = "the design's allocation rule"
    decides_on = "allocation"
    adaptive = False

    def decide(self, view: AllocationView, memory: Memory) -> tuple[Decision, Memory]:
        """Return no change."""
        return Decision(), memory
