"""Welch's test and analysis of covariance against scipy and statsmodels, on ACTG 175 and on awkward data."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import stats

from tests.reference.test_statistics import ROOT, estimate, samples
from tests.statistical.data_cuts import rows_cut, values_cut
from trialsim.analyses.ancova import Ancova, Procova
from trialsim.analyses.means import TTest, Welch
from trialsim.contracts import Status

TABLE = pd.read_csv(ROOT / "scenarios" / "actg175" / "patients.csv")
BASELINE = [
    "age", "wtkg", "hemo", "homo", "drugs", "karnof", "z30", "preanti", "race", "gender", "str2", "symptom", "cd40", "cd80",
]  # fmt: skip


@pytest.mark.parametrize("seed", range(5))
def test_welchs_test_is_that_of_scipy(seed: int) -> None:
    control, treatment = samples(seed, (9, 31))
    treatment = 3 * treatment
    found = estimate(Welch(), values_cut((control, treatment)), lower_is_better=False)
    expected = stats.ttest_ind(treatment, control, equal_var=False)
    assert found.effect[0] / found.se[0] == pytest.approx(expected.statistic, rel=1e-12)
    one_sided = stats.ttest_ind(treatment, control, equal_var=False, alternative="greater").pvalue
    assert stats.norm.sf(found.z[0]) == pytest.approx(one_sided, rel=1e-8)
    assert found.information[0] == pytest.approx(found.se[0] ** -2, rel=1e-12)


@pytest.mark.parametrize(
    ("pair", "status"),
    [
        (([], []), Status.EMPTY_ARM),
        (([1.0, 2.0], []), Status.EMPTY_ARM),
        (([1.0], [2.0, 3.0]), Status.NO_VARIANCE),
        (([1.0, 1.0], [2.0, 2.0]), Status.NO_VARIANCE),
        (([1.0, 1.0], [2.0, 3.0]), Status.OK),
    ],
)
def test_where_welchs_test_fails_a_status_says_why(pair: Any, status: Status) -> None:
    found = estimate(Welch(), values_cut(samples(1), pair, samples(2)), lower_is_better=False)
    assert found.status.tolist() == [Status.OK, status, Status.OK]
    assert np.isfinite(found.z[1]) == (status == Status.OK)
    assert np.isfinite(found.z[[0, 2]]).all()


def actg175(arm: int, covariates: np.ndarray | list[str]) -> dict[str, np.ndarray]:
    """Return CD4 at week 20 on one arm and on zidovudine, with covariates by name or given for the whole table."""
    here = TABLE["arms"].isin([0, arm]).to_numpy()
    given = TABLE[covariates].to_numpy(float) if isinstance(covariates, list) else covariates
    return {
        "treated": (TABLE["arms"] == arm).to_numpy()[here],
        "value": TABLE["cd420"].to_numpy(float)[here],
        "covariates": given[here],
    }


def by_statsmodels(data: dict[str, np.ndarray]) -> Any:
    design = np.column_stack([np.ones(len(data["value"])), data["treated"], data["covariates"]])
    return sm.OLS(data["value"], design.astype(float)).fit()


@pytest.mark.parametrize("covariates", [["cd40"], ["cd40", "age", "karnof", "symptom"], BASELINE])
@pytest.mark.parametrize("arm", [1, 2, 3])
def test_ancova_is_that_of_statsmodels(arm: int, covariates: list[str]) -> None:
    data = actg175(arm, covariates)
    found, expected = estimate(Ancova(), rows_cut(data), lower_is_better=False), by_statsmodels(data)
    assert found.effect[0] == pytest.approx(expected.params[1], rel=1e-9)
    assert found.se[0] == pytest.approx(expected.bse[1], rel=1e-9)
    assert found.information[0] == pytest.approx(expected.bse[1] ** -2, rel=1e-9)
    assert stats.norm.sf(abs(found.z[0])) == pytest.approx(
        stats.t.sf(abs(expected.tvalues[1]), expected.df_resid), rel=1e-6
    )


def test_without_covariates_it_is_the_t_test() -> None:
    data = actg175(1, [])
    plain = estimate(TTest(), values_cut((data["value"][~data["treated"]], data["value"][data["treated"]])))
    found = estimate(Ancova(), rows_cut(data))
    for name in ("effect", "se", "z", "information"):
        assert getattr(found, name) == pytest.approx(getattr(plain, name), rel=1e-10)


def test_covariates_that_say_the_same_count_once() -> None:
    data = actg175(1, ["cd40", "age"])
    x = data["covariates"]
    twice = data | {"covariates": np.column_stack([x, x @ [2.0, -3.0] + 7, np.full(len(x), 4.0)])}
    plain, found = estimate(Ancova(), rows_cut(data)), estimate(Ancova(), rows_cut(twice))
    for name in ("effect", "se", "z"):
        assert getattr(found, name) == pytest.approx(getattr(plain, name), rel=1e-9)


def test_a_score_from_the_other_arms_narrows_the_interval_a_little_more() -> None:
    # The score is trained on the two arms that are not compared, zidovudine + zalcitabine and didanosine, by least squares
    # on all baseline covariates with the arm as one more.
    other = TABLE[TABLE["arms"].isin([2, 3])]
    design = sm.add_constant(np.column_stack([other[BASELINE], other["arms"] == 3]).astype(float))
    fitted = sm.OLS(other["cd420"].to_numpy(float), design).fit()
    score = TABLE[BASELINE].to_numpy(float) @ fitted.params[1 : 1 + len(BASELINE)]
    plain = estimate(Ancova(), rows_cut(actg175(1, [])))
    cd4 = estimate(Ancova(), rows_cut(actg175(1, ["cd40"])))
    procova = estimate(Procova(), rows_cut(actg175(1, score[:, None])))
    ratios = [(found.se[0] / plain.se[0]) ** 2 for found in (cd4, procova)]
    # The figures that docs/analyses.md quotes.
    assert ratios == pytest.approx([0.683, 0.661], abs=5e-4)
    # The same by statsmodels.
    expected = by_statsmodels(actg175(1, score[:, None]))
    assert procova.se[0] == pytest.approx(expected.bse[1], rel=1e-9)


_X = np.arange(6.0)
_FAILURES: dict[str, tuple[dict[str, Any], Status]] = {
    "nobody": ({"treated": [], "value": []}, Status.EMPTY_ARM),
    "one arm empty": ({"treated": [1, 1, 1], "value": [1, 2, 3]}, Status.EMPTY_ARM),
    "all alike": ({"treated": [0, 0, 1, 1], "value": [2, 2, 2, 2]}, Status.NO_VARIANCE),
    "too few": ({"treated": [0, 1], "value": [1, 2]}, Status.NO_VARIANCE),
    "no residual": (
        {"treated": _X % 2 == 0, "value": 3 * _X + 1 + (_X % 2 == 0), "covariates": _X},
        Status.NO_VARIANCE,
    ),
    "the covariate is the arm": (
        {"treated": [0, 0, 0, 1, 1, 1], "value": [1, 2, 4, 3, 5, 9], "covariates": [7, 7, 7, 8, 8, 8]},
        Status.NO_FINITE_ESTIMATE,
    ),
}


@pytest.mark.parametrize("case", _FAILURES)
def test_where_ancova_fails_a_status_says_why(case: str) -> None:
    bad, status = _FAILURES[case]
    good = {
        "treated": [0, 1, 0, 1, 1],
        "value": [1.0, 2.0, 0.5, 4.0, 3.0],
        "covariates": [1.0, 2.0, 2.0, 3.0, 1.0],
    }
    width = {"covariates": np.zeros((len(bad["value"]), 1))} | bad
    if not len(bad["value"]):
        width["covariates"] = np.zeros((0, 0))
        found = estimate(Ancova(), rows_cut(width))
        assert found.status.tolist() == [status]
        return
    found = estimate(Ancova(), rows_cut(good, width, good))
    assert found.status.tolist() == [Status.OK, status, Status.OK]
    assert np.isnan(found.z[1])
    assert found.z[0] == found.z[2] == estimate(Ancova(), rows_cut(good)).z[0]


def test_it_turns_with_direction_and_arms() -> None:
    data = actg175(2, ["cd40", "age"])
    plain, lower = (estimate(Ancova(), rows_cut(data), lower_is_better=better) for better in (False, True))
    swapped = estimate(Ancova(), rows_cut(data | {"treated": ~data["treated"]}), lower_is_better=False)
    assert lower.z[0] == -plain.z[0]
    assert swapped.z[0] == pytest.approx(-plain.z[0], rel=1e-9)
    assert swapped.effect[0] == pytest.approx(-plain.effect[0], rel=1e-9)
