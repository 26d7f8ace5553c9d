"""Binary and continuous outcomes follow the probabilities and means that the scenario states."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats
from scipy.special import expit, logit

from tests.statistical.big_trial import RARE, BigTrial, big_trial, share_error

_PEOPLE = {
    "marginals": {"age": {"normal": {"mean": 50, "sd": 10}}},
    "traits": {"prognosis": {"sd": 1.0}, "predictive": {"sd": 0.5}},
}
_PREDICTOR = {
    "covariates": {"age": 0.04},
    "centre": {"age": 50},
    "latent": {"prognosis": 0.8},
    "modifiers": {"predictive": 1.0},
}


def binary(effect: float, measure: str, **parts: Any) -> dict[str, Any]:
    return {
        "kind": "binary",
        "readout": "4 weeks",
        "rate": 0.3,
        "effect": {"treatment": effect},
        "effect_measure": measure,
    } | parts


def predictor_of(trial: BigTrial) -> np.ndarray:
    linear = 0.04 * (trial.column("age") - 50) + 0.8 * trial.column("prognosis")
    return linear + np.where(trial.arm == 1, trial.column("predictive"), 0.0)


def check_probabilities(trial: BigTrial, probability: np.ndarray) -> None:
    """Compare responses with each patient's probability, in tenths of the probability and by arm."""
    for arm in (0, 1):
        y, p = trial.value[trial.arm == arm], probability[trial.arm == arm]
        for part in np.array_split(np.argsort(p, kind="stable"), 10):
            assert abs((y[part] - p[part]).sum()) < 5 * np.sqrt((p[part] * (1 - p[part])).sum())


@pytest.mark.parametrize(
    ("effect", "measure", "expected"),
    [
        (0.45, "rate", 0.45),
        (2.0, "odds_ratio", (0.3 / 0.7 * 2) / (1 + 0.3 / 0.7 * 2)),
        (-0.12, "risk_difference", 0.18),
    ],
)
def test_response_rates(effect: float, measure: str, expected: float) -> None:
    trial = big_trial(binary(effect, measure))
    for arm, rate in enumerate((0.3, expected)):
        here = trial.value[trial.arm == arm]
        assert set(here) == {0.0, 1.0}
        assert abs(here.mean() - rate) < share_error(rate, len(here))


def test_logistic_response_of_each_patient() -> None:
    trial = big_trial(binary(0.45, "rate", effect_kind="conditional", **_PREDICTOR), population=_PEOPLE)
    intercept = np.where(trial.arm == 1, logit(0.45), logit(0.3))
    check_probabilities(trial, expit(intercept + predictor_of(trial)))


@pytest.mark.parametrize("scale", ["linear_predictor", "probability"])
@pytest.mark.parametrize("steps", [False, True])
def test_response_drifts_with_entry(scale: str, steps: bool) -> None:
    shift = 0.1 if scale == "probability" else 0.5
    pieces = [{"from": "100 days", "change": shift}, {"from": "500 days", "change": -shift}]
    drift = {"scale": scale} | ({"steps": pieces} if steps else {"per_year": shift})
    trial = big_trial(binary(0.45, "rate", drift=drift), accrual={"evenly_spaced": {"over": "730.5 days"}})
    if steps:
        change = np.select([trial.entry >= 500, trial.entry >= 100], [-shift, shift], 0.0)
    else:
        change = shift * trial.entry / 365.25
    base = np.where(trial.arm == 1, 0.45, 0.3)
    check_probabilities(trial, base + change if scale == "probability" else expit(logit(base) + change))


@pytest.mark.slow
@pytest.mark.parametrize("measure", ["rate", "odds_ratio", "risk_difference"])
def test_marginal_rates_are_solved_for(measure: str) -> None:
    effect, expected = {
        "rate": (0.45, 0.45), "odds_ratio": (2.0, 6 / 13), "risk_difference": (0.2, 0.5),
    }[measure]  # fmt: skip
    n = 40_000
    trial = big_trial(binary(effect, measure, effect_kind="marginal", **_PREDICTOR), n=n, population=_PEOPLE)
    # The rate is averaged over ten thousand patients of its own, whose error is that of a mean of probabilities.
    probability = expit(predictor_of(trial))
    for arm, rate in enumerate((0.3, expected)):
        here = trial.arm == arm
        error = np.hypot(share_error(rate, here.sum()) / 5, probability[here].std() / np.sqrt(10_000))
        assert abs(trial.value[here].mean() - rate) < 5 * error
    conditional = big_trial(
        binary(effect, measure, effect_kind="conditional", **_PREDICTOR), n=n, population=_PEOPLE
    )
    control = conditional.value[conditional.arm == 0]
    assert abs(control.mean() - 0.3) > share_error(0.3, len(control)), (
        "the two kinds of effect do differ here"
    )


def test_measurements_are_normal_around_their_mean() -> None:
    endpoint = {
        "kind": "continuous",
        "readout": "20 weeks",
        "mean": 336,
        "sd": 100,
        "effect": {"treatment": 50},
    }
    trial = big_trial(
        endpoint | {"effect_kind": "conditional", "drift": {"per_year": 20}} | _PREDICTOR,
        population=_PEOPLE,
        accrual={"evenly_spaced": {"over": "365.25 days"}},
    )
    expected = np.where(trial.arm == 1, 386, 336) + predictor_of(trial) + 20 * trial.entry / 365.25
    residual = (trial.value - expected) / 100
    n = len(residual)
    assert stats.kstest(residual, "norm").pvalue > RARE
    assert abs(residual.std() - 1) < 5 / np.sqrt(2 * n)
    for arm in (0, 1):
        assert abs(residual[trial.arm == arm].mean()) < 5 / np.sqrt(n / 2)
    assert abs(np.corrcoef(residual, trial.column("prognosis"))[0, 1]) < 5 / np.sqrt(n)


def test_marginal_means_are_solved_for() -> None:
    endpoint = {"kind": "continuous", "readout": "20 weeks", "mean": 10, "sd": 3, "effect": {"treatment": 2}}
    predictor = {"covariates": {"age": 0.5}, "modifiers": {"age": 0.2}}
    trial = big_trial(endpoint | {"effect_kind": "marginal"} | predictor, population=_PEOPLE)
    for arm, mean in enumerate((10, 12)):
        here = trial.value[trial.arm == arm]
        error = np.hypot(here.std() / np.sqrt(len(here)), 10 * (0.5 + 0.2 * arm) / np.sqrt(10_000))
        assert abs(here.mean() - mean) < 5 * error


def test_a_read_out_after_dropout_is_never_seen() -> None:
    trial = big_trial(binary(0.45, "rate"), dropout={"baseline": {"survival": 0.7, "at": "4 weeks"}})
    seen = np.isfinite(trial.value)
    assert (seen == ~np.isfinite(trial.lost)).all()
    assert abs(seen.mean() - 0.7) < share_error(0.7, len(seen))
    assert trial.lost[~seen].max() < 28
