"""Closed combination tests that go from stage to stage, against the same worked out at once and against integrals."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import multivariate_normal, norm

from trialsim.stats.combination.adaptive import intersection_p
from trialsim.stats.combination.closed_stages import ClosedPlan, ClosedStages, stage_deviates
from trialsim.stats.combination.fisher import fisher_design
from trialsim.stats.moments import binary_moments, mean_and_squares, moments_by_group
from trialsim.stats.multiplicity.dunnett import above_any, control_loadings
from trialsim.stats.multiplicity.largest import LEAST, largest_deviates, largest_deviates_alike

EVERY = slice(None)


def plan(test: str = "dunnett", arms: int = 3, **more: object) -> ClosedPlan:
    options: dict[str, object] = {
        "weights": np.sqrt([0.5, 0.5]),
        "efficacy": np.array([2.5, 2.0]),
        "ratio": (1.0,) * (arms + 1),
        "intersection_test": test,
    }
    return ClosedPlan(**(options | more))  # type: ignore[arg-type]


@pytest.mark.slow
@pytest.mark.parametrize("loading", [0.3, 0.5**0.5, 0.9])
@pytest.mark.parametrize("z", [-2.0, 0.3, 1.9, 3.5])
def test_the_largest_of_three_is_the_multivariate_normals(loading: float, z: float) -> None:
    cov = np.full((3, 3), loading**2) + (1 - loading**2) * np.eye(3)
    expected = 1 - multivariate_normal(cov=cov, abseps=1e-10, releps=1e-10, maxpts=10**6, seed=1).cdf([z] * 3)
    found = largest_deviates(np.array([z]), np.full((1, 3), loading), np.ones((1, 3), dtype=bool))
    assert norm.sf(found[0]) == pytest.approx(expected, abs=1e-7)


def test_the_largest_of_two_far_out_is_an_integral() -> None:
    """Where a difference from 1 has no digits left: the chance that neither is above -4, and that any is above 6."""
    for z in (-4.0, 6.0):
        below, _ = quad(lambda y, z=z: norm.pdf(y) * norm.cdf(np.sqrt(2) * z - y) ** 2, -12, 12, epsabs=1e-18)
        above, _ = quad(
            lambda y, z=z: norm.pdf(y) * -np.expm1(2 * norm.logcdf(np.sqrt(2) * z - y)), -12, 12, epsabs=1e-18
        )
        found = largest_deviates(np.array([z]), np.full((1, 2), 0.5**0.5), np.ones((1, 2), dtype=bool))
        expected = norm.ppf(below) if z < 0 else norm.isf(above)
        assert found[0] == pytest.approx(expected, abs=1e-8)


@pytest.mark.parametrize("loadings", [(0.5**0.5,) * 2, (0.5**0.5,) * 8, (0.8, 0.6, 0.4), (0.95, 0.2)])
def test_kept_pieces_are_the_integral(loadings: tuple[float, ...]) -> None:
    z = np.random.default_rng(1).uniform(-8.0, 11.0, 500)
    rows = np.tile(loadings, (len(z), 1))
    exact = largest_deviates(z, rows, np.ones(rows.shape, dtype=bool))
    assert largest_deviates_alike(z, loadings) == pytest.approx(exact, abs=1e-11)


@pytest.mark.slow
@pytest.mark.parametrize("test", ["dunnett", "simes", "bonferroni"])
def test_intersections_are_those_worked_out_at_once(test: str) -> None:
    """Every selection of four arms, with equal and with unequal numbers of patients."""
    rng = np.random.default_rng(2)
    z = rng.normal(0.5, 1.0, (4, 64))
    for n in (np.full(5, 30), np.array([30, 20, 41, 30, 17])):
        loadings = control_loadings(n[0], n[1:])
        for chosen in itertools.product([False, True], repeat=4):
            there = np.repeat(np.array(chosen)[:, None], 64, axis=1)
            found = stage_deviates(plan(test, 4), z, there, np.repeat(n[:, None], 64, axis=1))
            expected = intersection_p(z.T, test, loadings, np.array(chosen)).T
            sure = expected > 1.0 - 1e-12
            assert norm.sf(found)[~sure] == pytest.approx(expected[~sure], rel=1e-9)
            assert (found[sure] < -6.0).all()


def test_rows_with_other_numbers_are_judged_by_their_own() -> None:
    rng = np.random.default_rng(3)
    z, n = rng.normal(1.0, 1.0, (3, 6)), np.full((4, 6), 20)
    n[:, 4] = [20, 10, 30, 25]
    there = np.ones((3, 6), dtype=bool)
    together = stage_deviates(plan(), z, there, n)
    for row in range(6):
        alone = stage_deviates(plan(), z[:, [row]], there[:, [row]], n[:, [row]])
        assert (alone[:, 0] == together[:, row]).all()
    expected = above_any(np.full((1, 3), z[:, 4].max()), control_loadings(20, n[1:, 4]))
    assert norm.sf(together[-1, 4]) == pytest.approx(expected[0], rel=1e-9)


def by_hand(first: np.ndarray, second: np.ndarray, chosen: np.ndarray, bounds: list[float]) -> np.ndarray:
    """Return which of three arms are shown in one trial, Bonferroni and equal weights, written out plainly."""
    shown = []
    for arm in range(3):
        sets = [each for size in (1, 2, 3) for each in itertools.combinations(range(3), size) if arm in each]
        rejected = []
        for each in sets:
            p1 = min(1.0, len(each) * norm.sf(max(first[list(each)])))
            left = [a for a in each if chosen[a]]
            p2 = min(1.0, len(left) * norm.sf(max(second[left]))) if left else 1.0
            early = norm.isf(p1) >= bounds[0]
            late = p1 < 1 and p2 < 1 and (norm.isf(p1) + norm.isf(p2)) / np.sqrt(2) >= bounds[1]
            rejected.append(early or late)
        shown.append(all(rejected))
    return np.array(shown)


@pytest.mark.slow
def test_two_stages_are_those_of_plain_sums_over_sets() -> None:
    rng = np.random.default_rng(4)
    bounds = [2.2, 1.6]
    first, second = rng.normal(1.5, 1, (3, 300)), rng.normal(1.5, 1, (3, 300))
    chosen = rng.random((3, 300)) < 0.6
    tests = ClosedStages(plan("bonferroni", efficacy=np.array(bounds)), 300)
    rows = np.arange(300)
    early = tests.add(rows, np.zeros(300, dtype=np.int64), first, np.ones((3, 300), dtype=bool), None)
    late = tests.add(rows, np.ones(300, dtype=np.int64), second, chosen, None)
    found = (early.closed >= bounds[0]) | (late.closed >= bounds[1])
    expected = np.stack(
        [by_hand(first[:, r], second[:, r], chosen[:, r], bounds) for r in range(300)], axis=1
    )
    assert 0.1 < expected.mean() < 0.9
    assert (found == expected).all()


def test_a_set_once_rejected_stays_so() -> None:
    """At the first look the strong arm and all sets with it are rejected; the weak one then needs only itself."""
    tests = ClosedStages(plan("bonferroni", 2, efficacy=np.array([2.5, 2.0])), 1)
    row, there = np.array([0]), np.ones((2, 1), dtype=bool)
    first = tests.add(row, np.array([0]), np.array([[5.0], [1.6]]), there, None)
    assert first.closed[0, 0] >= 2.5 > first.closed[1, 0]
    second = tests.add(row, np.array([1]), np.array([[np.nan], [1.4]]), np.array([[False], [True]]), None)
    assert second.closed[1, 0] == pytest.approx((1.6 + 1.4) / np.sqrt(2), abs=1e-12)
    assert second.own[1, 0] == second.closed[1, 0]


def test_products_are_compared_with_wassmers_critical_values() -> None:
    """Bauer and Köhne 1994: alpha 0.025, alpha0 0.5: c = 0.0038 and alpha1 = 0.0102; above 0.5 a set is retained."""
    critical = fisher_design(0.025, 2, 0.5, "full_last_level").critical
    fisher = plan(
        "bonferroni", 1, efficacy=norm.isf(critical), products=True, futility_p=0.5, weights=np.ones(2)
    )
    p = np.array([[0.0101, 0.0103, 0.3, 0.3, 0.51], [0.9, 0.9, 0.01265, 0.01270, 1e-6]])
    there, rows = np.ones((1, 5), dtype=bool), np.arange(5)
    tests = ClosedStages(fisher, 5)
    first = tests.add(rows, np.zeros(5, dtype=np.int64), norm.isf(p[:1]), there, None)
    second = tests.add(rows, np.ones(5, dtype=np.int64), norm.isf(p[1:]), there, None)
    shown = (first.closed >= fisher.efficacy[0]) | (second.closed >= fisher.efficacy[1])
    assert shown[0].tolist() == [True, False, True, False, False]
    assert first.lost[0].tolist() == [False, False, False, False, True]
    assert second.closed[0, 4] == LEAST


def test_without_a_statistic_a_stage_counts_as_nothing() -> None:
    tests = ClosedStages(plan(), 1)
    found = tests.add(
        np.array([0]), np.array([0]), np.array([[np.nan], [3.0], [0.0]]), np.ones((3, 1), dtype=bool), None
    )
    assert found.own[0, 0] == LEAST
    assert found.lost[:, 0].tolist() == [True, False, False]


def test_rows_of_a_few_trials_are_theirs_alone() -> None:
    rng = np.random.default_rng(5)
    z, there = rng.normal(1, 1, (3, 8)), np.ones((3, 8), dtype=bool)
    whole, apart = ClosedStages(plan(), 8), ClosedStages(plan(), 8)
    for look in (0, 1):
        numbers = np.full(8, look)
        at_once = whole.add(np.arange(8), numbers, z + look, there, None)
        for some in (np.array([1, 4, 6]), np.array([0, 2, 3, 5, 7])):
            part = apart.add(some, numbers[some], (z + look)[:, some], there[:, some], None)
            for name in ("closed", "own", "lost"):
                assert (getattr(part, name) == getattr(at_once, name)[:, some]).all(), (look, name)


def test_moments_of_groups_are_those_of_each_alone() -> None:
    rng = np.random.default_rng(6)
    groups, times = rng.integers(0, 4, 90).astype(np.int8), rng.integers(0, 100, 90)
    wanted = np.array([True, True, False, True])
    for values in (rng.normal(3, 2, 90), rng.integers(0, 2, 90).astype(np.int8)):
        n, mean, squares = np.empty(4, dtype=np.int64), np.empty(4), np.empty(4)
        moments_by_group(values, groups, times, 20, 70, wanted, True, n, mean, squares)
        for g in range(4):
            mine = values[(groups == g) & (times > 20) & (times <= 70) & wanted[g]]
            assert n[g] == len(mine)
            if values.dtype == np.int8:
                assert (mean[g], squares[g]) == binary_moments(len(mine), int(mine.sum()))
            else:
                assert (mean[g], squares[g]) == mean_and_squares(mine, len(mine))


@pytest.mark.parametrize("size", [3, 49, 98, 103])
def test_a_success_among_many_is_counted_whole(size: int) -> None:
    """Times its number a mean of 1/49 is not 1 to the last bit."""
    values, n, mean, squares = np.zeros(size, dtype=np.int8), np.empty(1, np.int64), np.empty(1), np.empty(1)
    values[0] = 1
    nobody = np.zeros(size, dtype=np.int64)
    moments_by_group(
        values, nobody.astype(np.int8), nobody, -1, 0, np.ones(1, dtype=bool), True, n, mean, squares
    )
    assert (mean[0], squares[0]) == binary_moments(size, 1)
