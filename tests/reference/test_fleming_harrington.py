"""The weighted log-rank test against lifelines on a real trial and on data full of ties."""

from __future__ import annotations

import numpy as np
import pytest
from lifelines.statistics import logrank_test
from statsmodels.duration.survfunc import survdiff

from tests.reference.test_statistics import DATA, estimate, tied
from tests.statistical.data_cuts import survival_cut
from trialsim.analyses.fleming_harrington import FlemingHarrington
from trialsim.analyses.logrank import Logrank
from trialsim.contracts import Status


@pytest.mark.parametrize("powers", [(0, 1), (1, 0), (1, 1), (0, 0.5), (0.3, 2)])
@pytest.mark.parametrize("name", DATA)
def test_it_is_that_of_lifelines(name: str, powers: tuple[float, float]) -> None:
    time, event, treated, _ = DATA[name]()
    rho, gamma = powers
    found = estimate(FlemingHarrington(), survival_cut((time, event, treated)), rho=rho, gamma=gamma)
    expected = logrank_test(
        time[treated], time[~treated], event[treated], event[~treated],
        weightings="fleming-harrington", p=rho, q=gamma,
    )  # fmt: skip
    assert found.status[0] == Status.OK
    assert found.z[0] ** 2 == pytest.approx(expected.test_statistic, rel=1e-9)
    assert found.effect[0] / found.se[0] == pytest.approx(-found.z[0], rel=1e-12)


@pytest.mark.parametrize("rho", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("name", DATA)
def test_stratified_it_is_that_of_statsmodels(name: str, rho: float) -> None:
    time, event, treated, stratum = DATA[name]()
    found = estimate(
        FlemingHarrington(), survival_cut((time, event, treated, stratum)), rho=rho, gamma=0.0, strata=("s",)
    )
    square, _ = survdiff(
        time, event.astype(int), treated.astype(int), weight_type="fh", fh_p=rho, strata=stratum
    )
    assert found.z[0] ** 2 == pytest.approx(square, rel=1e-9)


def test_strata_add_up_score_and_variance_of_each() -> None:
    many = [tied(k) for k in range(3)]
    whole = tuple(np.concatenate([one[place] for one in many]) for place in range(3))
    stratum = np.repeat(np.arange(3), 60)
    options = {"rho": 0.0, "gamma": 1.0}
    alone = estimate(FlemingHarrington(), survival_cut(*(one[:3] for one in many)), **options)
    found = estimate(FlemingHarrington(), survival_cut((*whole, stratum)), strata=("s",), **options)
    assert found.information[0] == pytest.approx(alone.information.sum(), rel=1e-12)
    score = (alone.z * np.sqrt(alone.information)).sum()
    assert found.z[0] == pytest.approx(score / np.sqrt(found.information[0]), rel=1e-12)
    pooled = estimate(FlemingHarrington(), survival_cut(whole), **options)
    assert abs(pooled.z[0] - found.z[0]) > 1e-3
    nobody = estimate(FlemingHarrington(), survival_cut(([], [], [])), strata=("s",), **options)
    assert nobody.status[0] == Status.NO_EVENTS


def test_without_weights_it_is_the_logrank_test() -> None:
    every = [tied(k) for k in range(4)]
    plain = estimate(Logrank(), survival_cut(*every))
    found = estimate(FlemingHarrington(), survival_cut(*every), rho=0.0, gamma=0.0)
    for name in ("effect", "se", "z", "information"):
        assert getattr(found, name) == pytest.approx(getattr(plain, name), rel=1e-12)


def test_its_information_is_not_the_fraction_of_events() -> None:
    # Late weights: half of the events hold far less than half of the information of all of them.
    time = np.arange(1.0, 401.0)
    treated = np.arange(400) % 2 == 0
    every = np.ones(400, dtype=bool)
    half = (np.minimum(time, 200.5), time <= 200, treated)
    found = estimate(FlemingHarrington(), survival_cut((time, every, treated), half), rho=0.0, gamma=1.0)
    # Sum of (k / 400)^2 v over the first half, v = 1 / 4: 1 / 8 of the whole.
    assert found.information[1] / found.information[0] == pytest.approx(1 / 8, rel=0.02)


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (([1, 2, 3], [0, 0, 0], [0, 1, 0]), Status.NO_EVENTS),
        (([], [], []), Status.NO_EVENTS),
        (([1, 2, 3], [1, 1, 1], [1, 1, 1]), Status.NO_VARIANCE),
        # The one event comes while S is 1: its weight is zero.
        (([1, 2, 3], [1, 0, 0], [0, 1, 0]), Status.NO_VARIANCE),
    ],
    ids=["no events", "nobody", "one arm empty", "no weight"],
)
def test_what_gives_no_estimate_gives_a_status(data: tuple[list[int], ...], status: Status) -> None:
    found = estimate(FlemingHarrington(), survival_cut(tied(1), data, tied(2)), rho=0.0, gamma=1.0)
    assert found.status.tolist() == [Status.OK, status, Status.OK]
    assert np.isfinite([found.z[0], found.z[2], found.se[0]]).all()
    assert np.isnan(found.z[1])


def test_it_turns_with_direction_and_arms() -> None:
    time, event, treated, _ = tied(3)
    plain = estimate(FlemingHarrington(), survival_cut((time, event, treated)), rho=0.0, gamma=1.0)
    higher = estimate(FlemingHarrington(), survival_cut((time, event, treated)), False, rho=0.0, gamma=1.0)
    swapped = estimate(FlemingHarrington(), survival_cut((time, event, ~treated)), rho=0.0, gamma=1.0)
    assert higher.z[0] == -plain.z[0]
    assert swapped.z[0] == pytest.approx(-plain.z[0], rel=1e-9)
