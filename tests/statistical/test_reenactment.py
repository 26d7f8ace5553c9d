"""ACTG 175 re-enacted in its fitted world: the real trial looks like one of its re-enactments.

Each of the 20 figures (survival by arm at 6, 12, 24, 30 months; mean CD4 count at week 20 by arm) must lie inside the
central 95% of its own re-enactments. No allowance is made for there being 20 of them: the world was fitted to these
very data, so the real values should lie nearer the middle than a new trial's would, and a Bonferroni range (99.75% each)
would let a poor fit pass.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest
from lifelines import KaplanMeierFitter

from tests.statistical.data_cuts import survival_cut
from trialsim.analyses.cox import Cox

FOLDER = Path(__file__).resolve().parents[2] / "scenarios" / "actg175"
REAL = json.loads((FOLDER / "real.json").read_text(encoding="utf-8"))
PUBLISHED = {
    "zdv_ddi": (0.495, 0.388, 0.630),
    "zdv_zal": (0.527, 0.416, 0.669),
    "ddi": (0.590, 0.470, 0.740),
}


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("actg175_reenact", FOLDER / "reenact.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # its dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("replicates", [200, pytest.param(2000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("censored", [True, False])
def test_the_real_figures_lie_among_re_enactments(
    script: ModuleType, replicates: int, censored: bool
) -> None:
    plan = script.fitted_plan(seed=1)
    listed = script.figures(script.reenact(plan, replicates, censored=censored))
    assert len(listed) == 4 * 4 + 4
    outside = [f"{one.arm}, {one.name}: percentile {one.percentile:.1f}" for one in listed if not one.inside]
    assert outside == []


def test_another_world_is_told_from_the_real_one(script: ModuleType) -> None:
    listed = script.figures(script.reenact(script.fitted_plan(truth="no_effect"), 200))
    outside = {(one.arm, one.name) for one in listed if not one.inside}
    experimental = {(one.arm, one.name) for one in listed if one.arm != "zdv"}
    assert outside <= experimental
    assert len(outside) >= 13  # of 15; the earliest survival figures are the least telling


def test_assumed_censoring_moves_no_mean(script: ModuleType) -> None:
    plan = script.fitted_plan()
    with_it, without = (script.reenact(plan, 200, censored=censored) for censored in (True, False))
    assert with_it.at_risk[:, 0, -1].mean() < without.at_risk[:, 0, -1].mean() - 20
    difference = with_it.survival - without.survival  # of the same patients
    error = difference.std(axis=0, ddof=1) / np.sqrt(len(difference))
    assert (np.abs(difference.mean(axis=0)) <= 5 * error + 1e-12).all()


def test_the_estimator_is_that_of_lifelines_and_of_real_json(script: ModuleType) -> None:
    curves = script.real_curves(script.CHECK_MONTHS)
    for arm, curve in curves.items():
        stored = [point["survival"] for point in REAL["arms"][arm]["kaplan_meier"]]
        assert np.abs(curve - stored).max() < 1e-6
    random = np.random.default_rng(5)
    days, event = random.integers(1, 30, 200), random.random(200) < 0.6  # many ties
    times = np.array([0, 5, 11, 29])
    survival, at_risk = script.survival_at(days, event, times)
    expected = KaplanMeierFitter().fit(days, event).predict(times).to_numpy()
    assert np.abs(survival - expected).max() < 1e-12
    assert at_risk.tolist() == [(days >= time).sum() for time in times]


@pytest.mark.parametrize("arm", list(PUBLISHED))
def test_our_cox_analysis_meets_the_real_ratios(arm: str) -> None:
    patients = pd.read_csv(FOLDER / "patients.csv", usecols=["arms", "days", "cens"])
    code = ["zdv", "zdv_ddi", "zdv_zal", "ddi"].index(arm)
    pair = patients[patients["arms"].isin([0, code])]
    cut = survival_cut((pair["days"], pair["cens"] == 1, pair["arms"] == code))
    found = Cox().estimate(cut, lower_is_better=True, options={})
    effect, se = float(found.effect[0]), float(found.se[0])
    ratio, lower, upper = (np.exp(effect + k * 1.959963984540054 * se) for k in (0, -1, 1))
    assert [round(value, 3) for value in (ratio, lower, upper)] == list(PUBLISHED[arm])
    stored = REAL["cox_against_zdv"][arm]
    expected = [stored[key] for key in ("hazard_ratio", "lower", "upper")]
    assert np.abs(np.array([ratio, lower, upper]) - expected).max() < 1e-5


@pytest.mark.slow
def test_the_page_holds_what_the_script_prints(
    script: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    assert script.main([]) == 0
    printed = capsys.readouterr().out
    page = (FOLDER.parents[1] / "docs" / "actg175.md").read_text(encoding="utf-8")
    assert printed.strip() in page
    for truth, inside in (("no_effect", 5), ("published", 17), ("proportional", 20)):
        assert script.main(["--truth", truth]) == (inside != 20)
        assert f"{inside} of 20 real values" in capsys.readouterr().out
        assert f"`{truth}`" in page
