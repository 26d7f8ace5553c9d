"""Every ranking of candidates calls them in the same order in both engines."""

from __future__ import annotations

from functools import cache

import pytest

from trialsim.conformance import check_twins
from trialsim.scenario.load import scenario_from
from trialsim.scenario.reading import parse_yaml
from trialsim.scenario.schema import Scenario
from trialsim.timegrid import TICKS_PER_DAY

WORLD = """
name: rankings
horizon: 3 years
population:
  marginals:
    group: {categorical: {A: 0.6, B: 0.4}}
    age: {normal: {mean: 60, sd: 10}}
    marker: {log_normal: {median: 2, sd_log: 0.7}}
  traits: {eligibility: {sd: 2}, adherence: {sd: 1}}
accrual:
  sites:
    ward: {count: 3, rate: 6 per month, backlog: 12, coordinators: 1, activation: {uniform: {from: 0 days, to: 30 days}}}
screening:
  patience: {exponential: {mean: 60 days}}
  consent: {probability: 0.8, duration: 1 day, latent: {adherence: 0.5}}
  eligible:
    probability: 0.4
    covariates: {age: -0.02, group.B: 0.3}
    centre: {age: 60, marker: 2}
    latent: {eligibility: 1}
    interactions: [{of: [age, group.B], coefficient: 0.05}, {of: [marker, marker], coefficient: -0.1}]
  duration: {uniform: {from: 3 days, to: 9 days}}
  rescreening: {probability: 0.3, after: 20 days, eligible: 0.5}
  subgroup: group
  records: {missing: {age: 0.2, group: 0.1}, site_sd: {marker: 0.5}}
arms: [control, treatment]
endpoints:
  response: {kind: binary, readout: 4 weeks, rate: 0.3, effect: {treatment: 0.5}, effect_measure: rate}
hypotheses:
  primary: {endpoint: response, arms: [treatment, control], analysis: score_test, direction: higher}
truths: {expected: {}}
designs: {}
"""

EMULATED = {"emulated": {"auc": 0.85, "prevalence": 0.4, "subgroup": "group", "auc_by_level": {"B": 0.6}}}
BY_AGE = {"by_covariate": {"covariate": "age", "prefer": "lowest"}}
RANKINGS = {
    "random": "random",
    "by_age": BY_AGE,
    "by_group": {"by_covariate": {"covariate": "group.B"}},
    "oracle": "oracle",
    "oracle_of_trait": {"oracle": {"reads": "eligibility"}},
    "adversarial": {"adversarial": {"reads": "adherence"}},
    "emulated": EMULATED,
    "calibrated": {"emulated": EMULATED["emulated"] | {"rank_by": "probability"}},
    "rules": {"prescreen_rules": {"require": {"age": {"least": 45, "most": 70}, "group": {"levels": ["A"]}}}},
    "completion": {
        "expected_completion": {
            "eligible": {
                "probability": 0.4,
                "covariates": {"age": -0.02, "group.B": 0.3},
                "centre": {"age": 60},
            },
            "consents": {"probability": 0.8},
            "predictive": {"probability": 0.5, "covariates": {"marker": 0.7}, "centre": {"marker": 2}},
        }
    },
    "within_group": {"within_group": {"covariate": "group", "ranking": EMULATED}},
    "exposure": {"exposure": {"covariate": "group", "shares": {"B": 0.5}, "ranking": BY_AGE}},
    "human": {"human_in_the_loop": {"ranking": EMULATED, "delay": 0.2, "override": 0.3}},
    "human_in_order": {
        "human_in_the_loop": {"ranking": {"first_come_first_served": {}}, "delay": 0.2, "override": 0.3}
    },
    "nested": {
        "human_in_the_loop": {
            "ranking": {"within_group": {"covariate": "group", "ranking": BY_AGE}},
            "delay": 0.5,
        }
    },
}


@cache
def scenario() -> Scenario:
    tree = parse_yaml(WORLD)
    design = parse_yaml(
        "{kind: fixed, n: 24, allocation: simple, looks: [{when: {readouts: 24}}], tests: {primary: {alpha: 0.025}}}"
    )
    tree["designs"] = {
        name: design | {"policies": {"recruitment": policy}} for name, policy in RANKINGS.items()
    }
    return scenario_from(tree)


@pytest.mark.parametrize(
    "ranking",
    [
        pytest.param(name, marks=pytest.mark.slow) if name in ("within_group", "nested") else name
        for name in RANKINGS
    ],
)
def test_both_engines_call_in_the_same_order(ranking: str) -> None:
    found = check_twins(scenario(), [ranking], None, range(4), seed=3)
    found += check_twins(scenario(), [ranking], None, range(2), seed=4, grid=TICKS_PER_DAY)
    assert not found, "\n".join(found)
