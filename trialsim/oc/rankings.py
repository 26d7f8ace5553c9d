"""What a comparison of rankings found, for tables and figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Estimate:
    """A mean over trials with its Monte Carlo standard error."""

    name: str
    value: float
    mcse: float


@dataclass(frozen=True)
class Difference:
    """A mean of differences in the same replicate with its Monte Carlo standard error."""

    name: str
    value: float
    mcse: float


@dataclass(frozen=True)
class Curve:
    """Patients over time: weeks, the mean, the 10th and the 90th percentile over trials."""

    weeks: tuple[float, ...]
    mean: tuple[float, ...]
    p10: tuple[float, ...]
    p90: tuple[float, ...]


@dataclass(frozen=True)
class Compared:
    """One ranking.

    Parameters
    ----------
    label
        Its name.
    area
        Area under the curve of its score for who would be randomised if called.
    estimates
        Weeks to the target, screened per enrolled and so on.
    differences
        From the first ranking, paired by replicate.
    curve
        Patients over time.
    weeks
        Weeks to the target by trial, the same trials for every ranking.
    """

    label: str
    area: float
    estimates: tuple[Estimate, ...]
    differences: tuple[Difference, ...]
    curve: Curve
    weeks: NDArray[np.float64]

    def estimate(self, name: str) -> Estimate:
        """Return one of the estimates by name."""
        return next(each for each in self.estimates if each.name == name)

    def difference(self, name: str) -> Difference:
        """Return one of the differences by name."""
        return next(each for each in self.differences if each.name == name)

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain data, without the curve."""
        return {
            "ranking": self.label,
            "auc": self.area,
            "measures": measures_as_data(self.estimates, self.differences),
        }


def measures_as_data(
    estimates: Sequence[Estimate], differences: Sequence[Difference]
) -> dict[str, dict[str, float | None]]:
    """Return measures by name as plain data; an error that one trial does not tell is None.

    Parameters
    ----------
    estimates, differences
        Of the same measures, in the same order.
    """

    def known(value: float) -> float | None:
        return value if np.isfinite(value) else None

    return {
        each.name: {
            "value": each.value,
            "mcse": known(each.mcse),
            "difference": known(apart.value),
            "difference_mcse": known(apart.mcse),
        }
        for each, apart in zip(estimates, differences, strict=True)
    }


def standard_error(values: NDArray[np.float64]) -> float:
    """Return the Monte Carlo standard error of a mean; NaN of a single trial."""
    return float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else float("nan")


def estimated(name: str, values: NDArray[np.float64]) -> Estimate:
    """Return the mean of a measure and its standard error, of the trials that have a value.

    Parameters
    ----------
    name
        Of the measure.
    values
        By trial; NaN where a trial has none.
    """
    known = values[np.isfinite(values)]
    return Estimate(name, float(known.mean()) if len(known) else float("nan"), standard_error(known))


def difference(name: str, values: NDArray[np.float64], reference: NDArray[np.float64]) -> Difference:
    """Return the mean of the differences in the same replicate, and its standard error.

    Parameters
    ----------
    name
        Of the measure.
    values, reference
        By trial, in the same order; trials without a value in either are left out.
    """
    apart = values - reference
    apart = apart[np.isfinite(apart)]
    return Difference(name, float(apart.mean()) if len(apart) else float("nan"), standard_error(apart))


def fastest(compared: Sequence[Compared], labels: Sequence[str]) -> list[tuple[str, Difference]]:
    """Return some rankings in the order of their weeks to the target, each with what it takes beyond the fastest.

    Parameters
    ----------
    compared
        All rankings.
    labels
        Those that are ordered.
    """
    chosen = sorted(
        (each for each in compared if each.label in labels), key=lambda each: float(each.weeks.mean())
    )
    return [
        (each.label, Difference("weeks_to_target", float(apart.mean()), standard_error(apart)))
        for each in chosen
        for apart in [each.weeks - chosen[0].weeks]
    ]
