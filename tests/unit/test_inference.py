"""Inference after looks: what must hold by definition, by closed forms, and over simulated trials."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy.stats import kstest, multivariate_normal, norm

from trialsim.designs import group_sequential
from trialsim.errors import UsageError
from trialsim.stats.group_sequential.recursion import stage_probabilities
from trialsim.stats.inference.conditional import conditional_power, predictive_power
from trialsim.stats.inference.overrun import Stopped, combination_method, deletion_method
from trialsim.stats.inference.repeated import repeated_interval, repeated_p
from trialsim.stats.inference.stagewise import adjusted_inference, stagewise_effect, stagewise_p

NONE = np.full(3, -np.inf)
INFORMATION = np.array([30.0, 65.0, 100.0])
PLAN = group_sequential(
    [0.3, 0.65, 1.0], efficacy="lan_demets_pocock", futility="z", futility_parameter=[-0.2, 0.6]
)
N = 4000


def trials(effect: float, lower: Any, upper: Any) -> tuple[Any, Any]:
    """Return where simulated trials end, and with what statistic."""
    steps = np.diff(INFORMATION, prepend=0.0)
    normal = np.random.default_rng(20031).standard_normal((N, 3))
    z = np.cumsum(normal * np.sqrt(steps) + effect * steps, axis=1) / np.sqrt(INFORMATION)
    ends = (z >= upper) | (z <= lower)
    ends[:, -1] = True
    looks = ends.argmax(axis=1)
    return looks, z[np.arange(N), looks]


@pytest.mark.parametrize("effect", [0.0, 0.25])
def test_the_p_value_of_the_true_effect_is_uniform(effect: float) -> None:
    """So the interval covers it with its confidence, and the estimate is above it half the time."""
    lower, upper = PLAN.futility_z, PLAN.efficacy_z
    looks, z = trials(effect, np.where(np.arange(3) < 2, lower, -np.inf), upper)
    p = stagewise_p(INFORMATION, lower, upper, looks, z, effect)
    assert set(looks) == {0, 1, 2}
    assert kstest(p, "uniform").statistic < 1.95 / math.sqrt(N)  # the Kolmogorov bound of 0.1%
    plain = norm.sf(z - effect * np.sqrt(INFORMATION[looks]))
    assert kstest(plain, "uniform").statistic > 1.95 / math.sqrt(N)  # what ignores the looks is not


def test_the_p_value_is_that_of_the_joint_normal_distribution() -> None:
    covariance = np.sqrt(
        np.minimum.outer(INFORMATION, INFORMATION) / np.maximum.outer(INFORMATION, INFORMATION)
    )
    upper = PLAN.efficacy_z
    two = multivariate_normal(cov=covariance[:2, :2])
    expected = norm.sf(upper[0]) + (norm.cdf(upper[0]) - two.cdf([upper[0], 2.1]))
    found = stagewise_p(INFORMATION, NONE, upper, 1, 2.1)
    assert found[0] == pytest.approx(expected, abs=1e-9)


@pytest.mark.slow
def test_the_limits_are_the_effects_whose_p_values_are_the_tails() -> None:
    found = adjusted_inference(
        INFORMATION, PLAN.futility_z, PLAN.efficacy_z, [0, 1, 2], [-0.4, 2.9, 1.1], 0.9
    )
    for effects, chance in ((found.lower, 0.05), (found.estimate, 0.5), (found.upper, 0.95)):
        again = stagewise_p(
            INFORMATION, PLAN.futility_z, PLAN.efficacy_z, [0, 1, 2], [-0.4, 2.9, 1.1], effects
        )
        assert again == pytest.approx(np.full(3, chance), abs=1e-10)


def test_the_looks_planned_after_the_end_do_not_matter() -> None:
    now = adjusted_inference(INFORMATION, NONE, PLAN.efficacy_z, 1, 2.7)
    other = adjusted_inference([30, 65, 500.0], NONE, [*PLAN.efficacy_z[:2], 9.0], 1, 2.7)
    assert (now.p_value, now.lower) == (other.p_value, other.lower)


def test_arms_swapped_swap_a_two_sided_inference() -> None:
    upper = group_sequential([0.3, 0.65, 1.0], sides=2, alpha=0.05).efficacy_z
    one = adjusted_inference(INFORMATION, NONE, upper, [1, 2], [2.9, 1.3], two_sided_bounds=True)
    other = adjusted_inference(INFORMATION, NONE, upper, [1, 2], [-2.9, -1.3], two_sided_bounds=True)
    assert other.estimate == pytest.approx(-one.estimate, abs=1e-11)
    assert other.lower == pytest.approx(-one.upper, abs=1e-11)
    assert other.p_value == pytest.approx(1 - one.p_value, abs=1e-12)


def test_each_replicate_may_have_its_own_information_and_bounds() -> None:
    information = np.array([[30.0, 65.0, 100.0], [20.0, 80.0, 90.0]])
    upper = np.array([PLAN.efficacy_z, [2.2, 2.5, 2.4]])
    lower = np.full((2, 3), -np.inf)
    both = stagewise_effect(information, lower, upper, [1, 2], [2.4, 1.9], 0.5)
    alone = [
        stagewise_effect(information[r], lower[r], upper[r], look, z, 0.5)[0]
        for r, (look, z) in enumerate([(1, 2.4), (2, 1.9)])
    ]
    assert both.tolist() == alone


def test_extreme_statistics_have_finite_limits() -> None:
    found = adjusted_inference(INFORMATION, NONE, PLAN.efficacy_z, [0, 0, 2, 2], [9.0, -9.0, 8.0, -8.0])
    for each in (found.estimate, found.lower, found.upper):
        assert np.isfinite(each).all()
    assert (found.lower < found.estimate).all() and (found.estimate < found.upper).all()


def test_the_repeated_p_value_is_the_level_whose_interval_ends_at_no_effect() -> None:
    def bound_at(alpha: float) -> float:
        return float(group_sequential([0.3, 0.65, 1.0], alpha=alpha, power=0.9).efficacy_z[1])

    p = repeated_p(2.2, bound_at, 1e-6, 0.5)
    lower, _ = repeated_interval(2.2, 65.0, bound_at(p))
    assert float(lower) == pytest.approx(0.0, abs=1e-9)
    assert repeated_p(-3.0, bound_at, 1e-6, 0.5) == 0.5
    assert repeated_p(12.0, bound_at, 1e-6, 0.5) == 1e-6


def test_conditional_power_averages_to_power() -> None:
    """Over the statistic of the first look, what conditional power promises is the power of the looks after it."""
    lower, upper, effect = PLAN.futility_z, PLAN.efficacy_z, 0.3
    nodes, weights = np.polynomial.legendre.leggauss(60)
    half, middle = 0.5 * (upper[0] - lower[0]), 0.5 * (upper[0] + lower[0])
    z = middle + half * nodes
    later = np.array([conditional_power(INFORMATION, upper, 0, each, effect, lower) for each in z])
    average = half * weights * norm.pdf(z - effect * math.sqrt(30.0)) @ later
    assert average == pytest.approx(PLAN.at(effect * 100**0.5 / PLAN.drift).stage_reject[1:], abs=1e-10)


def test_conditional_power_of_a_two_sided_design_averages_to_power_on_its_side() -> None:
    """A trial that stops at the mirrored bound is no success, and is not one later either."""
    plan = group_sequential([0.3, 0.65, 1.0], sides=2, alpha=0.5, power=0.8, efficacy="lan_demets_pocock")
    bound = plan.efficacy_z
    nodes, weights = np.polynomial.legendre.leggauss(60)
    later = np.array([
        conditional_power(INFORMATION, bound, 0, bound[0] * node, 0.05, two_sided=True) for node in nodes
    ])  # fmt: skip
    average = bound[0] * weights * norm.pdf(bound[0] * nodes - 0.05 * math.sqrt(30.0)) @ later
    opposite, _, above = stage_probabilities(INFORMATION, 0.05, np.append(NONE[:2], bound[2]), bound, True)
    assert average == pytest.approx(above[1:], abs=1e-10)
    assert opposite[:2].sum() > 0.05
    one_sided = conditional_power(INFORMATION, bound, 0, 0.0, 0.05)
    assert one_sided[-1] > conditional_power(INFORMATION, bound, 0, 0.0, 0.05, two_sided=True)[-1] + 1e-5


def test_predictive_power_with_one_look_left_has_a_closed_form() -> None:
    information, z, prior_mean, prior_information = np.array([40.0, 100.0]), 1.1, 0.2, 25.0
    found = predictive_power(information, [9.0, 2.0], 0, z, prior_mean, prior_information)
    precision = 40.0 + prior_information
    mean = (z * math.sqrt(40.0) + prior_mean * prior_information) / precision
    spread = math.sqrt(60.0 + 60.0**2 / precision)
    short = 2.0 * math.sqrt(100.0) - z * math.sqrt(40.0) - 60.0 * mean
    assert found == pytest.approx([norm.sf(short / spread)], abs=1e-11)
    flat = predictive_power(information, [9.0, 2.0], 0, z)
    expected = norm.cdf((z - 2.0 * math.sqrt(0.4)) / math.sqrt(0.6))  # Jennison and Turnbull 2000, sec. 10.3
    assert flat == pytest.approx([expected], abs=1e-11)


def test_overrunning_with_nothing_after_the_stop_changes_nothing() -> None:
    trial = Stopped(INFORMATION[:2], NONE[:2], PLAN.efficacy_z[:2], 2.6, 65.0, 2.6)
    plain = adjusted_inference(INFORMATION[:2], NONE[:2], PLAN.efficacy_z[:2], 1, 2.6)
    for found in (deletion_method(trial), combination_method(trial)):
        for name in ("p_value", "estimate", "lower", "upper"):
            assert getattr(found, name) == pytest.approx(getattr(plain, name), abs=1e-10)


def test_a_trial_stopped_at_its_first_look_combines_to_the_plain_analysis() -> None:
    """Both p values are then of plain normal statistics, weighted by their information."""
    trial = Stopped([30.0], [-np.inf], [2.0], 2.4, 50.0, 2.1)
    found = combination_method(trial)
    assert found.p_value[0] == pytest.approx(norm.sf(2.1), abs=1e-13)
    assert found.estimate[0] == pytest.approx(2.1 / math.sqrt(50.0), abs=1e-10)
    half = norm.ppf(0.975) / math.sqrt(50.0)
    assert found.upper[0] - found.estimate[0] == pytest.approx(half, abs=1e-10)


@pytest.mark.parametrize("unit", [1e-18, 1e18])
def test_effects_after_overrunning_go_with_their_unit(unit: float) -> None:
    """A two-look trial whose effect is counted in another unit, and its information in that of 1 / unit^2."""
    information = INFORMATION[:2]
    for method in (combination_method, deletion_method):
        plain = method(Stopped(information, NONE[:2], PLAN.efficacy_z[:2], 2.6, 80.0, 2.3))
        scaled = method(
            Stopped(information / unit**2, NONE[:2], PLAN.efficacy_z[:2], 2.6, 80.0 / unit**2, 2.3)
        )
        assert scaled.p_value == pytest.approx(plain.p_value, rel=1e-10)
        for name in ("estimate", "lower", "upper"):
            assert getattr(scaled, name) / unit == pytest.approx(getattr(plain, name), rel=1e-9)


def test_the_deletion_method_is_the_stagewise_p_value_without_the_look() -> None:
    trial = Stopped(INFORMATION[:2], NONE[:2], PLAN.efficacy_z[:2], 2.6, 80.0, 2.3)
    expected = stagewise_p([30.0, 80.0], NONE[:2], PLAN.efficacy_z[:2], 1, 2.3)
    assert deletion_method(trial).p_value == pytest.approx(expected, abs=0)


def test_the_combined_p_value_after_overrunning_is_uniform() -> None:
    upper, later = PLAN.efficacy_z, 12.0
    looks, z = trials(0.0, NONE, upper)
    extra = np.random.default_rng(77).standard_normal(N)
    p = []
    for look, at, more in zip(looks[:1500], z, extra):
        info = INFORMATION[: look + 1]
        total = info[-1] + later
        final = (at * math.sqrt(info[-1]) + more * math.sqrt(later)) / math.sqrt(total)
        trial = Stopped(info, NONE[: look + 1], upper[: look + 1], at, total, final)
        p.append(_p_alone(trial))
    assert kstest(p, "uniform").statistic < 1.95 / math.sqrt(len(p))


def _p_alone(trial: Stopped) -> float:
    return float(combination_method(trial, weight=0.8).p_value[0])


def test_overrunning_refuses_less_information_than_at_the_stop() -> None:
    with pytest.raises(ValueError, match="at least that at the stop"):
        combination_method(Stopped([30.0], [-np.inf], [2.0], 2.4, 20.0, 2.1))


@pytest.mark.parametrize("look", [3, -1, 1.7, 10**6], ids=str)
def test_a_look_that_is_not_there_is_refused(look: Any) -> None:
    """Compiled code would read past the end of the arrays."""
    upper = PLAN.efficacy_z
    with pytest.raises(UsageError, match="A look is a whole number from 0 to 2"):
        adjusted_inference(INFORMATION, NONE, upper, [look], [2.0])
    for chance in (conditional_power, predictive_power):
        with pytest.raises(UsageError, match="A look is a whole number from 0 to 2"):
            chance(INFORMATION, upper, look, 1.0, 0.2)


def test_bounds_that_do_not_fit_the_looks_are_refused() -> None:
    upper = PLAN.efficacy_z
    with pytest.raises(UsageError, match="one number for every look"):
        stagewise_p(INFORMATION, NONE, upper[:2], [2], [2.0])
    with pytest.raises(UsageError, match="one number for every look"):
        conditional_power(INFORMATION, upper[:2], 0, 1.0, 0.2)
    with pytest.raises(UsageError, match="one number for every look"):
        predictive_power(INFORMATION, upper, 0, 1.0, lower=[0.0])
    for wrong in ([30.0, 30.0, 100.0], [0.0, 65.0, 100.0], [30.0, np.nan, 100.0], [30.0, 65.0, np.inf]):
        with pytest.raises(UsageError, match="rises from look to look"):
            stagewise_p(wrong, NONE, upper, [1], [2.0])
    for chance in (0.0, 1.0, np.nan):
        with pytest.raises(UsageError, match="it lies between 0 and 1"):
            stagewise_effect(INFORMATION, NONE, upper, [1], [2.0], chance)
