"""Calibrated thresholds against the exact error of a design that can be enumerated."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from scipy.stats import binom

from tests.unit.shipped_schema import check_document
from trialsim.cli.main import main
from trialsim.errors import UsageError
from trialsim.oc.calibration import Calibrated, Point, Request, calibrate, with_threshold
from trialsim.oc.calibration_ledger import entries_of, refuse_spent, with_entry
from trialsim.oc.montecarlo import upper_limit
from trialsim.replicate_ranges import CALIBRATION
from trialsim.scenario.load import scenario_from

TREE: dict[str, Any] = {
    "name": "small",
    "accrual": {"evenly_spaced": {"rate": "1 per day"}},
    "arms": ["control", "treatment"],
    "endpoints": {
        "response": {
            "kind": "binary", "readout": "1 day", "rate": 0.3, "effect": {"treatment": 0.3}, "effect_measure": "rate",
        }
    },
    "hypotheses": {
        "gain": {
            "endpoint": "response", "arms": ["treatment", "control"], "direction": "higher", "analysis": "score_test",
        }
    },
    "truths": {
        "at_30": {},
        "at_50": {"endpoints.response.rate": 0.5, "endpoints.response.effect.treatment": 0.5},
    },
    "designs": {
        "once": {
            "kind": "group_sequential", "n": 60, "allocation": "alternating", "looks": [{"when": {"readouts": 60}}],
            "tests": {"gain": {"alpha": 0.05}}, "bounds": {"efficacy_z": [1.6]},
        }
    },
}  # fmt: skip
PATH = "designs.once.bounds.efficacy_z[0]"
START = CALIBRATION.start


def exact_error(bound: float, rate: float) -> float:
    """Return the probability that z reaches a bound, over all outcomes of 30 patients on each arm."""
    error = 0.0
    for y0 in range(31):
        for y1 in range(31):
            pooled = (y0 + y1) / 60
            if 0 < pooled < 1 and (y1 - y0) / 30 >= bound * np.sqrt(pooled * (1 - pooled) / 15):
                error += binom.pmf(y0, 30, rate) * binom.pmf(y1, 30, rate)
    return error


def found(**changes: Any) -> Calibrated:
    asked = {
        "path": PATH, "measure": "reject_any", "target": 0.05, "truths": ("at_30", "at_50"), "low": 1.0, "high": 3.0,
        "search": 2000, "calibration": 8000, "certification": 20_000,
    } | changes  # fmt: skip
    return calibrate(scenario_from(TREE), Request(**asked))


@pytest.mark.slow
def test_the_threshold_holds_the_target_at_every_point() -> None:
    result = found()
    exact = {"at_30": exact_error(result.threshold, 0.3), "at_50": exact_error(result.threshold, 0.5)}
    assert max(exact.values()) <= 0.05
    assert result.controlled
    assert result.verdict == "controlled at 0.05 under at_30, at_50"
    for point in result.points:
        error = np.sqrt(exact[point.truth] * (1 - exact[point.truth]) / point.n)
        assert abs(point.value - exact[point.truth]) < 5 * error
        assert point.upper == upper_limit(round(point.value * point.n), point.n, 0.025 / 2)
    # Errors go in steps here: the root is where the exact error passes the target, but for their Monte Carlo noise.
    below, above = (max(exact_error(t, r) for r in (0.3, 0.5)) for t in (result.root_high, result.root_low))
    assert below <= 0.05 + 1e-9
    assert above >= 0.05 - 5 * np.sqrt(0.05 * 0.95 / 8000)
    assert result.root_low <= result.root <= result.root_high <= result.threshold + 1e-9


@pytest.mark.slow
def test_stages_see_trials_of_their_own_and_each_attempt_new_ones() -> None:
    first, second = found(attempts=2), found(attempts=2, attempt=2)
    assert first.first_certified == START + 10_000
    assert second.first_certified == START + 30_000
    assert first.threshold == second.threshold
    assert first.tail == 0.025 / 4
    assert [p.value for p in first.points] != [p.value for p in second.points]


@pytest.mark.slow
def test_what_is_not_shown_is_not_called_controlled() -> None:
    result = found(truths=("at_30",))
    worse = Calibrated(**(vars(result) | {"points": found(target=0.08, truths=("at_50",)).points}))
    assert not worse.controlled
    assert worse.verdict.startswith("at most 0.0")
    assert "controlled" not in worse.verdict


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"path": "designs.onse.bounds.efficacy_z[0]"}, "there are once"),
        ({"path": "designs.once.bounds.efficacy_z[3]"}, "1 of them, numbered from 0"),
        ({"measure": "reject:loss"}, "no measure is called"),
        ({"low": 2.6, "high": 3.0}, "give another range"),
        ({"certification": 100}, "cannot show"),
    ],
)
def test_what_cannot_be_calibrated_is_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        found(**changes)


def test_attempts_planned_together_share_trials_and_level(tmp_path: Path) -> None:
    asked = Request(PATH, "reject_any", 0.05, ("at_30",), 1.0, 3.0, 2000, 8000, 20_000, attempts=2)
    first = Calibrated(
        asked, 1.7, 1.6, 1.5, 1.7, 0.04, START + 10_000, (Point("at_30", 0.04, 0.06, 20_000),), 0.0125
    )
    path = tmp_path / "small.once.calibrations.json"
    entries = with_entry([], first, "digest")["certifications"]
    assert refuse_spent(path, entries, asked, "digest")
    elsewhere = [dict(entry) | {"first": 10_000, "last": 29_999} for entry in entries]
    with pytest.raises(UsageError, match="has spent its share of the level"):
        refuse_spent(path, elsewhere, asked, "digest")
    assert not refuse_spent(path, entries, replace(asked, attempt=2), "digest")
    assert not refuse_spent(path, entries, replace(asked, measure="reject:gain"), "digest")
    for changes, words in (
        ({}, "attempt 1 of 2 .* has spent its share of the level .at most 0.0600 under at_30."),
        ({"attempt": 2, "attempts": 3}, "attempt 1 of 2"),
        ({"attempt": 2, "search": 1999}, f"trials {START + 29_999:,} to {START + 49_998:,} of seed 1"),
        (
            {"attempt": 2, "calibration": 100},
            f"trials {START + 22_100:,} to {START + 42_099:,} of .* spent {START + 10_000:,} to {START + 29_999:,}",
        ),
    ):
        other = replace(asked, **changes)
        with pytest.raises(UsageError, match=words):
            refuse_spent(path, entries, other, "another digest")
    path.write_text("[]", encoding="utf-8")
    with pytest.raises(UsageError, match="cannot be read"):
        entries_of(path)


def test_a_threshold_of_a_rule_is_found_by_its_index() -> None:
    tree = copy.deepcopy(TREE)
    tree["hypotheses"]["gain"]["analysis"] = "beta_binomial"
    tree["designs"]["once"] |= {
        "kind": "bayesian",
        "decisions": [{"do": "stop_for_success", "when": {"posterior": {"above": 0.9}}}],
    }
    del tree["designs"]["once"]["bounds"]
    changed = with_threshold(scenario_from(tree), "designs.once.decisions[0].when.posterior.above", 0.97)
    rules = changed.designs["once"].decisions
    assert rules is not None and rules[0].when.posterior is not None
    assert rules[0].when.posterior.above == 0.97


@pytest.mark.slow
def test_a_threshold_at_the_end_of_the_range_is_said_to_be_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "small.yaml"
    file.write_text(yaml.safe_dump(TREE), encoding="utf-8")
    trials = ["--search", "20000", "--calibration", "20000", "--certify", "4000"]
    # So near the target that 4,000 trials would hardly show it; what is aimed at needs a higher bound than 1.35.
    assert 0.095 < exact_error(1.35, 0.3) < 0.1
    for high, at_the_end in (("1.35", True), ("3", False)):
        asked = [
            "--threshold",
            PATH,
            "--truth",
            "at_30",
            "--between",
            f"1,{high}",
            "--target",
            "reject_any=0.1",
        ]
        assert main(["calibrate", str(file), *asked, *trials]) == 0
        assert ("lies beyond --between" in capsys.readouterr().out) == at_the_end
        (tmp_path / "small.once.calibrations.json").unlink()


@pytest.mark.slow
def test_the_command_says_what_was_found_and_refuses_with_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "small.yaml"
    file.write_text(yaml.safe_dump(TREE), encoding="utf-8")
    asked = ["calibrate", str(file), "--threshold", PATH, "--truth", "at_30", "--between", "1,3"]
    few = ["--search", "500", "--calibration", "1000", "--certify", "4000"]
    assert main([*asked, "--target", "reject_any=0.1", *few]) == 0
    said = capsys.readouterr().out
    assert f"at {PATH}." in said
    assert f"trials {START + 1500:,} to {START + 5499:,}" in said
    assert "nothing is claimed of other truths" in said
    assert main([*asked, "--target", "reject_any=0.1", *few, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    check_document("calibrate", found)
    assert found["controlled"] == (found["points"][0]["upper"] <= 0.1)
    # What was certified is written down. The same again spends nothing; another threshold may not see the same trials.
    (kept,) = json.loads((tmp_path / "small.once.calibrations.json").read_text(encoding="utf-8"))[
        "certifications"
    ]
    assert (kept["first"], kept["last"], kept["threshold"]) == (
        START + 1500,
        START + 5499,
        found["threshold"],
    )
    for more in (["--target", "reject_any=0.09"], ["--target", "reject_any=0.1", "--seed", "2"]):
        assert main([*asked, *few, *more]) == 2
        assert "attempt 1 of 1 at a certificate of reject_any was made before" in capsys.readouterr().err
    assert main([*asked, *few, "--target", "reject_any=0.1", "--attempt", "2", "--attempts", "2"]) == 2
    assert "planned with the first" in capsys.readouterr().err
    for wrong, words in (
        ("reject_any", "a measure and a probability"),
        ("power=0.1", "no measure is called"),
    ):
        assert main([*asked, "--target", wrong, *few]) == 2
        assert words in capsys.readouterr().err
