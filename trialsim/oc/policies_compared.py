"""What policies bring in the same simulated trials, for tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from trialsim.oc.rankings import Difference, Estimate, measures_as_data


@dataclass(frozen=True)
class PolicyCompared:
    """One policy of a slot.

    Parameters
    ----------
    label
        Its name.
    estimates
        Months, patients, power and so on.
    differences
        From the first policy, paired by replicate.
    """

    label: str
    estimates: tuple[Estimate, ...]
    differences: tuple[Difference, ...]

    def estimate(self, name: str) -> Estimate:
        """Return one of the estimates by name."""
        return next(each for each in self.estimates if each.name == name)

    def difference(self, name: str) -> Difference:
        """Return one of the differences by name."""
        return next(each for each in self.differences if each.name == name)

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {"policy": self.label, "measures": measures_as_data(self.estimates, self.differences)}
