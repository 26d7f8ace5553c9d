"""A learned stopping rule: frozen with exact errors, resumed to the same bytes, between the families and the optimum."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from trialsim.designs.boundaries import group_sequential
from trialsim.errors import UsageError
from trialsim.learning.stopping_training import StoppingTask, TrainedStopping, calibrated, train_stopping
from trialsim.learning.tuned_families import tuned_family
from trialsim.oc.stopping_rules import LearnedStopping
from trialsim.report.stopping import learned_sentences
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
