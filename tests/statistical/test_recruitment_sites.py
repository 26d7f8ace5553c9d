"""Sites that differ in their outcomes, candidates called by rank, and sites that leave each other alone."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy import stats
from scipy.integrate import quad
from scipy.optimize import brentq
from scipy.special import expit, logit
from scipy.stats import norm

from tests.statistical.recruited import BINARY, Recruited, off, recruited, recruitment_plan
from trialsim.contracts import Kind, LogRow
from trialsim.engines.plan import Plan
from trialsim.operations.sites import SITE_BITS
from trialsim.population.mixtures import mixed_factors

SITES, PER_SITE = 400, 12


def values_by_site(site: dict[str, float]) -> tuple[np.ndarray, np.ndarray]:
    """Return outcomes and arms of one trial whose sites all fill, ``[site, patient]``."""
    endpoint = {
        "kind": "continuous",
        "readout": "1 day",
        "mean": 10,
        "sd": 3,
        "effect": {"treatment": 2},
        "effect_kind": "conditional",
        "site": site,
    }
    found = recruited(
        {"all": {"count": SITES, "rate": "1 per day", "cap": PER_SITE}},
        n=SITES * PER_SITE,
        horizon="1 year",
        replicates=1,
        endpoint=endpoint,
        design={"allocation": {"permuted_blocks": {"size": 2}}},
    )
    value = {e.id: e.value for e in found.log(0, Kind.READOUT)}
    arm = {e.id: int(e.value) for e in found.log(0, Kind.RANDOMISATION)}
    members: list[list[int]] = [[] for _ in range(SITES)]
    for entry in found.log(0, Kind.CANDIDATE):
        members[int(entry.value) >> SITE_BITS].append(entry.id)
    assert {len(each) for each in members} == {PER_SITE}
    return (
        np.array([[value[i] for i in each] for each in members]),
        np.array([[arm[i] for i in each] for each in members]),
    )


def components(values: np.ndarray) -> tuple[float, float, float]:
    """Return the variance between and within sites by analysis of variance, and the standard error of the first."""
    sites, size = values.shape
    between = size * np.var(values.mean(axis=1), ddof=1)
    within = float(np.mean(np.var(values, axis=1, ddof=1)))
    error = np.sqrt(2 * between**2 / (sites - 1) + 2 * within**2 / (sites * (size - 1))) / size
    return float((between - within) / size), within, float(error)


def test_sites_vary_as_stated() -> None:
    values, arm = values_by_site({"sd": 1.5})
    between, within, error = components(values - 2 * arm)
    assert abs(between - 1.5**2) < 5 * error
    assert abs(within - 9) < 5 * 9 * np.sqrt(2 / (SITES * (PER_SITE - 1)))
    means = (values - 2 * arm).mean(axis=1)
    assert stats.kstest((means - 10) / np.sqrt(1.5**2 + 9 / PER_SITE), "norm").pvalue > 5.7e-7


@pytest.mark.slow
def test_the_effect_varies_between_sites_as_stated() -> None:
    values, arm = values_by_site({"sd": 1.0, "treatment_sd": 1.2})
    both = [i for i in range(SITES) if 0 < arm[i].sum() < PER_SITE]
    difference = np.array([values[i][arm[i] == 1].mean() - values[i][arm[i] == 0].mean() for i in both])
    noise = np.array([9 / arm[i].sum() + 9 / (PER_SITE - arm[i].sum()) for i in both])
    excess = (difference - 2) ** 2 - noise
    # The site's own level cancels, its effect does not.
    assert off(excess, 1.2**2) < 5
    assert off(difference, 2.0) < 5
    control = np.array([values[i][arm[i] == 0].mean() for i in both])
    share = np.array([9 / (PER_SITE - arm[i].sum()) for i in both])
    assert off((control - 10) ** 2 - share, 1.0) < 5


@pytest.mark.slow
def test_sites_are_alike_where_nothing_is_stated() -> None:
    values, arm = values_by_site({"sd": 1e-9})
    between, _, error = components(values - 2 * arm)
    assert abs(between) < 5 * error


@pytest.mark.parametrize(("sd", "treatment_sd"), [(0.8, 0.0), (0.5, 0.6), (0.0, 1.0)])
def test_the_true_value_is_an_average_over_sites(sd: float, treatment_sd: float) -> None:
    """Gauss-Hermite quadrature of a logistic chance over a site's level and its effect."""
    site = {k: v for k, v in {"sd": sd, "treatment_sd": treatment_sd}.items() if v}
    if "sd" not in site:
        site["sd"] = 1e-9
    endpoint = BINARY | {
        "rate": 0.2,
        "effect": {"treatment": 0.35},
        "effect_kind": "conditional",
        "site": site,
    }
    plan = recruitment_plan({"one": {"rate": "1 per day"}}, None, 100, "3 years", endpoint=endpoint)
    nodes, weights = np.polynomial.hermite_e.hermegauss(80)
    weights = weights / weights.sum()
    level, effect = sd * nodes[:, None], treatment_sd * nodes[None, :]
    treated, control = expit(logit(0.35) + level + effect), expit(logit(0.2) + level + 0 * effect)
    difference = treated - control
    exact = float(weights @ difference @ weights)
    assert plan.world.true_value(0, 1, 0, 0.0) == pytest.approx(exact, abs=1e-12)


SURVIVAL: dict[str, Any] = {
    "kind": "survival",
    "baseline": {"hazard": "0.01 per day"},
    "effect": {"treatment": 0.6},
    "effect_kind": "conditional",
}
FOLLOW_UP = 200.0


def plan_with(endpoint: dict[str, Any]) -> Plan:
    look = {"looks": [{"when": {"calendar": "2 years"}}]}
    return recruitment_plan(
        {"one": {"rate": "1 per day"}}, None, 100, "3 years", endpoint=endpoint, design=look
    )


def limit_of_cox(sd: float, treatment_sd: float, ratio: float) -> float:
    """Return the log hazard ratio to which a Cox model converges, survival averaged over sites by adaptive quadrature."""
    spread = {0: sd, 1: math.hypot(sd, treatment_sd)}

    def average(arm: int, t: float, power: int) -> float:
        """Return E[hazard ** power x survival] at a time under an arm."""

        def at(z: float) -> float:
            hazard = 0.01 * (ratio if arm else 1.0) * math.exp(spread[arm] * z)
            return float(hazard**power * math.exp(-hazard * t) * norm.pdf(z))

        return float(quad(at, -9.0, 9.0, limit=200)[0])

    nodes, weights = np.polynomial.legendre.leggauss(60)
    times, weights = FOLLOW_UP * (nodes + 1) / 2, FOLLOW_UP * weights / 2
    risk, rate = ([[average(arm, t, power) for t in times] for arm in (1, 0)] for power in (0, 1))
    at_risk, density = np.array(risk), np.array(rate)

    def score(beta: float) -> float:
        share = math.exp(beta) * at_risk[0] / (math.exp(beta) * at_risk[0] + at_risk[1])
        return float(weights @ (density[0] - density.sum(axis=0) * share))

    return float(brentq(score, -3.0, 3.0, xtol=1e-13))


@pytest.mark.slow
@pytest.mark.parametrize(("sd", "treatment_sd", "ratio"), [(0.8, 0.0, 0.6), (0.5, 0.7, 0.6), (0.4, 0.9, 1.0)])
def test_the_true_hazard_ratio_is_an_average_over_sites(sd: float, treatment_sd: float, ratio: float) -> None:
    endpoint = SURVIVAL | {"effect": {"treatment": ratio}, "site": {"sd": sd, "treatment_sd": treatment_sd}}
    plan = plan_with(endpoint)
    exact = limit_of_cox(sd, treatment_sd, ratio)
    assert plan.world.true_value(0, 1, 0, FOLLOW_UP) == pytest.approx(exact, abs=2e-6)


def test_sites_that_differ_leave_a_mean_and_an_absent_effect_as_they_are() -> None:
    measured = {"kind": "continuous", "readout": "1 day", "mean": 3, "sd": 1, "effect": {"treatment": 0.7}}
    for endpoint, exact in (
        (measured | {"site": {"sd": 1.0, "treatment_sd": 2.0}}, 0.7),
        (SURVIVAL | {"effect": {"treatment": 1.0}, "site": {"sd": 1.0}}, 0.0),
    ):
        plan = plan_with(endpoint)
        assert plan.world.true_value(0, 1, 0, FOLLOW_UP) == pytest.approx(exact, abs=1e-12)


def test_many_different_patients_are_averaged_over_sites_too() -> None:
    """Survival of 5,000 patients spread over points is theirs, each averaged over sites by itself."""
    sd, score = 0.6, np.random.default_rng(2).normal(0.0, 0.7, 5000)
    factors, weights = mixed_factors(np.exp(-score), sd)
    assert len(factors) < 50_000 and weights.sum() == pytest.approx(1.0)
    nodes, shares = np.polynomial.hermite_e.hermegauss(60)
    shares = shares / shares.sum()
    for amount in (0.01, 0.3, 1.0, 4.0):
        each = np.exp(-amount * np.exp(score[:, None] + sd * nodes)) @ shares
        assert weights @ np.exp(-amount / factors) == pytest.approx(each.mean(), abs=4e-6)


PEOPLE: dict[str, Any] = {"marginals": {"score": {"normal": {"mean": 0, "sd": 1}}}}


def ranked(
    policy: Any, backlog: int, cap: int, coordinators: int, replicates: int, **screening: Any
) -> Recruited:
    return recruited(
        {
            "one": {"rate": "0 per day", "backlog": backlog, "coordinators": coordinators, "cap": cap},
            "rest": {"rate": "0 per day"},
        },
        {"duration": "2 days"} | screening,
        n=cap + 2,
        horizon="1 year",
        replicates=replicates,
        population=PEOPLE,
        design={"policies": {"recruitment": policy}},
    )  # fmt: skip


def scores(found: Recruited, row: int, backlog: int) -> np.ndarray:
    """Return the score of every candidate of the backlog."""
    plan = found.plan
    records = plan.world.source.records_at(plan.seed, np.full(backlog, row), np.arange(backlog))
    return records[:, 0]


@pytest.mark.parametrize("coordinators", [1, 3])
@pytest.mark.parametrize("prefer", ["highest", "lowest"])
def test_the_best_of_a_backlog_are_called(prefer: str, coordinators: int) -> None:
    backlog, cap = 12, 5
    policy = {"by_covariate": {"covariate": "score", "prefer": prefer}}
    found = ranked(policy, backlog, cap, coordinators, 40)
    for row in range(40):
        value = scores(found, row, backlog)
        best = np.argsort(-value if prefer == "highest" else value)[:cap]
        called = [e.id for e in found.log(row, Kind.DISPATCH)]
        assert called == list(best)
        entered = [int(e.value) for e in found.log(row, Kind.CANDIDATE)]
        assert set(entered) == set(best)
        if coordinators == 1:
            assert entered == list(best)
        assert found.sites("released")[row, 0] == backlog - cap


def test_as_they_come_and_at_random_the_backlog_is_an_average_one() -> None:
    backlog, cap = 12, 5
    for policy in ("first_come_first_served", "random"):
        found = ranked(policy, backlog, cap, 1, 600)
        means = []
        for row in range(600):
            entered = [int(e.value) for e in found.log(row, Kind.CANDIDATE)]
            means.append(scores(found, row, backlog)[entered].mean())
            if policy == "first_come_first_served":
                assert entered == list(range(cap))
        assert off(np.array(means), 0.0) < 5


def test_those_called_by_rank_are_order_statistics() -> None:
    """The k-th called of twelve is the k-th largest of twelve normal values."""
    backlog, cap, trials = 12, 5, 600
    found = ranked({"by_covariate": {"covariate": "score"}}, backlog, cap, 1, trials)
    called = np.array(
        [scores(found, row, backlog)[[e.id for e in found.log(row, Kind.DISPATCH)]] for row in range(trials)]
    )
    for k in range(cap):
        # Probability integral transform: the k-th largest of n uniforms has a beta distribution.
        law = stats.beta(backlog - k, k + 1)
        assert stats.kstest(stats.norm.cdf(called[:, k]), law.cdf).pvalue > 5.7e-7


def by_site(found: Recruited, row: int, sites: range, until: int) -> list[LogRow]:
    """Return what happened to the candidates of some sites before a tick, patients' numbers left out."""
    kinds = (Kind.ARRIVAL, Kind.DISPATCH, Kind.SCREENING, Kind.RENEGING)
    return [e for e in found.log(row, *kinds) if e.id >> SITE_BITS in sites and e.tick < until]


BASE: dict[str, Any] = {
    "a": {"count": 2, "rate": "8 per month", "coordinators": 1, "backlog": 3},
    "b": {"count": 3, "rate": "5 per month", "rate_shape": 1.5, "coordinators": 1, "cap": 9},
}
WAY: dict[str, Any] = {
    "prescreen": {"probability": 0.9},
    "patience": {"exponential": {"mean": "20 days"}},
    "consent": {"probability": 0.8, "duration": "1 day"},
    "eligible": {"probability": 0.6, "covariates": {"score": 0.5}},
    "duration": {"log_normal": {"median": "6 days", "sd_log": 0.5}},
    "rescreening": {"probability": 0.5, "after": "20 days", "eligible": 0.5},
    "lag": "2 days",
}


def closing(found: Recruited, row: int) -> int:
    """Return the tick at which enrolment closes, or that at which the trial ends."""
    return min(e.tick for e in found.log(row, Kind.ENROLMENT_CLOSED, Kind.END))


@pytest.mark.slow
@pytest.mark.parametrize(
    "change",
    [
        {"cap": 4},
        {"closes": "60 days"},
        {"rate": "1 per month"},
        {"coordinators": 5},
        {"rate_shape": 0.4},
        {"backlog": 40},
        {"ramp_up": {"from": 0.1, "over": "90 days"}},
        {"competing": [{"from": "10 days", "share": 0.5}]},
    ],
    ids=lambda change: next(iter(change)),
)
def test_what_happens_at_one_site_moves_nobody_of_another(change: dict[str, Any]) -> None:
    options: dict[str, Any] = {"n": 34, "horizon": "2 years", "replicates": 25, "population": PEOPLE}
    plain = recruited(BASE, WAY, **options)
    other = recruited(BASE | {"a": BASE["a"] | change}, WAY, **options)
    differ = 0
    for row in range(25):
        until = min(closing(plain, row), closing(other, row))
        assert by_site(plain, row, range(2, 5), until) == by_site(other, row, range(2, 5), until)
        differ += by_site(plain, row, range(2), until) != by_site(other, row, range(2), until)
        outcomes = []
        for found in (plain, other):
            numbers = {e.id: int(e.value) for e in found.log(row, Kind.CANDIDATE) if e.tick < until}
            outcomes.append({numbers[e.id] for e in found.log(row, Kind.RANDOMISATION) if e.tick < until})
        assert {key for key in outcomes[0] if key >> SITE_BITS >= 2} == {
            key for key in outcomes[1] if key >> SITE_BITS >= 2
        }
    assert differ > 0


def test_outcomes_belong_to_the_candidate() -> None:
    """Whoever enters in both of two worlds has the same outcome, whatever their place in the order."""
    endpoint = {"kind": "continuous", "readout": "1 day", "mean": 10, "sd": 3, "effect": {"treatment": 0}}
    options: dict[str, Any] = {
        "n": 70,
        "horizon": "2 years",
        "replicates": 20,
        "population": PEOPLE,
        "endpoint": endpoint,
    }
    plain = recruited(BASE, WAY, **options)
    other = recruited(BASE | {"a": BASE["a"] | {"rate": "1 per month"}}, WAY, **options)
    shared = 0
    for row in range(20):
        seen = []
        for found in (plain, other):
            numbers = {e.id: int(e.value) for e in found.log(row, Kind.CANDIDATE)}
            seen.append({numbers[e.id]: e.value for e in found.log(row, Kind.READOUT)})
        for key in seen[0].keys() & seen[1].keys():
            assert seen[0][key] == seen[1][key]
            shared += 1
    assert shared > 400


@pytest.mark.slow
def test_no_policy_moves_an_arrival() -> None:
    options: dict[str, Any] = {"n": 60, "horizon": "2 years", "replicates": 20, "population": PEOPLE}
    runs = [
        recruited(BASE, WAY, design={"policies": {"recruitment": policy}}, **options)
        for policy in ("first_come_first_served", "random", {"by_covariate": {"covariate": "score"}})
    ]
    calls = set()
    for row in range(20):
        until = min(closing(found, row) for found in runs)
        # A site that fills earlier under one policy turns away who comes afterwards.
        shut: dict[int, int] = {}
        for found in runs:
            for e in found.log(row, Kind.SITE_CLOSED):
                shut[e.id] = min(e.tick, shut.get(e.id, until))
        arrivals = []
        for found in runs:
            first = [e for e in found.log(row, Kind.ARRIVAL) if e.part == 0]
            arrivals.append([e for e in first if e.tick < min(until, shut.get(e.id >> SITE_BITS, until))])
            calls.add(tuple(e.id for e in found.log(row, Kind.DISPATCH)))
        assert arrivals[0] == arrivals[1] == arrivals[2]
    assert len(calls) == 3 * 20
