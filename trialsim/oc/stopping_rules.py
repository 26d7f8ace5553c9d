"""What a comparison of stopping rules found, for tables and figures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class StoppingRule:
    """One rule with the same errors as all others; sizes are over that of the fixed test.

    Parameters
    ----------
    label
        Its name.
    family
        ``traditional`` or ``optimum``.
    maximum
        Largest size.
    expected
        Expected size at no effect, half the effect and the effect.
    best
        Smallest mean of these three that any rule with this maximum has.
    simulated
        Expected size in simulated trials at each effect, with its Monte Carlo standard error.
    efficacy_z, futility_z
        Bounds by look; None where there is none.
    """

    label: str
    family: str
    maximum: float
    expected: tuple[float, float, float]
    best: float
    simulated: tuple[tuple[float, float], ...]
    efficacy_z: tuple[float | None, ...]
    futility_z: tuple[float | None, ...]

    @property
    def mean(self) -> float:
        """The mean of the expected sizes."""
        return sum(self.expected) / len(self.expected)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return dict(vars(self)) | {"mean": self.mean}
