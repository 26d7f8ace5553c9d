"""A learned stopping rule: frozen with exact errors, resumed to the same bytes, between the families and the optimum."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from trialsim import registry
from trialsim.cli.main import main
from trialsim.conformance import check_policy, check_twins
from trialsim.designs.boundaries import group_sequential
from trialsim.errors import UsageError
from trialsim.learning.request import read_request
from trialsim.learning.stopping_request import train_stopping_rule
from trialsim.learning.stopping_training import StoppingTask, TrainedStopping, calibrated, train_stopping
from trialsim.learning.tuned_families import tuned_family
from trialsim.models.checkpoint import read_checkpoint
from trialsim.oc.in_memory import collect
from trialsim.oc.stopping_rules import LearnedStopping
from trialsim.report.stopping import learned_sentences
from trialsim.scenario.load import load_scenario
from trialsim.stats.group_sequential.optimal import optimal_bounds

TASK = StoppingTask((0.5, 1.0), 0.025, 0.9, 1.1)
FIVE = StoppingTask((0.2, 0.4, 0.6, 0.8, 1.0), 0.025, 0.9, 1.1)


def train(unfinished: Path, say: object = lambda text: None) -> TrainedStopping:
    """Return a short training of two looks."""
    return train_stopping(TASK, 3, 150, 400, unfinished, (16,), 0.01, say)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> TrainedStopping:
    return train(tmp_path_factory.mktemp("stopping") / "a.unfinished")


def rejects(upper: np.ndarray, lower: float, drift: float) -> float:
    """Return the chance to reject of two equal looks, by the bivariate normal."""
    root = np.sqrt(0.5)
    joint = multivariate_normal(mean=[drift * root, drift], cov=[[1.0, root], [root, 1.0]])
    between = joint.cdf([upper[0], np.inf]) - joint.cdf([lower, np.inf])
    between -= joint.cdf([upper[0], upper[1]]) - joint.cdf([lower, upper[1]])
    first = 1.0 - joint.cdf([upper[0], np.inf])
    return float(first + between)


def test_errors_are_those_wanted(trained: TrainedStopping) -> None:
    """By the bivariate normal, which shares nothing with the recursion; bounds meet at the last look."""
    upper, lower = trained.efficacy_z, trained.futility_z
    assert upper[-1] == lower[-1]
    assert rejects(upper, lower[0], 0.0) == pytest.approx(0.025, abs=2e-5)
    assert rejects(upper, lower[0], TASK.drift) == pytest.approx(0.9, abs=2e-5)


def test_nothing_beats_the_optimum_and_training_comes_near_it(trained: TrainedStopping) -> None:
    best = optimal_bounds(TASK.rates, 0.025, 0.9, 1.1).objective
    mean = float(np.mean(TASK.expected(trained.efficacy_z, trained.futility_z)))
    assert best <= mean < 1.02 * best
    assert trained.curve[-1]["power"] > trained.curve[0]["power"]


def test_an_interruption_changes_nothing(tmp_path: Path, trained: TrainedStopping) -> None:
    class CutOff(Exception):
        pass

    def cut_off(text: str) -> None:
        raise CutOff(text)

    with pytest.raises(CutOff, match="iteration 20"):
        train(tmp_path / "b.unfinished", cut_off)
    again = train(tmp_path / "b.unfinished")
    assert again.write(tmp_path / "b.safetensors") == trained.write(tmp_path / "a.safetensors")
    assert not (tmp_path / "b.unfinished").exists()


def test_calibration_moves_bounds_alike() -> None:
    """Bounds that are moved away come back to where both errors are met."""
    best = optimal_bounds(FIVE.rates, 0.025, 0.9, 1.1)
    upper, lower, shifts = calibrated(FIVE, best.efficacy_z + 0.2, best.futility_z - 0.1)
    assert shifts == pytest.approx((-0.2, 0.1), abs=1e-6)
    assert upper == pytest.approx(best.efficacy_z, abs=1e-6)
    assert lower == pytest.approx(best.futility_z, abs=1e-6)
    with pytest.raises(UsageError, match="too far off"):
        calibrated(dataclasses.replace(FIVE, inflation=0.9), best.efficacy_z, best.futility_z)


def test_a_tuned_family_has_the_largest_size_and_the_smallest_mean() -> None:
    """Of a finer grid of efficacy numbers none does better; both numbers give that largest size again."""
    found = tuned_family("hwang_shih_decani", FIVE)
    again = group_sequential(
        FIVE.rates, alpha=0.025, power=0.9, efficacy="hwang_shih_decani", efficacy_parameter=found.efficacy,
        futility="hwang_shih_decani", futility_parameter=found.futility, futility_binding=True,
    )  # fmt: skip
    assert again.inflation_factor == pytest.approx(1.1, abs=1e-6)
    assert found.mean > optimal_bounds(FIVE.rates, 0.025, 0.9, 1.1).objective
    equal = group_sequential(
        FIVE.rates, alpha=0.025, power=0.9, efficacy="hwang_shih_decani", efficacy_parameter=-2.06,
        futility="hwang_shih_decani", futility_parameter=-2.06, futility_binding=True,
    )  # fmt: skip
    # One number for both errors, of nearly the same largest size, does worse.
    assert equal.inflation_factor == pytest.approx(1.1, abs=2e-3)
    bounds = [np.asarray(each, dtype=float) for each in (equal.efficacy_z, equal.futility_z)]
    bounds[1][-1] = bounds[0][-1]
    assert found.mean < float(np.mean(FIVE.expected(*bounds)))
    with pytest.raises(ValueError, match="no bounds"):
        tuned_family("kim_demets", dataclasses.replace(FIVE, inflation=3.0))


def test_what_is_said_of_shares() -> None:
    learned = LearnedStopping(1.1, (0.69, 0.67), "tuned", 0.68, 0.66)
    assert learned.shares == pytest.approx((-0.5, 0.5))
    assert learned.share_error == pytest.approx(0.5)
    assert "goes 0% (standard error 50%)" in learned_sentences([learned])[0]
    loses = LearnedStopping(1.1, (0.69,), "tuned", 0.68, 0.66)
    assert "falls short of it by 50%" in learned_sentences([loses])[0]


WORLD = """
name: learned
accrual: {evenly_spaced: {rate: 20 per month}}
arms: [control, treatment]
endpoints:
  response: {kind: continuous, readout: 1 week, mean: 0, sd: 1, effect: {treatment: 0.4}}
hypotheses:
  primary: {endpoint: response, arms: [treatment, control], analysis: {z_test: {sd: 1}}, direction: higher}
truths: {expected: {}, none: {endpoints.response.effect.*: 0}}
designs:
  sequential:
    kind: group_sequential
    n: 80
    allocation: alternating
    looks: [{when: {readouts: 40}}, {when: {readouts: 80}}]
    tests: {primary: {alpha: 0.025}}
    bounds: {efficacy_z: [2.8, 1.98]}
"""
REQUEST = """
policy: stopping
scenario: world.yaml
iterations: 150
paths: 400
hidden: [16]
learning_rate: 0.01
seed: 3
"""
LEARNED = """  learned:
    extends: sequential
    bounds: null
    policies: {stopping: {learned: {checkpoint: rule.safetensors, digest: DIGEST}}}
"""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A folder with a scenario whose second design stops by what the command trained, and the digest."""
    folder = tmp_path_factory.mktemp("trained")
    (folder / "world.yaml").write_text(WORLD)
    (folder / "rule.yaml").write_text(REQUEST)
    assert main(["train", str(folder / "rule.yaml")]) == 0
    digest = hashlib.sha256((folder / "rule.safetensors").read_bytes()).hexdigest()
    (folder / "both.yaml").write_text(WORLD + LEARNED.replace("DIGEST", digest))
    return folder, digest


@pytest.mark.slow
def test_the_command_trains_what_the_library_trains(
    world: tuple[Path, str], trained: TrainedStopping
) -> None:
    """The same looks, error and seed give the same bounds; cut off and gone on with, the same bytes."""
    folder, digest = world
    arrays, about, _ = read_checkpoint(folder / "rule.safetensors", digest)
    assert np.array_equal(arrays["efficacy_z"], trained.efficacy_z)
    assert (about["scenario"], about["design"], about["rates"]) == ("learned", "sequential", [0.5, 1.0])
    request = read_request(folder / "rule.yaml")

    def cut_off(text: str) -> None:
        raise InterruptedError(text)

    with pytest.raises(InterruptedError, match="iteration 20"):
        train_stopping_rule(request, folder / "again.unfinished", cut_off)
    again = train_stopping_rule(request, folder / "again.unfinished")
    assert again.write(folder / "again.safetensors") == digest
    assert len(again.curve) == 150


def test_its_bounds_are_in_force_and_both_engines_stop_alike(
    world: tuple[Path, str], trained: TrainedStopping
) -> None:
    """At both looks the records show the bounds of the checkpoint, and a trial stops where they are crossed."""
    scenario = load_scenario(world[0] / "both.yaml")
    assert check_twins(scenario, ["learned"], ["none"], range(6)) == []
    looks = collect(scenario, ["learned"], ["none"], 300, 1).looks.to_pandas()
    for number, look in enumerate((1, 2)):
        part = looks[looks["look"] == look]
        assert set(part["efficacy_z"]) == {trained.efficacy_z[number]}
        assert set(part["futility_z"]) == {trained.futility_z[number]}
    first = looks[looks["look"] == 1]
    on = set(looks[looks["look"] == 2]["replicate"])
    between = first[(first["z"] < trained.efficacy_z[0]) & (first["z"] > trained.futility_z[0])]
    assert set(between["replicate"]) == on
    assert 0 < len(on) < 300


def test_the_policy_keeps_the_rules(world: tuple[Path, str]) -> None:
    path = str(world[0] / "rule.safetensors")
    assert check_policy(registry.get("policies", "stopping.learned")(path, world[1])) == []


def test_it_is_refused_without_a_certificate(
    world: tuple[Path, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = str(world[0] / "both.yaml")
    assert (
        main(["run", path, "--replicates", "20", "--workers", "1", "--out", str(tmp_path / "refused")]) == 2
    )
    assert "its learned stopping has no certificate" in " ".join(capsys.readouterr().err.split())
    assert main(["explain", path, "--design", "learned", "--replicate", "1"]) == 0


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("    bounds: null\n", "", "bounds: the bounds are those of the checkpoint"),
        (
            "    bounds: null\n",
            "    bounds: null\n    tests: {primary: {alpha: 0.05}}\n",
            "for an error of 0.025",
        ),
        (
            "    bounds: null\n",
            "    bounds: null\n    looks: [{when: {readouts: 80}}]\n",
            "holds bounds for 2 looks",
        ),
    ],
)
def test_a_rule_of_another_design_is_refused(
    world: tuple[Path, str], old: str, new: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, digest = world
    (folder / "wrong.yaml").write_text(WORLD + LEARNED.replace("DIGEST", digest).replace(old, new))
    run = ["run", str(folder / "wrong.yaml"), "--designs", "learned", "--replicates", "5", "--uncertified"]
    assert main([*run, "--out", str(folder / "none")]) == 2
    assert said in " ".join(capsys.readouterr().err.split())


def test_what_cannot_be_trained_for_is_said(
    world: tuple[Path, str], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = world[0]
    cases = [
        ("[{when: {readouts: 40}}, {when: {readouts: 80}}]", "[{when: {calendar: 2 months}}, {when: {readouts: 80}}]",
         "after stated numbers of events or of read-outs"),
        ("truth: none\n", "", "leave truth out"),
    ]  # fmt: skip
    for old, new, said in cases:
        (folder / "odd.yaml").write_text(WORLD.replace(old, new))
        (folder / "odd_rule.yaml").write_text(
            REQUEST.replace("world.yaml", "odd.yaml") + ("" if old in WORLD else old)
        )
        assert main(["train", str(folder / "odd_rule.yaml")]) == 2
        assert said in " ".join(capsys.readouterr().err.split())
