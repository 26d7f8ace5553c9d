"""What bounds are asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from trialsim.errors import Problem, ScenarioError

Floats = NDArray[np.float64]
Parameter = float | Sequence[float] | Sequence[tuple[float, float]] | None


@dataclass(frozen=True)
class BoundaryRequest:
    """What is asked of :func:`trialsim.designs.group_sequential`, under the same names."""

    information: Sequence[float]
    alpha: float
    sides: int
    power: float
    efficacy: str
    efficacy_parameter: Parameter
    futility: str | None
    futility_parameter: Parameter
    futility_binding: bool
    spending_times: Sequence[float] | None
    effect: float

    @property
    def level(self) -> float:
        """Type I error of one side."""
        return self.alpha / self.sides

    @property
    def beta(self) -> float:
        """Type II error."""
        return 1.0 - self.power

    @property
    def fixed_drift(self) -> float:
        """Drift of the fixed design with the same level and power (Jennison and Turnbull 2000, sec. 2.2)."""
        return float(ndtri(self.power) - ndtri(self.level))

    def observed(
        self, information: Sequence[float], spending_times: Sequence[float] | None
    ) -> BoundaryRequest:
        """Return the request for other information rates."""
        return replace(self, information=information, spending_times=spending_times)

    def warnings(self, upper: Floats, lower: Floats) -> tuple[str, ...]:
        """Return sentences on what may not be meant, given the bounds."""
        found = []
        last = float(self.information[-1])
        if last != 1.0:
            word = "under" if last < 1.0 else "over"
            found.append(
                f"The last look has information rate {last:g}, {word} the planned maximum; it spends all that is left."
            )
        found += [
            f"Look {look + 1} has no efficacy bound: no error to speak of is spent there."
            for look in np.flatnonzero(np.isposinf(upper))
        ]
        found += [
            f"The futility bound meets the efficacy bound at look {look + 1}: no trial goes on after it."
            for look in np.flatnonzero(lower[:-1] >= upper[:-1])
        ]
        return tuple(found)


def refused(problems: list[Problem]) -> ScenarioError:
    """Return the error that refuses a request, with every problem."""
    return ScenarioError(problems, "The bounds")
