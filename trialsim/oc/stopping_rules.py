"""What a comparison of stopping rules found, for tables and figures."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class StoppingRule:
    """One rule with the same errors as all others; sizes are over that of the fixed test.

    Parameters
    ----------
    label
        Its name.
    family
        ``traditional``, ``learned`` or ``optimum``.
    maximum
        Largest size.
    expected
        Expected size at no effect, half the effect and the effect.
    best
        Smallest mean of these three that any rule with this maximum has.
    simulated
        Expected size in simulated trials at each effect, with its Monte Carlo standard error.
    efficacy_z, futility_z
        Bounds by look; None where there is none.
    """

    label: str
    family: str
    maximum: float
    expected: tuple[float, float, float]
    best: float
    simulated: tuple[tuple[float, float], ...]
    efficacy_z: tuple[float | None, ...]
    futility_z: tuple[float | None, ...]

    @property
    def mean(self) -> float:
        """The mean of the expected sizes."""
        return sum(self.expected) / len(self.expected)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return dict(vars(self)) | {"mean": self.mean}


@dataclass(frozen=True)
class LearnedStopping:
    """Rules learned for one largest size, beside the best traditional one of that size and the optimum.

    Parameters
    ----------
    maximum
        Largest size over that of the fixed test.
    means
        Mean expected size of the rule that each training gave, exactly.
    best
        Label of the best traditional rule with that largest size.
    of_best, of_optimum
        Mean expected sizes of that one and of the optimum.
    """

    maximum: float
    means: tuple[float, ...]
    best: str
    of_best: float
    of_optimum: float

    @property
    def shares(self) -> tuple[float, ...]:
        """How far each learned rule is on the way from the best traditional one to the optimum; below 0 it loses."""
        return tuple((self.of_best - mean) / (self.of_best - self.of_optimum) for mean in self.means)

    @property
    def share(self) -> float:
        """The mean share."""
        return sum(self.shares) / len(self.shares)

    @property
    def share_error(self) -> float:
        """Standard error of the mean share over trainings; NaN of a single one."""
        n = len(self.shares)
        if n < 2:
            return math.nan
        return math.sqrt(sum((each - self.share) ** 2 for each in self.shares) / (n - 1) / n)

    @property
    def left(self) -> float:
        """By how much the best traditional rule is above the optimum, as a share of it."""
        return self.of_best / self.of_optimum - 1.0

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return dict(vars(self)) | {"shares": self.shares, "share": self.share, "left": self.left}


@dataclass(frozen=True)
class StoppingResult:
    """What was found.

    Parameters
    ----------
    rules
        Every rule.
    learned
        What was learned, by largest size.
    digests, curves
        Of the checkpoints and of training, by label.
    """

    rules: list[StoppingRule]
    learned: list[LearnedStopping]
    digests: dict[str, str]
    curves: dict[str, list[dict[str, float]]]
