"""True values against brute force: the same keyed patients under both arms, every outcome drawn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.special import expit, logit
from scipy.stats import gamma

from tests.statistical.big_trial import big_trial, plan_of
from tests.statistical.data_cuts import survival_cut
from trialsim.analyses.cox import Cox
from trialsim.draws import TRUTH_REPLICATE, TRUTH_SEED
from trialsim.engines.keyed_lives import parts_of

YEAR = 365.25
_PEOPLE = {
    "marginals": {"age": {"normal": {"mean": 50, "sd": 10}}},
    "traits": {"prognosis": {"sd": 1.0}, "predictive": {"sd": 0.6}},
}
_PREDICTOR = {
    "effect_kind": "conditional",
    "covariates": {"age": 0.03},
    "centre": {"age": 50},
    "latent": {"prognosis": 0.8},
    "modifiers": {"predictive": 0.7},
}


def survival(effect: Any, **parts: Any) -> dict[str, Any]:
    return {"kind": "survival", "baseline": {"median": "240 days"}, "effect": {"treatment": effect}} | parts


def cox_of(trial: Any, follow_up: float) -> tuple[float, float]:
    """Return log hazard ratio and standard error of a Cox model with everyone followed for the same time."""
    time = np.minimum(trial.event, follow_up)
    # Ties are fewer than the resolution of the model matters: round to hours to keep the table short.
    time = np.ceil(time * 24)
    found = Cox().estimate(survival_cut((time, trial.event <= follow_up, trial.arm == 1)), True, {})
    return float(found.effect[0]), float(found.se[0])


_WORLDS: dict[str, dict[str, Any]] = {
    "proportional": survival(0.6),
    "delayed": survival([{"from": "0 days", "hazard_ratio": 1.0}, {"from": "120 days", "hazard_ratio": 0.5}]),
    "weibull": survival(0.6, baseline={"weibull": {"shape": 1.6, "median": "240 days"}}),
    "heterogeneous": survival(0.5, **_PREDICTOR),
}


@pytest.mark.slow
@pytest.mark.parametrize("follow_up", [200.0, 1500.0])
@pytest.mark.parametrize("world", _WORLDS)
def test_the_true_hazard_ratio_is_that_of_a_large_trial(world: str, follow_up: float) -> None:
    people = {"population": _PEOPLE} if world == "heterogeneous" else {}
    trial = big_trial(_WORLDS[world], n=40_000, **people)
    truth = trial.plan.world.true_value(0, 1, 0, follow_up)
    found, se = cox_of(trial, follow_up)
    # Where patients differ the truth is that of 10,000 of them; the modifier's spread is its error.
    se = np.hypot(se, 0.7 * 0.6 / np.sqrt(10_000) if world == "heterogeneous" else 0.0)
    assert abs(found - truth) < 5 * se
    if world == "proportional":
        assert truth == pytest.approx(np.log(0.6), abs=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("ratio", [0.5, 1.4])
def test_a_marginal_hazard_ratio_is_solved_for(ratio: float) -> None:
    endpoint = survival(ratio, **_PREDICTOR | {"effect_kind": "marginal"})
    trial = big_trial(
        endpoint, n=40_000, population=_PEOPLE, horizon="1200 days", designs=_short("1100 days")
    )
    assert trial.plan.world.true_value(0, 1, 0, 1200.0) == pytest.approx(np.log(ratio), abs=1e-6)
    found, se = cox_of(trial, 1090.0)
    assert abs(found - np.log(ratio)) < 5 * np.hypot(se, 0.7 * 0.6 / np.sqrt(10_000))


def _short(until: str) -> dict[str, Any]:
    return {
        "one": {
            "kind": "fixed",
            "n": 40_000,
            "allocation": "alternating",
            "looks": [{"when": {"calendar": until}}],
            "tests": {"primary": {"alpha": 0.025}},
        }
    }


def test_without_an_effect_the_truth_is_exactly_zero() -> None:
    plan = plan_of(
        survival(1.0, **{k: v for k, v in _PREDICTOR.items() if k != "modifiers"}), 100, population=_PEOPLE
    )
    assert plan.world.true_value(0, 1, 0, 1000.0) == 0.0


_BINARY = {
    "kind": "binary",
    "readout": "1 day",
    "rate": 0.3,
    "effect": {"treatment": 0.5},
    "effect_measure": "rate",
}
_CONTINUOUS = {"kind": "continuous", "readout": "1 day", "mean": 10, "sd": 3, "effect": {"treatment": 2}}


@pytest.mark.parametrize("drift", [pytest.param(None, marks=pytest.mark.slow), {"per_year": 0.7}])
@pytest.mark.parametrize(
    "endpoint", [_BINARY, pytest.param(_CONTINUOUS, marks=pytest.mark.slow)], ids=["binary", "continuous"]
)
def test_the_true_difference_averages_both_outcomes_of_the_same_patients(
    endpoint: dict[str, Any], drift: dict[str, float] | None
) -> None:
    n = 4000
    parts = _PREDICTOR | ({"drift": drift} if drift else {})
    over = {"accrual": {"evenly_spaced": {"over": "2 years"}}}
    plan = plan_of(endpoint | parts, n, population=_PEOPLE, **over)
    records = dict(
        zip(
            plan.world.source.columns,
            plan.world.source.records(TRUTH_SEED, TRUTH_REPLICATE, 10_000).T,
            strict=True,
        )
    )
    spread = (np.arange(10_000) + 0.5) * (np.sqrt(5) - 1) / 2 % 1  # a low-discrepancy sequence
    entry = 2.0 * (np.floor(spread * n) + 1) / n
    linear = 0.03 * (records["age"] - 50) + 0.8 * records["prognosis"] + (0.7 * entry if drift else 0.0)
    modifier = 0.7 * records["predictive"]
    if endpoint["kind"] == "binary":
        expected = expit(logit(0.5) + linear + modifier).mean() - expit(logit(0.3) + linear).mean()
    else:
        expected = 2 + modifier.mean()
    assert plan.world.true_value(0, 1, 0, 1000.0) == pytest.approx(expected, abs=1e-9)
    trial = big_trial(endpoint | parts, n=40_000, population=_PEOPLE, **over)
    treated, control = trial.value[trial.arm == 1], trial.value[trial.arm == 0]
    error = np.sqrt(treated.var() / len(treated) + control.var() / len(control) + 0.42**2 / 10_000)
    assert abs(treated.mean() - control.mean() - expected) < 5 * error


def test_drift_of_identical_patients_is_averaged_over_their_entries() -> None:
    plan = plan_of(
        _BINARY | {"drift": {"per_year": 0.9}}, 500, accrual={"evenly_spaced": {"over": "3 years"}}
    )
    drift = 0.9 * 3 * np.arange(1, 501) / 500
    expected = (expit(logit(0.5) + drift) - expit(logit(0.3) + drift)).mean()
    assert plan.world.true_value(0, 1, 0, 1000.0) == pytest.approx(expected, abs=1e-7)


_LATE = {"steps": [{"from": "4 months", "change": 2.5}]}


def test_drift_is_averaged_over_the_entries_of_all_trials_and_not_of_one() -> None:
    accrual = {"poisson": {"rate": "5 per month"}}
    late = float(gamma(np.arange(1, 41), scale=0.2).sf(4.0).mean())  # the i-th of 40 comes after a gamma time
    early_effect, late_effect = (expit(logit(0.5) + d) - expit(logit(0.3) + d) for d in (0.0, 2.5))
    expected = (1 - late) * early_effect + late * late_effect
    alike = plan_of(_BINARY | {"drift": _LATE}, 40, accrual=accrual)
    assert alike.world.true_value(0, 1, 0, 1000.0) == pytest.approx(expected, abs=2e-5)  # a patient of 4,000
    # Patients who differ only by what does not matter.
    drawn = plan_of(_BINARY | {"drift": _LATE}, 40, population=_PEOPLE, accrual=accrual)
    assert drawn.world.true_value(0, 1, 0, 1000.0) == pytest.approx(expected, abs=5e-5)


def test_patients_alike_whose_lives_are_followed_enter_along_the_accrual() -> None:
    world = plan_of(
        _BINARY | {"drift": {"per_year": 0.9}}, 500, accrual={"evenly_spaced": {"over": "3 years"}}
    ).world
    *_, drift = parts_of(world, 0, world.source.records(0, 1, 2_000), 1)
    expected = 0.9 * 3 * np.arange(1, 501) / 500
    assert np.sort(drift).reshape(500, 4).mean(axis=1) == pytest.approx(expected, abs=0.01)
