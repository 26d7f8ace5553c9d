"""Fisher's test, Miettinen and Nurminen's, and Cochran, Mantel and Haenszel's, against scipy and statsmodels."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, stats
from statsmodels.stats.contingency_tables import StratifiedTable
from statsmodels.stats.proportion import score_test_proportions_2indep

from tests.reference.test_statistics import ROOT, estimate
from tests.statistical.data_cuts import rows_cut, values_cut
from trialsim.analyses.cochran_mantel_haenszel import CochranMantelHaenszel
from trialsim.analyses.fisher import Fisher
from trialsim.analyses.miettinen_nurminen import MiettinenNurminen
from trialsim.contracts import Status
from trialsim.stats.two_by_two import miettinen_nurminen_interval

Counts = tuple[int, int, int, int]
COUNTS: list[Counts] = [
    (3, 20, 9, 22), (0, 10, 4, 10), (50, 100, 50, 100), (10, 10, 9, 10), (40, 150, 66, 150), (1, 7, 6, 7),
    (300, 1000, 420, 1100), (5, 5, 0, 6), (60, 400, 31, 380), (0, 30, 1, 30),
]  # fmt: skip


def answers(x: int, n: int) -> np.ndarray:
    return np.repeat([1.0, 0.0], [x, n - x])


def cut_of(*every: Counts) -> Any:
    return values_cut(*((answers(x0, n0), answers(x1, n1)) for x0, n0, x1, n1 in every))


@pytest.mark.parametrize("lower", [False, True])
def test_fishers_tail_is_that_of_scipy(lower: bool) -> None:
    small = [
        (x0, n0, x1, n1)
        for n0, n1 in itertools.product((1, 2, 5, 8), (1, 3, 7))
        for x0 in range(n0 + 1)
        for x1 in range(n1 + 1)
        if 0 < x0 + x1 < n0 + n1
    ]
    every = COUNTS + small
    found = estimate(Fisher(), cut_of(*every), lower_is_better=lower)
    assert (found.status == Status.OK).all()
    for k, (x0, n0, x1, n1) in enumerate(every):
        side = "less" if lower else "greater"
        p = stats.fisher_exact([[x1, n1 - x1], [x0, n0 - x0]], alternative=side).pvalue
        if p > 1 - 1e-12:
            assert found.z[k] < -7
        else:
            assert stats.norm.sf(found.z[k]) == pytest.approx(p, rel=1e-8), every[k]


def test_miettinen_and_nurminens_test_of_no_difference_is_that_of_statsmodels() -> None:
    # At other margins statsmodels 0.15.0 cannot be the reference: its cubic takes the successes on control where Miettinen
    # and Nurminen (1985) have the patients on control. There the next test searches the likelihood.
    found = estimate(MiettinenNurminen(), cut_of(*COUNTS), lower_is_better=False, margin=0.0)
    for k, (x0, n0, x1, n1) in enumerate(COUNTS):
        if min(x0, x1) == 0:
            continue  # statsmodels divides by the rate on the way
        expected = score_test_proportions_2indep(x1, n1, x0, n0, value=0.0, compare="diff", correction=True)
        assert found.z[k] == pytest.approx(expected.statistic, rel=1e-7, abs=1e-9), COUNTS[k]


@pytest.mark.parametrize("counts", COUNTS)
def test_the_rate_under_the_margin_is_the_most_likely_one(counts: Counts) -> None:
    # The closed form against a search of the likelihood: z^2 times the variance it implies.
    x0, n0, x1, n1 = counts
    for margin in (-0.3, 0.1):

        def lost(p0: float, margin: float = margin) -> float:
            return -float(stats.binom.logpmf(x0, n0, p0) + stats.binom.logpmf(x1, n1, p0 + margin))

        low, high = max(0.0, -margin) + 1e-12, min(1.0, 1.0 - margin) - 1e-12
        p0 = optimize.minimize_scalar(lost, (low, high), bounds=(low, high), options={"xatol": 1e-12}).x
        n = n0 + n1
        variance = ((p0 + margin) * (1 - p0 - margin) / n1 + p0 * (1 - p0) / n0) * n / (n - 1)
        found = estimate(MiettinenNurminen(), cut_of(counts), lower_is_better=False, margin=margin)
        assert found.information[0] == pytest.approx(1 / variance, rel=2e-4)


# Newcombe, Statist. Med. 17, 1998, 873-890, table II, method 5 (Miettinen and Nurminen), 95%.
NEWCOMBE = {
    (56, 70, 48, 80): (0.0528, 0.3382),
    (9, 10, 3, 10): (0.1700, 0.8406),
    (6, 7, 2, 7): (0.0342, 0.8534),
    (5, 56, 0, 29): (-0.0326, 0.1933),
    (0, 10, 0, 20): (-0.1658, 0.2844),
    (0, 10, 0, 10): (-0.2879, 0.2879),
    (10, 10, 0, 20): (0.7156, 1.0),
    (10, 10, 0, 10): (0.6636, 1.0),
}


@pytest.mark.parametrize("counts", NEWCOMBE, ids=str)
def test_the_interval_is_the_published_one(counts: Counts) -> None:
    assert miettinen_nurminen_interval(*counts) == pytest.approx(NEWCOMBE[counts], abs=5.001e-5)


@pytest.mark.parametrize("level", [0.9, 0.95])
@pytest.mark.parametrize("counts", COUNTS)
def test_its_limits_are_the_margins_at_which_the_test_gives_the_quantile(
    counts: Counts, level: float
) -> None:
    x0, n0, x1, n1 = counts
    lower, upper = miettinen_nurminen_interval(x1, n1, x0, n0, level)
    assert -1 <= lower < x1 / n1 - x0 / n0 < upper <= 1 or abs(x1 / n1 - x0 / n0) == 1
    for limit, side in ((lower, 1.0), (upper, -1.0)):
        if abs(limit) < 0.999:
            at = estimate(MiettinenNurminen(), cut_of(counts), lower_is_better=False, margin=limit)
            assert at.z[0] == pytest.approx(side * stats.norm.ppf(0.5 + level / 2), rel=1e-6)


def test_the_interval_refuses_what_cannot_be() -> None:
    for bad in ((3, 2, 0, 5), (0, 0, 1, 5), (1, 5, -1, 5)):
        with pytest.raises(ValueError, match="not possible"):
            miettinen_nurminen_interval(*bad)
    with pytest.raises(ValueError, match="between 0 and 1"):
        miettinen_nurminen_interval(1, 5, 1, 5, 95)


def stratified(seed: int, strata: int, n: int = 200) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(seed)
    stratum, treated = generator.integers(0, strata, n), generator.random(n) < 0.5
    rate = 0.2 + 0.5 * stratum / strata + 0.15 * treated
    return {"treated": treated, "value": generator.random(n) < rate, "stratum": stratum}


def tables(data: dict[str, Any]) -> list[np.ndarray]:
    frame = pd.DataFrame({name: np.asarray(value) for name, value in data.items()})
    found = []
    for _, part in frame.groupby("stratum"):
        counts = [[np.sum((part["treated"] == t) & (part["value"] == v)) for v in (1, 0)] for t in (1, 0)]
        found.append(np.array(counts, dtype=float))
    return found


def actg175_by_stratum() -> dict[str, np.ndarray]:
    table = pd.read_csv(ROOT / "scenarios" / "actg175" / "patients.csv")
    table = table[table["arms"].isin([0, 1])]
    return {
        "treated": (table["arms"] == 1).to_numpy(),
        "value": (table["cd420"] > table["cd40"]).to_numpy(),
        "stratum": table["strat"].to_numpy(int) - 1,
    }


CMH = {"actg175": actg175_by_stratum} | {f"strata{k}": (lambda k=k: stratified(k, k)) for k in (1, 2, 5, 40)}


@pytest.mark.parametrize("name", CMH)
def test_the_cmh_test_is_that_of_statsmodels(name: str) -> None:
    data = CMH[name]()
    found = estimate(CochranMantelHaenszel(), rows_cut(data), lower_is_better=False)
    full = [table for table in tables(data) if (table.sum(axis=1) > 0).all()]
    expected = StratifiedTable([table for table in full if table.sum() > 1]).test_null_odds(correction=False)
    assert found.z[0] ** 2 == pytest.approx(expected.statistic, rel=1e-9)
    # The difference, weighted as its definition says.
    weights = [table[0].sum() * table[1].sum() / table.sum() for table in full]
    apart = [table[0, 0] / table[0].sum() - table[1, 0] / table[1].sum() for table in full]
    assert found.effect[0] == pytest.approx(np.average(apart, weights=weights), rel=1e-12)
    assert np.sign(found.z[0]) == np.sign(found.effect[0])


@pytest.mark.parametrize(("strata", "n"), [(3, 300), (60, 180)], ids=["few large strata", "many small ones"])
def test_the_standard_error_of_the_mantel_haenszel_difference_is_its_spread(strata: int, n: int) -> None:
    # Sato's variance is consistent for few large and for many small strata alike; the difference is the same in all.
    many = [stratified(1000 + k, strata, n) for k in range(4000)]
    found = estimate(CochranMantelHaenszel(), rows_cut(*many), lower_is_better=False)
    assert found.effect.mean() == pytest.approx(0.15, abs=5 * found.effect.std() / np.sqrt(4000))
    spread = found.effect.std()
    # The standard deviation has a relative Monte Carlo error of 1 / sqrt(2 n).
    assert np.sqrt(np.mean(found.se**2)) == pytest.approx(spread, rel=5 / np.sqrt(8000))


_FAILURES: dict[str, tuple[Counts, Status]] = {
    "both arms empty": ((0, 0, 0, 0), Status.EMPTY_ARM),
    "control empty": ((0, 0, 1, 3), Status.EMPTY_ARM),
    "treatment empty": ((2, 3, 0, 0), Status.EMPTY_ARM),
    "all respond": ((3, 3, 4, 4), Status.NO_VARIANCE),
    "none respond": ((0, 3, 0, 4), Status.NO_VARIANCE),
}


@pytest.mark.parametrize(
    "analysis", [Fisher(), MiettinenNurminen(), CochranMantelHaenszel()], ids=lambda a: a.name
)
@pytest.mark.parametrize("case", _FAILURES)
def test_what_gives_no_estimate_gives_a_status(case: str, analysis: Any) -> None:
    counts, status = _FAILURES[case]
    found = estimate(analysis, cut_of(COUNTS[0], counts, COUNTS[4]), lower_is_better=False)
    assert found.status.tolist() == [Status.OK, status, Status.OK]
    assert np.isnan(found.z[1])
    assert np.isfinite([found.z[0], found.z[2], found.se[0], found.effect[2]]).all()
    assert estimate(analysis, cut_of(COUNTS[0]), False).z[0] == found.z[0]


def test_strata_with_one_arm_alone_say_nothing() -> None:
    whole = stratified(3, 2)
    more = {name: np.concatenate([value, added]) for (name, value), added in zip(
        whole.items(), (np.ones(9, dtype=bool), np.ones(9, dtype=bool), np.full(9, 2)), strict=True)}  # fmt: skip
    alone = {"treated": [1, 1, 0, 0], "value": [1, 0, 1, 0], "stratum": [0, 0, 1, 1]}
    found = estimate(CochranMantelHaenszel(), rows_cut(whole, more, alone), lower_is_better=False)
    assert found.status.tolist() == [Status.OK, Status.OK, Status.EMPTY_ARM]
    assert found.z[0] == found.z[1]
    assert found.effect[0] == found.effect[1]


def test_they_turn_with_direction_and_arms() -> None:
    for analysis in (MiettinenNurminen(), CochranMantelHaenszel()):
        plain = estimate(analysis, cut_of((3, 20, 9, 22)), lower_is_better=False)
        lower = estimate(analysis, cut_of((3, 20, 9, 22)), lower_is_better=True)
        swapped = estimate(analysis, cut_of((9, 22, 3, 20)), lower_is_better=False)
        assert lower.z[0] == -plain.z[0]
        assert swapped.z[0] == pytest.approx(-plain.z[0], rel=1e-9)
        assert swapped.effect[0] == pytest.approx(-plain.effect[0], rel=1e-12)
