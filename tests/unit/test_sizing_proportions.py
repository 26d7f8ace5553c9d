"""Tests of proportions: constrained rates by direct search, sizes of the literature, errors and power by enumeration."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from scipy import optimize, stats
from statsmodels.stats.proportion import test_proportions_2indep as statsmodels_score_test

from trialsim.cli.sequential_options import SequentialOptions, bounds_of
from trialsim.errors import ScenarioError
from trialsim.stats.exact_binary import exact_group_sequential_binary
from trialsim.stats.sample_size.answer_proportions import proportions_power_answer, proportions_size_answer
from trialsim.stats.sample_size.exact_proportions import (
    binomial_bound,
    binomial_power,
    exact_sample_size,
    fisher_power,
    fisher_rejects,
    largest_error,
    rejection_probability,
    score_rejects,
)
from trialsim.stats.sample_size.proportions import (
    ProportionsDesign,
    constrained_rates,
    critical_effect,
    proportions_power,
    proportions_sample_size,
    score_z,
)
from trialsim.stats.sample_size.sequential_proportions import (
    sequential_errors,
    sequential_probability,
)


@pytest.mark.parametrize("scale", ["difference", "ratio"])
def test_constrained_rates_maximise_the_likelihood(scale: str) -> None:
    rng = np.random.default_rng(3)
    for _ in range(200):
        p1, p2 = rng.random(2)
        n1, n2 = rng.integers(5, 200, 2)
        null = rng.uniform(-0.6, 0.6) if scale == "difference" else rng.uniform(0.3, 2.5)
        limits = (max(0, -null), min(1, 1 - null)) if scale == "difference" else (0, min(1, 1 / null))

        def loss(rate: float, p1=p1, p2=p2, n1=n1, n2=n2, null=null) -> float:  # type: ignore[no-untyped-def]
            other = rate + null if scale == "difference" else rate * null
            a, b = (min(max(each, 1e-300), 1 - 1e-16) for each in (other, rate))
            return -float(
                n1 * (p1 * math.log(a) + (1 - p1) * math.log1p(-a))
                + n2 * (p2 * math.log(b) + (1 - p2) * math.log1p(-b))
            )

        best = optimize.minimize_scalar(loss, bounds=limits, method="bounded", options={"xatol": 1e-12})
        found = constrained_rates(np.array(p1), np.array(p2), float(n1), float(n2), scale, null)
        assert float(found[1]) == pytest.approx(best.x, abs=2e-6)
        assert loss(float(found[1])) <= best.fun + 1e-9


def test_a_non_inferiority_size_of_the_literature() -> None:
    # The example of gsDesign's nBinomial (R-help, 15 November 2011): 2,056.671 patients for equal rates of 0.677,
    # a margin of 0.07, two to one, one-sided 0.025, power 0.9.
    design = ProportionsDesign(0.677, 0.677, null=-0.07, ratio=2.0)
    assert proportions_sample_size(design, 0.9) == pytest.approx(2056.671, abs=5e-4)


def test_power_and_size_are_inverse() -> None:
    for design in (
        ProportionsDesign(0.5, 0.3),
        ProportionsDesign(0.12, 0.2, null=1.3, scale="ratio", ratio=0.5),
        ProportionsDesign(0.35, 0.2, samples=1),
    ):
        total = proportions_sample_size(design, 0.85)
        assert proportions_power(design, *design.split(total)) == pytest.approx(0.85, rel=1e-12)


def test_the_score_statistic_of_equality_is_the_pooled_one() -> None:
    for treated, control in itertools.product(range(0, 13, 3), range(0, 11, 2)):
        z = float(score_z(np.array(treated / 12), np.array(control / 10), 12, 10, "difference", 0.0))
        pooled = (treated + control) / 22
        variance = pooled * (1 - pooled) * (1 / 12 + 1 / 10)
        if variance == 0:
            assert math.isnan(z)
        else:
            assert z == pytest.approx((treated / 12 - control / 10) / math.sqrt(variance), rel=1e-12)
            ratio = float(score_z(np.array(treated / 12), np.array(control / 10), 12, 10, "ratio", 1.0))
            assert ratio == pytest.approx(z, rel=1e-9)


def test_the_score_statistic_of_a_ratio_is_that_of_statsmodels() -> None:
    # Of a difference statsmodels 0.15 takes a cubic with a count where Miettinen and Nurminen have a number of patients;
    # its rates do not maximise the likelihood, ours do (above).
    for treated, control, null in itertools.product((3, 11, 27), (5, 16), (0.7, 1.4)):
        theirs = statsmodels_score_test(
            treated, 30, control, 20, value=null, compare="ratio", method="score", correction=False
        )
        ours = float(score_z(np.array(treated / 30), np.array(control / 20), 30, 20, "ratio", null))
        assert ours == pytest.approx(float(theirs.statistic), rel=1e-9)


def test_fisher_rejects_where_scipy_says_so() -> None:
    for higher, alternative in ((True, "greater"), (False, "less")):
        rejects = fisher_rejects(9, 7, 0.05, higher)
        for a, b in itertools.product(range(10), range(8)):
            p = stats.fisher_exact([[a, 9 - a], [b, 7 - b]], alternative=alternative)[1]
            assert rejects[a, b] == (p <= 0.05)


def test_fisher_power_is_the_sum_over_all_tables() -> None:
    design = ProportionsDesign(0.8, 0.25)
    rejects = fisher_rejects(6, 5, design.alpha, True)
    total = Fraction(0)
    for a, b in itertools.product(range(7), range(6)):
        if rejects[a, b]:
            p = math.comb(6, a) * Fraction(4, 5) ** a * Fraction(1, 5) ** (6 - a)
            total += p * math.comb(5, b) * Fraction(1, 4) ** b * Fraction(3, 4) ** (5 - b)
    assert fisher_power(design, 6, 5) == pytest.approx(float(total), rel=1e-12)


def test_the_exact_size_stays_above_its_power_and_the_size_before_does_not() -> None:
    design = ProportionsDesign(0.5, 0.3)
    treatment, control = exact_sample_size(design, 0.9)
    assert treatment == control
    assert all(fisher_power(design, n, n) >= 0.9 for n in range(control, control + 20))
    assert fisher_power(design, control - 1, control - 1) < 0.9


def test_the_one_sample_test_is_the_binomial_one() -> None:
    design = ProportionsDesign(0.35, 0.2, samples=1, alpha=0.05)
    bound = binomial_bound(design, 56)
    assert bound is not None
    assert stats.binom.sf(bound - 1, 56, 0.2) <= 0.05 < stats.binom.sf(bound - 2, 56, 0.2)
    assert binomial_power(design, 56) == pytest.approx(stats.binom.sf(bound - 1, 56, 0.35), rel=1e-11)
    lower = ProportionsDesign(0.1, 0.3, samples=1)
    below = binomial_bound(lower, 40)
    assert below is not None
    assert stats.binom.cdf(below, 40, 0.3) <= 0.025 < stats.binom.cdf(below + 1, 40, 0.3)
    treatment, control = exact_sample_size(lower, 0.9)
    assert control == 0
    assert binomial_power(lower, treatment) >= 0.9 > binomial_power(lower, treatment - 1)


def test_the_largest_error_is_found_between_the_points_of_the_grid() -> None:
    design = ProportionsDesign(0.5, 0.3)
    rejects = score_rejects(design, 124, 124)
    largest, at = largest_error(design, rejects)
    fine = max(rejection_probability(rejects, rate, rate) for rate in np.linspace(0.001, 0.999, 1999))
    assert largest == pytest.approx(fine, rel=1e-4)
    assert largest >= fine * (1 - 1e-9)
    assert largest == pytest.approx(rejection_probability(rejects, at, at), rel=1e-12)


def pooled_z(treatment: np.ndarray, control: np.ndarray, n: int) -> np.ndarray:
    """Return the z of two arms of ``n`` patients, 0 where there is no event."""
    pooled = (treatment + control) / (2 * n)
    spread = np.sqrt(pooled * (1 - pooled) * 2 / n)
    return (treatment - control) / n / np.where(spread > 0, spread, np.inf)


@pytest.mark.slow
def test_the_largest_error_of_few_events_in_many_patients_is_found() -> None:
    """Two arms of 1,500: the error peaks where an arm has a dozen events, near the end of the rates."""
    largest, at = largest_error(
        ProportionsDesign(0.35, 0.3), score_rejects(ProportionsDesign(0.35, 0.3), 1500, 1500)
    )
    counts = np.arange(80)
    rejects = pooled_z(counts[:, None], counts[None, :], 1500) >= stats.norm.isf(0.025)
    errors = [
        float(chance @ rejects @ chance)
        for chance in (stats.binom.pmf(counts, 1500, rate) for rate in np.linspace(0.001, 0.02, 191))
    ]
    assert at < 0.01
    assert max(errors) * (1 - 1e-9) <= largest == pytest.approx(max(errors), rel=1e-3)


def test_the_largest_error_over_looks_is_found_between_the_points_of_the_grid() -> None:
    """Twenty patients an arm and twenty more: all paths summed plainly, at rates near the peak of the error."""
    options = SequentialOptions("0.5,1", "lan_demets_obrien_fleming", None, None, None, False)
    bounds = bounds_of(options, 0.025, 0.9)
    assert bounds is not None
    counts = np.arange(41)
    first = pooled_z(counts[:21, None], counts[None, :21], 20) >= bounds.efficacy[0]
    last = pooled_z(counts[:, None], counts[None, :], 40) >= bounds.efficacy[1]
    errors = []
    for rate in (0.088, 0.09, 0.092, 0.094, 0.096):
        chance = stats.binom.pmf(counts[:21], 20, rate)
        both, after = np.outer(chance, chance), np.zeros((41, 41))
        for i, j in np.argwhere(~first):
            after[i : i + 21, j : j + 21] += both[i, j] * both
        errors.append(both[first].sum() + after[last].sum())
    attained, largest, at = sequential_errors(ProportionsDesign(0.5, 0.3), bounds, [(20, 20), (40, 40)])
    assert max(errors) * (1 - 1e-9) <= largest == pytest.approx(max(errors), rel=1e-3)
    assert at == pytest.approx(0.092, abs=0.002) or at == pytest.approx(0.908, abs=0.002)
    assert attained < largest


def test_the_error_of_a_margin_is_that_of_simulated_trials() -> None:
    design = ProportionsDesign(0.7, 0.7, null=-0.1)
    answer = proportions_power_answer(design, 200)
    said, replicates = answer.attained_alpha.attained, 200_000
    assert said is not None
    rng = np.random.default_rng(9)
    a, b = rng.binomial(100, 0.6, replicates) / 100, rng.binomial(100, 0.7, replicates) / 100
    found = float(np.mean(score_z(a, b, 100, 100, "difference", -0.1) >= 1.959963984540054))
    assert found == pytest.approx(said, abs=5 * math.sqrt(said / replicates))


def test_an_error_above_nominal_is_warned_of_and_an_exact_test_has_none() -> None:
    score = proportions_power_answer(ProportionsDesign(0.5, 0.3), 248)
    worst = score.attained_alpha.largest
    assert worst is not None
    assert worst > 0.025
    assert "above the nominal 0.025" in score.warnings[0]
    exact = proportions_power_answer(ProportionsDesign(0.5, 0.3), 248, "exact")
    worst = exact.attained_alpha.largest
    assert worst is not None
    assert worst <= 0.025
    assert exact.warnings == ()


def test_the_smallest_difference_that_rejects_is_on_the_bound() -> None:
    design = ProportionsDesign(0.2, 0.4, null=-0.05)
    effect = critical_effect(design, 90, 60)
    assert effect is not None
    z = float(score_z(np.array(0.4 + effect), np.array(0.4), 90, 60, "difference", -0.05))
    assert z == pytest.approx(-1.959963984540054, rel=1e-9)


def test_repeated_tests_are_enumerated_as_by_the_other_recursion() -> None:
    options = SequentialOptions("1/3,2/3,1", "pocock", None, "z", "0", False)
    bounds = bounds_of(options, 0.025, 0.9)
    assert bounds is not None
    design, sizes = ProportionsDesign(0.6, 0.35), [(14, 10), (28, 20), (42, 30)]
    for futility in (True, False):
        found = sequential_probability(design, bounds, sizes, (0.6, 0.35), futility)
        other = exact_group_sequential_binary(
            (0.35, 0.6), [(b, a) for a, b in sizes], bounds.efficacy, bounds.futility if futility else None
        )
        assert found == pytest.approx(other.power, rel=1e-11)


@pytest.mark.slow
def test_a_margin_under_repeated_tests_holds_about_its_error() -> None:
    options = SequentialOptions("0.5,1", "lan_demets_obrien_fleming", None, None, None, False)
    bounds = bounds_of(options, 0.025, 0.9)
    answer = proportions_size_answer(ProportionsDesign(0.85, 0.85, null=-0.1), 0.9, bounds=bounds)
    attained = answer.attained_alpha.attained
    assert attained is not None
    assert attained == pytest.approx(0.025, abs=0.002)
    assert answer.results["power_enumerated"] == pytest.approx(answer.results["power"], abs=0.02)


def test_everything_wrong_is_told_at_once() -> None:
    with pytest.raises(ScenarioError) as refused:
        proportions_size_answer(ProportionsDesign(1.5, 0.0, null=2.0), 0.01, "fisher")
    assert [problem.path for problem in refused.value.problems] == [
        "power", "test", "treatment_rate", "control_rate", "null",
    ]  # fmt: skip
    with pytest.raises(ScenarioError, match="of equality only"):
        proportions_size_answer(ProportionsDesign(0.5, 0.5, null=-0.1), 0.9, "exact")
    with pytest.raises(ScenarioError, match="meet the null exactly"):
        proportions_size_answer(ProportionsDesign(0.3, 0.3), 0.9)
