"""A small scenario with sites in which recruitment meets nearly everything a story must tell of it."""

from __future__ import annotations

from functools import cache

from trialsim.scenario.load import scenario_from_text
from trialsim.scenario.schema import Scenario

RECRUITING = """
name: recruiting
horizon: 4 years
population:
  marginals: {sex: {categorical: {female: 0.4, male: 0.6}}, age: {normal: {mean: 50, sd: 10}}}
  traits: {eligibility: {sd: 1}}
accrual:
  sites:
    big: {count: 2, rate: 5 per month, activation: {uniform: {from: 0 days, to: 60 days}}, coordinators: 2, cap: 14,
          backlog: 4}
    small: {count: 3, rate: 1 per month, activation: {uniform: {from: 0 days, to: 60 days}}, coordinators: 1,
            closes: 8 months, competing: [{from: 3 months, share: 0.3}]}
screening:
  prescreen: {probability: 0.7}
  patience: {exponential: {mean: 30 days}}
  consent: {probability: 0.8, duration: {uniform: {from: 1 days, to: 5 days}}}
  eligible: {probability: 0.5, latent: {eligibility: 1.0}}
  duration: {log_normal: {median: 14 days, sd_log: 0.5}}
  window: 40 days
  reasons: {labs: 2, imaging: 1}
  rescreening: {probability: 0.4, after: 20 days, eligible: 0.5}
  lag: {uniform: {from: 1 days, to: 12 days}}
  stratum_errors: 0.2
arms: [control, treatment]
endpoints:
  death: {kind: survival, baseline: {median: 6 months}, effect: {treatment: 0.5}}
  score: {kind: continuous, readout: 30 days, mean: 10, sd: 3, effect: {treatment: -1}}
dropout: {baseline: {survival: 0.9, at: 1 year}}
hypotheses:
  primary: {endpoint: death, arms: [treatment, control], analysis: logrank, direction: lower}
truths: {base: {}, slow: {accrual.sites.big.rate: 2 per month}}
designs:
  one:
    kind: group_sequential
    n: 32
    allocation: {stratified_permuted_blocks: {size: 4, strata: [sex]}}
    looks: [{when: {events: 8}}, {when: {events: 20}}]
    bounds: {efficacy_z: [3.0, 1.98]}
    tests: {primary: {alpha: 0.025}}
  minimised:
    extends: one
    allocation: {stratified_permuted_blocks: null, minimisation: {factors: [sex], probability: 0.9}}
  larger: {extends: one, n: 40}
  smaller: {extends: one, n: 20, looks: [{when: {events: 8}}, {when: {events: 14}}]}
"""

STRAIGHT = """
name: straight
horizon: 2 years
accrual: {sites: {only: {count: 2, rate: 5 per month}, other: {rate: 2 per month, backlog: 3}}}
arms: [control, treatment]
endpoints: {score: {kind: continuous, readout: 30 days, mean: 10, sd: 3, effect: {treatment: -1}}}
hypotheses: {primary: {endpoint: score, arms: [treatment, control], analysis: t_test, direction: lower}}
truths: {base: {}}
designs:
  one: {kind: fixed, n: 200, allocation: simple, looks: [{when: {readouts: 200}}], tests: {primary: {alpha: 0.025}}}
"""


@cache
def recruiting() -> Scenario:
    """Return the scenario with queues, failures and closings."""
    return scenario_from_text(RECRUITING)


@cache
def straight() -> Scenario:
    """Return a scenario in which everybody who comes is randomised at once."""
    return scenario_from_text(STRAIGHT)
