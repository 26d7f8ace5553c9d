"""Basket trials: the quadrature against the prior's own definition, designs that are refused, trials that are keyed."""

from __future__ import annotations

import numpy as np
import pytest

from trialsim.designs.basket import BasketDesign
from trialsim.engines.basket_trials import by_quadrature, responses_by_look
from trialsim.errors import ScenarioError, UsageError
from trialsim.stats.bayes.basket import BasketPrior, BasketQuadrature

EXCHANGEABLE = BasketPrior(mean=-1.0, mean_sd=1.5, between_scale=0.8)
PARTLY = BasketPrior(mean=-1.0, mean_sd=1.5, between_scale=0.8, exchangeable=0.6, own_mean=-0.5, own_sd=1.2)
DESIGN = BasketDesign((0.15, 0.15, 0.2, 0.2), (10, 20, 30), EXCHANGEABLE)


@pytest.mark.parametrize(
    "prior", [pytest.param(EXCHANGEABLE, marks=pytest.mark.slow), PARTLY], ids=["exchangeable", "exnex"]
)
def test_the_quadrature_is_the_prior_weighed_by_the_likelihood(prior: BasketPrior) -> None:
    n, responses, reference = np.array([[12, 9, 15]]), np.array([[1, 4, 6]]), np.array([0.2, 0.2, 0.3])
    found = BasketQuadrature(prior, reference, 36).posterior(responses, n)
    rng = np.random.default_rng(8)
    draws = 1_500_000
    mean = rng.normal(prior.mean, prior.mean_sd, draws)
    between = np.abs(rng.normal(0.0, prior.between_scale, draws))
    theta = mean[:, None] + between[:, None] * rng.normal(size=(draws, 3))
    belongs = rng.random((draws, 3)) < prior.exchangeable
    theta = np.where(belongs, theta, rng.normal(prior.own_mean, prior.own_sd, (draws, 3)))
    rate = 1.0 / (1.0 + np.exp(-theta))
    weight = (rate**responses * (1.0 - rate) ** (n - responses)).prod(axis=1)
    for quantity, ours in (
        (rate > reference, found.above), (rate, found.mean), (belongs, found.exchangeable)
    ):  # fmt: skip
        average = (weight[:, None] * quantity).sum(axis=0) / weight.sum()
        error = np.sqrt((weight[:, None] ** 2 * (quantity - average) ** 2).sum(axis=0)) / weight.sum()
        assert (np.abs(ours[0] - average) <= 5.0 * error + 1e-9).all()
    average = (weight[:, None] * rate).sum(axis=0) / weight.sum()
    spread = np.sqrt((weight[:, None] * (rate - average) ** 2).sum(axis=0) / weight.sum())
    assert found.sd[0] == pytest.approx(spread, rel=0.01)


@pytest.mark.slow
def test_a_finer_grid_changes_nothing() -> None:
    rng = np.random.default_rng(9)
    n = np.tile([10, 20, 20, 10], (200, 1))
    responses = rng.binomial(n, rng.uniform(0.05, 0.5, 4))
    prior = BasketPrior(mean=-1.0, mean_sd=2.0, between_scale=1.0)
    reference = np.full(4, 0.15)
    plain = BasketQuadrature(prior, reference, 60).posterior(responses, n)
    finer = BasketQuadrature(prior, reference, 60, spreads=64, finer=1.5).posterior(responses, n)
    assert np.abs(plain.above - finer.above).max() < 2e-5
    assert np.abs(plain.mean - finer.mean).max() < 1e-7


def test_baskets_that_are_alone_are_analysed_alone() -> None:
    """With hardly any weight on exchangeability a basket's posterior is that of its own normal prior."""
    prior = BasketPrior(exchangeable=1e-12, own_mean=-0.5, own_sd=1.2)
    found = BasketQuadrature(prior, np.array([0.2, 0.2]), 40).posterior(
        np.array([[3, 9]]), np.array([[20, 20]])
    )
    theta = np.linspace(-12, 12, 40_001)
    for j, y in enumerate((3, 9)):
        rate = 1.0 / (1.0 + np.exp(-theta))
        density = rate**y * (1.0 - rate) ** (20 - y) * np.exp(-0.5 * ((theta + 0.5) / 1.2) ** 2)
        assert found.mean[0, j] == pytest.approx((rate * density).sum() / density.sum(), abs=1e-9)
        assert found.above[0, j] == pytest.approx(density[rate > 0.2].sum() / density.sum(), abs=1e-4)
    assert found.exchangeable.max() < 1e-9


def test_a_design_is_refused_with_every_reason() -> None:
    with pytest.raises(ScenarioError) as refused:
        BasketDesign((1.2,), (10, 10), BasketPrior(mean_sd=0.0, exchangeable=0.0), futility=-0.1)
    assert len(refused.value.problems) == 6
    with pytest.raises(UsageError, match="3 are given for 4 baskets"):
        responses_by_look(DESIGN, (0.1, 0.2, 0.3), 1, np.arange(2))


@pytest.mark.slow
def test_trials_are_functions_of_their_number() -> None:
    rates = (0.15, 0.4, 0.2, 0.45)
    together = by_quadrature(DESIGN, rates, 3, np.arange(200))
    alone = by_quadrature(DESIGN, rates, 3, np.array([77, 12]))
    assert (together.above[[77, 12]] == alone.above).all()
    assert (together.success[[77, 12]] == alone.success).all()
    could = responses_by_look(DESIGN, rates, 3, np.arange(20_000))
    assert (np.diff(could, axis=1) >= 0).all()
    error = np.sqrt(np.array(rates) * (1.0 - np.array(rates)) / 30 / 20_000)
    assert (np.abs(could[:, 2].mean(axis=0) / 30 - rates) <= 5.0 * error).all()


@pytest.mark.slow
def test_baskets_close_for_futility_and_succeed_at_the_end() -> None:
    trials = by_quadrature(DESIGN, (0.05, 0.4, 0.05, 0.45), 4, np.arange(300))
    closed = trials.patients < 30
    first, second = trials.above[:, 0] < DESIGN.futility, trials.above[:, 1] < DESIGN.futility
    assert (trials.patients == np.where(first, 10, np.where(second, 20, 30))).all()
    assert not (trials.success & closed).any()
    assert (trials.success == (~closed & (trials.above[:, 2] > DESIGN.efficacy))).all()
    assert trials.success.mean(axis=0)[1] > 0.9 > 0.1 > trials.success.mean(axis=0)[0]
    # What a closed basket is known by stays what it was.
    could = responses_by_look(DESIGN, (0.05, 0.4, 0.05, 0.45), 4, np.arange(300))
    assert (trials.responses[first] == could[:, 0][first]).all()
