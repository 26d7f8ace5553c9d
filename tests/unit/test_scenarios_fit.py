"""The shipped scenarios hold what their scripts, tables and spending functions give."""

from __future__ import annotations

import hashlib
import importlib.util
import math
from pathlib import Path
from types import ModuleType
from typing import Any

import lifelines
import numpy as np
import pandas as pd
import pytest
import yaml
from scipy.stats import multivariate_normal, norm

from trialsim.scenario.load import load_scenario

ROOT = Path(__file__).resolve().parents[2]
SCENARIOS = ROOT / "scenarios"
W1_TRUTHS = {"proportional": 12, "no_effect": 8}
FIGURE_KEYS = {
    "design",
    "truth",
    "measure",
    "hypothesis",
    "look",
    "value",
    "unit",
    "mcse",
    "n",
    "slack",
    "source",
}


@pytest.fixture(scope="module")
def fit() -> ModuleType:
    spec = importlib.util.spec_from_file_location("actg175_fit", SCENARIOS / "actg175" / "fit.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def patients(fit: ModuleType) -> pd.DataFrame:
    return fit.load()


@pytest.fixture(scope="module")
def real(fit: ModuleType, patients: pd.DataFrame) -> dict[str, Any]:
    return fit.real_results(patients)


def read(name: str) -> dict[str, Any]:
    return yaml.safe_load((SCENARIOS / name).read_text(encoding="utf-8"))


def test_the_table_is_that_of_lifelines_byte_for_byte() -> None:
    original = Path(lifelines.__file__).parent / "datasets" / "ACTG175.csv"
    assert (SCENARIOS / "actg175" / "patients.csv").read_bytes() == original.read_bytes()


@pytest.mark.slow
def test_the_shipped_files_are_what_the_fit_gives(
    fit: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fit.main(["--check"]) == 0
    assert "are what the fit gives" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("old", "new", "differ"),
    [
        ("hazard: 0.012345 per month", "hazard: 0.012346 per month", False),
        ("hazard: 0.012345 per month", "hazard: 0.012445 per month", True),
        ("hazard: 0.012345 per month", "hazard: 0.012345 per year", True),
        ("look: 150", "look: 151", True),
        ("a: 0.5", "a: 0.5\nb: 0.5", True),
    ],
)
def test_the_check_forgives_a_last_digit_only(fit: ModuleType, old: str, new: str, differ: bool) -> None:
    assert fit.differs(old, new) is differ


def test_the_real_trial_gives_the_known_cox_ratios(real: dict[str, Any]) -> None:
    known = {"zdv_ddi": (0.495, 0.388, 0.630), "zdv_zal": (0.527, 0.416, 0.669), "ddi": (0.590, 0.470, 0.740)}
    for arm, figures in known.items():
        found = real["cox_against_zdv"][arm]
        assert (found["hazard_ratio"], found["lower"], found["upper"]) == pytest.approx(
            figures, abs=0.0005001
        )


def test_proportional_hazards_fails_for_zidovudine_with_didanosine(real: dict[str, Any]) -> None:
    found = real["cox_against_zdv"]["zdv_ddi"]
    assert found["proportional_hazards_p"] == pytest.approx(0.018, abs=0.0005)
    assert found["hazard_ratio_by_year"] == pytest.approx([0.37, 0.51, 0.60], abs=0.005)


@pytest.mark.slow
def test_the_fitted_world_averages_to_the_real_curves(
    fit: ModuleType, patients: pd.DataFrame, real: dict[str, Any]
) -> None:
    progression = fit.fit_progression(patients)
    for arm, results in real["arms"].items():
        for point in results["kaplan_meier"]:
            implied = fit.implied_survival(patients, progression, arm, point["months"])
            assert point["lower"] < implied < point["upper"]
            # No further off than two thirds of the band at any point, nor a third at the later ones.
            side = (
                point["upper"] - point["survival"]
                if implied > point["survival"]
                else point["survival"] - point["lower"]
            )
            assert abs(implied - point["survival"]) < (2 / 3 if point["months"] == 6 else 1 / 3) * side


def test_the_fitted_cd4_means_are_the_real_ones_within_a_standard_error(
    fit: ModuleType, patients: pd.DataFrame, real: dict[str, Any]
) -> None:
    cd4 = fit.fit_cd4(patients)
    for arm, results in real["arms"].items():
        target = results["cd4_week20"]
        assert abs(fit.implied_cd4(patients, cd4, arm) - target["mean"]) < target["se"]


@pytest.mark.slow
def test_the_yaml_holds_the_fitted_numbers_where_the_engine_reads_them(
    fit: ModuleType, patients: pd.DataFrame
) -> None:
    world = read("actg175/actg175.yaml")
    progression = world["endpoints"]["progression"]
    fitted = fit.fit_progression(patients)
    hazards = [
        float(piece["hazard"].removesuffix(" per month")) for piece in progression["baseline"]["piecewise"]
    ]
    expected = [math.exp(fitted[f"baseline_{cut}"]) * 30.4375 for cut in fit.BASELINE_CUTS]
    assert hazards == pytest.approx(expected, rel=1e-4)
    for arm in world["arms"][1:]:
        ratios = [piece["hazard_ratio"] for piece in progression["effect"][arm]]
        assert ratios == pytest.approx(
            [math.exp(fitted[f"{arm}_{cut}"]) for cut in fit.EFFECT_CUTS], rel=1e-4
        )
    assert world["population"]["columns"] == fit.COVARIATES
    assert progression["centre"] == fit.CENTRE


def test_published_ratios_are_close_to_those_of_the_table(real: dict[str, Any]) -> None:
    published = read("actg175/actg175.yaml")["truths"]["published"]
    for arm, found in real["cox_against_zdv"].items():
        assert published[f"endpoints.progression.effect.{arm}"] == pytest.approx(
            found["hazard_ratio"], abs=0.0205
        )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "design", "information"),
    [
        ("nph_oncology/nph_oncology.yaml", "group_sequential", [86 / 259, 173 / 259, 1.0]),
        ("binary_sequential/binary_sequential.yaml", "group_sequential", [1 / 3, 2 / 3, 1.0]),
        ("actg175/actg175.yaml", "sequential", [1 / 3, 2 / 3, 1.0]),
        ("actg175/actg175.yaml", "drop_arm", [None, 1 / 2, 1.0]),
    ],
)
def test_efficacy_bounds_spend_alpha_as_lan_and_demets(
    file: str, design: str, information: list[Any]
) -> None:
    designs = read(file)["designs"]
    tests = designs[design].get("tests") or designs[designs[design]["extends"]]["tests"]
    (alpha,) = {test["alpha"] for test in tests.values()}
    bounds = [bound for bound in designs[design]["bounds"]["efficacy_z"] if bound is not None]
    rates = np.array([rate for rate in information if rate is not None])
    spent = 2 * norm.sf(norm.isf(alpha / 2) / np.sqrt(rates))
    correlation = np.sqrt(np.minimum.outer(rates, rates) / np.maximum.outer(rates, rates))
    for looks in range(1, len(rates) + 1):
        below = multivariate_normal(cov=correlation[:looks, :looks], abseps=1e-9, releps=1e-9, seed=1)
        # A bound is printed to five decimals: its error times the normal density, at most 3e-6.
        assert 1 - below.cdf(bounds[:looks]) == pytest.approx(
            spent[looks - 1], abs=3e-6 * norm.pdf(bounds[looks - 1]) + 2e-7
        )


@pytest.mark.parametrize("family", ["nph_oncology", "binary_sequential", "multi_arm"])
def test_expected_figures_are_well_formed_and_by_other_hands(family: str) -> None:
    expected = read(f"{family}/expected.yaml")
    scenario = read(f"{family}/{expected['scenario']}")
    seen = set()
    for figure in expected["figures"]:
        assert set(figure) <= FIGURE_KEYS
        assert figure["design"] in scenario["designs"]
        assert figure["truth"] in scenario["truths"]
        assert ("mcse" in figure) != ("n" in figure)
        assert ("hypothesis" in figure) == figure["measure"].startswith(("reject", "tested"))
        assert ("look" in figure) == (figure["measure"] in {"reject_by_look", "look_time", "tested_at_look"})
        assert isinstance(figure["value"], float)
        assert "trialsim" not in figure["source"]
        key = (*(figure.get(k) for k in ("design", "truth", "measure", "hypothesis", "look", "source")),)
        assert key not in seen
        seen.add(key)


@pytest.mark.parametrize("package", ["rpact", "lrstat"])
@pytest.mark.parametrize("truth", W1_TRUTHS)
def test_expected_figures_are_the_means_of_the_reference_rows(package: str, truth: str) -> None:
    rows = pd.read_csv(ROOT / "tests" / "reference" / "w1_crosscheck.csv")
    rows = rows[(rows["package"] == package) & (rows["median_trt"] == W1_TRUTHS[truth])]
    means, n = rows.mean(numeric_only=True), int(rows["nrep"].sum())
    figures = [
        figure
        for figure in read("nph_oncology/expected.yaml")["figures"]
        if figure["source"] == package and figure["truth"] == truth
    ]
    assert len(figures) == 6
    column = {"reject": "power", "reject_by_look": "power_cum_look{look}", "look_time": "time_look{look}"}
    for figure in figures:
        assert figure["n"] == n
        assert figure["value"] == pytest.approx(means[column[figure["measure"]].format(**figure)], rel=1e-6)


def test_the_world_of_sites_has_the_patients_of_the_trial() -> None:
    for name in ("actg175.yaml", "patients.csv"):
        copy, original = SCENARIOS / "actg175_sites" / name, SCENARIOS / "actg175" / name
        assert copy.read_bytes() == original.read_bytes(), name


def test_every_copy_of_the_table_has_its_provenance_and_licence_beside_it() -> None:
    tables = list(SCENARIOS.glob("*/patients.csv"))
    ours = hashlib.sha256((SCENARIOS / "actg175" / "patients.csv").read_bytes()).hexdigest()
    licence = (SCENARIOS / "actg175" / "PROVENANCE.md").read_text(encoding="utf-8").partition("## Licence")[2]
    assert "MIT License" in licence
    for table in tables:
        told = (table.parent / "PROVENANCE.md").read_text(encoding="utf-8")
        digest = hashlib.sha256(table.read_bytes()).hexdigest()
        assert digest in told, table
        assert digest != ours or licence in told, table
    assert sum(hashlib.sha256(table.read_bytes()).hexdigest() == ours for table in tables) == 2


def test_the_scores_of_the_backlog_have_their_areas() -> None:
    spec = importlib.util.spec_from_file_location("scores", SCENARIOS / "recruitment_worlds" / "scores.py")
    assert spec is not None and spec.loader is not None
    scores = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(scores)
    correlation = load_scenario(SCENARIOS / "recruitment_worlds" / "backlog.yaml").population.correlation
    rho = {area: scores.correlation(area) for area in scores.AREAS}
    names = {f"score_{round(100 * area)}": found for area, found in rho.items()}
    for name, found in names.items():
        assert correlation["eligibility"][name] == pytest.approx(found, abs=6e-7)
        for other, value in correlation.get(name, {}).items():
            assert value == pytest.approx(found * names[other], abs=1e-6)
