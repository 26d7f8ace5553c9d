"""Beta-binomial probabilities against SciPy, against plain sums and against published figures."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import integrate, special, stats

from trialsim.stats.bayes import best_arm, beta_binomial, close_arms, predictive

CASES = [
    (0.0, 1.0, 1.0, 1.0, 1.0),
    (0.0, 31.0, 71.0, 21.0, 81.0),
    (0.1, 46.0, 56.0, 31.0, 71.0),
    (-0.08, 0.5, 40.5, 3.5, 37.5),
    (-0.15, 130.5, 245.5, 120.5, 255.5),
    (0.3, 8.2, 1.8, 2.2, 9.8),
    (0.3, 4.38, 0.341, 23.6, 2.16),
    (-0.1, 10.1, 0.241, 26.5, 0.229),
    (0.05, 62.9, 0.604, 224.0, 23.5),
    (0.9, 100.0, 2.0, 2.0, 100.0),
]


def by_adaptive_quadrature(delta: float, a1: float, b1: float, a0: float, b0: float) -> float:
    """Return P(rate 1 - rate 0 > delta) by QUADPACK over the quantiles of rate 0, which leaves no singularity."""

    def above(share: float) -> float:
        rate = special.betaincinv(a0, b0, share) + delta
        return float(special.betaincc(a1, b1, np.clip(rate, 0.0, 1.0)))

    edges = [float(special.betainc(a0, b0, np.clip(x, 0, 1))) for x in (-delta, 1.0 - delta)]
    return float(
        integrate.quad(above, 0.0, 1.0, points=[*edges, 0.01, 0.5, 0.99], limit=2000, epsabs=1e-10)[0]
    )


def test_the_tail_of_a_beta_law() -> None:
    rng = np.random.default_rng(1)
    for a, b in np.exp(rng.uniform(-2, 8, (200, 2))):
        for x in (*rng.beta(a, b, 3), rng.random()):
            assert beta_binomial.beta_above(x, a, b) == pytest.approx(special.betaincc(a, b, x), abs=1e-11)
    assert beta_binomial.beta_above(0.0, 2.0, 3.0) == 1.0
    assert beta_binomial.beta_above(1.0, 2.0, 3.0) == 0.0


@pytest.mark.parametrize("case", CASES)
def test_the_difference_of_two_rates(case: tuple[float, ...]) -> None:
    found = beta_binomial.difference_above(*case)
    assert found == pytest.approx(by_adaptive_quadrature(*case), abs=beta_binomial.ERROR)


def test_two_alike_are_each_better_half_of_the_time() -> None:
    for shapes in ((0.5, 0.5), (3.0, 9.0), (300.0, 700.0)):
        assert beta_binomial.difference_above(0.0, *shapes, *shapes) == pytest.approx(0.5, abs=1e-7)
    for a1, b1, a0, b0 in ((3.0, 9.0, 5.0, 2.0), (0.5, 30.5, 4.5, 26.5)):
        one = beta_binomial.difference_above(0.12, a1, b1, a0, b0)
        other = beta_binomial.difference_above(-0.12, a0, b0, a1, b1)
        assert one + other == pytest.approx(1.0, abs=2e-7)


@pytest.mark.slow
def test_which_of_two_is_better_over_the_whole_range_of_counts() -> None:
    """Exact sums where a shape is whole, the integral where none is, or where the first term underflows.

    A beta variable with whole shapes is an order statistic of uniforms, so that one exceeds another with a hypergeometric
    tail; other shapes are integrated over the logit by the trapezoidal rule with SciPy's distribution functions.
    """
    rng = np.random.default_rng(12)
    n = np.exp(rng.uniform(0, 8.2, (60, 2))).astype(np.int64)
    good = rng.binomial(n, rng.uniform(0, 1, n.shape))
    good[:8] = np.array([[0, 0], [0, 1], [1, 0], [1, 1]] * 2) * n[:8]
    good[8:12], n[8:12] = 2000, 4000
    found, y = np.empty(len(n)), np.arange(-160.0, 80.0, 0.01)
    for prior in (np.ones((2, 2)), np.array([[0.5, 0.5], [1.0, 2.5]]), np.array([[0.5, 0.2], [0.7, 0.8]])):
        beta_binomial.posterior_differences(good, n, 0.0, prior, found)
        for r in range(len(n)):
            a0, a1 = prior[:, 0] + good[r]
            b0, b1 = prior[:, 1] + n[r] - good[r]
            if prior[0, 0] == 1.0:
                draws = int(a0 + a1) - 1
                expected = stats.hypergeom(int(a0 + b0 + a1 + b1) - 2, int(a0 + b0) - 1, draws).sf(
                    int(a0) - 1
                )
                assert found[r] == pytest.approx(expected, abs=1e-8 if 8 <= r < 12 else 1e-11), r
                continue
            density = np.exp(a0 * special.log_expit(y) + b0 * special.log_expit(-y) - special.betaln(a0, b0))
            expected = 0.01 * float(density @ special.betaincc(a1, b1, special.expit(y)))
            assert found[r] == pytest.approx(expected, abs=beta_binomial.ERROR), (r, prior)


@pytest.mark.slow
def test_the_best_of_four_arms_over_the_whole_range_of_counts() -> None:
    """Against Gauss-Legendre panels on the scale of rates, with SciPy's distribution functions."""
    rng = np.random.default_rng(13)
    n = np.exp(rng.uniform(0, np.log(1001), (150, 4))).astype(np.int64) - 1
    good = rng.binomial(n, np.clip(rng.beta(1, 2, (150, 1)) + rng.normal(0, 0.05, n.shape), 0, 1))
    good[:15], good[15:30] = 0, n[15:30]
    found = np.empty(n.shape)
    best_arm.probabilities_best(good, n, np.ones(n.shape, dtype=bool), 1.0, 1.0, found)
    nodes, weights = np.polynomial.legendre.leggauss(20)
    edges = 0.5 - 0.5 * np.cos(np.linspace(0, np.pi, 201))
    half = 0.5 * np.diff(edges)
    x = (edges[:-1, None] + half[:, None] * (1.0 + nodes)).ravel()
    w = (half[:, None] * weights).ravel()
    a, b = 1.0 + good[:, :, None], 1.0 + (n - good)[:, :, None]
    below, density = special.betainc(a, b, x), stats.beta.pdf(x, a, b)
    others = np.stack([np.delete(below, k, axis=1).prod(axis=1) for k in range(4)], axis=1)
    expected = (density * others * w).sum(axis=2)
    assert np.abs(expected.sum(axis=1) - 1.0).max() < 1e-9
    assert np.abs(found - expected).max() < best_arm.ERROR


@pytest.mark.slow
def test_the_best_of_several_arms() -> None:
    rng = np.random.default_rng(2)
    grid = np.linspace(-60, 40, 100_001)
    step = grid[1] - grid[0]
    for prior in ((1.0, 1.0), (0.5, 0.5), (0.2, 0.8)):
        for arms in (2, 3, 5):
            n = rng.integers(0, 400, (6, arms))
            n[0] = 0
            good = rng.binomial(n, rng.uniform(0.02, 0.98, n.shape))
            good[3] = n[3] // 3  # nearly alike
            counted = np.ones(n.shape, dtype=bool)
            found = np.empty(n.shape)
            best_arm.probabilities_best(good, n, counted, *prior, found)
            a, b = prior[0] + good, prior[1] + n - good
            for r in range(6):
                below = special.betainc(a[r][:, None], b[r][:, None], special.expit(grid))
                density = np.exp(
                    a[r][:, None] * special.log_expit(grid)
                    + b[r][:, None] * special.log_expit(-grid)
                    - special.betaln(a[r], b[r])[:, None]
                )
                for k in range(arms):
                    others = np.prod(np.delete(below, k, axis=0), axis=0)
                    expected = float((density[k] * others).sum() * step)
                    assert found[r, k] == pytest.approx(expected, abs=best_arm.ERROR), (prior, n[r], good[r])


def test_arms_that_do_not_count_are_never_the_best() -> None:
    n, good = np.array([[50, 60, 70]]), np.array([[40, 20, 21]])
    found = np.empty((1, 3))
    best_arm.probabilities_best(good, n, np.array([[False, True, True]]), 1.0, 1.0, found)
    assert found[0, 0] == 0.0
    assert found[0, 1] == pytest.approx(
        beta_binomial.difference_above(0.0, 21.0, 41.0, 22.0, 50.0), abs=best_arm.ERROR
    )
    best_arm.probabilities_best(good, n, np.array([[False, False, True]]), 1.0, 1.0, found)
    assert found.tolist() == [[0.0, 0.0, 1.0]]


def test_rates_that_lie_close_together() -> None:
    n, good = np.array([[200, 180], [40, 15], [900, 300]]), np.array([[50, 49], [20, 3], [30, 12]])
    found = np.empty(3)
    close_arms.probabilities_within(good, n, np.ones((3, 2), dtype=bool), 1.0, 1.0, 0.05, found)
    for r in range(3):
        shapes = (1.0 + good[r, 0], 1.0 + n[r, 0] - good[r, 0], 1.0 + good[r, 1], 1.0 + n[r, 1] - good[r, 1])
        expected = by_adaptive_quadrature(-0.05, *shapes) - by_adaptive_quadrature(0.05, *shapes)
        assert found[r] == pytest.approx(expected, abs=close_arms.ERROR)
    three = np.array([[120, 130, 125]])
    close_arms.probabilities_within(three // 4, three, np.ones((1, 3), dtype=bool), 1.0, 1.0, 0.05, found[:1])
    rates = np.random.default_rng(3).beta(1 + three // 4, 1 + three - three // 4, (400_000, 3))
    share = float((rates.max(axis=1) - rates.min(axis=1) < 0.05).mean())
    assert found[0] == pytest.approx(share, abs=5 * np.sqrt(share * (1 - share) / 400_000))


@pytest.mark.parametrize(
    ("m", "a", "b"), [(0, 2.0, 3.0), (17, 16.6, 7.4), (400, 0.5, 900.5), (900, 40.5, 3.5)]
)
def test_the_beta_binomial_law(m: int, a: float, b: float) -> None:
    found = np.empty(m + 1)
    predictive.beta_binomial(m, a, b, found)
    np.testing.assert_allclose(found, stats.betabinom(m, a, b).pmf(np.arange(m + 1)), atol=1e-11)


def test_the_worked_example_of_lee_and_liu() -> None:
    """Clinical Trials 5, 2008, 93-106: N = 40, p0 = 0.6, Beta(0.6, 0.4), 16 responses in 23 patients."""
    found = np.empty(1)
    predictive.predictive_of_one(np.array([16]), np.array([23]), np.array([17]), 0.6, 0.6, 0.4, 0.9, found)
    assert found[0] == pytest.approx(0.5656, abs=0.00005)


def test_the_boundaries_of_lee_and_liu() -> None:
    """Their table for N = 36, p0 = 0.2: the last of each run of equal boundaries is theirs."""
    published = {10: 0, 17: 1, 21: 2, 24: 3, 27: 4, 29: 5, 31: 6, 33: 7, 34: 8, 35: 9, 36: 10}
    for n in range(10, 37):
        good = np.arange(n + 1)
        found = np.empty(n + 1)
        size = np.full(n + 1, n)
        predictive.predictive_of_one(good, size, 36 - size, 0.2, 0.2, 0.8, 0.9, found)
        largest = int(good[found < 0.001].max())
        assert largest == max(r for at, r in published.items() if at <= n)


@pytest.mark.slow
def test_the_predictive_probability_of_two_arms_is_the_plain_double_sum() -> None:
    prior = np.array([[0.5, 0.5], [1.0, 2.0]])
    good, n, further = np.array([[9, 14]]), np.array([[30, 28]]), np.array([[11, 17]])
    border = np.empty(42, dtype=np.int64)
    predictive.least_on_treatment(45, 41, 0.02, prior, 0.9, border)
    found = np.empty(1)
    predictive.predictive_of_two(good, n, further, prior, border, np.zeros(1, dtype=np.int64), found)
    expected = 0.0
    for i in range(12):
        for j in range(18):
            shapes = (1.0 + 14 + j, 2.0 + 45 - 14 - j, 0.5 + 9 + i, 0.5 + 41 - 9 - i)
            if by_adaptive_quadrature(0.02, *shapes) > 0.9:
                expected += stats.betabinom(11, 9.5, 21.5).pmf(i) * stats.betabinom(17, 15.0, 16.0).pmf(j)
    assert found[0] == pytest.approx(expected, abs=1e-9)
