"""How many are enrolled by when: against the Poisson-gamma model.

A site that opens at u and finds candidates at a rate of lambda times the profile f has a Poisson number of patients of
mean lambda p G(t - u) by t, where G is the integral of f and p the chance to get through screening. With lambda gamma
distributed of mean m and shape a the number is negative binomial (Anisimov and Fedorov, Statist. Med. 26, 2007,
4958-4975); its moments under a random u are integrals that SciPy does here.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import integrate, stats

from tests.statistical.big_trial import RARE
from tests.statistical.recruited import off, off_variance, recruited

MONTH, YEAR = 30.4375, 365.25
Factor = Callable[[float, float], float]


def integral(factor: Factor, opening: float, until: float) -> float:
    """Return the integral of a site's profile, which takes days since opening and calendar days, up to a calendar day."""
    if until <= opening:
        return 0.0
    corners = [c for c in (opening + 60.0, 120.0) if opening < c < until]
    return float(
        integrate.quad(lambda x: factor(x - opening, x), opening, until, points=corners or None, limit=200)[0]
    )


def moments(
    mean: float, shape: float | None, amounts: np.ndarray, weights: np.ndarray
) -> tuple[float, float]:
    """Return mean and variance of the number at one site whose integrated profile is one of several amounts."""
    first, second = float(weights @ amounts), float(weights @ amounts**2)
    square = mean**2 * (1 + 1 / shape) if shape is not None else mean**2
    return mean * first, mean * first + square * second - (mean * first) ** 2


def flat(since: float, now: float) -> float:
    return 1.0


def ramp(since: float, now: float) -> float:
    """A ramp from 0.3 over 60 days."""
    return min(0.3 + 0.7 * since / 60.0, 1.0)


def drifting(since: float, now: float) -> float:
    """The ramp, then a loss of 0.9 per year."""
    return ramp(since, now) * 1.0 if since <= 60 else max(1.0 - 0.9 * (since - 60.0) / YEAR, 0.0)


def competing(since: float, now: float) -> float:
    """The drift, and from day 120 a quarter goes to other trials."""
    return drifting(since, now) * (0.75 if now >= 120.0 else 1.0)


RAMP: dict[str, Any] = {"ramp_up": {"from": 0.3, "over": "60 days"}}
DRIFT: dict[str, Any] = RAMP | {"drift": {"per_year": -0.9}}
COMPETING: dict[str, Any] = DRIFT | {"competing": [{"from": "120 days", "share": 0.25}]}
THINNED: dict[str, Any] = {
    "prescreen": {"probability": 0.8},
    "consent": {"probability": 0.7},
    "eligible": {"probability": 0.5},
}


@pytest.mark.parametrize("shape", [None, 1.4])
@pytest.mark.parametrize(
    ("options", "factor"), [({}, flat), (RAMP, ramp), (DRIFT, drifting), (COMPETING, competing)]
)
@pytest.mark.parametrize("screening", [None, pytest.param(THINNED, marks=pytest.mark.slow)])
def test_mean_and_variance_of_the_number_enrolled(
    options: dict[str, Any], factor: Factor, shape: float | None, screening: dict[str, Any] | None
) -> None:
    sites, until = 6, 240.0
    group = {"count": sites, "rate": "3 per month"} | options
    if shape is not None:
        group["rate_shape"] = shape
    found = recruited({"all": group}, screening, n=900, horizon=f"{until:g} days", replicates=3000)
    chance = 1.0 if screening is None else 0.8 * 0.7 * 0.5
    amount = np.array([integral(factor, 0.0, until)])
    mean, variance = moments(3 / MONTH * chance, shape, amount, np.ones(1))
    enrolled = found.trials["enrolled"].astype(float)
    assert off(enrolled, sites * mean) < 5
    assert off_variance(enrolled, sites * variance) < 5
    assert not found.trials["status"].all()


def test_the_number_at_a_site_is_negative_binomial() -> None:
    found = recruited(
        {"all": {"count": 5, "rate": "2 per month", "rate_shape": 0.7} | RAMP},
        {"eligible": {"probability": 0.6}},
        n=600,
        horizon="200 days",
        replicates=3000,
    )
    mean = 0.6 * 2 / MONTH * integral(ramp, 0.0, 200.0)
    law = stats.nbinom(0.7, 0.7 / (0.7 + mean))
    counts = found.sites("randomised").ravel()
    last = int(law.ppf(1 - 20 / counts.size))
    expected = np.append(law.pmf(np.arange(last)), law.sf(last - 1)) * counts.size
    observed = np.append([np.sum(counts == k) for k in range(last)], np.sum(counts >= last))
    assert stats.chisquare(observed, expected).pvalue > RARE


def test_sites_have_rates_of_their_own() -> None:
    found = recruited(
        {"all": {"count": 2, "rate": "4 per month", "rate_shape": 0.7}},
        n=900,
        horizon="1 year",
        replicates=3000,
    )
    one, two = found.sites("randomised").T
    assert abs(stats.spearmanr(one, two).statistic) < 5 / np.sqrt(3000)


@pytest.mark.parametrize(
    ("activation", "law"),
    [
        ({"uniform": {"from": "10 days", "to": "160 days"}}, stats.uniform(10, 150)),
        ({"exponential": {"mean": "70 days"}}, stats.expon(scale=70)),
        ({"log_normal": {"median": "60 days", "sd_log": 0.6}}, stats.lognorm(0.6, scale=60)),
        ({"weibull": {"shape": 1.6, "scale": "80 days"}}, stats.weibull_min(1.6, scale=80)),
    ],
    ids=["uniform", "exponential", "log-normal", "Weibull"],
)
def test_sites_that_open_at_random(activation: dict[str, Any], law: Any) -> None:
    """A first site sets the clock; the others open when they open, one in five never."""
    until, shape, sites = 240.0, 1.4, 5
    late = {"count": sites, "rate": "3 per month", "rate_shape": shape, "activation": activation}
    found = recruited(
        {"first": {"rate": "0 per month"}, "late": late | COMPETING | {"never_opens": 0.2}},
        n=600,
        horizon=f"{until:g} days",
        replicates=3000,
    )
    # Gauss-Legendre in the quantiles of the opening, split where the day of opening meets a corner of the profile.
    cuts = [0.0, *sorted(float(law.cdf(c)) for c in (60.0, 120.0, 180.0, until)), 1.0]
    nodes, weights = np.polynomial.legendre.leggauss(24)
    quantiles = np.concatenate([a + (b - a) * (nodes + 1) / 2 for a, b in itertools.pairwise(cuts)])
    mass = np.concatenate([(b - a) / 2 * weights for a, b in itertools.pairwise(cuts)])
    openings = law.ppf(np.clip(quantiles, 0, 1 - 1e-12))
    amounts = np.array([integral(competing, opening, until) for opening in openings])
    mean, variance = moments(3 / MONTH, shape, np.append(amounts, 0.0), np.append(0.8 * mass, 0.2))
    enrolled = found.trials["enrolled"].astype(float)
    assert off(enrolled, sites * mean) < 5
    assert off_variance(enrolled, sites * variance) < 5
    opened = found.sites("opened_time")[:, 1:].ravel()
    never = np.isnan(opened).mean()
    share = 0.2 + 0.8 * law.sf(until)
    assert abs(never - share) < 5 * np.sqrt(share * (1 - share) / opened.size)
    within = opened[~np.isnan(opened)]
    assert stats.kstest(within, lambda x: law.cdf(x) / law.cdf(until)).pvalue > RARE


def test_time_runs_from_the_opening_of_the_first_site() -> None:
    """Of exponential times to opening the first is forgotten: the others open as long after it as they would after 0."""
    found = recruited(
        {"all": {"count": 3, "rate": "1 per month", "activation": {"exponential": {"mean": "40 days"}}}},
        n=300,
        horizon="3 years",
        replicates=4000,
    )
    opened = np.sort(found.sites("opened_time"), axis=1)
    assert np.all(opened[:, 0] == 0.0)
    assert stats.kstest(opened[:, 1], stats.expon(scale=20).cdf).pvalue > RARE
    assert stats.kstest(opened[:, 2] - opened[:, 1], stats.expon(scale=40).cdf).pvalue > RARE


@pytest.mark.parametrize("n", [2, 40])
def test_the_time_to_n_patients_is_gamma_with_equal_rates(n: int) -> None:
    found = recruited(
        {"all": {"count": 4, "rate": "5 per month"}},
        {"eligible": {"probability": 0.5}},
        n=n,
        horizon="20 years",
        replicates=4000,
    )
    ends = found.trials["enrolment_end_time"]
    assert stats.kstest(ends, stats.gamma(n, scale=MONTH / (4 * 5 * 0.5)).cdf).pvalue > RARE


@pytest.mark.parametrize(("n", "sites", "shape"), [(3, 1, 1.4), (40, 4, 1.4), (40, 12, 0.6)])
def test_the_time_to_n_patients_is_pearson_vi_with_gamma_rates(n: int, sites: int, shape: float) -> None:
    found = recruited(
        {"all": {"count": sites, "rate": "5 per month", "rate_shape": shape}},
        {"consent": {"probability": 0.6}},
        n=n,
        horizon="300 years",
        replicates=4000,
    )
    ends = found.trials["enrolment_end_time"]
    assert np.all(found.trials["enrolled"] == n)
    law = stats.betaprime(n, sites * shape, scale=shape / (0.6 * 5 / MONTH))
    assert stats.kstest(ends, law.cdf).pvalue > RARE


def test_groups_add_up() -> None:
    """Two groups of equal rates are a Poisson process of the sum, whichever of them closes."""
    found = recruited(
        {
            "a": {"count": 3, "rate": "2 per month"},
            "b": {"count": 2, "rate": "6 per month", "closes": "90 days"},
        },
        n=400,
        horizon="200 days",
        replicates=3000,
    )
    mean = 6 / MONTH * 200 + 12 / MONTH * 90
    enrolled = found.trials["enrolled"].astype(float)
    assert off(enrolled, mean) < 5
    assert off_variance(enrolled, mean) < 5
    closed = found.sites("closed_time")[:, 3:]
    assert np.all(closed == 90.0)
