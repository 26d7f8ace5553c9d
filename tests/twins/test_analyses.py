"""Both engines hand the same data to every registered analysis: their statistics agree to the last bit."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest

from tests.twins.lives import SCENARIOS
from tests.unit.costly import with_lives
from trialsim import registry
from trialsim.conformance import twin_difference
from trialsim.contracts import Status
from trialsim.engines.conduct import conduct
from trialsim.engines.plan import build_plan
from trialsim.engines.runner import start_engine
from trialsim.scenario.hypotheses import ANALYSES_OF_KIND
from trialsim.scenario.load import scenario_from
from trialsim.timegrid import TICKS_PER_DAY

ANALYSES = [name for names in ANALYSES_OF_KIND.values() for name in names]
GRIDS = [1, TICKS_PER_DAY, 7 * TICKS_PER_DAY]
OPTIONS: dict[str, list[dict[str, Any]]] = {
    "logrank": [{}, {"strata": ["sex"]}],
    "fleming_harrington": [{"rho": 0, "gamma": 1}, {"rho": 0.5, "gamma": 0.5}, {"rho": 0, "gamma": 1, "strata": ["sex"]}],
    "cox": [{}, {"strata": ["sex", "region"]}, {"covariates": ["age", "region"]},
            {"strata": ["sex"], "covariates": ["age"]}],
    "restricted_mean": [{"up_to": "8 days"}],
    "milestone": [{"at": "1 weeks"}],
    "z_test": [{"sd": 2}],
    "ancova": [{"covariates": ["age"]}, {"covariates": ["age", "region", "sex"]}],
    "procova": [{"score": {"age": 0.1, "weight": -0.5}}, {"score": {"age": 1}, "covariates": ["sex"]}],
    "miettinen_nurminen": [{}, {"margin": -0.1}],
    "cochran_mantel_haenszel": [{"strata": ["region"]}],
    "logistic": [{}, {"covariates": ["age", "region"]}],
}  # fmt: skip
ENDPOINTS: dict[str, dict[str, Any]] = {
    "survival": {
        "kind": "survival", "baseline": {"median": "9 days"}, "effect": {"low": 0.8, "high": 0.3}, "readout": "1 days",
        "covariates": {"age": 0.02},
    },
    "continuous": {
        "kind": "continuous", "readout": "3 days", "mean": 1, "sd": 2, "effect": {"low": 0.5, "high": 1.5},
        "covariates": {"age": 0.1, "weight": 0.5},
    },
    "binary": {
        "kind": "binary", "readout": "3 days", "rate": 0.3, "effect": {"low": 0.4, "high": 0.6},
        "effect_measure": "rate", "covariates": {"age": 0.05},
    },
}  # fmt: skip
PEOPLE = {
    "sex": {"categorical": {"female": 0.4, "male": 0.6}},
    "region": {"categorical": {"east": 0.5, "west": 0.3, "north": 0.2}},
    "age": {"normal": {"mean": 50, "sd": 10}},
    "weight": {"normal": {"mean": 0, "sd": 1}},
}


def tree(kind: str) -> dict[str, Any]:
    """Return a scenario in which every analysis of a kind of endpoint tests two arms at two looks."""
    direction = "lower" if kind == "survival" else "higher"
    hypotheses = {
        f"{analysis}_{k}_{arm}": {
            "endpoint": "outcome", "arms": [arm, "control"], "analysis": {analysis: options}, "direction": direction,
        }
        for analysis in ANALYSES_OF_KIND[kind]
        if not analysis.startswith("rerandomised")  # which are for two arms
        for k, options in enumerate(OPTIONS.get(analysis, [{}]))
        for arm in ("low", "high")
    }  # fmt: skip
    count = {"events": 12} if kind == "survival" else {"readouts": 18}
    return {
        "name": "analyses",
        "arms": ["control", "low", "high"],
        "population": {"marginals": PEOPLE},
        "accrual": {"evenly_spaced": {"over": "20 days"}},
        "endpoints": {"outcome": ENDPOINTS[kind] | {"centre": {"age": 50}, "effect_kind": "conditional"}},
        "dropout": {"baseline": {"survival": 0.7, "at": "20 days"}},
        "hypotheses": hypotheses,
        "truths": {"world": {}},
        "designs": {
            "two_looks": {
                "kind": "group_sequential",
                "n": 60,
                "allocation": {"permuted_blocks": {"size": 6}},
                "tests": {name: {"alpha": 0.025} for name in hypotheses},
                "looks": [{"when": count, "cleaning_lag": "1 days"}, {"when": {"calendar": "40 days"}}],
                "bounds": {"efficacy_z": [3.5, 2.0], "futility_z": [-2.5, None]},
            }
        },
    }


def test_every_analysis_is_here() -> None:
    assert set(registry.names("analyses")) == set(ANALYSES)
    for name in ANALYSES:
        part = registry.get("analyses", name)
        assert part.name == name
        assert name in {each for kind in part.endpoint_kinds for each in ANALYSES_OF_KIND[kind]}


@pytest.mark.parametrize("name", ANALYSES)
def test_it_says_what_its_information_is_and_whether_increments_are_independent(name: str) -> None:
    part, words = registry.get("analyses", name), registry.describe("analyses", name)
    assert part.information in words
    assert part.increments in words
    assert part.reference in words
    assert "independent" in part.increments


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("kind", ENDPOINTS)
def test_the_engines_agree(kind: str, grid: int) -> None:
    plan = build_plan(scenario_from(tree(kind)), "two_looks", "world", 5, grid)
    found = twin_difference(plan, [*range(6), 2**40])
    assert found is None, str(found)


RULES: list[Any] = [
    {"simple": {"ratio": {"control": 1, "high": 2}}},
    {"permuted_blocks": {"size": 6, "ratio": {"control": 1, "high": 2}}},
    {"stratified_permuted_blocks": {"size": 4, "strata": ["sex", "region"]}},
    {"minimisation": {"factors": ["sex", "region"], "ratio": {"control": 1, "high": 2}}},
    {"biased_coin": {"strata": ["sex"]}},
]


def rerandomised(kind: str, rule: Any) -> dict[str, Any]:
    """Return a scenario of two arms with a re-randomisation test."""
    found = copy.deepcopy(tree(kind)) | {"arms": ["control", "high"]}
    found["endpoints"]["outcome"]["effect"].pop("low")
    (name,) = [each for each in ANALYSES_OF_KIND[kind] if each.startswith("rerandomised")]
    found["hypotheses"] = {
        "high": next(iter(found["hypotheses"].values()))
        | {"arms": ["high", "control"], "analysis": {name: {"draws": 99}}}
    }
    found["designs"]["two_looks"] |= {"allocation": rule, "tests": {"high": {"alpha": 0.025}}}
    return found


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: next(iter(rule)))
@pytest.mark.parametrize("kind", ENDPOINTS)
def test_the_engines_draw_allocations_again_alike(kind: str, rule: Any) -> None:
    plan = build_plan(scenario_from(rerandomised(kind, rule)), "two_looks", "world", 5, TICKS_PER_DAY)
    found = twin_difference(plan, range(5))
    assert found is None, str(found)
    result = conduct(start_engine(plan, "fast").start(np.arange(30)))
    assert len(np.unique(result.z[result.status == Status.OK])) > 2


@pytest.mark.parametrize("kind", ENDPOINTS)
def test_the_engines_agree_where_replicates_share_arms_and_entry_times(kind: str) -> None:
    shared = copy.deepcopy(tree(kind)) | {"arms": ["control", "high"]}
    del shared["dropout"]
    shared["endpoints"]["outcome"]["effect"].pop("low")
    shared["hypotheses"] = {
        name: part for name, part in shared["hypotheses"].items() if name.endswith("high")
    }
    design = shared["designs"]["two_looks"]
    design |= {
        "allocation": "alternating",
        "tests": {name: {"alpha": 0.025} for name in shared["hypotheses"]},
    }
    found = twin_difference(build_plan(scenario_from(shared), "two_looks", "world", 5, 1), range(6))
    assert found is None, str(found)


@pytest.mark.parametrize("kind", ENDPOINTS)
def test_most_of_them_estimate_something(kind: str) -> None:
    plan = build_plan(scenario_from(tree(kind)), "two_looks", "world", 5, 1)
    result = conduct(start_engine(plan, "fast").start(np.arange(40)))
    good = (result.status == Status.OK).mean(axis=0)
    assert (good > 0.3).all(), dict(zip((test.name for test in plan.tests), good, strict=True))


PATIENT_BY_PATIENT = {
    "survival": [{"milestone": {"at": "12 days"}}, {"cox": {"covariates": ["age"]}},
                 {"restricted_mean": {"up_to": "9 days"}}],
    "continuous": [{"ancova": {"covariates": ["age"]}}],
    "binary": [{"logistic": {"covariates": ["age"]}}, {"miettinen_nurminen": {}}],
}  # fmt: skip


def patient_by_patient(tree: dict[str, Any]) -> dict[str, Any]:
    """Return a scenario whose hypotheses are analysed by what needs the patients one by one, in turn."""
    changed = copy.deepcopy(tree)
    if "population" not in changed:
        changed["population"] = {"marginals": {"age": {"normal": {"mean": 50, "sd": 10}}}}
    for k, hypothesis in enumerate(changed["hypotheses"].values()):
        some = PATIENT_BY_PATIENT[changed["endpoints"][hypothesis["endpoint"]]["kind"]]
        hypothesis["analysis"] = some[k % len(some)]
    return changed


@pytest.mark.slow
@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("name", ["strategies", "visited", "told_late", "graded"])
def test_the_engines_agree_on_patients_lives(name: str, grid: int) -> None:
    scenario = scenario_from(patient_by_patient(SCENARIOS[name][0]))
    for design in scenario.designs:
        found = twin_difference(build_plan(scenario, design, "here", 3, grid), range(8))
        assert found is None, str(found)


@pytest.mark.slow
@pytest.mark.parametrize("grid", GRIDS)
def test_the_engines_agree_on_patients_of_sites(grid: int) -> None:
    scenario = scenario_from(patient_by_patient(with_lives()))
    for design in scenario.designs:
        for truth in scenario.truths:
            found = twin_difference(build_plan(scenario, design, truth, 3, grid), range(3))
            assert found is None, str(found)


def test_the_engines_draw_allocations_again_alike_at_sites() -> None:
    tree = with_lives()
    for hypothesis in tree["hypotheses"].values():
        hypothesis["analysis"] = {"rerandomised_logrank": {"draws": 99}}
    for design in tree["designs"].values():
        design["allocation"] = {"stratified_permuted_blocks": {"size": 4, "strata": ["site"]}}
    scenario = scenario_from(tree)
    for design in scenario.designs:
        found = twin_difference(build_plan(scenario, design, "world", 3, TICKS_PER_DAY), range(3))
        assert found is None, str(found)
