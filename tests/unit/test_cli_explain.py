"""``trialsim explain`` from the command line."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path

import pandas as pd
import pytest
from jsonschema import Draft202012Validator

from tests.unit.story_scenario import EVENTFUL
from trialsim.cli import main as entry
from trialsim.contracts import Kind, Status
from trialsim.engines.records import STOP_REASONS


@pytest.fixture
def scenario(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "eventful.yaml"
    path.write_text(EVENTFUL)
    return path


def run(*arguments: str | Path | int) -> int:
    return entry.main([str(argument) for argument in arguments])


def test_the_story_and_a_shortened_log_are_printed(
    scenario: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("explain", scenario, "--replicate", 2) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    lines = printed.out.splitlines()
    assert lines[0].startswith(
        "This is replicate 2 of eventful under design adaptive and truth alternative, seed 1"
    )
    assert any(line.startswith("The trial ended on day ") for line in lines)
    assert any("more entries (--all shows them)" in line for line in lines)
    for number in (1, 2, 3):
        assert any(f"look {number} gave" in line for line in lines)
    assert any("patient 1 was randomised to" in line for line in lines)


def test_all_prints_every_entry(scenario: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("explain", scenario, "--all", "--csv", "log.csv") == 0
    printed = capsys.readouterr().out
    assert "--all shows them" not in printed
    log = pd.read_csv("log.csv")
    assert all(what in printed for what in log["what"])


def test_the_schema_knows_every_word_that_an_entry_of_the_log_may_have() -> None:
    schema = json.loads(files("trialsim").joinpath("schemas", "explain.json").read_text())
    entry_of_the_log = schema["$defs"]["event"]["properties"]
    assert set(entry_of_the_log["kind"]["enum"]) == {kind.name.lower() for kind in Kind}
    assert set(entry_of_the_log["status"]["enum"]) == {*(status.name.lower() for status in Status), None}
    assert all(reason in entry_of_the_log["reason"]["description"] for reason in STOP_REASONS)


@pytest.mark.slow
def test_json_is_alone_on_stdout_and_keeps_its_schema(
    scenario: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    schema = json.loads(files("trialsim").joinpath("schemas", "explain.json").read_text())
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema)
    found = {}
    for name, options in {
        "alone": [],
        "against": ["--against", "two_arms"],
        "horizon": ["--design", "patient"],
    }.items():
        assert run("explain", scenario, "--json", "--csv", f"{name}.csv", *options) == 0
        printed = capsys.readouterr()
        assert printed.err == f"Event log: {name}.csv\n"
        found[name] = json.loads(printed.out)
        validator.validate(found[name])
    alone = found["alone"]
    assert (alone["scenario"], alone["design"], alone["truth"]) == ("eventful", "adaptive", "alternative")
    assert (alone["seed"], alone["replicate"], alone["against"]) == (1, 0, None)
    assert len(alone["events"]) == len(pd.read_csv("alone.csv"))
    assert {event["kind"] for event in alone["events"]} >= {
        "look",
        "weight",
        "review",
        "end",
        "event",
        "readout",
    }
    assert found["against"]["events"] == alone["events"]
    assert found["against"]["against"]["design"] == "two_arms"
    assert len(pd.read_csv("against.csv")) == len(alone["events"]) + len(
        found["against"]["against"]["events"]
    )
    assert not validator.is_valid({**alone, "events": []})
    assert not validator.is_valid({**alone, "extra": 1})


@pytest.mark.slow
def test_two_designs_stand_side_by_side(scenario: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("explain", scenario, "--design", "two_arms", "--against", "adaptive", "--replicate", 1) == 0
    printed = capsys.readouterr().out
    assert "Where the two part:" in printed
    assert "side by side, times in days" in printed
    assert "The same patients under adaptive:" in printed
    assert "event log of two_arms" in printed
    assert "event log of adaptive" in printed


@pytest.mark.slow
def test_files_are_written_and_named(scenario: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("explain", scenario, "--picture", "p.svg", "--patients", "adsl.csv", "--csv", "log.csv") == 0
    assert capsys.readouterr().out.splitlines()[-3:] == [
        "Event log: log.csv",
        "Picture: p.svg",
        "Patients: adsl.csv",
    ]
    assert Path("p.svg").read_bytes().startswith(b"<?xml")
    assert len(pd.read_csv("adsl.csv")) == 60
    assert pd.read_csv("log.csv")["kind"].iloc[-1] == "end"


@pytest.mark.slow
@pytest.mark.parametrize("option", ["--picture", "--patients", "--csv"])
def test_an_existing_file_is_kept_unless_forced(
    scenario: Path, capsys: pytest.CaptureFixture[str], option: str
) -> None:
    path = Path("mine.png" if option == "--picture" else "mine.csv")
    path.write_text("mine")
    assert run("explain", scenario, option, path) == 2
    printed = capsys.readouterr()
    assert printed.err == f"{option}: {path} exists already; name another file, or replace it with --force.\n"
    assert printed.out == ""
    assert path.read_text() == "mine"
    assert run("explain", scenario, option, path, "--force") == 0
    assert path.read_bytes() != b"mine"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--design", "fixd"], "There is no design 'fixd'; there are adaptive, early, patient, two_arms"),
        (["--truth", "ladder"], "truth: ladder stands for 2 truths"),
        (["--against", "adaptive"], "against: adaptive is the design itself"),
        (["--replicate", "-1"], "replicate is -1; it must be a whole number"),
        (["--replicate", "x"], "--replicate: 'x' is not a whole number"),
        (["--seed", "-1"], "seed is -1; it must be a whole number"),
        (["--picture", "p.jpg"], "p.jpg: a picture is a file that ends in .png or .svg."),
        (["--csv", "a.csv", "--patients", "./a.csv"], "--patients: a.csv is named by --csv too"),
        (["--csv", "nowhere/a.csv"], "--csv: there is no folder nowhere"),
        (["--patients", "."], "--patients: . is a folder; name a file."),
    ],
)
def test_what_cannot_be_done_is_a_sentence(
    scenario: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], sentence: str
) -> None:
    before = sorted(Path().iterdir())
    assert run("explain", scenario, *arguments) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert sentence in printed.err
    assert "Traceback" not in printed.err
    assert sorted(Path().iterdir()) == before


@pytest.mark.slow
def test_the_same_trial_is_told_in_the_same_bytes(scenario: Path) -> None:
    for copy in ("one", "two"):
        options = ("--csv", f"{copy}.csv", "--picture", f"{copy}.svg", "--patients", f"{copy}_adsl.csv")
        assert run("explain", scenario, "--truth", "ladder[high=0.5]", *options) == 0
    for ending in (".csv", ".svg", "_adsl.csv"):
        assert Path(f"one{ending}").read_bytes() == Path(f"two{ending}").read_bytes()
