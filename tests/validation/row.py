"""One line of the validation page."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Row:
    """One line of the page.

    Parameters
    ----------
    section, quantity, source
        What it is and who gives it.
    theirs, ours
        Figures side by side.
    tolerance
        How far they may differ, and no further.
    relative
        Whether that is a share of the figure.
    """

    section: str
    quantity: str
    source: str
    theirs: tuple[float, ...]
    ours: tuple[float, ...]
    tolerance: float
    relative: bool = False

    @property
    def difference(self) -> float:
        """The largest difference; infinite where only one of two figures is finite."""
        worst = 0.0
        for a, b in zip(self.theirs, self.ours, strict=True):
            if a == b:
                continue
            scale = abs(a) if self.relative else 1.0
            apart = abs(a - b) / scale
            worst = max(worst, apart if math.isfinite(apart) else math.inf)
        return worst

    @property
    def agrees(self) -> bool:
        """Whether no figure is further off than it may be."""
        return self.difference <= self.tolerance


def row_of(
    section: str, quantity: str, source: str, theirs: Any, ours: Any, tolerance: float, relative: bool = False
) -> Row:
    """Return a row of numbers or sequences of them."""
    pair = [tuple(float(x) for x in np.atleast_1d(np.asarray(part, dtype=float))) for part in (theirs, ours)]
    return Row(section, quantity, source, pair[0], pair[1], tolerance, relative)
