"""Monte Carlo errors of true values, and what the effect as written says beside the estimand."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from tests.statistical.test_strategies import HAZARD, STOP, WAYS, scenario, survival
from trialsim.engines import potential_outcomes
from trialsim.engines.cell_facts import cell_table
from trialsim.engines.plan import build_plan
from trialsim.engines.true_values import true_value, true_value_with_error

FEWER_STOP = {"any": {"baseline": {"hazard": f"{STOP} per day"}, "effect": {"treatment": 0.5}}}
BINARY = {
    "kind": "binary",
    "readout": "100 days",
    "rate": 0.4,
    "effect": {"treatment": 0.6},
    "effect_measure": "rate",
}
SEEDS, PATIENTS = 40, 4000


def rows(*arguments: Any, **parts: Any) -> dict[str, dict[str, Any]]:
    told = cell_table([build_plan(scenario(*arguments, **parts), "d", "here", 1)]).to_pylist()
    return {row["hypothesis"]: row for row in told}


@pytest.mark.parametrize(
    ("endpoint", "analysis", "direction"),
    [
        pytest.param(survival(), "logrank", "lower", marks=pytest.mark.slow),
        (BINARY, "score_test", "higher"),
    ],
)
def test_the_error_of_a_true_value_is_how_much_it_varies_between_seeds(
    endpoint: dict[str, Any], analysis: str, direction: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = build_plan(scenario(endpoint, analysis, direction), "d", "here", 1)
    monkeypatch.setattr(potential_outcomes, "SAMPLE", PATIENTS)
    values: dict[str, list[float]] = {way: [] for way in WAYS}
    errors: dict[str, list[float]] = {way: [] for way in WAYS}
    for seed in range(SEEDS):
        monkeypatch.setattr(potential_outcomes, "TRUTH_SEED", 1000 + seed)
        for test in plan.tests:
            value, error = true_value_with_error(plan, test, 1, 0)
            values[test.name].append(value)
            errors[test.name].append(error)
        if seed == 0:
            plain = {test.name: true_value(plan, test, 1, 0) for test in plan.tests}
            assert plain == {way: found[0] for way, found in values.items()}
    # A standard deviation of n values has a relative error of about 1 / sqrt(2 (n - 1)); each error comes of 20 parts.
    spread = math.sqrt(1.0 / (2 * (SEEDS - 1)) + 1.0 / (2 * 19 * SEEDS))
    for way in WAYS:
        seen = float(np.std(values[way], ddof=1))
        told = math.sqrt(float(np.mean(np.square(errors[way]))))
        if seen < 1e-12:  # expected read-outs that are the same of everybody
            assert told < 1e-12, way
            continue
        assert abs(told / seen - 1.0) < 5.0 * spread, way


def test_a_true_value_is_that_of_the_closed_form_within_its_error() -> None:
    found = rows(survival(ratio=1.0), "logrank", "lower", discontinuation=FEWER_STOP)
    composite = found["composite"]
    ratio = (HAZARD + 0.5 * STOP) / (HAZARD + STOP)
    assert 0.0 < composite["true_value_mcse"] < 0.02
    assert abs(composite["true_value"] - math.log(ratio)) < 5.0 * composite["true_value_mcse"]
    # Without an effect nothing but discontinuation tells the arms apart.
    assert (composite["null"], composite["undisturbed_null"], composite["undisturbed_value"]) == (
        False,
        True,
        0.0,
    )
    policy = found["treatment_policy"]
    assert (policy["null"], policy["undisturbed_null"]) == (True, True)
    assert (
        policy["strategy"] == "treatment_policy"
        and policy["endpoint"] == "e"
        and policy["analysis"] == "logrank"
    )


def test_a_benefit_as_written_may_be_none_by_the_estimand() -> None:
    more = {"any": {"baseline": {"hazard": f"{STOP} per day"}, "effect": {"treatment": 3}}}
    found = rows(survival(ratio=0.8), "logrank", "lower", discontinuation=more)["composite"]
    # The limit of a Cox model is integrated numerically.
    assert found["undisturbed_value"] == pytest.approx(math.log(0.8), abs=1e-6)
    assert found["true_value"] > 0.0
    assert (found["null"], found["undisturbed_null"]) == (True, False)


def test_a_value_of_the_laws_alone_has_no_error() -> None:
    found = rows(survival(), "logrank", "lower", treatment={})
    for row in (found["treatment_policy"],):
        assert math.isnan(row["true_value_mcse"])
        assert row["undisturbed_value"] == row["true_value"]


@pytest.mark.parametrize(
    ("endpoint", "analysis", "direction"),
    [
        (survival(), {"restricted_mean": {"up_to": "200 days"}}, "higher"),
        (survival(), {"milestone": {"at": "200 days"}}, "higher"),
        (BINARY, "logistic", "higher"),
    ],
)
def test_the_value_with_an_error_is_the_true_value(
    endpoint: dict[str, Any], analysis: Any, direction: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = build_plan(scenario(endpoint, analysis, direction), "d", "here", 1)
    monkeypatch.setattr(potential_outcomes, "SAMPLE", PATIENTS)
    for test in plan.tests:
        value, error = true_value_with_error(plan, test, 1, 0)
        assert value == true_value(plan, test, 1, 0)
        assert 0.0 <= error < abs(value)
