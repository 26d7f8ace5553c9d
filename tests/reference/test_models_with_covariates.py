"""Logistic regression and the Cox model with covariates against statsmodels and lifelines."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from lifelines import CoxPHFitter
from statsmodels.duration.hazard_regression import PHReg

from tests.reference.test_statistics import ROOT, estimate, tied
from tests.statistical.data_cuts import rows_cut, survival_cut
from trialsim.analyses.cox import Cox
from trialsim.analyses.logistic import Logistic
from trialsim.contracts import Status

TABLE = pd.read_csv(ROOT / "scenarios" / "actg175" / "patients.csv")
COVARIATES: list[list[str]] = [[], ["cd40"], ["age", "cd40", "karnof", "symptom", "gender"]]


def actg175(arm: int, covariates: list[str]) -> dict[str, np.ndarray]:
    table = TABLE[TABLE["arms"].isin([0, arm])]
    return {
        "treated": (table["arms"] == arm).to_numpy(),
        "value": table["days"].to_numpy(float),
        "event": table["cens"].to_numpy(int),
        "stratum": table["strat"].to_numpy(int) - 1,
        "covariates": table[covariates].to_numpy(float),
        "rise": (table["cd420"] > table["cd40"]).to_numpy(float),
    }


def awkward(seed: int, columns: int) -> dict[str, np.ndarray]:
    time, event, treated, stratum = tied(seed, n=80, times=7)
    generator = np.random.default_rng(1000 + seed)
    covariates = generator.normal(50, 10, (80, columns)) * 10.0 ** np.arange(columns)
    rise = (generator.random(80) < 0.5).astype(float)
    return {
        "treated": treated,
        "value": time,
        "event": event,
        "stratum": stratum,
        "covariates": covariates,
        "rise": rise,
    }


DATA = {f"actg175_{arm}_{len(c)}": actg175(arm, c) for arm in (1, 3) for c in COVARIATES} | {
    f"awkward{k}": awkward(k, k) for k in (1, 2, 3)
}


def answers(data: dict[str, Any]) -> dict[str, Any]:
    return {"treated": data["treated"], "value": data["rise"], "covariates": data["covariates"]}


@pytest.mark.parametrize("name", DATA)
def test_logistic_regression_is_that_of_statsmodels(name: str) -> None:
    data = DATA[name]
    found = estimate(Logistic(), rows_cut(answers(data)), lower_is_better=False)
    design = sm.add_constant(np.column_stack([data["treated"], data["covariates"]]).astype(float))
    expected = sm.GLM(data["rise"], design, family=sm.families.Binomial()).fit(tol=1e-12)
    assert found.status[0] == Status.OK
    assert found.effect[0] == pytest.approx(expected.params[1], rel=1e-8)
    assert found.se[0] == pytest.approx(expected.bse[1], rel=1e-7)
    assert found.z[0] == pytest.approx(expected.tvalues[1], rel=1e-7)
    assert found.information[0] == pytest.approx(expected.bse[1] ** -2, rel=1e-7)


def test_without_covariates_logistic_regression_is_the_cross_ratio() -> None:
    treated, value = (
        np.repeat([0, 1], [20, 22]),
        np.concatenate([np.repeat([1, 0], [3, 17]), np.repeat([1, 0], [9, 13])]),
    )
    found = estimate(Logistic(), rows_cut({"treated": treated, "value": value}), lower_is_better=False)
    assert found.effect[0] == pytest.approx(np.log(9 * 17 / (13 * 3)), rel=1e-10)
    assert found.se[0] == pytest.approx(np.sqrt(1 / 3 + 1 / 17 + 1 / 9 + 1 / 13), rel=1e-8)


def by_lifelines(data: dict[str, Any], stratified: bool) -> Any:
    columns = {f"x{k}": column for k, column in enumerate(np.asarray(data["covariates"]).T)}
    frame = pd.DataFrame(
        {"time": data["value"], "event": data["event"], "treated": data["treated"].astype(float)} | columns
    )
    if stratified:
        frame["stratum"] = data["stratum"]
    with warnings.catch_warnings():
        # lifelines itself calls pandas and NumPy in ways they warn of; the fit is what matters here.
        warnings.simplefilter("ignore")
        fitted = CoxPHFitter().fit(
            frame, "time", "event", strata=["stratum"] if stratified else None,
            fit_options={"precision": 1e-12, "max_steps": 200},
        )  # fmt: skip
        return fitted.summary.loc["treated"]


@pytest.mark.slow
@pytest.mark.parametrize("stratified", [False, True])
@pytest.mark.parametrize("name", DATA)
def test_the_cox_model_with_covariates_is_that_of_lifelines_and_statsmodels(
    name: str, stratified: bool
) -> None:
    data = {key: value for key, value in DATA[name].items() if key != "rise"}
    if not stratified:
        data["stratum"] = np.zeros(len(data["value"]), dtype=int)
    found = estimate(Cox(), rows_cut(data), covariates=("some",))
    expected = by_lifelines(data, stratified)
    assert found.status[0] == Status.OK
    assert found.effect[0] == pytest.approx(expected["coef"], rel=1e-6, abs=1e-7)
    assert found.se[0] == pytest.approx(expected["se(coef)"], rel=1e-6)
    assert found.z[0] == pytest.approx(-expected["z"], rel=2e-6, abs=1e-6)
    covariates = data["covariates"]
    scaled = (covariates - covariates.mean(axis=0)) / covariates.std(axis=0)
    model = PHReg(
        data["value"], np.column_stack([data["treated"], scaled]).astype(float), status=data["event"],
        strata=data["stratum"] if stratified else None, ties="efron",
    ).fit()  # fmt: skip
    assert found.effect[0] == pytest.approx(model.params[0], rel=1e-4, abs=1e-5)


def test_without_covariates_it_is_the_plain_model() -> None:
    for seed in range(4):
        time, event, treated, stratum = tied(seed)
        plain = estimate(Cox(), survival_cut((time, event, treated, stratum)))
        found = estimate(Cox(), survival_cut((time, event, treated, stratum)), covariates=("none left",))
        for name in ("effect", "se", "z", "information"):
            assert getattr(found, name) == pytest.approx(getattr(plain, name), rel=1e-9), name


def test_covariates_that_others_or_strata_make_up_count_once() -> None:
    data = {key: value for key, value in DATA["actg175_1_5"].items() if key != "rise"}
    x = data["covariates"]
    twice = data | {"covariates": np.column_stack([x, 2 * x[:, 0] - x[:, 1], np.ones(len(x))])}
    rise = DATA["actg175_1_5"]["rise"]
    for analysis, one, other in (
        (Cox(), data, twice),
        (Cox(), data, data | {"covariates": np.column_stack([data["stratum"] == 2, x])}),
        (Logistic(), answers(data | {"rise": rise}), answers(twice | {"rise": rise})),
    ):
        plain = estimate(analysis, rows_cut(one), covariates=("some",))
        found = estimate(analysis, rows_cut(other), covariates=("some",))
        assert found.status[0] == Status.OK
        for name in ("effect", "se", "z"):
            assert getattr(found, name) == pytest.approx(getattr(plain, name), rel=1e-7), name


_COX_FAILURES: dict[str, tuple[dict[str, Any], Status]] = {
    "no events": ({"value": [1, 2, 3, 4], "event": [0, 0, 0, 0], "treated": [0, 1, 0, 1]}, Status.NO_EVENTS),
    "one arm empty": ({"value": [1, 2, 3, 4], "event": [1, 1, 0, 1], "treated": [1, 1, 1, 1]}, Status.NO_FINITE_ESTIMATE),
    "events in one arm alone": (
        {"value": [1, 2, 3, 4], "event": [1, 0, 1, 0], "treated": [1, 0, 1, 0]},
        Status.NO_FINITE_ESTIMATE,
    ),
    "a covariate puts all in order": (
        {"value": np.arange(1, 9), "event": np.ones(8), "treated": np.arange(8) % 3 == 0, "covariates": -np.arange(8.0)},
        Status.NO_FINITE_ESTIMATE,
    ),
    "the covariate is the arm": (
        {"value": [1, 2, 3, 4, 5, 6], "event": np.ones(6), "treated": [0, 1, 0, 1, 1, 0], "covariates": [5, 9, 5, 9, 9, 5]},
        Status.NO_FINITE_ESTIMATE,
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", _COX_FAILURES)
def test_where_the_cox_model_fails_a_status_says_why(case: str) -> None:
    bad, status = _COX_FAILURES[case]
    good = {key: value for key, value in awkward(1, 1).items() if key != "rise"}
    bad = {"covariates": np.zeros(len(bad["value"]))} | bad
    found = estimate(Cox(), rows_cut(good, bad, good), covariates=("one",))
    assert found.status.tolist() == [Status.OK, status, Status.OK]
    assert np.isnan(found.z[1])
    assert found.z[0] == found.z[2] == estimate(Cox(), rows_cut(good), covariates=("one",)).z[0]


_LOGISTIC_FAILURES: dict[str, tuple[dict[str, Any], Status]] = {
    "one arm empty": ({"treated": [1, 1, 1], "value": [1, 0, 1]}, Status.EMPTY_ARM),
    "separated by arm": (
        {"treated": [0, 0, 0, 1, 1, 1], "value": [0, 0, 0, 1, 1, 1]},
        Status.NO_FINITE_ESTIMATE,
    ),
    "all on treatment respond": (
        {"treated": [0, 0, 0, 1, 1, 1], "value": [0, 1, 0, 1, 1, 1]},
        Status.NO_FINITE_ESTIMATE,
    ),
    "none respond": ({"treated": [0, 0, 1, 1], "value": [0, 0, 0, 0]}, Status.NO_FINITE_ESTIMATE),
    "separated by the covariate": (
        {"treated": [0, 1, 0, 1, 0, 1], "value": [0, 0, 0, 1, 1, 1], "covariates": [1, 2, 3, 4, 5, 6]},
        Status.NO_FINITE_ESTIMATE,
    ),
    "nearly separated by the covariate": (
        {"treated": [0, 1, 0, 1, 0, 1], "value": [0, 0, 1, 0, 1, 1], "covariates": [1, 2, 3, 3, 5, 6]},
        Status.NO_FINITE_ESTIMATE,
    ),
    "the covariate is the arm": (
        {"treated": [0, 0, 0, 1, 1, 1], "value": [0, 1, 0, 1, 0, 1], "covariates": [4, 4, 4, 6, 6, 6]},
        Status.NO_FINITE_ESTIMATE,
    ),
}


@pytest.mark.parametrize("case", _LOGISTIC_FAILURES)
def test_where_logistic_regression_fails_a_status_says_why(case: str) -> None:
    bad, status = _LOGISTIC_FAILURES[case]
    good = answers(awkward(1, 1))
    bad = {"covariates": np.zeros(len(bad["value"]))} | bad
    found = estimate(Logistic(), rows_cut(good, bad, good), lower_is_better=False)
    assert found.status.tolist() == [Status.OK, status, Status.OK]
    assert np.isnan(found.z[1])
    assert found.z[0] == found.z[2] == estimate(Logistic(), rows_cut(good), lower_is_better=False).z[0]


def test_they_turn_with_direction_and_arms() -> None:
    data = {key: value for key, value in DATA["actg175_3_5"].items() if key != "rise"}
    for analysis, given in ((Cox(), data), (Logistic(), answers(DATA["actg175_3_5"]))):
        plain, higher = (
            estimate(analysis, rows_cut(given), better, covariates=("some",)) for better in (True, False)
        )
        swapped = estimate(
            analysis, rows_cut(given | {"treated": ~given["treated"]}), True, covariates=("some",)
        )
        assert higher.z[0] == -plain.z[0]
        assert swapped.z[0] == pytest.approx(-plain.z[0], rel=1e-7)
        assert swapped.effect[0] == pytest.approx(-plain.effect[0], rel=1e-7)
