"""The imbalance that a biased coin and minimisation leave: against closed forms, published figures and enumeration."""

from __future__ import annotations

from collections import defaultdict
from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np
import pytest

from tests.statistical.big_trial import plan_of
from tests.unit.balance_by_hand import favoured_by_minimisation, shared_out
from trialsim.engines.fast import FastChunk
from trialsim.engines.runner import start_engine
from trialsim.scenario.load import scenario_from
from trialsim.simulation import simulate

BINARY = {"kind": "binary", "readout": "1 day", "rate": 0.3, "effect_measure": "rate"}


def trials(allocation: Any, n: int, replicates: int, arms: int = 2, **parts: Any) -> FastChunk:
    """Return the allocation of many trials."""
    names = ["control", "treatment", "other"][:arms]
    design = {
        "kind": "fixed",
        "n": n,
        "allocation": allocation,
        "looks": [{"when": {"calendar": "900 years"}}],
        "tests": {"primary": {"alpha": 0.025}},
    }
    effect = {"effect": dict.fromkeys(names[1:], 0.3)}
    plan = plan_of(BINARY | effect, n, 20260101, arms=names, designs={"one": design}, **parts)
    chunk = start_engine(plan, "fast").start(np.arange(replicates))
    assert isinstance(chunk, FastChunk)
    return chunk


def efron_chain(p: float, n: int) -> list[np.ndarray]:
    """Return the exact distribution of the absolute difference of the two arms after each of ``n`` patients."""
    now = np.zeros(n + 2)
    now[0] = 1.0
    found = []
    for _ in range(n):
        following = np.zeros(n + 2)
        following[1] += now[0]
        following[:-1] += p * np.append(now[1:], 0.0)[: n + 1]
        following[2:] += (1 - p) * now[1:-1]
        now = following
        found.append(now.copy())
    return found


def test_the_chain_settles_as_efron_says() -> None:
    # Efron (1971), with r = p / q: after an even number of patients the difference is 0 in 1 - 1 / r of all trials, and
    # 2 j in (r - 1 / r) / r^(2 j).
    for p in (2 / 3, 0.7, 0.9):
        r = p / (1 - p)
        settled = efron_chain(p, 400)[-1]
        assert settled[0] == pytest.approx(1 - 1 / r, rel=1e-6)
        for j in (1, 2, 3):
            assert settled[2 * j] == pytest.approx((r - 1 / r) / r ** (2 * j), rel=1e-5)


@pytest.mark.parametrize("n", [9, 40])
def test_the_differences_of_trials_are_those_of_the_chain(n: int) -> None:
    replicates = 20_000
    arm = trials("biased_coin", n, replicates).arm
    found = np.abs(2 * arm.sum(axis=1, dtype=np.int64) - n)
    expected = efron_chain(2 / 3, n)[-1]
    checked = 0
    for d, share in enumerate(expected):
        if share * replicates > 20:
            error = 5 * np.sqrt(share * (1 - share) / replicates)
            assert abs((found == d).mean() - share) < error, d
            checked += 1
        else:
            assert (found == d).sum() < 60
    assert checked >= 4


PUBLISHED = {20: (0.298, 1.731, 0.633), 80: (0.287, 1.760, 0.640), 300: (0.287, 1.783, 0.642)}
"""Zhao, Weng, Wu and Palesch (2012), Pharmaceutical Statistics 11, table III: biased coin with p = 0.7, 5,000 runs. The
probability of exact balance over all patients, the standard deviation of the final difference, and the probability of
guessing the next arm right."""


@pytest.mark.parametrize("n", list(PUBLISHED))
@pytest.mark.parametrize("rule", ["biased_coin", "minimisation"])
def test_imbalance_and_guesses_are_those_published(rule: str, n: int) -> None:
    """Minimisation of the arms' totals alone is the biased coin."""
    runs, mine = 5000, 4000
    chunk = trials(
        {rule: {"probability": 0.7} | ({"factors": []} if rule == "minimisation" else {})}, n, mine
    )
    difference = np.cumsum(2 * chunk.arm.astype(np.int64) - 1, axis=1)
    before = np.concatenate([np.zeros((mine, 1), dtype=np.int64), difference[:, :-1]], axis=1)
    right = np.where(before == 0, 0.5, (np.sign(before) != np.sign(difference - before)).astype(float))
    balanced, deviation, guessed = PUBLISHED[n]
    for values, published in (((difference == 0).mean(axis=1), balanced), (right.mean(axis=1), guessed)):
        error = 5 * values.std() * np.sqrt(1 / runs + 1 / mine)
        assert abs(values.mean() - published) < error + 0.0005
    # The variance of a variance: (fourth moment - square of the second) / runs; of its root, by the delta rule.
    exact = efron_chain(0.7, n)[-1]
    square = np.arange(len(exact)) ** 2
    second, fourth = float(exact @ square), float(exact @ square**2)
    error = np.sqrt((fourth - second**2) / runs) / (2 * np.sqrt(second))
    assert abs(np.sqrt(second) - deviation) < 5 * error + 0.0005
    assert abs(difference[:, -1].std() - np.sqrt(second)) < 5 * error * np.sqrt(runs / mine)


SEX = {"female": 0.4, "male": 0.6}
REGION = {"east": 0.5, "north": 0.2, "west": 0.3}
PEOPLE = {"marginals": {"sex": {"categorical": SEX}, "region": {"categorical": REGION}}}
State = tuple[tuple[int, ...], ...]


def enumerated(n: int, ratio: list[int], weights: list[int], measure: str, p: Fraction) -> dict[State, float]:
    """Return the exact distribution of the counts by arm at each level: two of sex, then three of region."""
    now: dict[State, float] = {tuple((0,) * len(ratio) for _ in range(5)): 1.0}
    for _ in range(n):
        following: dict[State, float] = defaultdict(float)
        for state, probability in now.items():
            for (s, of_s), (g, of_g) in product(enumerate(SEX.values()), enumerate(REGION.values())):
                favoured = favoured_by_minimisation((state[s], state[2 + g]), weights, ratio, measure)
                for a, chance in enumerate(shared_out(favoured, ratio, p)):
                    if chance:
                        after = tuple(
                            tuple(count + (b == a and level in (s, 2 + g)) for b, count in enumerate(row))
                            for level, row in enumerate(state)
                        )
                        following[after] += probability * of_s * of_g * float(chance)
        now = following
    return now


@pytest.mark.slow
@pytest.mark.parametrize(
    ("n", "measure", "ratio", "weights", "p"),
    [
        (5, "range", [1, 1], [1, 1], Fraction(4, 5)),
        (4, "variance", [1, 2], [1, 2], Fraction(7, 10)),
        (4, "sd", [2, 1, 1], [1, 1], Fraction(9, 10)),
    ],
)
def test_minimisation_is_distributed_as_enumerated(
    n: int, measure: str, ratio: list[int], weights: list[int], p: Fraction
) -> None:
    names = ["control", "treatment", "other"][: len(ratio)]
    rule = {
        "factors": ["sex", "region"],
        "measure": measure,
        "probability": float(p),
        "weights": dict(zip(["sex", "region"], weights, strict=True)),
        "ratio": dict(zip(names, ratio, strict=True)),
    }
    replicates = 20_000
    chunk = trials({"minimisation": rule}, n, replicates, len(ratio), population=PEOPLE)
    source = chunk.plan.world.source
    assert source.categories == {"sex": tuple(SEX), "region": tuple(REGION)}
    records = np.stack([source.records(chunk.plan.seed, r, n) for r in range(replicates)])

    def shown(state: Any) -> tuple[Any, ...]:
        """The patients on each arm, and the range of their counts at each level."""
        return tuple(np.sum(state[:2], axis=0).tolist()), tuple(max(row) - min(row) for row in state)

    expected: dict[tuple[Any, ...], float] = defaultdict(float)
    for state, probability in enumerated(n, ratio, weights, measure, p).items():
        expected[shown(state)] += probability
    assert sum(expected.values()) == pytest.approx(1.0)
    sex, region = (records[:, :, [source.columns.index(name)]] for name in ("sex", "region"))
    levels = np.concatenate([sex == range(2), region == range(3)], axis=2)
    on = chunk.arm[:, :, None] == range(len(ratio))
    counts = np.einsum("rpl,rpa->rla", levels.astype(np.int64), on.astype(np.int64))
    found: dict[tuple[Any, ...], int] = defaultdict(int)
    for state in counts.tolist():
        found[shown(state)] += 1
    assert set(found) <= set(expected)
    checked = 0
    for what, share in expected.items():
        if share * replicates > 30:
            assert abs(found[what] / replicates - share) < 5 * np.sqrt(share * (1 - share) / replicates), what
            checked += 1
    assert checked >= 20


def test_shares_are_kept_in_the_long_run_and_levels_stay_balanced() -> None:
    ratio = {"control": 1, "treatment": 2, "other": 3}
    rule = {"factors": ["sex", "region"], "ratio": ratio}
    chunk = trials({"minimisation": rule}, 600, 200, 3, population=PEOPLE)
    on = np.stack([(chunk.arm == a).sum(axis=1) / share for a, share in enumerate(ratio.values())], axis=1)
    # By chance alone the count over share of the smallest arm (100) would have a standard deviation of 9.
    assert abs(on - 100).max() < 9
    assert np.ptp(on, axis=1).mean() < 4


@pytest.mark.slow
def test_a_test_that_leaves_out_a_minimised_factor_rejects_too_rarely() -> None:
    """The reason of the note on unstratified analyses (Kahan and Morris 2012; Ye and Shao 2020)."""
    prognostic = {"effect_kind": "conditional", "covariates": {"sex.male": 2.0}}
    compared = {"arms": ["treatment", "control"]}
    death = {"endpoint": "death", "direction": "lower"} | compared
    tree = {
        "name": "null",
        "population": {"marginals": {"sex": {"categorical": SEX}}},
        "accrual": {"evenly_spaced": {"over": "1 year"}},
        "arms": ["control", "treatment"],
        "endpoints": {
            "death": {"kind": "survival", "baseline": {"median": "1 year"}, "effect": {"treatment": 1.0}}
            | prognostic,
            "mark": {
                "kind": "continuous",
                "readout": "1 week",
                "mean": 0,
                "sd": 1,
                "effect": {"treatment": 0},
            }
            | prognostic,
        },
        "hypotheses": {
            "plain": death | {"analysis": "logrank"},
            "stratified": death | {"analysis": {"logrank": {"strata": ["sex"]}}},
            "mean": {"endpoint": "mark", "direction": "higher", "analysis": "t_test"} | compared,
        },
        "truths": {"none": {}},
        "designs": {
            "minimised": {
                "kind": "fixed",
                "n": 200,
                "allocation": {"minimisation": {"factors": ["sex"]}},
                "looks": [{"when": {"calendar": "3 years"}}],
                "tests": {name: {"alpha": 0.025} for name in ("plain", "stratified", "mean")},
            }
        },
    }
    replicates = 10_000
    found = simulate(scenario_from(tree), replicates=replicates, seed=5).characteristics
    rejected = {row.hypothesis: row.value for row in found.select("reject")}
    error = 5 * np.sqrt(0.025 * 0.975 / replicates)
    assert abs(rejected["stratified"] - 0.025) < error
    assert rejected["plain"] < 0.025 - error
    assert rejected["mean"] < 0.025 - error
