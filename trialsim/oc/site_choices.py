"""What a comparison of choices of sites found, for tables and figures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from trialsim.oc.rankings import Curve, Difference, Estimate, measures_as_data


@dataclass(frozen=True)
class SiteChoice:
    """One way to choose sites.

    Parameters
    ----------
    label
        Its name.
    family
        ``traditional``, ``learned`` or ``control``.
    estimates
        Months to the last patient in, distance from the eligible pool and so on.
    differences
        From the first choice, paired by replicate.
    curve
        Patients over time.
    """

    label: str
    family: str
    estimates: tuple[Estimate, ...]
    differences: tuple[Difference, ...]
    curve: Curve

    def estimate(self, name: str) -> Estimate:
        """Return one of the estimates by name."""
        return next(each for each in self.estimates if each.name == name)

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain data, without the curve."""
        return {
            "choice": self.label,
            "family": self.family,
            "measures": measures_as_data(self.estimates, self.differences),
        }


@dataclass(frozen=True)
class Rival:
    """A learned choice and the traditional one that does best by the same value.

    Parameters
    ----------
    weight
        Months that a distance of 1 from the eligible pool is worth.
    learned, best
        Their labels.
    gain
        Mean value of the learned one less that of the other, in months, paired by trial; positive where it wins.
    """

    weight: float
    learned: str
    best: str
    gain: Difference
