"""What the shipped policies decide on views worked out by hand."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from trialsim.contracts import AllocationView, Decision, LookView, Status, Stop
from trialsim.policies.bounds import Bounds
from trialsim.policies.by_design import ByDesign
from trialsim.policies.drop_arms import DropArms
from trialsim.policies.rosenberger import Rosenberger

INF = math.inf


def view(z: list[list[float]], arms: int = 3, **changes: Any) -> LookView:
    """Return a view of the first of two looks with bounds at 2.5 and 0, one test for each experimental arm."""
    values = np.array(z, dtype=float)
    k, tests = values.shape
    parts: dict[str, Any] = {
        "replicate": np.arange(k),
        "look": np.zeros(k, dtype=np.int64),
        "is_last": np.zeros(k, dtype=bool),
        "cut_days": np.full(k, 100.0),
        "z": values,
        "effect": values,
        "se": np.ones((k, tests)),
        "information": np.ones((k, tests)),
        "status": np.zeros((k, tests), dtype=np.int8),
        "efficacy_z": np.full((k, tests), 2.5),
        "futility_z": np.zeros((k, tests)),
        "test_arms": np.array([[t + 1, 0] for t in range(tests)]),
        "rejected": np.zeros((k, tests), dtype=bool),
        "futile": np.zeros((k, tests), dtype=bool),
        "open_arms": np.ones((k, arms), dtype=bool),
        "arm_enrolled": np.full((k, arms), 50),
        "arm_events": np.full((k, arms), 20),
        "arm_readouts": np.zeros((k, arms), dtype=np.int64),
    }
    return LookView(**(parts | changes))


def decide(policy: Any, seen: Any) -> Decision:
    decision, _ = policy.decide(seen, {})
    return decision.canonical()


def facts(decision: Decision) -> tuple[Any, ...]:
    parts = (decision.stop, decision.reason, decision.reject, decision.futile, decision.open_arms)
    return tuple(part.tolist() for part in parts)


def test_bounds_reject_give_up_close_and_stop() -> None:
    seen = view([[3.0, 1.0], [1.0, -0.5], [3.0, -0.1], [-1.0, -1.0], [2.6, 2.5]])
    stop, reason, reject, futile, open_arms = facts(decide(Bounds(), seen))
    assert stop == [False, False, True, True, True]
    assert reason == [Stop.CONTINUE, Stop.CONTINUE, Stop.EFFICACY, Stop.FUTILITY, Stop.EFFICACY]
    assert reject == [[True, False], [False, False], [True, False], [False, False], [True, True]]
    assert futile == [[False, False], [False, True], [False, True], [True, True], [False, False]]
    assert open_arms[:2] == [[True, False, True], [True, True, False]]
    assert open_arms[2:] == [[True] * 3] * 3


def test_bounds_include_their_edges() -> None:
    _, _, reject, futile, _ = facts(decide(Bounds(), view([[2.5, 0.0]])))
    assert reject == [[True, False]]
    assert futile == [[False, True]]
    _, _, reject, futile, _ = facts(decide(Bounds(), view([[np.nextafter(2.5, 0), np.nextafter(0, 1)]])))
    assert reject == [[False, False]]
    assert futile == [[False, False]]


def test_stopping_at_the_first_rejection() -> None:
    stop, reason, *_ = facts(decide(Bounds(stop_when="any"), view([[3.0, 1.0], [-1.0, 1.0]])))
    assert stop == [True, False]
    assert reason == [Stop.EFFICACY, Stop.CONTINUE]


def test_futility_that_is_ignored() -> None:
    stop, _, reject, futile, _ = facts(decide(Bounds(futility="ignore"), view([[-3.0, -1.0], [3.0, -1.0]])))
    assert stop == [False, False]
    assert reject == [[False, False], [True, False]]
    assert futile == [[False, False], [False, False]]


def test_the_last_look_ends_the_trial_and_gives_nothing_up() -> None:
    seen = view([[1.0, -1.0], [3.0, -1.0]], is_last=np.array([True, True]), look=np.array([1, 1]))
    stop, reason, reject, futile, _ = facts(decide(Bounds(), seen))
    assert stop == [True, True]
    assert reason == [Stop.FINAL, Stop.EFFICACY]
    assert reject == [[False, False], [True, False]]
    assert futile == [[False, False], [False, False]]


def test_what_was_decided_stays_decided() -> None:
    earlier = {"rejected": np.array([[True, False]]), "futile": np.array([[False, False]])}
    open_arms = np.array([[True, False, True]])
    stop, reason, reject, futile, still = facts(
        decide(Bounds(), view([[3.0, 1.0]], open_arms=open_arms, **earlier))
    )
    assert (stop, reason) == ([False], [Stop.CONTINUE])
    assert reject == [[False, False]]
    assert futile == [[False, False]]
    assert still == [[True, False, True]]
    stop, reason, *_ = facts(decide(Bounds(), view([[-9.0, -0.1]], **earlier)))
    assert (stop, reason) == ([True], [Stop.EFFICACY])


def test_an_estimate_that_failed_decides_nothing() -> None:
    failed = np.array([[Status.NO_EVENTS, Status.OK], [Status.OK, Status.NO_VARIANCE]], dtype=np.int8)
    _, _, reject, futile, _ = facts(decide(Bounds(), view([[np.nan, 3.0], [-1.0, np.nan]], status=failed)))
    assert reject == [[False, True], [False, False]]
    assert futile == [[False, False], [True, False]]
    _, _, reject, futile, _ = facts(
        decide(Bounds(), view([[99.0, -99.0]], status=failed[:1] * 0 + Status.EMPTY_ARM))
    )
    assert reject == futile == [[False, False]]


def test_no_bound_is_never_crossed() -> None:
    nothing = {"efficacy_z": np.full((1, 2), INF), "futility_z": np.full((1, 2), -INF)}
    _, _, reject, futile, _ = facts(decide(Bounds(), view([[40.0, -40.0]], **nothing)))
    assert reject == futile == [[False, False]]


def test_drop_arms_keeps_the_best() -> None:
    none = {"efficacy_z": np.full((3, 3), INF), "futility_z": np.full((3, 3), -INF)}
    z = [[0.2, 1.0, 0.5], [0.7, 0.7, 0.1], [-1.0, np.nan, -2.0]]
    status = np.array([[0, 0, 0], [0, 0, 0], [0, Status.NO_EVENTS, 0]], dtype=np.int8)
    seen = view(z, arms=4, status=status, **none)
    stop, _, reject, futile, open_arms = facts(decide(DropArms(look=1, keep=1), seen))
    assert stop == [False] * 3
    assert not np.any(reject)
    # Ties go to the arm named first; one that could not be estimated ranks last.
    assert futile == [[True, False, True], [False, True, True], [False, True, True]]
    assert open_arms == [[True, False, True, False], [True, True, False, False], [True, True, False, False]]
    _, _, _, futile, _ = facts(decide(DropArms(look=1, keep=2), seen))
    assert futile == [[True, False, False], [False, False, True], [False, True, False]]


def test_drop_arms_drops_at_its_look_alone() -> None:
    none = {"efficacy_z": np.full((2, 2), INF), "futility_z": np.full((2, 2), -INF)}
    seen = view([[0.2, 1.0], [0.2, 1.0]], look=np.array([0, 1]), **none)
    _, _, _, futile, _ = facts(decide(DropArms(look=2, keep=1), seen))
    assert futile == [[False, False], [True, False]]


def test_drop_arms_decides_by_the_bounds_first() -> None:
    _, _, reject, futile, open_arms = facts(decide(DropArms(look=1, keep=1), view([[2.7, 1.0, 0.5]], arms=4)))
    assert reject == [[True, False, False]]
    # The arm rejected now is the one that is kept, so nothing is left to decide and the trial stops.
    assert futile == [[False, True, True]]
    assert open_arms == [[True, True, True, True]]


def test_drop_arms_ranks_arms_and_keeps_all_tests_of_the_kept() -> None:
    _, _, reject, futile, open_arms = facts(decide(DropArms(look=1, keep=2), view([[0.2, 1.0, 0.5]], arms=4)))
    assert reject == [[False, False, False]]
    assert futile == [[True, False, False]]
    assert open_arms == [[True, False, True, True]]


def allocation_view(
    total: list[list[float]], readouts: list[list[int]], open_arms: list[list[bool]]
) -> AllocationView:
    k, arms = np.array(total).shape
    return AllocationView(
        replicate=np.arange(k),
        cut_days=np.zeros(k),
        arm_enrolled=np.array(readouts),
        arm_events=np.zeros((k, arms), dtype=np.int64),
        arm_readouts=np.array(readouts),
        arm_total=np.array(total),
        open_arms=np.array(open_arms),
        ratio=np.ones(arms, dtype=np.int64),
    )


def test_rosenberger_weighs_by_the_root_of_the_success_rate() -> None:
    seen = allocation_view([[4, 12], [0, 0]], [[24, 24], [0, 0]], [[True, True], [True, True]])
    decision = decide(Rosenberger(), seen)
    assert decision.weights is not None
    # (4.5 / 25) and (12.5 / 25): roots 0.42426 and 0.70711, shares 3/8 and 5/8 of 1.13137.
    assert decision.weights[0] == pytest.approx([0.375, 0.625], abs=2.0**-20)
    assert decision.weights[1].tolist() == [0.5, 0.5]
    assert decision.stop is None
    assert ((decision.weights * 2**20) % 1 == 0).all()


def test_rosenberger_gives_closed_arms_nothing() -> None:
    decision = decide(Rosenberger(), allocation_view([[9, 9, 9]], [[10, 10, 10]], [[True, False, True]]))
    assert decision.weights is not None
    assert decision.weights.tolist() == [[0.5, 0.0, 0.5]]


def test_by_design_changes_nothing() -> None:
    decision = decide(ByDesign(), allocation_view([[1, 2]], [[3, 4]], [[True, True]]))
    assert all(part is None for part in vars(decision).values())
    assert not ByDesign.adaptive
    assert Rosenberger.adaptive


def test_a_canonical_decision_has_its_weights_on_the_grid() -> None:
    weights = np.array([[1.0, 2.0, 4.0], [np.nan] * 3])
    canonical = Decision(weights=weights).canonical()
    assert canonical.weights is not None
    assert canonical.weights[0].tolist() == [round(2**20 * w / 7) / 2**20 for w in (1, 2, 4)]
    assert np.isnan(canonical.weights[1]).all()
    noisy = Decision(weights=weights * (1 + 1e-13)).canonical()
    assert noisy.weights is not None
    assert (noisy.weights[0] == canonical.weights[0]).all()
