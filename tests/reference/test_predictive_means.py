"""Predictive probabilities of means and of robust mixtures, and the closeness of arms, against sums and laws of SciPy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from trialsim.stats.bayes import predictive_means
from trialsim.stats.bayes.families import Family
from trialsim.stats.bayes.independent import probability_close, probability_exceeds
from trialsim.stats.bayes.normal import posterior_known_variance, posterior_unknown_variance
from trialsim.stats.bayes.predictive_means import UnknownVariances, predictive_known_variance
from trialsim.stats.bayes.predictive_robust import RobustPredictive


@pytest.mark.parametrize(("threshold", "margin", "further"), [(0.975, 0.0, (20, 25)), (0.9, 0.3, (0, 9))])
def test_a_known_variance_is_predicted_as_an_integral_over_the_means_to_come(
    threshold: float, margin: float, further: tuple[int, int]
) -> None:
    n, mean, sd, prior = np.array([[12, 10]]), np.array([[0.2, 0.9]]), 1.5, (0.1, 2.0)
    now = posterior_known_variance(n, mean, sd, *prior)
    found = predictive_known_variance(now, np.array([further]), sd, margin, threshold)
    # The mean of those to come is normal about the posterior mean; a grid of its quantiles for each arm.
    grid = stats.norm.ppf((np.arange(4000) + 0.5) / 4000)
    at = []
    for arm, more in enumerate(further):
        spread = np.hypot(now[0, arm, 1], sd / np.sqrt(more)) if more else 0.0
        coming = now[0, arm, 0] + spread * (grid if more else grid[:1])
        total = n[0, arm] + more
        at.append(
            posterior_known_variance(
                np.full(len(coming), total), (n[0, arm] * mean[0, arm] + more * coming) / total, sd, *prior
            )
        )
    z = (at[1][:, 0] - at[0][:, None, 0] - margin) / np.hypot(at[1][0, 1], at[0][0, 1])
    assert found[0] == pytest.approx((z > stats.norm.ppf(threshold)).mean(), abs=3e-4)


SIZES = [(10, 12, 15, 20), (8, 9, 2, 3), (20, 20, 0, 30), (5, 5, 1, 40), (40, 60, 100, 80)]
PRIOR = {"prior_n": 0.5, "prior_shape": 1.0, "prior_scale": 1.0}


def _arms(sizes: tuple[int, ...], seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    values = [
        rng.normal(shift, sd, n) for n, shift, sd in zip(sizes[:2], (0.0, 0.5), (1.0, 1.5), strict=True)
    ]
    mean = np.array([[v.mean() for v in values]])
    return np.array([sizes[:2]]), mean, np.array([[((v - v.mean()) ** 2).sum() for v in values]])


@pytest.mark.parametrize("sizes", SIZES)
def test_unknown_variances_are_predicted_as_by_simulation(sizes: tuple[int, ...]) -> None:
    n, mean, squares = _arms(sizes, 1)
    laws = posterior_unknown_variance(n, mean, squares, **PRIOR)
    further, draws, rng = sizes[2:], 4000, np.random.default_rng(2)
    found = UnknownVariances(PRIOR["prior_n"], 0.1, 0.9)(laws, n, np.array([further]))[0]
    after = []
    for arm, more in enumerate(further):
        location, scale, freedom = laws[0, arm]
        worth = PRIOR["prior_n"] + n[0, arm]
        variance = 0.5 * freedom * scale**2 * worth / rng.gamma(0.5 * freedom, 1.0, draws)
        centre = location + np.sqrt(variance / worth) * rng.normal(size=draws)
        values = centre[:, None] + np.sqrt(variance)[:, None] * rng.normal(size=(draws, more))
        coming = values.mean(axis=1) if more else np.zeros(draws)
        apart = ((values - coming[:, None]) ** 2).sum(axis=1)
        total = n[0, arm] + more
        moved = n[0, arm] * more / total * (coming - mean[0, arm]) ** 2
        after.append(
            (total, (n[0, arm] * mean[0, arm] + more * coming) / total, squares[0, arm] + apart + moved)
        )
    size, centre, spread = (np.stack([np.broadcast_to(a[k], draws) for a in after], axis=1) for k in range(3))
    final = posterior_unknown_variance(size, centre, spread, **PRIOR)
    passed = probability_exceeds(
        Family.STUDENT, np.ascontiguousarray(final[:, 1]), np.ascontiguousarray(final[:, 0]), 0.1
    )[0]
    share = (passed > 0.9).mean()
    assert found == pytest.approx(share, abs=5 * np.sqrt(max(share * (1 - share), 1e-3) / draws))


def test_the_error_of_the_quadrature_is_what_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = [sizes for sizes in SIZES if min(more for more in sizes[2:] if more) > 1]

    def all_of() -> np.ndarray:
        found = []
        for sizes in chosen:
            for seed in range(3):
                n, mean, squares = _arms(sizes, seed)
                laws = posterior_unknown_variance(n, mean, squares, **PRIOR)
                found.append(
                    UnknownVariances(PRIOR["prior_n"], 0.1, 0.975)(laws, n, np.array([sizes[2:]]))[0]
                )
        return np.array(found)

    coarse = all_of()
    for name in ("_SCALES", "_MOVES", "_ANGLES"):
        monkeypatch.setattr(predictive_means, name, 3 * getattr(predictive_means, name))
    assert np.abs(all_of() - coarse).max() < predictive_means.ERROR


def test_an_improper_posterior_predicts_nothing() -> None:
    laws = np.full((1, 2, 3), np.nan)
    assert np.isnan(UnknownVariances(0.0, 0.0, 0.9)(laws, np.array([[1, 1]]), np.array([[5, 5]])))[0]
    assert np.isnan(predictive_known_variance(laws, np.array([[5, 5]]), 1.0, 0.0, 0.9))[0]


def test_a_robust_mixture_predicts_the_sum_over_all_that_may_come() -> None:
    parts, treatment, threshold = np.array([(0.6, 7.0, 15.0), (0.4, 1.0, 1.0)]), (1.0, 1.0), 0.9
    good, n, further = np.array([[5, 6]]), np.array([[8, 9]]), np.array([[7, 6]])
    found = RobustPredictive(parts, treatment, 0.05, threshold)(good, n, further)[0]
    grid = (np.arange(4000) + 0.5) / 4000

    def believed(y: int, size: int) -> np.ndarray:
        weight = np.array([w * stats.betabinom.pmf(y, size, a, b) for w, a, b in parts])
        return weight / weight.sum()

    total = 0.0
    for x0 in range(8):
        y0 = good[0, 0] + x0
        chance0 = sum(
            w * stats.betabinom.pmf(x0, 7, a + good[0, 0], b + n[0, 0] - good[0, 0])
            for w, (_, a, b) in zip(believed(good[0, 0], n[0, 0]), parts, strict=True)
        )
        density = sum(
            w * stats.beta.pdf(grid, a + y0, b + 15 - y0)
            for w, (_, a, b) in zip(believed(y0, 15), parts, strict=True)
        )
        for x1 in range(7):
            y1 = good[0, 1] + x1
            above = (density * stats.beta.sf(np.minimum(grid + 0.05, 1.0), 1 + y1, 16 - y1)).mean()
            total += chance0 * stats.betabinom.pmf(x1, 6, 1 + 6, 1 + 3) * (above > threshold)
    assert found == pytest.approx(total, abs=1e-9)


@pytest.mark.slow
def test_how_close_two_arms_are_is_the_difference_of_two_probabilities() -> None:
    normal = np.array([[[0.0, 1.0, 0.0], [0.5, 2.0, 0.0]]])
    spread = stats.norm(0.5, np.sqrt(5.0))
    assert probability_close(Family.NORMAL, normal, 0.7)[0][0] == pytest.approx(
        spread.cdf(0.7) - spread.cdf(-0.7), abs=1e-9
    )
    gamma = np.array([[[4.0, 10.0, 0.0], [6.0, 12.0, 0.0]]])
    share = stats.beta(6.0, 4.0)
    ends = [share.cdf(r * 1.2 / (1 + r * 1.2)) for r in (1 / 1.5, 1.5)]
    assert probability_close(Family.GAMMA, gamma, 1.5, True)[0][0] == pytest.approx(
        ends[1] - ends[0], abs=1e-9
    )
    student = np.array([[[0.0, 1.0, 4.0], [0.5, 2.0, 7.0]]])
    both = [probability_exceeds(Family.STUDENT, student[:, 1], student[:, 0], at)[0][0] for at in (-0.7, 0.7)]
    assert probability_close(Family.STUDENT, student, 0.7)[0][0] == pytest.approx(both[0] - both[1], abs=1e-8)


def test_how_close_three_arms_are_is_an_integral_over_the_lowest() -> None:
    laws = [stats.norm(0.0, 1.0), stats.norm(0.3, 0.7), stats.norm(-0.2, 1.4)]
    at = np.linspace(-12.0, 12.0, 200_001)
    wanted = 0.0
    for k, law in enumerate(laws):
        inside = np.prod(
            [other.cdf(at + 0.9) - other.cdf(at) for j, other in enumerate(laws) if j != k], axis=0
        )
        wanted += np.trapezoid(law.pdf(at) * inside, at)
    parameters = np.array([[[law.mean(), law.std(), 0.0] for law in laws]])
    found, error = probability_close(Family.NORMAL, parameters, 0.9)
    assert found[0] == pytest.approx(wanted, abs=1e-9)
    assert error[0] < 1e-9
    two = probability_close(Family.NORMAL, parameters, 0.9, counted=np.array([[True, False, True]]))[0][0]
    apart = stats.norm(-0.2, np.hypot(1.0, 1.4))
    assert two == pytest.approx(apart.cdf(0.9) - apart.cdf(-0.9), abs=1e-9)
