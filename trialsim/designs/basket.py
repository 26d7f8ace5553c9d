"""Basket designs: one treatment in several kinds of patients, whose response rates borrow from each other."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from trialsim.contracts import Bools, Floats
from trialsim.errors import Problem, ScenarioError
from trialsim.stats.bayes.basket import BasketPrior


@dataclass(frozen=True)
class BasketDesign:
    """Looks at which baskets are closed, and the last one at which they succeed.

    Parameters
    ----------
    reference_rates
        The response rate that each basket's has to exceed, ``[basket]``.
    looks
        Patients of each open basket at each look, cumulative and rising.
    prior
        Of the log odds of response.
    futility
        A basket closes at a look where P(rate > reference) is below it.
    efficacy
        A basket that is open at the last look succeeds where P(rate > reference) is above it.

    Raises
    ------
    ScenarioError
        With a sentence for each number that is not possible.
    """

    reference_rates: tuple[float, ...]
    looks: tuple[int, ...]
    prior: BasketPrior = field(default_factory=BasketPrior)
    futility: float = 0.1
    efficacy: float = 0.9

    def __post_init__(self) -> None:
        """Refuse what is not possible, all at once."""
        problems = [
            Problem(f"reference_rates[{k}]", f"{rate:g} is not between 0 and 1")
            for k, rate in enumerate(self.reference_rates)
            if not 0.0 < rate < 1.0
        ]
        if len(self.reference_rates) < 2:
            problems.append(Problem("reference_rates", "a basket design has at least two baskets"))
        if not self.looks or self.looks[0] < 1 or (np.diff(self.looks) < 1).any():
            problems.append(
                Problem("looks", f"{list(self.looks)} are not numbers of patients that rise from 1")
            )
        for name, value in (("futility", self.futility), ("efficacy", self.efficacy)):
            if not 0.0 <= value <= 1.0:
                problems.append(Problem(name, f"{value:g} is not a probability"))
        prior = self.prior
        problems += [
            Problem(f"prior.{name}", f"{getattr(prior, name):g} is not above 0")
            for name in ("mean_sd", "between_scale", "own_sd")
            if not getattr(prior, name) > 0.0
        ]
        if not 0.0 < prior.exchangeable <= 1.0:
            problems.append(
                Problem("prior.exchangeable", f"{prior.exchangeable:g} is not above 0 and at most 1")
            )
        if problems:
            raise ScenarioError(problems, "The basket design")

    def still_open(self, above: Floats, is_open: Bools) -> Bools:
        """Return which baskets stay open after a look, given P(rate > reference), ``[..., basket]``."""
        return np.asarray(is_open & (above >= self.futility))

    def succeeds(self, above: Floats, is_open: Bools) -> Bools:
        """Return which baskets succeed at the last look, ``[..., basket]``."""
        return np.asarray(is_open & (above > self.efficacy))
