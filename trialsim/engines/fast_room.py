"""Where the large arrays of the fast engine lie."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray


class Room:
    """Keeps arrays under a name, so that chunk after chunk lies in the same memory.

    The system hands out fresh memory page by page as it is first written, which takes as long as what is computed in it.
    """

    def __init__(self) -> None:
        self._kept: dict[tuple[str, np.dtype[Any]], NDArray[Any]] = {}

    def array(self, name: str, shape: tuple[int, ...], kind: DTypeLike = np.int64) -> NDArray[Any]:
        """Return an array of any content; who asks for the same name again takes its memory away from who had it.

        Parameters
        ----------
        name
            What it is for.
        shape
            Its shape.
        kind
            Its data type.
        """
        key, size = (name, np.dtype(kind)), math.prod(shape)
        if key not in self._kept or self._kept[key].size < size:
            self._kept[key] = np.empty(size, dtype=kind)
        return self._kept[key][:size].reshape(shape)
