"""Sites chosen by a network that was trained on simulated trials and is kept in a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from trialsim import registry
from trialsim.contracts import Memory, SiteDecision, SiteView


class LearnedSites:
    """Open the sites that a network ranks highest, trained by policy gradient to fill trials soon and with whom.

    Parameters
    ----------
    open
        How many.
    checkpoint
        The file that ``trialsim train`` wrote.
    digest
        SHA-256 of its bytes.
    """

    name = "learned"
    reference = "Plackett-Luce; policy gradient: Williams 1992"
    decides_on = "site"

    def __init__(self, open: int, checkpoint: str, digest: str | None = None) -> None:
        self.open_sites: int | None = open
        self._network: Any = registry.get("models", "sites").load(Path(checkpoint), digest)

    def decide(self, view: SiteView, memory: Memory) -> tuple[SiteDecision, Memory]:
        """Return the network's scores."""
        return SiteDecision(score=self._network.scores(view)), memory
