"""``trialsim check``, ``schema`` and ``init`` as a person meets them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from trialsim.cli.scenario_commands import register
from trialsim.scenario.load import load_scenario

RUNNER = CliRunner()


@pytest.fixture
def app() -> typer.Typer:
    app = typer.Typer()
    register(app)
    return app


def test_init_then_check(app: typer.Typer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    written = RUNNER.invoke(app, ["init", "my_trial"])
    assert written.exit_code == 0
    assert "my_trial.yaml is written" in written.output
    checked = RUNNER.invoke(app, ["check", "my_trial.yaml"])
    assert checked.exit_code == 0
    digest = load_scenario("my_trial.yaml").digest()
    counts = "2 arms, 1 endpoint, 1 hypothesis, 5 truths, 2 designs"
    assert checked.output == f"my_trial.yaml: good ({counts}; digest {digest})\n"


def test_init_never_writes_over_anything(
    app: typer.Typer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.yaml").write_text("mine")
    Path("link.yaml").symlink_to(tmp_path / "nowhere.yaml")
    for name in ("mine", "mine.yaml", "link"):
        refused = RUNNER.invoke(app, ["init", name])
        assert refused.exit_code == 2
        assert "exists already; choose another name" in refused.stderr
    assert Path("mine.yaml").read_text() == "mine"
    assert not (tmp_path / "nowhere.yaml").exists()


@pytest.mark.parametrize(
    "name", ["../up", "/tmp/x", "a/b", "", ".", "Trial", "1st", "a b", "x" * 65, "a\n", "[red]x", "-"]
)
def test_init_takes_names_alone(
    app: typer.Typer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    refused = RUNNER.invoke(app, ["init", "--", name])
    assert refused.exit_code == 2
    assert "cannot be a scenario's name" in refused.stderr
    assert list(tmp_path.iterdir()) == []


def test_check_shows_all_problems_of_all_files(
    app: typer.Typer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    RUNNER.invoke(app, ["init", "good"])
    text = Path("good.yaml").read_text()
    Path("bad.yaml").write_text(
        text.replace("n: 440", "n: 100").replace("20 per month", "20").replace("stage.late", "stage")
    )
    checked = RUNNER.invoke(app, ["check", "bad.yaml", "good.yaml", "none.yaml"])
    assert checked.exit_code == 2
    assert "good.yaml: good (" in checked.stdout
    errors = checked.stderr.splitlines()
    assert errors[0] == "bad.yaml: 5 problems"
    lines = Path("bad.yaml").read_text().splitlines()
    for path, words in (
        ("accrual.poisson.rate", "a rate needs a time unit, found the bare number 20; "),
        ("designs.fixed.looks[0].when.events", "250 exceeds the 100 patients that can be enrolled"),
        ("designs.sequential.looks[2].when.events", "250 exceeds the 100 patients that can be enrolled"),
    ):
        (found,) = (error for error in errors if f", {path}: {words}" in error)
        line = lines[int(found.split(",")[0].removeprefix("  line ")) - 1]
        assert path.rsplit(".")[-1] in line, (found, line)  # the key stands on the line that is named
    assert errors[-1] == "  the file cannot be read: there is no such file"


def test_check_says_how_many_more_problems_there_are(app: typer.Typer, tmp_path: Path) -> None:
    file = tmp_path / "many.yaml"
    file.write_text("\n".join(f"wrong{n}: 1" for n in range(300)))
    checked = RUNNER.invoke(app, ["check", str(file)])
    assert checked.exit_code == 2
    assert "and 207 more" in checked.stderr


def test_check_obeys_no_markup_or_control_characters(app: typer.Typer, tmp_path: Path) -> None:
    file = tmp_path / "odd.yaml"
    file.write_text('"[red]x[/red]": 1\n"\\e[31mred": 2\n"a\\nb": 3\n')
    checked = RUNNER.invoke(app, ["check", str(file)])
    assert "[red]x[/red]: is not known here" in checked.stderr
    assert "\x1b" not in checked.stderr
    assert "a?b: is not known here" in checked.stderr


def test_schema_is_json(app: typer.Typer) -> None:
    printed = RUNNER.invoke(app, ["schema"])
    assert printed.exit_code == 0
    assert json.loads(printed.stdout)["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_checking_loads_nothing_heavy(tmp_path: Path) -> None:
    script = (
        "import sys; from trialsim.cli.scenario_commands import check, init\n"
        "assert 'pydantic' not in sys.modules and 'rich.console' not in sys.modules\n"
        "from pathlib import Path\n"
        "init('trial'); check([Path('trial.yaml')])\n"
        "heavy = set('scipy pandas numba matplotlib torch pymc simpy pyarrow'.split()) & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
