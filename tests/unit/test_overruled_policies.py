"""A design that names another policy than the one it extends: the other stays where mappings merge, and that is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from trialsim.errors import ScenarioError
from trialsim.scenario.load import load_scenario, scenario_from_text

BASE = """
name: overruled
accrual: {sites: {ward: {count: 2, rate: 9 per month, backlog: 5}}}
population: {marginals: {age: {normal: {mean: 60, sd: 10}}, sex: {categorical: {f: 0.5, m: 0.5}}}}
screening: {eligible: {probability: 0.4}}
arms: [control, treatment]
endpoints:
  response: {kind: binary, readout: 2 weeks, rate: 0.3, effect: {treatment: 0.6}, effect_measure: rate}
hypotheses:
  primary: {endpoint: response, arms: [treatment, control], analysis: score_test, direction: higher}
truths: {expected: {}}
designs:
  first:
    kind: fixed
    n: 24
    allocation: simple
    looks: [{when: {readouts: 24}}]
    tests: {primary: {alpha: 0.025}}
    policies: {recruitment: {by_covariate: {covariate: age}}}
"""
SECOND = "  second: {extends: first, policies: {recruitment: %s}}\n"
THIRD = "  third: {extends: second, n: 30}\n"


def problems(text: str) -> list[tuple[str, str]]:
    with pytest.raises(ScenarioError) as raised:
        scenario_from_text(text)
    return [(problem.path, problem.message) for problem in raised.value.problems]


def test_the_policy_that_stays_is_named_once() -> None:
    """The sentence says what to write; who extends the design further repeats nothing."""
    ((path, message),) = problems(BASE + SECOND % "{oracle: {}}" + THIRD)
    assert path == "designs.second.policies.recruitment"
    assert message.startswith("oracle stands beside by_covariate, which the design 'first' sets here")
    assert "by_covariate: null" in message


@pytest.mark.parametrize("written", ["oracle", "{oracle: {}, by_covariate: null}"])
def test_what_the_sentence_says_works(written: str) -> None:
    scenario = scenario_from_text(BASE + SECOND % written + THIRD)
    for name in ("second", "third"):
        assert scenario.designs[name].policies["recruitment"] == ("oracle", {"reads": "eligible"})


def test_parameters_of_the_same_policy_still_merge() -> None:
    scenario = scenario_from_text(BASE + SECOND % "{by_covariate: {prefer: lowest}}")
    parameters = {"covariate": "age", "prefer": "lowest"}
    assert scenario.designs["second"].policies["recruitment"] == ("by_covariate", parameters)


def test_rankings_inside_rankings() -> None:
    outer = "{within_group: {covariate: sex, ranking: %s}}"
    text = BASE.replace("{by_covariate: {covariate: age}}", outer % "{by_covariate: {covariate: age}}")
    ((path, message),) = problems(text + SECOND % "{within_group: {ranking: {oracle: {}}}}")
    assert path == "designs.second.policies.recruitment.within_group.ranking"
    assert message.startswith("oracle stands beside by_covariate")


def test_files_that_extend_files(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(BASE)
    child = "extends: base.yaml\nname: child\ndesigns: {first: {policies: {recruitment: {random: {}}}}}\n"
    (tmp_path / "child.yaml").write_text(child)
    with pytest.raises(ScenarioError) as raised:
        load_scenario(tmp_path / "child.yaml")
    (problem,) = raised.value.problems
    assert problem.path.startswith("designs.first.policies.recruitment")
    assert "random stands beside by_covariate, which the file below sets" in problem.message
