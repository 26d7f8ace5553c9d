"""Restricted means and milestones against lifelines, statsmodels and closed forms, on a real trial and on ties."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from lifelines import KaplanMeierFitter
from lifelines.utils import restricted_mean_survival_time
from statsmodels.duration.survfunc import SurvfuncRight

from tests.reference.test_statistics import DATA, estimate, tied
from tests.statistical.data_cuts import survival_cut
from trialsim.analyses.milestone import Milestone
from trialsim.analyses.restricted_mean import RestrictedMean
from trialsim.contracts import Status


def times_of(name: str) -> list[float]:
    return [2.0, 3.5, 5.0] if name.startswith("tied") else [100.0, 365.0, 900.5]


@pytest.mark.parametrize("name", DATA)
def test_a_milestone_is_that_of_statsmodels(name: str) -> None:
    time, event, treated, _ = DATA[name]()
    for at in times_of(name):
        found = estimate(Milestone(), survival_cut((time, event, treated)), at=at)
        curves = []
        for arm in (treated, ~treated):
            curve = SurvfuncRight(time[arm], event[arm].astype(int))
            last = np.searchsorted(curve.surv_times, at, side="right") - 1
            curves.append((curve.surv_prob[last], curve.surv_prob_se[last]) if last >= 0 else (1.0, 0.0))
        (s1, se1), (s0, se0) = curves
        assert found.status[0] == Status.OK
        assert found.effect[0] == pytest.approx(s1 - s0, rel=1e-10, abs=1e-13)
        assert found.se[0] == pytest.approx(np.hypot(se0, se1), rel=1e-10)
        assert found.z[0] == pytest.approx((s1 - s0) / np.hypot(se0, se1), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("name", DATA)
def test_a_restricted_mean_is_that_of_lifelines(name: str) -> None:
    time, event, treated, _ = DATA[name]()
    for until in times_of(name):
        found = estimate(RestrictedMean(), survival_cut((time, event, treated)), up_to=until)
        means = [
            restricted_mean_survival_time(KaplanMeierFitter().fit(time[arm], event[arm]), until)
            for arm in (treated, ~treated)
        ]
        assert found.effect[0] == pytest.approx(means[0] - means[1], rel=1e-9, abs=1e-9)
        assert found.z[0] == pytest.approx(found.effect[0] / found.se[0], rel=1e-12)


def test_without_censoring_a_restricted_mean_is_a_mean() -> None:
    # Greenwood's variance is then the variance of the mean, divided by n.
    generator = np.random.default_rng(5)
    time, treated = generator.integers(1, 30, 80).astype(float), np.arange(80) < 30
    every = np.ones(80, dtype=bool)
    found = estimate(RestrictedMean(), survival_cut((time, every, treated)), up_to=20.0)
    capped = np.minimum(time, 20.0)
    treatment, control = capped[treated], capped[~treated]
    assert found.effect[0] == pytest.approx(treatment.mean() - control.mean(), rel=1e-12)
    assert found.se[0] ** 2 == pytest.approx(treatment.var() / 30 + control.var() / 50, rel=1e-12)


def test_the_standard_errors_are_the_spread_of_the_estimates() -> None:
    generator = np.random.default_rng(11)
    trials, n = 4000, 120
    arm = np.arange(n) % 2 == 1
    many = []
    for _ in range(trials):
        time, leave = generator.exponential(np.where(arm, 15.0, 10.0)), generator.uniform(5.0, 30.0, n)
        many.append((np.minimum(time, leave), time <= leave, arm))
    for analysis, options, truth in (
        (RestrictedMean(), {"up_to": 8.0}, 15 * (1 - np.exp(-8 / 15)) - 10 * (1 - np.exp(-0.8))),
        (Milestone(), {"at": 8.0}, np.exp(-8 / 15) - np.exp(-0.8)),
    ):
        found = estimate(analysis, survival_cut(*many), **options)
        assert (found.status == Status.OK).all()
        spread = found.effect.std()
        assert found.effect.mean() == pytest.approx(truth, abs=5 * spread / np.sqrt(trials))
        # Greenwood's variance is a little small for 60 patients an arm, by about 1 / n.
        assert np.sqrt(np.mean(found.se**2)) == pytest.approx(spread, rel=5 / np.sqrt(2 * trials) + 1 / 60)


_FAILURES: dict[str, tuple[tuple[list[float], ...], float, Status]] = {
    "nobody": (([], [], []), 2.0, Status.EMPTY_ARM),
    "one arm empty": (([1, 2, 3], [1, 1, 1], [1, 1, 1]), 2.0, Status.EMPTY_ARM),
    "no events": (([3, 4, 5, 6], [0, 0, 0, 0], [0, 1, 0, 1]), 2.0, Status.NO_VARIANCE),
    "no events so early": (([3, 4, 5, 6], [1, 1, 1, 1], [0, 1, 0, 1]), 2.0, Status.NO_VARIANCE),
    "all censored early": (([1, 1, 1, 1], [0, 0, 0, 0], [0, 1, 0, 1]), 2.0, Status.SHORT_FOLLOW_UP),
    "one arm censored early": (([1, 1, 3, 4], [0, 1, 1, 1], [0, 0, 1, 1]), 2.0, Status.SHORT_FOLLOW_UP),
}


@pytest.mark.parametrize("analysis", [RestrictedMean(), Milestone()], ids=lambda a: a.name)
@pytest.mark.parametrize("case", _FAILURES)
def test_what_gives_no_estimate_gives_a_status(case: str, analysis: Any) -> None:
    data, at, status = _FAILURES[case]
    found = estimate(analysis, survival_cut(tied(1), data, tied(2)), up_to=at, at=at)
    assert found.status.tolist() == [Status.OK, status, Status.OK]
    assert np.isnan(found.z[1])
    assert np.isfinite([found.z[0], found.z[2], found.se[0]]).all()


def test_an_arm_whose_last_patient_had_the_event_is_known_for_ever() -> None:
    data = ([1.0, 2.0, 1.0, 9.0], [1, 1, 1, 0], [0, 0, 1, 1])
    found = estimate(RestrictedMean(), survival_cut(data), up_to=8.0)
    assert found.status[0] == Status.OK
    # One of two lives on control until 2 days, one of two on treatment throughout.
    assert found.effect[0] == pytest.approx(4.5 - 1.5, rel=1e-12)
    assert estimate(Milestone(), survival_cut(data), at=8.0).effect[0] == pytest.approx(0.5)


@pytest.mark.parametrize("analysis", [RestrictedMean(), Milestone()], ids=lambda a: a.name)
def test_they_turn_with_direction_and_arms(analysis: Any) -> None:
    time, event, treated, _ = tied(3)
    plain = estimate(analysis, survival_cut((time, event, treated)), up_to=4.0, at=4.0)
    higher = estimate(
        analysis, survival_cut((time, event, treated)), lower_is_better=False, up_to=4.0, at=4.0
    )
    swapped = estimate(analysis, survival_cut((time, event, ~treated)), up_to=4.0, at=4.0)
    # Fewer events is better: longer survival favours treatment.
    assert np.sign(plain.z[0]) == np.sign(plain.effect[0])
    assert higher.z[0] == -plain.z[0] == swapped.z[0]
