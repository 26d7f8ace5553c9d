"""Rankings trained on a supplied screening log: read to the last bit, refused with a sentence, never on who tests them."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from tests.unit.shipped_schema import check_document
from tests.unit.test_learned_rankings import WORLD, request
from trialsim.cli.main import main
from trialsim.engines.plan import build_plan
from trialsim.errors import ScenarioError, UsageError
from trialsim.learning.request import read_request
from trialsim.learning.screening_log import screening_log
from trialsim.learning.supplied_log import read_log
from trialsim.learning.training import train
from trialsim.models.checkpoint import read_checkpoint
from trialsim.scenario.load import scenario_from_text

NAMES, LEVELS = ("group", "age", "marker"), {"group": ("A", "B")}
SMALL = "site,group,age,marker,randomised\nx,A,61,2.5,1\nx,,NA,1e-1,no\ny,B,59.25,,true\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a world, and with the log of 16 of its trials as CSV."""
    there = tmp_path_factory.mktemp("supplied")
    (there / "world.yaml").write_text(WORLD, encoding="utf-8")
    plan = build_plan(scenario_from_text(WORLD), "usual", "expected", 1)
    log, order = screening_log(plan, 16, "randomised"), plan.world.source.columns
    with (there / "log.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["marker", "randomised", "site", "age", "group", "remarks"])
        for row, label, site in zip(log.values, log.label, log.site, strict=True):
            group, age, marker = (row[order.index(name)] for name in NAMES)
            level = "" if np.isnan(group) else LEVELS["group"][int(group)]
            shown = ["" if np.isnan(x) else repr(float(x)) for x in (marker, age)]
            writer.writerow([shown[0], int(label), f"site {site}", shown[1], level, "none"])
    return there


def test_what_is_supplied_is_what_is_learned_from(folder: Path) -> None:
    """The log of simulated trials, written to a file and read again, teaches the same model, bit by bit."""
    simulated = train(request("logistic", folder / "world.yaml"))
    supplied = train(request("logistic", folder / "world.yaml", log=folder / "log.csv"))
    for name, array in simulated.model.arrays().items():
        assert np.array_equal(array, supplied.model.arrays()[name]), name
    assert supplied.quality == simulated.quality
    assert "replicates" not in supplied.about
    assert supplied.about["log"]["file"] == "log.csv"


def test_cells_are_read_as_records_hold_them(tmp_path: Path) -> None:
    (tmp_path / "small.csv").write_text(SMALL, encoding="utf-8")
    log, _, unused = read_log(tmp_path / "small.csv", NAMES, LEVELS, "randomised")
    assert unused == []
    nan = np.nan
    wanted = np.array([[0, 61, 2.5], [nan, nan, 0.1], [1, 59.25, nan]])
    assert np.array_equal(log.values, wanted, equal_nan=True)
    assert log.label.tolist() == [True, False, True]
    assert log.site.tolist() == [0, 0, 1]


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (
            "marker,randomised",
            "marker,enrolled",
            "has no column 'randomised'; its header names site, group, age, marker, enrolled.",
        ),
        (
            "site,group",
            "sites,group",
            "has no column 'site'; its header names sites, group, age, marker, randomised. Did you mean 'sites'?",
        ),
        ("x,A,61", "x,C,61", "group is 'C' in line 2; its levels are A"),
        ("59.25", "old", "age is 'old' in line 4; a number is expected"),
        ("59.25", "inf", "age is 'inf' in line 4"),
        ("true", "perhaps", "randomised is 'perhaps' in line 4"),
        ("y,B", ",B", "site is missing in line 4"),
        ("x,A,61,2.5,1", "x,A,61,1", "line 2 has 4 cells; the header has 5"),
    ],
)
def test_what_is_wrong_in_a_log_is_told(tmp_path: Path, before: str, after: str, said: str) -> None:
    (tmp_path / "wrong.csv").write_text(SMALL.replace(before, after), encoding="utf-8")
    with pytest.raises(ScenarioError) as refused:
        read_log(tmp_path / "wrong.csv", NAMES, LEVELS, "randomised")
    assert said in str(refused.value)


def test_too_few_sites_and_no_such_file_are_told(folder: Path) -> None:
    (folder / "small.csv").write_text(SMALL, encoding="utf-8")
    with pytest.raises(UsageError, match="the log has 2 sites"):
        train(request("logistic", folder / "world.yaml", log=folder / "small.csv"))
    (folder / "one.csv").write_text(SMALL.replace("y,B", "x,B"), encoding="utf-8")
    with pytest.raises(UsageError, match="the log has 1 site with"):
        train(request("logistic", folder / "world.yaml", log=folder / "one.csv"))
    with pytest.raises(ScenarioError, match="there is no such file"):
        train(request("logistic", folder / "world.yaml", log=folder / "none.csv"))


def test_who_trained_a_score_never_tests_it(folder: Path) -> None:
    """A world that resamples patients makes no log of them, and their table is no log."""
    table = "site,group,age,marker,randomised\n" + "".join(
        f"s{k % 25},{'AB'[k % 2]},{50 + k % 20},{1 + k % 3},{k % 2}\n" for k in range(100)
    )
    (folder / "patients.csv").write_text(table, encoding="utf-8")
    (folder / "others.csv").write_text(table + "s1,A,50,1,0\n", encoding="utf-8")
    marginals = WORLD[WORLD.index("  marginals:") : WORLD.index("accrual:")]
    resampled = WORLD.replace(
        marginals, "  resample: patients.csv\n  columns: {group: group, age: age, marker: marker}\n"
    )
    (folder / "resampled.yaml").write_text(resampled, encoding="utf-8")
    with pytest.raises(UsageError, match="the very patients"):
        train(request("logistic", folder / "resampled.yaml"))
    with pytest.raises(UsageError, match="take a log of others"):
        train(request("logistic", folder / "resampled.yaml", log=folder / "patients.csv"))
    assert train(request("logistic", folder / "resampled.yaml", log=folder / "others.csv")).about["log"]


def test_a_training_file_names_a_log(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "ranker.yaml").write_text(
        "policy: logistic\nscenario: world.yaml\nlog: log.csv\n", encoding="utf-8"
    )
    assert read_request(folder / "ranker.yaml").log == folder / "log.csv"
    assert main(["train", str(folder / "ranker.yaml"), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    check_document("train", document)
    _, about, digest = read_checkpoint(folder / "ranker.safetensors", document["digest"])
    assert digest == document["digest"]
    assert about["log"]["file"] == "log.csv"
    assert about["log"]["unused"] == ["remarks"]
    assert main(["train", str(folder / "ranker.yaml"), "--out", str(folder / "again.safetensors")]) == 0
    told = (
        "Nothing is learned from these columns of log.csv, which are no covariates of the scenario: remarks"
    )
    assert told in capsys.readouterr().out
    (folder / "both.yaml").write_text(
        "policy: logistic\nscenario: world.yaml\nlog: ../log.csv\nreplicates: 5\n", encoding="utf-8"
    )
    with pytest.raises(ScenarioError) as refused:
        read_request(folder / "both.yaml")
    assert {problem.path for problem in refused.value.problems} == {"log", "replicates"}
    (folder / "many.yaml").write_text("policy: mlp\nscenario: world.yaml\nbatch: 0\n", encoding="utf-8")
    with pytest.raises(ScenarioError, match="0 is not a whole number from 1 to 1,048,576"):
        read_request(folder / "many.yaml")
