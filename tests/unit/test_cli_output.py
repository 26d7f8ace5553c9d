"""The command line writes to whatever encoding its output has."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from trialsim.cli.main import main

NOTED = """
name: noted
arms: [control, treatment]
accrual: {poisson: {rate: 20 per month}}
endpoints:
  death: {kind: survival, baseline: {median: 12 months}, effect: {treatment: 0.7}}
hypotheses: {primary: {endpoint: death, arms: [control, treatment], analysis: logrank, direction: lower}}
truths: {expected: {}, never: {}}
designs:
  fixed: {kind: fixed, n: 100, allocation: alternating, looks: [{when: {events: 50}}], tests: {primary: {alpha: 0.025}}}
"""


def _trialsim(folder: Path, encoding: str, *words: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "trialsim", *words],
        cwd=folder,
        env=os.environ | {"PYTHONIOENCODING": encoding},
        capture_output=True,
        check=False,
    )


def refuse_to_simulate(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail the test as soon as a trial is simulated, by either engine."""

    def simulated(*_: object, **__: object) -> None:
        raise AssertionError("simulated")

    monkeypatch.setattr("trialsim.engines.runner._results", simulated)
    monkeypatch.setattr("trialsim.report.story_replay.conduct", simulated)


@pytest.mark.parametrize(
    "encoding",
    ["latin-1", *(pytest.param(encoding, marks=pytest.mark.slow) for encoding in ("ascii", "utf-8"))],
)
def test_output_is_written_in_every_encoding(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "noted.yaml").write_text(NOTED)
    (tmp_path / "wrong.yaml").write_text(NOTED.replace("name: noted", "name: “żółw”"), encoding="utf-8")
    good = _trialsim(tmp_path, encoding, "check", "noted.yaml")
    told = good.stdout.decode(encoding)
    assert (good.returncode, good.stderr) == (0, b"")
    assert ("“" in told) == (encoding == "utf-8")
    assert ('"' in told) == (encoding != "utf-8")
    bad = _trialsim(tmp_path, encoding, "check", "wrong.yaml")
    assert bad.returncode == 2
    assert "Traceback" not in bad.stderr.decode(encoding)
    assert {"ascii": '"zo?w"', "latin-1": '"zó?w"', "utf-8": "“żółw”"}[encoding] in bad.stderr.decode(
        encoding
    )


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_runs_reports_and_stories_are_written_in_every_encoding(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "noted.yaml").write_text(NOTED)
    for words in (
        ("run", "noted.yaml", "--replicates", "20", "--workers", "1", "--out", "found"),
        ("report", "found"),
        ("explain", "noted.yaml"),
    ):
        found = _trialsim(tmp_path, encoding, *words)
        assert found.returncode == 0, found.stderr
        assert found.stdout.decode(encoding)
        assert b"Traceback" not in found.stderr


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (
            ["run", "x", "--replicates", "1e3"],
            "--replicates: '1e3' is not a whole number, written in digits, such as 10000.",
        ),
        (
            ["boundaries", "--information", "1", "--alpha", "x"],
            "--alpha: 'x' is not a number, such as 0.025.",
        ),
        (
            ["boundaries", "--information", "1", "--power", "0.999999999999"],
            "power: 0.999999999999 is not allowed; it lies above alpha and is at most 1 - 1e-9.",
        ),
        (
            ["adjust", "0.01,0.02", "--method", "dunnett", "--patients", "1e308,1,1"],
            "Nothing is adjusted: numbers of patients lie above 0 and below 1e+09, found 1e+308.",
        ),
        (
            ["adjust", "0.01,2"],
            "p values lie from 0 to 1, found 2; for a hypothesis that could not be tested give 1, or leave it out.",
        ),
        (
            ["combination", "--information", "0.5,1", "--p", "0.01,nan"],
            "p values lie from 0 to 1, found nan.",
        ),
    ],
)
def test_a_sentence_says_what_was_found_and_what_is_allowed(
    capsys: pytest.CaptureFixture[str], words: list[str], told: str
) -> None:
    assert main(words) == 2
    assert told in [line.strip() for line in capsys.readouterr().err.splitlines()]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["check", "noted.yaml", "--truths", "nix"], "there are expected, never"),
        (["explain", "noted.yaml", "--site", "big_99"], "the scenario has no sites"),
        (["explain", "noted.yaml", "--candidate", "x:y"], "write SITE:NUMBER"),
        (["train", "folder"], "this is a folder; name a training file in it"),
        (["analyse", "noted.yaml", "--design", "folder"], "this is a folder; name a design file in it"),
        (
            ["sweep", "noted.yaml", "--vary", "designs.fixed.n=100,200", "--solve", "power_disjunctive=2"],
            "power_disjunctive is a probability, from 0 to 1; 2 is never reached",
        ),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_simulated(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    told: str,
) -> None:
    refuse_to_simulate(monkeypatch)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "noted.yaml").write_text(NOTED)
    (tmp_path / "folder").mkdir()
    assert main(words) == 2
    captured = capsys.readouterr()
    assert told in captured.err
    assert captured.out == ""


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (
            ["assurance", "--design", "fixed", "--prior", "endpoints.death.effect.treatment=normal(-9, 1)"],
            "--prior: there is no world with endpoints.death.effect.treatment = -",
        ),
        (
            ["assurance", "--design", "fixed", "--prior", "endpoints.nix=normal(0.5, 1)"],
            "endpoints.nix matches no number of the world",
        ),
        (
            [
                "calibrate",
                "--threshold",
                "designs.fixed.kind",
                "--target",
                "reject_any=0.1",
                "--truth",
                "never",
            ],
            "designs.fixed.kind: 0.5 cannot stand there: 0.5 is not one of",
        ),
    ],
)
def test_a_number_that_cannot_stand_in_the_scenario_is_told_by_its_option(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    told: str,
) -> None:
    refuse_to_simulate(monkeypatch)
    (tmp_path / "noted.yaml").write_text(NOTED)
    assert main([words[0], str(tmp_path / "noted.yaml"), *words[1:]]) == 2
    assert told in capsys.readouterr().err


MANY = {
    "evaluate orcale --scenario noted.yaml --against nobody,random --replicates 0 --seed -1 --design fixd --truth nevr": (
        "--replicates: 0", "--seed: -1", "fixd", "nevr", "orcale", "nobody", "has no sites",
    ),
    "train asked.yaml --out checkpoint.pt --device abacus": (
        "ends in .safetensors", "abacus", "policy: ", "scenario: is required",
    ),
    "certify noted.yaml --design fixd --replicates 9 --attempt 0 --attempts 0 --workers 0": (
        "--replicates is 9", "--attempt is 0", "--attempts is 0", "--workers is 0", "fixd",
    ),
    "calibrate noted.yaml --threshold designs.fixed.n --target reject_any=2 --truth nevr --search 9 --calibration 9 "
    "--certify 9 --attempts 0": (
        "--search is 9", "--calibration is 9", "--certify is 9", "--attempts is 0", "reject_any=2", "nevr",
    ),
}  # fmt: skip


@pytest.mark.parametrize("command", MANY)
def test_all_that_is_wrong_with_the_options_is_told_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    refuse_to_simulate(monkeypatch)
    monkeypatch.chdir(tmp_path)
    Path("noted.yaml").write_text(NOTED)
    Path("asked.yaml").write_text("policy: guesswork\n")
    assert main(command.split()) == 2
    said = capsys.readouterr().err
    assert [part for part in MANY[command] if part not in said] == []
    assert "Traceback" not in said
