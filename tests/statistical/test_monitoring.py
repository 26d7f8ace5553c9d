"""What monitoring does, against closed forms, and what it may be asked for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from trialsim.engines.plan import build_plan
from trialsim.engines.true_values import true_value
from trialsim.errors import ScenarioError
from trialsim.oc.in_memory import collect
from trialsim.scenario.load import patient_table, scenario_from

RATE, STEP, DOSE = 4.0 / 365.25, 30.0, 0.5
"""Adverse events a day at the full dose, days between visits, the lower dose."""
SCORE = {"kind": "continuous", "readout": "90 days", "mean": 0, "sd": 1}


def tree(rule: dict[str, Any] | None, **parts: Any) -> dict[str, Any]:
    """Return a trial of patients with adverse events at a constant rate, seen at two visits of three steps."""
    design = {
        "kind": "fixed",
        "n": 1000,
        "allocation": "alternating",
        "looks": [{"when": {"readouts": 1000}}],
        "tests": {"primary": {"alpha": 0.025}},
    }
    if rule is not None:
        design["policies"] = {"monitoring": {"dose_modification": rule}}
    return {
        "name": "monitoring",
        "arms": ["control", "treatment"],
        "accrual": {"evenly_spaced": {"over": "30 days"}},
        "endpoints": {"score": SCORE | {"effect": {"treatment": 0}}},
        "treatment": {"doses": [1, DOSE]},
        "adverse_events": {
            "rash": {"baseline": {"hazard": "4 per year"}, "dose_exponent": 1, "severity": {"mild": 0.5, "severe": 0.5}}
        },
        "visits": {"at": ["30 days", "60 days"]},
        "hypotheses": {
            "primary": {
                "endpoint": "score", "arms": ["treatment", "control"], "analysis": "t_test", "direction": "higher",
            }
        },
        "truths": {"here": {}},
        "designs": {"only": design},
    } | parts  # fmt: skip


def per_patient(rule: dict[str, Any] | None, replicates: int = 100) -> dict[str, tuple[float, float]]:
    """Return the mean number a patient of what is recorded by arm, with its standard error from trial to trial."""
    arms = collect(scenario_from(tree(rule)), ["only"], ["here"], replicates, 3).arms.to_pandas()
    found = {}
    for name in (
        "adverse_events:rash:mild",
        "adverse_events:rash:severe",
        "dose_reductions",
        "discontinued:monitoring",
    ):
        if name in arms.columns:
            share = arms.groupby("replicate")[name].sum() / 1000
            found[name] = float(share.mean()), float(share.std(ddof=1) / np.sqrt(replicates))
    return found


def test_doses_fall_and_treatment_ends_as_often_as_poisson_events_say() -> None:
    """A visit with an event more than the dose has been lowered lowers it; below the last level treatment ends."""
    none, none_low = np.exp(-RATE * STEP), np.exp(-RATE * DOSE * STEP)
    full = none * none
    one = RATE * STEP * none  # exactly one event in the first step
    low = none * (1.0 - none) + one * none_low
    first, second = RATE * STEP, RATE * STEP * (none + (1.0 - none) * DOSE)
    third = RATE * STEP * (full + low * DOSE)
    found = per_patient({"level": "mild", "reduce_after": 1})
    events = found["adverse_events:rash:mild"][0] + found["adverse_events:rash:severe"][0]
    error = found["adverse_events:rash:mild"][1] + found["adverse_events:rash:severe"][1]
    assert abs(events - (first + second + third)) < 5 * error
    expected = {
        "dose_reductions": (1.0 - none) + none * (1.0 - none),
        "discontinued:monitoring": 1.0 - full - low,
    }
    for name, value in expected.items():
        mean, se = found[name]
        assert abs(mean - value) < 5 * se, name


def test_only_events_of_the_level_count() -> None:
    """Half of all events are severe: treatment ends at a visit for those who have had one by then."""
    found = per_patient({"level": "severe", "discontinue_after": 1})
    mean, se = found["discontinued:monitoring"]
    assert abs(mean - (1.0 - np.exp(-RATE * STEP))) < 5 * se  # two steps at half the rate
    assert found["dose_reductions"] == (0.0, 0.0)
    assert "discontinued:monitoring" not in per_patient(None, 2)


def test_true_values_are_those_of_monitored_trials() -> None:
    """Where the effect stops with treatment, the true difference is the mean over who is still treated at the read-out."""
    parts = {
        "endpoints": {
            "score": {
                "kind": "continuous",
                "readout": "90 days",
                "mean": 0,
                "sd": 1,
                "effect": {"treatment": 2},
            }
        },
        "treatment": {"doses": [1, DOSE], "effect_stops": True},
    }
    scenario = scenario_from(tree({"level": "severe", "discontinue_after": 1}, **parts))
    plan = build_plan(scenario, "only", "here", 1, 1, patient_table(scenario))
    found = true_value(plan, plan.tests[0], 1, 0)
    treated = np.exp(-RATE * STEP)
    assert abs(found - 2.0 * treated) < 5 * 2.0 * np.sqrt(treated * (1.0 - treated) / 100_000)
    assert true_value(
        build_plan(scenario_from(tree(None, **parts)), "only", "here", 1, 1, None), plan.tests[0], 1, 0
    ) == pytest.approx(2.0)


def test_what_monitoring_needs_is_said() -> None:
    """Visits, adverse events, a severity that exists, and levels of the dose to give up."""
    rule = {"level": "grave", "reduce_after": 1}
    with pytest.raises(ScenarioError) as refused:
        scenario_from(tree(rule, treatment={"doses": [1]}, visits=None))
    said = {problem.path: problem.message for problem in refused.value.problems}
    at = "designs.only.policies.monitoring.dose_modification"
    assert "decides at visits, and there are none" in said[at]
    assert "grave" in said[f"{at}.level"]
    assert "one dose level" in said[f"{at}.reduce_after"]
    with pytest.raises(ScenarioError, match="the rule does nothing"):
        scenario_from(tree({"level": "mild"}))
