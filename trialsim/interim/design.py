"""How a real trial is analysed, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from trialsim.designs.boundaries import Boundaries
from trialsim.interim.monitored import MONITORED, Monitored


@dataclass(frozen=True)
class EarlierLook:
    """A look that was taken: its statistic, and what had been seen in the unit of the maximum."""

    z: float
    at: float


@dataclass(frozen=True)
class InterimDesign:
    """How a trial is analysed.

    Parameters
    ----------
    analysis, options, kind
        The test, its options, and the kind of its endpoint.
    lower_is_better
        Whether a lower outcome, or hazard, is a benefit.
    arms
        Control and treatment, as the data name them.
    columns
        The column of the data for ``arm`` and ``time`` and ``event``, or ``value``; for ``patient`` where one is named.
    strata
        Columns by which the test is stratified.
    covariates
        Columns for which it is adjusted.
    score
        Columns, with their coefficients, of a prognostic score for which it is adjusted.
    days
        Days in a unit of the data's times.
    plan
        The bounds as planned.
    effect
        The effect that was planned for, on the scale of the analysis; None where the file does not say.
    unit, maximum
        What is counted as information, and its planned maximum.
    looks
        The looks taken before.
    last
        Whether this is the last look whatever was planned.
    """

    analysis: str
    options: Mapping[str, Any]
    kind: str
    lower_is_better: bool
    arms: tuple[str, str]
    columns: Mapping[str, str]
    strata: tuple[str, ...]
    covariates: tuple[str, ...]
    score: Mapping[str, float]
    days: float
    plan: Boundaries
    effect: float | None
    unit: str
    maximum: float
    looks: tuple[EarlierLook, ...]
    last: bool

    @property
    def told(self) -> Monitored:
        """What the analysis is told in, and counted in."""
        return MONITORED[self.analysis]

    @property
    def null(self) -> float:
        """The effect that the test is against, on the scale of the analysis."""
        return float(self.options.get("margin", 0.0))

    @property
    def benefit(self) -> float:
        """1 where an effect above the one tested against is a benefit, -1 where one below it is."""
        return -1.0 if self.lower_is_better != self.told.of_survival else 1.0

    @property
    def read(self) -> tuple[str, ...]:
        """Every column of the data that is read, each once."""
        return tuple(dict.fromkeys((*self.columns.values(), *self.strata, *self.covariates, *self.score)))
