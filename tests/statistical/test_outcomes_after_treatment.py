"""Binary and continuous outcomes with what is left of the effect: against closed forms, and patient by patient."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from trialsim.contracts import Kind
from trialsim.engines.conduct import conduct
from trialsim.engines.life import fading_weights
from trialsim.engines.plan import build_plan
from trialsim.engines.potential_outcomes import SAMPLE, true_value
from trialsim.engines.runner import chunk_of
from trialsim.oc.characteristics import operating_characteristics
from trialsim.oc.in_memory import collect
from trialsim.scenario.load import scenario_from
from trialsim.scenario.schema import Scenario

STOP, DAY, HALF_LIFE = 0.01, 100.0, 60.0
LOW, HIGH = 0.3, 0.6
BINARY = {
    "kind": "binary",
    "readout": f"{DAY:g} days",
    "rate": LOW,
    "effect": {"treatment": HIGH},
    "effect_measure": "rate",
}
MEASURED = {
    "kind": "continuous",
    "readout": f"{DAY:g} days",
    "mean": 5,
    "sd": 2,
    "effect": {"treatment": 3},
}


def scenario(endpoint: dict[str, Any], treatment: dict[str, Any], **parts: Any) -> Scenario:
    analysis = {"binary": "score_test", "continuous": "t_test"}[endpoint["kind"]]
    hypothesis = {
        "endpoint": "e",
        "arms": ["treatment", "control"],
        "analysis": analysis,
        "direction": "higher",
    }
    return scenario_from(
        {
            "name": "after",
            "horizon": "3 years",
            "accrual": {"uniform": {"over": "30 days"}},
            "arms": ["control", "treatment"],
            "endpoints": {"e": endpoint},
            "treatment": treatment,
            "discontinuation": {"any": {"baseline": {"hazard": f"{STOP} per day"}}},
            "hypotheses": {"h": hypothesis},
            "truths": {"here": {}},
            "designs": {
                "d": {
                    "kind": "fixed",
                    "n": 400,
                    "allocation": "alternating",
                    "looks": [{"when": {"readouts": 400}}],
                    "tests": {"h": {"alpha": 0.025}},
                }
            },
        }
        | parts
    )


def true_effect(found: Scenario) -> float:
    plan = build_plan(found, "d", "here", 1)
    return true_value(plan, plan.tests[0], 1, 0)


def chances_left() -> list[tuple[float, float]]:
    """Return each amount of effect that may be left at the read-out, and its probability."""
    weights, step = fading_weights(True, False), HALF_LIFE / 4.0
    found = [(1.0, np.exp(-STOP * DAY))]
    for k, weight in enumerate(weights[1:]):
        latest = max(DAY - k * step, 0.0)
        earliest = max(DAY - (k + 1) * step, 0.0) if k + 2 < len(weights) else 0.0
        found.append((weight, float(np.exp(-STOP * earliest) - np.exp(-STOP * latest))))
    assert sum(chance for _, chance in found) == pytest.approx(1.0)
    return found


def response(weight: float) -> float:
    logits = [np.log(p / (1.0 - p)) for p in (LOW, HIGH)]
    return float(1.0 / (1.0 + np.exp(-(logits[0] + weight * (logits[1] - logits[0])))))


WANING = {"waning": {"half_life": f"{HALF_LIFE:g} days"}}
EXACT_WANING = {
    "binary": sum(chance * response(weight) for weight, chance in chances_left()) - LOW,
    "continuous": 3.0 * sum(chance * weight for weight, chance in chances_left()),
}


@pytest.mark.parametrize("endpoint", [BINARY, MEASURED], ids=["binary", "continuous"])
def test_a_fading_effect_is_what_the_steps_leave_of_it(endpoint: dict[str, Any]) -> None:
    made = scenario(endpoint, WANING)
    exact = EXACT_WANING[endpoint["kind"]]
    size = {"binary": HIGH - LOW, "continuous": 3.0}[endpoint["kind"]]
    assert abs(true_effect(made) - exact) < 5.0 * size * np.sqrt(0.25 / SAMPLE)
    assert exact < 0.8 * size
    found = operating_characteristics(collect(made, ["d"], ["here"], 1500, 4))
    (bias,) = found.select("bias", reason=None)
    assert bias.mcse is not None
    assert abs(bias.value) < 5.0 * bias.mcse + 5.0 * size * np.sqrt(0.25 / SAMPLE)
    # Estimates of the effect as randomised would be far from the whole one.
    assert bias.mcse < 0.05 * (size - exact)


def test_where_the_effect_stops_only_those_on_treatment_have_it() -> None:
    stays = np.exp(-STOP * DAY)
    for endpoint, whole in ((BINARY, HIGH - LOW), (MEASURED, 3.0)):
        found = true_effect(scenario(endpoint, {"effect_stops": True}))
        assert abs(found - whole * stays) < 5.0 * whole * np.sqrt(0.25 / SAMPLE)


DYING: dict[str, dict[str, Any]] = {
    "of the disease": {"death": {"hazard": f"{STOP} per day"}, "fatal": 0.0},
    "of adverse events": {"death": {"hazard": "0.000001 per day"}, "fatal": 1.0},
}


@pytest.mark.parametrize("cause", DYING)
@pytest.mark.parametrize("strategy", ["treatment_policy", "hypothetical", "principal_stratum"])
def test_deaths_that_come_by_chance_move_no_true_value_of_strategies_that_pass_over_them(
    cause: str, strategy: str
) -> None:
    dying = DYING[cause]
    found = scenario(
        MEASURED,
        {"effect_stops": True},
        endpoints={
            "e": MEASURED,
            "death": {
                "kind": "survival", "baseline": dying["death"], "effect": {"treatment": 1.0}, "terminal": True,
            },
        },
        adverse_events={
            "fall": {
                "baseline": {"hazard": f"{STOP} per day"}, "severity": {"severe": 1.0}, "window": "1 year",
                "fatal": {"severe": dying["fatal"]},
            }
        },
        hypotheses={
            "h": {
                "endpoint": "e", "arms": ["treatment", "control"], "analysis": "t_test", "direction": "higher",
                "strategy": strategy,
            }
        },
    )  # fmt: skip
    # Death and discontinuation are independent: of those alive as many are on treatment as if nobody died.
    on_treatment = np.exp(-STOP * DAY) if strategy == "treatment_policy" else 1.0
    assert abs(true_effect(found) - 3.0 * on_treatment) < 5.0 * 3.0 * np.sqrt(0.25 / SAMPLE)
    if strategy == "treatment_policy":
        rows = operating_characteristics(collect(found, ["d"], ["here"], 100, 4))
        (bias,) = rows.select("bias", hypothesis="h", reason=None)
        assert abs(bias.value) < 5.0 * bias.mcse


def test_who_crosses_over_and_dies_would_have_been_on_the_other_arm() -> None:
    crossing, delay = 0.6, 5.0
    made = scenario(
        MEASURED,
        {
            "crossover": {
                "from": ["control"], "to": "treatment", "probability": crossing, "on": "discontinuation",
                "delay": f"{delay:g} days",
            }
        },
        endpoints={
            "e": MEASURED,
            "death": {
                "kind": "survival", "baseline": {"hazard": f"{STOP} per day"}, "effect": {"treatment": 1.0},
                "terminal": True,
            },
        },
    )  # fmt: skip
    crossed = crossing * (1.0 - np.exp(-STOP * (DAY - delay)))
    assert abs(true_effect(made) - 3.0 * (1.0 - crossed)) < 5.0 * 3.0 * np.sqrt(0.25 / SAMPLE)
    (bias,) = operating_characteristics(collect(made, ["d"], ["here"], 1500, 4)).select("bias", reason=None)
    assert bias.mcse is not None and abs(bias.value) < 5.0 * bias.mcse


def test_without_either_the_effect_stays() -> None:
    assert true_effect(scenario(MEASURED, {"doses": [1, 0.5]})) == pytest.approx(3.0, abs=1e-12)


def test_who_crosses_over_has_the_outcome_of_the_other_arm() -> None:
    delay = 20.0
    crossover = {"from": ["control"], "to": "treatment", "probability": 0.7, "on": "discontinuation"}
    crossed = 0.7 * (1.0 - np.exp(-STOP * (DAY - delay)))
    for endpoint, whole in ((BINARY, HIGH - LOW), (MEASURED, 3.0)):
        made = scenario(endpoint, {"crossover": crossover | {"delay": f"{delay:g} days"}})
        assert abs(true_effect(made) - whole * (1.0 - crossed)) < 5.0 * whole * np.sqrt(0.25 / SAMPLE)


def read_outs(made: Scenario, engine: str) -> dict[int, tuple[float, bool, int]]:
    """Return of each patient the outcome, whether treatment had stopped before it, and the arm."""
    log = conduct(chunk_of(made, "d", "here", [2], 1, engine)).chunk.log(0)
    arms = {row.id: int(row.value) for row in log if row.kind == Kind.RANDOMISATION}
    stopped = {row.id: row.tick for row in log if row.kind == Kind.DISCONTINUED}
    return {
        row.id: (row.value, stopped.get(row.id, row.tick) < row.tick, arms[row.id])
        for row in log
        if row.kind == Kind.READOUT
    }


@pytest.mark.parametrize("endpoint", [BINARY, MEASURED], ids=["binary", "continuous"])
@pytest.mark.parametrize("engine", ["fast", "reference"])
def test_with_nothing_left_the_outcome_is_the_very_one_on_control(
    endpoint: dict[str, Any], engine: str
) -> None:
    none = {"treatment": LOW if endpoint["kind"] == "binary" else 0}
    here, whole, nothing = (
        read_outs(scenario(endpoint | more, treatment), engine)
        for more, treatment in (
            ({}, {"effect_stops": True}),
            ({}, {"doses": [1, 0.5]}),
            ({"effect": none}, {"effect_stops": True}),
        )
    )
    assert here.keys() == whole.keys() == nothing.keys()
    assert sum(off and arm == 1 for _, off, arm in here.values()) > 80
    for patient, (value, off, arm) in here.items():
        assert value == (nothing if off and arm == 1 else whole)[patient][0]
    assert any(here[patient][0] != whole[patient][0] for patient in here)
