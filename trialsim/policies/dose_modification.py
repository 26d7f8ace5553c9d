"""Doses are lowered, and treatment ended, at visits after so many adverse events of a severity."""

from __future__ import annotations

import numpy as np

from trialsim.contracts import DISCONTINUE, NOTHING, REDUCE, Ints, Memory, VisitView


class DoseModification:
    """Lower the dose by a level after every so many adverse events of at least a severity, and end treatment after some.

    Events are counted from randomisation to the visit, whatever was done about them when they came.

    Parameters
    ----------
    level
        The least severity that counts.
    reduce_after
        A dose level is given up for every so many; None for never.
    discontinue_after
        Treatment ends at so many; None for never.
    """

    name = "dose_modification"
    reference = "dose modification rules of cancer protocols, by CTCAE grade (National Cancer Institute, version 5.0, 2017)"
    decides_on = "visit"

    def __init__(
        self, level: str, reduce_after: int | None = None, discontinue_after: int | None = None
    ) -> None:
        self._level, self._reduce, self._discontinue = level, reduce_after, discontinue_after

    def decide(self, view: VisitView, memory: Memory) -> tuple[Ints, Memory]:
        """Return what is done about each patient."""
        counted = view.events[:, :, view.levels.index(self._level) :].sum(axis=(1, 2))
        done = np.full(len(counted), NOTHING)
        if self._reduce is not None:
            done[counted >= self._reduce * (view.dose + 1)] = REDUCE
        if self._discontinue is not None:
            done[counted >= self._discontinue] = DISCONTINUE
        return done, memory
