"""What a policy remembers from decision to decision, of each trial of a chunk or of each patient."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trialsim.contracts import Bools, Ints, Memory


class Remembered:
    """Keeps the memory of a policy by place: of a trial in its chunk, or of a patient where it decides at visits.

    Parameters
    ----------
    size
        How many places there are.
    """

    def __init__(self, size: int) -> None:
        self._size, self._kept = size, dict[str, NDArray[Any]]()
        self.known: Bools = np.zeros(size, dtype=np.bool_)
        """Whether anything was kept at each place; elsewhere a policy is asked with an empty memory."""

    def of(self, places: Ints) -> Memory:
        """Return what is remembered at some places, of all of which or of none something was kept."""
        if not len(places) or not self.known[places[0]]:
            return {}
        return {name: array[places] for name, array in self._kept.items()}

    def groups(self, places: Ints) -> Iterator[Ints]:
        """Yield positions among some places: of those of which nothing was kept, then of the others; none empty.

        They are one group as long as a policy has remembered nothing at all.
        """
        known = self.known[places] & bool(self._kept)
        for group in (np.flatnonzero(~known), np.flatnonzero(known)):
            if len(group):
                yield group

    def keep(self, places: Ints, memory: Memory) -> None:
        """Keep a memory whose rows are some places; arrays that were handed out stay as they are."""
        self.known[places] = True
        for name, array in memory.items():
            value = np.asarray(array)
            if name not in self._kept:
                self._kept[name] = np.zeros((self._size, *value.shape[1:]), dtype=value.dtype)
            self._kept[name][places] = value
