"""Permuted blocks within sites: every block of a site is full of the ratio, and what cannot be is said in a sentence."""

from __future__ import annotations

import copy
from collections import Counter, defaultdict
from typing import Any

import pytest
from statsmodels.duration.survfunc import survdiff

from tests.twins.tie_rich_sites import SITE_SCENARIOS
from tests.unit.recruitment_scenario import RECRUITING, recruiting
from trialsim.contracts import Kind
from trialsim.engines.conduct import conduct
from trialsim.engines.runner import chunk_of
from trialsim.errors import Problem, ScenarioError
from trialsim.report.story import explain
from trialsim.scenario.advice import unstratified_analyses
from trialsim.scenario.load import scenario_from
from trialsim.scenario.reading import parse_yaml
from trialsim.scenario.schema import Scenario

BLOCKS = "designs.one.allocation.stratified_permuted_blocks.strata"


def tree_with(strata: list[str], kind: str = "stratified_permuted_blocks") -> Any:
    tree: Any = parse_yaml(RECRUITING)
    size = {"size": 4} if kind == "stratified_permuted_blocks" else {}
    tree["designs"] = {"one": tree["designs"]["one"]}
    tree["designs"]["one"]["allocation"] = {kind: {**size, "strata": strata}}
    return tree


def by_site(strata: list[str]) -> Scenario:
    tree = tree_with(strata)
    tree["screening"]["stratum_errors"] = 0
    return scenario_from(tree)


def strata_of_trial(scenario: Scenario, engine: str, replicate: int, with_sex: bool) -> dict[Any, list[int]]:
    """Return the arms of the patients of each site, or site and sex, in their order."""
    chunk = chunk_of(scenario, "one", "base", [replicate], 1, engine)
    log = conduct(chunk).chunk.log(0)
    arms = [int(row.value) for row in log if row.kind == Kind.RANDOMISATION]
    keys = [int(row.value) for row in log if row.kind == Kind.CANDIDATE]
    frame = explain(scenario, "one", "base", replicate, 1).patients
    found: dict[Any, list[int]] = defaultdict(list)
    for number, (arm, key) in enumerate(zip(arms, keys, strict=True)):
        found[key >> 32, frame["sex"][number] if with_sex else ""].append(arm)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["fast", "reference"])
@pytest.mark.parametrize("strata", [["site"], ["sex", "site"]])
def test_every_block_of_a_site_holds_each_arm_twice(strata: list[str], engine: str) -> None:
    scenario, orders, blocks = by_site(strata), Counter(), 0  # type: ignore[var-annotated]
    for replicate in range(12):
        for arms in strata_of_trial(scenario, engine, replicate, "sex" in strata).values():
            for first in range(0, len(arms) - 3, 4):
                blocks += 1
                orders[tuple(arms[first : first + 4])] += 1
                assert sum(arms[first : first + 4]) == 2
    assert blocks > 20 and len(orders) == 6  # all orders of a block of four occur


@pytest.mark.slow
def test_blocks_of_the_trial_do_not_balance_sites() -> None:
    arms = [
        arms
        for replicate in range(12)
        for arms in strata_of_trial(recruiting(), "fast", replicate, False).values()
    ]
    sums = {sum(each[first : first + 4]) for each in arms for first in range(0, len(each) - 3, 4)}
    assert sums - {2}


def test_a_story_names_the_site_of_the_stratum() -> None:
    story = explain(by_site(["site", "sex"]), "one", "base", 0, 1)
    frame = story.patients
    expected = [f"site={site}/sex={sex}" for site, sex in zip(frame["SITEID"], frame["sex"], strict=True)]
    assert frame["STRATUM"].tolist() == expected
    assert "within strata of site and sex" in story.text()
    alone = explain(by_site(["site"]), "one", "base", 0, 1).patients
    assert alone["STRATUM"].tolist() == [f"site={site}" for site in alone["SITEID"]]


def test_an_error_of_strata_moves_nobody_to_another_site() -> None:
    tree = tree_with(["site", "sex"])
    tree["screening"]["stratum_errors"] = 1
    frame = explain(scenario_from(tree), "one", "base", 0, 1).patients
    other = {"female": "male", "male": "female"}
    expected = [
        f"site={site}/sex={other[sex]}" for site, sex in zip(frame["SITEID"], frame["sex"], strict=True)
    ]
    assert frame["STRATUM"].tolist() == expected


def problems_of(tree: Any) -> list[Problem]:
    with pytest.raises(ScenarioError) as refusal:
        scenario_from(copy.deepcopy(tree))
    return refusal.value.problems


def without_sites(tree: Any) -> Any:
    tree["accrual"] = {"uniform": {"over": "12 months"}}
    del tree["screening"]
    tree["truths"] = {"base": {}}
    return tree


def with_a_covariate(tree: Any) -> Any:
    tree["population"]["marginals"]["site"] = {"categorical": {"north": 0.5, "south": 0.5}}
    return tree


def with_many_sites(tree: Any) -> Any:
    tree["accrual"]["sites"]["small"]["count"] = 998
    for name in ("region", "stage"):
        tree["population"]["marginals"][name] = {"categorical": {f"l{k}": 0.1 for k in range(10)}}
    return tree


@pytest.mark.parametrize(
    ("tree", "path", "words"),
    [
        (without_sites(tree_with(["sex", "site"])), f"{BLOCKS}[1]", "this scenario has none; write accrual: {sites:"),
        (with_a_covariate(tree_with(["site"])), f"{BLOCKS}[0]", "give the covariate another name"),
        (tree_with(["site", "site"]), f"{BLOCKS}[1]", "named twice"),
        (tree_with(["site", "sexx"]), f"{BLOCKS}[1]", "Did you mean 'sex'?"),
        (tree_with(["site", "age"]), f"{BLOCKS}[1]", "not categorical"),
        (
            with_many_sites(tree_with(["site", "sex", "region", "stage"])),
            BLOCKS,
            "200,000 strata with the sites; at most 100,000",
        ),
        (
            tree_with(["site"], "biased_coin"),
            "designs.one.allocation.biased_coin.strata[0]",
            "known to stratified_permuted_blocks alone",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_is_said_in_a_sentence(tree: Any, path: str, words: str) -> None:
    problems = problems_of(tree)
    assert [problem.path for problem in problems] == [path]
    assert words in problems[0].message


def test_without_sites_a_covariate_may_have_the_name() -> None:
    scenario_from(without_sites(with_a_covariate(tree_with(["site"]))))


def test_the_note_on_analyses_speaks_of_sites_where_outcomes_differ_between_them() -> None:
    tree = tree_with(["site"])
    assert not list(unstratified_analyses(tree))
    tree["endpoints"]["death"]["site"] = {"sd": 0.3}
    (sentence,) = unstratified_analyses(tree)
    assert "balances site by stratified blocks" in sentence


@pytest.mark.parametrize("replicate", range(6))
@pytest.mark.parametrize(("test", "strata"), [(0, ["SITEID"]), (1, ["sex", "SITEID"])])
def test_an_analysis_can_be_stratified_by_site(replicate: int, test: int, strata: list[str]) -> None:
    tree = copy.deepcopy(SITE_SCENARIOS["blocks_of_sites"][0])
    tree["hypotheses"]["both"]["analysis"] = {"logrank": {"strata": ["sex", "site"]}}
    for design in tree["designs"].values():
        design["n"], design["looks"] = (
            60,
            [{"when": {"calendar": "30 days"}}, {"when": {"calendar": "31 days"}}],
        )
    scenario = scenario_from(tree)
    result = conduct(chunk_of(scenario, "by_site", "world", [replicate], 1, "fast"))
    frame = explain(scenario, "by_site", "world", replicate, 1).patients
    seen = frame[frame["DEATH_ANLFL"] == "Y"]
    squared, _ = survdiff(
        seen["DEATH_TIME"], 1 - seen["DEATH_CNSR"], seen["ARM"], strata=seen[strata].agg("/".join, axis=1)
    )
    assert seen["SITEID"].nunique() > 2
    assert result.z[0, test] ** 2 == pytest.approx(squared, rel=1e-9)


def test_a_site_among_the_strata_of_an_analysis_is_checked() -> None:
    tree = without_sites(tree_with(["sex"]))
    name = next(iter(tree["hypotheses"]))
    tree["hypotheses"][name]["analysis"] = {"logrank": {"strata": ["sex", "site"]}}
    (problem,) = [each for each in problems_of(tree) if str(each.path).endswith("strata[1]")]
    assert "this scenario has none; write accrual: {sites:" in problem.message
