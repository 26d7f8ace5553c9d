"""A ranking that learns from the screenings of its own trial, from review to review."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

import numpy as np

from trialsim import registry
from trialsim.contracts import CandidateView, Floats, Ints, Memory, Screenings
from trialsim.policies.scores import on_grid
from trialsim.stats.bayes.sequential_logistic import log_odds_of, update_by_answers

_INTERCEPT_SD = 10.0
"""Of the prior of the intercept, which moves nobody in a ranking."""


class Relearned:
    """Call those first who are likeliest to be randomised by a logistic regression on this trial's own screenings.

    Coefficients have a normal prior around those of a checkpoint, or around 0. At each review the screenings that have
    reached an end since the review before update it, by Laplace's approximation (Spiegelhalter and Lauritzen, Networks 20,
    1990, 579-605); the posterior is the memory, and the next prior. Only who has been called is learnt from, so that a
    covariate that is never called is never seen.

    Parameters
    ----------
    prior_sd
        Standard deviation of the prior of each coefficient, of covariates in units of their standard deviations.
    checkpoint, digest
        A logistic model that ``trialsim train`` wrote, and the SHA-256 of its bytes; without them all coefficients begin
        at 0, and candidates are called in the order of their numbers until the first review.
    """

    name = "relearned"
    reference = "Spiegelhalter and Lauritzen 1990"
    decides_on = "candidate"
    as_they_come = False
    at_reviews = True

    def __init__(
        self, prior_sd: float = 1.0, checkpoint: str | None = None, digest: str | None = None
    ) -> None:
        self._sd = prior_sd
        self._model: Any = None
        if checkpoint is not None:
            self._model = registry.get("models", "logistic").load(Path(checkpoint), digest)

    def prepared(self, sample: CandidateView) -> Self:
        """Return the policy with its scale of covariates: that of a checkpoint, or of candidates whom no trial meets."""
        if self._model is not None:
            return self
        ready = type(self)(self._sd)
        knows_nothing = registry.get("models", "logistic").unfitted
        ready._model = knows_nothing(sample.covariates, sample.names, sample.levels)
        return ready

    def decide(self, view: CandidateView, memory: Memory) -> tuple[Ints, Memory]:
        """Return the log odds by what has been learnt, on a fine grid, and the posterior of the coefficients."""
        if view.screenings is not None:
            memory = self._learnt(view.screenings, memory)
        if memory:
            return self._log_odds(view, memory["mean"], view.rows), memory
        nobody_knows = np.zeros(len(view.candidate), dtype=np.int64)
        return self._log_odds(view, self._weights[None, :], nobody_knows), memory

    def _learnt(self, seen: Screenings, memory: Memory) -> Memory:
        """Return the posterior of the coefficients."""
        size, count = len(seen.review), len(self._weights)
        if memory:
            mean, precision = np.array(memory["mean"]), np.array(memory["precision"])
        else:
            own = np.full(count, self._sd**-2)
            own[0] = _INTERCEPT_SD**-2
            mean = np.tile(self._weights, (size, 1))
            precision = np.tile(np.diag(own), (size, 1, 1))
        features = self._features(seen.candidates)
        design = np.concatenate([np.ones((len(features), 1)), features], axis=1)
        update_by_answers(seen.offsets, design, seen.randomised.astype(np.float64), mean, precision)
        return {"mean": mean, "precision": precision}

    def _features(self, view: CandidateView) -> Floats:
        """Return the features of candidates."""
        encoding = self._model.encoding
        columns = encoding.columns_in(view.names, view.levels)
        found: Floats = encoding.linear(view.covariates[:, columns])
        return found

    @property
    def _weights(self) -> Floats:
        """Intercept and coefficients before anything was learnt."""
        found: Floats = self._model.arrays()["weights"]
        return found

    def _log_odds(self, view: CandidateView, weights: Floats, rows: Ints) -> Ints:
        """Return log odds by the weights that stand at ``rows[candidate]``."""
        out = np.empty(len(rows))
        log_odds_of(self._features(view), np.ascontiguousarray(weights), rows, out)
        return on_grid(out)
