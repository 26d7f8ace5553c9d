"""What may be said about type I error: controlled, or at most so much."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from trialsim.oc.characteristics import OperatingCharacteristics
from trialsim.oc.columns import Cell
from trialsim.oc.montecarlo import upper_limit

TAIL = 0.025


@dataclass(frozen=True, slots=True)
class ErrorClaim:
    """What is claimed of one hypothesis whose null is true in one cell.

    `upper` is the exact upper limit of its rejection probability; over all claims together the chance that
    any limit is exceeded is at most 2.5%.
    """

    design: str
    truth: str
    hypothesis: str
    target: float
    value: float
    upper: float

    @property
    def controlled(self) -> bool:
        """Whether the limit is at or below the target."""
        return self.upper <= self.target

    @property
    def sentence(self) -> str:
        """Return the claim in words."""
        if self.controlled:
            return f"Type I error controlled (at most {self.upper:.4f}, target {self.target:.4g})"
        return f"Type I error at most {self.upper:.4f} (target {self.target:.4g})"


def error_claims(
    characteristics: OperatingCharacteristics, targets: Mapping[tuple[str, str], float]
) -> tuple[ErrorClaim, ...]:
    """Return the claims for every null hypothesis shown that has a target.

    Parameters
    ----------
    characteristics
        Of the simulation.
    targets
        One-sided alpha by design and hypothesis.
    """
    shown = []
    for row in characteristics.select("reject"):
        if row.hypothesis is None or (row.design, row.hypothesis) not in targets:
            continue
        if row.hypothesis in characteristics.null_hypotheses(Cell(row.design, row.truth)):
            shown.append(row)
    return tuple(
        ErrorClaim(
            row.design,
            row.truth,
            str(row.hypothesis),
            targets[row.design, str(row.hypothesis)],
            row.value,
            upper_limit(round(row.value * row.n), row.n, TAIL / len(shown)),
        )
        for row in shown
    )
