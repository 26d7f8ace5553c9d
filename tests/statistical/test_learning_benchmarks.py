"""The benchmarks of randomisation and stopping: what is simulated agrees with what is exact, and files are written."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from trialsim.cli.main import main
from trialsim.learning.stopping_benchmark import Effort, benchmark_stopping

pytestmark = pytest.mark.slow


def test_randomisation(tmp_path: Path) -> None:
    """Power of every simulated rule within 5 standard errors of the exact one; the optimum is above all in value."""
    assert main(["benchmark", "randomisation", "--quick", "--out", str(tmp_path / "out")]) == 0
    document = json.loads((tmp_path / "out" / "table.json").read_text())
    assert (tmp_path / "out" / "frontier.svg").read_text().startswith("<?xml")
    rules = {rule["label"]: rule for rule in document["rules"]}
    simulated = [rule for rule in rules.values() if rule["simulated"]]
    assert len(simulated) == 7
    for rule in simulated:
        value, error = rule["simulated"]
        assert abs(value - rule["power"]) < 5 * error, rule["label"]
    worth = {label: rule["responders"] + 40 * rule["rejects"] for label, rule in rules.items()}
    assert max(worth, key=lambda label: worth[label]) == "optimum_40"
    # Equal shares: all has a closed form but the test, and error is that of the score test.
    assert rules["equal"]["responders"] == pytest.approx(50.0, abs=1e-9)
    assert rules["equal"]["responders_at_point"] == pytest.approx(40.0, abs=1e-9)
    # Shares of the blocks on treatment say how many respond.
    assert rules["equal"]["shares"] == pytest.approx([0.5] * 5)
    for rule in rules.values():
        found = sum(20 * (0.3 * (1 - share) + 0.5 * share) for share in rule["shares"])
        assert found == pytest.approx(rule["responders_at_point"], abs=1e-8), rule["label"]
    # Where both arms rise by 0.4, the naive test of Thompson's rule errs much more often than the one by block.
    at = {(p["label"], p["test"], p["effect"], p["drift"]): p for p in document["drift"]}
    naive, by_block = (at["thompson", test, 0.0, 0.4] for test in ("naive", "by_block"))
    assert naive["value"] > 0.08
    assert by_block["value"] < 0.05 + 5 * by_block["mcse"]
    assert {"allocation.svg", "drift.svg"} < {path.name for path in (tmp_path / "out").iterdir()}


def test_stopping(tmp_path: Path) -> None:
    """Expected sizes in trials within 5 standard errors of recursive integration, rounding of looks allowed for."""
    effort = Effort(1000, (1.1,), 1, 250, 500)
    result = benchmark_stopping(effort, tmp_path, 3, 1, lambda text: None)
    for rule in result.rules:
        for exact, (value, error) in zip(rule.expected, rule.simulated, strict=True):
            assert abs(value - exact) < 5 * error + 2 / 400, rule.label
        assert rule.mean >= rule.best - 1e-9
        assert math.isfinite(rule.maximum)
    (learned,) = result.learned
    assert learned.best == "hwang_shih_decani_tuned_110"
    assert learned.of_optimum < learned.of_best
    assert learned.share < 1.0
    assert (tmp_path / "learned_110_1.safetensors").exists()


def test_unknown_family_and_a_folder_that_is_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Sentences."""
    assert main(["benchmark", "alocation", "--out", str(tmp_path / "out")]) == 2
    assert "allowed: recruitment, sites, randomisation, stopping, all" in capsys.readouterr().err
    assert main(["benchmark", "stopping", "--quick", "--out", str(tmp_path)]) == 2
    assert "is not overwritten" in capsys.readouterr().err
