"""The predictive probability of success where control's response rate has a robust mixture prior.

Each part of the mixture predicts control's further responses by its own beta-binomial law, weighed by how far it is
believed now; what makes a success in the end is judged by the mixture as it will be then.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trialsim.contracts import Floats, Ints
from trialsim.stats.bayes.beta_binomial import posterior_differences
from trialsim.stats.bayes.families import Family
from trialsim.stats.bayes.predictive import predictive_of_two
from trialsim.stats.bayes.robust_mixture import mixture, update_by_responses

_MOST_TABLES = 4096


class RobustPredictive:
    """Predictive probabilities of one test; it remembers the borders of success for the sizes that came up.

    Parameters
    ----------
    parts
        Weight and the two shapes of each part of control's prior, ``[part, 3]``.
    treatment
        The two shapes of treatment's prior.
    margin
        By how much the rate of good outcomes has to be greater.
    threshold
        Posterior probability that has to be passed.
    """

    def __init__(
        self, parts: Floats, treatment: tuple[float, float], margin: float, threshold: float
    ) -> None:
        self._prior = mixture(Family.BETA, [tuple(part) for part in parts])
        self._priors = [np.array([part[1:], treatment], dtype=np.float64) for part in parts]
        self._margin, self._threshold = margin, threshold
        self._borders: dict[tuple[int, int], Ints] = {}

    def __call__(self, good: Ints, n: Ints, further: Ints) -> Floats:
        """Return the probability of success, ``[replicate]``.

        Parameters
        ----------
        good, n, further
            Good outcomes, patients read out, and still to be, control first, ``[replicate, 2]``.
        """
        believed = update_by_responses(self._prior, good[:, 0], n[:, 0]).weights
        borders, starts = self._tables(n + further)
        total = np.zeros(len(n))
        for part, prior in enumerate(self._priors):
            found = np.empty(len(n))
            predictive_of_two(good, n, further, prior, borders, starts, found)
            total += believed[:, part] * found
        return np.minimum(total, 1.0)

    def _tables(self, sizes: Ints) -> tuple[Ints, Ints]:
        """Return the borders of success for the sizes of the arms in each replicate, and where each begins."""
        distinct, place = np.unique(sizes, axis=0, return_inverse=True)
        parts = []
        for n0, n1 in distinct.tolist():
            if (n0, n1) not in self._borders:
                if len(self._borders) >= _MOST_TABLES:
                    self._borders.clear()
                self._borders[n0, n1] = self._least(n0, n1)
            parts.append(self._borders[n0, n1])
        begin = np.cumsum([0, *(len(part) for part in parts)])[:-1]
        return np.concatenate(parts), begin[place.reshape(-1)].astype(np.int64)

    def _least(self, n0: int, n1: int) -> NDArray[np.int64]:
        """Return the fewest good outcomes on treatment that succeed, by those on control; n1 + 1 where none do."""
        on_control = np.arange(n0 + 1)
        n = np.broadcast_to([n0, n1], (n0 + 1, 2)).copy()
        weights = update_by_responses(self._prior, on_control, np.full(n0 + 1, n0)).weights
        low, high = np.zeros(n0 + 1, dtype=np.int64), np.full(n0 + 1, n1 + 1)
        while (low < high).any():
            middle = (low + high) // 2
            pairs = np.stack([on_control, np.minimum(middle, n1)], axis=1)
            probability = np.zeros(n0 + 1)
            for part, prior in enumerate(self._priors):
                found = np.empty(n0 + 1)
                posterior_differences(pairs, n, self._margin, prior, found)
                probability += weights[:, part] * found
            succeeds = probability > self._threshold
            going = low < high
            high = np.where(going & succeeds, middle, high)
            low = np.where(going & ~succeeds, middle + 1, low)
        return low
