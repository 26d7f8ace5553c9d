"""Simulation-based calibration: with parameters from the prior, the posterior's probability of what is true is uniform.

Talts, Betancourt, Simpson, Vehtari and Gelman (arXiv 1804.06788, 2018). The whole of it: ``pytest -m "slow or exhaustive"
tests/statistical/test_bayes_calibration.py``: 1,000 fits of each closed form, 200 of each model that is sampled.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import stats

from trialsim import registry
from trialsim.analyses.bayesian.array_cut import ArrayCut, cut_of
from trialsim.contracts import Status

FITS, SAMPLED, IN_CI = 1000, 200, 20
LEAST_P = 1e-4
N = 40
ARM = np.arange(N) % 2
Drawn = tuple[ArrayCut, float]


def beta_binomial(rng: np.random.Generator) -> Drawn:
    rate = rng.beta(2, 3, 2)
    return cut_of(ARM, rng.random(N) < rate[ARM]), rate[1] - rate[0]


def robust(rng: np.random.Generator) -> Drawn:
    control = rng.beta(11, 32) if rng.random() < 0.8 else rng.random()
    rate = np.array([control, rng.random()])
    return cut_of(ARM, rng.random(N) < rate[ARM]), rate[1] - rate[0]


def known(rng: np.random.Generator) -> Drawn:
    mean = rng.normal(1, 2, 2)
    return cut_of(ARM, rng.normal(mean[ARM], 3)), mean[1] - mean[0]


def unknown(rng: np.random.Generator) -> Drawn:
    variance = 1.0 / rng.gamma(3.0, 1.0 / 4.0, 2)
    mean = rng.normal(1, np.sqrt(variance / 2.0))
    return cut_of(ARM, rng.normal(mean[ARM], np.sqrt(variance[ARM]))), mean[1] - mean[0]


def robust_normal(rng: np.random.Generator) -> Drawn:
    mean = np.array([rng.normal(0, 0.5 if rng.random() < 0.8 else 4.0), rng.normal(0, 4.0)])
    return cut_of(ARM, rng.normal(mean[ARM], 2)), mean[1] - mean[0]


def counts(rng: np.random.Generator) -> Drawn:
    rate, days = rng.gamma(1.5, 1 / 20.0, 2), rng.uniform(1, 20, N)
    return cut_of(ARM, days, np.minimum(rng.poisson(rate[ARM] * days), 127)), rate[1] / rate[0]


def exponential(rng: np.random.Generator) -> Drawn:
    rate = rng.gamma(1.5, 1 / 20.0, 2)
    time, end = rng.exponential(1.0 / rate[ARM]), rng.uniform(5, 30, N)
    return cut_of(ARM, np.minimum(time, end), time <= end), rate[1] / rate[0]


def pieces(rng: np.random.Generator) -> Drawn:
    rate = rng.gamma(1.5, 1 / 20.0, (2, 2))
    spent = rng.exponential(size=N)
    early = rate[ARM, 0] * 8.0
    time = np.where(spent < early, spent / rate[ARM, 0], 8.0 + (spent - early) / rate[ARM, 1])
    end = rng.uniform(5, 30, N)
    survival = np.exp(-(rate @ np.array([8.0, 4.0])))
    return cut_of(ARM, np.minimum(time, end), time <= end), survival[1] - survival[0]


def grades(rng: np.random.Generator) -> Drawn:
    share = rng.dirichlet([1.0, 2.0, 0.5, 0.5], 2)
    value = np.array([rng.choice(4, p=share[a]) for a in ARM])
    return cut_of(ARM, value), share[1, 2:].sum() - share[0, 2:].sum()


def logistic(rng: np.random.Generator) -> Drawn:
    x = rng.normal(size=N)
    x = (x - x.mean()) / x.std()
    intercept, slope, effect = rng.normal(0, 1, 3)
    won = rng.random(N) < 1 / (1 + np.exp(-intercept - slope * x - effect * ARM))
    return cut_of(ARM, won, covariates=x[:, None]), effect


def weibull(rng: np.random.Generator) -> Drawn:
    x = rng.normal(size=N)
    x = (x - x.mean()) / x.std()
    shape, (intercept, slope, effect) = np.exp(rng.normal(0, 0.5)), rng.normal(0, 1, 3)
    time = (rng.exponential(size=N) / np.exp(intercept + slope * x + effect * ARM)) ** (1 / shape)
    end = rng.uniform(0.5, 3, N)
    return cut_of(ARM, np.minimum(time, end), time <= end, covariates=x[:, None]), effect


ONE = {"prior_sd": 1.0, "covariate_sd": 1.0}
MODELS: dict[str, tuple[Callable[[np.random.Generator], Drawn], dict[str, Any]]] = {
    "beta_binomial": (beta_binomial, {"a": 2.0, "b": 3.0}),
    "robust_beta_binomial": (robust, {"control_a": 11.0, "control_b": 32.0}),
    "normal_known_variance": (known, {"sd": 3.0, "prior_mean": 1.0, "prior_sd": 2.0}),
    "normal_unknown_variance": (
        unknown,
        {"prior_mean": 1.0, "prior_worth": 2.0, "variance_shape_parameter": 3.0, "variance_scale_parameter": 4.0},
    ),
    "robust_normal": (
        robust_normal,
        {"sd": 2.0, "control_mean": 0.0, "control_sd": 0.5, "vague_mean": 0.0, "vague_sd": 4.0},
    ),
    "gamma_poisson": (counts, {"prior_shape": 1.5, "prior_rate": 20.0}),
    "gamma_exponential": (exponential, {"prior_shape": 1.5, "prior_rate": 20.0}),
    "piecewise_exponential": (
        pieces, {"prior_shape": 1.5, "prior_rate": 20.0, "starts": [0.0, 8.0], "at": 12.0}
    ),
    "dirichlet_multinomial": (grades, {"prior_alpha": [1.0, 2.0, 0.5, 0.5], "grade": 2}),
    "logistic_laplace": (logistic, {**ONE, "intercept_sd": 1.0}),
}  # fmt: skip
NUTS: dict[str, tuple[Callable[[np.random.Generator], Drawn], dict[str, Any]]] = {
    "logistic_nuts": (logistic, {**ONE, "intercept_sd": 1.0}),
    "weibull_nuts": (weibull, {**ONE, "intercept_sd": 1.0, "time_unit": 1.0}),
}


def _uniform(probabilities: np.ndarray) -> float:
    """Return the p-value of uniformity: the smaller of Kolmogorov and Smirnov's and of chi-square's, doubled."""
    bins = np.bincount(np.minimum((probabilities * 10).astype(int), 9), minlength=10)
    least = min(stats.kstest(probabilities, "uniform").pvalue, stats.chisquare(bins).pvalue)
    return float(2 * least)


def _of_closed_form(name: str, fits: int) -> np.ndarray:
    draw, options = MODELS[name]
    analysis, rng = registry.get("posteriors", name)(), np.random.default_rng(len(name))
    margin = "margin_ratio" if name.startswith("gamma") else "margin"
    # Survival is more where events are fewer.
    lower = name == "piecewise_exponential"
    found = []
    while len(found) < fits:
        cut, truth = draw(rng)
        posterior = analysis.posterior(cut, lower, {**options, margin: float(truth)}, None)
        if posterior.status[0] == Status.OUTSIDE_RANGE:
            # Refused by the data's own events, known before the fit: whichever is used, the posterior is right given them.
            continue
        found.append(posterior.probability[0])
    return np.array(found)


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_closed_forms_are_calibrated(name: str) -> None:
    assert _uniform(_of_closed_form(name, FITS)) > LEAST_P


@pytest.mark.slow
def test_a_wrong_prior_is_found() -> None:
    analysis, rng = registry.get("posteriors", "normal_known_variance")(), np.random.default_rng(1)
    found = []
    for _ in range(FITS):
        cut, truth = known(rng)
        options = {"sd": 3.0, "prior_mean": 1.0, "prior_sd": 1.0, "margin": float(truth)}
        found.append(analysis.posterior(cut, False, options, None).probability[0])
    assert _uniform(np.array(found)) < LEAST_P


def _of_sampled(name: str, fits: int) -> np.ndarray:
    draw, options = NUTS[name]
    analysis, rng = registry.get("posteriors", name)(), np.random.default_rng(len(name))
    found = []
    for _ in range(fits):
        cut, truth = draw(rng)
        posterior = analysis.posterior(cut, False, {**options, "margin": float(truth)}, None)
        if posterior.status[0] == Status.OK:
            found.append(posterior.probability[0])
    assert len(found) > 0.97 * fits, "chains fail too often"
    # A share of 1,000 draws is a rank: between two of them it is anywhere.
    return np.clip(np.array(found) + rng.uniform(-0.5, 0.5, len(found)) / 1000, 0, 1)


@pytest.mark.slow
@pytest.mark.parametrize("name", NUTS)
def test_sampled_models_are_calibrated(name: str) -> None:
    pytest.importorskip("pymc", reason="needs the extra bayes", exc_type=ImportError)
    assert _uniform(_of_sampled(name, IN_CI)) > LEAST_P


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", NUTS)
def test_sampled_models_are_calibrated_over_many_fits(name: str) -> None:
    pytest.importorskip("pymc", reason="needs the extra bayes", exc_type=ImportError)
    assert _uniform(_of_sampled(name, SAMPLED)) > LEAST_P


def _of_baskets(exchangeable: float, fits: int) -> np.ndarray:
    """Return, of each fit, a basket's probability of a rate above the true one, which is its reference."""
    from trialsim.analyses.keys import Key
    from trialsim.analyses.sampled.baskets import BasketNuts
    from trialsim.analyses.sampled.nuts import Sampling
    from trialsim.stats.bayes.basket import BasketPrior

    prior = BasketPrior(-1.0, 1.0, 0.7, exchangeable, -0.5, 1.0)
    rng = np.random.default_rng(6)
    # Whether a basket belongs with the others is decided in jumps, for which chains have to be longer.
    sampling = Sampling() if exchangeable == 1.0 else Sampling(draws=1000, tune=1000)
    model = BasketNuts(prior, np.full(4, 0.5), sampling)
    n, found = np.array([8, 15, 20, 25]), []
    for k in range(fits):
        mean, between = rng.normal(-1.0, 1.0), abs(rng.normal(0.0, 0.7))
        theta = np.where(rng.random(4) < exchangeable, rng.normal(mean, between, 4), rng.normal(-0.5, 1.0, 4))
        fit = model.against(theta).fit(rng.binomial(n, 1 / (1 + np.exp(-theta))), n, Key(3, k))
        if not fit.sentence:
            found.append(fit.above[k % 4])
    assert len(found) > 0.97 * fits, "chains fail too often"
    return np.clip(np.array(found) + rng.uniform(-0.5, 0.5, len(found)) / 1000, 0, 1)


# Baskets that all belong together are those of `make test-exhaustive`.
@pytest.mark.slow
@pytest.mark.parametrize("exchangeable", [0.6])
def test_baskets_are_calibrated(exchangeable: float) -> None:
    pytest.importorskip("pymc", reason="needs the extra bayes", exc_type=ImportError)
    assert _uniform(_of_baskets(exchangeable, IN_CI)) > LEAST_P


@pytest.mark.exhaustive
@pytest.mark.parametrize("exchangeable", [1.0, 0.6])
def test_baskets_are_calibrated_over_many_fits(exchangeable: float) -> None:
    pytest.importorskip("pymc", reason="needs the extra bayes", exc_type=ImportError)
    assert _uniform(_of_baskets(exchangeable, SAMPLED)) > LEAST_P
