"""A note where tests leave out what allocation was balanced by: in the check of a scenario and in the report."""

from __future__ import annotations

import copy
from html import escape
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from typer.testing import CliRunner

import trialsim
from trialsim.cli.scenario_commands import register
from trialsim.oc.columns import records_of
from trialsim.report.cautions import analysis_cautions
from trialsim.report.page import page
from trialsim.scenario.load import load_scenario, scenario_from

SCENARIO: dict[str, Any] = {
    "name": "noted",
    "arms": ["control", "low", "high"],
    "population": {
        "marginals": {
            "sex": {"categorical": {"female": 0.5, "male": 0.5}},
            "region": {"categorical": {"east": 0.5, "west": 0.5}},
        }
    },
    "accrual": {"evenly_spaced": {"over": "1 year"}},
    "endpoints": {
        "death": {"kind": "survival", "baseline": {"median": "1 year"}, "effect": {"low": 0.7, "high": 0.5}},
        "response": {
            "kind": "binary",
            "readout": "1 week",
            "rate": 0.3,
            "effect": {"low": 0.3, "high": 0.5},
            "effect_measure": "rate",
        },
    },
    "hypotheses": {
        "low": {"endpoint": "death", "arms": ["low", "control"], "analysis": "logrank", "direction": "lower"},
        "high": {
            "endpoint": "death",
            "arms": ["high", "control"],
            "analysis": "logrank",
            "direction": "lower",
        },
        "answer": {
            "endpoint": "response",
            "arms": ["high", "control"],
            "analysis": "score_test",
            "direction": "higher",
        },
    },
    "truths": {"expected": {}},
    "designs": {
        "fixed": {
            "kind": "fixed",
            "n": 60,
            "allocation": {"minimisation": {"factors": ["sex", "region"]}},
            "looks": [{"when": {"enrolled": 60}}],
            "tests": {name: {"alpha": 0.008} for name in ("low", "high", "answer")},
        }
    },
}


def notes(allocation: Any, strata: list[str] | None = None, tests: tuple[str, ...] = ("low",)) -> list[str]:
    tree = copy.deepcopy(SCENARIO)
    tree["designs"]["fixed"] |= {
        "allocation": allocation,
        "tests": {name: {"alpha": 0.008} for name in tests},
    }
    if set(tests) == {"high"}:
        tree["designs"]["fixed"]["arms"] = ["control", "high"]
    for name in ("low", "high"):
        tree["hypotheses"][name]["analysis"] = {"logrank": {"strata": strata or []}}
    return analysis_cautions(scenario_from(tree).dump())


def test_a_test_that_leaves_out_factors_is_noted_with_all_its_like() -> None:
    found = notes({"minimisation": {"factors": ["sex", "region"]}}, ["sex"], ("low", "high", "answer"))
    assert found == [
        "“fixed” balances sex and region by minimisation, but the analysis of “low” and “high” is not stratified by "
        "region: where it matters for the outcome, it rejects too rarely. Stratify the analysis, or use a "
        "re-randomisation test.",
        "“fixed” balances sex and region by minimisation, but the analysis of “answer” is not stratified by sex and "
        "region: where they matter for the outcome, it rejects too rarely. Stratify the analysis, or use a "
        "re-randomisation test.",
    ]


def adapted(kind: str, tests: dict[str, float], **changes: Any) -> list[str]:
    tree = copy.deepcopy(SCENARIO)
    looks = [{"when": {"calendar": "1 year"}}, {"when": {"calendar": "2 years"}}]
    tree["designs"]["fixed"] |= {
        "kind": kind,
        "tests": {name: {"alpha": level} for name, level in tests.items()},
        "allocation": {"permuted_blocks": {"size": 6}},
        "looks": looks if kind == "group_sequential" else looks[:1],
    } | changes
    return analysis_cautions(scenario_from(tree).dump())


def test_several_arms_at_levels_of_their_own_are_noted() -> None:
    (said,) = adapted("fixed", {"low": 0.025, "high": 0.025})
    assert said.startswith("“fixed” compares 2 arms (low, high) at levels that add up to 0.05: so large")
    assert adapted("fixed", {"low": 0.0125, "high": 0.0125}) == []
    assert adapted("fixed", {"high": 0.025, "answer": 0.025}) == []  # one arm, two endpoints
    assert adapted("fixed", {"low": 0.025, "high": 0.025}, multiplicity="holm") == []


def test_a_fixed_design_whose_allocation_moves_at_reviews_is_noted_once() -> None:
    """At its only look nothing moves any more; where outcomes drift, the sentence about that says all."""
    moved = {"policies": {"randomisation": "thompson"}}
    assert adapted("fixed", {"answer": 0.025}, **moved) == []
    reviewed = moved | {"reviews": {"every": {"enrolled": 20}}}
    (said,) = adapted("fixed", {"answer": 0.025}, **reviewed)
    assert said.startswith(
        "“fixed” lets outcomes move its allocation (thompson) and tests “answer” by a test for a fixed one: it"
    )
    drifting = copy.deepcopy(SCENARIO)
    name = drifting["hypotheses"]["answer"]["endpoint"]
    drifting["endpoints"][name]["drift"] = {"per_year": 0.2}
    drifting["designs"]["fixed"] |= {"tests": {"answer": {"alpha": 0.025}}} | reviewed
    cautions = analysis_cautions(scenario_from(drifting).dump())
    assert sum("allocates by thompson while outcomes drift" in caution for caution in cautions) == 1
    assert not any("lets outcomes move" in caution for caution in cautions)


def test_an_adaptation_analysed_as_group_sequential_is_noted() -> None:
    bounds = {"efficacy_z": [3, 2]}
    moved = {"bounds": bounds, "policies": {"randomisation": "thompson"}}
    (said,) = adapted("group_sequential", {"answer": 0.025}, **moved)
    assert said.startswith(
        "“fixed” lets outcomes move its allocation (thompson) and tests “answer” by bounds for a fixed"
    )
    hidden = {"bounds": bounds, "policies": {"randomisation": "oracle"}}
    (said,) = adapted("group_sequential", {"answer": 0.025}, **hidden)
    assert said.startswith("“fixed” moves its allocation (oracle) and tests “answer” by bounds for a fixed")
    (said,) = adapted(
        "group_sequential", {"low": 0.01, "high": 0.01}, bounds=bounds, policies={"stopping": "drop_arms"}
    )
    assert "drops arms at look 1" in said
    assert adapted("group_sequential", {"answer": 0.025}, bounds=bounds) == []


@pytest.mark.parametrize(
    ("allocation", "tests", "how"),
    [
        ({"stratified_permuted_blocks": {"size": 6, "strata": ["sex"]}}, ("low",), "by stratified blocks"),
        ({"biased_coin": {"strata": ["sex"]}}, ("high",), "by a biased coin in each stratum"),
    ],
)
def test_stratified_rules_are_noted_until_the_analysis_is_stratified(
    allocation: Any, tests: tuple[str, ...], how: str
) -> None:
    (found,) = notes(allocation, None, tests)
    assert f"balances sex {how}, but" in found
    assert notes(allocation, ["sex", "region"], tests) == []


@pytest.mark.parametrize(
    "allocation", ["simple", {"permuted_blocks": {"size": 6}}, {"minimisation": {"factors": []}}]
)
def test_nothing_is_noted_where_no_covariate_is_balanced(allocation: Any) -> None:
    assert notes(allocation) == []


@pytest.mark.parametrize(
    "damaged",
    [
        {},
        {"designs": 3},
        {"designs": {"a": {"allocation": {"minimisation": 1}, "tests": {"x": 1}}}},
        {"hypotheses": []},
    ],
)
def test_what_cannot_be_read_is_passed_over(damaged: dict[str, Any]) -> None:
    assert analysis_cautions(damaged) == []


def test_the_check_prints_the_note_and_stays_good(tmp_path: Path) -> None:
    file = tmp_path / "noted.yaml"
    file.write_text(yaml.safe_dump(SCENARIO), encoding="utf-8")
    app = typer.Typer()
    register(app)
    checked = CliRunner().invoke(app, ["check", str(file)])
    assert checked.exit_code == 0
    first, second = checked.stdout.splitlines()
    assert "good (" in first
    (said,) = analysis_cautions(load_scenario(file).dump())
    assert second == f"  note: {said}"


def test_the_report_and_the_story_say_how_patients_were_allocated() -> None:
    scenario = scenario_from(SCENARIO)
    (said,) = analysis_cautions(scenario.dump())
    found = trialsim.simulate(scenario, replicates=3)
    assert f"<p>{escape(said)}</p>" in page(
        scenario.dump(), {}, found.characteristics, records_of(found.records), {}
    )
    assert "allocated by minimisation over sex and region" in found.explain("fixed", "expected", 0).text()


@pytest.mark.parametrize(
    "analysis",
    [
        {"cox": {"covariates": ["sex", "region"]}},
        {"cox": {"strata": ["sex"], "covariates": ["region"]}},
        "rerandomised_logrank",
        {"rerandomised_logrank": {"draws": 199}},
    ],
)
def test_adjusting_counts_and_so_does_drawing_the_allocation_again(analysis: Any) -> None:
    tree = copy.deepcopy(SCENARIO)
    tree["designs"]["fixed"] |= {"tests": {"high": {"alpha": 0.025}}, "arms": ["control", "high"]}
    for name in ("low", "high"):
        tree["hypotheses"][name]["analysis"] = "cox"
    assert len(analysis_cautions(scenario_from(tree).dump())) == 1
    tree["hypotheses"]["high"]["analysis"] = analysis
    assert analysis_cautions(scenario_from(tree).dump()) == []
