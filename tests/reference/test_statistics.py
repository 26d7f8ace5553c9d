"""Test statistics against lifelines, scipy and statsmodels, on a real trial and on awkward little ones."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from lifelines import CoxPHFitter
from lifelines.statistics import logrank_test
from scipy import stats
from statsmodels.duration.survfunc import survdiff
from statsmodels.stats.proportion import proportions_ztest
from statsmodels.stats.weightstats import CompareMeans, DescrStatsW

from tests.statistical.data_cuts import survival_cut, values_cut
from trialsim.analyses.cox import Cox
from trialsim.analyses.logrank import Logrank
from trialsim.analyses.means import TTest, ZTest
from trialsim.analyses.score_test import ScoreTest
from trialsim.contracts import Estimates, Status

ROOT = Path(__file__).resolve().parent.parent.parent
Arrays = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def actg175(arm: int) -> Arrays:
    """Return days, progression, treatment and stratum of one arm (0 to 3, zidovudine is 0) and zidovudine."""
    table = pd.read_csv(ROOT / "scenarios" / "actg175" / "patients.csv")
    table = table[table["arms"].isin([0, arm])]
    return (
        table["days"].to_numpy(float),
        table["cens"].to_numpy(bool),
        (table["arms"] == arm).to_numpy(),
        table["strat"].to_numpy(int),
    )


def tied(seed: int, n: int = 60, times: int = 6) -> Arrays:
    """Return small data with many ties among few times."""
    generator = np.random.default_rng(seed)
    return (
        generator.integers(1, times + 1, n).astype(float),
        generator.random(n) < 0.6,
        generator.random(n) < 0.5,
        generator.integers(0, 3, n),
    )


DATA: dict[str, Callable[[], Arrays]] = {
    "zdv_ddi": lambda: actg175(1),
    "zdv_zal": lambda: actg175(2),
    "ddi": lambda: actg175(3),
} | {f"tied{k}": (lambda k=k: tied(k)) for k in range(6)}


def estimate(analysis: Any, cut: Any, lower_is_better: bool = True, **options: float) -> Estimates:
    return analysis.estimate(cut, lower_is_better, options)


@pytest.mark.parametrize("name", DATA)
def test_the_logrank_test_is_that_of_lifelines(name: str) -> None:
    time, event, treated, _ = DATA[name]()
    found = estimate(Logrank(), survival_cut((time, event, treated)))
    expected = logrank_test(time[treated], time[~treated], event[treated], event[~treated])
    assert found.status[0] == Status.OK
    assert found.z[0] ** 2 == pytest.approx(expected.test_statistic, rel=1e-10)
    # Fewer events than expected on treatment: z is positive when lower is better.
    assert np.sign(found.z[0]) == -np.sign(found.effect[0])


@pytest.mark.parametrize("name", DATA)
def test_the_stratified_logrank_test_is_that_of_statsmodels(name: str) -> None:
    time, event, treated, stratum = DATA[name]()
    found = estimate(Logrank(), survival_cut((time, event, treated, stratum)))
    chi_square, _ = survdiff(time, event.astype(int), treated.astype(int), strata=stratum)
    assert found.z[0] ** 2 == pytest.approx(chi_square, rel=1e-9)


@pytest.mark.parametrize("name", DATA)
def test_the_logrank_estimate_is_pets_one_step(name: str) -> None:
    time, event, treated, _ = DATA[name]()
    found = estimate(Logrank(), survival_cut((time, event, treated)))
    assert found.effect[0] == pytest.approx(-found.z[0] * found.se[0], rel=1e-12)
    assert found.information[0] == pytest.approx(found.se[0] ** -2, rel=1e-12)


def cox_by_lifelines(
    time: np.ndarray, event: np.ndarray, treated: np.ndarray, stratum: np.ndarray | None
) -> Any:
    """Fit with Efron's ties, to convergence."""
    frame = pd.DataFrame({"time": time, "event": event, "treated": treated.astype(float)})
    strata = None
    if stratum is not None:
        frame["stratum"] = stratum
        strata = ["stratum"]
    with warnings.catch_warnings():
        # lifelines itself calls pandas and NumPy in ways they warn of; the fit is what matters here.
        warnings.simplefilter("ignore")
        options = {"precision": 1e-12, "max_steps": 200}
        return (
            CoxPHFitter()
            .fit(frame, "time", "event", strata=strata, fit_options=options)
            .summary.loc["treated"]
        )


@pytest.mark.parametrize("stratified", [False, True])
@pytest.mark.parametrize("name", DATA)
def test_the_cox_model_is_that_of_lifelines(name: str, stratified: bool) -> None:
    time, event, treated, stratum = DATA[name]()
    parts = (time, event, treated, stratum) if stratified else (time, event, treated)
    found = estimate(Cox(), survival_cut(parts))
    expected = cox_by_lifelines(time, event, treated, stratum if stratified else None)
    assert found.status[0] == Status.OK
    assert found.effect[0] == pytest.approx(expected["coef"], rel=1e-6, abs=1e-7)
    assert found.se[0] == pytest.approx(expected["se(coef)"], rel=1e-6)
    assert found.z[0] == pytest.approx(-expected["z"], rel=2e-6, abs=1e-6)


@pytest.mark.parametrize(("arm", "ratio"), [(1, 0.495), (2, 0.527), (3, 0.590)])
def test_the_hazard_ratios_of_the_real_trial(arm: int, ratio: float) -> None:
    time, event, treated, _ = actg175(arm)
    found = estimate(Cox(), survival_cut((time, event, treated)))
    assert round(float(np.exp(found.effect[0])), 3) == ratio


def test_replicates_do_not_mix() -> None:
    every = [tied(k) for k in range(5)]
    for analysis in (Logrank(), Cox()):
        together = estimate(analysis, survival_cut(*every))
        for k, one in enumerate(every):
            alone = estimate(analysis, survival_cut(one))
            for name in ("effect", "se", "z", "information", "status"):
                assert getattr(together, name)[k] == getattr(alone, name)[0], (analysis.name, name)


@pytest.mark.parametrize("analysis", [Logrank(), Cox()], ids=lambda a: a.name)
def test_statistics_of_survival_turn_with_direction_and_arms(analysis: Any) -> None:
    time, event, treated, _ = tied(3)
    plain = estimate(analysis, survival_cut((time, event, treated)))
    higher = estimate(analysis, survival_cut((time, event, treated)), lower_is_better=False)
    swapped = estimate(analysis, survival_cut((time, event, ~treated)))
    assert higher.z[0] == -plain.z[0]
    assert higher.effect[0] == plain.effect[0]
    assert swapped.z[0] == pytest.approx(-plain.z[0], rel=1e-9)
    assert swapped.effect[0] == pytest.approx(-plain.effect[0], rel=1e-9)


_SURVIVAL_FAILURES = {
    "no events": (([1, 2, 3, 4], [0, 0, 0, 0], [0, 1, 0, 1]), Status.NO_EVENTS, Status.NO_EVENTS),
    "nobody": (([], [], []), Status.NO_EVENTS, Status.NO_EVENTS),
    "one arm empty": (
        ([1, 2, 3, 4], [1, 1, 0, 1], [1, 1, 1, 1]),
        Status.NO_VARIANCE,
        Status.NO_FINITE_ESTIMATE,
    ),
    "events in one arm alone": (
        ([1, 2, 3, 4], [1, 0, 1, 0], [1, 0, 1, 0]),
        Status.OK,
        Status.NO_FINITE_ESTIMATE,
    ),
    "one arm dies first": (([1, 2, 3, 4], [1, 1, 1, 1], [1, 1, 0, 0]), Status.OK, Status.NO_FINITE_ESTIMATE),
    "the last two together": (([5, 5], [1, 1], [0, 1]), Status.NO_VARIANCE, None),
}


@pytest.mark.parametrize("case", _SURVIVAL_FAILURES)
def test_survival_that_gives_no_estimate_gives_a_status(case: str) -> None:
    data, logrank, cox = _SURVIVAL_FAILURES[case]
    for analysis, expected in ((Logrank(), logrank), (Cox(), cox)):
        if expected is None:
            continue
        found = estimate(analysis, survival_cut(tied(1), data, tied(2)))
        assert found.status.tolist() == [Status.OK, expected, Status.OK]
        numbers = np.array([found.effect, found.se, found.z])
        assert np.isfinite(numbers[:, [0, 2]]).all()
        assert np.isfinite(numbers[:, 1]).all() == (expected == Status.OK)


def samples(seed: int, sizes: tuple[int, int] = (23, 31)) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    return generator.normal(10, 3, sizes[0]), generator.normal(11, 3, sizes[1])


@pytest.mark.parametrize("seed", range(5))
def test_the_t_test_is_that_of_scipy(seed: int) -> None:
    control, treatment = samples(seed)
    found = estimate(TTest(), values_cut((control, treatment)), lower_is_better=False)
    expected = stats.ttest_ind(treatment, control)
    assert found.effect[0] == pytest.approx(treatment.mean() - control.mean(), rel=1e-12)
    assert found.effect[0] / found.se[0] == pytest.approx(expected.statistic, rel=1e-12)
    # z has the one-sided tail of t.
    one_sided = stats.ttest_ind(treatment, control, alternative="greater").pvalue
    assert stats.norm.sf(found.z[0]) == pytest.approx(one_sided, rel=1e-9)


@pytest.mark.parametrize("shift", [1e3, -1e3])
def test_an_enormous_t_keeps_a_finite_z_of_its_sign(shift: float) -> None:
    control, treatment = samples(1, (400, 400))
    found = estimate(TTest(), values_cut((control, treatment + shift)), lower_is_better=False)
    assert found.status[0] == Status.OK
    assert 30 < np.sign(shift) * found.z[0] < 40


@pytest.mark.parametrize("seed", range(5))
def test_the_z_test_is_that_of_normal_theory(seed: int) -> None:
    control, treatment = samples(seed)
    found = estimate(ZTest(), values_cut((control, treatment)), lower_is_better=False, sd=3.0)
    se = 3.0 * np.sqrt(1 / len(control) + 1 / len(treatment))
    assert found.se[0] == pytest.approx(se, rel=1e-12)
    assert found.z[0] == pytest.approx((treatment.mean() - control.mean()) / se, rel=1e-12)
    assert found.information[0] == pytest.approx(se**-2, rel=1e-12)
    # statsmodels estimates the variance: with the known one put in its place, its z must be ours.
    compared = CompareMeans(DescrStatsW(treatment), DescrStatsW(control))
    z, _ = compared.ztest_ind(usevar="pooled")
    assert found.z[0] == pytest.approx(z * compared.std_meandiff_pooledvar / se, rel=1e-9)


@pytest.mark.parametrize(
    "counts", [(3, 20, 9, 22), (0, 10, 4, 10), (50, 100, 50, 100), (10, 10, 9, 10), (40, 150, 66, 150)]
)
def test_the_score_test_is_that_of_statsmodels(counts: tuple[int, int, int, int]) -> None:
    x0, n0, x1, n1 = counts
    control, treatment = np.repeat([1.0, 0.0], [x0, n0 - x0]), np.repeat([1.0, 0.0], [x1, n1 - x1])
    found = estimate(ScoreTest(), values_cut((control, treatment)), lower_is_better=False)
    z, _ = proportions_ztest([x1, x0], [n1, n0])
    assert found.status[0] == Status.OK
    assert found.z[0] == pytest.approx(z, rel=1e-12, abs=1e-14)
    table = [[x0, n0 - x0], [x1, n1 - x1]]
    assert found.z[0] ** 2 == pytest.approx(
        stats.chi2_contingency(table, correction=False).statistic, rel=1e-9, abs=1e-12
    )
    p0, p1 = x0 / n0, x1 / n1
    assert found.effect[0] == pytest.approx(p1 - p0, abs=1e-15)
    assert found.se[0] == pytest.approx(np.sqrt(p0 * (1 - p0) / n0 + p1 * (1 - p1) / n1), rel=1e-12)


_VALUE_FAILURES = {
    "both arms empty": (([], []), Status.EMPTY_ARM),
    "control empty": (([], [1.0, 0.0]), Status.EMPTY_ARM),
    "treatment empty": (([1.0, 0.0], []), Status.EMPTY_ARM),
    "all alike": (([1.0, 1.0, 1.0], [1.0, 1.0]), Status.NO_VARIANCE),
    "none respond": (([0.0, 0.0], [0.0, 0.0]), Status.NO_VARIANCE),
    "one each": (([1.0], [0.0]), Status.NO_VARIANCE),
}


@pytest.mark.parametrize("case", _VALUE_FAILURES)
def test_read_outs_that_give_no_estimate_give_a_status(case: str) -> None:
    pair, expected = _VALUE_FAILURES[case]
    good = ([0.0, 1.0, 1.0], [1.0, 0.0, 0.0, 1.0])
    for analysis, status in (
        (TTest(), expected),
        (ScoreTest(), Status.OK if case == "one each" else expected),
    ):
        found = estimate(analysis, values_cut(good, pair, good), lower_is_better=False)
        assert found.status.tolist() == [Status.OK, status, Status.OK], analysis.name
        assert np.isfinite(found.z[1]) == (status == Status.OK)
    known = estimate(ZTest(), values_cut(pair), lower_is_better=False, sd=1.0)
    assert known.status[0] == (Status.EMPTY_ARM if expected == Status.EMPTY_ARM else Status.OK)


@pytest.mark.parametrize("analysis", [TTest(), ZTest(), ScoreTest()], ids=lambda a: a.name)
def test_statistics_of_read_outs_turn_with_direction_and_arms(analysis: Any) -> None:
    control, treatment = np.array([0.0, 1.0, 1.0, 0.0, 0.0]), np.array([1.0, 1.0, 0.0, 1.0])
    plain = estimate(analysis, values_cut((control, treatment)), lower_is_better=False, sd=0.5)
    lower = estimate(analysis, values_cut((control, treatment)), lower_is_better=True, sd=0.5)
    swapped = estimate(analysis, values_cut((treatment, control)), lower_is_better=False, sd=0.5)
    assert lower.z[0] == -plain.z[0] == swapped.z[0]
    assert lower.effect[0] == plain.effect[0] == -swapped.effect[0]


def test_a_cox_ratio_far_from_one_is_found_where_it_is_finite() -> None:
    # Treatment dies first, but for one patient on control who dies before the last of them.
    n = 200
    time = np.arange(1.0, 2 * n + 1)
    treated = np.arange(2 * n) < n
    treated[n - 2], treated[n] = False, True
    event = np.ones(2 * n, dtype=bool)
    found = estimate(Cox(), survival_cut((time, event, treated)))
    expected = cox_by_lifelines(time, event, treated, None)
    assert found.status[0] == Status.OK
    assert found.effect[0] == pytest.approx(expected["coef"], rel=1e-6)
    assert found.effect[0] > 3
