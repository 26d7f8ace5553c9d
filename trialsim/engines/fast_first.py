"""The first so many patients of each trial of a chunk, counted by arm from cut to cut."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from trialsim.contracts import Floats, Ints, Moments
from trialsim.engines import fast_first_kernels as kernels


class ByArm:
    """How many of some patients of each trial are in each arm, and the sum of what was read out of them.

    Parameters
    ----------
    size, arms
        Trials in the chunk, arms of the design.

    Attributes
    ----------
    n, total
        ``[replicate, arm]``.
    """

    def __init__(self, size: int, arms: int) -> None:
        self.n, self.total = np.zeros((size, arms), dtype=np.int64), np.zeros((size, arms))

    def moments(self, rows: Ints, pair: tuple[int, int], binary: bool) -> Moments:
        """Return the moments of two arms in some trials; sums of squares of binary outcomes alone, else 0."""
        n, mean = np.empty((2, len(rows)), dtype=np.int64), np.empty((2, len(rows)))
        total = mean if not binary else np.empty(mean.shape)
        kernels.means_of_pair(rows, *pair, self.n, self.total, n, total, mean)
        squares = total * (1.0 - mean) if binary else np.zeros(mean.shape)
        return Moments(n.T, mean.T, squares.T)


class FirstPatients(ByArm):
    """The first so many patients of each trial, as of the last cut.

    Parameters
    ----------
    size, arms
        As of :class:`ByArm`.
    """

    def __init__(self, size: int, arms: int) -> None:
        super().__init__(size, arms)
        self._counted, self._left_out = np.zeros(size, dtype=np.int64), np.zeros(size, dtype=np.int64)

    def forget(self, rows: Ints, first: Ints) -> None:
        """Start again from nobody in trials in which patients from ``first[replicate]`` on are no longer what they were."""
        over = rows[self._counted[rows] > first[rows]]
        if len(over):
            self._start_after(over, np.zeros(len(over), dtype=np.int64))

    def leave_out(self, rows: Ints, nobody: Ints, upto: Ints) -> None:
        """Let the first ``nobody[k]`` of the first ``upto[k]`` patients of some trials, of earlier stages, not count."""
        anew = (self._left_out[rows] != nobody) | (self._counted[rows] > upto)
        if anew.any():
            self._start_after(rows[anew], nobody[anew])

    def _start_after(self, rows: Ints, nobody: Ints) -> None:
        """Start again, in some trials, from the patient after the first so many."""
        self.n[rows], self.total[rows] = 0, 0.0
        self._counted[rows], self._left_out[rows] = nobody, nobody

    def holds(self, rows: Ints, upto: Ints) -> bool:
        """Return whether exactly the first ``upto[k]`` patients of some trials are those counted."""
        if not len(rows) or self._counted[rows[0]] != upto[0]:
            return False
        return bool((self._counted.take(rows) == upto).all()) and not self._left_out.take(rows).any()

    def count(self, rows: Ints, upto: Ints, arm: NDArray[np.int8]) -> None:
        """Count the first ``upto[k]`` patients of some trials by arm, without what was read out of them."""
        kernels.add_patients(rows, upto, arm, self._counted, self.n, self.total)

    def read(
        self, rows: Ints, upto: Ints, arm: NDArray[np.int8], outcome: NDArray[np.uint64] | Floats
    ) -> None:
        """Count the first ``upto[k]`` patients of some trials by arm, with their outcomes: bits or values."""
        known = (rows, upto, arm, outcome, self._counted, self.n, self.total)
        if outcome.dtype == np.uint64:
            kernels.add_responses(*known)
        else:
            kernels.add_values(*known)


class SummedPatients(FirstPatients):
    """The same, of values that are added up as they are drawn; those added last by themselves, too.

    Parameters
    ----------
    size, arms
        As of :class:`ByArm`.
    """

    def __init__(self, size: int, arms: int) -> None:
        super().__init__(size, arms)
        self._last = ByArm(size, arms)
        self._since = np.zeros(size, dtype=np.int64)

    def add(self, rows: Ints, upto: Ints, draw: Callable[..., None]) -> None:
        """Count the first ``upto[k]`` patients of some trials by arm, with the values that ``draw`` makes of new ones."""
        draw(rows, upto, self._counted, self.n, self.total, self._since, self._last.n, self._last.total)

    def added_last(self, rows: Ints, nobody: Ints, upto: Ints) -> ByArm | None:
        """Return those after the first ``nobody[k]`` of the first ``upto[k]`` patients, where added last; or None."""
        same = (self._since[rows] == nobody) & (self._counted[rows] == upto)
        return self._last if same.all() else None
