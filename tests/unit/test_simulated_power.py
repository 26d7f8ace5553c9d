"""Simulated power beside that of formulae: against the simulations of lrstat, and against integrals for several looks."""

from __future__ import annotations

import dataclasses
import json
import math
import shlex
from importlib.resources import files
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tests.reference import test_weighted_logrank as weighted
from trialsim.cli import main as entry
from trialsim.designs import group_sequential
from trialsim.errors import UsageError
from trialsim.oc.simulated_survival import simulated_power
from trialsim.stats.sample_size.piecewise_events import Steps, SurvivalPlan, constant
from trialsim.stats.sample_size.sequential import SequentialBounds
from trialsim.stats.sample_size.survival import LogrankDesign
from trialsim.stats.sample_size.survival_question import SurvivalQuestion
from trialsim.stats.sample_size.weighted_logrank import Weight

TRIALS = 10_000
ROWS = [row for row in weighted.SIMULATED if row["package"] == "lrstat" and row["test"] == "FH"]
PLAN = SurvivalPlan(
    constant(0.003), Steps((0.0, 90.0), (1.0, 0.55)), constant(1.0), 360.0, constant(0.0001), constant(0.0002)
)


def within(found: Any, value: float, error: float = 0.0, slack: float = 0.0) -> bool:
    return abs(found.value - value) <= 5 * math.hypot(found.mcse, error) + slack


@pytest.mark.parametrize("row", ROWS, ids=weighted.name)
def test_power_is_that_of_the_simulations_of_lrstat(row: dict[str, str]) -> None:
    question = SurvivalQuestion(LogrankDesign(0.6), weighted.weight(row), nonproportional=True)
    found = simulated_power(question, weighted.plan(row), float(row["analysis_time"]), TRIALS, 3)
    assert within(found, float(row["power"]), float(row["mc_se"]))


@pytest.mark.parametrize("weight", [Weight(), Weight("fh", 0.0, 1.0)], ids=["logrank", "fh01"])
@pytest.mark.parametrize("ratio", [1.0, 2.0])
def test_several_looks_have_the_power_of_the_integrals(weight: Weight, ratio: float) -> None:
    bounds = group_sequential([0.4, 1.0], power=0.9, futility="z", futility_parameter=[0.2])
    chosen = SequentialBounds(
        (0.4, 1.0), tuple(bounds.efficacy_z), tuple(bounds.futility_z), tuple(bounds.alpha_spent),
        bounds.inflation_factor, 0.025, "obf",
    )  # fmt: skip
    question = SurvivalQuestion(LogrankDesign(0.6, ratio=ratio), weight, nonproportional=True, bounds=chosen)
    plan = dataclasses.replace(PLAN, ratio=ratio)
    found = simulated_power(question, plan, 720.0, TRIALS, 5)
    # As far as the normal approximation is off against the references.
    assert within(found, question.power(plan, 720.0), slack=weighted.OF_THE_APPROXIMATION)


def test_the_side_of_the_benefit_and_rates_of_accrual_are_those_of_the_question() -> None:
    plan = dataclasses.replace(PLAN, hazard_ratio=constant(1.5), accrual_rate=Steps((0.0, 100.0), (0.5, 1.5)))
    question = SurvivalQuestion(LogrankDesign(1.5), nonproportional=True, higher=True)
    found = simulated_power(question, plan, 720.0, TRIALS, 5)
    assert within(found, question.power(plan, 720.0), slack=weighted.OF_THE_APPROXIMATION)


@pytest.mark.parametrize(
    ("question", "plan", "trials", "sentence"),
    [
        (SurvivalQuestion(LogrankDesign(0.6), Weight("gehan"), True), PLAN, 1000, "the weight gehan is not among"),
        (SurvivalQuestion(LogrankDesign(0.6)), PLAN, 10, "it must be 100 to 10,000,000 trials"),
        (SurvivalQuestion(LogrankDesign(0.6)), dataclasses.replace(PLAN, ratio=math.pi), 1000, "small whole numbers"),
        (SurvivalQuestion(LogrankDesign(0.6)), dataclasses.replace(PLAN, treatment_dropout=constant(0.0)), 1000,
         "both hazards"),
        (SurvivalQuestion(LogrankDesign(1.0, null=1.3)), PLAN, 1000, "simulated log-rank tests are of equality"),
    ],
)  # fmt: skip
def test_what_cannot_be_simulated_is_refused(
    question: SurvivalQuestion, plan: SurvivalPlan, trials: int, sentence: str
) -> None:
    with pytest.raises(UsageError, match=sentence):
        simulated_power(question, plan, 720.0, trials, 1)


def test_the_command_prints_both_and_its_json_follows_the_schema(capsys: pytest.CaptureFixture[str]) -> None:
    line = (
        'power survival --control "8 months" --accrual "12 months" --follow-up "18 months" --patients 400 --test "fh(0,1)" '
        '--hazard-ratio 0.6 --delay "4 months" --simulate 2000'
    )
    assert entry.main(shlex.split(f"{line} --json")) == 0
    document = json.loads(capsys.readouterr().out)
    schema = json.loads(files("trialsim").joinpath("schemas", "power.json").read_text())
    assert [each.message for each in Draft202012Validator(schema).iter_errors(document)] == []
    results = document["results"]
    assert abs(results["power"] - results["power_simulated"]) < 0.0065 + 5 * results["power_simulated_mcse"]
    assert entry.main(shlex.split(f"{line} --seed 2")) == 0
    assert "power, simulated" in capsys.readouterr().out
    assert entry.main(shlex.split("power survival --hazard-ratio 0.7 --events 300 --simulate 1000")) == 2
