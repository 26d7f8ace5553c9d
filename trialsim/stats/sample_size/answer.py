"""What a sizing calculation answers: figures, the formula behind them, a curve, the true error and cautions."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from trialsim.errors import Problem, ScenarioError

Figure = float | int | str | None


@dataclass(frozen=True)
class Curve:
    """A figure over another, for a picture.

    Parameters
    ----------
    title
        What it shows.
    x_name, y_name
        Axis labels, with units.
    points
        Pairs of x and y.
    mark
        The answer itself, on the curve; None where there is none.
    target
        The y that was asked for; None where none was.
    """

    title: str
    x_name: str
    y_name: str
    points: tuple[tuple[float, float], ...]
    mark: tuple[float, float] | None = None
    target: float | None = None


@dataclass(frozen=True)
class AttainedAlpha:
    """The true one-sided type I error of the bound in use.

    Parameters
    ----------
    nominal
        The error that was asked for.
    attained
        The true one under the assumptions; None where it cannot be enumerated.
    largest
        The largest over the rate that the null leaves open; None where it leaves none.
    largest_at
        The control rate at which it is found.
    how
        How it is worked out, as a sentence.
    mcse
        Monte Carlo standard error of ``attained``; None where it is not simulated.
    """

    nominal: float
    attained: float | None
    largest: float | None
    largest_at: float | None
    how: str
    mcse: float | None = None

    @property
    def worst(self) -> float | None:
        """The largest error that is known of."""
        known = [each for each in (self.attained, self.largest) if each is not None]
        return max(known, default=None)

    def caution(self) -> str | None:
        """Return a sentence where the error exceeds its nominal value, otherwise None."""
        worst = self.worst
        if worst is None or worst <= self.nominal * (1.0 + 1e-9) + 2.0 * (self.mcse or 0.0):
            return None
        where = f" (at a control rate of {self.largest_at:.3g})" if worst == self.largest else ""
        return (
            f"The true one-sided type I error of this bound is {worst:.4g}{where}, above the nominal "
            f"{self.nominal:.4g}: {self.how}"
        )


@dataclass(frozen=True)
class Answer:
    """The answer to a question of size or of power.

    Parameters
    ----------
    question
        ``samplesize`` or ``power``.
    endpoint
        ``means``, ``proportions`` or ``survival``.
    method, source
        The formula by its name, and where it is published.
    assumptions, results
        Figures by their names; times in days.
    attained_alpha
        The true error of the bound.
    curves
        For pictures.
    looks
        Of a group sequential design: bounds, size and what happens at each look.
    analyses
        What each analysis may expect.
    trade_off
        Other ways to the same power.
    warnings
        Sentences.
    """

    question: str
    endpoint: str
    method: str
    source: str
    assumptions: Mapping[str, Figure]
    results: Mapping[str, Figure]
    attained_alpha: AttainedAlpha
    curves: tuple[Curve, ...]
    looks: tuple[Mapping[str, Figure], ...] = ()
    analyses: tuple[Mapping[str, Figure], ...] = ()
    trade_off: tuple[Mapping[str, Figure], ...] = ()
    warnings: tuple[str, ...] = field(default_factory=tuple)

    def document(self) -> dict[str, Any]:
        """Return the answer as plain data for JSON: see ``schemas/samplesize.json`` and ``schemas/power.json``."""
        attained = self.attained_alpha
        return {
            "question": self.question,
            "endpoint": self.endpoint,
            "method": self.method,
            "source": self.source,
            "assumptions": dict(self.assumptions),
            "results": dict(self.results),
            "attained_alpha": {
                "nominal": attained.nominal,
                "attained": attained.attained,
                "largest": attained.largest,
                "largest_at_control_rate": attained.largest_at,
                "mcse": attained.mcse,
                "how": attained.how,
            },
            "looks": [dict(each) for each in self.looks],
            "analyses": [dict(each) for each in self.analyses],
            "trade_off": [dict(each) for each in self.trade_off],
            "curves": [
                {
                    "title": curve.title,
                    "x": curve.x_name,
                    "y": curve.y_name,
                    "points": [list(point) for point in curve.points],
                    "mark": None if curve.mark is None else list(curve.mark),
                    "target": curve.target,
                }
                for curve in self.curves
            ],
            "warnings": list(self.warnings),
        }


class Requirements:
    """Collects what is wrong with a set of numbers, to be told all at once."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def refuse(self, name: str, sentence: str) -> None:
        """Note a problem."""
        self.problems.append(Problem(name, sentence))

    def within(self, name: str, value: float | None, above: float, below: float) -> bool:
        """Note a number that is not strictly between two limits; None is left alone."""
        if value is None or (math.isfinite(value) and above < value < below):
            return True
        limits = f"above {above:g}" + ("" if math.isinf(below) else f" and below {below:g}")
        if math.isinf(above):
            limits = "a finite number"
        self.refuse(name, f"{value:g} is out of range; it must be {limits}")
        return False

    def level(self, name: str, value: float) -> bool:
        """Note a type I error that is not above 0 and at most one half."""
        if 0.0 < value <= 0.5:
            return True
        self.refuse(name, f"{value:g} is out of range; it must be above 0 and at most 0.5")
        return False

    def one_of(self, name: str, value: str, allowed: Sequence[str]) -> bool:
        """Note a word that is not allowed."""
        if value in allowed:
            return True
        self.refuse(name, f"'{value[:60]}' is unknown; allowed: {', '.join(allowed)}")
        return False

    def whole(self, name: str, value: float | None, least: int) -> bool:
        """Note a number that is not whole or too small; None is left alone."""
        if value is None or (math.isfinite(value) and value == int(value) and least <= value <= 10_000_000):
            return True
        self.refuse(name, f"{value:g} is out of range; it must be a whole number from {least} to 10,000,000")
        return False

    def settle(self, source: str) -> None:
        """Refuse everything that was noted.

        Raises
        ------
        ScenarioError
            With every problem.
        """
        if self.problems:
            raise ScenarioError(self.problems, source)


def target_problems(check: Requirements, alpha: float, power: float | None, ratio: float) -> None:
    """Note what is wrong with the error, the power and the allocation."""
    good = check.level("alpha", alpha)
    check.within("ratio", ratio, 0.001, 1000.0)
    if power is not None and check.within("power", power, 0.0, 1.0) and good and power <= alpha:
        check.refuse("power", f"{power:g} is not above alpha ({alpha:g}); ask for more power")


def spread(lower: float, upper: float, points: int) -> list[float]:
    """Return evenly spaced numbers, both ends included."""
    return [lower + (upper - lower) * place / (points - 1) for place in range(points)]
