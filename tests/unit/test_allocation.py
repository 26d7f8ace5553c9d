"""Allocation keeps its promises: balance in every block, every order as likely, shares by ratio and by weight."""

from __future__ import annotations

from collections import Counter
from itertools import permutations
from typing import Any

import numpy as np
import pytest
from scipy import stats

from tests.statistical.big_trial import RARE, big_trial, plan_of, share_error
from trialsim.contracts import Kind
from trialsim.engines.conduct import conduct
from trialsim.engines.runner import start_engine
from trialsim.operations.allocation import arm_in_turn, draw_by_weight

_RESPONSE = {"kind": "binary", "readout": "1 day", "rate": 0.3, "effect_measure": "rate"}


def arms_of(
    allocation: Any, n: int, names: tuple[str, ...] = ("a", "b", "c"), **parts: Any
) -> tuple[np.ndarray, Any]:
    """Return the arms of ``n`` patients, and the trial."""
    design = {
        "one": {
            "kind": "fixed",
            "n": n,
            "allocation": allocation,
            "looks": [{"when": {"calendar": "900 years"}}],
            "tests": {"primary": {"alpha": 0.025}},
        }
    }
    hypothesis = {
        "endpoint": "outcome",
        "arms": [names[1], names[0]],
        "analysis": "score_test",
        "direction": "higher",
    }
    effect = dict.fromkeys(names[1:], 0.3)
    trial = big_trial(
        _RESPONSE | {"effect": effect},
        n=n,
        arms=list(names),
        designs=design,
        hypotheses={"primary": hypothesis},
        **parts,
    )
    return trial.arm, trial


def test_alternating_goes_round_the_arms() -> None:
    arm, _ = arms_of("alternating", 20)
    assert arm.tolist() == [0, 1, 2] * 6 + [0, 1]
    ratio, _ = arms_of({"alternating": {"ratio": {"a": 2, "b": 1, "c": 3}}}, 14)
    assert ratio.tolist() == [0, 0, 1, 2, 2, 2] * 2 + [0, 0]


@pytest.mark.parametrize("ratio", [None, {"a": 2, "b": 1, "c": 3}])
def test_simple_allocation_is_by_share_and_independent(ratio: dict[str, int] | None) -> None:
    n = 20_000
    arm, _ = arms_of("simple" if ratio is None else {"simple": {"ratio": ratio}}, n)
    shares = np.array([1, 1, 1] if ratio is None else list(ratio.values())) / (3 if ratio is None else 6)
    for a, share in enumerate(shares):
        assert abs((arm == a).mean() - share) < share_error(share, n)
    table = np.zeros((3, 3))
    np.add.at(table, (arm[:-1], arm[1:]), 1)
    assert stats.chi2_contingency(table).pvalue > RARE


@pytest.mark.parametrize(
    ("size", "ratio"), [(3, None), (12, None), (6, {"a": 2, "b": 1, "c": 3}), (12, {"a": 2, "b": 1, "c": 3})]
)
def test_every_block_is_balanced(size: int, ratio: dict[str, int] | None) -> None:
    rule = {"size": size} | ({} if ratio is None else {"ratio": ratio})
    arm, _ = arms_of({"permuted_blocks": rule}, 40 * size + 5)
    shares = [1, 1, 1] if ratio is None else list(ratio.values())
    expected = [share * size // sum(shares) for share in shares]
    for block in arm[: 40 * size].reshape(40, size):
        assert np.bincount(block, minlength=3).tolist() == expected


@pytest.mark.slow
def test_every_order_of_a_block_is_equally_likely() -> None:
    blocks = 6000
    arm, _ = arms_of({"permuted_blocks": {"size": 4, "ratio": {"a": 2, "b": 1, "c": 1}}}, 4 * blocks)
    orders = sorted(set(permutations([0, 0, 1, 2])))
    counts = Counter(map(tuple, arm.reshape(blocks, 4).tolist()))
    assert set(counts) == set(orders)
    assert len(orders) == 12
    assert stats.chisquare([counts[order] for order in orders]).pvalue > RARE


def test_blocks_are_balanced_in_every_stratum() -> None:
    people = {
        "marginals": {
            "sex": {"categorical": {"female": 0.3, "male": 0.7}},
            "region": {"categorical": {"east": 0.5, "west": 0.4, "north": 0.1}},
        }
    }
    rule = {"stratified_permuted_blocks": {"size": 6, "strata": ["sex", "region"]}}
    arm, trial = arms_of(rule, 3000, population=people)
    stratum = trial.column("sex") * 3 + trial.column("region")
    assert len(np.unique(stratum)) == 6
    for s in range(6):
        mine = arm[stratum == s]
        assert len(mine) > 12
        whole = mine[: len(mine) // 6 * 6].reshape(-1, 6)
        assert all(np.bincount(block, minlength=3).tolist() == [2, 2, 2] for block in whole)
    # Not balanced in blocks of the trial as a whole: strata are kept apart.
    assert any(np.bincount(block, minlength=3).tolist() != [2, 2, 2] for block in arm.reshape(-1, 6))


def test_weights_are_probabilities() -> None:
    generator = np.random.default_rng(3)
    weights = np.array([0.5, 0.0, 1.5, 3.0])
    n = 20_000
    found = np.array([draw_by_weight(u, weights) for u in generator.random(n)])
    assert not (found == 1).any()
    for a in (0, 2, 3):
        assert abs((found == a).mean() - weights[a] / 5) < share_error(weights[a] / 5, n)
    assert draw_by_weight(1e-300, weights) == 0
    assert draw_by_weight(1 - 2**-53, weights) == 3


def test_turns_skip_closed_arms() -> None:
    assert [arm_in_turn(k, np.array([1, 0, 2])) for k in range(6)] == [0, 2, 2, 0, 2, 2]


def _sequential(
    allocation: Any, looks: list[dict[str, Any]], policies: dict[str, Any], bounds: list[float | None]
) -> Any:
    """Return a three-arm plan with binary outcomes known at once."""
    return plan_of(
        _RESPONSE | {"effect": {"b": 0.5, "c": 0.9}},
        900,
        arms=["a", "b", "c"],
        accrual={"evenly_spaced": {"over": "900 days"}},
        hypotheses={
            arm: {"endpoint": "outcome", "arms": [arm, "a"], "analysis": "score_test", "direction": "higher"}
            for arm in "bc"
        },
        designs={
            "one": {
                "kind": "group_sequential",
                "n": 900,
                "allocation": allocation,
                "looks": looks,
                "tests": {"b": {"alpha": 0.025}, "c": {"alpha": 0.025}},
                "bounds": {"efficacy_z": bounds},
                "policies": policies,
            }
        },
    )


def test_a_closed_arm_gets_no_patient_and_blocks_begin_anew() -> None:
    # 301 patients are in at the look: one beyond a whole block of 6, which is thrown away with the arm.
    plan = _sequential(
        {"permuted_blocks": {"size": 6}},
        [{"when": {"enrolled": 301}}, {"when": {"enrolled": 900}}],
        {"stopping": {"drop_arms": {"look": 1, "keep": 1}}},
        [None, 2.0],
    )
    result = conduct(start_engine(plan, "fast").start(np.arange(5)))
    for row in range(5):
        log = result.chunk.log(row)
        arm = np.array([entry.value for entry in log if entry.kind == Kind.RANDOMISATION]).astype(int)
        (closed,) = [entry.id for entry in log if entry.kind == Kind.ARM_CLOSED]
        assert closed == 1
        assert result.ends.dropped_look[row].tolist() == [0, 1, 0]
        later = arm[301:]
        assert not (later == 1).any()
        assert all(
            np.bincount(block, minlength=3).tolist() == [2, 0, 2]
            for block in later[: len(later) // 4 * 4].reshape(-1, 4)
        )


@pytest.mark.slow
def test_reweighted_allocation_follows_the_success_rates() -> None:
    plan = _sequential(
        "simple",
        [{"when": {"readouts": 300}}, {"when": {"readouts": 900}}],
        {"randomisation": "rosenberger", "stopping": {"bounds": {"futility": "ignore"}}},
        [None, 20.0],
    )
    replicates = 40
    result = conduct(start_engine(plan, "fast").start(np.arange(replicates)))
    standardised = []
    for row in range(replicates):
        log = result.chunk.log(row)
        weights = np.array([entry.value for entry in log if entry.kind == Kind.WEIGHT])
        assert len(weights) == 3
        assert weights.sum() == pytest.approx(1, abs=2.0**-18)
        (cut,) = {entry.tick for entry in log if entry.kind == Kind.WEIGHT}
        arm = {entry.id: int(entry.value) for entry in log if entry.kind == Kind.RANDOMISATION}
        success = [[], [], []]
        for entry in log:
            if entry.kind == Kind.READOUT and entry.tick <= cut:
                success[arm[entry.id]].append(entry.value)
        rate = np.array([(sum(s) + 0.5) / (len(s) + 1) for s in success])
        np.testing.assert_allclose(weights, np.sqrt(rate) / np.sqrt(rate).sum(), atol=2.0**-20)
        later = np.array([a for i, a in arm.items() if i > 300])
        counts = np.bincount(later, minlength=3)
        standardised.append((counts - len(later) * weights) / np.sqrt(len(later) * weights * (1 - weights)))
    z = np.array(standardised)
    assert (np.abs(z.mean(axis=0)) < 5 / np.sqrt(replicates)).all()
    assert np.abs(z).max() < 5
