"""How a real trial is analysed, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from trialsim.designs.boundaries import Boundaries


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
    plan: Boundaries
    effect: float | None
    unit: str
    maximum: float
    looks: tuple[EarlierLook, ...]
    last: bool
