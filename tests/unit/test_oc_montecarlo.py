"""Monte Carlo values against statsmodels, SciPy and closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from trialsim.oc.montecarlo import (
    Counted,
    Sorted,
    limiting_ranks,
    mean,
    mean_of_counts,
    paired_difference,
    paired_proportions,
    proportion,
    quantiles,
    root_mean_square,
    upper_limit,
)


@pytest.mark.parametrize(
    ("successes", "n"), [(0, 10), (10, 10), (1, 10), (249, 10_000), (8978, 10_000), (0, 10**6), (1, 1)]
)
def test_wilson_limits_are_those_of_statsmodels(successes: int, n: int) -> None:
    found = proportion(successes, n)
    lower, upper = proportion_confint(successes, n, method="wilson")
    assert found.lower == pytest.approx(lower, abs=1e-12)
    assert found.upper == pytest.approx(upper, abs=1e-12)
    assert found.lower is not None
    assert found.upper is not None
    assert found.lower <= found.value <= found.upper
    assert found.mcse == pytest.approx(math.sqrt(found.value * (1 - found.value) / n))


def test_a_probability_of_0_or_1_still_has_limits() -> None:
    assert proportion(0, 100).mcse == 0
    assert proportion(0, 100).lower == 0
    assert proportion(0, 100).upper == pytest.approx(0.0370, abs=5e-5)
    assert proportion(100, 100).upper == 1
    assert proportion(100, 100).lower == pytest.approx(0.9630, abs=5e-5)


@pytest.mark.parametrize(("successes", "n", "tail"), [(0, 100, 0.025), (250, 10_000, 0.025 / 3), (7, 9, 0.1)])
def test_the_upper_limit_is_exact(successes: int, n: int, tail: float) -> None:
    limit = upper_limit(successes, n, tail)
    assert stats.binom.cdf(successes, n, limit) == pytest.approx(tail, rel=1e-9)
    assert upper_limit(n, n, tail) == 1


def test_a_mean_has_the_error_of_scipy() -> None:
    values = np.random.default_rng(1).exponential(size=500)
    found = mean(values)
    assert found is not None
    assert found.value == pytest.approx(values.mean())
    assert found.mcse == pytest.approx(stats.sem(values))
    assert (found.lower, found.upper) == pytest.approx(
        stats.norm.interval(0.95, found.value, stats.sem(values))
    )
    assert mean(np.array([])) is None
    one = mean(np.array([3.0]))
    assert one is not None
    assert one == (3.0, None, None, None, 1)


def test_counts_give_the_same_mean_as_the_values() -> None:
    values = np.random.default_rng(2).integers(-5, 40, 1000)
    from_counts = mean_of_counts(np.bincount(values + 5), -5)
    assert from_counts is not None
    assert from_counts == pytest.approx(mean(values))


def test_root_mean_square_by_hand() -> None:
    found = root_mean_square(np.array([3.0, 4.0]))
    assert found is not None
    assert found.value == pytest.approx(math.sqrt(12.5))
    assert found.mcse == pytest.approx(np.std([9, 16], ddof=1) / math.sqrt(2) / (2 * math.sqrt(12.5)))
    assert root_mean_square(np.zeros(3)) == (0, 0, 0, 0, 3)


@pytest.mark.parametrize("n", [1, 2, 7, 100, 1001])
def test_quantiles_are_those_of_numpy_however_they_are_found(n: int) -> None:
    values = np.random.default_rng(n).integers(0, 50, n)
    wanted = (0.5, 0.1, 0.9)
    by_sorting = quantiles(Sorted(values), wanted)
    by_counting = quantiles(Counted(np.bincount(values), 0), wanted)
    assert by_sorting == by_counting
    assert [each.value for each in by_sorting] == pytest.approx(np.quantile(values, wanted))


@pytest.mark.parametrize("n", [5, 40, 1000, 10_000])
@pytest.mark.parametrize("probability", [0.1, 0.5, 0.9])
def test_limits_by_rank_cover_as_the_binomial_says_and_no_narrower_ones_do(
    n: int, probability: float
) -> None:
    lower, upper = limiting_ranks(n, probability)
    below = stats.binom(n, probability).cdf
    assert below(lower - 1) <= 0.025 < below(lower)
    assert below(upper - 1) >= 0.975
    assert upper - 1 == 0 or below(upper - 2) < 0.975


def test_a_small_sample_has_no_limits_of_its_tails() -> None:
    tenth = quantiles(Sorted(np.arange(5.0)), (0.1,))[0]
    assert tenth.lower is None
    assert tenth.upper is not None
    assert tenth.mcse is None


def test_limits_of_a_median_cover() -> None:
    random = np.random.default_rng(3)
    covered = 0
    n_samples = 2000
    for _ in range(n_samples):
        found = quantiles(Sorted(random.exponential(size=101)), (0.5,))[0]
        assert found.lower is not None
        assert found.upper is not None
        covered += found.lower <= math.log(2) <= found.upper
    assert covered / n_samples >= 0.95 - 5 * math.sqrt(0.95 * 0.05 / n_samples)


def test_paired_differences_in_closed_form() -> None:
    found = paired_difference(np.array([5, 7, 9]), np.array([4, 4, 8]))
    assert found is not None
    assert found.value == pytest.approx(5 / 3)
    assert found.mcse == pytest.approx(stats.sem([1, 3, 1]))


def test_unsigned_and_narrow_numbers_do_not_wrap() -> None:
    found = paired_difference(np.array([1, 2], np.uint8), np.array([3, 3], np.uint8))
    assert found is not None
    assert found.value == -1.5


def test_paired_probabilities_in_closed_form() -> None:
    first = np.array([True] * 30 + [False] * 10 + [True] * 40 + [False] * 20)
    second = np.array([False] * 30 + [True] * 10 + [True] * 40 + [False] * 20)
    found = paired_proportions(first, second)
    assert found is not None
    difference = first.astype(float) - second
    assert found.value == pytest.approx(0.2)
    assert found.mcse == pytest.approx(stats.sem(difference))
    gained, lost = 31 / 102, 11 / 102
    half = stats.norm.ppf(0.975) * math.sqrt((gained + lost - (gained - lost) ** 2) / 102)
    assert (found.lower, found.upper) == pytest.approx((gained - lost - half, gained - lost + half))


def test_paired_probabilities_that_never_differ_still_have_limits() -> None:
    same = np.ones(50, bool)
    found = paired_proportions(same, same)
    assert found is not None
    assert found.value == found.mcse == 0
    assert found.lower is not None
    assert found.upper is not None
    assert found.lower < 0 < found.upper
