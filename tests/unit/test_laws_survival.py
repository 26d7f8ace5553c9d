"""Times to event follow the survival functions that the scenario states."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats

from tests.statistical.big_trial import RARE, big_trial, share_error

Steps = list[tuple[float, float]]


def cumulative(steps: Steps, days: np.ndarray) -> np.ndarray:
    """Return the integral of a step function that begins at (0, level)."""
    ends = [start for start, _ in steps[1:]] + [np.inf]
    return sum(
        level * np.clip(days - start, 0, end - start) for (start, level), end in zip(steps, ends, strict=True)
    )


def levels(steps: Steps, at: float) -> float:
    return [level for start, level in steps if start <= at][-1]


def product(a: Steps, b: Steps) -> Steps:
    return [(at, levels(a, at) * levels(b, at)) for at in sorted({start for start, _ in (*a, *b)})]


_BASELINES: dict[str, tuple[dict[str, Any], Any]] = {
    "median": ({"median": "240 days"}, lambda t: np.log(2) * t / 240),
    "hazard": ({"hazard": "0.004 per day"}, lambda t: 0.004 * t),
    "survival": ({"survival": 0.8, "at": "100 days"}, lambda t: -np.log(0.8) * t / 100),
    "weibull": ({"weibull": {"shape": 1.7, "median": "200 days"}}, lambda t: np.log(2) * (t / 200) ** 1.7),
    "weibull_scale": ({"weibull": {"shape": 0.6, "scale": "200 days"}}, lambda t: (t / 200) ** 0.6),
    "weibull_of_shape_one": ({"weibull": {"shape": 1.0, "scale": "200 days"}}, lambda t: t / 200),
}
_PIECES: Steps = [(0, 0.002), (60, 0.0), (100, 0.02), (150, 0.005)]
_RATIOS: Steps = [(0, 1.0), (80, 0.4), (120, 0.9)]


def _check(days: np.ndarray, cumulative_hazard: Any) -> None:
    assert np.isfinite(days).all()
    assert stats.kstest(days, lambda t: 1 - np.exp(-cumulative_hazard(t))).pvalue > RARE


@pytest.mark.slow
@pytest.mark.parametrize("name", _BASELINES)
def test_times_follow_the_baseline_and_a_constant_ratio(name: str) -> None:
    baseline, hazard = _BASELINES[name]
    trial = big_trial({"kind": "survival", "baseline": baseline, "effect": {"treatment": 0.6}})
    _check(trial.event[trial.arm == 0], hazard)
    _check(trial.event[trial.arm == 1], lambda t: 0.6 * hazard(t))


def test_piecewise_hazards_times_piecewise_ratios() -> None:
    pieces = [{"from": f"{start} days", "hazard": f"{rate} per day"} for start, rate in _PIECES]
    ratios = [{"from": f"{start} days", "hazard_ratio": ratio} for start, ratio in _RATIOS]
    trial = big_trial(
        {"kind": "survival", "baseline": {"piecewise": pieces}, "effect": {"treatment": ratios}}
    )
    _check(trial.event[trial.arm == 0], lambda t: cumulative(_PIECES, t))
    _check(trial.event[trial.arm == 1], lambda t: cumulative(product(_PIECES, _RATIOS), t))
    tick = 2.0**-20
    assert not ((trial.event > 60 + tick) & (trial.event < 100)).any(), "nobody dies while the hazard is zero"


@pytest.mark.parametrize("shape", [0.6, 1.0, 1.7])
def test_a_ratio_that_changes_in_time_multiplies_a_weibull_hazard(shape: float) -> None:
    ratios = [{"from": f"{start} days", "hazard_ratio": ratio} for start, ratio in _RATIOS]
    baseline = {"weibull": {"shape": shape, "scale": "150 days"}}
    trial = big_trial({"kind": "survival", "baseline": baseline, "effect": {"treatment": ratios}})

    def hazard(t: np.ndarray) -> np.ndarray:
        ends = [start for start, _ in _RATIOS[1:]] + [np.inf]
        own = lambda days: (np.minimum(days, 1e9) / 150) ** shape  # noqa: E731
        return sum(
            ratio * (own(np.clip(t, start, end)) - own(np.full_like(t, start)))
            for (start, ratio), end in zip(_RATIOS, ends, strict=True)
        )

    _check(trial.event[trial.arm == 1], hazard)
    _check(trial.event[trial.arm == 0], lambda t: (t / 150) ** shape)


_PEOPLE = {
    "marginals": {
        "age": {"normal": {"mean": 50, "sd": 10}},
        "sex": {"categorical": {"female": 0.4, "male": 0.6}},
    },
    "traits": {"prognosis": {"sd": 0.8}, "predictive": {"sd": 0.5}},
}


def test_covariates_traits_and_modifiers_multiply_the_hazard() -> None:
    trial = big_trial(
        {
            "kind": "survival",
            "baseline": {"median": "240 days"},
            "effect": {"treatment": 0.7},
            "effect_kind": "conditional",
            "covariates": {"age": 0.03, "sex.male": -0.4},
            "centre": {"age": 50},
            "latent": {"prognosis": 0.9},
            "modifiers": {"predictive": 0.8, "sex.male": 0.3},
        },
        population=_PEOPLE,
    )
    male = trial.column("sex") == 1
    linear = 0.03 * (trial.column("age") - 50) - 0.4 * male + 0.9 * trial.column("prognosis")
    treated = trial.arm == 1
    linear = linear + np.where(treated, np.log(0.7) + 0.8 * trial.column("predictive") + 0.3 * male, 0.0)
    spent = np.log(2) / 240 * trial.event * np.exp(linear)
    for group in (treated & male, treated & ~male, ~treated & male, ~treated & ~male):
        assert stats.kstest(spent[group], "expon").pvalue > RARE
    # What is spent says nothing of who spends it.
    n = len(spent)
    for trait in (trial.column("age"), trial.column("prognosis"), trial.column("predictive")):
        assert abs(np.corrcoef(spent, trait)[0, 1]) < 5 / np.sqrt(n)


@pytest.mark.parametrize("drift", ["per_year", "steps"])
def test_hazards_drift_with_the_calendar_time_of_entry(drift: str) -> None:
    steps = [{"from": "100 days", "change": 0.5}, {"from": "400 days", "change": -0.7}]
    trial = big_trial(
        {
            "kind": "survival",
            "baseline": {"median": "240 days"},
            "effect": {"treatment": 1.0},
            "drift": {"per_year": 0.6} if drift == "per_year" else {"steps": steps},
        },
        accrual={"evenly_spaced": {"over": "730.5 days"}},
    )
    if drift == "per_year":
        linear = 0.6 * trial.entry / 365.25
    else:
        linear = np.select([trial.entry >= 400, trial.entry >= 100], [-0.7, 0.5], 0.0)
    spent = np.log(2) / 240 * trial.event * np.exp(linear)
    assert stats.kstest(spent, "expon").pvalue > RARE
    for part in np.array_split(spent, 5):
        assert abs(part.mean() - 1) < 5 / np.sqrt(len(part))


def test_dropout_competes_with_the_event() -> None:
    trial = big_trial(
        {"kind": "survival", "baseline": {"hazard": "0.004 per day"}, "effect": {"treatment": 0.5}},
        dropout={"baseline": {"hazard": "0.001 per day"}, "effect": {"treatment": 3.0}},
    )
    for arm, (event, lost) in enumerate([(0.004, 0.001), (0.002, 0.003)]):
        here = trial.arm == arm
        share = event / (event + lost)
        assert (np.isfinite(trial.event) ^ np.isfinite(trial.lost))[here].all()
        assert abs(np.isfinite(trial.event[here]).mean() - share) < share_error(share, here.sum())
        first = np.minimum(trial.event, trial.lost)[here]
        assert stats.kstest(first * (event + lost), "expon").pvalue > RARE


def test_the_same_patient_lives_longer_under_a_lower_hazard() -> None:
    one = {"kind": "survival", "baseline": {"median": "240 days"}, "effect": {"treatment": 0.5}}
    two = one | {"effect": {"treatment": 1.0}}
    better, same = big_trial(one, n=2000), big_trial(two, n=2000)
    treated = better.arm == 1
    assert (better.event[~treated] == same.event[~treated]).all()
    np.testing.assert_allclose(better.event[treated], 2 * same.event[treated], atol=2 * 2.0**-20)
