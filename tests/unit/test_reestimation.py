"""Sizes that are re-estimated: the rules against closed forms, what is refused, what is told, what is recorded."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.stats import norm

import trialsim
from tests.twins.sized import SIZED
from trialsim.contracts import SizeView
from trialsim.designs.reestimation_design import SampleSizeReestimation
from trialsim.designs.reestimation_rules import ByBlindedVariance, ByConditionalPower, Sizes
from trialsim.errors import ScenarioError
from trialsim.oc.columns import records_of
from trialsim.report.cautions import analysis_cautions
from trialsim.report.page import page
from trialsim.report.reestimation_table import sizes_table
from trialsim.report.story import explain
from trialsim.scenario.load import load_scenario, scenario_from
from trialsim.scenario.schema import Scenario
from trialsim.stats.combination.inverse_normal import cui_hung_wang
from trialsim.stats.combination.reestimation import (
    blinded_variance,
    needed_of_next_stage,
    stage_information,
    stage_power,
    stage_statistic,
    with_stage,
)
from trialsim.stats.inference.conditional import combination_power

FOLDER = Path(__file__).resolve().parent.parent.parent / "scenarios" / "sample_size_reestimation"
PLAN = Sizes((208, 442), 442, 884, 2, 4.0)


@pytest.fixture(scope="module")
def shipped() -> Scenario:
    return load_scenario(FOLDER / "sample_size_reestimation.yaml")


def view(z: list[float], first: int = 208, sd: float = 7.5) -> SizeView:
    n, none = len(z), np.zeros(len(z), dtype=np.int64)
    at = np.array(z)
    return SizeView(none, none + first, none, at, at, np.full(n, first / 4), np.full(n, sd))


def zone_rule(**changes: Any) -> ByConditionalPower:
    given = {
        "sizes": PLAN, "looks": (0,), "rates": (208 / 442, 1.0), "bounds": (np.inf, norm.isf(0.025)), "target": 0.8,
        "zone": (0.365, 0.8), "effect": None, "stage": (1, 10**6),
    }  # fmt: skip
    return ByConditionalPower(**(given | changes))


def test_stages_combine_to_the_statistic_of_cui_hung_and_wang() -> None:
    z, information, rates = (
        np.array([1.1, 1.9, 2.4]),
        np.array([50.0, 180.0, 210.0]),
        np.array([0.3, 0.6, 1.0]),
    )
    combined, rate, score, seen = 0.0, 0.0, 0.0, 0.0
    found = []
    for k in range(3):
        stage, score = stage_statistic(z[k], information[k], score, seen)
        combined = float(with_stage(combined, rate, stage, rates[k]))
        rate, seen = rates[k], information[k]
        found.append(combined)
    assert found == pytest.approx(cui_hung_wang(z, information, rates).tolist(), abs=1e-12)


def test_conditional_power_is_that_of_the_combination() -> None:
    needed = needed_of_next_stage(1.4, 208 / 442, 1.0, 1.96)
    ours = stage_power(needed, 0.2, 90.0)
    assert ours == pytest.approx(combination_power(1.4, 208 / 442, 1.96, 0.2, 90.0), abs=1e-14)


def test_a_stage_gets_the_size_at_which_its_conditional_power_is_the_target() -> None:
    needed, effect = 1.3, 0.21
    ours = float(stage_information(needed, effect, 0.9))
    sought = brentq(lambda h: float(stage_power(needed, effect, h)) - 0.9, 1.0, 1e5, xtol=1e-9)
    assert ours == pytest.approx(sought, rel=1e-9)
    assert stage_information(needed, -0.1, 0.9) == np.inf
    assert stage_information(-3.0, 0.1, 0.9) == 0.0


def test_the_zone_has_the_limits_and_sizes_of_mehta_and_pocock() -> None:
    # The conditional power of their eq. (4), with the statistic of all data as planned, for the z of each limit.
    def power(z: float) -> float:
        more = 442 - 208
        return float(
            norm.sf(norm.isf(0.025) * np.sqrt(442 / more) - z * np.sqrt(208 / more) - z * np.sqrt(more / 208))
        )

    lower, upper = (brentq(lambda z, cp=cp: power(z) - cp, 0, 3) for cp in (0.365, 0.8))
    z = [-1.0, lower - 1e-6, lower + 1e-6, 1.4, upper - 1e-6, upper + 1e-6, 3.0]
    further, conditional = zone_rule().further_counts(view(z))
    assert conditional == pytest.approx([power(each) for each in z], abs=1e-12)
    assert (further[[0, 1, 5, 6]] == 0).all()
    assert further[2] == 442
    # Their eq. (7) for z = 1.4, rounded up to an even number.
    wanted = (
        208
        / 1.4**2
        * ((norm.isf(0.025) * np.sqrt(442) - 1.4 * np.sqrt(208)) / np.sqrt(442 - 208) + norm.ppf(0.8)) ** 2
    )
    assert further[3] == 2 * np.ceil(wanted / 2) - (442 - 208)
    assert 0 <= further[4] <= 2


def test_sizes_keep_their_limits_and_whole_blocks() -> None:
    three = Sizes((100, 200, 300), 180, 401, 3, 4.5)
    rule = zone_rule(
        sizes=three,
        rates=(1 / 3, 2 / 3, 1.0),
        bounds=(3.7, 2.5, 2.0),
        zone=None,
        looks=(0, 1),
        stage=(20, 250),
    )
    z = np.linspace(-2, 3.6, 200)
    further, _ = rule.further_counts(view(z.tolist(), first=100))
    stage = 100 + further
    assert stage.min() >= 20
    assert stage.max() == 401 - 100 - 100
    free = (stage > 20) & (stage < 201)
    assert free.any()
    assert (stage[free] % 3 == 0).all()
    assert (further[z <= 0] == 101).all()


def test_an_assumed_effect_is_taken_over_the_standard_deviation_seen() -> None:
    fixed, _ = zone_rule(effect=2.0, zone=None).further_counts(view([1.0, 1.0]))
    needed = (norm.isf(0.025) - np.sqrt(208 / 442)) / np.sqrt(1 - 208 / 442)
    wanted = 4 * ((needed + norm.ppf(0.8)) * 7.5 / 2) ** 2
    assert (fixed == 2 * np.ceil(wanted / 2) - (442 - 208)).all()


def test_the_blinded_variance_is_that_of_one_sample() -> None:
    g = np.random.default_rng(1)
    arms = [g.normal(size=(4, 30)), g.normal(1.0, 2.0, size=(4, 41))]
    n = np.tile([30, 41], (4, 1))
    mean = np.stack([arm.mean(axis=1) for arm in arms], axis=1)
    squares = np.stack([arm.var(axis=1) * arm.shape[1] for arm in arms], axis=1)
    whole = np.concatenate(arms, axis=1).var(axis=1, ddof=1)
    assert blinded_variance(n, mean, squares) == pytest.approx(whole, rel=1e-12)
    turned = blinded_variance(n[:, ::-1], mean[:, ::-1], squares[:, ::-1])
    assert turned == pytest.approx(whole, rel=1e-12)


def test_a_blinded_size_is_that_of_the_fixed_design(shipped: Scenario) -> None:
    rule = SampleSizeReestimation().resizing(shipped, "blinded").rule
    assert isinstance(rule, ByBlindedVariance)
    assert rule.sizes.rounded(np.array([7.5**2 * ((norm.isf(0.025) + norm.ppf(0.8)) / 2) ** 2])).tolist() == [
        442
    ]


REFUSED = [
    ({"reestimation": None}, "reestimation: is required"),
    ({"kind": "group_sequential", "efficacy": "pocock"}, "belongs to kind: sample_size_reestimation"),
    ({"looks": [{"when": {"readouts": 208}}]}, "one look is not enough"),
    ({"looks": [{"when": {"readouts": 208}}, {"when": {"calendar": "2 years"}}]}, "looks wait for those of all arms"),
    ({"looks": [{"when": {"readouts": {"count": 208, "arms": ["control"]}}}, {"when": {"readouts": 442}}]}, "of all arms"),
    ({"n": 900, "looks": [{"when": {"readouts": 208}}, {"when": {"readouts": 900}}]}, "884 is below the 900 patients"),
    ({"policies": {"stopping": "drop_arms"}}, "has the policy bounds here"),
    ({"reviews": {"every": {"enrolled": 50}}}, "has no reviews"),
    ({"bounds": {"efficacy_z": [2.5, 2.0, 1.9]}, "looks": [{"when": {"readouts": n}} for n in (100, 208, 442)],
      "tests": {"improvement": {"alpha": 0.025}, "by_t_test": {"alpha": 0.025}}}, "re-estimated for one test, found 2"),
    ({"looks": [{"when": {"readouts": n}} for n in (100, 208, 442)]}, "look 2 has no efficacy bound"),
    ({"reestimation": {"conditional_power": {"target": 0.8, "maximum": 884, "looks": [2]}}}, "look 2 is no interim"),
    ({"reestimation": {"conditional_power": {"target": 0.8, "maximum": 884, "looks": [1, 1]}}}, "each once"),
    ({"reestimation": {"conditional_power": {"target": 0.8, "maximum": 884, "zone": [0.8, 0.4]}}}, "is not below"),
    ({"reestimation": {"conditional_power": {"target": 0.8, "maximum": 884, "minimum": 500}}}, "500 is above the 442"),
    ({"reestimation": {"conditional_power": {"target": 0.8, "maximum": 884, "stage_minimum": 9, "stage_maximum": 8}}},
     "stage_minimum 9 is above"),
    ({"reestimation": {"conditional_power": {"target": 0.8, "maximum": 8840}}}, "of 8840 patients come before"),
    ({"reestimation": {"blinded_variance": {"effect": 2, "power": 0.8, "maximum": 884}}}, "z_test knows the variance"),
    ({"tests": {"by_t_test": {"alpha": 0.025}, "improvement": None}, "bounds": {"efficacy_z": [3.0, 2.0]},
      "reestimation": {"blinded_variance": {"effect": 2, "power": 0.8, "maximum": 884}}}, "leave the bounds of earlier"),
]  # fmt: skip


def written(shipped: Scenario) -> dict[str, Any]:
    return copy.deepcopy(shipped.dump())


@pytest.mark.parametrize(("change", "sentence"), REFUSED, ids=[sentence for _, sentence in REFUSED])
def test_what_cannot_be_is_refused(shipped: Scenario, change: dict[str, Any], sentence: str) -> None:
    tree = written(shipped)
    design = tree["designs"]["promising_zone"] | change
    design["tests"] = {name: test for name, test in design["tests"].items() if test is not None}
    tree["designs"] = {"promising_zone": {key: part for key, part in design.items() if part is not None}}
    with pytest.raises(ScenarioError, match=sentence):
        scenario_from(tree)


@pytest.mark.parametrize(
    ("part", "value", "sentence"),
    [
        ("accrual", {"uniform": {"over": "2 years"}}, "uniform accrual has no pace"),
        (
            "withdrawal",
            {"baseline": {"survival": 0.9, "at": "1 years"}},
            "cannot be re-estimated where patients have",
        ),
    ],
)
def test_worlds_in_which_no_size_can_change_are_refused(
    shipped: Scenario, part: str, value: Any, sentence: str
) -> None:
    tree = written(shipped) | {part: value}
    with pytest.raises(ScenarioError, match=sentence):
        scenario_from(tree)


def test_a_scenario_survives_being_written_and_read(shipped: Scenario) -> None:
    assert scenario_from(shipped.dump()).dump() == shipped.dump()


def test_a_design_without_its_comparator_is_noted(shipped: Scenario) -> None:
    assert analysis_cautions(shipped.dump()) == []
    tree = written(shipped)
    tree["designs"]["group_sequential"]["n"] = 886
    notes = analysis_cautions(tree)
    assert [note.partition("”")[0] for note in notes] == ["“promising_zone", "“blinded"]
    assert "no group sequential design of 884 patients" in notes[0]


def test_records_and_measures_tell_what_became_of_sizes(shipped: Scenario) -> None:
    run = trialsim.simulate(
        shipped, ["promising_zone", "group_sequential"], ["effect"], replicates=400, seed=2
    )
    trials = run.trials()
    zone = trials[trials["design"] == "promising_zone"]
    assert (zone["size"] == zone["enrolled"]).all()
    assert (zone["size_change"] == zone["size"] - 442).all()
    assert (trials.loc[trials["design"] == "group_sequential", "size_change"] == 0).all()
    looks = run.looks()
    first = looks[(looks["design"] == "promising_zone") & (looks["look"] == 1)]
    promising = first["conditional_power"].between(0.365, 0.8, inclusive="left").to_numpy()
    assert 0 < promising.sum() < len(promising)
    assert ((first["size"].to_numpy() > 442) == promising).all()
    chances = run.operating_characteristics()
    raised = chances[(chances["name"] == "size_becomes") & (chances["reason"] == "raised")]
    assert raised["value"].tolist() == [promising.mean()]
    rejects = chances[(chances["name"] == "reject_by_size") & (chances["reason"] == "raised")]
    assert rejects["value"].iloc[0] == zone.loc[zone["size_change"] > 0, "reject:improvement"].mean()


def test_the_report_sets_it_beside_the_group_sequential_design(shipped: Scenario) -> None:
    run = trialsim.simulate(shipped, None, ["effect"], replicates=200, seed=2)
    table = sizes_table(shipped.dump(), run.characteristics)
    assert table is not None
    assert [row[1][0] for row in table.rows] == [
        "promising_zone",
        "group_sequential",
        "blinded",
        "group_sequential",
    ]
    html = page(shipped.dump(), {}, run.characteristics, records_of(run.records), {})
    assert "<h2>Sample size re-estimation</h2>" in html
    assert (
        sizes_table(shipped.dump(), trialsim.simulate(shipped, ["fixed"], ["effect"], 20).characteristics)
        is None
    )


@pytest.mark.slow
def test_a_story_says_how_the_size_was_re_estimated(shipped: Scenario) -> None:
    story = explain(shipped, "promising_zone", "effect", 5, 1)
    text = story.text()
    assert "the size, the conditional power being 0.390, was raised from 442 to 884 patients" in text
    assert "Look 2, due at 884 readouts" in text
    (resized,) = [event for event in story.events.to_dict("records") if event["kind"] == "resized"]
    assert (resized["look"], resized["value"]) == (1, 884)
    tree, _ = SIZED["reopening"]
    scenario = scenario_from(tree)
    texts = [explain(scenario, "late", "effect", replicate, 11).text() for replicate in range(12)]
    assert any("which had closed, opened again" in text for text in texts)
