"""Dynamic programming for allocation, against enumeration written another way and against known answers."""

from __future__ import annotations

import math
from fractions import Fraction
from functools import cache
from itertools import product

import numpy as np
import pytest

from trialsim.learning.exact_rules import chosen, halves, rule_of, stopped_early
from trialsim.policies.doubly_adaptive import DoublyAdaptive
from trialsim.policies.thompson import Thompson
from trialsim.stats.optimal_allocation import (
    Course,
    Rule,
    best_value,
    beta_moments,
    final_law,
    points_moments,
    value_of,
)


def bandit_by_hand(n: int, block: int, worth: dict[tuple[int, int, int], Fraction] | None) -> Fraction:
    """Return the optimum with uniform priors in exact fractions, by recursion over successes and failures."""

    def predictive(s: int, f: int, more: int, x: int) -> Fraction:
        ways = Fraction(math.comb(more, x))
        top = math.factorial(s + x) * math.factorial(f + more - x) * math.factorial(s + f + 1)
        return ways * Fraction(top, math.factorial(s) * math.factorial(f) * math.factorial(s + f + more + 1))

    @cache
    def value(s0: int, f0: int, s1: int, f1: int) -> Fraction:
        if s0 + f0 + s1 + f1 == n:
            return Fraction(s0 + s1) + (worth[s1 + f1, s0, s1] if worth else 0)
        return max(
            sum(
                (
                    predictive(s1, f1, k, y)
                    * predictive(s0, f0, block - k, x)
                    * value(s0 + x, f0 + block - k - x, s1 + y, f1 + k - y)
                    for y, x in product(range(k + 1), range(block - k + 1))
                ),
                Fraction(0),
            )
            for k in range(block + 1)
        )

    return value(0, 0, 0, 0)


def test_two_patients_one_after_the_other() -> None:
    """After a success stay, 2/3; after a failure switch, 1/2: 1/2 + (2/3 + 1/2) / 2 = 13/12."""
    course, prior = Course(2, 1), beta_moments(1, 1, 2)
    value, _ = best_value(course, prior, prior, course.responders())
    assert value == pytest.approx(13 / 12, abs=1e-14)


@pytest.mark.parametrize(("n", "block"), [(6, 1), (8, 2), (9, 3)])
def test_against_fractions(n: int, block: int) -> None:
    """The optimum for responders and a rejection, each state's worth told one by one."""
    course, prior = Course(n, block), beta_moments(1, 1, n)
    rejects = course.score_z() >= 1.2
    worth = {
        (k, s0, s1): Fraction(3 * int(rejects[k, s0, s1]))
        for k in range(n + 1)
        for s0 in range(n - k + 1)
        for s1 in range(k + 1)
    }
    value, numbers = best_value(course, prior, prior, course.responders() + 3.0 * rejects)
    assert value == pytest.approx(float(bandit_by_hand(n, block, worth)), abs=1e-12)
    again = value_of(course, prior, prior, course.responders() + 3.0 * rejects, chosen(course, numbers))
    assert again == pytest.approx(value, abs=1e-12)


def test_score_statistic_of_states() -> None:
    """A 2 by 2 table worked by hand: 3 of 5 against 1 of 4."""
    z = Course(9, 3).score_z()[5, 1, 3]
    pooled = 4 / 9
    assert z == pytest.approx((3 / 5 - 1 / 4) / math.sqrt(pooled * (1 - pooled) * (1 / 5 + 1 / 4)))


def test_simple_randomisation_gives_binomial_laws() -> None:
    """With halves the final law is a product of binomials, and power that of enumeration."""
    course = Course(12, 4)
    law = final_law(course, 0.3, 0.6, halves(course))
    for k, s0, s1 in ((6, 2, 4), (0, 3, 0), (9, 1, 5)):
        by_hand = (
            math.comb(12, k) * 0.5**12
            * math.comb(12 - k, s0) * 0.3**s0 * 0.7 ** (12 - k - s0)
            * math.comb(k, s1) * 0.6**s1 * 0.4 ** (k - s1)
        )  # fmt: skip
        assert law[k, s0, s1] == pytest.approx(by_hand, rel=1e-12)
    assert law.sum() == pytest.approx(1.0, abs=1e-12)


def test_forwards_and_backwards_agree() -> None:
    """The value under a prior of points is the mean of the values under each."""
    course, rule = Course(20, 5), rule_of(DoublyAdaptive(), Course(20, 5))
    rates = (0.2, 0.6)
    prior = points_moments(rates, (0.5, 0.5), course.n)
    final = course.responders() + 10.0 * (course.score_z() > 1.5)
    there = value_of(course, prior, prior, final, rule)
    laws = [final_law(course, p0, p1, rule) for p0 in rates for p1 in rates]
    assert there == pytest.approx(np.mean([(law * final).sum() for law in laws]), rel=1e-12)


def test_nothing_beats_the_optimum() -> None:
    """Every rule is at or below it, one that is drawn at random too."""
    course, prior = Course(20, 4), beta_moments(1, 1, 20)
    final = course.responders() + 8.0 * (course.score_z() >= 1.645)
    best, _ = best_value(course, prior, prior, final)
    rng = np.random.default_rng(3)
    drawn = {seen: rng.random((seen + 1,) * 3) for seen in course.times}
    for rule in (halves(course), Rule(drawn.__getitem__), rule_of(DoublyAdaptive(), course)):
        assert value_of(course, prior, prior, final, rule) < best


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rule", "prototype"),
    [
        (Thompson(), 0.497),
        (Thompson(tempered=True, minimum=0.1, maximum=0.9), 0.790),
    ],
    ids=["thompson", "tempered"],
)
def test_power_at_bounds_calibrated_at_one_rate(rule: Thompson, prototype: float) -> None:
    """An independent prototype of 40,000 trials, which calibrates at 0.3 alone: 200 patients, ten blocks, 0.3 against 0.5.

    Thompson's rule takes normal approximations of the posteriors there, which cost a percentage point of power.
    """
    course = Course(200, 20)
    how = rule_of(rule, course)
    null, works = (final_law(course, 0.3, rate, how).ravel() for rate in (0.3, 0.5))
    z = course.score_z().ravel()
    order = np.argsort(-z, kind="stable")

    def power_at(level: float) -> float:
        bound = z[order][np.searchsorted(np.cumsum(null[order]), level)]
        return float(works[z > bound].sum())

    off = np.sqrt(0.025 * 0.975 / 40_000)
    error = np.hypot(
        np.sqrt(prototype * (1 - prototype) / 40_000), 0.5 * (power_at(0.025 + off) - power_at(0.025 - off))
    )
    assert abs(power_at(0.025) - prototype) < 5 * error + 0.003


def test_stopping_early_rejects_as_by_hand() -> None:
    """Ten a look, two looks: the first bound crossed, or the second and not the first, summed over tables."""
    course = Course(20, 10)
    trial = stopped_early(course, [1.5, 1.8], [-np.inf, -np.inf], [10, 20])
    law = final_law(course, 0.4, 0.7, trial.rule)

    def z(s0: int, s1: int, n: int) -> float:
        pooled = (s0 + s1) / (2 * n)
        return 0.0 if pooled in (0, 1) else (s1 - s0) / n / math.sqrt(pooled * (1 - pooled) * 2 / n)

    def pmf(s: int, p: float) -> float:
        return math.comb(5, s) * p**s * (1 - p) ** (5 - s)

    by_hand = 0.0
    for a0, a1 in product(range(6), range(6)):
        mass = pmf(a0, 0.4) * pmf(a1, 0.7)
        if z(a0, a1, 5) >= 1.5:
            by_hand += mass
            continue
        by_hand += mass * sum(
            pmf(b0, 0.4) * pmf(b1, 0.7)
            for b0, b1 in product(range(6), range(6))
            if z(a0 + b0, a1 + b1, 10) >= 1.8
        )
    assert law[trial.rejects].sum() == pytest.approx(by_hand, abs=1e-12)


def test_blocks_must_fit() -> None:
    """A trial that does not come in whole blocks is refused with a sentence."""
    with pytest.raises(ValueError, match="do not come in whole blocks"):
        Course(10, 3)
