"""Simple rankings of candidates: at random, and by one covariate."""

from __future__ import annotations

import numpy as np

from trialsim.contracts import CandidateView, Ints, Memory
from trialsim.policies.scores import drawn, on_grid


class Random:
    """Call candidates in an order that says nothing about them: what a useless score does."""

    name = "random"
    reference = "null control"
    decides_on = "candidate"
    as_they_come = False

    def decide(self, view: CandidateView, memory: Memory) -> tuple[Ints, Memory]:
        """Return a random number for each candidate, found at the candidate's own address."""
        return on_grid(drawn(view, 1)), memory


class ByCovariate:
    """Call those first in whom a covariate is highest or lowest, or who have a level of it.

    Parameters
    ----------
    covariate
        Its name; ``name.level`` for a level of a categorical one.
    prefer
        ``highest`` or ``lowest``.
    """

    name = "by_covariate"
    reference = "enrichment by a stated rule"
    decides_on = "candidate"
    as_they_come = False

    def __init__(self, covariate: str, prefer: str = "highest") -> None:
        self._covariate, self._sign = covariate, 1.0 if prefer == "highest" else -1.0

    def decide(self, view: CandidateView, memory: Memory) -> tuple[Ints, Memory]:
        """Return the covariate on a fine grid, so that no last bit decides; who lacks it is called last."""
        name, _, level = self._covariate.partition(".")
        values = view.covariates[:, view.names.index(name)]
        if level:
            hit = (values == view.levels[name].index(level)).astype(np.float64)
            values = np.where(np.isnan(values), np.nan, hit)
        return on_grid(self._sign * values), memory
