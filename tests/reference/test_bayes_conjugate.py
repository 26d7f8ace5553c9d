"""Conjugate models against SciPy, books and simulation from the posterior's own definition."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from scipy import integrate, special, stats

from trialsim.contracts import PatientRows
from trialsim.errors import UsageError
from trialsim.stats.bayes import dirichlet_multinomial as dirichlet
from trialsim.stats.bayes import gamma_exponential as exponential
from trialsim.stats.bayes import gamma_poisson as poisson
from trialsim.stats.bayes import piecewise_exponential as piecewise
from trialsim.stats.bayes.effective_sample_size import (
    elir_sample_size,
    moment_sample_size,
    prior_predictive_tail,
)
from trialsim.stats.bayes.families import Family
from trialsim.stats.bayes.independent import probability_exceeds
from trialsim.stats.bayes.normal import posterior_known_variance, posterior_unknown_variance
from trialsim.stats.bayes.robust_mixture import (
    Mixture,
    mixture,
    mixtures_exceed,
    update_by_events,
    update_by_mean,
    update_by_responses,
)

ONE = np.array([1])


def test_a_normal_mean_with_known_variance() -> None:
    found = posterior_known_variance(np.array([9]), np.array([2.0]), 3.0, 0.0, 2.0)[0]
    # Precisions 1/4 and 9/9 add up.
    assert found[:2] == pytest.approx([2.0 / 1.25, 1 / np.sqrt(1.25)])
    log = lambda m: stats.norm.pdf(m, 0, 2) * stats.norm.pdf(2.0, m, 1.0)  # noqa: E731
    total = integrate.quad(log, -20, 20)[0]
    assert integrate.quad(lambda m: m * log(m), -20, 20)[0] / total == pytest.approx(found[0])


@pytest.mark.slow
def test_a_normal_mean_with_unknown_variance() -> None:
    y = np.array([1.2, 3.4, 2.2, 0.7, 2.9])
    parts = (np.array([5]), np.array([y.mean()]), np.array([((y - y.mean()) ** 2).sum()]))
    found = posterior_unknown_variance(*parts)[0]
    # The reference prior: the interval of the one-sample t test.
    interval = stats.t.interval(0.95, found[2], found[0], found[1])
    assert interval == pytest.approx(stats.ttest_1samp(y, 0).confidence_interval(0.95))
    m0, k0, a0, b0 = 1.0, 2.0, 3.0, 1.5
    found = posterior_unknown_variance(*parts, m0, k0, a0, b0)[0]

    def joint(v: float, m: float) -> float:
        prior = stats.invgamma.pdf(v, a0, scale=b0) * stats.norm.pdf(m, m0, np.sqrt(v / k0))
        return float(prior * np.exp(stats.norm.logpdf(y, m, np.sqrt(v)).sum()))

    grid = np.linspace(-2, 6, 81)
    marginal = np.array([integrate.quad(joint, 1e-3, 60, args=(m,), epsrel=1e-9)[0] for m in grid])
    marginal /= integrate.simpson(marginal, x=grid)
    np.testing.assert_allclose(marginal, stats.t.pdf(grid, found[2], found[0], found[1]), atol=2e-4)
    assert np.isnan(posterior_unknown_variance(ONE, ONE * 1.0, ONE * 0.0)).all()


def test_two_means_of_unknown_variances_are_the_behrens_fisher_problem() -> None:
    # Two-sided 5% points of the Behrens-Fisher statistic (Fisher and Yates, Statistical Tables, table V1): with 6 and 6
    # degrees of freedom and an angle of 45 degrees 2.435, with 12 and 12 2.167, and at 30 degrees 2.169.
    for freedom, angle, point in ((6, 45.0, 2.435), (12, 45.0, 2.167), (12, 30.0, 2.169)):
        first, second = np.sin(np.radians(angle)), np.cos(np.radians(angle))
        below, _ = probability_exceeds(
            Family.STUDENT,
            np.array([[0.0, second, freedom]]),
            np.array([[0.0, first, freedom]]),
            np.array([point]),
        )
        assert below[0] == pytest.approx(0.025, abs=5e-5)


def test_rates_of_counts() -> None:
    treatment = poisson.posterior_rate(np.array([4]), np.array([10.0]), 0.5, 0.1)
    control = poisson.posterior_rate(np.array([11]), np.array([12.0]), 0.5, 0.1)
    below = poisson.probability_ratio_below(treatment, control, 1.0)
    other, _ = probability_exceeds(Family.GAMMA, control, treatment)
    assert below == pytest.approx(other, abs=1e-10)
    ratio = stats.betaprime(4.5, 11.5, scale=12.1 / 10.1)
    for level in (0.025, 0.5, 0.975):
        assert poisson.ratio_quantile(treatment, control, level)[0] == pytest.approx(ratio.ppf(level))
    mean, sd = poisson.log_ratio_moments(treatment, control)
    moments = [integrate.quad(lambda x, k=k: np.log(x) ** k * ratio.pdf(x), 0, np.inf)[0] for k in (1, 2)]
    assert mean[0] == pytest.approx(moments[0], abs=1e-7)
    assert sd[0] == pytest.approx(np.sqrt(moments[1] - moments[0] ** 2), abs=1e-7)
    # A count to come is negative binomial.
    further = poisson.predictive_at_least(treatment, 5.0, 3)[0]
    assert further == pytest.approx(stats.nbinom.sf(2, 4.5, 10.1 / 15.1))
    assert poisson.predictive_at_least(treatment, 5.0, 0)[0] == 1.0


def _rows(offsets: list[int], treated: list[int], value: list[float], event: list[int]) -> PatientRows:
    n = len(value)
    return PatientRows(
        np.array(offsets),
        np.array(treated, dtype=np.int8),
        np.zeros(n, dtype=np.int64),
        np.array(value),
        np.array(event, dtype=np.int8),
        np.zeros((n, 0)),
    )


def test_constant_hazards() -> None:
    rows = _rows([0, 3, 5], [0, 1, 1, 0, 1], [100, 30, 250, 90, 180], [1, 0, 1, 1, 0])
    events, exposure = exponential.events_and_exposure(rows)
    assert events[:, :, 0].tolist() == [[1, 1], [1, 0]]
    assert exposure[:, :, 0].tolist() == [[100, 280], [90, 180]]
    events, exposure = exponential.events_and_exposure(rows, np.array([0.0, 90.0, 180.0]))
    assert events.tolist() == [[[0, 1, 0], [0, 0, 1]], [[1, 0, 0], [0, 0, 0]]]
    assert exposure.tolist() == [[[90, 10, 0], [120, 90, 70]], [[90, 0, 0], [90, 90, 0]]]
    hazard = np.array([[6.0, 800.0, 0.0]])
    law = stats.gamma(6, scale=1 / 800)
    survival = integrate.quad(lambda h: np.exp(-90 * h) * law.pdf(h), 0, 0.1)[0]
    assert exponential.mean_survival(hazard, 90.0)[0] == pytest.approx(survival)
    assert exponential.probability_median_exceeds(hazard, 100.0)[0] == pytest.approx(law.cdf(np.log(2) / 100))


def test_hazards_in_pieces() -> None:
    widths = piecewise.widths_until(np.array([0.0, 90.0, 180.0]), 150.0)
    assert widths.tolist() == [90, 60, 0]
    # Pieces of the same posterior rate and width are one gamma variable together.
    shape, rate = np.array([[2.0, 3.5]]), np.full((1, 2), 50.0)
    equal = np.array([10.0, 10.0])
    found = piecewise.probability_survival_exceeds(shape, rate, equal, 0.4)
    assert found[0] == pytest.approx(special.gammainc(5.5, -np.log(0.4) * 5.0), abs=1e-12)
    mean, sd = piecewise.survival_moments(shape, rate, equal)
    law = stats.gamma(5.5, scale=0.2)
    first, second = (integrate.quad(lambda h, k=k: np.exp(-k * h) * law.pdf(h), 0, 40)[0] for k in (1, 2))
    assert (mean[0], sd[0]) == pytest.approx((first, np.sqrt(second - first**2)), abs=1e-9)
    # Two arms: one integral over the other's quantiles.
    theirs = (np.array([[4.0, 4.0]]), np.full((1, 2), 40.0))
    other = stats.gamma(8.0, scale=0.25)
    for margin in (0.0, 0.05, -0.1):
        found = piecewise.probability_survival_better((shape, rate), theirs, equal, margin)
        wanted = integrate.quad(
            lambda u, d=margin: law.cdf(-np.log(np.clip(np.exp(-other.ppf(u)) + d, 1e-300, 1.0))),
            0,
            1,
            points=[other.cdf(-np.log(0.1))],
            epsabs=1e-10,
        )[0]
        assert found[0] == pytest.approx(wanted, abs=1e-7)


def test_grades() -> None:
    rows = _rows([0, 4], [0, 0, 1, 1], [0, 3, 3, 5], [0, 0, 0, 0])
    assert dirichlet.grade_counts(rows, 6)[0].tolist() == [[1, 0, 0, 1, 0, 0], [0, 0, 0, 1, 0, 1]]
    posterior = np.array([[3.0, 5.0, 2.0, 1.0]])
    assert dirichlet.at_least(posterior, 2).tolist() == [[3, 8, 0]]
    # Scores of 0 and 1 alone: the mean score is the probability of the categories of score 1, a beta variable.
    scores = np.array([0.0, 0.0, 1.0, 1.0])
    found = dirichlet.probability_mean_score_exceeds(posterior, scores, 0.3)
    assert found[0] == pytest.approx(special.betaincc(3, 8, 0.3), abs=1e-12)
    mean, sd = dirichlet.mean_score_moments(posterior, scores)
    assert (mean[0], sd[0]) == pytest.approx((stats.beta(3, 8).mean(), stats.beta(3, 8).std()))
    # Three equally likely categories scored 0, 1, 2 under a flat prior: of the triangle a half has a mean score above 1,
    # and a mean score above 1.5 cuts off a quarter of the side twice.
    flat = np.ones((1, 3))
    for value, wanted in ((1.0, 0.5), (1.5, 0.125), (0.5, 0.875)):
        found = dirichlet.probability_mean_score_exceeds(flat, np.arange(3.0), value)
        assert found[0] == pytest.approx(wanted, abs=1e-10)


def test_a_prior_is_worth_its_patients() -> None:
    # The historical control prior of Baeten et al. (Lancet 382, 2013, 1705-1713), beta(11, 32), is worth 43 patients.
    lancet = mixture(Family.BETA, [(1, 11, 32)])
    assert moment_sample_size(lancet) == pytest.approx(43)
    assert elir_sample_size(lancet) == pytest.approx(43)
    normal = mixture(Family.NORMAL, [(1, -50, 10)])
    assert elir_sample_size(normal, sd=88) == pytest.approx(77.44)
    assert moment_sample_size(normal, sd=88) == pytest.approx(77.44)
    rate = mixture(Family.GAMMA, [(1, 6, 20)])
    assert moment_sample_size(rate) == pytest.approx(20)
    assert elir_sample_size(rate, unit="time") == pytest.approx(20)
    with pytest.raises(UsageError, match="time or event"):
        elir_sample_size(rate)
    with pytest.raises(UsageError, match="standard deviation of an outcome"):
        elir_sample_size(normal)


@pytest.mark.parametrize(
    ("parts", "sd"),
    [
        ([(0.8, 0.2, 0.05), (0.2, 0.0, 10.0)], 1.0),
        ([(0.8, 0.2, 0.05), (0.2, 0.0, 1000.0)], 1.0),
        ([(0.9, 5.0, 0.5), (0.1, 0.0, 1e4)], 5.0),
    ],
)
def test_a_sharp_part_beside_a_wide_one_is_worth_its_patients(
    parts: list[tuple[float, float, float]], sd: float
) -> None:
    """The definition, -E[(log density)''] over an outcome's information, by adaptive quadrature between the parts."""
    weight, mean, spread = np.array(parts).T

    def information(theta: float) -> float:
        each = weight * stats.norm.pdf(theta, mean, spread)
        if each.sum() == 0.0:
            return 0.0
        slope = -(theta - mean) / spread**2
        second = (each * (slope**2 - 1 / spread**2)).sum()
        return float((each * slope).sum() ** 2 / each.sum() - second)

    ends = np.unique((mean[:, None] + spread[:, None] * np.array([-9, -6, -4, -2, 0, 2, 4, 6, 9])).ravel())
    pieces = [integrate.quad(information, a, b, epsabs=1e-12)[0] for a, b in pairwise(ends)]
    found = elir_sample_size(mixture(Family.NORMAL, parts), sd)
    assert found == pytest.approx(sd**2 * sum(pieces), rel=1e-8)


def test_a_single_prior_is_worth_its_shapes_and_one_with_a_shape_below_1_has_no_worth() -> None:
    for a, b in ((1.0001, 5.0), (1.5, 30.0), (1e5, 3.0), (1e6, 1e6)):
        assert elir_sample_size(mixture(Family.BETA, [(1, a, b)])) == pytest.approx(a + b, rel=1e-8)
        assert elir_sample_size(mixture(Family.GAMMA, [(1, a, b)]), unit="time") == pytest.approx(b, rel=1e-8)
        assert elir_sample_size(mixture(Family.GAMMA, [(1, a, b)]), unit="event") == pytest.approx(
            a - 1, rel=1e-8
        )
    # Near 0 such a part's information is (a - 1) / theta^2, and the integral goes to minus infinity.
    jeffreys = mixture(Family.BETA, [(0.9, 1100, 3200), (0.1, 0.5, 0.5)])
    assert np.isnan(elir_sample_size(jeffreys))
    assert np.isnan(elir_sample_size(mixture(Family.GAMMA, [(1, 0.5, 3)]), unit="time"))
    assert elir_sample_size(mixture(Family.GAMMA, [(1, 0.5, 3)]), unit="event") == pytest.approx(-0.5)
    # A part that is not believed at all does not matter.
    assert elir_sample_size(mixture(Family.BETA, [(1, 31, 71), (0, 0.5, 0.5)])) == pytest.approx(102)


def test_expected_local_information_is_predictively_consistent() -> None:
    """The defining property: the posterior's sample size, averaged over what is expected of N patients, less N."""
    prior = mixture(Family.BETA, [(0.2, 1, 1), (0.8, 10, 2)])
    n, count = 10, np.arange(11)
    after = update_by_responses(prior, count, np.full(11, n))
    expected = sum(
        w * stats.betabinom.pmf(count, n, a, b) for w, (a, b, _) in zip(prior.weights, prior.parameters)
    )
    each = [elir_sample_size(Mixture(Family.BETA, w, p)) for w, p in zip(after.weights, after.parameters)]
    assert expected @ each - n == pytest.approx(elir_sample_size(prior), abs=1e-6)
    rates = mixture(Family.GAMMA, [(0.3, 2, 2), (0.7, 20, 10)])
    count = np.arange(120)
    after = update_by_events(rates, count, np.full(120, 5.0))
    expected = sum(
        w * stats.nbinom.pmf(count, a, b / (b + 5.0)) for w, (a, b, _) in zip(rates.weights, rates.parameters)
    )
    each = [
        elir_sample_size(Mixture(Family.GAMMA, w, p), unit="time")
        for w, p in zip(after.weights, after.parameters)
    ]
    assert expected @ each - 5.0 == pytest.approx(elir_sample_size(rates, unit="time"), abs=1e-6)


def test_a_robust_prior_gives_way_to_conflict() -> None:
    prior = mixture(Family.BETA, [(0.8, 11, 32), (0.2, 1, 1)])
    agrees, conflicts = 5, 17
    after = update_by_responses(prior, np.array([agrees, conflicts]), np.array([20, 20]))
    predicted = [
        [w * stats.betabinom.pmf(y, 20, a, b) for w, (a, b, _) in zip(prior.weights, prior.parameters)]
        for y in (agrees, conflicts)
    ]
    np.testing.assert_allclose(after.weights, predicted / np.sum(predicted, axis=1, keepdims=True), rtol=1e-9)
    assert after.weights[0, 0] > 0.9
    assert after.weights[1, 0] < 0.01
    informative = mixture(Family.BETA, [(1, 11, 32)])
    assert prior_predictive_tail(informative, agrees, 20) == pytest.approx(1.0)
    law = stats.betabinom(20, 11, 32).pmf(np.arange(21))
    wanted = law[law <= law[conflicts]].sum()
    assert prior_predictive_tail(informative, conflicts, 20) == pytest.approx(wanted)
    counts = update_by_events(
        mixture(Family.GAMMA, [(0.5, 4, 8), (0.5, 1, 1)]), np.array([9]), np.array([6.0])
    )
    predicted = [stats.nbinom.pmf(9, 4, 8 / 14), stats.nbinom.pmf(9, 1, 1 / 7)]
    np.testing.assert_allclose(counts.weights[0], predicted / np.sum(predicted))


def test_mixtures_of_means_and_their_difference() -> None:
    prior = mixture(Family.NORMAL, [(0.7, -50, 10), (0.3, -50, 88)])
    after = update_by_mean(prior, np.array([-49.0, 20.0, 0.0]), np.array([20, 20, 0]), 88.0)
    spread = np.sqrt(np.array([10.0, 88.0]) ** 2 + 88.0**2 / 20)
    for row, mean in ((0, -49.0), (1, 20.0)):
        predicted = np.array([0.7, 0.3]) * stats.norm.pdf(mean, -50, spread)
        np.testing.assert_allclose(after.weights[row], predicted / predicted.sum())
    np.testing.assert_allclose(after.weights[2], [0.7, 0.3])
    np.testing.assert_allclose(after.parameters[2, :, :2], [[-50, 10], [-50, 88]])
    mean, sd = after.moments()
    flat = mixture(Family.NORMAL, [(1, 0, 1000)])
    other = update_by_mean(flat, np.array([-90.0] * 3), np.array([40] * 3), 88.0)
    found, _ = mixtures_exceed(after, other, 10.0)
    at = np.linspace(-400, 300, 20001)
    density = sum(w * stats.norm.pdf(at, m, s) for w, (m, s, _) in zip(after.weights[0], after.parameters[0]))
    m, s, _ = other.parameters[0, 0]
    assert found[0] == pytest.approx(
        integrate.simpson(density * stats.norm.cdf(at - 10, m, s), x=at), abs=1e-9
    )
    assert mean[0] == pytest.approx(integrate.simpson(density * at, x=at))
    assert sd[0] == pytest.approx(np.sqrt(integrate.simpson(density * (at - mean[0]) ** 2, x=at)), abs=1e-6)
