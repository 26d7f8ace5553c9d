"""Re-randomisation tests: exact where a closed form is known, and of the right level under every rule of allocation."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats

from tests.reference.test_statistics import DATA
from tests.statistical.data_cuts import survival_cut
from trialsim.conformance import twin_difference
from trialsim.contracts import Status
from trialsim.engines.conduct import conduct
from trialsim.engines.plan import build_plan
from trialsim.engines.runner import start_engine
from trialsim.errors import ScenarioError
from trialsim.scenario.load import scenario_from
from trialsim.scenario.schema import Scenario
from trialsim.stats.rerandomisation import logrank_scores, rerandomisation_tail


def trial(endpoint: dict[str, Any], analyses: dict[str, Any], rule: Any, n: int, **parts: Any) -> Scenario:
    return scenario_from(
        {
            "name": "redrawn",
            "horizon": "1 year",
            "population": {
                "marginals": {
                    "age": {"normal": {"mean": 0, "sd": 1}},
                    "sex": {"categorical": {"f": 0.5, "m": 0.5}},
                    "region": {"categorical": {"east": 0.5, "west": 0.5}},
                }
            },
            "accrual": {"evenly_spaced": {"over": "20 days"}},
            "arms": ["control", "treatment"],
            "endpoints": {"e": endpoint},
            "hypotheses": {
                name: {
                    "endpoint": "e",
                    "arms": ["treatment", "control"],
                    "analysis": each,
                    "direction": "higher",
                }
                for name, each in analyses.items()
            },
            "truths": {"here": {}},
            "designs": {
                "d": {
                    "kind": "fixed",
                    "n": n,
                    "allocation": rule,
                    "looks": [{"when": {"calendar": "60 days"}}],
                    "tests": {name: {"alpha": 0.025} for name in analyses},
                }
            },
        }
        | parts
    )


def z_of(made: Scenario, trials: int) -> np.ndarray:
    result = conduct(start_engine(build_plan(made, "d", "here", 7), "fast").start(np.arange(trials)))
    assert (result.status == Status.OK).all()
    return result.z


BINARY = {
    "kind": "binary",
    "readout": "5 days",
    "rate": 0.4,
    "effect": {"treatment": 0.6},
    "effect_measure": "rate",
}


def test_in_one_block_it_is_fishers_exact_test() -> None:
    draws = 20_000
    analyses = {"again": {"rerandomised_proportions": {"draws": draws}}, "exact": "fisher"}
    z = z_of(trial(BINARY, analyses, {"permuted_blocks": {"size": 30}}, 30), 30)
    found, exact = stats.norm.sf(z).T
    assert np.abs(found - exact).max() > 0
    assert (np.abs(found - exact) < 5 * np.sqrt(exact * (1 - exact) / draws) + 1 / draws).all()


@pytest.mark.parametrize("name", DATA)
def test_log_rank_scores_add_up_to_observed_less_expected(name: str) -> None:
    time, event, treated, _ = DATA[name]()
    scores = np.empty(len(time))
    logrank_scores(time, event.astype(np.int8), scores)
    table = survival_cut((time, event, treated)).risk_tables()
    expected = (table.events * (table.at_risk_treatment / table.at_risk)).sum()
    assert scores[treated].sum() == pytest.approx((event & treated).sum() - expected, rel=1e-9)
    assert scores.sum() == pytest.approx(0.0, abs=1e-9 * len(time))


def test_the_tail_counts_the_allocation_that_happened_and_those_with_an_empty_arm() -> None:
    scores, treated = np.array([3.0, 1.0, 2.0, 0.0]), np.array([1, 0, 1, 0], dtype=np.int8)
    others = np.array([[1, 0, 1, 0], [0, 1, 0, 1], [1, 1, 0, 0], [1, 1, 1, 1], [0, 0, 0, 0]], dtype=np.int8)
    assert rerandomisation_tail(scores, treated, others, 1.0) == pytest.approx(4 / 6)
    assert rerandomisation_tail(scores, treated, others, -1.0) == pytest.approx(6 / 6)
    assert rerandomisation_tail(scores, treated, others[1:3], 1.0) == pytest.approx(1 / 3)


MEAN = {
    "kind": "continuous", "readout": "5 days", "mean": 0, "sd": 0.5, "effect": {"treatment": 0},
    "effect_kind": "conditional", "covariates": {"sex.m": 2.0, "region.west": 2.0},
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(
    "rule",
    [
        {"simple": {}},
        {"stratified_permuted_blocks": {"size": 4, "strata": ["sex", "region"]}},
        {"minimisation": {"factors": ["sex", "region"]}},
        {"biased_coin": {"strata": ["sex", "region"]}},
    ],
    ids=lambda rule: next(iter(rule)),
)
def test_it_holds_its_level_where_the_plain_test_does_not(rule: Any) -> None:
    # With 199 draws a p-value of at most 0.025 has that chance exactly, whatever the rule.
    trials = 2000
    z = z_of(
        trial(MEAN, {"again": {"rerandomised_means": {"draws": 199}}, "plain": "t_test"}, rule, 40), trials
    )
    again, plain = (z > 1.959).mean(axis=0)
    error = np.sqrt(0.025 * 0.975 / trials)
    assert abs(again - 0.025) < 5 * error
    if next(iter(rule)) == "simple":
        assert abs(plain - 0.025) < 5 * error
    else:
        assert plain < 0.005  # balance that the test does not know of


def test_what_cannot_be_drawn_again_is_refused() -> None:
    analyses = {"again": {"rerandomised_proportions": {}}}
    with pytest.raises(ScenarioError, match="no chance in it"):
        trial(BINARY, analyses, "alternating", 30)
    three = BINARY | {"effect": {"treatment": 0.6, "high": 0.7}}
    arms = ["control", "treatment", "high"]
    with pytest.raises(
        ScenarioError, match="one pair of 3 arms draws the pair alone, which this rule does not allow"
    ):
        trial(three, analyses, {"minimisation": {"factors": ["sex"]}}, 30, arms=arms)
    sequential = trial(three, analyses, "simple", 30, arms=arms).dump()
    sequential["designs"]["d"] |= {"looks": [{"when": {"readouts": 20}}, {"when": {"readouts": 30}}]}
    sequential["designs"]["d"] |= {"kind": "group_sequential", "bounds": {"efficacy_z": [3, 2]}}
    with pytest.raises(ScenarioError, match="one pair of 3 arms is for kind: fixed"):
        scenario_from(sequential)
    with pytest.raises(ScenarioError, match="99"):
        trial(BINARY, {"again": {"rerandomised_proportions": {"draws": 5}}}, "simple", 30)


@pytest.mark.parametrize(
    ("parts", "named"),
    [
        ({"dropout": {"baseline": {"hazard": "0.1 per day"}, "effect": {"treatment": 2}}}, "dropout"),
        ({"withdrawal": {"baseline": {"hazard": "0.1 per day"}, "effect": {"treatment": 2}}}, "withdrawal"),
        (
            {
                "discontinuation": {
                    "wish": {"baseline": {"hazard": "0.1 per day"}, "effect": {"treatment": 2}}
                }
            },
            "discontinuation.wish",
        ),
    ],
)
def test_it_is_refused_where_follow_up_depends_on_the_arm(parts: dict[str, Any], named: str) -> None:
    analyses = {"again": {"rerandomised_proportions": {}}}
    with pytest.raises(ScenarioError, match=f"{named} does; another allocation would have censored others"):
        trial(BINARY, analyses, "simple", 30, **parts)
    alike = {
        key: part | {"effect": {"treatment": 1}}
        if "baseline" in part
        else {"wish": part["wish"] | {"effect": {}}}
        for key, part in parts.items()
    }
    trial(BINARY, analyses, "simple", 30, **alike)


def test_it_is_refused_where_follow_up_depends_on_the_arm_under_a_truth() -> None:
    analyses = {"again": {"rerandomised_proportions": {}}}
    parts: dict[str, Any] = {
        "dropout": {"baseline": {"hazard": "0.1 per day"}, "effect": {"treatment": 1}},
        "truths": {"here": {}, "lost": {"dropout.effect.treatment": 2}},
    }
    with pytest.raises(ScenarioError, match=r"truths\.lost: designs\.d\.tests\.again: .* dropout does"):
        trial(BINARY, analyses, "simple", 30, **parts)
    trial(BINARY, {"plain": "score_test"}, "simple", 30, **parts)


@pytest.mark.parametrize(
    ("counted", "named"),
    [
        ({"count": 5, "arms": ["control"]}, "look 1 waits for events in some arms alone"),
        ({"count": 5, "endpoint": "other"}, "look 1 waits for events of 'other', which treatment changes"),
        ({"count": 5, "endpoint": "alike"}, None),
        ({"count": 5}, None),
    ],
)
@pytest.mark.parametrize("inside", [False, True])
def test_it_is_refused_where_the_day_of_a_look_depends_on_the_arm(
    counted: dict[str, Any], named: str | None, inside: bool
) -> None:
    event: dict[str, Any] = {"kind": "survival", "baseline": {"median": "10 days"}, "terminal": False}
    event["effect"] = {"treatment": 1}
    alone = trial(event, {"again": "rerandomised_logrank"}, "simple", 30).dump()
    changed: dict[str, Any] = {
        "effect": {
            "treatment": [{"from": "0 days", "hazard_ratio": 1}, {"from": "5 days", "hazard_ratio": 0.5}]
        }
    }
    alone["endpoints"] |= {"other": event | changed, "alike": event}
    alone["hypotheses"]["again"]["direction"] = "lower"
    when: dict[str, Any] = {"events": {"endpoint": "e"} | counted}
    alone["designs"]["d"]["looks"] = [{"when": {"all": [when, {"calendar": "30 days"}]} if inside else when}]
    if named is None:
        scenario_from(alone)
        return
    with pytest.raises(ScenarioError, match=named):
        scenario_from(alone)


def test_of_several_arms_the_named_pair_alone_is_permuted() -> None:
    """In one block of 30 the pair's 20 patients are all exchangeable: Fisher's exact test of the pair."""
    draws, arms = 20_000, ["control", "treatment", "high"]
    three = BINARY | {"effect": {"treatment": 0.6, "high": 0.9}}
    analyses = {"again": {"rerandomised_proportions": {"draws": draws}}, "exact": "fisher"}
    made = trial(three, analyses, {"permuted_blocks": {"size": 30}}, 30, arms=arms)
    found, exact = stats.norm.sf(z_of(made, 20)).T
    assert (np.abs(found - exact) < 5 * np.sqrt(exact * (1 - exact) / draws) + 1 / draws).all()
    assert len(np.unique(exact.round(6))) > 3
    plan = build_plan(made, "d", "here", 7)
    difference = twin_difference(plan, range(4))
    assert difference is None, str(difference)


@pytest.mark.slow
def test_a_pair_in_small_blocks_holds_its_level() -> None:
    """With 199 draws a p value of at most 0.025 has that chance exactly, also where the third arm is another world."""
    trials, arms = 2000, ["control", "treatment", "high"]
    three = MEAN | {"effect": {"treatment": 0, "high": 3}}
    rule = {"stratified_permuted_blocks": {"size": 3, "strata": ["sex", "region"]}}
    analyses = {"again": {"rerandomised_means": {"draws": 199}}}
    z = z_of(trial(three, analyses, rule, 60, arms=arms), trials)
    assert abs((z > 1.959).mean() - 0.025) < 5 * np.sqrt(0.025 * 0.975 / trials)


def test_trials_without_an_estimate_have_a_status() -> None:
    never = BINARY | {"rate": 1e-9, "effect": {"treatment": 1e-9}}
    made = trial(never, {"again": "rerandomised_proportions"}, "simple", 12)
    result = conduct(start_engine(build_plan(made, "d", "here", 7), "fast").start(np.arange(5)))
    assert (result.status == Status.NO_VARIANCE).all()
    assert np.isnan(result.z).all()
