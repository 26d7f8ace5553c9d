"""Combination tests: closed forms, simulation, equivalences and refusals."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import chi2, norm

from trialsim.errors import UsageError
from trialsim.stats.combination.adaptive import closed_statistics, intersection_p
from trialsim.stats.combination.fisher import (
    FisherDesign,
    fisher_conditional_error,
    fisher_design,
    fisher_final_p,
)
from trialsim.stats.combination.inverse_normal import (
    combined,
    cui_hung_wang,
    inverse_normal,
    stage_statistics,
)
from trialsim.stats.inference.conditional import conditional_power
from trialsim.stats.multiplicity.adjusted import simes
from trialsim.stats.multiplicity.closure import intersections
from trialsim.stats.multiplicity.dunnett import control_loadings


def test_two_stages_of_fisher_have_a_closed_form() -> None:
    """Bauer and Köhne (1994): level = c1 + c2 (log futility - log c1)."""
    design = FisherDesign(np.array([0.02, 0.004]), np.array([0.4]))
    expected = 0.02 + 0.004 * (math.log(0.4) - math.log(0.02))
    assert design.spent == pytest.approx([0.02, expected], abs=1e-15)
    assert design.levels[1] == pytest.approx(chi2.sf(-2 * math.log(0.004), 4), abs=1e-14)
    for level in (1e-6, 0.025, 0.5):
        for method in ("equal_levels", "no_interaction"):
            first, second = fisher_design(level, 2, 0.7, method).critical
            assert first + second * (math.log(0.7) - math.log(first)) == pytest.approx(level, rel=1e-9)


@pytest.mark.parametrize("futility", [[1.0, 1.0, 1.0], [0.5, 0.3, 0.7], [0.2, 0.9, 0.4]])
def test_what_fisher_spends_is_what_uniform_p_values_do(futility: list[float]) -> None:
    design = fisher_design(0.05, 4, futility, "equal_levels")
    n = 400_000
    p = np.random.default_rng(12).uniform(size=(n, 4))
    products = np.cumprod(p, axis=1)
    going, spent = np.ones(n, dtype=bool), []
    for k in range(4):
        rejected = going & (products[:, k] <= design.critical[k])
        spent.append(rejected.mean())
        going &= ~rejected & (p[:, k] <= futility[k] if k < 3 else True)
    expected = np.diff(design.spent, prepend=0.0)
    assert np.all(np.abs(np.array(spent) - expected) < 5 * np.sqrt(expected / n))


def test_the_final_p_value_is_the_level_spent_at_a_critical_value() -> None:
    design = fisher_design(0.025, 3, [0.6, 0.4])
    for stage in range(3):
        found = fisher_final_p(design, stage, design.critical[stage])
        assert found == pytest.approx(design.spent[stage], abs=1e-14)
    products = np.geomspace(1e-8, 0.3, 40)
    p = [fisher_final_p(design, 2, product) for product in products]
    assert np.all(np.diff(p) > 0)


def test_the_conditional_error_averages_to_the_level() -> None:
    """Over the first p value, between its critical value and the futility bound."""
    design = fisher_design(0.025, 3, [0.6, 0.4])
    nodes, weights = np.polynomial.legendre.leggauss(200)
    low, high = math.log(design.critical[0]), math.log(0.6)
    s = low + 0.5 * (high - low) * (1 + nodes)
    later = [fisher_conditional_error(design, 0, math.exp(each)) * math.exp(each) for each in s]
    average = 0.5 * (high - low) * weights @ np.array(later)
    assert design.critical[0] + average == pytest.approx(0.025, abs=1e-6)


def test_no_trial_is_lost_for_certain_without_interaction() -> None:
    """A product above the critical value before a stage can still be brought below the last one."""
    design = fisher_design(0.05, 4, 0.5, "no_interaction")
    assert design.critical[1:-1] * 0.5 == pytest.approx(design.critical[2:], rel=1e-14)


def test_one_stage_of_fisher_is_the_plain_test() -> None:
    design = fisher_design(0.025, 1)
    assert design.critical.tolist() == [0.025] and design.spent.tolist() == [0.025]


def test_the_weighted_statistic_is_the_plain_one_where_the_plan_is_kept() -> None:
    z = np.random.default_rng(2).standard_normal((50, 3))
    rates = np.array([0.2, 0.7, 1.0])
    assert cui_hung_wang(z, 130 * rates, rates) == pytest.approx(z, abs=1e-13)
    assert combined(stage_statistics(z, 130 * rates), rates) == pytest.approx(z, abs=1e-13)


@pytest.mark.slow
def test_the_weighted_statistic_keeps_its_level_when_size_depends_on_the_data() -> None:
    """A second stage enlarged after a middling first one: the plain statistic does not keep its level."""
    n, level = 400_000, 0.025
    normal = np.random.default_rng(9).standard_normal((n, 2))
    second = np.where((normal[:, 0] > 0.2) & (normal[:, 0] < 1.5), 6.0, 0.05)
    information = np.stack([np.ones(n), 1.0 + second], axis=1)
    score = normal[:, 0] + normal[:, 1] * np.sqrt(second)
    z = np.stack([normal[:, 0], score / np.sqrt(information[:, 1])], axis=1)
    weighted = cui_hung_wang(z, information, [0.5, 1.0])[:, 1]
    assert weighted == pytest.approx((normal[:, 0] + normal[:, 1]) / math.sqrt(2), abs=1e-12)
    error = math.sqrt(level * (1 - level) / n)
    assert abs((weighted >= norm.isf(level)).mean() - level) < 5 * error
    assert (z[:, 1] >= norm.isf(level)).mean() - level > 5 * error


def test_inverse_normal_of_p_values_by_hand() -> None:
    found = inverse_normal([0.1, 0.02], [0.25, 1.0])
    expected = 0.5 * norm.isf(0.1) + math.sqrt(0.75) * norm.isf(0.02)
    assert found == pytest.approx([norm.isf(0.1), expected], abs=1e-14)


def test_the_conditional_error_of_the_inverse_normal() -> None:
    """Posch and Bauer (1999): 1 - Phi((c - w1 z1) / w2), where no look is left but the last."""
    found = conditional_power([0.4, 1.0], [9.0, 1.96], 0, 1.2, 0.0)
    assert found[0] == pytest.approx(norm.sf((1.96 - math.sqrt(0.4) * 1.2) / math.sqrt(0.6)), abs=1e-14)


def test_intersections_of_selected_arms() -> None:
    z = np.array([[1.9, 2.4, 0.3], [0.5, 1.0, 2.2]])
    selected = np.array([[True, False, True], [False, False, True]])
    held = intersections(3)
    factors = control_loadings(40, np.array([30, 40, 60]))
    found = {test: intersection_p(z, test, factors, selected) for test in ("dunnett", "simes", "bonferroni")}
    for r in range(2):
        for row, members in enumerate(held):
            inside = np.flatnonzero(members & selected[r])
            p = norm.sf(z[r, inside])
            if len(inside) == 0:
                expected = {"dunnett": 1.0, "simes": 1.0, "bonferroni": 1.0}
            else:
                alone = intersection_p(z[r, inside], "dunnett", factors[inside])[-1]
                expected = {"dunnett": alone, "simes": simes(p), "bonferroni": min(1, len(p) * p.min())}
            for test, each in expected.items():
                assert found[test][r, row] == pytest.approx(each, abs=1e-12)


def test_an_arm_is_shown_by_all_its_intersections() -> None:
    p = np.random.default_rng(4).uniform(size=(30, 2, 7)) ** 3
    found = closed_statistics(p, [0.4, 1.0])
    each = inverse_normal(np.moveaxis(p, 1, 2), [0.4, 1.0])[..., 1]
    expected = [each[:, intersections(3)[:, j]].min(axis=1) for j in range(3)]
    assert found == pytest.approx(np.stack(expected, axis=1), abs=0)


def test_what_cannot_be_is_refused_with_every_problem() -> None:
    with pytest.raises(UsageError, match=r"alpha is 0.7.*0 stages.*method is 'fisher'.*up to 1"):
        fisher_design(0.7, 0, [0.5, 1.1], "fisher")
    with pytest.raises(UsageError, match=r"alpha is 0\.7") as refused:
        fisher_design(0.7, 3, [0.5, 0.1])
    assert "futility" not in str(refused.value)
    with pytest.raises(UsageError, match="futility bounds lie above alpha and up to 1"):
        fisher_design(0.025, 3, [0.5, 0.02])
    with pytest.raises(UsageError, match="2 futility bounds are given"):
        fisher_design(0.025, 4, [0.5, 0.5])
    with pytest.raises(UsageError, match="needs the loadings"):
        intersection_p([1.0, 2.0], "dunnett")
    with pytest.raises(UsageError, match="allowed: dunnett, simes, bonferroni"):
        intersection_p([1.0, 2.0], "sidak")
    with pytest.raises(UsageError, match="saw nothing new"):
        cui_hung_wang([1.0, 1.2], [50.0, 50.0], [0.5, 1.0])
    with pytest.raises(UsageError, match="ascend"):
        inverse_normal([0.1, 0.2], [0.5, 0.5])
    with pytest.raises(UsageError, match="3 stages are given"):
        inverse_normal([0.1, 0.2, 0.3], [0.5, 1.0])
