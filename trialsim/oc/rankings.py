"""What a comparison of rankings found, for tables and figures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


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
    """

    label: str
    area: float
    estimates: tuple[Estimate, ...]
    differences: tuple[Difference, ...]
    curve: Curve

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
            "measures": {
                each.name: {
                    "value": each.value,
                    "mcse": each.mcse,
                    "difference": apart.value,
                    "difference_mcse": apart.mcse,
                }
                for each, apart in zip(self.estimates, self.differences, strict=True)
            },
        }
