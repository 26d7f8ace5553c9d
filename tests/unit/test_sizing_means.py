"""Sizes and power of tests of means against statsmodels, numerical integration, published figures and simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import integrate, stats
from statsmodels.stats.power import TTestIndPower, TTestPower

from trialsim.errors import ScenarioError
from trialsim.stats.sample_size.answer_means import means_power_answer, means_size_answer
from trialsim.stats.sample_size.means import (
    MeansDesign,
    critical_effect,
    means_power,
    means_sample_size,
    z_bound_alpha,
)
from trialsim.stats.sample_size.smallest import split_whole, whole_patients


@pytest.mark.parametrize(
    ("effect", "power"), [(1.6, 0.611), (1.7, 0.664), (1.8, 0.713), (1.9, 0.759), (2.0, 0.800)]
)
def test_the_fixed_design_of_mehta_and_pocock(effect: float, power: float) -> None:
    # Mehta and Pocock, Statistics in Medicine 30, 2011, 3267-3284: 442 patients, standard deviation 7.5.
    assert round(means_power(MeansDesign(effect, 7.5, test="z"), 221, 221), 3) == power


@pytest.mark.parametrize("ratio", [1 / 3, 0.5, 1.0, 2.0, 3.0])
def test_the_total_of_a_size_is_split_into_its_arms(ratio: float) -> None:
    for control in np.random.default_rng(2).uniform(2.0, 400.0, 500):
        arms = whole_patients(ratio * control, control)
        if ratio == 1 or min(arms) >= 2:
            assert split_whole(sum(arms), ratio) == arms


@pytest.mark.parametrize("ratio", [0.5, 1.0, 3.0])
@pytest.mark.parametrize("effect", [0.2, 0.8, 2.5])
def test_two_sample_t_is_that_of_statsmodels(ratio: float, effect: float) -> None:
    design = MeansDesign(-effect, 1.0, ratio=ratio, alpha=0.01)
    for control in (8, 25, 140):
        theirs = TTestIndPower().power(effect, control, 0.01, ratio=ratio, alternative="larger")
        assert means_power(design, ratio * control, control) == pytest.approx(theirs, abs=1e-9)


def test_one_sample_t_is_that_of_statsmodels() -> None:
    design = MeansDesign(1.4, 2.0, null=1.0, samples=1)
    for patients in (5, 40, 300):
        theirs = TTestPower().power(0.2, patients, 0.025, alternative="larger")
        assert means_power(design, patients) == pytest.approx(theirs, abs=1e-9)


@pytest.mark.parametrize(
    ("design", "power"), [(MeansDesign(0.5, 1.0), 0.9), (MeansDesign(0.4, 1.0, samples=1), 0.9)]
)
def test_the_size_has_its_power_by_direct_integration(design: MeansDesign, power: float) -> None:
    total = means_sample_size(design, power)
    parts = design.split(total)
    degrees, drift = design.degrees(*parts), design.alternative / design.standard_error(*parts)
    bound = stats.t.isf(design.alpha, degrees)

    def integrand(deviation: float) -> float:
        return float(
            stats.norm.sf(bound * deviation - drift) * stats.chi.pdf(deviation * math.sqrt(degrees), degrees)
        )

    found = math.sqrt(degrees) * integrate.quad(integrand, 0.3, 2.0, epsabs=1e-13)[0]
    assert found == pytest.approx(power, abs=1e-10)


def test_a_margin_shifts_the_effect() -> None:
    superior = means_sample_size(MeansDesign(2.0, 5.0, ratio=1.5), 0.85)
    assert means_sample_size(MeansDesign(0.0, 5.0, null=-2.0, ratio=1.5), 0.85) == pytest.approx(
        superior, rel=1e-12
    )
    assert means_sample_size(MeansDesign(-0.5, 5.0, null=1.5, ratio=1.5), 0.85) == pytest.approx(
        superior, rel=1e-12
    )


def test_a_ratio_against_a_margin_is_the_formula_of_kieser_and_hauschke() -> None:
    # In units of the control mean: (z + z)^2 CV^2 (1 + r null^2) / (r (ratio - null)^2) control patients, z test.
    design = MeansDesign(1.0, 0.4, null=0.8, scale="ratio", test="z", ratio=2.0)
    z = stats.norm.isf(0.025) + stats.norm.isf(0.1)
    control = z**2 * 0.4**2 * (1 + 2 * 0.8**2) / (2 * 0.2**2)
    assert means_sample_size(design, 0.9) == pytest.approx(3 * control, rel=1e-12)


def rejections(design: MeansDesign, sizes: tuple[int, int], effect: float, replicates: int) -> float:
    """Simulate the share of trials that reject: z or t, Welch's where the deviations differ."""
    rng = np.random.default_rng(11)
    control_sd = design.sd if design.control_sd is None else design.control_sd
    treated = rng.normal(effect, design.sd, (replicates, sizes[0]))
    control = rng.normal(0.0, control_sd, (replicates, sizes[1]))
    means = treated.mean(axis=1) - control.mean(axis=1) - design.null
    if design.test == "z":
        t, degrees = means / design.standard_error(*sizes), np.full(replicates, np.inf)
    elif design.control_sd is None:
        pooled = (sizes[0] - 1) * treated.var(axis=1, ddof=1) + (sizes[1] - 1) * control.var(axis=1, ddof=1)
        t = means / np.sqrt(pooled / (sum(sizes) - 2) * (1 / sizes[0] + 1 / sizes[1]))
        degrees = np.full(replicates, sum(sizes) - 2.0)
    else:
        a, b = treated.var(axis=1, ddof=1) / sizes[0], control.var(axis=1, ddof=1) / sizes[1]
        t, degrees = means / np.sqrt(a + b), (a + b) ** 2 / (a**2 / (sizes[0] - 1) + b**2 / (sizes[1] - 1))
    return float(np.mean(np.sign(design.alternative - design.null) * t > stats.t.isf(design.alpha, degrees)))


@pytest.mark.parametrize(
    "design",
    [
        MeansDesign(0.9, 1.3),
        MeansDesign(-0.9, 1.3, null=0.2, test="z"),
        MeansDesign(1.0, 1.0, control_sd=2.0, ratio=0.5),
    ],
)
def test_power_is_that_of_simulated_trials(design: MeansDesign) -> None:
    sizes, replicates = (16, 32) if design.control_sd else (24, 24), 40_000
    found = rejections(design, sizes, design.alternative, replicates)
    expected = means_power(design, *sizes)
    # Welch's degrees of freedom vary from trial to trial: the formula takes their expectation.
    allowed = 0.002 if design.control_sd else 0.0
    assert found == pytest.approx(
        expected, abs=allowed + 5 * math.sqrt(expected * (1 - expected) / replicates)
    )


def test_the_normal_bound_with_an_estimated_deviation_has_the_error_it_says() -> None:
    design, replicates = MeansDesign(1.0, 1.0, test="z"), 200_000
    said = z_bound_alpha(design, 6, 6)
    rng = np.random.default_rng(5)
    a, b = rng.normal(size=(2, replicates, 6))
    pooled = (a.var(axis=1, ddof=1) + b.var(axis=1, ddof=1)) / 2
    z = (a.mean(axis=1) - b.mean(axis=1)) / np.sqrt(pooled / 3)
    assert np.mean(z > 1.959963984540054) == pytest.approx(said, abs=5 * math.sqrt(said / replicates))
    answer = means_power_answer(design, 12)
    assert answer.attained_alpha.attained == said
    assert "above the nominal 0.025" in answer.warnings[0]


def test_the_smallest_effect_that_rejects_is_on_the_bound() -> None:
    design = MeansDesign(0.0, 4.0, null=-1.5)
    effect = critical_effect(design, 50, 50)
    assert (effect - design.null) / (4.0 * math.sqrt(2 / 50)) == pytest.approx(
        stats.t.isf(0.025, 98), rel=1e-12
    )


def test_the_curve_rises_through_the_target() -> None:
    answer = means_size_answer(MeansDesign(0.5, 1.0), 0.9)
    (curve,) = answer.curves
    powers = [power for _, power in curve.points]
    assert powers == sorted(powers)
    assert powers[0] < 0.9 < powers[-1]
    assert answer.attained_alpha.attained == 0.025
    assert answer.warnings == ()


def test_everything_wrong_is_told_at_once() -> None:
    with pytest.raises(ScenarioError) as refused:
        means_size_answer(MeansDesign(0.0, -1.0, alpha=0.7, ratio=0.0, test="w", scale="log"), 1.5)
    named = [problem.path for problem in refused.value.problems]
    assert named == ["alpha", "ratio", "power", "test", "scale", "sd", "effect"]


def test_the_noncentral_t_is_integrated_where_its_series_underflows() -> None:
    from trialsim.stats.sample_size.means import _upper_by_integration

    for degrees in (0.7, 1.0, 5.0, 400.0):
        bound = float(stats.t.isf(0.025, degrees))
        for drift in (0.0, 2.0, 12.0):
            theirs = float(stats.nct.sf(bound, degrees, drift))
            assert _upper_by_integration(bound, degrees, drift) == pytest.approx(theirs, abs=1e-10)
    # One degree of freedom: rejecting takes a deviation below drift / bound, the law of which is the half normal one.
    bound, drift = float(stats.t.isf(0.025, 1)), 60.0
    power = means_power(MeansDesign(60.0 * math.sqrt(2 / 3), 1.0, samples=1), 1.5)
    assert 0.0 <= power <= 1.0
    far = _upper_by_integration(bound, 1.0, drift)
    assert far == pytest.approx(float(stats.halfnorm.cdf(drift / bound)), abs=1e-4)


def test_tiny_and_huge_trials_are_refused_with_a_sentence() -> None:
    with pytest.raises(ScenarioError, match="standard deviations"):
        means_size_answer(MeansDesign(5000.0, 1.0), 0.9)
    with pytest.raises(ScenarioError, match="fewer than 2"):
        means_power_answer(MeansDesign(1.0, 1.0, ratio=50.0), 20)
    smallest = means_size_answer(MeansDesign(900.0, 1.0), 0.9)
    assert (smallest.results["n_treatment"], smallest.results["n_control"]) == (2, 2)


@pytest.mark.slow
def test_repeated_t_tests_are_those_of_simulated_patients() -> None:
    from trialsim.stats.sample_size.repeated_t import repeated_t_error

    sizes, bounds, replicates = [(4, 3), (9, 6)], (2.4, 2.0), 100_000
    found, error = repeated_t_error(bounds, sizes)
    rng = np.random.default_rng(8)
    treated, control = rng.normal(size=(replicates, 9)), rng.normal(size=(replicates, 6))
    crossed = np.zeros(replicates, dtype=bool)
    for bound, (a, b) in zip(bounds, sizes, strict=True):
        crossed |= stats.ttest_ind(treated[:, :a], control[:, :b], axis=1).statistic >= bound
    assert crossed.mean() == pytest.approx(found, abs=5 * math.hypot(error, math.sqrt(found / replicates)))
    single, error = repeated_t_error([2.0], [(12, 0)])
    assert single == pytest.approx(float(stats.t.sf(2.0, 11)), abs=5 * error)
    both, error = repeated_t_error([2.0], [(7, 12)])
    assert both == pytest.approx(float(stats.t.sf(2.0, 17)), abs=5 * error)


@pytest.mark.slow
def test_normal_bounds_for_repeated_t_are_warned_of() -> None:
    from trialsim.cli.sequential_options import SequentialOptions, bounds_of

    bounds = bounds_of(SequentialOptions("0.5,1", "pocock", None, None, None, False), 0.025, 0.9)
    normal = means_size_answer(MeansDesign(1.5, 1.0, test="z"), 0.9, bounds)
    assert any("above the nominal" in each for each in normal.warnings)
    converted = means_size_answer(MeansDesign(0.5, 1.0), 0.9, bounds)
    attained, error = converted.attained_alpha.attained, converted.attained_alpha.mcse
    assert attained is not None
    assert error is not None
    assert attained == pytest.approx(0.025, abs=0.0003 + 5 * error)
