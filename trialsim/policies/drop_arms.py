"""Drop the worst arms at one look, then go on by the bounds."""

from __future__ import annotations

import numpy as np

from trialsim.contracts import Decision, LookView, Memory, Status
from trialsim.policies.bounds import Bounds


class DropArms(Bounds):
    """Keep the best ``keep`` experimental arms at look ``look`` and give up the tests of the others.

    Ranking is by the best z of an arm's tests; an arm whose tests could not be computed ranks last, ties go to the arm
    named first, and an arm rejected at this very look is one of those kept. The remaining
    tests use the design's bounds as they are, so **no familywise claim is made**: a selection that is not accounted for
    may inflate the error (Thall, Simon and Ellenberg, Biometrika 75, 1988, 303-310).

    Parameters
    ----------
    look
        Look at which arms are dropped, from 1.
    keep
        Experimental arms kept, at least 1.
    stop_when, futility
        As in :class:`~trialsim.policies.bounds.Bounds`.
    """

    name = "drop_arms"
    reference = "selection at an interim as in Thall, Simon and Ellenberg 1988, without their adjustment"

    def __init__(
        self, look: int = 1, keep: int = 1, stop_when: str = "all", futility: str = "follow"
    ) -> None:
        super().__init__(stop_when, futility)
        self.look = look
        self.keep = keep

    def decide(self, view: LookView, memory: Memory) -> tuple[Decision, Memory]:
        """Return the bounds' decision, with the tests of the dropped arms given up at the chosen look."""
        decision, memory = super().decide(view, memory)
        assert decision.reject is not None and decision.futile is not None
        here = (view.look == self.look - 1) & ~view.is_last
        decided_before = view.rejected | view.futile
        z = np.where((view.status == Status.OK) & ~decided_before & ~decision.futile, view.z, -np.inf)
        arms = np.unique(view.test_arms[:, 0])
        best = np.stack([z[:, view.test_arms[:, 0] == arm].max(axis=1) for arm in arms], axis=1)
        order = np.argsort(-best, axis=1, kind="stable")
        kept = np.zeros(best.shape, dtype=bool)
        np.put_along_axis(kept, order[:, : self.keep], True, axis=1)
        arm_of_test = np.searchsorted(arms, view.test_arms[:, 0])
        undecided = ~(decided_before | decision.reject | decision.futile)
        dropped = undecided & ~kept[:, arm_of_test] & here[:, None]
        return self._conclude(view, decision.reject, decision.futile | dropped, view.open_arms), memory
