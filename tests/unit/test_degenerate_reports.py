"""Worlds in which nobody comes, nothing happens or nothing can: a sentence, or a report that says as much."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit.recruitment_scenario import RECRUITING
from tests.unit.test_oc_adverse_events import steady
from trialsim.cli.main import main
from trialsim.errors import ScenarioError
from trialsim.oc.adverse_events import adverse_event_curves
from trialsim.oc.characteristics import operating_characteristics
from trialsim.oc.columns import Cell, records_of
from trialsim.oc.in_memory import collect
from trialsim.report.adverse_event_figures import adverse_event_picture
from trialsim.report.empty_trials import empty_sentences
from trialsim.report.page import page
from trialsim.report.site_figures import site_table
from trialsim.report.story import explain
from trialsim.scenario.load import scenario_from
from trialsim.scenario.reading import parse_yaml

DAILY: dict[str, Any] = {"count": 2, "rate": "1 per day"}
NOBODY: dict[str, dict[str, Any]] = {
    "no site opens": {"accrual": {"sites": {"a": DAILY | {"never_opens": 1.0}}}},
    "everybody refuses": {
        "accrual": {"sites": {"a": DAILY}},
        "screening": {"consent": {"probability": 0.0, "duration": "1 day"}},
    },
    "everybody fails": {"accrual": {"sites": {"a": DAILY}}, "screening": {"eligible": {"probability": 0.0}}},
}


@pytest.mark.parametrize("replicates", [1, 4])
@pytest.mark.parametrize("world", NOBODY)
def test_where_nobody_is_randomised_the_report_draws_no_adverse_events(world: str, replicates: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        records = records_of(
            collect(scenario_from(steady() | NOBODY[world]), ["fixed"], ["here"], replicates, 1)
        )
        curves = adverse_event_curves(records, Cell("fixed", "here"))
        assert curves and all(curve.days.size == 0 and curve.trials == replicates for curve in curves)
        assert adverse_event_picture(records) is None
        text = page({}, {}, operating_characteristics(records), records, {})
    table = site_table(records)
    assert (
        table is not None
        and [row[3] for row in table.rows] == [(f"0.0 ({'one replicate' if replicates == 1 else '0'})",)] * 2
    )
    assert "<h2>Adverse events and visits</h2>" not in text


@pytest.mark.slow
@pytest.mark.parametrize(
    ("world", "why"),
    [
        ("no site opens", "; no candidate came."),
        ("everybody refuses", " did not consent."),
        ("everybody fails", " failed screening."),
    ],
)
def test_a_run_in_which_nobody_is_enrolled_says_so(
    world: str, why: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "empty.yaml"
    path.write_text(yaml.safe_dump(scenario_from(steady() | NOBODY[world]).dump(), allow_unicode=True))
    options = ["--designs", "fixed", "--truths", "here", "--replicates", "20", "--workers", "1"]
    assert main(["run", str(path), *options, "--out", str(tmp_path / "found")]) == 0
    printed = capsys.readouterr().out
    (said,) = [line for line in printed.splitlines() if "nobody was enrolled" in line]
    assert said.startswith("Design “fixed” under truth “here”: nobody was enrolled in any of 20 trials")
    assert why in said
    assert main(["report", str(tmp_path / "found")]) == 0
    assert said in capsys.readouterr().out.splitlines()


def test_a_run_in_which_somebody_is_enrolled_says_nothing_of_it() -> None:
    records = records_of(collect(scenario_from(steady()), ["fixed"], ["here"], 4, 1))
    assert empty_sentences(records) == []


def test_a_term_that_ends_has_a_flat_curve_from_then_on() -> None:
    tree = steady()
    tree["adverse_events"]["rash"]["baseline"] = {
        "piecewise": [
            {"from": "0 days", "hazard": "0.05 per day"},
            {"from": "50 days", "hazard": "0 per day"},
        ]
    }
    records = records_of(collect(scenario_from(tree), ["fixed"], ["here"], 40, 1))
    for curve in adverse_event_curves(records, Cell("fixed", "here")):
        if curve.term == "rash":
            later = curve.mean[curve.days > 51.0]
            assert later.size > 5 and (later == later[0]).all() and later[0] > 1.5


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("count", 0, "it must be at least 1"),
        ("coordinators", 0, "it must be at least 1"),
        ("cap", 0, "it must be at least 1"),
        ("rate", "-1 per day", "the rate must be zero or more"),
        ("backlog", -1, "it must be at least 0"),
        ("never_opens", 1.5, "it must be at least 0 and at most 1"),
    ],
)
def test_a_site_without_capacity_is_refused_with_a_sentence(key: str, value: Any, words: str) -> None:
    tree: Any = parse_yaml(RECRUITING)
    tree["accrual"]["sites"]["big"][key] = value
    with pytest.raises(ScenarioError) as refusal:
        scenario_from(tree)
    (problem,) = refusal.value.problems
    assert problem.path == f"accrual.sites.big.{key}" and words in problem.message


@pytest.mark.parametrize(
    ("baseline", "words"),
    [
        ({"hazard": "0 per day"}, "the rate must be above zero"),
        ({"piecewise": [{"from": "0 days", "hazard": "0 per day"}]}, "all hazards are zero"),
    ],
)
def test_adverse_events_that_never_come_are_refused_with_a_sentence(baseline: Any, words: str) -> None:
    tree = steady()
    tree["adverse_events"]["rash"]["baseline"] = baseline
    with pytest.raises(ScenarioError, match=words):
        scenario_from(tree)


@pytest.mark.parametrize(
    ("count", "told"), [(1, "The only site did not open."), (2, "None of the 2 sites opened.")]
)
def test_a_story_says_that_no_site_opened(count: int, told: str) -> None:
    group = DAILY | {"never_opens": 1.0, "count": count}
    story = explain(scenario_from(steady() | {"accrual": {"sites": {"a": group}}}), "fixed", "here", 0, 1)
    assert told in story.sentences
    assert "Nobody was randomised." in story.sentences
