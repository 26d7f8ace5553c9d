"""The exact binary recursion against enumeration, rational arithmetic and a simulation."""

from __future__ import annotations

import importlib.util
import itertools
import math
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import yaml

from trialsim.errors import UsageError
from trialsim.stats.exact_binary import exact_group_sequential_binary

FOLDER = Path(__file__).resolve().parents[2] / "scenarios" / "binary_sequential"
LOOK_SIZES = [(50, 50), (100, 100), (150, 150)]
BOUNDS = [3.71030, 2.51143, 1.99305]


@pytest.fixture(scope="module")
def script() -> ModuleType:
    """The script beside the scenario: backward induction in whole numbers, no code shared."""
    spec = importlib.util.spec_from_file_location("binary_sequential_exact", FOLDER / "exact.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def z_of(control: int, treatment: int, size: tuple[int, int]) -> float:
    pooled = (control + treatment) / sum(size)
    variance = pooled * (1 - pooled) * (1 / size[0] + 1 / size[1])
    return (treatment / size[1] - control / size[0]) / math.sqrt(variance) if variance > 0 else math.nan


def enumerate_trials(rates, sizes, efficacy, futility):
    """Every possible sequence of responses, one by one."""
    rejects, futile, expected_n = [0.0] * len(sizes), [0.0] * len(sizes), 0.0
    n_control, n_treatment = sizes[-1]
    for responses in itertools.product([0, 1], repeat=n_control + n_treatment):
        control, treatment = responses[:n_control], responses[n_control:]
        probability = math.prod(rates[0] if r else 1 - rates[0] for r in control)
        probability *= math.prod(rates[1] if r else 1 - rates[1] for r in treatment)
        for look, size in enumerate(sizes):
            z = z_of(sum(control[: size[0]]), sum(treatment[: size[1]]), size)
            last = look == len(sizes) - 1
            if z >= efficacy[look]:
                rejects[look] += probability
            elif z <= futility[look] or last:
                futile[look] += probability
            else:
                continue
            expected_n += probability * sum(size)
            break
    return rejects, futile, expected_n


@pytest.mark.parametrize(
    ("rates", "sizes", "efficacy", "futility"),
    [
        ((0.3, 0.6), [(4, 4)], [1.2], [-math.inf]),
        ((0.3, 0.6), [(2, 2), (4, 4)], [1.9, 1.2], [-math.inf, -math.inf]),
        ((0.5, 0.2), [(2, 2), (4, 4)], [math.inf, 0.5], [-0.9, -math.inf]),
        ((0.25, 0.7), [(1, 2), (2, 4), (4, 6)], [1.5, 1.6, 1.0], [-1.0, 0.0, -math.inf]),
        ((0.0, 1.0), [(2, 2), (4, 4)], [2.0, 2.0], [-math.inf, -math.inf]),
    ],
)
def test_small_trials_equal_the_enumeration_of_every_outcome(rates, sizes, efficacy, futility) -> None:
    rejects, futile, expected_n = enumerate_trials(rates, sizes, efficacy, futility)
    result = exact_group_sequential_binary(rates, sizes, efficacy, futility)
    assert result.reject_by_look == pytest.approx(rejects, abs=1e-14)
    assert result.futility_by_look == pytest.approx(futile, abs=1e-14)
    assert result.expected_n == pytest.approx(expected_n, abs=1e-12)
    assert result.power == pytest.approx(sum(rejects), abs=1e-14)


@pytest.mark.slow
def test_the_shipped_scenario_equals_rational_arithmetic(script: ModuleType) -> None:
    figures = script.figures()
    for truth, rates in (("alternative", (0.30, 0.45)), ("no_effect", (0.30, 0.30))):
        result = exact_group_sequential_binary(rates, LOOK_SIZES, BOUNDS)
        cell = ("group_sequential", truth)
        assert result.power == pytest.approx(float(figures[*cell, "reject", None]), abs=1e-12)
        assert result.expected_n == pytest.approx(float(figures[*cell, "analysed", None]), abs=1e-10)
        for look, cumulative in enumerate(itertools.accumulate(result.reject_by_look), start=1):
            assert cumulative == pytest.approx(float(figures[*cell, "reject_by_look", look]), abs=1e-12)
        fixed = exact_group_sequential_binary(rates, LOOK_SIZES[-1:], [1.959963984540054])
        assert fixed.power == pytest.approx(float(figures["fixed", truth, "reject", None]), abs=1e-12)


@pytest.mark.slow
def test_expected_yaml_holds_what_its_script_gives(script: ModuleType) -> None:
    figures = script.figures()
    entries = yaml.safe_load((FOLDER / "expected.yaml").read_text(encoding="utf-8"))["figures"]
    assert len(entries) >= 14
    for entry in entries:
        value = figures[entry["design"], entry["truth"], entry["measure"], entry.get("look")]
        assert entry["value"] == pytest.approx(float(value), rel=1e-14)


def test_a_simulation_agrees_within_five_standard_errors() -> None:
    trials = 200_000
    generator = np.random.default_rng(20240)
    rates, sizes, efficacy, futility = (0.3, 0.45), [(30, 40), (70, 75)], [2.3, 1.98], [0.2, -np.inf]
    exact = exact_group_sequential_binary(rates, sizes, efficacy, futility)
    control = generator.binomial([30, 40], rates[0], size=(trials, 2)).cumsum(axis=1)
    treatment = generator.binomial([40, 35], rates[1], size=(trials, 2)).cumsum(axis=1)
    running = np.ones(trials, dtype=bool)
    analysed = np.zeros(trials)
    for look, size in enumerate(sizes):
        pooled = (control[:, look] + treatment[:, look]) / sum(size)
        error = np.sqrt(pooled * (1 - pooled) * (1 / size[0] + 1 / size[1]))
        z = (treatment[:, look] / size[1] - control[:, look] / size[0]) / error
        rejects = running & (z >= efficacy[look])
        p = exact.reject_by_look[look]
        assert abs(rejects.mean() - p) <= 5 * math.sqrt(p * (1 - p) / trials)
        ends = running & ((z >= efficacy[look]) | (z <= futility[look]) | (look == 1))
        analysed[ends] = sum(size)
        running &= ~ends
    assert abs(analysed.mean() - exact.expected_n) <= 5 * analysed.std() / math.sqrt(trials)


def test_swapping_arms_and_direction_changes_nothing() -> None:
    sizes = [(20, 35), (50, 60)]
    there = exact_group_sequential_binary((0.3, 0.5), sizes, [2.5, 1.99], [0.1, -math.inf])
    swapped = [(b, a) for a, b in sizes]
    back = exact_group_sequential_binary(
        (0.5, 0.3), swapped, [2.5, 1.99], [0.1, -math.inf], direction="lower"
    )
    assert back.reject_by_look == pytest.approx(there.reject_by_look, abs=1e-14)
    assert back.futility_by_look == pytest.approx(there.futility_by_look, abs=1e-14)


@pytest.mark.parametrize(
    ("rates", "sizes", "bounds", "word"),
    [
        ((0.3, 1.2), [(4, 4)], [2.0], "probabilities"),
        ((0.3, 0.4), [(4, 4), (8, 8)], [2.0], "one entry per look"),
        ((0.3, 0.4), [], [], "at least one look"),
        ((0.3, 0.4), [(4, 4), (3, 8)], [2.0, 2.0], "cumulative"),
        ((0.3, 0.4), [(0, 4)], [2.0], "both arms"),
    ],
)
def test_what_makes_no_sense_is_refused_with_a_sentence(rates, sizes, bounds, word) -> None:
    with pytest.raises(UsageError, match=word):
        exact_group_sequential_binary(rates, sizes, bounds)
