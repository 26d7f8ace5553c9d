"""The traditional stopping rule: cross an efficacy bound, cross a futility bound, or reach the last look."""

from __future__ import annotations

import numpy as np

from trialsim.contracts import Bools, Decision, LookView, Memory, Status, Stop, all_of, any_of

_OK = np.int8(Status.OK)
_CONTINUE, _EFFICACY, _FUTILITY, _FINAL = (
    np.int8(reason) for reason in (Stop.CONTINUE, Stop.EFFICACY, Stop.FUTILITY, Stop.FINAL)
)


def arms_still_tested(view: LookView, decided: Bools) -> Bools:
    """Return which arms stay open: those open now that an undecided test compares, and those that no test is about."""
    needed = np.zeros_like(view.open_arms)
    tested = np.zeros(view.open_arms.shape[1], dtype=bool)
    for t, (treatment, comparator) in enumerate(view.test_arms):
        needed[:, treatment] |= ~decided[:, t]
        needed[:, comparator] |= ~decided[:, t]
        tested[treatment] = True
    kept: Bools = view.open_arms & (needed | ~tested)
    return kept


class Bounds:
    """Stop by the design's bounds (Jennison and Turnbull, Group Sequential Methods, 2000, ch. 2 to 4).

    A test is rejected when ``z >= efficacy_z`` and given up when ``z <= futility_z`` at a look that is not the last. The
    trial stops when every test is decided (``stop_when: all``) or when one is rejected (``stop_when: any``), and at
    the last look. An arm all of whose tests are decided is closed to allocation.

    Parameters
    ----------
    stop_when
        ``all`` or ``any``.
    futility
        ``follow`` or ``ignore`` the futility bounds.
    """

    name = "bounds"
    reference = "Jennison and Turnbull 2000"
    decides_on = "look"

    def __init__(self, stop_when: str = "all", futility: str = "follow") -> None:
        self.any_rejection = stop_when == "any"
        self.follow_futility = futility == "follow"

    def decide(self, view: LookView, memory: Memory) -> tuple[Decision, Memory]:
        """Return which tests are decided and which trials stop."""
        undecided = ~(view.rejected | view.futile)
        usable = (view.status == _OK) & undecided
        reject = usable & (view.z >= view.efficacy_z)
        futile = usable & ~reject & (view.z <= view.futility_z) & ~view.is_last[:, None]
        if not self.follow_futility:
            futile[:] = False
        return self._conclude(view, reject, futile, view.open_arms), memory

    def _conclude(self, view: LookView, reject: Bools, futile: Bools, open_arms: Bools) -> Decision:
        """Return the decision that follows once tests are decided and arms closed."""
        rejected = view.rejected | reject
        decided = rejected | view.futile | futile
        finished = all_of(decided)
        if self.any_rejection:
            finished |= any_of(rejected)
        stop = finished | view.is_last
        if len(view.test_arms) == 1 and open_arms is view.open_arms:
            # A trial that goes on has not decided its only test, which needs all arms that are open.
            kept = open_arms
        else:
            kept = arms_still_tested(view, decided) & open_arms
            kept = np.where(stop[:, None], view.open_arms, kept)
        reason = np.where(any_of(rejected), _EFFICACY, np.where(view.is_last, _FINAL, _FUTILITY))
        return Decision(
            stop=stop,
            reason=np.where(stop, reason, _CONTINUE),
            reject=reject,
            futile=futile,
            open_arms=kept,
        )
