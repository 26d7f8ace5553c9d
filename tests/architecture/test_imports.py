"""What ``import trialsim`` and ``trialsim --help`` load, and how long that takes."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = (
    "torch", "pymc", "matplotlib", "simpy", "scipy.stats", "arviz", "nutpie", "sklearn", "safetensors", "ray",
)  # fmt: skip

IMPORT = "import trialsim"
HELP = "from trialsim.cli.main import main; assert main(['--help']) == 0"
COMMAND_HELP = "from trialsim.cli.main import main; assert main(['{}', '--help']) == 0"

REPORT = "; import json, sys; print('MODULES ' + json.dumps(sorted(sys.modules)))"
TIMED = "from time import perf_counter; t = perf_counter(); import trialsim; print(perf_counter() - t)"


def _loaded_by(statement: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", statement + REPORT], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    line = next(line for line in done.stdout.splitlines() if line.startswith("MODULES "))
    return set(json.loads(line.removeprefix("MODULES ")))


def _command_names() -> list[str]:
    from trialsim.cli.main import build_app

    app = build_app()
    commands = [
        command.name or getattr(command.callback, "__name__", "") for command in app.registered_commands
    ]
    groups = [group.name or group.typer_instance.info.name for group in app.registered_groups]
    return sorted([*commands, *(str(group) for group in groups)])


def test_every_command_is_there() -> None:
    assert _command_names() == [
        "adjust",
        "analyse",
        "assurance",
        "audit",
        "benchmark",
        "boundaries",
        "calibrate",
        "certify",
        "check",
        "combination",
        "compare",
        "evaluate",
        "explain",
        "init",
        "list",
        "power",
        "report",
        "run",
        "safety",
        "samplesize",
        "schema",
        "sweep",
        "train",
    ]


@pytest.mark.parametrize("statement", [IMPORT, HELP], ids=["import trialsim", "trialsim --help"])
def test_nothing_heavy_is_loaded(statement: str) -> None:
    assert sorted(_loaded_by(statement).intersection(HEAVY)) == []


@pytest.mark.slow
@pytest.mark.parametrize("command", _command_names())
def test_the_help_of_a_command_loads_nothing_heavy(command: str) -> None:
    assert sorted(_loaded_by(COMMAND_HELP.format(command)).intersection(HEAVY)) == []


def test_the_import_takes_less_than_half_a_second() -> None:
    seconds = [
        float(
            subprocess.run([sys.executable, "-c", TIMED], capture_output=True, text=True, check=True).stdout
        )
        for _ in range(3)
    ]
    assert min(seconds) < 0.5
