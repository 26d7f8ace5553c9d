"""Who gets through screening, and what stops the others: against the stated probabilities and their exact averages."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import integrate, stats
from scipy.special import expit, logit

from tests.statistical.big_trial import RARE, share_error
from tests.statistical.recruited import Recruited, days, recruited
from trialsim.contracts import Kind
from trialsim.operations.allocation import recorded_stratum

PEOPLE: dict[str, Any] = {
    "marginals": {
        "age": {"normal": {"mean": 55, "sd": 9}},
        "sex": {"categorical": {"female": 0.4, "male": 0.6}},
    },
    "traits": {"eligibility": {"sd": 1.3}},
}
CANDIDATES = 24_000


def screened(screening: dict[str, Any], **parts: Any) -> Recruited:
    """Return what becomes of the candidates of one day, all of whom are followed to the end of their way."""
    return recruited(
        {"one": {"rate": "0 per day", "backlog": CANDIDATES}}, screening, n=CANDIDATES, horizon="900 years", replicates=1,
        **parts,
    )  # fmt: skip


def total(found: Recruited, column: str) -> int:
    return int(found.sites(column).sum())


def reasons(found: Recruited) -> dict[str, int]:
    names = found.plan.world.screening.reasons  # type: ignore[union-attr]
    return dict(zip(names, found.tables["screening"]["failures"], strict=True))


def is_share(part: float, whole: float, expected: float) -> bool:
    return abs(part / whole - expected) < share_error(expected, int(whole))


def test_every_gate_lets_through_as_many_as_is_stated() -> None:
    found = screened(
        {
            "prescreen": {"probability": 0.7},
            "consent": {"probability": 0.85, "duration": {"exponential": {"mean": "5 days"}}},
            "eligible": {"probability": 0.4},
            "reasons": {"laboratory": 5, "imaging": 3, "comorbidity": 2},
            "wrongly_randomised": 0.15,
            "lag": "3 days",
        }
    )
    passed = CANDIDATES - total(found, "prescreen_failures")
    assert total(found, "candidates") == CANDIDATES
    assert is_share(passed, CANDIDATES, 0.7)
    assert total(found, "screened") + total(found, "refusals") == passed
    assert is_share(total(found, "screened"), passed, 0.85)
    entered = total(found, "randomised")
    assert entered + total(found, "screen_failures") == total(found, "screened")
    assert is_share(entered, total(found, "screened"), 0.4 + 0.6 * 0.15)
    why = reasons(found)
    assert sum(why.values()) == total(found, "screen_failures")
    assert why["window"] == 0
    for name, share in {"laboratory": 0.5, "imaging": 0.3, "comorbidity": 0.2}.items():
        assert is_share(why[name], sum(why.values()), share), name
    # From contact to consent only the talk takes time, and from consent on the screening of a tick and the lag.
    talk = found.trials["days_to_consent"][0]
    assert abs(talk - 5.0) < 5 * 5.0 / np.sqrt(total(found, "screened"))


def test_all_who_are_randomised_are_so_wrongly_where_nobody_is_eligible() -> None:
    found = screened({"eligible": {"probability": 0.0}, "wrongly_randomised": 0.04})
    assert is_share(total(found, "randomised"), CANDIDATES, 0.04)


@pytest.mark.parametrize("eligible", [pytest.param(1.0, marks=pytest.mark.slow), 0.6])
def test_the_window_closes_on_as_many_as_take_longer(eligible: float) -> None:
    found = screened(
        {
            "eligible": {"probability": eligible},
            "duration": {"log_normal": {"median": "14 days", "sd_log": 0.5}},
            "lag": {"uniform": {"from": "1 day", "to": "15 days"}},
            "window": "25 days",
            "wrongly_randomised": 0.1,
        }
    )
    took = stats.lognorm(0.5, scale=14)
    late = took.sf(25)
    passes = eligible + (1 - eligible) * 0.1
    # Who passes in time may still be too late for randomisation: the lag is uniform on 1 to 15 days.
    too_late = integrate.quad(
        lambda x: took.pdf(x) * np.clip((15 - (25 - x)) / 14, 0, 1), 10, 25, points=[24]
    )[0]
    why = reasons(found)
    assert is_share(why["window"], CANDIDATES, late + passes * too_late)
    assert is_share(total(found, "randomised"), CANDIDATES, passes * (1 - late - too_late))
    assert (
        is_share(why["ineligible"], CANDIDATES, (1 - passes) * (1 - late))
        or eligible == 1.0 == 1 - why["ineligible"]
    )
    longest = max(days(e.tick) for e in found.log(0, Kind.RANDOMISATION))
    assert longest <= 25.0


def test_durations_have_the_stated_law() -> None:
    found = recruited(
        {"one": {"rate": "0 per day", "backlog": 5000}},
        {
            "duration": {"weibull": {"shape": 1.7, "scale": "20 days"}},
            "lag": {"log_normal": {"median": "4 days", "sd_log": 0.8}},
        },
        n=5000,
        horizon="900 years",
        replicates=1,
    )  # fmt: skip
    ends = {e.id: e.tick for e in found.log(0, Kind.SCREENING)}
    numbers = {e.id: int(e.value) for e in found.log(0, Kind.CANDIDATE)}
    entry = {numbers[e.id]: e.tick for e in found.log(0, Kind.RANDOMISATION)}
    took = np.array([days(ends[key]) for key in sorted(ends)])
    lag = np.array([days(entry[key] - ends[key]) for key in sorted(ends)])
    assert stats.kstest(took, stats.weibull_min(1.7, scale=20).cdf).pvalue > RARE
    assert stats.kstest(lag, stats.lognorm(0.8, scale=4).cdf).pvalue > RARE
    assert abs(stats.spearmanr(took, lag).statistic) < 5 / np.sqrt(5000)


@pytest.mark.slow
def test_who_fails_comes_again_as_often_as_is_stated() -> None:
    """Attempts follow a geometric law, cut off at the most that are allowed."""
    again, first, later = 0.7, 0.3, 0.4
    found = screened(
        {
            "eligible": {"probability": first},
            "rescreening": {
                "probability": again,
                "after": {"exponential": {"mean": "30 days"}},
                "eligible": later,
                "attempts": 3,
            },
        }
    )  # fmt: skip
    seen = np.bincount([e.part for e in found.log(0, Kind.ARRIVAL)])
    assert list(seen[:1]) == [CANDIDATES]
    expected = [1.0, (1 - first) * again]
    expected += [expected[1] * (1 - later) * again, expected[1] * ((1 - later) * again) ** 2]
    assert len(seen) == 4
    for number, share in zip(seen, expected, strict=True):
        assert share == 1.0 or is_share(number, CANDIDATES, share)
    entered = first + later * sum(expected[1:])
    assert is_share(total(found, "randomised"), CANDIDATES, entered)
    waits = []
    failed: dict[int, int] = {}
    for entry in found.log(0, Kind.SCREENING, Kind.ARRIVAL):
        if entry.kind == Kind.SCREENING:
            failed[entry.id] = entry.tick
        elif entry.part:
            waits.append(days(entry.tick - failed[entry.id]))
    assert stats.kstest(waits, stats.expon(scale=30).cdf).pvalue > RARE


def average(chance: dict[str, float], sex: str, spread: float = 0.0) -> float:
    """Return the average over ages and, with a spread, over the latent trait, by Gauss-Hermite quadrature."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    weights = weights / weights.sum()
    odds = logit(chance["probability"]) + (chance["male"] if sex == "male" else 0.0)
    ages = chance["age"] * (55 + 9 * nodes - 50)
    return float(weights @ expit(odds + ages[:, None] + spread * nodes[None, :]) @ weights)


def test_chances_depend_on_traits_as_stated() -> None:
    """By subgroup: the average of a logistic chance over age and a latent trait."""
    consent = {"probability": 0.6, "age": -0.08, "male": 0.9}
    eligible = {"probability": 0.5, "age": 0.05, "male": -0.7}
    found = screened(
        {
            "eligible": {
                "probability": eligible["probability"],
                "covariates": {"age": eligible["age"], "sex.male": eligible["male"]},
                "centre": {"age": 50},
                "latent": {"eligibility": 1.0},
            },
            "subgroup": "sex",
        },
        population=PEOPLE,
    )
    groups = {name: found.tables["subgroups"][name] for name in ("candidates", "eligible", "randomised")}
    for level, (sex, share) in enumerate({"female": 0.4, "male": 0.6}.items()):
        came = int(groups["candidates"][level])
        assert is_share(came, CANDIDATES, share)
        assert is_share(groups["eligible"][level], came, average(eligible, sex, spread=1.3))
        assert groups["randomised"][level] == groups["eligible"][level]
    for gate in ("prescreen", "consent"):
        chance = {
            "probability": consent["probability"],
            "covariates": {"age": consent["age"], "sex.male": consent["male"]},
            "centre": {"age": 50},
        }
        found = screened({gate: chance, "subgroup": "sex"}, population=PEOPLE)
        for level, sex in enumerate(("female", "male")):
            came = int(found.tables["subgroups"]["candidates"][level])
            through = found.tables["subgroups"]["randomised"][level]
            assert is_share(through, came, average(consent, sex)), (gate, sex)


def test_gates_are_independent_of_each_other() -> None:
    """Who passes one gate is no likelier to pass another, where nothing ties them together."""
    found = recruited(
        {"one": {"rate": "0 per day", "backlog": 30_000}},
        {
            "prescreen": {"probability": 0.5},
            "consent": {"probability": 0.5},
            "eligible": {"probability": 0.5},
        },
        n=30_000,
        horizon="900 years",
        replicates=1,
    )
    assert is_share(total(found, "randomised"), 30_000, 0.125)


@pytest.mark.parametrize("count", [2, 5])
def test_wrong_strata_are_as_frequent_as_stated_and_equally_likely(count: int) -> None:
    rate, right, size = 0.13, 1, 40_000
    keys = (np.arange(size) % 7 << 32) + np.arange(size) // 7
    found = np.array([recorded_stratum(3, 5, int(key), 0, right, count, rate) for key in keys])
    assert is_share(np.sum(found != right), size, rate)
    wrong = np.bincount(found[found != right], minlength=count)
    assert wrong[right] == 0
    assert stats.chisquare(np.delete(wrong, right)).pvalue > RARE if count > 2 else wrong[0] > 0


def test_wrong_strata_spoil_the_balance_within_strata() -> None:
    """In blocks of two and two strata arms differ by one at most; with errors the difference is a random walk in each."""
    n, replicates, rate = 200, 400, 0.2
    plan: dict[str, Any] = {
        "population": PEOPLE,
        "design": {"allocation": {"stratified_permuted_blocks": {"size": 2, "strata": ["sex"]}}},
    }
    sites = {"one": {"rate": "100 per day"}}
    squares = {}
    for errors in (0.0, rate):
        found = recruited(
            sites, {"stratum_errors": errors}, n=n, horizon="1 year", replicates=replicates, **plan
        )
        chunk = found.result.chunk
        sign = 2 * chunk.arm.astype(int) - 1  # type: ignore[attr-defined]
        male = chunk.patients.strata(("sex",))[0] == 1  # type: ignore[attr-defined]
        squares[errors] = np.sum(sign * male, axis=1) ** 2
    assert squares[0.0].max() <= 1
    # A block of two holds arms of opposite sign; where both members are in truth men, they cancel. A recorded stratum
    # holds two kinds of pairs, and a pair of which one is a man adds one to the variance.
    mixed = []
    for recorded_men in (True, False):
        as_recorded = 0.6 * (1 - rate) + 0.4 * rate if recorded_men else 0.4 * (1 - rate) + 0.6 * rate
        truly_men = (0.6 * (1 - rate) if recorded_men else 0.6 * rate) / as_recorded
        mixed.append(n * as_recorded / 2 * 2 * truly_men * (1 - truly_men))
    error = np.std(squares[rate], ddof=1) / np.sqrt(replicates)
    # The last block of a stratum may be half full, which adds at most one.
    assert sum(mixed) - 5 * error < squares[rate].mean() < sum(mixed) + 1 + 5 * error
