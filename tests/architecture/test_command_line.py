"""The command line answers every foreseeable failure with a sentence and an exit code."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from trialsim.cli import main as entry
from trialsim.errors import Problem, ScenarioError, UsageError


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "trialsim", *arguments], capture_output=True, text=True, check=False
    )


def _app_that_raises(error: BaseException) -> typer.Typer:
    app = typer.Typer(pretty_exceptions_enable=False)

    @app.command()
    def fail() -> None:
        raise error

    return app


@pytest.mark.parametrize(
    ("error", "code", "sentence"),
    [
        (UsageError("There is no truth 'publishd'."), 2, "There is no truth 'publishd'."),
        (ScenarioError([Problem("arms", "too few")], "a.yaml"), 2, "a.yaml: 1 problem\n  arms: too few"),
        (
            ScenarioError([Problem("", "empty"), Problem("n", "negative")]),
            2,
            "The scenario: 2 problems\n  empty\n  n: negative",
        ),
        (KeyboardInterrupt(), 130, "Interrupted."),
        (
            OSError(errno.ENOSPC, "No space left on device", "runs/x"),
            2,
            "runs/x: no space left on device (free",
        ),
        (PermissionError(errno.EACCES, "Permission denied", "runs"), 2, "runs: permission denied (check who"),
        (
            FileNotFoundError(errno.ENOENT, "No such file or directory", b"x"),
            2,
            "x: no such file or directory",
        ),
        (OSError("gone"), 2, "gone."),
        (MemoryError(), 2, "There is not enough memory"),
    ],
)
def test_a_failure_is_a_sentence(
    error: BaseException,
    code: int,
    sentence: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(entry, "build_app", lambda: _app_that_raises(error))
    assert entry.main([]) == code
    captured = capsys.readouterr()
    assert captured.err.startswith(sentence)
    assert captured.out == ""


def test_a_fault_of_the_program_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entry, "build_app", lambda: _app_that_raises(ZeroDivisionError("a bug")))
    with pytest.raises(ZeroDivisionError, match="a bug"):
        entry.main([])


def test_a_command_may_choose_its_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entry, "build_app", lambda: _app_that_raises(typer.Exit(3)))
    assert entry.main([]) == 3


def test_a_misspelt_option_is_answered_with_the_one_meant() -> None:
    done = _run("--verison")
    assert done.returncode == 2
    assert done.stderr == "No such option '--verison'. Did you mean '--version'?\nSee: trialsim --help\n"


def test_a_misspelt_command_is_answered_with_the_one_meant() -> None:
    done = _run("chekc", "x.yaml")
    assert done.returncode == 2
    assert done.stderr == "No such command 'chekc'. Did you mean 'check'?\nSee: trialsim --help\n"


def test_no_command_shows_the_help() -> None:
    done = _run()
    assert done.returncode == 2
    assert "Usage: trialsim" in done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full, which only Linux has")
def test_a_full_disk_is_a_sentence() -> None:
    with open("/dev/full", "w", encoding="utf-8") as full:
        done = subprocess.run(
            [sys.executable, "-m", "trialsim", "--help"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 2
    assert done.stderr.lower().startswith("no space left on device")
    assert done.stderr.count("\n") == 1


def test_a_reader_that_goes_away_is_no_failure_to_report() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as pipe:
        done = subprocess.run(
            [sys.executable, "-m", "trialsim", "--help"],
            stdout=pipe,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 141
    assert done.stderr == ""
