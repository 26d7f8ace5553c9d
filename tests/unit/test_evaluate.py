"""`trialsim evaluate` of policies other than rankings: what it prints is what a scenario with both policies gives."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

import trialsim
from tests.unit.shipped_schema import check_document
from trialsim.cli.main import main
from trialsim.contracts import Kind
from trialsim.engines.conduct import conduct
from trialsim.engines.runner import chunk_of
from trialsim.oc.policies_compared import PolicyCompared
from trialsim.oc.rankings import difference, estimated
from trialsim.report.rankings import measures_table
from trialsim.scenario.load import scenario_from

SCENARIO = """
name: two_rules
horizon: 4 years
population: {marginals: {sex: {categorical: {female: 0.3, male: 0.7}}}}
accrual:
  sites:
    small: {count: 3, rate: 2 per month, coordinators: 1}
    large: {count: 2, rate: 6 per month, coordinators: 1, history: {over: 1 year}}
screening: {eligible: {probability: 0.6}, duration: {fixed: 3 days}, subgroup: sex}
costs: {currency: EUR, screen: 500, patient: 1000}
arms: [control, treatment]
endpoints: {response: {kind: binary, readout: 10 days, rate: 0.3, effect: {treatment: 0.6}, effect_measure: rate}}
treatment: {doses: [1, 0.5], waning: {half_life: 4 weeks}}
visits: {every: 2 days, until: 60 days}
adverse_events:
  rash:
    baseline: {hazard: 4 per year}
    effect: {treatment: 3}
    dose_exponent: 1
    severity: {mild: 0.5, severe: 0.5}
    serious: {severe: 0.5}
hypotheses: {primary: {endpoint: response, arms: [treatment, control], analysis: score_test, direction: higher}}
truths: {works: {}}
designs:
  equal:
    kind: group_sequential
    n: 60
    allocation: simple
    looks: [{when: {readouts: 20}}, {when: {readouts: 40}}, {when: {readouts: 60}}]
    tests: {primary: {alpha: 0.025}}
    bounds: {efficacy_z: [null, null, 1.96]}
"""
REPLICATES = 40


@pytest.fixture
def world(tmp_path: Path) -> Path:
    """The scenario in a folder of its own."""
    (tmp_path / "world.yaml").write_text(SCENARIO, encoding="utf-8")
    return tmp_path / "world.yaml"


def evaluated(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    """Return the JSON document of a command."""
    assert main(["evaluate", *words, "--replicates", str(REPLICATES), "--workers", "1", "--json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    check_document("evaluate", found)
    return found


def both(slot: str, policies: dict[str, dict[str, Any]]) -> trialsim.Simulation:
    """Return trials of a scenario in which a design is written for each policy."""
    tree = yaml.safe_load(SCENARIO)
    base = tree["designs"]["equal"]
    tree["designs"] = {name: base | {"policies": {slot: policy}} for name, policy in policies.items()}
    return trialsim.simulate(scenario_from(tree), replicates=REPLICATES, seed=1, workers=1)


def by_hand(first: pd.Series, second: pd.Series) -> dict[str, float]:
    """Return mean and standard error of a column of the second design, and of its difference from the first."""
    one, two = (each.to_numpy(dtype=float) for each in (first, second))
    error = np.sqrt(two.var(ddof=1) / len(two)), np.sqrt((two - one).var(ddof=1) / len(two))
    return {
        "value": two.mean(),
        "mcse": error[0],
        "difference": (two - one).mean(),
        "difference_mcse": error[1],
    }


def of_design(frame: pd.DataFrame, name: str) -> pd.DataFrame:
    """Return the rows of a design by replicate."""
    return frame[frame["design"] == name].set_index("replicate").sort_index()


def test_rules_of_allocation_meet_the_same_patients(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Only one slot knows the name, so that nobody has to say which; the reference is the design as it stands."""
    found = evaluated(capsys, "doubly_adaptive", "--scenario", str(world))
    assert found["decides"] == "randomisation"
    assert [each["policy"] for each in found["policies"]] == ["as_designed", "doubly_adaptive"]
    trials = both("randomisation", {"as": {"by_design": {}}, "other": {"doubly_adaptive": {}}})
    frame, arms = trials.trials(), trials.arms()
    one, two = of_design(frame, "as"), of_design(frame, "other")
    measures = found["policies"][1]["measures"]
    month = 30.4375
    assert measures["months"] == pytest.approx(by_hand(one["lock_time"] / month, two["lock_time"] / month))
    assert measures["rejects primary"] == pytest.approx(by_hand(one["reject:primary"], two["reject:primary"]))
    assert measures["cost"] == pytest.approx(by_hand(one["cost"], two["cost"]))
    on = [of_design(arms[arms["arm"] == "treatment"], name)["enrolled"] / 60 for name in ("as", "other")]
    assert measures["on_best_arm"] == pytest.approx(by_hand(*on))
    assert measures["on_best_arm"]["difference"] != 0
    assert {"female of enrolled", "male of eligible", "screen_failure_rate"} <= set(measures)


@pytest.mark.slow
def test_responders_are_those_whose_read_outs_say_so_by_the_deciding_cut(
    world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Counted in the event logs of the reference engine, in which trials stop early, late and at the end."""
    tree = yaml.safe_load(SCENARIO)
    tree["designs"]["equal"]["bounds"] = {"efficacy_z": [1.0, 1.5, 1.96], "futility_z": [0.0, 0.5, None]}
    tree["designs"]["equal"]["looks"][0]["decision_lag"] = "20 days"
    world.write_text(yaml.safe_dump(tree, sort_keys=False), encoding="utf-8")
    found = evaluated(capsys, "doubly_adaptive", "--scenario", str(world))
    base = tree["designs"]["equal"]
    rules = {"as": "by_design", "other": "doubly_adaptive"}
    tree["designs"] = {name: base | {"policies": {"randomisation": rule}} for name, rule in rules.items()}
    scenario, counted = scenario_from(tree), {}
    for name in rules:
        rows, enrolled = np.zeros((REPLICATES, 2)), np.zeros(REPLICATES)
        for replicate in range(REPLICATES):
            result = conduct(chunk_of(scenario, name, "works", [replicate], 1, "reference"))
            log, cut = result.chunk.log(0), int(result.ends.cut[0])
            arm = {row.id: int(row.value) for row in log if row.kind == Kind.RANDOMISATION}
            enrolled[replicate] = len(arm)
            for row in log:
                if row.kind == Kind.READOUT and row.tick <= cut:
                    rows[replicate, arm[row.id]] += row.value
        counted[name] = {
            "responders": rows.sum(axis=1),
            "responders_per_patient": rows.sum(axis=1) / enrolled,
            "responders on control": rows[:, 0],
            "responders on treatment": rows[:, 1],
        }
    for name, two in counted["other"].items():
        of = found["policies"][1]["measures"][name]
        assert of == pytest.approx(by_hand(pd.Series(counted["as"][name]), pd.Series(two))), name
        assert of["value"] > 0
    assert (
        main(["evaluate", "doubly_adaptive", "--scenario", str(world), "--replicates", "5", "--workers", "1"])
        == 0
    )
    said = " ".join(capsys.readouterr().out.split())
    assert "responders by the deciding cut" in said
    assert "a patient enrolled" in said and "on treatment" in said


@pytest.mark.slow
def test_monitoring_is_compared_by_what_patients_suffer(
    world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rule = {"dose_modification": {"level": "mild", "reduce_after": 1}}
    (tmp_path / "rule.yaml").write_text(yaml.safe_dump(rule), encoding="utf-8")
    words = [str(tmp_path / "rule.yaml"), "--decides", "monitoring", "--scenario", str(world)]
    measures = evaluated(capsys, *words)["policies"][1]["measures"]
    arms = both("monitoring", {"as": {"by_protocol": {}}, "other": rule}).arms()
    for name, start in (("adverse_events", "adverse_events:"), ("serious_adverse_events", "serious:")):
        columns = [column for column in arms.columns if column.startswith(start)]
        of_trials = [
            each.groupby("replicate")[columns].sum().sum(axis=1) / each.groupby("replicate")["enrolled"].sum()
            for each in (arms[arms["design"] == "as"], arms[arms["design"] == "other"])
        ]
        assert measures[f"{name}_per_patient"] == pytest.approx(by_hand(*of_trials))
    assert measures["adverse_events_per_patient"]["difference"] < 0
    assert main(["evaluate", *words, "--replicates", "10", "--workers", "1"]) == 0
    printed = capsys.readouterr().out
    assert "adverse events a patient" in printed and "female of enrolled" in printed
    assert "Shares of the eligible candidates: female" in printed


def test_rankings_are_compared_by_safety_too(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = evaluated(
        capsys, "random", "--decides", "recruitment", "--against", "as_designed", "--scenario", str(world)
    )
    assert [each["ranking"] for each in found["rankings"]] == ["as_designed", "random"]
    assert "adverse_events_per_patient" in found["rankings"][1]["measures"]
    assert main(["evaluate", "random", "--scenario", str(world), "--replicates", "5", "--workers", "1"]) == 0
    assert "adverse events a patient" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("slot", ["recruitment", "sites"])
def test_of_a_single_trial_there_is_no_error(
    world: Path, capsys: pytest.CaptureFixture[str], slot: str
) -> None:
    words = ["--decides", slot, "--scenario", str(world), "--replicates", "1", "--workers", "1"]
    name = "random" if slot == "recruitment" else "all_open"
    assert main(["evaluate", name, *words, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    check_document("evaluate", found)
    last = (found.get("rankings") or found["policies"])[-1]["measures"]
    assert all(each["mcse"] is None and each["difference_mcse"] is None for each in last.values())
    assert main(["evaluate", name, *words]) == 0
    printed = capsys.readouterr().out
    assert "(one trial)" in printed and "1 trial each" in printed


def test_a_difference_that_no_trial_has_under_both_is_a_dash() -> None:
    first, second = np.array([1.0, 2.0, np.nan]), np.array([np.nan, np.nan, 3.0])
    compared = [
        PolicyCompared(label, (estimated("events", each),), (difference("events", each, first),))
        for label, each in (("one", first), ("other", second))
    ]
    table = measures_table("", "policy", compared, {"events": "events"})
    assert table.rows[1][1] == ("3.00 (one trial)", "–")
    assert compared[1].to_dict()["measures"]["events"]["difference"] is None


def test_sites_that_state_no_number_open_as_many_as_the_design(
    world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tree = yaml.safe_load(SCENARIO)
    tree["designs"]["equal"]["policies"] = {"sites": {"random": {"open": 2}}}
    world.write_text(yaml.safe_dump(tree, sort_keys=False), encoding="utf-8")
    words = ["--decides", "sites", "--scenario", str(world)]
    written = world.with_name("written.yaml")
    written.write_text("oracle: {}\n", encoding="utf-8")
    found = evaluated(capsys, "oracle", *words, "--against", f"as_designed,all_open,{written}")
    assert [each["policy"] for each in found["policies"]] == [
        "as_designed",
        "all_open",
        "oracle_1",
        "oracle_2",
    ]
    assert found["policies"][2]["measures"] == found["policies"][3]["measures"]
    months = [each["measures"]["months_to_last_patient_in"]["value"] for each in found["policies"]]
    assert months[1] < months[2] < months[0]
    opened = both("sites", {"other": {"oracle": {"open": 2}}}).trials()["enrolment_end_time"]
    assert months[2] == pytest.approx(opened.mean() / 30.4375)


STOPPED = """
name: stopped
accrual: {evenly_spaced: {rate: 20 per month}}
arms: [control, treatment]
endpoints: {response: {kind: continuous, readout: 1 week, mean: 0, sd: 1, effect: {treatment: 0.4}}}
hypotheses:
  primary: {endpoint: response, arms: [treatment, control], analysis: {z_test: {sd: 1}}, direction: higher}
truths: {expected: {}}
designs:
  sequential:
    kind: group_sequential
    n: 80
    allocation: alternating
    looks: [{when: {readouts: 40}}, {when: {readouts: 80}}]
    tests: {primary: {alpha: 0.025}}
    bounds: {efficacy_z: [2.8, 1.98]}
"""


@pytest.mark.slow
def test_a_learned_rule_of_stopping_takes_the_place_of_the_bounds(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The checkpoint says what it decides; the same scenario with the learned design written out gives the same."""
    (tmp_path / "world.yaml").write_text(STOPPED, encoding="utf-8")
    request = "policy: stopping\nscenario: world.yaml\niterations: 150\npaths: 400\n"
    request += "hidden: [16]\nlearning_rate: 0.01\nseed: 3\n"
    (tmp_path / "rule.yaml").write_text(request, encoding="utf-8")
    assert main(["train", str(tmp_path / "rule.yaml")]) == 0
    capsys.readouterr()
    checkpoint, scenario = str(tmp_path / "rule.safetensors"), ["--scenario", str(tmp_path / "world.yaml")]
    found = evaluated(capsys, checkpoint, *scenario)
    assert [each["policy"] for each in found["policies"]] == ["as_designed", "learned"]
    digest = hashlib.sha256((tmp_path / "rule.safetensors").read_bytes()).hexdigest()
    tree = yaml.safe_load(STOPPED)
    learned = {key: value for key, value in tree["designs"]["sequential"].items() if key != "bounds"}
    tree["designs"] = {
        "learned": learned | {"policies": {"stopping": {"learned": {"checkpoint": "rule.safetensors", "digest": digest}}}}
    }  # fmt: skip
    trials = trialsim.simulate(
        scenario_from(tree, tmp_path), replicates=REPLICATES, seed=1, workers=1
    ).trials()
    measures = found["policies"][1]["measures"]
    assert measures["patients"]["value"] == pytest.approx(trials["enrolled"].mean())
    assert measures["rejects primary"]["value"] == pytest.approx(trials["reject:primary"].mean())
    assert main(["evaluate", checkpoint, *scenario, "--replicates", "5", "--workers", "1"]) == 0
    assert "`trialsim run` asks for it" in " ".join(capsys.readouterr().out.split())
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "bounds.yaml").write_text("bounds: {futility: ignore}\n", encoding="utf-8")
    (tmp_path / "with.yaml").write_text(yaml.safe_dump(tree, sort_keys=False), encoding="utf-8")
    three = evaluated(capsys, checkpoint, "--against", str(tmp_path / "elsewhere" / "bounds.yaml"), *scenario)
    assert [each["policy"] for each in three["policies"]] == ["bounds", "learned"]
    assert three["policies"][1]["measures"]["patients"]["value"] == measures["patients"]["value"]
    itself = evaluated(capsys, checkpoint, "--scenario", str(tmp_path / "with.yaml"))["policies"]
    assert itself[0]["measures"] == itself[1]["measures"]
    moved = tmp_path / "elsewhere" / "rule.safetensors"
    moved.write_bytes((tmp_path / "rule.safetensors").read_bytes())
    allocation = tmp_path / "elsewhere" / "allocation.yaml"
    pinned = {"learned": {"checkpoint": "allocation.safetensors", "digest": digest}}
    allocation.write_text(yaml.safe_dump(pinned), encoding="utf-8")
    # The second replaces allocation, and the design's own rule of stopping stays, with its checkpoint.
    for words in ([str(moved)], [str(allocation), "--decides", "randomisation"]):
        assert main(["evaluate", *words, "--scenario", str(tmp_path / "with.yaml")]) == 2
        refused = " ".join(capsys.readouterr().err.split())
        assert refused == "the checkpoints lie in different folders; put them into one"
    for words, said in (
        ([checkpoint, "--decides", "sites"], "is a model for stopping, not for sites"),
        (
            ["bounds", "--decides", "stopping", "--against", checkpoint.replace("rule", "no")],
            "cannot be read",
        ),
        (
            ["thompson", "--decides", "randomisation", "--against", checkpoint],
            "is a model for stopping; randomisation",
        ),
    ):
        assert main(["evaluate", *words, *scenario]) == 2
        assert said in " ".join(capsys.readouterr().err.split())


def test_what_does_not_fit_is_refused_with_its_place(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written = {}
    for file, text in (
        ("word", "historical_mean"),
        ("list", "[random]"),
        ("limits", "bounds: {futility: no}"),
    ):
        written[file] = str(world.with_name(f"{file}.yaml"))
        Path(written[file]).write_text(text, encoding="utf-8")
    for words, said in (
        ([written["word"]], "historical_mean.open: is required"),
        ([written["list"]], "a policy is expected"),
        ([written["limits"]], "bounds.futility"),
        (["thompson"], "thompson is a policy of sites and of randomisation: say --decides"),
        (["learned"], "learned is a policy of sites, of randomisation and of stopping: say --decides"),
        (["random", "--decides", "site"], "--decides: 'site' is unknown; allowed: recruitment, sites"),
        (["random", "--decides", "sites"], "random.open: is required"),
        (["thomson", "--decides", "randomisation"], "thomson"),
        (["learned", "--decides", "randomisation"], "checkpoint"),
        (["drop_arms", "--decides", "stopping"], "drop_arms"),
        (["random", "--design", "eqal", "--against", "as_designed"], "eqal"),
    ):
        assert main(["evaluate", *words, "--scenario", str(world)]) == 2, words
        captured = capsys.readouterr()
        assert said in captured.err and "Traceback" not in captured.err
