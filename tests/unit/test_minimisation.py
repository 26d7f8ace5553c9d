"""Minimisation and the biased coin: worked examples, the law in plain fractions, what later patients may change."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from tests.statistical.big_trial import plan_of
from tests.unit.balance_by_hand import favoured_by_coin, favoured_by_minimisation, shared_out
from trialsim.contracts import Kind
from trialsim.draws import Purpose, uniform
from trialsim.engines import fast_minimisation
from trialsim.engines.conduct import conduct
from trialsim.engines.fast import FastChunk
from trialsim.engines.plan import Plan
from trialsim.engines.runner import start_engine
from trialsim.operations.allocation import BIASED_COIN, MINIMISATION
from trialsim.operations.minimisation import RANGE, SD, VARIANCE, chances_of, steps_of

MEASURES = {"range": RANGE, "variance": VARIANCE, "sd": SD}
PEOPLE = {
    "marginals": {
        "sex": {"categorical": {"female": 0.4, "male": 0.6}},
        "region": {"categorical": {"east": 0.5, "west": 0.3, "north": 0.2}},
    }
}


def chances(
    counts: Any,
    p: float,
    ratio: Any = None,
    measure: str = "range",
    weights: Any = None,
    rule: int = MINIMISATION,
    whole_ratio: Any = None,
) -> list[float]:
    """Return the probabilities of the arms; ``whole_ratio`` where ``ratio`` has closed arms."""
    table = np.array(counts, dtype=np.int64)
    shares = np.array([1] * table.shape[1] if ratio is None else ratio, dtype=np.int64)
    by = np.array([1] * len(table) if weights is None else weights, dtype=np.int64)
    steps = steps_of(np.array(shares if whole_ratio is None else whole_ratio, dtype=np.int64))
    found: list[float] = chances_of(rule, MEASURES[measure], table, by, steps, shares, p).tolist()
    return found


# ---- worked examples ----------------------------------------------------------------------------------------------

POCOCK = [[30, 31], [18, 17], [9, 8], [19, 21]]
"""80 patients with advanced breast cancer (Pocock, Clinical Trials, 1983, chapter 5): those like the next one, who is
ambulatory, below 50, was free of disease for two years and more, and has visceral disease, on A and on B."""


def test_the_example_of_pocock() -> None:
    # The sums 76 and 77 of the book favour A; they are the rule for variances, whose difference is four times theirs:
    # 0 + 4 + 4 + 1 = 9 with the patient on A, 4 + 0 + 0 + 9 = 13 on B.
    assert [sum(column) for column in zip(*POCOCK, strict=True)] == [76, 77]
    assert chances(POCOCK, 0.8, measure="variance") == pytest.approx([0.8, 0.2])
    # Ranges tie: 0 + 2 + 2 + 1 on A, 2 + 0 + 0 + 3 on B; so do standard deviations, which are half of them.
    assert chances(POCOCK, 0.8, measure="range") == pytest.approx([0.5, 0.5])
    assert chances(POCOCK, 0.8, measure="sd") == pytest.approx([0.5, 0.5])
    # Weighing the first factor twice adds 0 on A and 2 on B, weighing the second twice 2 on A and 0 on B.
    assert chances(POCOCK, 0.8, weights=[2, 1, 1, 1]) == pytest.approx([0.8, 0.2])
    assert chances(POCOCK, 0.8, weights=[1, 2, 1, 1]) == pytest.approx([0.2, 0.8])


def test_the_example_of_lim_and_in() -> None:
    # Randomization in clinical studies, 2019, table 4: the fifteenth patient leaves 3 on control, 5 on treatment.
    assert chances([[3, 5], [3, 3], [3, 3]], 1.0) == [1.0, 0.0]


def test_three_arms_with_equal_shares() -> None:
    # One factor with 2, 1 and 0 patients: the ranges with the patient are 3 - 0, 2 - 0 and 2 - 1.
    assert chances([[2, 1, 0]], 0.8) == pytest.approx([0.1, 0.1, 0.8])
    # 1, 0 and 0 patients: the last two tie. The first in a random order has 0.8, the others 0.1 each.
    assert chances([[1, 0, 0]], 0.8) == pytest.approx([0.1, 0.45, 0.45])
    assert chances([[4, 4, 4]], 0.8) == pytest.approx([1 / 3] * 3)


@pytest.mark.parametrize(
    ("favoured", "expected"), [(0, [0.8, 0.08, 0.12]), (1, [0.04, 0.84, 0.12]), (2, [0.04, 0.08, 0.88])]
)
def test_biased_coin_minimisation_with_shares_1_2_3(favoured: int, expected: list[float]) -> None:
    # Han, Enas and McEntegart (2009): p 0.8 for the arm of the smallest share, 1 - 0.2 (6 - r) / 5 for another one.
    counts = [10, 20, 30]
    counts[favoured] -= 3
    assert chances([counts], 0.8, [1, 2, 3]) == pytest.approx(expected)


@pytest.mark.parametrize("ratio", [[1, 1], [1, 2], [3, 1, 2], [5, 2, 2, 1]])
def test_arms_favoured_by_their_shares_are_given_by_their_shares(ratio: list[int]) -> None:
    total = sum(ratio)
    given = np.zeros(len(ratio))
    for favoured, share in enumerate(ratio):
        counts = [10 * each for each in ratio]
        counts[favoured] -= 9
        given += share / total * np.array(chances([counts], 0.75, ratio))
    np.testing.assert_allclose(given, np.array(ratio) / total, rtol=1e-14)


def test_a_biased_coin_favours_the_arm_behind() -> None:
    assert chances([[5, 5]], 2 / 3, rule=BIASED_COIN) == pytest.approx([0.5, 0.5])
    assert chances([[6, 5]], 2 / 3, rule=BIASED_COIN) == pytest.approx([1 / 3, 2 / 3])
    assert chances([[5, 7]], 2 / 3, rule=BIASED_COIN) == pytest.approx([2 / 3, 1 / 3])
    # Shares 1 and 2: 5 and 10 patients are level, and the arms are then drawn by share.
    assert chances([[5, 10]], 0.7, [1, 2], rule=BIASED_COIN) == pytest.approx([1 / 3, 2 / 3])
    assert chances([[5, 11]], 0.7, [1, 2], rule=BIASED_COIN) == pytest.approx([0.7, 0.3])
    assert chances([[5, 9]], 0.7, [1, 2], rule=BIASED_COIN) == pytest.approx([0.15, 0.85])


# ---- against the law in plain fractions ---------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("measure", list(MEASURES))
def test_the_compiled_law_is_the_law_in_fractions(measure: str) -> None:
    generator = np.random.default_rng(7)
    ties = 0
    for _ in range(1000):
        arms, factors = int(generator.integers(2, 6)), int(generator.integers(1, 9))
        ratio = generator.integers(1, 5, arms).tolist()
        counts = generator.integers(0, 4, (factors, arms)) * int(generator.choice([1, 3]))
        weights = generator.integers(1, 4, factors).tolist()
        shares = [0 if arms > 2 and a == 1 and generator.random() < 0.3 else r for a, r in enumerate(ratio)]
        p = Fraction(int(generator.integers(20, 41)), 40)
        favoured = favoured_by_minimisation(counts.tolist(), weights, shares, measure)
        ties += len(favoured) > 1
        expected = [float(chance) for chance in shared_out(favoured, shares, p)]
        found = chances(counts, float(p), shares, measure, weights, whole_ratio=ratio)
        assert found == pytest.approx(expected, abs=1e-14), (counts, weights, shares)
    assert ties > 20


def test_the_largest_counts_stay_within_64_bits() -> None:
    ratio = [99, 100] * 10
    assert int(steps_of(np.array(ratio))[0]) == 100
    counts = [[1_000_000 - (a == 13) * 5 for a in range(20)] for _ in range(8)]
    for measure in ("range", "variance"):
        favoured = favoured_by_minimisation(counts, [100] * 8, ratio, measure)
        found = chances(counts, 1.0, ratio, measure, [100] * 8)
        assert np.flatnonzero(found).tolist() == favoured
    uneven = [[1_000_000 * (a % 2) for a in range(20)] for _ in range(8)]
    found = chances(uneven, 1.0, ratio, "variance", [100] * 8)
    assert np.flatnonzero(found).tolist() == favoured_by_minimisation(uneven, [100] * 8, ratio, "variance")


def test_a_closed_arm_has_no_chance_and_one_open_arm_has_all() -> None:
    assert chances([[0, 9, 9]], 0.9, [0, 1, 1], whole_ratio=[1, 1, 1]) == pytest.approx([0, 0.5, 0.5])
    assert chances([[0, 9, 9]], 0.9, [0, 1, 0], whole_ratio=[1, 1, 1]) == [0.0, 1.0, 0.0]
    assert chances([[0, 9]], 0.7, [0, 1], rule=BIASED_COIN, whole_ratio=[1, 1]) == [0.0, 1.0]
    # 0.3 favours the arm behind of four, but would favour the arm ahead of two: those are drawn by share.
    assert chances([[0, 5, 9, 9]], 0.3, [0, 0, 1, 1], whole_ratio=[1] * 4) == pytest.approx([0, 0, 0.5, 0.5])


# ---- in trials ----------------------------------------------------------------------------------------------------


def three_arms(allocation: Any, n: int = 120, looks: Any = None, **parts: Any) -> Plan:
    """Return a plan of three arms of which the look at half of the patients drops one."""
    names = ["a", "b", "c"]
    design = {
        "kind": "group_sequential",
        "n": n,
        "allocation": allocation,
        "looks": looks or [{"when": {"enrolled": n // 2}}, {"when": {"enrolled": n}}],
        "tests": {"b": {"alpha": 0.025}, "c": {"alpha": 0.025}},
        "bounds": {"efficacy_z": [None, 2.0]},
        "policies": {"stopping": {"drop_arms": {"look": 1, "keep": 1}}},
    }
    endpoint = {"kind": "binary", "readout": "1 day", "rate": 0.3, "effect_measure": "rate"}
    return plan_of(
        endpoint | {"effect": {"b": 0.5, "c": 0.9}},
        n,
        **{
            "arms": names,
            "accrual": {"evenly_spaced": {"over": f"{n} days"}},
            "population": PEOPLE,
            "hypotheses": {
                arm: {
                    "endpoint": "outcome",
                    "arms": [arm, "a"],
                    "analysis": "score_test",
                    "direction": "higher",
                }
                for arm in "bc"
            },
            "designs": {"one": design},
        }
        | parts,
    )


RULES = {
    "range": {"factors": ["sex", "region"], "weights": {"sex": 2}},
    "variance": {"factors": ["region"], "measure": "variance", "probability": 0.95},
    "sd": {"factors": ["sex", "region"], "measure": "sd", "ratio": {"a": 2, "b": 1, "c": 3}},
    "totals": {"factors": [], "probability": 1},
}


@pytest.mark.parametrize("name", list(RULES))
def test_a_trial_replayed_patient_by_patient_with_an_arm_that_closes(name: str) -> None:
    rule = RULES[name]
    plan = three_arms({"minimisation": rule})
    result = conduct(start_engine(plan, "fast").start(np.arange(4)))
    ratio = list(rule.get("ratio", {"a": 1, "b": 1, "c": 1}).values())
    p = Fraction(rule.get("probability", 0.8)).limit_denominator(100)
    weights = [rule.get("weights", {}).get(factor, 1) for factor in rule["factors"]] or [1]
    columns = [plan.world.source.columns.index(factor) for factor in rule["factors"]]
    for row in range(4):
        records = plan.world.source.records(plan.seed, row, plan.n)
        closed: set[int] = set()
        seen: list[tuple[Any, int]] = []
        for entry in result.chunk.log(row):
            if entry.kind == Kind.ARM_CLOSED:
                closed.add(entry.id)
            if entry.kind != Kind.RANDOMISATION:
                continue
            mine = records[entry.id]
            alike = [[arm for other, arm in seen if other[c] == mine[c]] for c in columns]
            counts = [[each.count(a) for a in range(3)] for each in alike or [[arm for _, arm in seen]]]
            shares = [0 if a in closed else share for a, share in enumerate(ratio)]
            favoured = favoured_by_minimisation(counts, weights, shares, rule.get("measure", "range"))
            below = np.cumsum([float(chance) for chance in shared_out(favoured, shares, p)])
            u = uniform(plan.seed, row, entry.id, int(Purpose.ALLOCATION), 0)
            assert int(entry.value) == int(np.searchsorted(below, u, side="right")), entry.id
            seen.append((mine, int(entry.value)))
        assert len(closed) == 1
        assert len(seen) == plan.n


def test_a_biased_coin_replayed_with_a_coin_in_each_stratum() -> None:
    rule = {
        "biased_coin": {
            "strata": ["region", "sex"],
            "ratio": {"control": 1, "treatment": 2},
            "probability": 0.7,
        }
    }
    endpoint = {"kind": "binary", "readout": "1 day", "rate": 0.3, "effect_measure": "rate"}
    plan = plan_of(
        endpoint | {"effect": {"treatment": 0.5}},
        200,
        population=PEOPLE,
        designs={
            "one": {
                "kind": "fixed",
                "n": 200,
                "allocation": rule,
                "looks": [{"when": {"calendar": "900 years"}}],
                "tests": {"primary": {"alpha": 0.025}},
            }
        },
    )
    chunk = start_engine(plan, "fast").start(np.arange(3))
    assert isinstance(chunk, FastChunk)
    for row in range(3):
        records = plan.world.source.records(plan.seed, row, plan.n)
        counts: dict[tuple[float, ...], list[int]] = {}
        for i, record in enumerate(records):
            mine = counts.setdefault(tuple(record), [0, 0])
            chance = shared_out(favoured_by_coin(mine, [1, 2]), [1, 2], Fraction(7, 10))
            u = uniform(plan.seed, row, i, int(Purpose.ALLOCATION), 0)
            assert chunk.arm[row, i] == int(u >= chance[0]), i
            mine[chunk.arm[row, i]] += 1
        assert len(counts) == 6


# ---- allocation does not peek -------------------------------------------------------------------------------------


def arms_of(plan: Plan, replicates: int = 5) -> np.ndarray:
    chunk = start_engine(plan, "fast").start(np.arange(replicates))
    assert isinstance(chunk, FastChunk)
    return chunk.arm.copy()


def test_neither_outcomes_nor_later_patients_move_an_allocation() -> None:
    allocation = {"minimisation": RULES["sd"]}
    plan = three_arms(allocation)
    arm = arms_of(plan)
    endpoint = {"kind": "binary", "readout": "1 day", "rate": 0.9, "effect_measure": "rate"}
    other = three_arms(allocation, endpoints={"outcome": endpoint | {"effect": {"b": 0.1, "c": 0.2}}})
    assert np.array_equal(arms_of(other), arm)
    longer = three_arms(allocation, 360)
    assert np.array_equal(arms_of(longer)[:, : plan.n], arm)


def allocated_anew(chunk: FastChunk, rows: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Return the arms that five trials of three arms would have with other records or keys of their patients."""
    plan, balance = chunk.plan, chunk.plan.allocation.balance
    assert balance is not None
    levels, _, count = chunk.patients.levels(balance.margins)
    arm = np.zeros_like(chunk.arm)
    fast_minimisation.allocate_by_counts(
        plan.seed, chunk.replicates, np.arange(5), np.zeros(5, dtype=np.int64), chunk.prepared.allocation_words, keys,
        plan.allocation.rule, plan.allocation.ratio, balance.measure, balance.probability, balance.weights,
        balance.steps, levels, rows, count, np.ones((5, 3), dtype=bool), np.full((5, 3), np.nan), arm,
    )  # fmt: skip
    return arm


def test_covariates_of_later_patients_move_only_later_allocations() -> None:
    chunk = start_engine(three_arms({"minimisation": RULES["range"]}), "fast").start(np.arange(5))
    assert isinstance(chunk, FastChunk)
    balance, known = chunk.plan.allocation.balance, 70
    assert balance is not None
    _, rows, _ = chunk.patients.levels(balance.margins)
    changed = rows.copy()
    changed[:, known:] = rows[:, known:][:, ::-1]
    found = allocated_anew(chunk, changed, chunk.patients.keys)
    assert np.array_equal(found[:, :known], chunk.arm[:, :known])
    assert not np.array_equal(found[:, known:], chunk.arm[:, known:])


def test_draws_are_found_at_the_keys_of_patients() -> None:
    chunk = start_engine(three_arms({"minimisation": RULES["range"]}), "fast").start(np.arange(5))
    assert isinstance(chunk, FastChunk)
    balance = chunk.plan.allocation.balance
    assert balance is not None
    _, rows, _ = chunk.patients.levels(balance.margins)
    numbers = np.tile(np.arange(chunk.plan.n), (5, 1))
    assert np.array_equal(allocated_anew(chunk, rows, numbers), chunk.arm)
    assert not np.array_equal(allocated_anew(chunk, rows, numbers + 1), chunk.arm)


@pytest.mark.parametrize("rate", [0.0, 0.2])
def test_each_factor_is_recorded_wrongly_on_its_own(rate: float) -> None:
    n, size = 400, 10
    plan = three_arms(
        {"minimisation": RULES["range"]},
        n,
        accrual={"sites": {"all": {"count": 4, "rate": "2 per day"}}},
        screening={"stratum_errors": rate},
        horizon="5 years",
    )
    chunk = start_engine(plan, "fast").start(np.arange(size))
    assert isinstance(chunk, FastChunk)
    balance = plan.allocation.balance
    assert balance is not None
    levels, rows, _ = chunk.patients.levels(balance.margins)
    sex, region = (chunk.patients.strata(margin)[0] for margin in balance.margins)
    wrong = np.stack([levels[rows, 0] != sex, levels[rows, 1] - 2 != region], axis=2)
    # Both factors at their rate, and not always together.
    for share, expected in ((wrong[..., 0], rate), (wrong[..., 1], rate), (wrong.all(axis=2), rate**2)):
        assert abs(share.mean() - expected) <= 5 * np.sqrt(expected * (1 - expected) / (n * size))
    assert levels[rows, 0].max() == 1
    assert (levels[rows, 1].min(), levels[rows, 1].max()) == (2, 4)
