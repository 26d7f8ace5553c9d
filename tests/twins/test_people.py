"""Recommendations that people accept, delay and override come to the same in both engines, decision log included."""

from __future__ import annotations

import copy
from functools import cache
from typing import Any

import pytest

from tests.twins.tie_rich import FOLDER
from tests.twins.tie_rich_reviews import REVIEW_SCENARIOS
from trialsim.conformance import check_twins
from trialsim.scenario.load import scenario_from
from trialsim.scenario.reading import parse_yaml
from trialsim.scenario.schema import Scenario
from trialsim.timegrid import TICKS_PER_DAY

PEOPLE = {"delay": 0.3, "override": 0.3}
LOOKS = """
name: looks
horizon: 2 years
accrual: {poisson: {rate: 1 per day}}
arms: [control, low, high]
endpoints:
  response: {kind: binary, readout: 10 days, rate: 0.3, effect: {low: 0.1, high: 0.2}, effect_measure: risk_difference}
hypotheses:
  low: {endpoint: response, arms: [low, control], analysis: score_test, direction: higher}
  high: {endpoint: response, arms: [high, control], analysis: score_test, direction: higher}
  exact: {endpoint: response, arms: [high, control], analysis: fisher, direction: higher}
truths: {expected: {}}
designs:
  alone:
    kind: group_sequential
    n: 90
    allocation: {permuted_blocks: {size: 6}}
    looks:
      - {when: {readouts: 30}, decision_lag: 5 days}
      - {when: {readouts: 50}, decision_lag: 5 days}
      - {when: {readouts: 70}, decision_lag: 5 days}
      - {when: {readouts: 90}}
    tests: {low: {alpha: 0.0125}, high: {alpha: 0.0125}}
    bounds: {efficacy_z: [1.2, 1.2, 1.2, 1.2], futility_z: [0.3, 0.3, 0.3, null]}
  people_at_looks: {extends: alone}
  tests_of_the_same_arms: {extends: alone, tests: {high: {alpha: 0.0125}, exact: {alpha: 0.0125}}}
  arms_dropped: {extends: alone}
  allocation_at_looks: {extends: alone}
  allocation_at_reviews: {extends: alone, reviews: {every: {enrolled: 8}}}
"""
POLICIES: dict[str, dict[str, Any]] = {
    "people_at_looks": {"stopping": {"human_in_the_loop": {"policy": "bounds", **PEOPLE}}},
    "tests_of_the_same_arms": {"stopping": {"human_in_the_loop": {"policy": "bounds", **PEOPLE}}},
    "arms_dropped": {"stopping": {"human_in_the_loop": {"policy": {"drop_arms": {"look": 2}}, **PEOPLE}}},
    "allocation_at_looks": {
        "stopping": {"human_in_the_loop": {"policy": "bounds", **PEOPLE}},
        "randomisation": {"human_in_the_loop": {"policy": "thompson", **PEOPLE}},
    },
    "allocation_at_reviews": {
        "stopping": {"human_in_the_loop": {"policy": {"random": {"look": 1}}, **PEOPLE}},
        "randomisation": {"human_in_the_loop": {"policy": {"doubly_adaptive": {}}, **PEOPLE}},
    },
}
VISITS = """
name: visits
horizon: 1 year
population: {traits: {toxicity: {sd: 0.8}}}
accrual: {uniform: {over: 60 days}}
arms: [control, treatment]
endpoints:
  progression: {kind: survival, baseline: {median: 4 months}, effect: {treatment: 0.6}, detected: visits}
treatment: {doses: [1, 0.5, 0.25]}
adverse_events:
  toxicity:
    baseline: {hazard: 6 per year}
    latent: {toxicity: 1}
    dose_exponent: 1
    severity: {mild: 0.5, severe: 0.5}
visits: {every: 10 days, until: 9 months, missed: 0.1}
hypotheses:
  primary: {endpoint: progression, arms: [treatment, control], analysis: logrank, direction: lower, follow_up: 6 months}
truths: {expected: {}}
designs:
  doses:
    kind: fixed
    n: 12
    allocation: simple
    looks: [{when: {calendar: 300 days}}]
    tests: {primary: {alpha: 0.025}}
"""


@cache
def world(name: str) -> Scenario:
    """Return a small world in which people decide."""
    if name == "looks":
        tree = parse_yaml(LOOKS)
        for design, policies in POLICIES.items():
            tree["designs"][design]["policies"] = policies
        return scenario_from(tree)
    if name == "visits":
        tree = parse_yaml(VISITS)
        rule = {"dose_modification": {"level": "mild", "reduce_after": 1, "discontinue_after": 4}}
        tree["designs"]["doses"]["policies"] = {
            "monitoring": {"human_in_the_loop": {"policy": rule, **PEOPLE}}
        }
        return scenario_from(tree)
    tree = copy.deepcopy(REVIEW_SCENARIOS[name][0])
    for design in tree["designs"].values():
        recommends = design["policies"]["sites"]
        design["policies"]["sites"] = {"human_in_the_loop": {"policy": recommends, **PEOPLE}}
    return scenario_from(tree, FOLDER)


@pytest.mark.parametrize("grid", [1, TICKS_PER_DAY], ids=["fine", "day"])
@pytest.mark.parametrize("design", POLICIES)
def test_looks_and_reviews_of_allocation(design: str, grid: int) -> None:
    found = check_twins(world("looks"), [design], None, range(8), seed=3, grid=grid)
    assert not found, "\n".join(found)


@pytest.mark.parametrize("name", ["sites_chosen_again", "sites_chosen_again_by_draws"])
def test_reviews_of_sites(name: str) -> None:
    found = check_twins(world(name), None, None, range(8), seed=3, grid=TICKS_PER_DAY)
    assert not found, "\n".join(found)


@pytest.mark.slow
@pytest.mark.parametrize("grid", [1, TICKS_PER_DAY], ids=["fine", "day"])
def test_visits(grid: int) -> None:
    found = check_twins(world("visits"), None, None, range(6), seed=3, grid=grid)
    assert not found, "\n".join(found)
