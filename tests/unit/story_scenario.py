"""A small scenario in which a trial meets nearly everything a story must tell."""

from __future__ import annotations

from trialsim.scenario.load import scenario_from_text
from trialsim.scenario.schema import Scenario

EVENTFUL = """
name: eventful
horizon: 3 years
population:
  marginals: {age: {normal: {mean: 50, sd: 10}}, sex: {categorical: {female: 0.4, male: 0.6}}}
  traits: {prognosis: {sd: 1.0}}
accrual: {poisson: {rate: 10 per month}}
arms: [control, low, high]
endpoints:
  response:
    {kind: binary, readout: 6 weeks, rate: 0.3, effect: {low: 0.3, high: 0.55}, effect_measure: rate}
  death:
    kind: survival
    baseline: {median: 8 months}
    effect: {low: 0.8, high: 0.5}
    effect_kind: conditional
    readout: 20 days
    covariates: {sex.male: 0.3}
    latent: {prognosis: 0.5}
dropout: {baseline: {survival: 0.8, at: 1 year}}
hypotheses:
  high:
    endpoint: death
    arms: [high, control]
    analysis: {logrank: {strata: [sex]}}
    direction: lower
    strategy: treatment_policy
  low:
    {endpoint: death, arms: [low, control], analysis: logrank, direction: lower, strategy: treatment_policy}
  resp:
    endpoint: response
    arms: [high, control]
    analysis: score_test
    direction: higher
    strategy: treatment_policy
truths:
  alternative: {}
  ladder: {grid: {endpoints.death.effect.high: [1.0, 0.5]}}
designs:
  adaptive:
    kind: group_sequential
    n: 60
    allocation: {stratified_permuted_blocks: {size: 6, strata: [sex]}}
    looks:
      - when: {enrolled: 15}
      - when: {all: [{events: 12}, {gap: 30 days}], no_later_than: 9 months}
        cleaning_lag: 14 days
        decision_lag: 7 days
      - when: {any: [{events: 50}, {calendar: 2 years}]}
    tests: {high: {alpha: 0.02}, low: {alpha: 0.005}, resp: {alpha: 0.025}}
    bounds: {efficacy_z: [null, 2.2, 2.0], futility_z: [null, 0.3, null]}
    reviews: {every: {enrolled: 10}}
    policies: {randomisation: rosenberger}
  early:
    extends: adaptive
    looks: [{when: {enrolled: 30}, cleaning_lag: 14 days}, {when: {events: 50}}]
    bounds: {efficacy_z: [-3.0, 2.0], futility_z: null}
    policies: {randomisation: by_design, stopping: {bounds: {stop_when: any}}}
    reviews: null
  patient:
    extends: adaptive
    looks:
      - when: {enrolled: 15}
      - when: {all: [{events: 60}, {calendar: 2 years}]}
      - when: {calendar: 3 years}
  two_arms:
    extends: adaptive
    kind: fixed
    n: 60
    arms: [control, high]
    looks: [{when: {events: 40}}]
    tests: {low: null}
    bounds: null
    reviews: null
    policies: null
  twin_of_two_arms: {extends: two_arms}
"""


def eventful() -> Scenario:
    """Return the scenario."""
    return scenario_from_text(EVENTFUL)
