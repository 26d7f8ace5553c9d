"""Simple rankings of candidates: at random, and by one covariate."""

from __future__ import annotations

import numpy as np

from trialsim.contracts import CandidateView, Ints
from trialsim.draws import Purpose, uniform

_STEPS = 2.0**20
_LARGEST = 2.0**42


class Random:
    """Call candidates in an order that says nothing about them: what a useless score does."""

    name = "random"
    reference = "null control"
    as_they_come = False

    def score(self, view: CandidateView) -> Ints:
        """Return a random number for each candidate, found at the candidate's own address."""
        drawn = [
            uniform(view.seed, int(r), int(c), int(Purpose.SAMPLER), 1)
            for r, c in zip(view.replicate, view.candidate, strict=True)
        ]
        return np.asarray(np.array(drawn) * _STEPS, dtype=np.int64)


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
    as_they_come = False

    def __init__(self, covariate: str, prefer: str = "highest") -> None:
        self._covariate, self._sign = covariate, 1.0 if prefer == "highest" else -1.0

    def score(self, view: CandidateView) -> Ints:
        """Return the covariate on a fine grid, so that no last bit decides."""
        name, _, level = self._covariate.partition(".")
        values = view.covariates[:, view.names.index(name)]
        if level:
            values = (values == view.levels[name].index(level)).astype(np.float64)
        return np.asarray(np.clip(np.rint(self._sign * values * _STEPS), -_LARGEST, _LARGEST), dtype=np.int64)
