"""Stopping by bounds that a network said in training, frozen with exact errors and kept in a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from trialsim import registry
from trialsim.policies.bounds import Bounds


class LearnedStopping(Bounds):
    """Stop by the bounds of a checkpoint, which take the place of the design's; futility is binding.

    Parameters
    ----------
    checkpoint
        The file that ``trialsim train`` wrote.
    digest
        SHA-256 of its bytes.
    """

    name = "learned"
    reference = (
        "policy gradient along simulated paths; errors by recursion: Armitage, McPherson and Rowe 1969"
    )

    def __init__(self, checkpoint: str, digest: str | None = None) -> None:
        super().__init__()
        self.frozen_bounds: Any = registry.get("models", "stopping").load(Path(checkpoint), digest)
