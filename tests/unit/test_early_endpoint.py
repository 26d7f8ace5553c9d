"""Numbers of events that are set by an early endpoint: the weighted stages, what is refused, what is told."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import norm

import trialsim
from trialsim.errors import ScenarioError
from trialsim.report.story import explain
from trialsim.scenario.advice import notes
from trialsim.scenario.load import load_scenario, scenario_from
from trialsim.scenario.schema import Scenario

FILE = (
    Path(__file__).resolve().parent.parent.parent / "scenarios" / "event_reestimation" / "early_endpoint.yaml"
)


@pytest.fixture(scope="module")
def shipped() -> Scenario:
    return load_scenario(FILE)


def test_the_events_follow_from_the_early_endpoint_alone(shipped: Scenario) -> None:
    run = trialsim.simulate(shipped, ["by_patients", "increments"], ["no_effect"], 200, seed=1)
    trials, looks = run.trials(), run.looks()
    raised = trials["events_awaited_change"] > 0
    assert set(trials["events_awaited"]) == {100, 240}
    assert 0.3 < raised.mean() < 0.7
    increments = trials[trials["design"] == "increments"]
    assert (increments["events"] == increments["events_awaited"]).all()
    split = trials[trials["design"] == "by_patients"]
    assert (split["events"] - split["events_untested"] == split["events_awaited"]).all()
    # Its own statistic at the look decides nothing: events are raised where it is below 0, and not where it is above.
    first = looks[(looks["look"] == 1) & (looks["design"] == "increments")]["z"].to_numpy()
    up = (increments["events_awaited_change"] > 0).to_numpy()
    assert (up & (first < 0)).sum() > 5 and (~up & (first > 0)).sum() > 5


def test_stages_of_patients_are_tested_at_their_own_ends(shipped: Scenario) -> None:
    story = explain(shipped, "by_patients", "no_effect", 3, 1)
    found = trialsim.simulate(shipped, ["by_patients"], ["no_effect"], 4, seed=1)
    last = found.looks().query("replicate == 3 and look == 2")["z"].iloc[0]
    text = story.text().replace("−", "-")
    z = [
        float(line.rsplit("z survival ", 1)[1].split(";")[0].rstrip("."))
        for line in text.splitlines()
        if "z survival" in line
    ]
    assert len(z) == 2
    assert last == pytest.approx(np.sqrt(0.6) * z[0] + np.sqrt(0.4) * z[1], abs=2e-3)
    (resized,) = [event for event in story.events.to_dict("records") if event["kind"] == "resized"] or [None]
    awaited = found.trials().query("replicate == 3")["events_awaited"].iloc[0]
    assert (resized is None) == (awaited == 100)
    assert f"{awaited - 60} of stage 2" in text
    assert "response, by which the number of events is set, had z" in text
    assert shipped.designs["by_patients"].efficacy_z("survival") == pytest.approx((np.inf, norm.isf(0.025)))


RULE = {"endpoint": "response", "direction": "higher", "zone": [0, 10], "maximum_events": 240}
REFUSED = [
    ({"stages": None}, "are not independent of it, and the level is not held; write stages: {patient_wise"),
    ({"stages": {"patient_wise": {"events": [60, 50]}}}, "110 events in all, and the last look waits for 100"),
    ({"stages": {"patient_wise": {"calendar": ["1 year", "2 years"]}}}, "events of the last stage are set anew"),
    ({"stages": {"patient_wise": {"events": [60, 40], "interim_information": [0.5]}}}, "rejects nothing here"),
    ({"stages": {"patient_wise": {"events": [60, 30, 10]}}}, "3 ends for 2 looks"),
    ({"bounds": {"efficacy_z": [2.5, 2.0]}}, "2.5 at look 1: stages that are split by patients"),
    ({"looks": [{"when": {"events": n}} for n in (25, 50, 100)], "stages": "increments"}, "at one interim look, found 2"),
    ({"stages": "increments"}, "looks wait for those of all arms: events: 200"),
    ({"looks": [{"when": {"events": 25}}, {"when": {"calendar": "3 years"}}]}, "all arms: events: 200"),
    ({"reestimation": {"early_endpoint": RULE | {"endpoint": "death"}}}, "'death' is what is tested"),
    ({"reestimation": {"early_endpoint": RULE | {"endpoint": "nothing"}}}, "nothing"),
    ({"reestimation": {"early_endpoint": RULE | {"zone": [2, 1]}}}, "is not below its upper one"),
    ({"reestimation": {"early_endpoint": RULE | {"maximum_events": 90}}}, "90 is below the 100 events"),
    ({"reestimation": {"early_endpoint": RULE | {"maximum_events": 501}}}, "501 exceeds the 500 patients"),
    ({"reestimation": {"early_endpoint": RULE, "conditional_power": {"target": 0.8, "maximum_events": 200}}},
     "exactly one of"),
    ({"reestimation": {"conditional_power": {"target": 0.8, "maximum_events": 200}}}, "belongs to a design of kind"),
    ({"tests": {"by_cox": {"alpha": 0.025}}}, "has no increments whose information goes with events"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "sentence"), REFUSED, ids=[sentence for _, sentence in REFUSED])
def test_what_cannot_be_is_refused(shipped: Scenario, change: dict[str, Any], sentence: str) -> None:
    tree = copy.deepcopy(shipped.dump())
    tree["hypotheses"]["by_cox"] = tree["hypotheses"]["survival"] | {"analysis": "cox"}
    design = tree["designs"]["by_patients"] | change
    tree["designs"] = {"by_patients": {key: part for key, part in design.items() if part is not None}}
    with pytest.raises(ScenarioError, match=sentence.replace("[", r"\[").replace("{", r"\{")):
        scenario_from(tree)


def test_increments_are_told_not_to_hold_the_level(shipped: Scenario) -> None:
    told = [note for note in notes(shipped.dump()) if "its level is not held" in note]
    assert len(told) == 1 and "“increments” sets its number of events by “response”" in told[0]
