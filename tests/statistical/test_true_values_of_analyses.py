"""True values of what analyses estimate, against closed forms and large trials, and that trials find them."""

from __future__ import annotations

import copy
import math
from typing import Any

import numpy as np
import pytest
from scipy.special import expit, logit

from trialsim.engines.plan import Plan, build_plan
from trialsim.engines.runner import run
from trialsim.engines.true_values import benefit, estimand_of, true_value
from trialsim.scenario.load import scenario_from
from trialsim.scenario.schema import Scenario

HAZARD, RATIO, AGE = 0.004, 0.5, 0.06
PEOPLE = {
    "marginals": {"age": {"normal": {"mean": 50, "sd": 10}}, "sex": {"categorical": {"f": 0.5, "m": 0.5}}}
}
BY_AGE = {"covariates": {"age": AGE}, "centre": {"age": 50}, "effect_kind": "conditional"}


def survival(**parts: Any) -> dict[str, Any]:
    return {
        "kind": "survival",
        "baseline": {"hazard": f"{HAZARD} per day"},
        "effect": {"treatment": RATIO},
    } | parts


def binary(**parts: Any) -> dict[str, Any]:
    return {
        "kind": "binary", "readout": "5 days", "rate": 0.3, "effect": {"treatment": 2.0}, "effect_measure": "odds_ratio",
    } | parts  # fmt: skip


def scenario(
    endpoint: dict[str, Any], analyses: dict[str, Any], direction: str, n: int = 1000, **parts: Any
) -> Scenario:
    tree = {
        "name": "truths",
        "horizon": "3 years",
        "population": PEOPLE,
        "accrual": {"evenly_spaced": {"over": "1 days"}},
        "arms": ["control", "treatment"],
        "endpoints": {"e": endpoint},
        "hypotheses": {
            name: {
                "endpoint": "e", "arms": ["treatment", "control"], "analysis": each, "direction": direction,
            } | ({"follow_up": "400 days"} if endpoint["kind"] == "survival" else {})
            for name, each in analyses.items()
        },
        "truths": {"here": {}},
        "designs": {
            "d": {
                "kind": "fixed",
                "n": n,
                "allocation": "simple",
                "looks": [{"when": {"calendar": "401 days"}}],
                "tests": {name: {"alpha": 0.025} for name in analyses},
            }
        },
    } | copy.deepcopy(parts)  # fmt: skip
    return scenario_from(tree)


def truths(plan: Plan) -> dict[str, float]:
    return {test.name: true_value(plan, test, 1, 0) for test in plan.tests}


def plan_of(*arguments: Any, **parts: Any) -> Plan:
    return build_plan(scenario(*arguments, **parts), "d", "here", 1)


CURVES = {"mean": {"restricted_mean": {"up_to": "300 days"}}, "half": {"milestone": {"at": "200 days"}}}


def test_curves_of_exponential_times() -> None:
    plan = plan_of(survival(), CURVES, "lower")
    found = truths(plan)

    def mean(hazard: float) -> float:
        return (1 - math.exp(-hazard * 300)) / hazard

    assert found["mean"] == pytest.approx(mean(HAZARD * RATIO) - mean(HAZARD), rel=1e-5)
    assert found["half"] == pytest.approx(math.exp(-HAZARD * RATIO * 200) - math.exp(-HAZARD * 200), rel=1e-9)
    # Longer survival is a benefit where fewer events are.
    assert all(benefit(plan, test, 1, 0) > 0 for test in plan.tests)
    harm = plan_of(survival(effect={"treatment": 2.0}), CURVES, "lower")
    assert all(benefit(harm, test, 1, 0) < 0 for test in harm.tests)
    good = plan_of(survival(effect={"treatment": 2.0}), CURVES, "higher")
    assert all(benefit(good, test, 1, 0) > 0 for test in good.tests)


def test_curves_of_lives_that_change_are_those_of_potential_outcomes() -> None:
    # The effect stops with treatment, which ends at a constant hazard: survival is that of two exponential stages.
    stop = 0.006
    plan = plan_of(
        survival(), CURVES, "lower", treatment={"effect_stops": True},
        discontinuation={"any": {"baseline": {"hazard": f"{stop} per day"}, "effect": {"treatment": 1.0}}},
    )  # fmt: skip
    found = truths(plan)
    t = np.linspace(0.0, 300.0, 300_001)
    on = HAZARD * RATIO
    treated = np.exp(-(on + stop) * t) + stop * (np.exp(-HAZARD * t) - np.exp(-(on + stop) * t)) / (
        on + stop - HAZARD
    )
    apart = treated - np.exp(-HAZARD * t)
    # 100,000 patients live under both arms.
    assert abs(found["half"] - apart[200_000]) < 5 * math.sqrt(2 * 0.25 / 100_000)
    assert abs(found["mean"] - np.trapezoid(apart, t)) < 5 * math.sqrt(2 * 110.0**2 / 100_000)
    assert found["half"] < 0.9 * (math.exp(-on * 200) - math.exp(-HAZARD * 200))


def test_a_log_odds_ratio_of_all_patients_and_one_given_the_covariate() -> None:
    analyses = {
        "plain": "logistic",
        "given": {"logistic": {"covariates": ["age"]}},
        "sex": {"logistic": {"covariates": ["sex"]}},
    }
    plan = plan_of(binary(**BY_AGE), analyses, "higher")
    found = truths(plan)
    assert [estimand_of(test) for test in plan.tests] == [
        "log_odds_ratio",
        "conditional_log_odds_ratio",
        "conditional_log_odds_ratio",
    ]
    # Given the covariate of the law it is the law's own.
    assert found["given"] == pytest.approx(math.log(2.0), abs=1e-6)
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    weights = weights / weights.sum()
    p0, p1 = (float(weights @ expit(logit(0.3) + shift + AGE * 10 * nodes)) for shift in (0.0, math.log(2.0)))
    # The average of 10,000 patients' probabilities.
    assert found["plain"] == pytest.approx(logit(p1) - logit(p0), abs=0.01)
    assert found["plain"] < found["given"] - 0.03
    # A covariate that says nothing leaves it as it is.
    assert found["sex"] == pytest.approx(found["plain"], abs=0.01)


@pytest.mark.slow
def test_a_log_hazard_ratio_given_the_covariate() -> None:
    analyses = {"plain": "cox", "given": {"cox": {"covariates": ["age"]}}, "sex": {"cox": {"covariates": ["sex"]}},
                "both": {"cox": {"covariates": ["age"], "strata": ["sex"]}}}  # fmt: skip
    found = truths(plan_of(survival(**BY_AGE), analyses, "lower"))
    assert found["given"] == pytest.approx(math.log(RATIO), abs=1e-6)
    assert abs(found["plain"]) < abs(found["given"]) - 0.02
    assert found["sex"] == pytest.approx(found["plain"], abs=0.01)
    assert math.isnan(found["both"])


def test_a_log_hazard_ratio_that_changes_given_the_covariate_is_that_of_large_trials() -> None:
    late = [{"from": "0 days", "hazard_ratio": 1.0}, {"from": "60 days", "hazard_ratio": 0.4}]
    analyses = {"given": {"cox": {"covariates": ["age"]}}}
    made = scenario(survival(effect={"treatment": late}, **BY_AGE), analyses, "lower", n=4000)
    values, _, (cell,) = run_of(made, 60)
    error = values["given"].std(ddof=1) / math.sqrt(60)
    assert abs(values["given"].mean() - cell["true_value"]) < 5 * error
    assert abs(cell["true_value"] - math.log(0.4)) > 0.1


def run_of(
    made: Scenario, trials: int
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], list[dict[str, Any]]]:
    """Return the estimates, their standard errors and what is true."""
    estimates: dict[str, list[float]] = {}
    errors: dict[str, list[float]] = {}

    def keep(tables: dict[str, Any]) -> None:
        for name in made.hypotheses:
            estimates.setdefault(name, []).extend(tables["trials"][f"estimate:{name}"].to_pylist())
            errors.setdefault(name, []).extend(tables["trials"][f"se:{name}"].to_pylist())

    cells = run(made, None, None, trials, 3, "fast", 1, keep).to_pylist()
    arrays = [
        {name: np.array(each, dtype=float) for name, each in part.items()} for part in (estimates, errors)
    ]
    return arrays[0], arrays[1], cells


FOUND: dict[str, tuple[dict[str, Any], dict[str, Any], str, float]] = {
    # What a finite sample adds to the truth's own sample of patients, on the scale of the estimate.
    "survival": (
        survival(**BY_AGE),
        CURVES | {"given": {"cox": {"covariates": ["age"]}}},
        "lower",
        0.01,
    ),
    "continuous": (
        {"kind": "continuous", "readout": "5 days", "mean": 10, "sd": 3, "effect": {"treatment": 2}} | BY_AGE,
        {
            "welch": "welch",
            "ancova": {"ancova": {"covariates": ["age", "sex"]}},
            "procova": {"procova": {"score": {"age": 0.5}}},
        },
        "higher",
        0.0,
    ),
    "binary": (
        binary(**BY_AGE),
        {
            "fisher": "fisher",
            "mn": {"miettinen_nurminen": {"margin": -0.1}},
            "cmh": {"cochran_mantel_haenszel": {"strata": ["sex"]}},
            "plain": "logistic",
            "given": {"logistic": {"covariates": ["age"]}},
        },
        "higher",
        0.01,
    ),
}


@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=pytest.mark.slow) if kind == "survival" else kind for kind in FOUND]
)
def test_trials_find_the_true_values_and_cover_them(kind: str) -> None:
    endpoint, analyses, direction, own = FOUND[kind]
    trials = 1000
    values, errors, cells = run_of(scenario(endpoint, analyses, direction), trials)
    for cell in cells:
        name, truth = cell["hypothesis"], cell["true_value"]
        found, se = values[name], errors[name]
        assert np.isfinite(found).all()
        spread = found.std(ddof=1)
        # Besides chance: the bias of an estimate in 1,000 patients, and the 10,000 patients that the truth averages over.
        assert abs(found.mean() - truth) < 5 * spread / math.sqrt(trials) + own * max(abs(truth), 1e-9), name
        assert np.sqrt(np.mean(se**2)) == pytest.approx(spread, rel=5 / math.sqrt(2 * trials)), name
        covered = np.mean(np.abs(found - truth) <= 1.959964 * se)
        assert abs(covered - 0.95) < 5 * math.sqrt(0.05 * 0.95 / trials), name


def test_a_weighted_log_rank_test_has_no_true_value_but_a_null() -> None:
    analyses = {"late": {"fleming_harrington": {"rho": 0, "gamma": 1}}}
    for ratio, null in ((RATIO, False), (1.0, True)):
        _, _, (cell,) = run_of(scenario(survival(effect={"treatment": ratio}), analyses, "lower", n=40), 2)
        assert math.isnan(cell["true_value"])
        assert cell["null"] is null
        assert cell["estimand"] == "weighted_log_hazard_ratio"


@pytest.mark.parametrize(
    ("direction", "margin", "ratio", "null"),
    [
        ("higher", 0.0, 1.0, True),
        ("higher", -0.1, 1.0, False),  # no worse than by 0.1
        ("higher", -0.1, 0.5, True),  # from 0.3 to 0.176
        ("higher", 0.1, 1.3, True),
        ("lower", 0.1, 1.0, False),
        ("lower", 0.1, 1.7, True),
        ("lower", -0.1, 0.5, False),
    ],
)
def test_the_null_hypothesis_of_a_margin(direction: str, margin: float, ratio: float, null: bool) -> None:
    analyses = {"margin": {"miettinen_nurminen": {"margin": margin}}}
    _, _, (cell,) = run_of(scenario(binary(effect={"treatment": ratio}), analyses, direction, n=40), 2)
    assert cell["null"] is null
    at = 0.3 * ratio / (0.7 + 0.3 * ratio) - 0.3
    assert cell["true_value"] == pytest.approx(at, abs=1e-9)
    assert cell["best_arm"] == (
        "" if ratio == 1.0 else "treatment" if (ratio > 1.0) == (direction == "higher") else "control"
    )
