"""Numbers of events that are re-estimated: the rule against closed forms, the weighted stages, what is refused and told."""

from __future__ import annotations

import copy
import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from scipy.stats import norm

import trialsim
from trialsim.contracts import SizeView
from trialsim.designs.reestimation_design import SampleSizeReestimation
from trialsim.designs.reestimation_power import power_by_truth
from trialsim.designs.reestimation_rules import ByConditionalPower
from trialsim.errors import ScenarioError
from trialsim.oc.columns import records_of
from trialsim.report.page import page
from trialsim.report.reestimation_table import sizes_table
from trialsim.report.story import explain
from trialsim.scenario.advice import notes
from trialsim.scenario.load import load_scenario, scenario_from
from trialsim.scenario.schema import Scenario

FOLDER = Path(__file__).resolve().parent.parent.parent / "scenarios" / "event_reestimation"


@pytest.fixture(scope="module")
def shipped() -> Scenario:
    return load_scenario(FOLDER / "event_reestimation.yaml")


@pytest.fixture(scope="module")
def independent() -> ModuleType:
    spec = importlib.util.spec_from_file_location("independent_events", FOLDER / "independent.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def rule_of(scenario: Scenario, design: str) -> ByConditionalPower:
    found = SampleSizeReestimation().resizing(scenario, design)
    assert found.by_events and isinstance(found.rule, ByConditionalPower)
    return found.rule


def view(z: np.ndarray, events: int, per_information: float = 4.0) -> SizeView:
    none = np.zeros(len(z), dtype=np.int64)
    worth = np.full(len(z), events / per_information)
    return SizeView(none, none + events, none, z, z, worth, np.ones(len(z)))


def with_ratio(scenario: Scenario, control: int, treatment: int, **rule: Any) -> Scenario:
    tree = copy.deepcopy(scenario.dump())
    ratio = {"control": control, "treatment": treatment}
    tree["designs"]["promising_zone"]["allocation"] = {
        "permuted_blocks": {"size": control + treatment, "ratio": ratio}
    }
    tree["designs"]["promising_zone"]["reestimation"]["conditional_power"] |= rule
    return scenario_from(tree)


def test_a_stage_gets_the_events_at_which_its_conditional_power_is_the_target(shipped: Scenario) -> None:
    z = np.linspace(-1.0, 3.0, 81)
    further, power = rule_of(shipped, "promising_zone").further_counts(view(z, 124))
    needed = (norm.isf(0.025) - np.sqrt(0.5) * z) / np.sqrt(0.5)
    # As many events as before are planned, so that the effect seen makes z of them.
    assert power == pytest.approx(norm.cdf(z - needed), abs=1e-12)
    inside = (power >= 0.4) & (power < 0.8)
    assert inside.sum() > 3 and (further[~inside] == 0).all()
    seen = z[inside] / np.sqrt(124 / 4)
    stage = 124 + further[inside]
    capped = stage == 248
    assert capped.any() and not capped.all()
    reached, less = (norm.cdf(seen * np.sqrt(d / 4) - needed[inside]) for d in (stage, stage - 1))
    assert (reached[~capped] >= 0.8).all() and (less[~capped] < 0.8).all()
    assert (reached[capped] < 0.8 + 1e-9).all()


def test_events_are_worth_less_where_arms_are_unequal(shipped: Scenario) -> None:
    rule = rule_of(with_ratio(shipped, 1, 3, hazard_ratio=0.6, zone=[0, 1]), "promising_zone")
    assert rule.sizes.counted_per_information == pytest.approx(16 / 3)
    z = np.array([1.0])
    further, _ = rule.further_counts(view(z, 124, 16 / 3))
    needed = (norm.isf(0.025) - np.sqrt(0.5)) / np.sqrt(0.5)
    wanted = 16 / 3 * ((needed + norm.ppf(0.8)) / np.log(0.6)) ** 2
    assert 124 < wanted < 248
    assert further[0] == np.ceil(wanted) - 124


def test_what_is_tested_weighs_what_each_stage_adds_to_the_score(shipped: Scenario) -> None:
    run = trialsim.simulate(shipped, ["promising_zone", "stage_by_stage"], ["smaller_effect"], 60, seed=3)
    looks = run.looks()
    several = 0
    for (design, _), rows in looks.groupby(["design", "replicate"], observed=True):
        counts = (124, 248) if design == "promising_zone" else (80, 160, 240)
        score = -rows["effect"].to_numpy() * rows["information"].to_numpy()
        variance = rows["information"].to_numpy()
        stages = np.diff(score, prepend=0) / np.sqrt(np.diff(variance, prepend=0))
        weights = np.sqrt(np.diff(counts, prepend=0)[: len(rows)] / counts[-1])
        combined = np.cumsum(weights * stages) / np.sqrt(np.cumsum(weights**2))
        assert rows["z"].to_numpy() == pytest.approx(combined, abs=1e-9)
        whole = score / np.sqrt(variance)
        several += abs(whole[-1] - combined[-1]) > 0.02
    assert several > 5, "the statistic of all data would have done"


def test_looks_wait_for_the_events_that_were_decided_on(shipped: Scenario) -> None:
    run = trialsim.simulate(shipped, None, ["effect"], replicates=150, seed=2)
    trials, looks = run.trials(), run.looks()
    zone = trials[trials["design"] == "promising_zone"]
    assert (zone["events"] == zone["events_awaited"]).all()
    assert (zone["events_awaited_change"] == zone["events_awaited"] - 248).all()
    assert "size" not in trials.columns
    others = trials[trials["design"].isin(["fixed", "group_sequential"])]
    assert (others["events_awaited_change"] == 0).all()
    assert set(others["events_awaited"]) == {248, 372}
    first = looks[(looks["design"] == "promising_zone") & (looks["look"] == 1)]
    promising = first["conditional_power"].between(0.4, 0.8, inclusive="left").to_numpy()
    assert 0 < promising.sum() < len(promising)
    assert ((first["events_awaited"].to_numpy() > 248) == promising).all()
    stages = trials[trials["design"] == "stage_by_stage"]
    assert {True} == set(stages["events_awaited"].between(180, 372))
    assert (stages["events_awaited"] < 240).any() and (stages["events_awaited"] > 240).any()
    chances = run.operating_characteristics()
    of_zone = chances[chances["design"] == "promising_zone"]
    raised = of_zone[(of_zone["name"] == "size_becomes") & (of_zone["reason"] == "raised")]
    assert raised["value"].tolist() == [promising.mean()]
    mean = of_zone[of_zone["name"] == "events_awaited"]
    assert mean["value"].iloc[0] == pytest.approx(zone["events_awaited"].mean())
    assert mean["unit"].iloc[0] == "events"


@pytest.mark.slow
def test_the_integral_is_that_of_the_plain_calculation(shipped: Scenario, independent: ModuleType) -> None:
    for design, plan in (("promising_zone", independent.PROMISING), ("assumed", independent.ASSUMED)):
        found = power_by_truth(shipped, design)
        assert list(found) == ["effect", "smaller_effect", "no_effect"]
        for truth, ratio in (("effect", 0.7), ("smaller_effect", 0.76), ("no_effect", 1.0)):
            theirs = independent.characteristics(plan, ratio)
            assert found[truth].power == pytest.approx(theirs["power"], abs=1e-5)
            assert found[truth].size == pytest.approx(theirs["events"], abs=0.01)
            assert found[truth].raised == pytest.approx(theirs["raised"], abs=1e-5)
    assert power_by_truth(shipped, "stage_by_stage") == {}


RULE = {"target": 0.8, "maximum_events": 372}
REFUSED = [
    ({"reestimation": {"conditional_power": {"target": 0.8, "maximum": 600}}}, "write maximum_events in place of maximum"),
    ({"reestimation": {"conditional_power": RULE | {"maximum": 600}}}, "exactly one of"),
    ({"reestimation": {"conditional_power": {"target": 0.8}}}, "exactly one of"),
    ({"reestimation": {"conditional_power": RULE | {"minimum": 100}}}, "minimum does not go .* write minimum_events"),
    ({"reestimation": {"conditional_power": RULE | {"effect": 0.3}}}, "effect does not go .* write hazard_ratio"),
    ({"reestimation": {"conditional_power": RULE | {"maximum_events": 200}}}, "200 is below the 248 events"),
    ({"reestimation": {"conditional_power": RULE | {"minimum_events": 300}}}, "300 is above the 248 events"),
    ({"reestimation": {"conditional_power": RULE | {"maximum_events": 501}}}, "501 exceeds the 500 patients"),
    ({"reestimation": {"conditional_power": RULE | {"hazard_ratio": 1.2}}}, "1.2 is no benefit"),
    ({"reestimation": {"blinded_variance": {"effect": 0.3, "power": 0.8, "maximum": 600}}}, "have no variance to be seen"),
    ({"looks": [{"when": {"events": 124}}, {"when": {"calendar": "3 years"}}]}, "those of all arms: events: 200"),
    ({"looks": [{"when": {"events": {"count": 124, "arms": ["control"]}}}, {"when": {"events": 248}}]}, "of all arms"),
    ({"looks": [{"when": {"events": {"count": n, "endpoint": "relapse"}}} for n in (124, 248)]}, "not of 'relapse'"),
    ({"tests": {"weighted": {"alpha": 0.025}}}, "has no increments whose information goes with events"),
    ({"tests": {"by_cox": {"alpha": 0.025}}}, "has no increments whose information goes with events"),
    ({"policies": {"stopping": "drop_arms"}}, "has the policy bounds here"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "sentence"), REFUSED, ids=[sentence for _, sentence in REFUSED])
def test_what_cannot_be_is_refused(shipped: Scenario, change: dict[str, Any], sentence: str) -> None:
    tree = copy.deepcopy(shipped.dump())
    tree["endpoints"]["relapse"] = copy.deepcopy(tree["endpoints"]["death"])
    tree["hypotheses"] |= {
        "weighted": tree["hypotheses"]["primary"]
        | {"analysis": {"fleming_harrington": {"rho": 0, "gamma": 1}}},
        "by_cox": tree["hypotheses"]["primary"] | {"analysis": "cox"},
    }
    tree["designs"] = {"promising_zone": tree["designs"]["promising_zone"] | change}
    with pytest.raises(ScenarioError, match=sentence):
        scenario_from(tree)


def test_events_are_for_endpoints_that_have_them() -> None:
    means = FOLDER.parent / "sample_size_reestimation" / "sample_size_reestimation.yaml"
    tree = copy.deepcopy(load_scenario(means).dump())
    design = tree["designs"]["promising_zone"]
    design["reestimation"] = {"conditional_power": {"target": 0.8, "maximum_events": 400}}
    tree["designs"] = {"promising_zone": design}
    with pytest.raises(ScenarioError, match="has no events; write maximum in place of maximum_events"):
        scenario_from(tree)


def test_it_is_told_what_belongs_beside_it(shipped: Scenario) -> None:
    tree = copy.deepcopy(shipped.dump())
    assert not any("may grow" in note or "may come to wait" in note for note in notes(tree))
    del tree["designs"]["group_sequential"]
    tree["horizon"] = "1000 days"
    late = [{"from": "0 days", "hazard_ratio": 1.0}, {"from": "100 days", "hazard_ratio": 0.6}]
    tree["truths"]["late"] = {"endpoints.death.effect.treatment": late}
    told = [note for note in notes(tree) if "promising_zone" in note]
    assert any(
        "may grow to 372 events, and no group sequential design of 372 events" in note for note in told
    )
    assert any("may come to wait for 372 events" in note for note in told)
    assert any("re-estimates its events by a conditional power" in note for note in told)


def test_the_report_sets_it_beside_the_group_sequential_design(shipped: Scenario) -> None:
    run = trialsim.simulate(shipped, None, ["effect"], replicates=100, seed=2)
    table = sizes_table(shipped.dump(), run.characteristics)
    assert table is not None
    assert "events (mcse)" in table.headings
    assert [row[1][0] for row in table.rows] == [
        name
        for mine in ("promising_zone", "assumed", "stage_by_stage")
        for name in (mine, "group_sequential")
    ]
    html = page(shipped.dump(), {}, run.characteristics, records_of(run.records), {})
    assert "<h2>Sample size re-estimation</h2>" in html


def test_a_story_says_how_many_events_were_waited_for(shipped: Scenario) -> None:
    found = trialsim.simulate(shipped, ["promising_zone"], ["effect"], 40, seed=1).trials()
    one = found[found["events_awaited_change"] > 0].iloc[0]
    story = explain(shipped, "promising_zone", "effect", int(one["replicate"]), 1)
    text = story.text()
    assert f"was raised from 248 to {one['events_awaited']}" in text
    assert f"Look 2, due at {one['events_awaited']} events" in text
    (resized,) = [event for event in story.events.to_dict("records") if event["kind"] == "resized"]
    assert (resized["look"], resized["value"], resized["reason"]) == (1, one["events_awaited"], "events")
