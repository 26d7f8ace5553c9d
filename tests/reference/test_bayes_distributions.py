"""Distribution functions and probabilities about independent arms, against SciPy and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special

from trialsim.stats.bayes import special as ours
from trialsim.stats.bayes.families import Family
from trialsim.stats.bayes.gamma_sums import probability_positive, sum_below, sum_density
from trialsim.stats.bayes.independent import probability_best, probability_exceeds


def test_the_distribution_functions_are_those_of_scipy() -> None:
    rng = np.random.default_rng(1)
    shape, other = 10 ** rng.uniform(-2, 4, 1500), 10 ** rng.uniform(-2, 4, 1500)
    x = shape * 10 ** rng.uniform(-1, 0.5, 1500)
    found = np.array([ours.regularised_gamma(a, b) for a, b in zip(shape, x)])
    np.testing.assert_allclose(found, special.gammainc(shape, x), atol=1e-11)
    share = special.betaincinv(shape, other, rng.uniform(1e-8, 1 - 1e-8, 1500))
    found = np.array([ours.regularised_beta(a, b, q) for a, b, q in zip(shape, other, share)])
    np.testing.assert_allclose(found, special.betainc(shape, other, share), atol=1e-10)
    t, freedom = 4 * rng.normal(size=1500), 10 ** rng.uniform(-0.5, 4, 1500)
    found = np.array([ours.student_cdf(a, b) for a, b in zip(t, freedom)])
    np.testing.assert_allclose(found, special.stdtr(freedom, t), atol=1e-11)
    deep = np.linspace(-30, 8, 100)
    np.testing.assert_allclose([ours.normal_cdf(v) for v in deep], special.ndtr(deep), rtol=1e-12)


NODES, WEIGHTS = special.roots_legendre(3000)


def _by_quantiles(family: Family, ours: np.ndarray, theirs: np.ndarray, margin: float) -> float:
    """Return P(T > C + margin) by Gauss-Legendre over the quantiles of T, its ends smoothed by a polynomial."""
    u = 0.5 * (NODES + 1.0)
    level = np.clip(u**3 * (10 - 15 * u + 6 * u * u), 1e-16, 1 - 1e-16)
    mass = 15.0 * u * u * (1 - u) ** 2 * WEIGHTS
    if family == Family.BETA:
        at = special.betaincinv(ours[0], ours[1], level)
        below = special.betainc(theirs[0], theirs[1], np.clip(at - margin, 0, 1))
    elif family == Family.GAMMA:
        at = special.gammaincinv(ours[0], level) / ours[1]
        below = special.gammainc(theirs[0], np.maximum(theirs[1] * (at - margin), 0))
    else:
        at = ours[0] + ours[1] * special.stdtrit(ours[2], level)
        below = special.stdtr(theirs[2], (at - margin - theirs[0]) / theirs[1])
    return float((below * mass).sum())


@pytest.mark.parametrize("family", [Family.BETA, Family.GAMMA, Family.STUDENT])
def test_one_arm_exceeds_another_by_a_margin(family: Family) -> None:
    rng = np.random.default_rng(2)
    parts = {
        Family.BETA: lambda: (rng.integers(1, 40), rng.integers(1, 40), 0.0),
        Family.GAMMA: lambda: (rng.integers(1, 40), 10 ** rng.uniform(0, 2), 0.0),
        Family.STUDENT: lambda: (rng.normal(), 10 ** rng.uniform(-1, 0.5), rng.integers(2, 40)),
    }[family]
    treatment, control = (np.array([parts() for _ in range(60)], dtype=float) for _ in range(2))
    margin = rng.choice([0.0, 0.1, -0.1], 60)
    found, error = probability_exceeds(family, treatment, control, margin)
    wanted = [_by_quantiles(family, a, b, d) for a, b, d in zip(treatment, control, margin)]
    np.testing.assert_allclose(found, wanted, atol=2e-9)
    assert error.max() <= 1e-10


def test_closed_forms_of_two_arms() -> None:
    # Integer shapes: P(X > Y) of beta variables is a finite sum (Cook, University of Texas technical report, 2005).
    a, b, c, d = 7, 12, 9, 30
    k = np.arange(a)
    finite = np.exp(
        special.betaln(c + k, d + b) - np.log(b + k) - special.betaln(1 + k, b) - special.betaln(c, d)
    )
    found, _ = probability_exceeds(Family.BETA, np.array([[a, b, 0.0]]), np.array([[c, d, 0.0]]))
    assert found[0] == pytest.approx(finite.sum(), abs=1e-11)
    # Student's t with one degree of freedom is Cauchy's law, and a difference of two is one again.
    found, _ = probability_exceeds(
        Family.STUDENT, np.array([[1.0, 2.0, 1.0]]), np.array([[0.0, 0.5, 1.0]]), 0.3
    )
    assert found[0] == pytest.approx(0.5 + np.arctan(0.7 / 2.5) / np.pi, abs=1e-10)


def test_the_best_of_several() -> None:
    # Of exponential rates the smallest time belongs to an arm in proportion to its rate.
    rates = np.array([[2.0, 3.0, 5.0]])
    parameters = np.stack([np.ones((1, 3)), rates, np.zeros((1, 3))], axis=-1)
    found, _ = probability_best(Family.GAMMA, parameters, higher=False)
    np.testing.assert_allclose(found, rates / 10.0, atol=1e-10)
    # Where an arm does not count, the others share what it had.
    found, _ = probability_best(
        Family.GAMMA, parameters, higher=False, counted=np.array([[True, False, True]])
    )
    np.testing.assert_allclose(found, [[2 / 7, 0, 5 / 7]], atol=1e-10)
    rng = np.random.default_rng(3)
    for family, low in ((Family.BETA, 0.5), (Family.NORMAL, 0.5), (Family.STUDENT, 3.0)):
        some = rng.uniform(low, 20, (30, 4, 3))
        for higher in (True, False):
            found, error = probability_best(family, some, higher)
            np.testing.assert_allclose(found.sum(axis=1), 1.0, atol=1e-9)
            assert error.max() <= 1e-10
        pair, _ = probability_best(family, some[:, :2])
        alone, _ = probability_exceeds(family, some[:, 0].copy(), some[:, 1].copy())
        np.testing.assert_allclose(pair[:, 0], alone, atol=1e-9)


def test_sums_of_gamma_variables() -> None:
    rng = np.random.default_rng(4)
    for _ in range(60):
        shapes = 10 ** rng.uniform(-1.5, 2, 4)
        x = special.gammaincinv(shapes.sum(), rng.uniform(1e-6, 1 - 1e-6))
        assert sum_below(np.ones(4), shapes, x) == pytest.approx(special.gammainc(shapes.sum(), x), abs=1e-12)
        log_density = (shapes.sum() - 1) * np.log(x) - x - special.gammaln(shapes.sum())
        assert sum_density(np.ones(4), shapes, x) == pytest.approx(np.exp(log_density), rel=1e-9)
        pair = 10 ** rng.uniform(-1.5, 3, 2)
        ratio = 10 ** rng.uniform(-1, 1) * pair[0] / pair[1]
        wanted = special.betainc(pair[1], pair[0], 1 / (1 + ratio))
        assert probability_positive(np.array([1.0, -ratio]), pair) == pytest.approx(wanted, abs=1e-11)
    # The hypoexponential law: exponential times of different means, one after the other.
    means = np.array([1.0, 2.0, 5.0])
    share = [np.prod([m / (m - o) for o in means if o != m]) for m in means]
    wanted = sum(w * (1 - np.exp(-4.0 / m)) for w, m in zip(share, means))
    assert sum_below(means, np.ones(3), 4.0) == pytest.approx(wanted, abs=1e-12)
    assert probability_positive(np.array([1.0, 2.0]), np.ones(2)) == 1.0
    assert probability_positive(np.array([-1.0, -2.0]), np.ones(2)) == 0.0
