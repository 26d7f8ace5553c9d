"""What docs/semantics.md says of looks, decisions and the horizon, in both engines."""

from __future__ import annotations

from typing import Any

import pytest

from trialsim.engines.conduct import conduct
from trialsim.engines.records import columns_of
from trialsim.engines.runner import chunk_of
from trialsim.scenario.load import scenario_from_text
from trialsim.timegrid import TICKS_PER_DAY

WORLD = """
name: example
horizon: {horizon}
accrual: {{evenly_spaced: {{over: 12 months}}}}
arms: [control, treatment]
endpoints:
  death: {{kind: survival, baseline: {{median: 1 year}}, effect: {{treatment: 0.7}}, readout: 10 days}}
dropout: {{baseline: {{median: 1 year}}}}
hypotheses:
  primary: {{endpoint: death, arms: [treatment, control], analysis: logrank, direction: lower}}
truths: {{here: {{}}}}
designs:
  example: {{kind: group_sequential, n: 100, allocation: alternating, looks: {looks}, tests: {{primary: {{alpha: 0.025}}}},
            bounds: {{efficacy_z: {bounds}}}}}
"""
TICK = 1 / TICKS_PER_DAY


def one_trial(engine: str, looks: str, bounds: str, horizon: str = "20 years") -> tuple[Any, dict[str, Any]]:
    scenario = scenario_from_text(WORLD.format(horizon=horizon, looks=looks, bounds=bounds))
    result = conduct(chunk_of(scenario, "example", "here", [3], 1, engine))
    return result, columns_of(result)


@pytest.fixture(params=["fast", "reference"])
def engine(request: pytest.FixtureRequest) -> str:
    return request.param


def test_a_count_out_of_reach_passes_for_met_when_nobody_is_left(engine: str) -> None:
    result, tables = one_trial(engine, "[{when: {events: 90}}]", "[2]")
    assert tables["trials"]["events"][0] < 90
    ends = [row.tick for row in result.chunk.log(0) if row.kind.name in ("EVENT", "DROPOUT")]
    assert len(ends) == 100
    assert tables["trials"]["cut_time"][0] == max(ends) / TICKS_PER_DAY + 10


def test_a_look_waits_for_the_decision_of_the_one_before(engine: str) -> None:
    looks = "[{when: {events: 10}, cleaning_lag: 80 days, decision_lag: 10 days}, {when: {events: 12}}]"
    _, tables = one_trial(engine, looks, "[9, 9]")
    first, second = tables["looks"]["cut_time"]
    assert tables["looks"]["lock_time"][0] == first + 80
    assert tables["looks"]["decision_time"][0] == first + 90
    assert second == first + 90 + TICK
    assert tables["looks"]["events"][1] > 12


def test_no_later_than_waits_for_it_too(engine: str) -> None:
    looks = "[{when: {events: 10}, cleaning_lag: 900 days}, {when: {events: 80, no_later_than: 1 year}}]"
    _, tables = one_trial(engine, looks, "[9, 9]")
    first, second = tables["looks"]["cut_time"]
    assert second == first + 900 + TICK
    early, _ = one_trial(engine, "[{when: {events: 80, no_later_than: 1 year}}]", "[9]")
    assert early.ends.cut[0] == 365.25 * TICKS_PER_DAY


@pytest.mark.parametrize(("lag", "rejected"), [(20, True), (30, False)])
def test_a_decision_after_the_horizon_is_never_carried_out(engine: str, lag: int, rejected: bool) -> None:
    looks = f"[{{when: {{calendar: 380 days}}, cleaning_lag: {lag} days}}]"
    result, tables = one_trial(engine, looks, "[-9]", "400 days")
    trial = {name: column[0] for name, column in tables["trials"].items()}
    assert trial["reject:primary"] == rejected
    assert trial["stop_look"] == int(rejected)
    assert trial["decision_time"] == 400
    assert trial["cut_time"] == (380 if rejected else 400)
    assert result.chunk.log(0)[-1].kind.name == "END"
