"""Stages of combination tests whose outcomes are read out at visits that may be late come to the same in both engines."""

from __future__ import annotations

from functools import cache

import pytest

from trialsim.conformance import check_twins
from trialsim.scenario.load import scenario_from_text
from trialsim.scenario.schema import Scenario
from trialsim.timegrid import TICKS_PER_DAY

TEXT = """
name: late_visits
accrual: {poisson: {rate: 1 per day}}
arms: [control, low, high]
endpoints:
  score: {kind: continuous, readout: 20 days, mean: 1, sd: 1, effect: {low: 0.3, high: 0.6}, detected: visits}
  response:
    kind: binary
    readout: 20 days
    rate: 0.4
    effect: {low: 0.1, high: 0.2}
    effect_measure: risk_difference
    detected: visits
visits: {every: 10 days, until: 20 days, late: {probability: 0.5, delay: {exponential: {mean: 60 days}}}}
hypotheses:
  low: {endpoint: score, arms: [low, control], analysis: t_test, direction: higher}
  high: {endpoint: score, arms: [high, control], analysis: t_test, direction: higher}
  low_known: {endpoint: score, arms: [low, control], analysis: {z_test: {sd: 1}}, direction: higher}
  high_known: {endpoint: score, arms: [high, control], analysis: {z_test: {sd: 1}}, direction: higher}
  low_responds: {endpoint: response, arms: [low, control], analysis: score_test, direction: higher}
  high_responds: {endpoint: response, arms: [high, control], analysis: score_test, direction: higher}
truths: {expected: {}}
designs:
  means:
    kind: multi_arm_multi_stage
    n: 60
    allocation: {permuted_blocks: {size: 3}}
    looks: [{when: {readouts: 20}}, {when: {readouts: 40}}, {when: {readouts: 60}}]
    tests: {low: {alpha: 0.025}, high: {alpha: 0.025}}
    intersection_test: simes
    bounds: {efficacy_z: [3, 2.5, 2]}
  known_spread: {extends: means, tests: {low: null, high: null, low_known: {alpha: 0.025}, high_known: {alpha: 0.025}}}
  proportions:
    extends: means
    tests: {low: null, high: null, low_responds: {alpha: 0.025}, high_responds: {alpha: 0.025}}
"""


@cache
def world() -> Scenario:
    """Return a trial half of whose read-outs come weeks late, some of them a stage later."""
    return scenario_from_text(TEXT)


@pytest.mark.parametrize("grid", [1, TICKS_PER_DAY], ids=["fine", "day"])
@pytest.mark.parametrize("design", ["means", "known_spread", "proportions"])
def test_a_read_out_belongs_to_the_stage_in_which_it_comes(design: str, grid: int) -> None:
    found = check_twins(world(), [design], None, range(12), seed=3, grid=grid)
    assert not found, "\n".join(found)
