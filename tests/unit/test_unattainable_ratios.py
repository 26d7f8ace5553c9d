"""Marginal hazard ratios that no conditional ones give are told by every command, all at once; others never are."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import brentq

import trialsim.engines.laws
import trialsim.engines.marginal_ratios
from trialsim.cli.main import main
from trialsim.engines.effects import effects
from trialsim.engines.laws import build_world, marginal_ratios
from trialsim.engines.plan import build_plan
from trialsim.engines.unattainable import unattainable_ratios
from trialsim.errors import ScenarioError
from trialsim.population.estimands import cox_log_ratio
from trialsim.scenario.load import scenario_from, scenario_from_text
from trialsim.scenario.reading import parse_yaml
from trialsim.scenario.schema import Scenario

PATIENTS = 1000
WORLD = """name: example
population: {{marginals: {{x: {{normal: {{mean: 0, sd: 1}}}}}}, traits: {{prognosis: {{sd: {sd}}}}}}}
accrual: {{evenly_spaced: {{over: 12 months}}}}
arms: [control, low, high]
endpoints:
  death:
    kind: survival
    baseline: {baseline}
    effect: {{low: {low}, high: {high}}}
    effect_kind: marginal
    covariates: {{x: {x}}}
    latent: {{prognosis: 1.0}}
    modifiers: {{x: {modifier}}}
  relapse:
    kind: survival
    baseline: {{median: 6 months}}
    effect: {{low: {low}, high: 0.9}}
    effect_kind: marginal
    latent: {{prognosis: 1.0}}
hypotheses:
  primary: {{endpoint: death, arms: [high, control], analysis: logrank, direction: lower, follow_up: {follow_up}}}
  second: {{endpoint: relapse, arms: [high, control], analysis: logrank, direction: lower, follow_up: 2 years}}
truths: {truths}
designs:
  small: {{kind: fixed, n: 60, arms: [control, high], allocation: alternating, looks: [{{when: {{calendar: 2 years}}}}],
          tests: {{primary: {{alpha: 0.025}}}}}}
"""
USUAL = {
    "sd": 6.0, "baseline": "{median: 1 year}", "low": 0.8, "high": 0.6, "x": 0.0, "modifier": 0.0,
    "follow_up": "3 years", "truths": "{here: {}}",
}  # fmt: skip
Floats = NDArray[np.float64]


@pytest.fixture(autouse=True)
def few_patients(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trialsim.engines.laws, "TRUTH_PATIENTS", PATIENTS)


def written(**changes: object) -> str:
    return WORLD.format(**USUAL | changes)


def told(scenario: Scenario) -> list[str]:
    return [str(problem) for problem in unattainable_ratios(scenario, scenario.truths)]


def log_marginal(scenario: Scenario, hazard: float, conditional: float, days: float) -> float:
    """Return the root of the score of Cox's model in the whole population, with midpoints over times of their own.

    A patient's survival is exp(-hazard x time x exp(linear predictor)), in units of the baseline hazard a day.
    """
    world = build_world(scenario, "small", None)
    x, prognosis = world.sample.T
    part = scenario.endpoints["death"]
    linear = part.covariates["x"] * x + prognosis
    control = np.exp(linear)
    treated = conditional * np.exp(linear + part.modifiers["x"] * x)
    times = np.concatenate([[0.0], np.geomspace(1e-25, 1.0, 6000)]) * hazard * days
    curves = [np.array([np.exp(-time * each).mean() for time in times]) for each in (treated, control)]
    events = [-np.diff(curve) for curve in curves]
    at_risk = [0.5 * (curve[1:] + curve[:-1]) for curve in curves]

    def score(beta: float) -> float:
        weight = math.exp(beta) * at_risk[0]
        return float(np.sum(events[0] - (events[0] + events[1]) * weight / (weight + at_risk[1])))

    return float(brentq(score, -30.0, 30.0, xtol=1e-12))


WORLDS = {
    "frailty": {"sd": 6.0},
    "more": {"sd": 9.0, "follow_up": "1 year"},
    "less": {"sd": 3.0, "x": 1.5},
    "modifier": {"sd": 5.0, "x": 1.0, "modifier": -2.5},
    "rare": {"sd": 7.0, "baseline": "{median: 100 years}", "follow_up": "6 months"},
}


@pytest.mark.slow
@pytest.mark.parametrize("changes", WORLDS.values(), ids=WORLDS)
def test_all_that_can_be_had_is_let_pass_and_nothing_else(changes: dict[str, object]) -> None:
    """The ends of what conditional ratios from 0.0001 to 10,000 give, worked out apart from the engines."""
    scenario = scenario_from_text(written(**changes))
    part: Any = scenario.endpoints["death"]
    hazard = math.log(2.0) / part.baseline.median
    days = scenario.hypotheses["primary"].follow_up
    assert days is not None
    ends = [log_marginal(scenario, hazard, ratio, days) for ratio in (1e-4, 1e4)]
    assert ends[0] < 0.0 < ends[1]
    for end, inward in zip(ends, (0.01, -0.01), strict=True):
        if not math.log(1e-4) < end < math.log(1e4):
            continue
        inside, outside = math.exp(end + inward), math.exp(end - inward)
        edge = scenario_from_text(written(**changes, high=inside))
        assert told(edge) == []
        found = next(
            each for each in effects(edge, ["here"]) if (each.endpoint, each.arm) == ("death", "high")
        )
        assert found.marginal == pytest.approx(inside, rel=1e-9)
        assert log_marginal(edge, hazard, found.conditional, days) == pytest.approx(
            math.log(inside), abs=2e-3
        )
        beyond = scenario_from_text(written(**changes, high=outside))
        (sentence,) = told(beyond)
        assert sentence.startswith("endpoints.death.effect.high: no conditional hazard ratio from 0.0001")
        least, most = map(float, sentence.partition("they give ")[2].partition(";")[0].split(" to "))
        assert [math.log(least), math.log(most)] == pytest.approx(ends, abs=0.012)
        with pytest.raises(ScenarioError) as refused:
            effects(beyond, ["here"])
        assert [str(problem) for problem in refused.value.problems] == [sentence]
    for stated in (least, most):  # what the sentence says can be had
        assert told(scenario_from_text(written(**changes, high=stated))) == []


@pytest.mark.parametrize("changes", WORLDS.values(), ids=WORLDS)
def test_marginal_ratios_grow_and_lie_between_those_of_groups(changes: dict[str, object]) -> None:
    known = marginal_ratios(scenario_from_text(written(**changes)), "death")
    ratios = [1e-4, 1e-2, 0.5, 1.0, 2.0, 1e2, 1e4]
    found = [known.log_at(math.log(ratio)) for ratio in ratios]
    assert found == sorted(found)
    for ratio, value in zip(ratios, found, strict=True):
        for groups in (64, 256):
            assert known._bounded(ratio, True, groups) < value < known._bounded(ratio, False, groups)


def test_ratios_without_events_are_told_as_such() -> None:
    late = "{piecewise: [{from: 0 days, hazard: 0 per day}, {from: 4 years, hazard: 1 per year}]}"
    found = told(scenario_from_text(written(baseline=late)))
    for arm, sentence in zip(("low", "high"), found, strict=True):
        assert sentence.startswith(f"endpoints.death.effect.{arm}: no conditional hazard ratio")
        assert "nobody has the event by then" in sentence
    assert told(scenario_from_text(written(baseline=late, follow_up="5 years"))) == []


@pytest.mark.filterwarnings("error")
def test_patients_who_have_the_event_at_once_or_never_are_told_of_without_a_warning() -> None:
    found = told(scenario_from_text(written(x=1000)))
    assert [each.partition(":")[0] for each in found] == [
        "endpoints.death.effect.low",
        "endpoints.death.effect.high",
    ]


EVERYWHERE = """
  as_it_stands: {}
  longer: {accrual.evenly_spaced.over: 2 years}
  both: {endpoints.*.effect.low: 40}
  alike: {population.traits.prognosis.sd: 0.1}
  ladder: {grid: {endpoints.death.effect.high: [0.6, 0.02, 0.01]}}
  stronger: {population.traits.prognosis.sd: 8}"""


def test_all_truths_endpoints_and_arms_are_told_at_once_each_at_its_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "trial.yaml"
    path.write_text(written(truths=EVERYWHERE, high=0.02))
    assert main(["check", str(path)]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    head, *lines = shown.err.splitlines()
    assert head == f"{path}: 5 problems"
    assert [line.partition(": no conditional")[0].strip() for line in lines] == [
        "line 9, endpoints.death.effect.high",  # once, though three truths leave it as it is
        "line 26, truths.both: endpoints.death.effect.low",
        "line 26, truths.both: endpoints.relapse.effect.low",
        "line 28, truths.ladder[high=0.01]: endpoints.death.effect.high",
        "line 29, truths.stronger: endpoints.death.effect.high",
    ]
    assert main(["check", str(path), "--effects"]) == 2
    assert capsys.readouterr() == shown


def test_they_are_told_with_what_else_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "trial.yaml"
    truths = "{here: {}, odd: {endpoints.death.effect.*: -1}, far: {endpoints.death.effect.*: 0.05}}"
    text = written(high=0.02, truths=truths)
    path.write_text(text.replace("arms: [control, high], alloc", "arms: [high, control], alloc"))
    assert main(["check", str(path)]) == 2
    lines = capsys.readouterr().err
    for place in (
        "line 9, endpoints.death.effect.high: no conditional",
        "line 25, designs.small.arms[0]: ",
    ):
        assert place in lines
    path.write_text(written(high=0.02, truths=truths))
    assert main(["check", str(path)]) == 2
    lines = capsys.readouterr().err
    for place in (
        "endpoints.death.effect.high: no conditional",
        "line 23, truths.odd: endpoints.death.effect.low: -1",
        "line 23, truths.far: endpoints.death.effect.low: no conditional",
    ):
        assert place in lines
    path.write_text(written(high=0.02).replace("x: 0.0}", "nobody: 0.0}"))  # a world that cannot be built
    assert main(["check", str(path)]) == 2
    lines = capsys.readouterr().err
    assert "nobody" in lines
    assert "no conditional" not in lines


MANY = {f"wrong_{number}": {"endpoints.death.effect.high": 0} for number in range(103)}


def test_after_a_hundred_wrong_truths_no_other_is_looked_at(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is solved for in the worlds of those that were not judged: some cannot be built."""
    path = tmp_path / "trial.yaml"
    path.write_text(written(truths={"here": {}} | MANY | {"far": {"endpoints.death.effect.high": 0.02}}))
    assert main(["check", str(path)]) == 2
    head, *lines = capsys.readouterr().err.splitlines()
    assert head == f"{path}: 100 problems"
    assert all(f"truths.wrong_{number}: " in line for number, line in enumerate(lines))
    with pytest.raises(ScenarioError) as refused:  # as sweep and assurance load the scenario of each point
        scenario_from(parse_yaml(path.read_text()), tmp_path, unattainable_ratios)
    assert len(refused.value.problems) == 100


ONE_ARM = """name: one_arm
horizon: 5 years
accrual: {evenly_spaced: {rate: 20 per month}}
population: {marginals: {age: {normal: {mean: 60, sd: 10}}}}
arms: [treatment]
endpoints:
  death: {kind: survival, baseline: {median: 12 months}, covariates: {age: 0.03}, effect_kind: marginal, effect: {}}
  response: {kind: binary, readout: 4 weeks, rate: 0.3, effect: {}, effect_measure: rate}
hypotheses:
  primary: {endpoint: response, arms: [treatment], analysis: {beta_binomial: {rate: 0.2}}, direction: higher}
truths: {works: {}, dies: {endpoints.death.baseline.median: 6 months}}
designs:
  only: {kind: bayesian, n: 40, allocation: simple, looks: [{when: {readouts: 40}}], tests: {primary: {alpha: 0.05}}}
"""


def test_one_arm_has_no_ratio_to_solve_for(tmp_path: Path) -> None:
    path = tmp_path / "trial.yaml"
    path.write_text(ONE_ARM)
    assert main(["check", str(path), "--effects"]) == 0
    scenario = scenario_from(parse_yaml(ONE_ARM), None, unattainable_ratios)
    asked = ONE_ARM.replace("effect_kind: marginal", "effect_kind: conditional")
    conditional = scenario_from_text(asked)
    worlds = [build_plan(each, "only", "dies", 1).world for each in (scenario, conditional)]
    marginal, stated = (world.outcomes[0].hazard for world in worlds)
    days = np.array([30.0, 300.0])
    assert marginal is not None and stated is not None
    assert np.array_equal(marginal.cumulative_hazard(0, days), stated.cumulative_hazard(0, days))


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["check"], "trial.yaml: 1 problem\n  line 9, endpoints.death.effect.high: no conditional"),
        (["explain"], "trial.yaml: 1 problem\n  line 9, endpoints.death.effect.high: no conditional"),
        (["run", "--replicates", "5", "--workers", "1"], "line 9, endpoints.death.effect.high: no conditional"),
        (
            ["sweep", "--vary", "endpoints.death.effect.high=0.02:0.82:0.4", "--replicates", "5"],
            "with endpoints.death.effect.high = 0.02: 2 problems\n  endpoints.death.effect.high: no conditional",
        ),
        (
            ["assurance", "--design", "small", "--prior", "endpoints.death.effect.high=uniform(0.01,0.9)"],
            "--prior: there is no world with endpoints.death.effect.high = 0.0189: endpoints.death.effect.high: no",
        ),
        (
            ["calibrate", "--threshold", "designs.small.tests.primary.alpha", "--target", "reject_any=0.025",
             "--truth", "here", "--between", "0.01,0.04"],
            "trial.yaml: 1 problem\n  line 9, endpoints.death.effect.high: no conditional",
        ),
        (["certify", "--design", "small", "--truths", "here"], "line 9, endpoints.death.effect.high: no conditional"),
    ],
    ids=lambda given: given[0] if isinstance(given, list) else "",
)  # fmt: skip
def test_every_command_says_so(
    words: list[str],
    expected: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("trial.yaml").write_text(written(high=0.02))
    assert main([words[0], "trial.yaml", *words[1:]]) == 2
    assert expected in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["trial.yaml"]


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Patients of each integral that is worked out."""
    seen: list[int] = []

    def counting(law: object, arms: object, factors: tuple[Floats, Floats], *more: object) -> float:
        seen.append(len(factors[0]))
        return cox_log_ratio(law, arms, factors, *more)  # type: ignore[arg-type]

    monkeypatch.setattr(trialsim.engines.marginal_ratios, "cox_log_ratio", counting)
    return seen


def test_cells_that_differ_in_their_effects_share_the_work(counted: list[int]) -> None:
    values = [round(0.4 + 0.02 * step, 2) for step in range(30)]
    ladder = {"endpoints.death.effect.high": values, "endpoints.*.effect.low": values[:10]}
    scenario = scenario_from_text(written(sd=6.01, truths=f"{{ladder: {{grid: {ladder}}}}}"))
    assert len(scenario.truths) == 300
    assert told(scenario) == []
    assert counted == [64] * 4  # both ends of both endpoints, of patients in groups
    assert told(scenario_from_text(written(sd=6.01, low=8))) != []
    assert counted == [64] * 4 + [PATIENTS] * 4  # where that does not settle it, of all


def test_finer_groups_are_asked_before_all_patients(
    counted: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A ratio between the bounds of 64 groups and of 1,024; both are on the safe side of what all patients give."""
    monkeypatch.setattr(trialsim.engines.laws, "TRUTH_PATIENTS", 4000)
    scenario = scenario_from_text(written(sd=6.02))
    known = marginal_ratios(scenario, "death")
    (coarse, fine), exact = (known._bounded(1e-4, False, n) for n in (64, 1024)), known.log_at(math.log(1e-4))
    assert exact < fine < fine + 0.02 < coarse
    counted.clear()
    assert known.refusal(math.exp(0.5 * (fine + 0.01 + coarse + 0.01))) == ""
    assert counted == [64, 1024, 64]
    assert known.refusal(math.exp(0.5 * (exact + fine))) == ""
    assert "no conditional" in known.refusal(math.exp(exact - 1e-6))
    assert counted == [64, 1024, 64, 4000]


@pytest.mark.slow
def test_no_engine_is_loaded_where_no_ratio_is_solved_for(tmp_path: Path) -> None:
    path = tmp_path / "trial.yaml"
    path.write_text(written().replace("marginal", "conditional").replace("conditionals:", "marginals:"))
    asked = f"""import sys
from trialsim.cli.main import main
assert main(["check", {str(path)!r}]) == 0
assert not [name for name in sys.modules if name.startswith("trialsim.engines.laws")]"""
    subprocess.run([sys.executable, "-c", asked], check=True, capture_output=True)
