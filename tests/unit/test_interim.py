"""``trialsim analyse``: a real trial's look, against its parts worked out apart, and sentences for what cannot be."""

from __future__ import annotations

import json
import math
import re
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from jsonschema import Draft202012Validator
from lifelines import CoxPHFitter
from lifelines.statistics import logrank_test
from scipy.stats import chi2_contingency, norm, ttest_ind

from trialsim.cli import main as entry
from trialsim.designs import group_sequential
from trialsim.stats.inference.conditional import conditional_power
from trialsim.stats.inference.overrun import Stopped, combination_method, deletion_method
from trialsim.stats.inference.stagewise import adjusted_inference

DOCS = Path(__file__).resolve().parents[2] / "docs" / "inference.md"
SURVIVAL: dict[str, Any] = {
    "analysis": "logrank",
    "direction": "lower",
    "arms": ["control", "treatment"],
    "columns": {"arm": "arm", "time": "months", "event": "died"},
    "design": {"information": ["1/3", "2/3", 1], "effect": -0.405},
    "maximum": {"events": 260},
    "looks": [{"z": 1.1, "at": 86}],
}
CONTINUOUS: dict[str, Any] = {
    "analysis": "t_test",
    "direction": "higher",
    "arms": ["placebo", "active"],
    "columns": {"arm": "group", "value": "change"},
    "design": {
        "information": [0.5, 1], "sides": 2, "alpha": 0.05, "efficacy": "hwang_shih_decani", "efficacy_parameter": -4,
    },
    "maximum": {"patients": 200},
}  # fmt: skip
NONE = np.full(3, -np.inf)


def survival_rows(n: int = 300, ratio: float = 0.62, seed: int = 4) -> list[tuple[str, float, int]]:
    rng = np.random.default_rng(seed)
    found = []
    for place in range(n):
        time = rng.exponential(1 / (0.0866 * (ratio if place % 2 else 1.0)))
        censored = rng.uniform(3, 18)
        found.append((SURVIVAL["arms"][place % 2], round(min(time, censored), 2), int(time <= censored)))
    return found


def written(folder: Path, design: Any, header: str, rows: list[Any]) -> tuple[Path, Path]:
    data, file = folder / "data.csv", folder / "design.yaml"
    data.write_text("\n".join([header, *(",".join(map(str, row)) for row in rows)]) + "\n", encoding="utf-8")
    file.write_text(yaml.safe_dump(design), encoding="utf-8")
    return data, file


def analysed(
    capsys: pytest.CaptureFixture[str], folder: Path, design: Any, header: str, rows: list[Any]
) -> dict[str, Any]:
    data, file = written(folder, design, header, rows)
    assert entry.main(["analyse", str(data), "--design", str(file), "--json"]) == 0
    schema = json.loads(files("trialsim").joinpath("schemas", "analyse.json").read_text())
    Draft202012Validator.check_schema(schema)
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert list(Draft202012Validator(schema).iter_errors(document)) == []
    return document


def survival_look(capsys: pytest.CaptureFixture[str], folder: Path, **changed: Any) -> dict[str, Any]:
    return analysed(capsys, folder, SURVIVAL | changed, "arm,months,died", survival_rows())


def test_the_test_is_lifelines(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    found = survival_look(capsys, tmp_path)
    rows = survival_rows()
    arms = [[row for row in rows if row[0] == arm] for arm in SURVIVAL["arms"]]
    times = [[row[1] for row in arm] for arm in arms]
    events = [[row[2] for row in arm] for arm in arms]
    other = logrank_test(times[0], times[1], events[0], events[1])
    assert found["z"] ** 2 == pytest.approx(other.test_statistic, rel=1e-10)
    assert found["z"] > 0
    assert found["estimate"] < 0
    assert found["counted"] == sum(row[2] for row in rows)


def test_bounds_and_inference_are_those_of_the_information_seen(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    found = survival_look(capsys, tmp_path)
    rates = [86 / 260, found["counted"] / 260, 1.0]
    bounds = group_sequential([1 / 3, 2 / 3, 1.0]).monitored(rates)
    assert found["information_rates"] == pytest.approx(rates)
    assert found["efficacy_z"] == pytest.approx(bounds.efficacy_z.tolist(), abs=1e-12)
    assert found["decision"] == "reject"
    assert found["recommendation"].startswith("Stop for efficacy: z = ")
    information = np.array(rates) / rates[1] / found["se"] ** 2
    expected = adjusted_inference(information, NONE, bounds.efficacy_z, 1, found["z"])
    repeated, ordered = found["conclusions"]
    assert ordered["p_value"] == pytest.approx(expected.p_value[0], abs=1e-14)
    assert ordered["estimate"] == pytest.approx(-expected.estimate[0], abs=1e-10)
    assert (ordered["lower"], ordered["upper"]) == pytest.approx(
        (-expected.upper[0], -expected.lower[0]), abs=1e-10
    )
    half = bounds.efficacy_z[1] * found["se"]
    assert (repeated["lower"], repeated["upper"]) == pytest.approx(
        (found["estimate"] - half, found["estimate"] + half), abs=1e-9
    )
    assert repeated["p_value"] < 0.025


def test_a_look_in_between_says_what_may_come(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    rows = survival_rows(ratio=0.8, seed=11)
    found = analysed(capsys, tmp_path, SURVIVAL, "arm,months,died", rows)
    assert found["decision"] == "go_on"
    assert [each["method"] for each in found["conclusions"]] == ["repeated"]
    rate, bound = found["information_rate"], found["efficacy_z"][-1]
    ahead = math.sqrt(1 - rate)
    for name, drift in (
        ("trend", found["z"] / math.sqrt(rate)),
        ("design_effect", 0.405 / found["se"] / math.sqrt(rate)),
        ("no_effect", 0.0),
    ):  # one look is left, so that each is one normal tail
        expected = norm.sf((bound - found["z"] * math.sqrt(rate) - drift * ahead**2) / ahead)
        assert found["chances"][name] == pytest.approx(expected, abs=1e-10), name
    flat = norm.cdf((found["z"] - bound * math.sqrt(rate)) / ahead)
    assert found["chances"]["predictive"] == pytest.approx(flat, abs=1e-10)
    assert f"{found['chances']['design_effect']:.3f} under the design's effect" in found["recommendation"]


def test_a_stratified_test_counts_within_strata(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    rows = [(*row, "abc"[place % 3]) for place, row in enumerate(survival_rows())]
    design = SURVIVAL | {"analysis": {"logrank": {"strata": ["region"]}}}
    found = analysed(capsys, tmp_path, design, "arm,months,died,region", rows)
    score = variance = 0.0
    for region in "abc":
        here = [row for row in rows if row[3] == region]
        alone = analysed(
            capsys, tmp_path, SURVIVAL | {"looks": []}, "arm,months,died", [row[:3] for row in here]
        )
        information = 1 / alone["se"] ** 2
        score, variance = score + alone["estimate"] * information, variance + information
    assert found["z"] == pytest.approx(-score / math.sqrt(variance), rel=1e-10)


def test_a_two_sided_t_test_with_values_still_to_come(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    rng = np.random.default_rng(8)
    values = [
        (CONTINUOUS["arms"][place % 2], round(rng.normal(-0.9 * (place % 2), 1.0), 3)) for place in range(96)
    ]
    rows: list[Any] = [*values, ("active", ""), ("placebo", "NA"), ("other", 3.0)]
    found = analysed(capsys, tmp_path, CONTINUOUS, "group,change", rows)
    arms = [[value for arm, value in values if arm == name] for name in CONTINUOUS["arms"]]
    other = ttest_ind(arms[1], arms[0])
    assert found["nominal_p"] == pytest.approx(other.pvalue, rel=1e-9)
    assert found["z"] < 0
    assert found["decision"] == "reject"  # on the side of harm
    assert found["recommendation"].startswith("Stop in favour of placebo: z = -")
    last = analysed(capsys, tmp_path, CONTINUOUS | {"last": True}, "group,change", rows)
    assert last["recommendation"].startswith("Reject in favour of placebo: z = -")
    assert (found["missing"], found["n"]) == (2, {"placebo": 48, "active": 48})
    assert "2 patients have no value yet and are left out." in found["notes"]
    assert any(
        "that are not compared are left out (other: 1). Were the arms" in each for each in found["notes"]
    )
    assert found["conclusions"][1]["p_value"] == pytest.approx(found["nominal_p"], rel=1e-9)  # the first look
    assert found["conclusions"][1]["upper"] < 0


def test_chances_of_two_sides_are_those_in_favour_of_treatment(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    rng = np.random.default_rng(8)
    rows = [
        (CONTINUOUS["arms"][place % 2], round(rng.normal(-0.3 * (place % 2), 1.0), 3)) for place in range(96)
    ]
    found = analysed(capsys, tmp_path, CONTINUOUS, "group,change", rows)
    assert -2 < found["z"] < -0.5
    rate, bound = 0.48, found["efficacy_z"][1]
    needed = (bound - found["z"] * math.sqrt(rate)) / math.sqrt(1 - rate)
    assert found["chances"]["no_effect"] == pytest.approx(norm.sf(needed), rel=1e-9)
    data, file = written(tmp_path, CONTINUOUS, "group,change", rows)
    assert entry.main(["analyse", str(data), "--design", str(file)]) == 0
    assert "chance to reject later, in favour of active" in capsys.readouterr().out


def test_welch_and_stratified_cox_are_taken_from_the_same_data(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    rng = np.random.default_rng(8)
    values = [("active", round(rng.normal(0.6, 2.0), 3)) for _ in range(30)]
    values += [("placebo", round(rng.normal(0.0, 1.0), 3)) for _ in range(60)]
    found = analysed(capsys, tmp_path, CONTINUOUS | {"analysis": "welch"}, "group,change", values)
    arms = [[value for arm, value in values if arm == name] for name in CONTINUOUS["arms"]]
    assert found["nominal_p"] == pytest.approx(ttest_ind(arms[1], arms[0], equal_var=False).pvalue, rel=1e-9)

    rows = [(*row, "abc"[place % 3]) for place, row in enumerate(survival_rows())]
    design = SURVIVAL | {"analysis": {"cox": {"strata": ["region"]}}}
    cox = analysed(capsys, tmp_path, design, "arm,months,died,region", rows)
    frame = pd.DataFrame(rows, columns=["arm", "months", "died", "region"])
    frame["arm"] = (frame.arm == "treatment").astype(float)
    fitted = CoxPHFitter().fit(frame, "months", "died", strata=["region"])
    assert cox["estimate"] == pytest.approx(fitted.params_["arm"], abs=1e-6)
    assert cox["se"] == pytest.approx(fitted.standard_errors_["arm"], rel=1e-4)


def test_a_last_look_with_less_than_planned_spends_all(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    rows = [("a", 1)] * 40 + [("a", 0)] * 50 + [("b", 1)] * 52 + [("b", 0)] * 40
    design = {
        "analysis": "score_test", "direction": "higher", "arms": ["a", "b"], "columns": {"arm": "arm", "value": "y"},
        "design": {"information": [0.5, 1]}, "maximum": {"patients": 200}, "looks": [{"z": 1.0, "at": 100}],
    }  # fmt: skip
    found = analysed(capsys, tmp_path, design, "arm,y", rows)
    assert found["is_last"] and found["chances"] == {}
    assert found["alpha_spent"][-1] == 0.025
    assert found["decision"] == "not_rejected"
    statistic = chi2_contingency([[40, 50], [52, 40]], correction=False)[0]
    assert found["z"] == pytest.approx(math.sqrt(statistic), rel=1e-10)
    assert any("under the planned maximum" in note for note in found["notes"])
    expected = adjusted_inference(
        np.array([100, 182]) / 182 * (found["z"] / found["estimate"]) ** 2,
        NONE[:2],
        found["efficacy_z"],
        1,
        found["z"],
    )
    assert found["conclusions"][1]["estimate"] == pytest.approx(expected.estimate[0], abs=1e-10)


def test_data_after_a_stop_are_combined_with_it(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    found = survival_look(capsys, tmp_path, looks=[{"z": 4.1, "at": 90}])
    assert found["decision"] == "stopped_before"
    bounds = group_sequential([1 / 3, 2 / 3, 1.0]).monitored([90 / 260, found["counted"] / 260, 1.0])
    information = 1 / found["se"] ** 2
    trial = Stopped(
        [90 / found["counted"] * information], NONE[:1], bounds.efficacy_z[:1], 4.1, information, found["z"]
    )
    for each, expected in zip(found["conclusions"], (combination_method(trial), deletion_method(trial))):
        assert each["p_value"] == pytest.approx(expected.p_value[0], rel=1e-9)
        assert each["estimate"] == pytest.approx(-expected.estimate[0], abs=1e-9)
    assert "The trial rejected at look 1" in found["recommendation"]


def test_futility_is_told_with_what_it_binds(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    design = SURVIVAL["design"] | {"futility": "hwang_shih_decani", "futility_parameter": -2}
    rows = survival_rows(ratio=1.3, seed=2)
    loose = analysed(capsys, tmp_path, SURVIVAL | {"design": design}, "arm,months,died", rows)
    assert loose["decision"] == "give_up"
    assert "not binding" in loose["recommendation"]
    tight = analysed(
        capsys, tmp_path, SURVIVAL | {"design": design | {"futility_binding": True}}, "arm,months,died", rows
    )
    assert "which is binding" in tight["recommendation"]
    assert (
        tight["conclusions"][1]["p_value"] < loose["conclusions"][1]["p_value"]
    )  # bounds obeyed leave less to cross


def test_looks_left_behind_are_passed_over_and_futility_ahead_is_obeyed(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    plan = {"futility": "hwang_shih_decani", "futility_parameter": 1, "effect": -0.405}
    design = plan | {"information": [0.2, 0.4, 0.6, 0.8, 1.0]}
    rows = survival_rows(ratio=0.8, seed=11)
    found = analysed(
        capsys, tmp_path, SURVIVAL | {"design": design, "maximum": {"events": 230}}, "arm,months,died", rows
    )
    events = found["counted"]
    assert 0.6 < events / 230 < 0.8
    assert found["information_rates"] == pytest.approx([86 / 230, events / 230, 0.8, 1.0])
    information = np.array(found["information_rates"]) / found["information_rate"] / found["se"] ** 2
    futility = np.array(found["futility_z"])
    obeyed = conditional_power(information, found["efficacy_z"], 1, found["z"], 0.405, futility).sum()
    ignored = conditional_power(information, found["efficacy_z"], 1, found["z"], 0.405).sum()
    assert found["chances"]["design_effect"] == pytest.approx(obeyed, abs=1e-12)
    assert ignored > obeyed + 1e-3
    error = conditional_power(information, found["efficacy_z"], 1, found["z"], 0.0)
    assert found["chances"]["no_effect"] == pytest.approx(error.sum(), abs=1e-12)


def test_repeated_p_values_of_spending_that_is_written_out(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Spending in proportion to information, as a family and look by look, is the same at every level."""
    family = {"information": [1 / 3, 2 / 3, 1], "efficacy": "kim_demets", "efficacy_parameter": 1}
    one = survival_look(capsys, tmp_path, design=family)
    spent = [0.025 * rate for rate in one["information_rates"]]
    written_out = family | {"efficacy": "user_defined", "efficacy_parameter": spent}
    other = survival_look(capsys, tmp_path, design=written_out)
    assert other["conclusions"][0]["p_value"] == pytest.approx(one["conclusions"][0]["p_value"], rel=1e-8)
    assert other["conclusions"][1] == one["conclusions"][1]


def test_a_trial_that_ends_long_before_its_maximum_is_a_fixed_one(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    found = survival_look(capsys, tmp_path, looks=[], last=True, maximum={"events": 200_000})
    assert found["efficacy_z"] == pytest.approx([norm.isf(0.025)], abs=1e-10)
    for each in found["conclusions"]:
        assert each["p_value"] == pytest.approx(found["nominal_p"], rel=1e-6)
        half = norm.isf(0.025) * found["se"]
        assert each["upper"] - each["estimate"] == pytest.approx(half, rel=1e-9)


def test_data_that_leave_no_doubt_are_documented(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Chances of nearly 1 are no more than that, and arms that share no outcome have an estimate without spread."""
    rows = [(SURVIVAL["arms"][k % 2], 1 + k % 9 + 100 * (k % 2), 1) for k in range(160)]
    design = SURVIVAL | {"looks": []}
    found = analysed(capsys, tmp_path, design, "arm,months,died", rows)
    assert found["decision"] == "reject"
    assert all(1 - 1e-12 < chance <= 1 for chance in found["chances"].values())
    binary = CONTINUOUS | {"analysis": "score_test"}
    found = analysed(
        capsys, tmp_path, binary, "group,change", [(("placebo", "active")[k % 2], k % 2) for k in range(60)]
    )
    assert (found["estimate"], found["se"], found["decision"]) == (1.0, 0.0, "reject")
    assert found["z"] == pytest.approx(60**0.5, rel=1e-12)  # the root of Pearson's chi-square, which is n


def test_the_maximum_follows_from_the_effect(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    design = {key: value for key, value in SURVIVAL.items() if key != "maximum"} | {
        "looks": [{"z": 1.1, "at": 20}]
    }
    found = analysed(capsys, tmp_path, design, "arm,months,died", survival_rows())
    assert found["unit"] == "information"
    assert found["maximum"] == pytest.approx(
        group_sequential([1 / 3, 2 / 3, 1], effect=0.405).maximum_information
    )
    assert found["counted"] == pytest.approx(1 / found["se"] ** 2)


def test_tables_and_picture(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    data, file = written(tmp_path, SURVIVAL, "arm,months,died", survival_rows())
    targets = [tmp_path / "one.svg", tmp_path / "two.svg", tmp_path / "one.png"]
    for target in targets:
        assert entry.main(["analyse", str(data), "--design", str(file), "--picture", str(target)]) == 0
    out = capsys.readouterr().out
    for words in (
        "Bounds for the information seen",
        "stage-wise ordering",
        "hazard ratio",
        "95% interval",
        "of 260 events",
    ):
        assert words in out
    assert targets[0].read_bytes() == targets[1].read_bytes()
    assert targets[2].read_bytes().startswith(b"\x89PNG")
    assert entry.main(["analyse", str(data), "--design", str(file), "--picture", str(targets[0])]) == 2
    assert "exists already" in capsys.readouterr().err


def refused(capsys: pytest.CaptureFixture[str], data: Path, file: Path) -> str:
    assert entry.main(["analyse", str(data), "--design", str(file)]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    return captured.err


def test_every_problem_of_the_design_is_told_at_once(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    design = {
        "analysis": "logrank", "direction": "up", "arms": ["a", "a"], "columns": {"arm": "arm", "when": "x", "time": 3},
        "design": {"information": [0.5, 0.4], "alfa": 1, "effect": 0, "efficacy": "pocock"}, "maximum": {"weeks": 3},
        "looks": [{"z": "x", "at": 3}, {"z": 1}], "last": "yes", "loks": [],
    }  # fmt: skip
    said = refused(capsys, *written(tmp_path, design, "arm", []))
    for words in (
        "loks: the key 'loks' is unknown", "Did you mean 'looks'?", "direction: 'up'", "arms: two different names",
        "columns.when: the key 'when' is unknown", "columns.time: 3 is given", "columns.event: it is missing",
        "design.alfa: the key 'alfa' is unknown", "design.effect: 0 is no benefit", "design.efficacy: pocock has bounds",
        "maximum: one of information, events, patients", "design.information[1]: 0.4 follows 0.5",
        "looks[0].z: 'x' is given", "looks[1]: a look has z",
        "last: 'yes' is given",
    ):  # fmt: skip
        assert words in said, words
    assert re.match(r".*design\.yaml: 14 problems\n", said)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"design": {"information": [0.5, 0.4]}}, "design.information[1]: 0.4 follows 0.5"),
        (
            {"design": {"information": [0.5, 1], "effect": 0.4}},
            "design.effect: 0.4 is no benefit with this direction",
        ),
        ({"design": {"information": [0.5, 1]}, "maximum": None}, "maximum: give the planned maximum"),
        ({"analysis": "log_rank"}, "analysis: the analysis 'log_rank' is unknown"),
        ({"analysis": "fleming_harrington"}, "analysis: fleming_harrington needs the powers"),
        ({"analysis": "fisher"}, "maximum: one of information, patients with a number is expected"),
        ({"analysis": {"cox": {"covariates": ["age"]}}}, "the column 'age' is unknown; allowed: arm, months"),
        ({"analysis": {"z_test": {}}}, "analysis.z_test.sd"),
        ({"looks": [{"z": 1, "at": 50}, {"z": 1, "at": 40}]}, "looks[1].at: 40 follows 50"),
        ({"looks": [{"z": 1, "at": 10 * k} for k in (1, 2, 3)]}, "3 looks were taken of 3 planned"),
        (
            {"looks": [{"z": 1, "at": 50, "changed": "population"}]},
            "looks[0].changed: the population was narrowed (enriched) after that look",
        ),
        (
            {"looks": [{"z": 1, "at": 50, "changed": "arms"}]},
            "so that plain group sequential bounds do not hold",
        ),
        ({"looks": [{"z": 1, "at": 50, "changed": "size"}]}, "looks[0].changed: the size was set anew"),
        (
            {"looks": [{"z": 1, "at": 50, "changed": "site"}]},
            "'site' is given; allowed: arms, population, size, or leave it out",
        ),
        ({"looks": [{"z": 1, "at": 250}]}, "250 events had been seen at the look before, and the data hold"),
        (
            {"arms": ["control", "treated"]},
            "arm: no patient with data has the arm 'treated'; the arms of the data: control, treatment",
        ),
        ({"columns": {"arm": "arm", "time": "weeks", "event": "died"}}, "the column 'weeks' is unknown"),
        (
            {"looks": [{"z": 1e308, "at": 50}]},
            "looks[0].z: 1e+308 is not allowed; a statistic lies from -37 to 37",
        ),
        (
            {"design": {"information": [f"1{'0' * 400}/1", 1]}},
            "design.information: a list is given; it takes numbers",
        ),
        (
            {
                "design": {
                    "information": [0.5, 1],
                    "futility": "z",
                    "futility_parameter": 0,
                    "futility_binding": "no",
                }
            },
            "design.futility_binding: 'no' is given; it is true or false",
        ),
    ],
    ids=str,
)
def test_a_problem_is_a_sentence(
    change: dict[str, Any], sentence: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    said = refused(capsys, *written(tmp_path, SURVIVAL | change, "arm,months,died", survival_rows()))
    assert sentence in said


def test_every_value_of_the_data_that_cannot_be_used_is_told(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    rows = [*survival_rows(), ("control", -1, 1), ("treatment", "x", 1), ("control", 3, 2), ("control", "")]
    said = refused(capsys, *written(tmp_path, SURVIVAL, "arm,months,died", rows))
    assert "line 302, months: '-1' is given; it takes a time from 0 to 1e+100" in said
    assert "line 303, months: 'x' is given" in said
    assert "line 304, died: '2' is given; it takes 1 or 0" in said
    assert "line 305, months: '' is given" in said and "line 305, died: '' is given" in said
    many = [("control", "x", 0)] * 50
    assert "more values or lines cannot be used" in refused(
        capsys, *written(tmp_path, SURVIVAL, "arm,months,died", many)
    )


def test_one_wrong_key_is_told_once(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    for change in ({"direction": "up"}, {"analysis": "log_rank"}):
        said = refused(capsys, *written(tmp_path, SURVIVAL | change, "arm,months,died", survival_rows()))
        assert ": 1 problem\n" in said


def test_a_stop_and_later_data_that_contradict_each_other_are_told(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    rows = [row for day in range(1, 90) for row in (("treatment", day, 1), ("control", 1000, 0))]
    design = SURVIVAL | {"looks": [{"z": 37, "at": 50}]}
    said = refused(capsys, *written(tmp_path, design, "arm,months,died", rows))
    assert "looks[0].z: z = 37 at the look that rejected and -14.7658 of all data are too far apart" in said


def test_columns_and_lines_that_can_be_read_in_two_ways_are_refused(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    rows = survival_rows()
    twice = [(*row, 5) for row in rows]
    said = refused(capsys, *written(tmp_path, SURVIVAL, "arm,months,died,months", twice))
    assert "months: there are 2 columns of this name" in said
    comma = [
        *rows,
        ("control", 3, 1, 1),
    ]  # 3,1 is 3.1 with a decimal comma: read by columns it has an event at 3
    said = refused(capsys, *written(tmp_path, SURVIVAL, "arm,months,died", comma))
    assert "line 302: it has 4 values for 3 columns" in said
    for text in ("1_000", "1e308", "nan"):
        said = refused(capsys, *written(tmp_path, SURVIVAL, "arm,months,died", [*rows, ("control", text, 1)]))
        assert f"line 302, months: '{text}' is given; it takes a time from 0 to 1e+100" in said
    stratified = SURVIVAL | {"analysis": {"logrank": {"strata": ["sex"]}}}
    said = refused(
        capsys, *written(tmp_path, stratified, "arm,months,died,sex", [(*rows[0], "f"), (*rows[1], "")])
    )
    assert "line 3, sex: it is empty; every patient belongs to a stratum" in said


def test_a_table_is_the_same_however_it_is_laid_out(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    plain = survival_look(capsys, tmp_path)
    data, file = written(tmp_path, SURVIVAL, "arm,months,died", survival_rows())
    text = data.read_text()
    layouts = {
        "byte order mark": "\ufeff" + text,
        "Windows": text.replace("\n", "\r\n"),
        "old Macintosh": text.replace("\n", "\r"),
        "empty lines first and between": "\n\n" + text.replace("\n", "\n\n"),
        "trailing commas": text.replace("\n", ",,\n"),
        "notes of several lines": "\n".join(
            line + (",note" if place == 0 else ',"a\nb\u2028c, d"')
            for place, line in enumerate(text.splitlines())
        ),
    }
    for name, layout in layouts.items():
        data.write_bytes(layout.encode())
        assert entry.main(["analyse", str(data), "--design", str(file), "--json"]) == 0, name
        assert json.loads(capsys.readouterr().out) == plain, name
    data.write_text(layouts["notes of several lines"] + "\ncontrol,x,1,\n", encoding="utf-8")
    assert f"line {2 * 300 + 2}, months: 'x'" in refused(capsys, data, file)


@pytest.mark.parametrize(
    ("analysis", "scale"), [("t_test", 1e-157), ({"z_test": {"sd": 1e-9}}, 1e20)], ids=str
)
def test_values_in_an_absurd_unit_are_told(
    analysis: Any, scale: float, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    rows = [("placebo" if place % 2 else "active", place % 7 * scale) for place in range(100)]
    said = refused(capsys, *written(tmp_path, CONTINUOUS | {"analysis": analysis}, "group,change", rows))
    assert "check the unit of the values" in said
    assert "Warning" not in said


def test_files_that_cannot_be_read_are_told(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    data, file = written(tmp_path, SURVIVAL, "arm,months,died", survival_rows())
    assert "no such file" in refused(capsys, tmp_path / "none.csv", file)
    assert "is a folder" in refused(capsys, tmp_path, file)
    data.write_bytes(b"arm,months,died\ncontrol,\xff,1\n")
    assert "not UTF-8" in refused(capsys, data, file)
    data.write_text("")
    assert "holds no patient" in refused(capsys, data, file)
    data.write_text("arm;months;died\ncontrol;1;0\n")
    assert "separated by semicolons; save it with commas" in refused(capsys, data, file)
    data.write_text('arm,months,died\n"control,1,0\n')
    assert "cannot be read as CSV" in refused(capsys, data, file)
    data.write_text("arm,months,died\ncontrol,1,0\ntreatment,2,0\n")
    assert "no events" in refused(capsys, data, file)
    file.write_text("- 1\n")
    assert "a mapping with the keys" in refused(capsys, data, file)


def test_a_repeated_p_value_beyond_its_levels_is_a_limit(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    values = {"placebo": (10.0, 12.0, 9.0, 11.0), "active": (10.2, 12.1, 8.9, 11.0)}
    rows = [(arm, value) for arm, found in values.items() for value in found * 3]
    data, file = written(tmp_path, CONTINUOUS, "group,change", rows)
    assert entry.main(["analyse", str(data), "--design", str(file)]) == 0
    assert re.search(r"repeated +at least 0\.5 ", capsys.readouterr().out)


def test_the_example_of_the_page_is_what_the_command_prints(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    page = DOCS.read_text(encoding="utf-8")
    command, printed = re.findall(r"```\n\$ trialsim (analyse .*?)\n(.*?)```", page, re.S)[0]
    monkeypatch.chdir(DOCS.parents[1])
    assert Path("examples/interim.yaml").read_text(encoding="utf-8") in re.findall(
        r"```yaml\n(.*?)```", page, re.S
    )
    monkeypatch.setenv("COLUMNS", "140")
    assert entry.main(command.split()) == 0
    said = [line.rstrip() for line in capsys.readouterr().out.strip().splitlines()]
    assert said == [line.rstrip() for line in printed.strip().splitlines()]


def test_a_patient_who_stands_twice_in_the_data_is_told(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    named = SURVIVAL | {"columns": {**SURVIVAL["columns"], "patient": "id"}}
    rows = [(*row, f"p{number}") for number, row in enumerate(survival_rows())]
    said = refused(
        capsys,
        *written(tmp_path, named, "arm,months,died,id", [*rows, (*rows[3][:3], "p3"), (*rows[4][:3], "")]),
    )
    assert "line 302, id: 'p3' stands in line 5 already" in said
    assert "line 303, id: it is empty; every patient has a name or a number" in said
