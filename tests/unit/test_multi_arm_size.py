"""Sizes of multi-arm designs: an integral where there is one, the whole simulation elsewhere, and refusals."""

from __future__ import annotations

import copy
import math
from typing import Any

import numpy as np
import pytest
from scipy import integrate, stats

from trialsim.designs.multi_arm_size import StagesOfArms, disjunctive_power
from trialsim.errors import ScenarioError
from trialsim.oc.in_memory import collect
from trialsim.policies.select_arms import SelectArms
from trialsim.scenario.load import scenario_from
from trialsim.simulation import simulate
from trialsim.stats.combination.closed_stages import ClosedPlan

ARMS = ("a", "b", "c")
TREE: dict[str, Any] = {
    "name": "sized",
    "arms": ["control", *ARMS],
    "horizon": "20 years",
    "accrual": {"evenly_spaced": {"rate": "1 per day"}},
    "endpoints": {
        "score": {"kind": "continuous", "readout": "12 hours", "mean": 0, "sd": 2, "effect": dict.fromkeys(ARMS, 0.6)},
        "harm": {
            "kind": "binary", "readout": "12 hours", "rate": 0.4, "effect": {"a": 0.4, "b": 0.3, "c": 0.25},
            "effect_measure": "rate",
        },
        "death": {"kind": "survival", "baseline": {"median": "1 year"}, "effect": {"a": 0.8, "b": 0.8, "c": 0.6}},
    },
    "hypotheses": {
        **{arm: {"endpoint": "score", "arms": [arm, "control"], "analysis": {"z_test": {"sd": 2}}, "direction": "higher"}
           for arm in ARMS},
        **{f"harm_{arm}": {"endpoint": "harm", "arms": [arm, "control"], "analysis": "score_test", "direction": "lower"}
           for arm in ARMS},
        **{f"death_{arm}": {"endpoint": "death", "arms": [arm, "control"], "analysis": "logrank", "direction": "lower"}
           for arm in ARMS},
    },
    "truths": {"effect": {}, "none": {"endpoints.score.effect.*": 0}},
}  # fmt: skip


def tree(tests: tuple[str, ...] = ARMS, **changes: Any) -> dict[str, Any]:
    found = copy.deepcopy(TREE)
    found["designs"] = {
        "sized": {
            "kind": "multi_arm_multi_stage",
            "allocation": {"permuted_blocks": {"size": 4}},
            "looks": 1,
            "tests": {name: {"alpha": 0.025} for name in tests},
            "efficacy": "lan_demets_obrien_fleming",
            "power": 0.8,
            "under": "effect",
        }
        | changes
    }
    return found


def above_any(bound: float, drift: float) -> float:
    """Return the chance that any of three statistics with correlation 1/2 is at or above a bound (Dunnett 1955)."""
    none, _ = integrate.quad(
        lambda y: stats.norm.pdf(y) * stats.norm.cdf((bound - drift - math.sqrt(0.5) * y) / math.sqrt(0.5)) ** 3,
        -9, 9, epsabs=1e-12,
    )  # fmt: skip
    return 1.0 - none


@pytest.mark.slow
def test_without_selection_it_is_dunnetts_size() -> None:
    bound = 2.3489  # Dunnett's one-sided 0.025 for three arms, many degrees of freedom, found again below
    assert above_any(bound, 0.0) == pytest.approx(0.025, abs=2e-5)
    needed = next(m for m in range(50, 400) if above_any(bound, 0.6 / 2 * math.sqrt(m / 2)) >= 0.8)
    scenario = scenario_from(tree())
    design = scenario.designs["sized"]
    plan = ClosedPlan(np.ones(1), np.array([stats.norm.isf(0.025)]), (1.0,) * 4, "dunnett")
    stages = StagesOfArms(
        plan, SelectArms("keep_all"), (-math.inf,), np.array([0.0, 0.6, 0.6, 0.6]), np.full(4, 2.0), (1.0,)
    )
    for m in (60, 100, 200):
        assert abs(disjunctive_power(stages, m) - above_any(bound, 0.3 * math.sqrt(m / 2))) < 0.003
    assert abs(design.n / 4 - needed) <= 2  # 0.003 of the power is two patients an arm here
    assert design.looks[0].when.count == design.n // 4
    assert design.looks[0].when.open_arms == "each"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("tests", "changes"),
    [
        (ARMS, {"looks": 2, "selection": "select_best", "policies": {"stopping": {"bounds": {"stop_when": "any"}}}}),
        (
            tuple(f"harm_{arm}" for arm in ARMS),
            {"looks": 3, "information": [0.4, 0.7, 1], "selection": {"drop_the_losers": {"keep": [2, 1]}},
             "futility": {"z": 0}, "intersection_test": "simes", "allocation": "alternating"},
        ),
    ],
    ids=["best mean of two stages", "losers dropped, rates of three"],
)  # fmt: skip
def test_the_whole_simulation_has_the_power(tests: tuple[str, ...], changes: dict[str, Any]) -> None:
    scenario = scenario_from(tree(tests, **changes))
    replicates = 4000
    trials = collect(scenario, ["sized"], ["effect"], replicates, 3).trials.to_pandas()
    works = [name for name in tests if name != "harm_a"]
    power = np.any([trials[f"reject_look:{name}"].to_numpy() > 0 for name in works], axis=0).mean()
    assert abs(power - 0.8) <= 5 * math.sqrt(0.8 * 0.2 / replicates)
    again = scenario_from(scenario.dump())
    assert again.designs["sized"] == scenario.designs["sized"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("tests", "changes", "sentence"),
    [
        (
            tuple(f"death_{arm}" for arm in ARMS),
            {"n": 400},
            "no size is solved for a multi-arm design on a survival",
        ),
        (ARMS, {"under": "none"}, "under 'none' no arm is better than control"),
        (ARMS, {"under": "effects"}, "Did you mean 'effect'?"),
        (ARMS, {"n": 400}, "designs.sized.n: is solved from power under 'effect'"),
        (ARMS, {"power": None}, "designs.sized.power"),
        (
            ARMS,
            {"allocation": {"simple": {"ratio": {"control": 2, "a": 1, "b": 1, "c": 1}}}},
            "a size is solved for arms of one size",
        ),
        (
            ARMS,
            {
                "looks": 2,
                "selection": {"all_promising": {"threshold": 9}},
                "efficacy": {"user_defined": [0, 0.025]},
            },
            "no size has the power 0.8: the rules of the design lose",
        ),
    ],
)
def test_what_has_no_size_is_refused(tests: tuple[str, ...], changes: dict[str, Any], sentence: str) -> None:
    written = tree(tests, **changes)
    written["designs"]["sized"] = {k: v for k, v in written["designs"]["sized"].items() if v is not None}
    with pytest.raises(ScenarioError) as refused:
        scenario_from(written)
    assert sentence in str(refused.value)


def test_how_often_an_arm_goes_on_is_a_measure() -> None:
    """Equal arms of one size: each is the best of three after the interim look as often as the others."""
    selected = {"looks": 2, "selection": "select_best", "efficacy": {"user_defined": [0, 0.025]}}
    found = simulate(scenario_from(tree(**selected)), replicates=4000, seed=8, truths=["effect"])
    rows = {row.arm: row for row in found.characteristics.select("arm_selected")}
    assert {row.look for row in rows.values()} == {1}
    assert rows["control"].value == 1.0
    for arm in ARMS:
        assert abs(rows[arm].value - 1 / 3) <= 5 * math.sqrt(2 / 9 / 4000)
    assert sum(rows[arm].value for arm in ARMS) == pytest.approx(1.0)
