"""Bounds that were learned, as a checkpoint holds them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Self

from trialsim.models.checkpoint import read_kind


@dataclass(frozen=True)
class StoppingBounds:
    """Bounds by look, and for which information and errors they hold.

    Parameters
    ----------
    efficacy_z, futility_z
        By look; at the last they are the same.
    rates
        Information at each look over the maximum.
    alpha
        One-sided error without an effect.
    path
        The file.
    """

    efficacy_z: tuple[float, ...]
    futility_z: tuple[float, ...]
    rates: tuple[float, ...]
    alpha: float
    path: Path

    @classmethod
    def load(cls, path: Path, digest: str | None) -> Self:
        """Return the bounds in a checkpoint; see :func:`trialsim.models.checkpoint.read_kind` for arguments and errors."""
        arrays, about = read_kind(path, digest, "stopping")
        efficacy, futility = (tuple(float(z) for z in arrays[name]) for name in ("efficacy_z", "futility_z"))
        return cls(efficacy, futility, tuple(about["rates"]), float(about["alpha"]), path)
