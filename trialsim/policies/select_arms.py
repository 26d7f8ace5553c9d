"""Select arms at interim looks, and stop by the bounds of a closed combination test."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from trialsim.contracts import Bools, Decision, Floats, LookView, Memory, Status
from trialsim.policies.bounds import Bounds


class SelectArms(Bounds):
    """Give up, at each interim look, the arms that a rule does not keep; bounds decide for the others.

    An arm is shown where its closed statistic reaches the efficacy bound, and given up where its own combined statistic
    is at or below the futility bound, where it can no longer be shown, or where the rule leaves it out. An arm shown at a
    look is one of those kept; ties go to the arm named first.

    Parameters
    ----------
    rule
        ``keep_all``, ``select_best``, ``drop_the_losers``, ``within_epsilon`` or ``all_promising``.
    measure
        By what arms are compared: ``effect``, the estimate in the direction of benefit, or ``z``, the combined statistic
        of the arm alone.
    keep
        Arms kept by look, the last number after all that follow.
    epsilon
        Most by which an arm may fall short of the best.
    threshold
        What an arm must reach.
    lower_is_better
        Direction of benefit.
    stop_when, futility
        As in :class:`~trialsim.policies.bounds.Bounds`.
    """

    name = "select_arms"
    reference = "Bretz et al. 2006; Bauer and Kieser 1999"

    def __init__(
        self,
        rule: str,
        measure: str = "effect",
        keep: Sequence[int] = (1,),
        epsilon: float = 0.0,
        threshold: float = 0.0,
        lower_is_better: bool = False,
        stop_when: str = "all",
        futility: str = "follow",
    ) -> None:
        super().__init__(stop_when, futility)
        self.rule, self.measure = rule, measure
        self.keep = np.array(keep, dtype=np.int64)
        self.epsilon, self.threshold = epsilon, threshold
        self.lower_is_better = lower_is_better

    def decide(self, view: LookView, memory: Memory) -> tuple[Decision, Memory]:
        """Return which tests are decided, the tests of arms not selected among those given up, and which trials stop."""
        assert view.own_z is not None and view.lost is not None
        decided_before = view.rejected | view.futile
        usable = (view.status == Status.OK) & ~decided_before
        reject = usable & (view.z >= view.efficacy_z)
        interim = ~view.is_last[:, None]
        futile = np.zeros_like(reject)
        if self.follow_futility:
            futile = usable & ~reject & interim & ((view.own_z <= view.futility_z) | view.lost)
        if not view.is_last.all():
            known = usable if view.worth is None else ~decided_before & np.isfinite(view.worth)
            kept = self._kept(view, known & ~futile)
            futile = futile | (~decided_before & ~reject & ~kept & interim)
        return self._conclude(view, reject, futile, view.open_arms), memory

    def _kept(self, view: LookView, eligible: Bools) -> Bools:
        """Return which tests the rule keeps, among those of arms that may go on or are shown now."""
        if self.rule == "keep_all":
            return np.ones_like(eligible)
        worth = np.where(eligible, self._worth(view), -np.inf)
        if self.rule == "all_promising":
            promising: Bools = worth >= self.threshold
            return promising
        if self.rule == "within_epsilon":
            near: Bools = eligible & (worth >= worth.max(axis=1, keepdims=True) - self.epsilon)
            return near
        kept = np.zeros_like(eligible)
        if self.rule == "select_best":
            best, which = worth[:, 0], np.zeros(len(worth), dtype=np.int8)
            for arm in range(1, worth.shape[1]):
                better = worth[:, arm] > best
                best, which = np.where(better, worth[:, arm], best), np.where(better, np.int8(arm), which)
            for arm in range(worth.shape[1]):
                kept[:, arm] = which == arm
            return np.asarray(kept & eligible)
        keep = self.keep[np.minimum(view.look, len(self.keep) - 1)]
        order = np.argsort(-worth, axis=1, kind="stable")
        np.put_along_axis(kept, order, np.arange(worth.shape[1]) < keep[:, None], axis=1)
        return np.asarray(kept & eligible)

    def _worth(self, view: LookView) -> Floats:
        """Return by what arms are compared, higher is better."""
        if view.worth is not None:
            return view.worth
        if self.measure == "z":
            assert view.own_z is not None
            return view.own_z
        return -view.effect if self.lower_is_better else view.effect
