"""From a fixed design to a group sequential one: inflated size, power at any size, expected size, and each look.

The maximum information is that of the fixed design times the inflation factor of the bounds (Jennison and Turnbull 2000,
section 2.3 and chapter 3). Read the other way, a design of maximum size ``n`` has the drift that the fixed design of size
``n`` over the factor has, times the root of the factor; this carries whatever the fixed formula knows (degrees of freedom,
the variance under the null) into the sequential power.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trialsim.stats.group_sequential.recursion import stage_probabilities
from trialsim.stats.normal import upper_quantile, upper_tail
from trialsim.stats.sample_size.answer import Figure

Floats = NDArray[np.float64]
_SURE = 1e-14


@dataclass(frozen=True)
class Stages:
    """What happens at each look under one effect.

    Parameters
    ----------
    reject, futility
        Probabilities to end at each look with and without rejecting; not rejecting at the last look counts as
        futility there.
    """

    reject: tuple[float, ...]
    futility: tuple[float, ...]

    @property
    def power(self) -> float:
        """Probability to reject at any look."""
        return min(1.0, float(sum(self.reject)))

    def mean(self, by_look: Floats) -> float:
        """Return the mean at the end of what stands at each look."""
        return float(
            sum((r + f) * value for r, f, value in zip(self.reject, self.futility, by_look, strict=True))
        )


@dataclass(frozen=True)
class SequentialBounds:
    """One-sided group sequential bounds on the z scale.

    Parameters
    ----------
    rates
        Information at each look over the maximum; the last is 1.
    efficacy
        Bounds; infinite where there is none.
    futility
        Bounds; minus infinity where there is none.
    alpha_spent
        Error spent by each look, cumulative.
    inflation
        Maximum information over that of the fixed design with the same level and power.
    level
        One-sided.
    name
        The family.
    """

    rates: tuple[float, ...]
    efficacy: tuple[float, ...]
    futility: tuple[float, ...]
    alpha_spent: tuple[float, ...]
    inflation: float
    level: float
    name: str

    def drift(self, fixed_power: float) -> float:
        """Return the expected last z, from the power of the fixed design whose size is smaller by the inflation."""
        return math.sqrt(self.inflation) * (upper_quantile(self.level) - upper_quantile(fixed_power))

    def stages(self, expected_z: Floats) -> Stages:
        """Return what happens at each look when z has these means and the increments are independent."""
        # With the means taken off the bounds, what is left is the process under no effect.
        lower = np.asarray(self.futility, dtype=np.float64).copy()
        upper = np.asarray(self.efficacy, dtype=np.float64)
        lower[-1] = upper[-1]
        _, futile, above = stage_probabilities(
            np.asarray(self.rates, dtype=np.float64), 0.0, lower - expected_z, upper - expected_z, False
        )
        return Stages(tuple(above.tolist()), tuple(futile.tolist()))

    def at(self, drift: float) -> Stages:
        """Return what happens at each look when the last z has mean ``drift``, under proportional information."""
        return self.stages(drift * np.sqrt(np.asarray(self.rates, dtype=np.float64)))

    def power(self, fixed_power: float) -> float:
        """Return the sequential power, from the power of the fixed design whose size is smaller by the inflation."""
        if fixed_power >= 1.0 - _SURE:
            return 1.0
        if fixed_power <= _SURE:
            return 0.0
        return self.at(self.drift(fixed_power)).power

    @property
    def nominal(self) -> tuple[float, ...]:
        """One-sided nominal p value of each efficacy bound."""
        return tuple(upper_tail(z) for z in self.efficacy)

    def looks(self, stages: Stages) -> list[dict[str, Figure]]:
        """Return a row for each look: its bounds, the error spent, and what happens under the assumed effect."""
        columns = zip(
            self.rates, self.efficacy, self.futility, self.nominal, self.alpha_spent, stages.reject, stages.futility,
            strict=True,
        )  # fmt: skip
        return [
            {
                "look": place + 1,
                "information_rate": rate,
                "efficacy_z": efficacy if math.isfinite(efficacy) else None,
                "futility_z": futility if math.isfinite(futility) and place + 1 < len(self.rates) else None,
                "nominal_p": nominal,
                "alpha_spent": spent,
                "reject_h1": reject,
                "futility_h1": futile,
            }
            for place, (rate, efficacy, futility, nominal, spent, reject, futile) in enumerate(columns)
        ]

    def expected(self, drift: float, maximum: float, what: str) -> dict[str, Figure]:
        """Return the mean size at the end under no effect, half the effect and the effect.

        Parameters
        ----------
        drift
            Expected last z under the effect.
        maximum
            Size of the last look.
        what
            ``n`` or ``events``.
        """
        sizes = maximum * np.asarray(self.rates, dtype=np.float64)
        shares = (("h0", 0.0), ("h01", 0.5), ("h1", 1.0))
        return {f"expected_{what}_{name}": self.at(share * drift).mean(sizes) for name, share in shares}


def inflation_of(bounds: SequentialBounds | None) -> float:
    """Return the inflation factor of bounds; of a single analysis 1."""
    return 1.0 if bounds is None else bounds.inflation


def named(bounds: SequentialBounds | None) -> str:
    """Return the bounds as words to follow a test's name."""
    return "" if bounds is None else f", group sequential ({bounds.name})"
