"""Efficacy and futility bounds, and the drift that gives the power wanted, solved together.

The drift is the mean of the statistic at information rate 1 under the alternative: its square is the maximum
information where the effect is 1. Where futility bounds are non-binding, or there are none, efficacy bounds come first
and do not depend on them. Where they are binding, both are solved together for each drift that is tried.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from trialsim.stats.group_sequential.classical import Shape
from trialsim.stats.group_sequential.futility import FutilityRule
from trialsim.stats.group_sequential.recursion import efficacy_bounds, futility_bounds, stage_probabilities
from trialsim.stats.group_sequential.rooting import NoRootError, root_of_decreasing

Floats = NDArray[np.float64]

_FARTHEST_BOUND = 38.0  # beyond it the chance of a normal variable is below the smallest double
_MOST_INFLATED, _FARTHEST_DRIFT = (
    100.0,
    40.0,
)  # limits of the search: times the fixed design's drift, or this if larger


class NoBoundsError(ArithmeticError):
    """No bounds meet what is asked; the message is a sentence."""


@dataclass(frozen=True)
class Wanted:
    """What bounds are sought.

    Parameters
    ----------
    rates
        Information rates, ascending, shape ``[look]``.
    level
        Type I error of one side.
    two_sided
        Whether bounds are those of the absolute value of the statistic.
    efficacy
        The cumulative error of one side to be spent by each look, or a classical shape.
    futility
        The cumulative type II error to be spent by each look, a rule, or None.
    binding
        Whether the efficacy bounds count on futility bounds being obeyed.
    """

    rates: Floats
    level: float
    two_sided: bool
    efficacy: Floats | Shape
    futility: Floats | FutilityRule | None
    binding: bool


@dataclass(frozen=True)
class Bounds:
    """Bounds under a drift: ``lower`` is what is obeyed under the alternative, and meets ``upper`` at the last look."""

    drift: float
    lower: Floats
    upper: Floats


def solve_power(problem: Wanted, power: float) -> Bounds:
    """Return the bounds and the drift with which the trial rejects with chance ``power``.

    A two-sided test must reject on the side of the effect, as in the tables of Jennison and Turnbull (2000), ch. 2.

    Raises
    ------
    NoBoundsError
        Where there are none.
    """
    fixed = -float(ndtri(problem.level)) + float(ndtri(power))
    solver = _Solver(problem)
    wanted = ndtri(1.0 - power)

    def excess(drift: float) -> float:
        return float(ndtri(solver.missed(drift, 1.0 - power)) - wanted)

    most = max(_MOST_INFLATED * fixed, _FARTHEST_DRIFT)
    least = fixed / max(1.0, float(np.sqrt(problem.rates[-1])))  # looks may be planned beyond the maximum
    try:
        drift = root_of_decreasing(excess, 1.03 * least, 0.5 * least, most)
    except NoRootError:
        raise NoBoundsError(
            f"no maximum information gives the power {power:g} with these bounds; lower the power, or spend less on "
            "futility."
        ) from None
    return solver.bounds(drift)


def solve_drift(problem: Wanted, drift: float) -> Bounds:
    """Return the bounds under a given drift, whatever power they give.

    Raises
    ------
    NoBoundsError
        Where there are none.
    """
    return _Solver(problem).bounds(drift)


class _Solver:
    """Bounds of one problem, as functions of the drift."""

    def __init__(self, problem: Wanted) -> None:
        self.problem = problem
        self.rates = problem.rates
        self.none = np.full(len(problem.rates), -np.inf)
        self.alpha_spent, self.alpha_starts = _increments(problem.efficacy, len(self.rates))
        self.beta_spent, self.beta_starts = _increments(problem.futility, len(self.rates))
        self.upper: Floats | None = None
        if not problem.binding or problem.futility is None:
            self.upper = self._upper_alone()

    def bounds(self, drift: float) -> Bounds:
        """Return the bounds under a drift."""
        upper = self._upper(drift)
        return Bounds(drift, self._lower(upper, drift), upper)

    def missed(self, drift: float, beta: float) -> float:
        """Return the chance under ``drift`` not to reject on its side, ``beta`` being the one that is wanted."""
        problem = self.problem
        if isinstance(problem.futility, np.ndarray):
            _, left = self._spent_beside(self._upper(drift), drift)
            return beta - float(self.beta_spent[-1]) + left
        found = self.bounds(drift)
        opposite, futile, _ = stage_probabilities(
            self.rates, drift, found.lower, found.upper, problem.two_sided
        )
        return float(futile.sum() + opposite.sum())  # rejecting on the wrong side is no success

    def _lower(self, upper: Floats, drift: float) -> Floats:
        """Return the lower bounds that go with upper ones."""
        problem = self.problem
        if isinstance(problem.futility, np.ndarray):
            return self._spent_beside(upper, drift)[0]
        if isinstance(problem.futility, FutilityRule):
            lower = problem.futility.bounds(upper, drift)
            return np.where(lower > 0.0, lower, -np.inf) if problem.two_sided else lower
        lower = self.none.copy()
        lower[-1] = upper[-1]
        return lower

    def _spent_beside(self, upper: Floats, drift: float) -> tuple[Floats, float]:
        """Return lower bounds that spend the type II error beside upper ones, and what is left for the last look."""
        lower = np.empty(len(self.rates))
        left = futility_bounds(
            self.rates, drift, self.beta_spent, self.beta_starts, False, self.alpha_spent, self.alpha_starts,
            self.problem.two_sided, lower, upper,
        )  # fmt: skip
        return lower, left

    def _upper(self, drift: float) -> Floats:
        """Return the efficacy bounds, which depend on the drift only where they count on futility bounds."""
        problem = self.problem
        if self.upper is not None:
            return self.upper
        if isinstance(problem.efficacy, Shape):
            return self._of_shape(problem.efficacy, lambda upper: self._lower(upper, drift))
        if isinstance(problem.futility, FutilityRule):
            return self._beside_rule(drift)
        upper = np.empty(len(self.rates))
        futility_bounds(
            self.rates, drift, self.beta_spent, self.beta_starts, True, self.alpha_spent, self.alpha_starts,
            problem.two_sided, np.empty(len(self.rates)), upper,
        )  # fmt: skip
        return upper

    def _upper_alone(self) -> Floats:
        """Return the efficacy bounds where no futility bound is counted on."""
        problem = self.problem
        if isinstance(problem.efficacy, Shape):
            return self._of_shape(problem.efficacy, lambda upper: self.none)
        upper = np.empty(len(self.rates))
        efficacy_bounds(self.rates, self.alpha_spent, self.alpha_starts, self.none, problem.two_sided, upper)
        return upper

    def _of_shape(self, shape: Shape, lower_for: Callable[[Floats], Floats]) -> Floats:
        """Return the classical bounds that spend the level, beside the lower bounds that go with them."""
        wanted = float(ndtri(self.problem.level))
        # The constant of a shape that is small at some look may be large.
        most = _FARTHEST_BOUND / min(1.0, float(shape.shape[shape.shape > 0.0].min()))

        def excess(constant: float) -> float:
            upper = shape.bounds(constant)
            *_, above = stage_probabilities(self.rates, 0.0, lower_for(upper), upper, self.problem.two_sided)
            return float(ndtri(above.sum())) - wanted

        try:
            return shape.bounds(root_of_decreasing(excess, 0.3 - wanted, -most, most))
        except NoRootError:
            raise NoBoundsError(
                f"no last bound spends {self.problem.level:g} beside the other bounds: choose other interim efficacy "
                "bounds or futility bounds that stop less often."
            ) from None

    def _beside_rule(self, drift: float) -> Floats:
        """Return the efficacy bounds that spend beside a rule, which may depend on the last of them."""
        upper = self._upper_alone()
        anything = np.full(len(upper) - 1, np.inf)  # interim bounds of other trials must not cut the rule's

        def excess(last: float) -> float:
            lower = self._lower(np.append(anything, last), drift)
            efficacy_bounds(
                self.rates, self.alpha_spent, self.alpha_starts, lower, self.problem.two_sided, upper
            )
            return float(upper[-1]) - last

        try:
            root_of_decreasing(excess, float(upper[-1]), -_FARTHEST_BOUND, _FARTHEST_BOUND)
        except NoRootError:
            raise NoBoundsError(
                "the futility bounds leave no chance to spend the error at the last look; stop less often for "
                "futility, or make it non-binding."
            ) from None
        return upper


def _increments(cumulative: object, n_looks: int) -> tuple[Floats, Floats]:
    """Return what is spent at each look, and the distance beyond which a standard normal variable lies as rarely."""
    if not isinstance(cumulative, np.ndarray):
        return np.zeros(n_looks), np.zeros(n_looks)
    spent = np.maximum(np.diff(cumulative, prepend=0.0), 0.0)
    return spent, np.minimum(-ndtri(spent), _FARTHEST_BOUND)
