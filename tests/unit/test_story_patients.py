"""The analysis data set is enough for other software to recompute, from the file, every z of the deciding look."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from lifelines.statistics import logrank_test
from scipy import stats

from tests.unit.story_scenario import eventful
from trialsim.engines.conduct import conduct
from trialsim.engines.records import columns_of
from trialsim.engines.runner import chunk_of
from trialsim.report.story import explain
from trialsim.scenario.load import load_scenario
from trialsim.scenario.schema import Scenario


def from_file(scenario: Scenario, design: str, truth: str, replicate: int, seed: int, folder: Path) -> Any:
    """Return the data set after a trip through a file, as another program would read it."""
    path = folder / "patients.csv"
    explain(scenario, design, truth, replicate, seed).patients.to_csv(path, index=False)
    return pd.read_csv(path, keep_default_na=False, na_values=[""], float_precision="round_trip")


def deciding_z(scenario: Scenario, design: str, truth: str, replicate: int, seed: int) -> dict[str, float]:
    """Return z of each test at the last look, from the records of the fast engine."""
    result = conduct(chunk_of(scenario, design, truth, [replicate], seed, "fast"))
    looks = columns_of(result)["looks"]
    last = looks["look"] == looks["look"].max()
    names = [test.name for test in result.chunk.plan.tests]
    assert result.ends.look[0] + 1 == looks["look"].max()
    return {names[h]: z for h, z in zip(looks["hypothesis"][last], looks["z"][last], strict=True)}


def logrank_z(data: Any, endpoint: str, treatment: str, control: str, strata: str | None = None) -> float:
    """Return the log-rank z, positive when treatment has fewer events than expected."""
    data = data[(data[f"{endpoint}_ANLFL"] == "Y") & data["ARM"].isin([treatment, control])]
    score = variance = 0.0
    for _, group in [("", data)] if strata is None else data.groupby(strata):
        time, event = group[f"{endpoint}_TIME"].to_numpy(), group[f"{endpoint}_CNSR"].to_numpy() == 0
        treated = group["ARM"].to_numpy() == treatment
        for t in np.unique(time[event]):
            at_risk, now = time >= t, event & (time == t)
            n, d, share = at_risk.sum(), now.sum(), treated[at_risk].mean()
            score += (now & treated).sum() - d * share
            variance += d * share * (1 - share) * (n - d) / max(n - 1, 1)
    return float(-score / np.sqrt(variance))


@pytest.mark.parametrize("design", ["group_sequential", "fixed"])
@pytest.mark.parametrize("replicate", [0, 1, 5])
def test_logrank_of_nph_oncology(root: Path, tmp_path: Path, design: str, replicate: int) -> None:
    scenario = load_scenario(root / "scenarios/nph_oncology/nph_oncology.yaml")
    data = from_file(scenario, design, "delayed", replicate, 3, tmp_path)
    z = deciding_z(scenario, design, "delayed", replicate, 3)["primary"]
    assert logrank_z(data, "DEATH", "treatment", "control") == pytest.approx(z, abs=1e-10)
    treated, control = (data[data["ARM"] == arm] for arm in ("treatment", "control"))
    found = logrank_test(
        treated["DEATH_TIME"], control["DEATH_TIME"], 1 - treated["DEATH_CNSR"], 1 - control["DEATH_CNSR"]
    )
    assert found.test_statistic == pytest.approx(z**2, rel=1e-9)


@pytest.mark.parametrize("replicate", range(4))
def test_score_test_of_binary_sequential(root: Path, tmp_path: Path, replicate: int) -> None:
    scenario = load_scenario(root / "scenarios/binary_sequential/binary_sequential.yaml")
    data = from_file(scenario, "group_sequential", "alternative", replicate, 2, tmp_path)
    z = deciding_z(scenario, "group_sequential", "alternative", replicate, 2)["primary"]
    data = data[data["RESPONSE_ANLFL"] == "Y"]
    table = pd.crosstab(data["ARM"], data["RESPONSE_VALUE"])
    found = stats.chi2_contingency(table.to_numpy(), correction=False)
    rate = data.groupby("ARM")["RESPONSE_VALUE"].mean()
    sign = np.sign(rate["treatment"] - rate["control"])
    assert sign * np.sqrt(found.statistic) == pytest.approx(z, abs=1e-10)


def test_t_tests_of_actg175(root: Path, tmp_path: Path) -> None:
    scenario = load_scenario(root / "scenarios/actg175/actg175.yaml")
    data = from_file(scenario, "surrogate", "no_effect", 4, 1, tmp_path)
    wanted = deciding_z(scenario, "surrogate", "no_effect", 4, 1)
    seen = data[data["CD4_WEEK20_ANLFL"] == "Y"]
    assert len(seen) == 2000 < len(data)
    for name, z in wanted.items():
        arm = name.removeprefix("cd4_")
        values = [seen.loc[seen["ARM"] == each, "CD4_WEEK20_VALUE"] for each in (arm, "zdv")]
        found = stats.ttest_ind(*values, alternative="greater")
        assert stats.norm.isf(found.pvalue) == pytest.approx(z, abs=1e-9)


@pytest.mark.slow
def test_logrank_of_actg175_after_arms_are_closed(root: Path, tmp_path: Path) -> None:
    scenario = load_scenario(root / "scenarios/actg175/actg175.yaml")
    data = from_file(scenario, "drop_arm", "fitted", 0, 1, tmp_path)
    for name, z in deciding_z(scenario, "drop_arm", "fitted", 0, 1).items():
        assert logrank_z(data, "PROGRESSION", name, "zdv") == pytest.approx(z, abs=1e-10)
    table = pd.read_csv(root / "scenarios/actg175/patients.csv")
    real = set(zip(table["age"], table["cd40"], table["karnof"], strict=True))
    assert set(zip(data["age"], data["cd4"], data["karnofsky"], strict=True)) <= real


@pytest.mark.parametrize("design", ["adaptive", "two_arms"])
@pytest.mark.parametrize("replicate", range(3))
def test_strata_readout_delay_and_dropout(tmp_path: Path, design: str, replicate: int) -> None:
    scenario = eventful()
    data = from_file(scenario, design, "alternative", replicate, 1, tmp_path)
    wanted = deciding_z(scenario, design, "alternative", replicate, 1)
    assert logrank_z(data, "DEATH", "high", "control", "sex") == pytest.approx(wanted["high"], abs=1e-10)
    if "low" in wanted:
        assert logrank_z(data, "DEATH", "low", "control") == pytest.approx(wanted["low"], abs=1e-10)
    # The delay matters: without it the statistic would be another.
    assert (data["RANDDT"] + data["DEATH_TIME"]).max() == pytest.approx(data["CUTDT"][0] - 20)
    assert set(data["STRATUM"]) == {"sex=female", "sex=male"}
    assert (data["STRATUM"] == "sex=" + data["sex"]).all()
    assert "prognosis" not in data.columns
    lost = data[data["DROPOUT"].notna() & (data["RANDDT"] + data["DROPOUT"] <= data["CUTDT"] - 20)]
    assert len(lost) > 0
    assert (lost["DEATH_TIME"] <= lost["DROPOUT"]).all()


def test_patients_randomised_after_the_cut_are_there_without_outcomes(tmp_path: Path) -> None:
    data = from_file(eventful(), "early", "alternative", 0, 1, tmp_path)
    late = data[data["RANDDT"] > data["CUTDT"]]
    assert len(data) > 30
    assert (data["RANDFL"] == "Y").sum() == 30
    assert (late["RANDFL"] == "N").all()
    assert (late[["DEATH_ANLFL", "RESPONSE_ANLFL"]] == "N").all(axis=None)
    assert late[["DEATH_TIME", "DEATH_CNSR", "RESPONSE_VALUE", "DROPOUT"]].isna().all(axis=None)


def test_times_survive_the_file_exactly(tmp_path: Path) -> None:
    data = from_file(eventful(), "adaptive", "alternative", 0, 1, tmp_path)
    assert (data["RANDDT"] * 2**20 == data["RANDTICK"]).all()
    ticks = data["DEATH_TIME"].dropna() * 2**20
    assert (ticks == ticks.round()).all()
    assert data["SUBJID"].tolist() == list(range(1, 61))
    assert data["USUBJID"].is_unique


def test_a_trial_without_patients_has_the_same_columns() -> None:
    scenario = eventful()
    nobody = explain(scenario.model_copy(update={"horizon": 0.5}), "adaptive").patients
    assert len(nobody) == 0
    assert list(nobody.columns) == list(explain(scenario, "adaptive").patients.columns)
