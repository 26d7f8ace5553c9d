"""The decision of a fixed design whose tests share one familywise level."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.special import ndtr

from trialsim.contracts import Decision, Floats, LookView, Memory, Status
from trialsim.policies.bounds import Bounds


class SharedLevel(Bounds):
    """Reject the tests whose adjusted p value lies at or below the level; p is the one-sided tail of z.

    A test that could not be computed has p = 1.

    Parameters
    ----------
    adjusted
        Adjusted p values of p values, ``[replicate, test]`` to ``[replicate, test]``.
    level
        The familywise level.
    stop_when, futility
        As in :class:`~trialsim.policies.bounds.Bounds`.
    """

    name = "shared_level"
    reference = "Holm 1979; Hochberg 1988; Bretz et al. 2009"

    def __init__(
        self,
        adjusted: Callable[[Floats], Floats],
        level: float,
        stop_when: str = "all",
        futility: str = "follow",
    ) -> None:
        super().__init__(stop_when, futility)
        self.adjusted, self.level = adjusted, level

    def decide(self, view: LookView, memory: Memory) -> tuple[Decision, Memory]:
        """Return which tests are rejected; the trial ends with its one look."""
        usable = (view.status == Status.OK) & ~(view.rejected | view.futile)
        p = ndtr(-np.where(usable, view.z, -np.inf))
        reject = usable & (self.adjusted(p) <= self.level)
        return self._conclude(view, reject, np.zeros_like(reject), view.open_arms), memory
