"""``run``, ``report``, ``compare`` and ``list`` from the command line, over an engine made of formulas."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable, Sequence
from importlib.resources import files
from pathlib import Path
from types import ModuleType
from typing import Any

import pyarrow as pa
import pytest
from jsonschema import Draft202012Validator

import trialsim.oc.certificate  # noqa: F401 - bound to the engine before tests put another in its place
from tests.unit.synthetic_records import cell_fact, simulated_cell
from trialsim.cli import main as entry
from trialsim.oc.run_folder import load_run
from trialsim.scenario.load import load_scenario
from trialsim.scenario.schema import Scenario

SCENARIO = """
name: example
arms: [control, treatment]
assumed: {accrual: as planned}
accrual: {uniform: {over: 12 months}}
endpoints:
  response: {kind: binary, readout: 4 weeks, rate: 0.3, effect: {treatment: 0.45}, effect_measure: rate}
hypotheses:
  primary:
    endpoint: response
    arms: [treatment, control]
    analysis: score_test
    direction: higher
    strategy: treatment_policy
truths:
  effect: {}
  none: {endpoints.response.effect.*: 0.3}
  ladder: {grid: {endpoints.response.effect.treatment: [0.4, 0.5]}}
designs:
  fixed:
    kind: fixed
    n: 300
    allocation: simple
    looks: [{when: {readouts: 300}}]
    tests: {primary: {alpha: 0.025}}
  sequential:
    kind: group_sequential
    n: 300
    allocation: alternating
    looks: [{when: {readouts: 100}}, {when: {readouts: 200}}, {when: {readouts: 300}}]
    tests: {primary: {alpha: 0.025}}
    bounds: {efficacy_z: [3.7, 2.5, 1.99]}
"""
Sink = Callable[[dict[str, pa.Table]], None]


def formula_run(
    scenario: Scenario,
    designs: Sequence[str],
    truths: Sequence[str],
    replicates: int,
    seed: int,
    engine: str,
    workers: int,
    sink: Sink,
    progress: Callable[[int, int], None],
) -> pa.Table:
    facts = []
    for place, (design, truth) in enumerate((d, t) for d in designs for t in truths):
        null = truth == "none"
        n_looks = len(scenario.designs[design].looks)
        power = 0.02 if null else 0.8
        sink(simulated_cell(design, truth, replicates, seed=seed, power=power, n_looks=n_looks))
        facts.append(cell_fact(design=design, truth=truth, null=null, true_value=0.0 if null else -0.3))
        progress((place + 1) * replicates, len(designs) * len(truths) * replicates)
    return pa.Table.from_pylist(facts)


def interrupted_run(*arguments: Any) -> pa.Table:
    formula_run(*arguments)
    raise KeyboardInterrupt


def use_engine(monkeypatch: pytest.MonkeyPatch, run: Callable[..., pa.Table]) -> None:
    runner = ModuleType("trialsim.engines.runner")
    runner.run = run  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "trialsim.engines.runner", runner)


@pytest.fixture
def scenario_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    use_engine(monkeypatch, formula_run)
    path = tmp_path / "example.yaml"
    path.write_text(SCENARIO)
    return path


def schema(name: str) -> Draft202012Validator:
    document = json.loads(files("trialsim").joinpath("schemas", f"{name}.json").read_text())
    Draft202012Validator.check_schema(document)
    return Draft202012Validator(document)


def run(*arguments: str | Path) -> int:
    return entry.main([str(argument) for argument in arguments])


@pytest.mark.slow
def test_a_run_prints_its_table_and_writes_its_folder(
    scenario_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("run", scenario_file, "--replicates", 200, "--seed", 7) == 0
    printed = capsys.readouterr().out
    assert "truth: ladder[treatment=0.4]" in printed
    assert "type I error (mcse)" in printed
    digest = load_scenario(scenario_file).digest()
    folder = Path("runs") / f"example-{digest[:12]}-7"
    assert f"Results: {folder}" in printed
    assert {path.name for path in folder.iterdir()} == {
        "scenario.yaml", "provenance.json", "summary.json", "report.html",
        "trials.parquet", "looks.parquet", "arms.parquet", "cells.parquet", "effects.parquet",
    }  # fmt: skip
    assert [path.name for path in Path("runs").iterdir()] == [folder.name]
    provenance = json.loads((folder / "provenance.json").read_text())
    assert provenance["rows"] == {"trials": 1600, "looks": 1600, "arms": 3200}
    assert provenance["digest"] == digest
    assert set(provenance) >= {
        "seed",
        "replicates",
        "engine",
        "workers",
        "command",
        "started",
        "finished",
        "python",
    }
    assert "as planned" in (folder / "report.html").read_text()


@pytest.mark.slow
def test_the_saved_scenario_is_the_same_scenario(scenario_file: Path) -> None:
    assert run("run", scenario_file, "--replicates", 20, "--out", "here") == 0
    assert load_scenario("here/scenario.yaml") == load_scenario(scenario_file)
    assert load_run("here").scenario["name"] == "example"


@pytest.mark.slow
def test_json_is_all_that_is_printed_and_follows_its_schema(
    scenario_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("--replicates", 50, "--json", "--finished-by", "18 months", "--finished-by", "2 years")
    assert run("run", scenario_file, *arguments) == 0
    captured = capsys.readouterr()
    document = json.loads(captured.out)
    assert list(schema("run").iter_errors(document)) == []
    assert list(document) == ["scenario", "digest", "seed", "measures", "comparisons", "hypotheses", "bounds"]
    names = {row["name"] for row in document["measures"]}
    assert {"finished_by[547.875 days]", "finished_by[730.5 days]"} <= names
    assert {row["reference"] for row in document["comparisons"]} == {"fixed"}
    (folder,) = Path("runs").iterdir()
    assert (folder / "summary.json").read_text() == captured.out


@pytest.mark.slow
def test_a_run_is_never_overwritten(scenario_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("run", scenario_file, "--replicates", 20) == 0
    capsys.readouterr()
    assert run("run", scenario_file, "--replicates", 20) == 2
    captured = capsys.readouterr()
    assert "is never overwritten; name another folder with --out" in captured.err
    assert captured.out == ""
    assert len(list(Path("runs").iterdir())) == 1


def test_an_interrupt_leaves_nothing(
    scenario_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    use_engine(monkeypatch, interrupted_run)
    assert run("run", scenario_file, "--replicates", 20) == 130
    assert not Path("runs").exists()
    assert capsys.readouterr().err.endswith("Interrupted.\n")


def test_designs_and_truths_are_chosen_by_name_and_family(scenario_file: Path) -> None:
    arguments = ("--designs", "sequential", "--truths", "none, ladder", "--replicates", 20, "--out", "here")
    assert run("run", scenario_file, *arguments) == 0
    cells = load_run("here").records.cells()
    assert {cell.design for cell in cells} == {"sequential"}
    assert [cell.truth for cell in cells] == ["none", "ladder[treatment=0.4]", "ladder[treatment=0.5]"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--replicates", "0"], "--replicates: 0 is not allowed"),
        (["--replicates", "x"], "--replicates: 'x' is not a whole number"),
        (["--seed", "-1"], "--seed: -1 is not allowed"),
        (["--workers", "0"], "--workers: 0 is not allowed"),
        (["--engine", "fastt"], "Did you mean 'fast'?"),
        (["--designs", "sequentail"], "sequential"),
        (["--truths", "nun"], "none"),
        (["--designs", ","], "--designs: at least one name"),
        (["--finished-by", "18"], "--finished-by: "),
        (["--finished-by", "18 lightyears"], "--finished-by: "),
        (["--out", "example.yaml"], "is a file, not a folder"),
    ],
)
def test_a_bad_value_is_a_sentence(
    scenario_file: Path, arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("run", scenario_file, *arguments) == 2
    captured = capsys.readouterr()
    assert sentence in captured.err
    assert "Traceback" not in captured.err
    assert captured.out == ""
    assert not Path("runs").exists()


def test_everything_wrong_with_the_options_is_said_at_once(
    scenario_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    numbers = ["--seed", "-1", "--workers", "0", "--truths", "nix"]
    lines = {
        "run": ["--replicates", "-5", "--engine", "turbo", "--designs", "nix", "--finished-by", "3"],
        "sweep": [
            "--replicates",
            "-5",
            "--engine",
            "turbo",
            "--designs",
            "nix",
            "--vary",
            "n",
            "--solve",
            "a",
        ],
        "certify": ["--replicates", "-5", "--design", "nix", "--target", "2", "--attempts", "0"],
    }
    words = {
        "run": ["replicates", "seed", "workers", "engine", "design 'nix'", "truth 'nix'", "finished-by"],
        "sweep": ["replicates", "seed", "workers", "engine", "design 'nix'", "truth 'nix'", "vary", "solve"],
        "certify": ["replicates", "seed", "workers", "design 'nix'", "truth 'nix'", "target", "attempts"],
    }
    for command, options in lines.items():
        assert run(command, scenario_file, *numbers, *options) == 2
        told = capsys.readouterr().err.splitlines()
        assert len(told) == len(words[command]), told
        for word in words[command]:
            assert sum(word in line for line in told) == 1, (word, told)
    asked = ["--threshold", "designs.nix.x", "--target", "5", "--truth", "nix", "--between", "2"]
    assert run("calibrate", scenario_file, *asked, "--search", "0", "--seed", "-1", "--workers", "0") == 2
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 7
    priors = ["--prior", "x", "--prior", "y=normal(0, -1)"]
    assert run("assurance", scenario_file, "--design", "nix", *priors, "--points", "0", "--seed", "-1") == 2
    assert len(capsys.readouterr().err.splitlines()) == 5
    assert run("benchmark", "nix", "--seed", "-1", "--workers", "0") == 2
    assert len(capsys.readouterr().err.splitlines()) == 3
    bad = scenario_file.with_name("bad.yaml")
    bad.write_text("name: bad\narms: 5\n")
    assert run("run", bad, "--seed", "-1") == 2
    told = capsys.readouterr().err.splitlines()
    assert "--seed" in told[0]
    assert "bad.yaml: " in told[1]
    assert any("arms: " in line for line in told[2:])


@pytest.mark.slow
def test_a_report_is_made_again_from_the_records_alone(
    scenario_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("run", scenario_file, "--replicates", 50, "--out", "here") == 0
    first = capsys.readouterr().out
    page = Path("here/report.html").read_bytes()
    Path("here/report.html").unlink()
    scenario_file.unlink()
    assert run("report", "here") == 0
    again = capsys.readouterr().out
    assert Path("here/report.html").read_bytes() == page
    assert again.partition("Report:")[0] == first.partition("Results:")[0]
    assert not list(Path("here").glob("*.partial*"))


def test_a_folder_that_is_no_run_is_a_sentence(
    scenario_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("report", "nowhere") == 2
    assert "no such run folder" in capsys.readouterr().err
    assert run("compare", "nowhere", "nowhere") == 2


@pytest.mark.slow
def test_two_runs_are_compared_and_it_says_how(
    scenario_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for seed, out in ((1, "one"), (2, "two")):
        assert run("run", scenario_file, "--replicates", 50, "--seed", seed, "--out", out) == 0
    assert (
        run("run", scenario_file, "--replicates", 30, "--seed", 1, "--truths", "none", "--out", "short") == 0
    )
    capsys.readouterr()
    assert run("compare", "one", "two") == 0
    assert "Not paired: the seeds differ" in capsys.readouterr().out
    for other, paired in (("two", False), ("short", True)):
        assert run("compare", "one", other, "--json") == 0
        document = json.loads(capsys.readouterr().out)
        assert list(schema("compare").iter_errors(document)) == []
        assert document["paired"] is paired
        assert document["differences"]
    assert {row["truth"] for row in document["differences"]} == {"none"}


def test_a_request_to_end_leaves_nothing(
    scenario_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def terminated_run(*arguments: Any) -> pa.Table:
        formula_run(*arguments)
        signal.raise_signal(signal.SIGTERM)

    use_engine(monkeypatch, terminated_run)
    assert run("run", scenario_file, "--replicates", 20) == 143
    assert "Ended on request (SIGTERM)." in capsys.readouterr().err
    assert not Path("runs").exists()
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


@pytest.mark.slow
def test_the_engines_themselves_run_through(
    tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    path = root / "scenarios" / "binary_sequential" / "binary_sequential.yaml"
    documents = []
    for engine in ("fast", "reference"):
        assert (
            run(
                "run", path, "--replicates", 30, "--workers", 1, "--engine", engine, "--json", "--out", engine
            )
            == 0
        )
        documents.append(json.loads(capsys.readouterr().out))
    assert list(schema("run").iter_errors(documents[0])) == []
    assert documents[0] == documents[1]


@pytest.mark.parametrize(
    "kind", ["measures", "designs", "analyses", "posteriors", "policies", "models", "endpoints"]
)
def test_a_list_follows_its_schema(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("list", kind, "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert list(schema("list").iter_errors(document)) == []
    assert document["kind"] == kind
    assert document["entries"]
    assert run("list", kind) == 0
    printed = capsys.readouterr().out
    assert all(entry["name"] in printed and entry["definition"] in printed for entry in document["entries"])


def test_the_list_of_measures_holds_the_contract(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("list", "measures") == 0
    printed = capsys.readouterr().out
    names = (
        "reject reject_any power_disjunctive power_conjunctive enrolled analysed events duration "
        "decision_time last_visit_time stop estimate bias rmse coverage finished_by enrolled_median "
        "duration_p10 on_best_arm"
    )
    assert [name for name in names.split() if f"\n{name} (" not in f"\n{printed}"] == []


def test_without_a_kind_the_kinds_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("list") == 0
    printed = capsys.readouterr().out
    assert "measures\n    what a run reports" in printed
    assert "analyses\n    " in printed
    assert run("list", "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert list(schema("list").iter_errors(document)) == []
    assert "policies" in {entry["name"] for entry in document["entries"]}


@pytest.mark.slow
def test_runs_of_scenarios_that_differ_are_compared_with_a_warning(
    scenario_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = scenario_file.with_name("other.yaml")
    other.write_text(SCENARIO.replace("rate: 0.3,", "rate: 0.31,"))
    for path, out in ((scenario_file, "one"), (other, "two"), (scenario_file, "three")):
        assert run("run", path, "--replicates", 20, "--out", out) == 0
    capsys.readouterr()
    assert run("compare", "one", "two") == 0
    assert capsys.readouterr().err.startswith("The two scenarios differ")
    assert run("compare", "one", "three") == 0
    assert capsys.readouterr().err == ""


@pytest.mark.slow
def test_dates_asked_for_are_printed_in_their_unit(
    scenario_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("run", scenario_file, "--replicates", 50, "--finished-by", "18 months", "--out", "here") == 0
    assert "Finished by 18 months: fixed under effect " in capsys.readouterr().out
    assert "finished by 18 months" in Path("here/report.html").read_text()


def test_an_unknown_kind_is_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("list", "measurs") == 2
    assert "Did you mean 'measures'?" in capsys.readouterr().err
