"""What may be said about type I error: controlled, compatible with its target, or above it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from trialsim.oc.characteristics import OperatingCharacteristics
from trialsim.oc.columns import Cell
from trialsim.oc.measures import Measure
from trialsim.oc.montecarlo import upper_limit

TAIL = 0.025

FAMILY = "at least one hypothesis"
"""Stands for the hypothesis in targets and claims about the familywise error, where every null is true."""


@dataclass(frozen=True, slots=True)
class ErrorClaim:
    """What is claimed of one hypothesis whose null is true in one cell.

    `lower` and `upper` are exact one-sided limits of its rejection probability, simultaneous over the
    `n_claims` claims made together: the chance that any upper limit is exceeded is at most 2.5%, and so is
    the chance that any lower limit is too high. Where no trial `tested` the hypothesis, nothing is claimed.
    """

    design: str
    truth: str
    hypothesis: str
    target: float
    value: float
    lower: float
    upper: float
    n_claims: int
    tested: bool = True

    @property
    def controlled(self) -> bool:
        """Whether the upper limit is at or below the target."""
        return self.tested and self.upper <= self.target

    @property
    def exceeds(self) -> bool:
        """Whether the lower limit is above the target."""
        return self.tested and self.lower > self.target

    @property
    def verdict(self) -> str:
        """Return what the limits say of the target."""
        if not self.tested:
            return "not tested: every trial ended without an analysis"
        if self.controlled:
            return f"controlled at the target {self.target:.4g}"
        if self.exceeds:
            return f"exceeds the target {self.target:.4g}"
        return f"compatible with the target {self.target:.4g}, not shown to be controlled"

    @property
    def sentence(self) -> str:
        """Return the claim in words: the estimate, the limit that decides, the verdict."""
        name, limit = ("lower", self.lower) if self.exceeds else ("upper", self.upper)
        over = f" (simultaneous over {self.n_claims})" if self.n_claims > 1 else ""
        of = "Familywise error" if self.hypothesis == FAMILY else f"Type I error of “{self.hypothesis}”"
        if not self.tested:
            return (
                f"{of} in “{self.design}” under “{self.truth}”: {self.verdict}, and nothing is claimed of it."
            )
        return (
            f"{of} in “{self.design}” under “{self.truth}”: {self.value:.4f}, "
            f"{name} 97.5% limit {limit:.4f}{over}: {self.verdict}."
        )


def error_claims(
    characteristics: OperatingCharacteristics, targets: Mapping[tuple[str, str], float]
) -> tuple[ErrorClaim, ...]:
    """Return the claims for every null hypothesis shown that has a target, and for families that have one.

    Parameters
    ----------
    characteristics
        Of the simulation.
    targets
        One-sided alpha by design and hypothesis.
    """
    shown = [
        (row, FAMILY)
        for row in characteristics.select("reject_any")
        if (row.design, FAMILY) in targets and characteristics.global_null(Cell(row.design, row.truth))
    ]
    for row in characteristics.select("reject"):
        if row.hypothesis is None or (row.design, row.hypothesis) not in targets:
            continue
        if row.hypothesis in characteristics.null_hypotheses(Cell(row.design, row.truth)):
            shown.append((row, row.hypothesis))
    untested = _never_analysed(characteristics)
    n_claims = sum(not _is_untested(row, name, untested) for row, name in shown)
    return tuple(
        _claim(row, name, targets[row.design, name], n_claims, not _is_untested(row, name, untested))
        for row, name in shown
    )


def _never_analysed(characteristics: OperatingCharacteristics) -> dict[Cell, set[str]]:
    """Return the hypotheses that no trial of a cell analysed, and the family where it analysed none at all."""
    found: dict[Cell, set[str]] = {}
    for row in characteristics.select("not_analysed"):
        if row.value == 1.0 and row.hypothesis is not None:
            found.setdefault(Cell(row.design, row.truth), set()).add(row.hypothesis)
    for cell, names in found.items():
        if names >= {
            row.hypothesis for row in characteristics.select("reject", design=cell.design, truth=cell.truth)
        }:
            names.add(FAMILY)
    return found


def _is_untested(row: Measure, hypothesis: str, untested: Mapping[Cell, set[str]]) -> bool:
    return hypothesis in untested.get(Cell(row.design, row.truth), ())


def _claim(row: Measure, hypothesis: str, target: float, n_claims: int, tested: bool) -> ErrorClaim:
    tail = TAIL / max(n_claims, 1)
    rejected = round(row.value * row.n)
    lower = 1 - upper_limit(row.n - rejected, row.n, tail)
    upper = upper_limit(rejected, row.n, tail)
    keys = (row.design, row.truth, hypothesis)
    return ErrorClaim(*keys, target, row.value, lower, upper, n_claims, tested)
