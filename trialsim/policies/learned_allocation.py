"""Allocation by a network that was trained on simulated trials and is kept in a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from trialsim import registry
from trialsim.contracts import AllocationView, Decision, Memory


class LearnedAllocation:
    """Allocate as a network says that was trained by policy gradient to bring responders and power.

    Parameters
    ----------
    checkpoint
        The file that ``trialsim train`` wrote.
    digest
        SHA-256 of its bytes.
    """

    name = "learned"
    reference = "policy gradient: Williams 1992"
    decides_on = "allocation"
    adaptive = True

    def __init__(self, checkpoint: str, digest: str | None = None) -> None:
        self._network: Any = registry.get("models", "allocation").load(Path(checkpoint), digest)

    def decide(self, view: AllocationView, memory: Memory) -> tuple[Decision, Memory]:
        """Return the weights of the open arms; closed ones get none."""
        return Decision(weights=self._network.weights(view)), memory
