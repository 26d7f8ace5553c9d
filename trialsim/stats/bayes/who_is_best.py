"""Which of some response rates is the best, worked out once where a decision and an allocation both ask for it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trialsim.stats.bayes.best_arm import probabilities_best

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class _Asked:
    """A question about who is best, with its answer."""

    replicate: Ints
    good: Ints
    n: Ints
    among: Bools
    prior: tuple[float, float]
    found: Floats


class BestArms:
    """Works out who is best, and remembers the last answer."""

    def __init__(self) -> None:
        self._last: _Asked | None = None

    def __call__(
        self, replicate: Ints, good: Ints, n: Ints, among: Bools, prior: tuple[float, float]
    ) -> Floats:
        """Return the probability that each of some arms has the highest rate, ``[replicate, arm]``.

        Parameters
        ----------
        replicate
            Numbers of the replicates, by which what is remembered is found again.
        good, n, among, prior
            Good outcomes, patients, the arms compared, ``[replicate, arm]``, and the shapes of the prior of each arm.
        """
        known = self._remembered(replicate, good, n, among, prior)
        if known is not None:
            return known
        found = np.zeros(among.shape)
        probabilities_best(good, n, among, prior[0], prior[1], found)
        self._last = _Asked(replicate, good, n, among.copy(), prior, found)
        return found.copy()

    def _remembered(
        self, replicate: Ints, good: Ints, n: Ints, among: Bools, prior: tuple[float, float]
    ) -> Floats | None:
        """Return what was found when the same was asked, of these replicates among others; None where it was not."""
        last = self._last
        if last is None or last.prior != prior or not len(last.replicate):
            return None
        place = np.minimum(np.searchsorted(last.replicate, replicate), len(last.replicate) - 1)
        same = (
            np.array_equal(last.replicate.take(place), replicate)
            and np.array_equal(last.n.take(place, axis=0), n)
            and np.array_equal(last.good.take(place, axis=0), good)
            and np.array_equal(last.among.take(place, axis=0), among)
        )
        return last.found.take(place, axis=0) if same else None
