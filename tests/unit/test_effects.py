"""Effects are given as conditional and as marginal: what is stated is kept, the other is worked out, both are shown."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import trialsim.engines.laws
from trialsim.cli.main import main
from trialsim.engines.cell_facts import cell_table
from trialsim.engines.effects import Effect, effect_table, effects, effects_in, odds_ratio, pieces_in_words
from trialsim.engines.laws import build_world
from trialsim.engines.plan import build_plan
from trialsim.errors import ScenarioError
from trialsim.report.effects_table import effects_tables
from trialsim.scenario.load import load_scenario, patient_table, scenario_from_text
from trialsim.scenario.schema import Scenario

WORLD = """
name: example
population: {{marginals: {{x: {{normal: {{mean: 1, sd: 1}}}}}}, traits: {{prognosis: {{sd: 0.8}}}}}}
accrual: {{evenly_spaced: {{over: 12 months}}}}
arms: [control, low, high]
endpoints:
  {endpoint}
hypotheses:
  primary: {{endpoint: outcome, arms: [high, control], analysis: {analysis}, direction: higher{follow_up}}}
truths: {{here: {{}}}}
designs:
  small: {{kind: fixed, n: 60, arms: [control, high], allocation: alternating, looks: [{{when: {{calendar: 2 years}}}}],
          tests: {{primary: {{alpha: 0.025}}}}}}
"""
MATTERS = "covariates: {x: 1.0}, centre: {x: 1}, latent: {prognosis: 1.0}, modifiers: {x: 0.4}"
BINARY = """outcome: {{kind: binary, readout: 4 weeks, rate: 0.3, effect: {{low: {low}, high: {high}}},
            effect_measure: {measure}, {rest}}}"""
SURVIVAL = (
    "outcome: {{kind: survival, baseline: {{median: 1 year}}, effect: {{low: {low}, high: {high}}}, {rest}}}"
)
CONTINUOUS = """outcome: {{kind: continuous, readout: 4 weeks, mean: 300, sd: 50, effect: {{low: {low}, high: {high}}},
            {rest}}}"""
PATIENTS = 1000


@pytest.fixture(autouse=True)
def few_patients(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trialsim.engines.laws, "TRUTH_PATIENTS", PATIENTS)


def world(endpoint: str, analysis: str, follow_up: str = "") -> Scenario:
    return scenario_from_text(WORLD.format(endpoint=endpoint, analysis=analysis, follow_up=follow_up))


def binary(kind: str, low: float, high: float, measure: str = "rate", matters: str = MATTERS) -> Scenario:
    rest = f"effect_kind: {kind}{', ' if matters else ''}{matters}"
    return world(BINARY.format(low=low, high=high, measure=measure, rest=rest), "score_test")


def survival(kind: str, low: Any, high: Any, matters: str = MATTERS, follow_up: str = "3 years") -> Scenario:
    rest = f"effect_kind: {kind}{', ' if matters else ''}{matters}"
    endpoint = SURVIVAL.format(low=low, high=high, rest=rest)
    return world(endpoint, "logrank", f", follow_up: {follow_up}" if follow_up else "")


def of(scenario: Scenario, measure: str) -> dict[str, Effect]:
    found = {effect.arm: effect for effect in effects(scenario, ["here"]) if effect.measure == measure}
    assert list(found) == ["low", "high"]  # every arm of the scenario, whatever the design uses
    return found


def averages(scenario: Scenario, conditional: float, modified: bool) -> float:
    """Average a logistic model over the sample of patients, the plain way."""
    sample = build_world(scenario, "small", None).sample
    x, prognosis = sample[:, 0] - 1.0, sample[:, 1]
    logit = math.log(conditional / (1 - conditional)) + x + prognosis + (0.4 * x if modified else 0.0)
    return float((1 / (1 + np.exp(-logit))).mean())


def test_logistic_marginal_rates_are_solved_for() -> None:
    scenario = binary("marginal", 0.45, 0.6)
    for arm, rate in (("low", 0.45), ("high", 0.6)):
        effect = of(scenario, "risk_difference")[arm]
        assert effect.stated == "marginal"
        assert abs(effect.marginal_control - 0.3) < 1e-9
        assert abs(effect.marginal_arm - rate) < 1e-9
        assert abs(effect.marginal - (rate - 0.3)) < 1e-9
        assert abs(averages(scenario, effect.conditional_control, modified=False) - 0.3) < 1e-9
        assert abs(averages(scenario, effect.conditional_arm, modified=True) - rate) < 1e-9


@pytest.mark.parametrize("distance", [90.0, -90.0, 5000.0])
def test_marginal_rates_are_solved_for_however_far_from_zero_the_covariates_are(distance: float) -> None:
    """Without a centre the linear predictor of all patients lies far out, and the intercept has to make up for it."""
    scenario = binary("marginal", 0.45, 0.6, matters=f"covariates: {{x: 1.0}}, centre: {{x: {-distance}}}")
    x = build_world(scenario, "small", None).sample[:, 0]
    for arm, rate in (("low", 0.45), ("high", 0.6)):
        effect = of(scenario, "risk_difference")[arm]
        assert effect.marginal_control == pytest.approx(0.3, abs=1e-9)
        assert effect.marginal_arm == pytest.approx(rate, abs=1e-9)
        # Shifting all patients alike does not change what it takes to move their average from one rate to the other.
        near = of(binary("marginal", 0.45, 0.6, matters="covariates: {x: 1.0}"), "odds_ratio")[arm]
        assert of(scenario, "odds_ratio")[arm].conditional == pytest.approx(near.conditional, rel=1e-6)
    # The world's own laws, averaged the plain way.
    (law,) = build_world(scenario, "small", None).outcomes
    averages = [(1 / (1 + np.exp(-(each + x + distance)))).mean() for each in law.intercepts]
    assert averages == pytest.approx([0.3, 0.6], abs=1e-9)


def test_an_odds_ratio_beside_a_certain_outcome_is_none() -> None:
    """Nobody of the control arm responds, to the last bit of a chance, or everybody does in one arm or both."""
    assert math.isnan(odds_ratio(0.3, 0.0))
    assert math.isnan(odds_ratio(0.3, 1.0))
    assert math.isnan(odds_ratio(1.0, 0.3))
    assert math.isnan(odds_ratio(1.0, 1.0))
    assert odds_ratio(0.0, 0.3) == 0.0
    scenario = binary("conditional", 0.45, 0.6, matters="covariates: {x: 1000}, centre: {x: -100}")
    found = of(scenario, "odds_ratio")["high"]
    assert (found.marginal_control, found.marginal_arm) == (1.0, 1.0)
    assert math.isnan(found.marginal)
    assert found.conditional == pytest.approx(3.5)
    row = effects_tables([found])[0].rows[0]
    assert row[4] == ("–", "1 vs 1")


def test_a_marginal_odds_ratio_is_that_of_average_rates() -> None:
    effect = of(binary("marginal", 1.5, 2.5, "odds_ratio"), "odds_ratio")["high"]
    assert effect.marginal == pytest.approx(2.5, abs=1e-9)
    assert effect.conditional > 2.7


def test_a_conditional_odds_ratio_is_no_average_of_itself() -> None:
    """Nobody responds differently to treatment here; the odds ratio of the population is nearer 1 all the same."""
    alike = "covariates: {x: 1.0}, centre: {x: 1}, latent: {prognosis: 1.0}"
    effect = of(binary("conditional", 1.5, 3.0, "odds_ratio", alike), "odds_ratio")["high"]
    assert effect.stated == "conditional"
    assert effect.conditional == pytest.approx(3.0, abs=1e-12)
    rates = [averages(binary("conditional", 1.5, 3.0, "odds_ratio", alike), p, False) for p in (0.3, 0.5625)]
    expected = rates[1] / (1 - rates[1]) / (rates[0] / (1 - rates[0]))
    assert effect.marginal == pytest.approx(expected, abs=1e-9)
    assert 2.0 < effect.marginal < 2.6


def test_a_difference_of_means_is_an_average() -> None:
    alike = "effect_kind: conditional, covariates: {x: 30}, centre: {x: 0}"
    scenario = world(CONTINUOUS.format(low=10, high=20, rest=alike), "t_test")
    effect = of(scenario, "mean_difference")["high"]
    assert effect.conditional == pytest.approx(20, abs=1e-9)
    assert effect.marginal == pytest.approx(20, abs=1e-9)
    assert effect.conditional_control == 300
    assert effect.marginal_control == pytest.approx(330, abs=5 * 30 / math.sqrt(PATIENTS))


def test_a_marginal_hazard_ratio_is_solved_for_over_the_follow_up_of_its_hypothesis() -> None:
    scenario = survival("marginal", 0.8, 0.6)
    effect = of(scenario, "hazard_ratio")["high"]
    assert effect.follow_up == 3 * 365.25
    assert effect.marginal == pytest.approx(0.6, rel=1e-9)
    assert effect.conditional < 0.55
    row = cell_table([build_plan(scenario, "small", "here", 1)]).to_pylist()[0]
    assert row["true_value"] == pytest.approx(math.log(0.6), abs=1e-9)  # what bias is measured against
    back = survival("conditional", 0.8, effect.conditional)
    assert of(back, "hazard_ratio")["high"].marginal == pytest.approx(0.6, rel=1e-9)
    horizon = of(survival("marginal", 0.8, 0.6, follow_up=""), "hazard_ratio")["high"]
    assert horizon.follow_up == 50 * 365.25
    assert horizon.marginal == pytest.approx(0.6, rel=1e-9)
    early = of(survival("marginal", 0.8, 0.6, follow_up="1 month"), "hazard_ratio")["high"]
    assert early.marginal == pytest.approx(0.6, rel=1e-9)
    assert abs(early.conditional - horizon.conditional) > 0.01


def test_with_frailty_a_conditional_hazard_ratio_is_attenuated() -> None:
    alike = "latent: {prognosis: 1.0}"
    effect = of(survival("conditional", 0.8, 0.5, alike), "hazard_ratio")["high"]
    assert effect.conditional == 0.5
    assert 0.52 < effect.marginal < 0.7


@pytest.mark.parametrize(
    ("scenario", "measure"),
    [
        (binary("conditional", 0.45, 0.6, matters=""), "risk_difference"),
        (binary("marginal", 0.45, 0.6, matters=""), "odds_ratio"),
        (survival("conditional", 0.8, 0.6, matters=""), "hazard_ratio"),
        (survival("marginal", 0.8, 0.6, matters=""), "hazard_ratio"),
        (world(CONTINUOUS.format(low=5, high=7, rest="effect_kind: marginal"), "t_test"), "mean_difference"),
    ],
)
def test_where_no_trait_matters_both_are_the_same(scenario: Scenario, measure: str) -> None:
    for effect in of(scenario, measure).values():
        assert effect.stated == "either"
        assert effect.conditional == pytest.approx(effect.marginal, rel=1e-6)
        assert effect.conditional != 1.0


def test_ratios_that_change_are_told_in_words() -> None:
    steps = {"0 months": 0.35, "12 months": 0.48, "800 days": 0.56}
    pieces = ", ".join(f"{{from: {start}, hazard_ratio: {ratio}}}" for start, ratio in steps.items())
    effect = of(survival("conditional", 0.8, f"[{pieces}]"), "hazard_ratio")["high"]
    assert effect.pieces == "0.35 until 12 mo, 0.48 until 800 days, then 0.56"
    assert math.isnan(effect.conditional)
    assert 0.35 < effect.marginal < 0.7
    assert pieces_in_words([(0.0, 0.7)]) == "0.7"


@pytest.mark.parametrize("scenario", [binary("marginal", 0.4, 0.3), survival("marginal", 0.8, 1.0)])
def test_a_marginal_effect_of_nothing_is_a_true_null(scenario: Scenario) -> None:
    """Though modifiers make the conditional effect something, and it is solved for numerically."""
    row = cell_table([build_plan(scenario, "small", "here", 1)]).to_pylist()[0]
    assert row["null"] is True
    measure = "odds_ratio" if "binary" in str(scenario.endpoints) else "hazard_ratio"
    assert abs(of(scenario, measure)["high"].conditional - 1.0) > 0.001


def test_a_marginal_ratio_that_cannot_be_had_is_refused() -> None:
    extreme = "latent: {prognosis: 6.0}"
    with pytest.raises(ScenarioError) as refused:
        effects(survival("marginal", 0.8, 0.01, extreme, ""), ["here"])
    assert "endpoints.outcome.effect.high" in str(refused.value.problems[0].path)
    assert "state it as conditional" in refused.value.problems[0].message


@pytest.mark.parametrize(
    "words", [["check"], ["check", "--effects"], ["run", "--engine", "reference"], ["explain"]]
)
def test_such_a_ratio_is_told_with_its_file_and_line(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    rest = "effect_kind: marginal, latent: {prognosis: 6.0}"
    endpoint = SURVIVAL.format(low=0.8, high=0.01, rest=rest)
    Path("trial.yaml").write_text(WORLD.format(endpoint=endpoint, analysis="logrank", follow_up=""))
    assert main([words[0], "trial.yaml", *words[1:]]) == 2
    told = capsys.readouterr().err
    assert (
        "trial.yaml: 1 problem\n  line 7, endpoints.outcome.effect.high: no conditional hazard ratio" in told
    )
    assert [path.name for path in tmp_path.iterdir()] == ["trial.yaml"]


def test_calendar_drift_is_left_out() -> None:
    drifting = MATTERS + ", drift: {per_year: 1.0}"
    plain, moved = (
        of(binary("conditional", 0.45, 0.6, matters=m), "odds_ratio") for m in (MATTERS, drifting)
    )
    assert plain == moved


def test_rows_of_a_table_are_averaged_exactly(root: Path) -> None:
    scenario = load_scenario(root / "scenarios" / "actg175" / "actg175.yaml")
    found = {(e.endpoint, e.arm): e for e in effects(scenario, ["fitted"])}
    rows = patient_table(scenario)
    assert rows is not None
    expected = 358.96 + 0.69262 * (np.mean(rows["cd4"][0]) - 350) - 43.120 * np.mean(rows["experienced"][0])
    assert found["cd4_week20", "ddi"].marginal_control == pytest.approx(expected, abs=1e-9)
    cells = cell_table([build_plan(scenario, "fixed", "fitted", 1, 1, rows)]).to_pylist()
    for row in cells:
        assert math.log(found["progression", row["hypothesis"]].marginal) == pytest.approx(row["true_value"])


def test_a_table_of_effects_reads_back() -> None:
    found = effects(survival("conditional", 0.8, 0.6), ["here"])
    assert repr(effects_in(effect_table(found))) == repr(found)  # NaN and all
    assert len(effects_in(effect_table([]))) == 0


@pytest.fixture
def written(tmp_path: Path) -> Path:
    path = tmp_path / "example.yaml"
    rest = f"effect_kind: marginal, {MATTERS}"
    endpoint = BINARY.format(low=0.45, high=0.6, measure="rate", rest=rest)
    path.write_text(WORLD.format(endpoint=endpoint, analysis="score_test", follow_up=""), encoding="utf-8")
    return path


def test_check_prints_effects_where_they_are_asked_for(
    written: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", str(written)]) == 0
    assert "marginal" not in capsys.readouterr().out
    assert main(["check", str(written), "--effects"]) == 0
    shown = capsys.readouterr().out
    effect = of(load_scenario(written), "risk_difference")["high"]
    for text in ("effects under the truth: here", "marginal", "0.6 vs 0.3", f"{effect.conditional:.4g}"):
        assert text in shown
    assert main(["check", str(written), "--effects", "--truths", "nowhere"]) == 2
    assert "nowhere" in capsys.readouterr().err


@pytest.mark.slow
def test_a_run_keeps_effects_and_its_report_shows_them(
    written: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    assert main(["run", str(written), "--replicates", "20", "--workers", "1", "--out", str(out)]) == 0
    page = (out / "report.html").read_text(encoding="utf-8")
    section = page.partition("<h2>Effects</h2>")[2].partition("<h2>")[0]
    effect = of(load_scenario(written), "odds_ratio")["high"]
    shown = [f"{value:.4g}" for value in (effect.conditional, effect.marginal)]
    for text in ("effects under the truth: here", "marginal", *shown):
        assert text in section
    assert main(["report", str(out)]) == 0
    assert (out / "report.html").read_text(encoding="utf-8") == page
    (out / "effects.parquet").write_bytes(b"no table")
    assert main(["report", str(out)]) == 2
    (out / "effects.parquet").unlink()
    assert main(["report", str(out)]) == 2
    assert "effects.parquet is missing" in capsys.readouterr().err
    provenance = json.loads((out / "provenance.json").read_text())
    del provenance["effects"]  # as of a run of the first version
    (out / "provenance.json").write_text(json.dumps(provenance))
    assert main(["report", str(out)]) == 0
    assert "<h2>Effects</h2>" not in (out / "report.html").read_text(encoding="utf-8")
