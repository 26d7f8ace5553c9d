"""``trialsim sweep`` on the command line: table, folder, JSON, picture, and sentences for what cannot be."""

from __future__ import annotations

import json
import shlex
from importlib.resources import files
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from jsonschema import Draft202012Validator

import trialsim.cli.running  # noqa: F401 - loaded once, so that a test may change the folder
from trialsim.cli import main as entry
from trialsim.oc import sweep as sweeping
from trialsim.scenario.load import load_scenario

N = "designs.fixed.n+designs.fixed.looks[0].when.readouts"
FILES = {"provenance.json", "scenario.yaml", "sweep.json", "sweep.parquet", "sweep.png", "sweep.svg"}


@pytest.fixture
def binary(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return root / "scenarios" / "binary_sequential" / "binary_sequential.yaml"


def run(*arguments: str | Path | int) -> int:
    return entry.main(["sweep", *(str(argument) for argument in arguments)])


def validator() -> Draft202012Validator:
    document = json.loads(files("trialsim").joinpath("schemas", "sweep.json").read_text())
    Draft202012Validator.check_schema(document)
    return Draft202012Validator(document)


def printed(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert list(validator().iter_errors(document)) == []
    return document


def test_a_sweep_prints_its_table_and_writes_its_folder(
    binary: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(binary, "--vary", f"{N}=100:200:50", "--replicates", 200, "--seed", 7) == 0
    captured = capsys.readouterr()
    assert "power_disjunctive; design fixed, truth alternative" in captured.out
    assert "power_disjunctive is not reported under no_effect (fixed)" in captured.out
    (folder,) = Path("runs").iterdir()
    assert folder.name.startswith("binary_sequential-sweep-")
    assert folder.name.endswith("-7")
    assert f"Results: {folder}" in captured.out
    assert {path.name for path in folder.iterdir()} == FILES
    assert (folder / "sweep.png").read_bytes().startswith(b"\x89PNG")
    assert "</svg>" in (folder / "sweep.svg").read_text()
    document = json.loads((folder / "sweep.json").read_text())
    table = pd.read_parquet(folder / "sweep.parquet")
    assert list(table[N]) == [100, 150, 200]
    assert list(table["value"]) == [row["value"] for row in document["rows"]]
    assert load_scenario(folder / "scenario.yaml") == load_scenario(binary)


@pytest.mark.slow
def test_json_is_all_that_is_printed_and_follows_its_schema(
    binary: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = (
        "--truths",
        "alternative",
        "--measure",
        "reject",
        "--measure",
        "stop",
        "--measure",
        "duration",
    )
    vary = ("--vary", f"{N}=60,100", "--vary", "endpoints.response.readout=2:6:2 weeks")
    assert run(binary, *vary, *arguments, "--replicates", 40, "--json", "--out", "here") == 0
    captured = capsys.readouterr()
    document = json.loads(captured.out)
    assert list(validator().iter_errors(document)) == []
    assert list(document) == ["scenario", "digest", "seed", "vary", "rows", "solution"]
    assert document["solution"] is None
    assert document["digest"] == load_scenario(binary).digest()
    assert [vary["unit"] for vary in document["vary"]] == [None, "weeks"]
    assert {row["name"] for row in document["rows"]} == {"reject", "stop", "duration"}
    assert document["rows"][0]["point"] == {N: 60, "endpoints.response.readout": 2}
    assert (Path("here") / "sweep.json").read_text() == captured.out
    assert "Results: here" in captured.err


def test_the_schema_refuses_what_is_no_sweep(binary: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(binary, "--vary", f"{N}=60", "--replicates", 5, "--json") == 0
    document = printed(capsys)
    for broken in (
        {**document, "more": 1},
        {**document, "vary": []},
        {**document, "solution": {}},
        {**document, "rows": [{**document["rows"][0], "point": {}}]},
        {key: value for key, value in document.items() if key != "rows"},
    ):
        assert list(validator().iter_errors(broken))


@pytest.mark.slow
def test_a_solution_is_printed_and_follows_the_schema(
    binary: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    request = (binary, "--vary", f"{N}=100:500:20", "--solve", "power_disjunctive=0.8", "--replicates", 2000)
    assert run(*request, "--json", "--out", "one") == 0
    solution = printed(capsys)["solution"]
    assert solution["reached"]
    assert 300 <= solution["value"] <= 360  # exactly 0.8 lies between 320 and 340
    assert solution["at"]["point"] == {N: solution["value"]}
    assert solution["below"]["point"] == {N: solution["value"] - 20}
    assert solution["at"]["value"] >= 0.8 > solution["below"]["value"]
    assert run(*request, "--measure", "enrolled", "--out", "two") == 0
    out = capsys.readouterr().out
    answer = f"on the grid with power_disjunctive for fixed under alternative of at least 0.8 is {solution['value']}"
    assert answer in out
    assert "One step below" in out
    assert "enrolled; design fixed" in out


@pytest.mark.slow
def test_a_target_out_of_reach_is_told_and_is_no_failure(
    binary: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    request = (binary, "--vary", f"{N}=20:60:20", "--solve", "power_disjunctive=0.99", "--replicates", 50)
    assert run(*request, "--out", "one") == 0
    assert "No value of designs.fixed.n+" in capsys.readouterr().out
    assert run(*request, "--json", "--out", "two") == 0
    solution = printed(capsys)["solution"]
    assert (solution["reached"], solution["value"], solution["at"], solution["below"]) == (
        False,
        None,
        None,
        None,
    )


@pytest.mark.slow
def test_the_saved_command_makes_the_same_sweep(binary: Path, capsys: pytest.CaptureFixture[str]) -> None:
    vary = ("--vary", f"{N}=60:100:10", "--vary", "accrual.evenly_spaced.rate=20,30,50 per month")
    assert run(binary, *vary, "--replicates", 20, "--json", "--out", "one") == 0
    first = capsys.readouterr().out
    words = shlex.split(json.loads(Path("one/provenance.json").read_text())["command"])
    assert words[:2] == ["trialsim", "sweep"]
    assert entry.main([*words[1:-1], "two", "--json"]) == 0
    assert capsys.readouterr().out == first


@pytest.mark.slow
def test_pictures_are_the_same_bytes_again(binary: Path) -> None:
    for out in ("one", "two"):
        assert run(binary, "--vary", f"{N}=60,80", "--replicates", 20, "--out", out) == 0
    for name in ("sweep.svg", "sweep.png", "sweep.json"):
        assert (Path("one") / name).read_bytes() == (Path("two") / name).read_bytes()


@pytest.mark.slow
def test_a_sweep_is_never_overwritten(binary: Path, capsys: pytest.CaptureFixture[str]) -> None:
    request = (binary, "--vary", f"{N}=60", "--replicates", 5)
    assert run(*request) == 0
    capsys.readouterr()
    assert run(*request) == 2
    captured = capsys.readouterr()
    assert "already holds a sweep and is never overwritten; name another folder with --out" in captured.err
    assert captured.out == ""
    assert run(binary, "--vary", f"{N}=80", "--replicates", 5) == 0  # another sweep, another folder
    assert len(list(Path("runs").iterdir())) == 2


def test_an_interrupt_leaves_nothing(
    binary: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*arguments: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(sweeping, "collect", interrupted)
    assert run(binary, "--vary", f"{N}=60", "--replicates", 5) == 130
    assert not Path("runs").exists()
    assert capsys.readouterr().err.endswith("Interrupted.\n")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "Missing option '--vary'"),
        (["--vary", "designs.fixed.n=300:200:50"], "the range begins at 300, above its end 200"),
        (["--vary", "designs.fixd.n=300,400"], "Did you mean 'designs.fixed.n'?"),
        (
            ["--vary", "designs.fixed.n=200,300"],
            "1 of the 2 points make no scenario; designs.fixed.n = 300 would do",
        ),
        (["--vary", "designs.fixed.n=300", "--measure", "powre"], "There is no measure 'powre'"),
        (["--vary", "designs.fixed.n=300", "--solve", "0.9"], "is not a measure and its target"),
        (["--vary", "designs.fixed.n=300", "--solve", "power=0.9"], "Did you mean power_disjunctive?"),
        (
            [
                "--vary",
                "designs.fixed.n=300",
                "--vary",
                "endpoints.response.rate=0.2",
                "--solve",
                "reject=0.9",
            ],
            "--solve: one number is to vary",
        ),
        (["--vary", "designs.fixed.n=300", "--replicates", "0"], "--replicates: 0 is not allowed"),
        (["--vary", "designs.fixed.n=300", "--truths", "alternativ"], "Did you mean 'alternative'?"),
        (["--vary", "designs.fixed.n=300", "--out", "taken"], "taken: is a file, not a folder"),
        (["--vary", "designs.fixed.n=300", "--out", "full"], "full: is not empty and is never overwritten"),
        (["--vary", "designs.fixed.n=300", "--out", "taken/below"], "taken/below: cannot be written"),
    ],
)
def test_a_bad_value_is_a_sentence(
    binary: Path, arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("taken").write_text("")
    Path("full").mkdir()
    Path("full/file").write_text("")
    assert run(binary, *arguments) == 2
    captured = capsys.readouterr()
    assert sentence in captured.err
    assert "Traceback" not in captured.err
    assert captured.out == ""
    assert not Path("runs").exists()
