"""``trialsim analyse`` by every test that a table of patients allows, on real data and against other packages."""

from __future__ import annotations

import json
import math
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as formula
import yaml
from jsonschema import Draft202012Validator
from lifelines import CoxPHFitter
from lifelines.datasets import load_gbsg2, load_lung
from lifelines.statistics import logrank_test
from scipy import optimize, special
from scipy.stats import fisher_exact, norm
from scipy.stats import t as student
from statsmodels.stats.contingency_tables import StratifiedTable

from trialsim.cli import main as entry
from trialsim.interim.monitored import MONITORED, NOT_MONITORED
from trialsim.scenario.hypotheses import ANALYSES_OF_KIND

GBSG2 = load_gbsg2()
SURVIVAL: dict[str, Any] = {
    "direction": "lower",
    "arms": ["no", "yes"],
    "columns": {"arm": "horTh", "time": "time", "event": "cens"},
    "design": {"information": [0.5, 1], "effect": -0.4},
}
LUNG = load_lung().rename(columns={"wt.loss": "loss", "ph.ecog": "ecog", "pat.karno": "karnofsky"})
LUNG = LUNG[LUNG.ecog < 3].dropna(subset=["loss", "age", "ecog", "karnofsky"])
LUNG = LUNG.assign(
    arm=np.where(LUNG.sex == 2, "f", "m"),
    state=["e" + str(int(each)) for each in LUNG.ecog],
    dead=(LUNG.status == LUNG.status.max()).astype(int),
)[["arm", "loss", "age", "karnofsky", "state", "dead"]]
READ_OUT: dict[str, Any] = {
    "direction": "lower",
    "arms": ["m", "f"],
    "columns": {"arm": "arm", "value": "dead"},
    "design": {"information": [0.5, 1]},
    "maximum": {"patients": 400},
}


def run(folder: Path, frame: pd.DataFrame, design: dict[str, Any]) -> int:
    frame.to_csv(folder / "data.csv", index=False)
    (folder / "design.yaml").write_text(yaml.safe_dump(design), encoding="utf-8")
    return entry.main(
        ["analyse", str(folder / "data.csv"), "--design", str(folder / "design.yaml"), "--json"]
    )


def analysed(
    capsys: pytest.CaptureFixture[str], folder: Path, frame: pd.DataFrame, design: dict[str, Any]
) -> dict[str, Any]:
    assert run(folder, frame, design) == 0
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    schema = json.loads(files("trialsim").joinpath("schemas", "analyse.json").read_text())
    assert list(Draft202012Validator(schema).iter_errors(document)) == []
    return document


def refused(
    capsys: pytest.CaptureFixture[str], folder: Path, frame: pd.DataFrame, design: dict[str, Any]
) -> str:
    assert run(folder, frame, design) == 2
    return capsys.readouterr().err


def test_every_test_is_there_or_has_a_reason() -> None:
    tests = {name for names in ANALYSES_OF_KIND.values() for name in names}
    assert tests == {*MONITORED, *NOT_MONITORED, "beta_binomial"}


@pytest.mark.parametrize(("rho", "gamma"), [(0, 1), (1, 0), (0.5, 0.5)])
def test_weighted_log_rank(
    rho: float, gamma: float, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    weights = {"fleming_harrington": {"rho": rho, "gamma": gamma}}
    design = SURVIVAL | {"analysis": weights, "maximum": {"information": 60}}
    found = analysed(capsys, tmp_path, GBSG2, design)
    treated = GBSG2.horTh == "yes"
    other = logrank_test(
        GBSG2.time[treated], GBSG2.time[~treated], GBSG2.cens[treated], GBSG2.cens[~treated],
        weightings="fleming-harrington", p=rho, q=gamma,
    )  # fmt: skip
    assert found["z"] ** 2 == pytest.approx(other.test_statistic, rel=1e-10)
    assert found["z"] > 0
    assert found["estimate"] == pytest.approx(-found["z"] * found["se"], rel=1e-12)
    assert found["conclusions"][0]["estimate"] == pytest.approx(found["estimate"], rel=1e-9)
    weighted = found["counted"]  # the variance of the score, another number than 1 / se^2
    assert 2 < weighted < 60 and not math.isclose(weighted, 1 / found["se"] ** 2, rel_tol=0.1)
    assert any("variance of the weighted score" in each for each in found["notes"])


def test_cox_with_covariates_and_strata(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    cox = {"cox": {"covariates": ["age", "tgrade", "pnodes"], "strata": ["menostat"]}}
    found = analysed(capsys, tmp_path, GBSG2, SURVIVAL | {"analysis": cox, "maximum": {"events": 320}})
    frame = pd.get_dummies(
        GBSG2[["horTh", "age", "tgrade", "pnodes", "time", "cens"]].astype({"horTh": str}), drop_first=True, dtype=float
    )  # fmt: skip
    fitted = CoxPHFitter().fit(frame.assign(menostat=GBSG2.menostat), "time", "cens", strata=["menostat"])
    assert found["estimate"] == pytest.approx(fitted.params_["horTh_yes"], abs=2e-6)
    assert found["se"] == pytest.approx(fitted.standard_errors_["horTh_yes"], rel=1e-5)


def at_time(treated: bool, until: float) -> tuple[float, float, float, float]:
    """Return survival with Greenwood's variance, and the mean up to then with its own, in days, by plain loops."""
    here = GBSG2[(GBSG2.horTh == "yes") == treated]
    survival, total, steps = 1.0, 0.0, [(0.0, 1.0, 0.0)]
    for day in sorted(set(here.time[(here.cens == 1) & (here.time <= until)])):
        risk, events = (here.time >= day).sum(), ((here.time == day) & (here.cens == 1)).sum()
        survival *= 1 - events / risk
        steps.append((day, survival, events / (risk * (risk - events))))
        total += steps[-1][2]
    ends = [*(day for day, *_ in steps[1:]), until]
    areas = [height * (end - day) for end, (day, height, _) in zip(ends, steps)]
    rest = np.cumsum(areas[::-1])[::-1]  # the area from each step on
    variance = sum(float(left) ** 2 * share for left, (*_, share) in zip(rest, steps))
    return survival, survival**2 * total, float(sum(areas)), variance


@pytest.mark.parametrize(("unit", "days"), [("days", 1.0), ("years", 365.25)])
def test_curves_at_a_time_in_the_unit_of_the_data(
    unit: str, days: float, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    frame = GBSG2.assign(time=GBSG2.time / days)
    design = SURVIVAL | {"time_unit": unit, "analysis": {"milestone": {"at": "1000 days"}}}
    wanted = {"design": {"information": [0.5, 1], "effect": 0.1}}
    found = analysed(capsys, tmp_path, frame, design | wanted)
    treated, control = at_time(True, 1000), at_time(False, 1000)
    assert found["estimate"] == pytest.approx(treated[0] - control[0], abs=1e-12)
    assert found["se"] == pytest.approx(math.sqrt(treated[1] + control[1]), rel=1e-10)
    assert found["z"] == pytest.approx(
        found["estimate"] / found["se"], rel=1e-12
    )  # more survival is in favour
    assert found["counted"] == pytest.approx(1 / found["se"] ** 2, rel=1e-12)
    assert found["conclusions"][0]["lower"] < found["estimate"] < found["conclusions"][0]["upper"]

    design["analysis"] = {"restricted_mean": {"up_to": "1000 days"}}
    means = analysed(capsys, tmp_path, frame, design | {"design": {"information": [0.5, 1], "effect": 40}})
    assert means["estimate"] == pytest.approx(treated[2] - control[2], rel=1e-10)
    assert means["se"] == pytest.approx(math.sqrt(treated[3] + control[3]), rel=1e-10)


def test_means_adjusted_for_numbers_words_and_a_score(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    design = READ_OUT | {"columns": {"arm": "arm", "value": "loss"}}
    plain = design | {"analysis": {"ancova": {"covariates": ["age", "karnofsky", "state"]}}}
    found = analysed(capsys, tmp_path, LUNG, plain)
    arm = "C(arm, Treatment('m'))"
    fitted = formula.ols(f"loss ~ {arm} + age + karnofsky + state", LUNG).fit()
    name = f"{arm}[T.f]"
    assert found["estimate"] == pytest.approx(fitted.params[name], rel=1e-10)
    assert found["se"] == pytest.approx(fitted.bse[name], rel=1e-10)
    assert found["nominal_p"] == pytest.approx(student.cdf(fitted.tvalues[name], fitted.df_resid), rel=1e-9)

    scored = {"procova": {"score": {"age": 0.1, "karnofsky": -0.2}, "covariates": ["state"]}}
    procova = analysed(capsys, tmp_path, LUNG, design | {"analysis": scored})
    score = 0.1 * LUNG.age - 0.2 * LUNG.karnofsky
    fitted = formula.ols(f"loss ~ {arm} + score + state", LUNG.assign(score=score)).fit()
    assert procova["estimate"] == pytest.approx(fitted.params[name], rel=1e-10)
    assert procova["se"] == pytest.approx(fitted.bse[name], rel=1e-10)


def counts(frame: pd.DataFrame) -> np.ndarray[Any, Any]:
    """Return deaths and survivors of treatment, then of control."""
    rows = [frame.dead[frame.arm == arm] for arm in ("f", "m")]
    return np.array([[row.sum(), len(row) - row.sum()] for row in rows])


def test_proportions_within_strata(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    strata = {"cochran_mantel_haenszel": {"strata": ["state"]}}
    found = analysed(capsys, tmp_path, LUNG, READ_OUT | {"analysis": strata})
    tables = [counts(here).astype(float) for _, here in LUNG.groupby("state")]
    other = StratifiedTable(tables).test_null_odds(correction=False)
    assert found["z"] ** 2 == pytest.approx(other.statistic, rel=1e-10)
    weights = [table[0].sum() * table[1].sum() / table.sum() for table in tables]
    differences = [table[0, 0] / table[0].sum() - table[1, 0] / table[1].sum() for table in tables]
    assert found["estimate"] == pytest.approx(np.average(differences, weights=weights), rel=1e-10)
    assert found["conclusions"][0]["estimate"] == pytest.approx(found["estimate"], rel=1e-9)
    # a trial of one look: the interval is the difference beside its deviation under the null
    design = READ_OUT | {"analysis": strata, "design": {"information": [1]}, "last": True}
    alone = analysed(capsys, tmp_path, LUNG, design)["conclusions"][0]
    half = norm.isf(0.025) * abs(found["estimate"]) / found["z"]
    assert (alone["upper"] - alone["lower"]) / 2 == pytest.approx(half, rel=1e-6)


def test_exact_and_logistic(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    found = analysed(capsys, tmp_path, LUNG, READ_OUT | {"analysis": "fisher"})
    assert found["nominal_p"] == pytest.approx(fisher_exact(counts(LUNG), "less").pvalue, rel=1e-9)
    score = analysed(capsys, tmp_path, LUNG, READ_OUT | {"analysis": "score_test"})
    for exact, other in zip(found["conclusions"], score["conclusions"], strict=True):
        assert [exact[key] for key in ("estimate", "lower", "upper")] == pytest.approx(
            [other[key] for key in ("estimate", "lower", "upper")], rel=1e-9
        )
        assert exact["p_value"] > other["p_value"]
    logistic = {"logistic": {"covariates": ["age", "state"]}}
    found = analysed(capsys, tmp_path, LUNG, READ_OUT | {"analysis": logistic})
    arm = "C(arm, Treatment('m'))"
    fitted = formula.logit(f"dead ~ {arm} + age + state", LUNG).fit(disp=0)
    assert found["estimate"] == pytest.approx(fitted.params[f"{arm}[T.f]"], abs=1e-8)
    assert found["se"] == pytest.approx(fitted.bse[f"{arm}[T.f]"], rel=1e-6)


def test_limits_are_within_what_a_difference_can_be(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    frame = pd.DataFrame({"arm": ["f"] * 20 + ["m"] * 20, "dead": [0] * 20 + [1] * 20})
    for name in ("score_test", "fisher", "miettinen_nurminen"):
        found = analysed(capsys, tmp_path, frame, READ_OUT | {"analysis": name, "maximum": {"patients": 60}})
        for each in found["conclusions"]:
            assert -1 <= each["lower"] < each["upper"] < 0
            assert each["estimate"] == pytest.approx(-1, abs=1e-9)


def test_a_margin_is_what_estimates_and_intervals_are_counted_from(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    margin = 0.1
    design = READ_OUT | {
        "analysis": {"miettinen_nurminen": {"margin": margin}},
        "design": {"information": [0.5, 1], "effect": -0.1},
    }
    found = analysed(capsys, tmp_path, LUNG, design)
    (dead, alive), (dead0, alive0) = counts(LUNG)
    n, n0 = dead + alive, dead0 + alive0

    def against(rate: float) -> float:
        return -float(
            special.xlogy(dead, rate + margin) + special.xlog1py(alive, -rate - margin)
            + special.xlogy(dead0, rate) + special.xlog1py(alive0, -rate)
        )  # fmt: skip

    rate = optimize.minimize_scalar(
        against, bounds=(0, 1 - margin), method="bounded", options={"xatol": 1e-12}
    ).x
    variance = (rate + margin) * (1 - rate - margin) / n + rate * (1 - rate) / n0
    variance *= (n + n0) / (n + n0 - 1)
    assert found["z"] == pytest.approx((margin - dead / n + dead0 / n0) / math.sqrt(variance), rel=1e-6)
    assert found["estimate"] == pytest.approx(dead / n - dead0 / n0, abs=1e-12)
    assert all(
        each["estimate"] == pytest.approx(found["estimate"], abs=1e-9) for each in found["conclusions"]
    )
    # an effect of the margin itself plans for nothing
    design["design"] = {"information": [0.5, 1], "effect": margin}
    said = refused(capsys, tmp_path, LUNG, design)
    assert "design.effect: 0.1 is no benefit with this direction; give a number below 0.1" in said


MILESTONE = SURVIVAL | {"analysis": {"milestone": {"at": "1000 days"}}, "time_unit": "days"}
PLAIN = {"design": {"information": [0.5, 1]}}
LATE = {"analysis": {"fleming_harrington": {"rho": 0, "gamma": 1}}}


@pytest.mark.parametrize(
    ("frame", "design", "sentence"),
    [
        (GBSG2, MILESTONE | {"time_unit": None}, "time_unit: it is missing; milestone names a time"),
        (GBSG2, MILESTONE | {"time_unit": "fortnights"}, "time_unit: 'fortnights' is given; allowed: hours, days"),
        (GBSG2, MILESTONE, "design.effect: -0.4 is no benefit with this direction; give a number above 0"),
        (GBSG2, MILESTONE | PLAIN | {"maximum": {"events": 300}}, "1 / variance of the difference in survival"),
        (
            GBSG2,
            MILESTONE | PLAIN | {"analysis": {"milestone": {"at": "20 years"}}, "maximum": {"information": 900}},
            "nobody in one of the compared arms was followed for as long as the analysis asks",
        ),
        (GBSG2, SURVIVAL | LATE, "maximum: give the planned maximum, such as {information: 50}: the variance of"),
        (GBSG2, SURVIVAL | LATE | {"maximum": {"events": 300}}, "not the fraction of events"),
        (GBSG2, SURVIVAL | {"analysis": "rerandomised_logrank"}, "it draws allocations again by a design's rule"),
        (LUNG, READ_OUT | {"analysis": "beta_binomial"}, "it is a posterior, not a test with bounds"),
        (LUNG, READ_OUT | {"analysis": "score_test", "time_unit": "days"}, "time_unit: it belongs to survival"),
        (
            LUNG,
            READ_OUT | {"analysis": "fisher", "design": {"information": [0.5, 1], "sides": 2}},
            "design.sides: the z of fisher has the tail of the direction of benefit alone",
        ),
        (LUNG, READ_OUT | {"analysis": {"logistic": {"covariates": ["years"]}}}, "the column 'years' is unknown"),
        (
            LUNG.assign(age=["", *LUNG.age[1:]], state=["", *LUNG.state[1:]]),
            READ_OUT | {"analysis": {"logistic": {"covariates": ["age", "state"]}}},
            "line 2, state: it is empty; every patient has a value of what the test adjusts for",
        ),
        (
            LUNG.assign(age=["6o", *LUNG.age[1:]]),
            READ_OUT | {"analysis": {"logistic": {"covariates": ["age"]}}},
            "line 2, age: '6o' is no number; a column holds numbers, or words throughout",
        ),
        (
            LUNG.assign(state=np.where(np.arange(len(LUNG)) == 0, "e9", LUNG.state)),
            READ_OUT | {"analysis": {"logistic": {"covariates": ["state"]}}},
            "no finite maximum; where a rare level of a covariate foretells the outcome, join it with another",
        ),
        (
            LUNG,
            READ_OUT | {"analysis": {"procova": {"score": {"state": 1}}}, "columns": {"arm": "arm", "value": "loss"}},
            "state: 'e1' is no number; a column holds numbers",
        ),
    ],
    ids=range(16),
)  # fmt: skip
def test_what_cannot_be_had_is_a_sentence(
    frame: pd.DataFrame,
    design: dict[str, Any],
    sentence: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    given = {key: value for key, value in design.items() if value is not None}
    assert sentence in refused(capsys, tmp_path, frame, given)
