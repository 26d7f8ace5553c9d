"""Group sequential bounds against multivariate normal chances, quadrature and closed forms; and what is refused."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.integrate import quad
from scipy.stats import multivariate_normal, norm

from trialsim import ScenarioError, UsageError
from trialsim.designs import Boundaries, group_sequential
from trialsim.stats.group_sequential.bounds import NoBoundsError, Wanted, solve_power
from trialsim.stats.group_sequential.recursion import stage_probabilities
from trialsim.stats.group_sequential.rooting import NoRootError, root_of_decreasing
from trialsim.stats.group_sequential.spending import SPENDING

HSD: dict[str, Any] = {
    "efficacy": "hwang_shih_decani", "efficacy_parameter": -4,
    "futility": "hwang_shih_decani", "futility_parameter": -2,
}  # fmt: skip


def box(
    rates: NDArray[np.float64], drift: float, low: NDArray[np.float64], high: NDArray[np.float64]
) -> float:
    """Return the chance that the statistics lie in a box, by the multivariate normal distribution of SciPy."""
    bounded = np.isfinite(low) | np.isfinite(high)
    rates, low, high = rates[bounded], low[bounded], high[bounded]
    covariance = np.sqrt(np.minimum.outer(rates, rates) / np.maximum.outer(rates, rates))
    mean = drift * np.sqrt(rates)
    if len(rates) == 1:
        return float(norm.cdf(high[0] - mean[0]) - norm.cdf(low[0] - mean[0]))
    found = multivariate_normal.cdf(
        high, mean, covariance, lower_limit=low, abseps=1e-9, releps=1e-9, maxpts=2_000_000, rng=1
    )
    return float(found)


def stages(found: Boundaries, drift: float, obey: bool) -> NDArray[np.float64]:
    """Return the chances to reject at each look above the efficacy bound, by brute force."""
    upper = found.efficacy_z
    lower = found.futility_z if obey else np.full(len(upper), -np.inf)
    going_on: list[list[tuple[float, float]]] = []
    chances = []
    for look, (low, high) in enumerate(zip(lower, upper)):
        paths = product(*going_on, [(high, np.inf)]) if np.isfinite(high) else ()
        boxes = [np.array(path).T for path in paths]
        rates = found.information_rates[: look + 1]
        chances.append(sum(box(rates, drift, *edges) for edges in boxes))
        if found.request.sides == 1:
            going_on.append([(low, high)])
        else:
            going_on.append([(-high, -low), (low, high)] if low > 0.0 else [(-high, high)])
    return np.array(chances)


DESIGNS: dict[str, dict[str, Any]] = {
    "pocock": {"efficacy": "pocock"},
    "obrien_fleming": {"efficacy": "obrien_fleming"},
    "wang_tsiatis": {"efficacy": "wang_tsiatis", "efficacy_parameter": 0.3},
    "haybittle_peto": {"efficacy": "haybittle_peto", "efficacy_parameter": 3.29},
    "lan_demets": {},
    "hwang_shih_decani": {"efficacy": "hwang_shih_decani", "efficacy_parameter": 1.5},
    "exponential": {"efficacy": "exponential", "efficacy_parameter": 0.75},
    "piecewise_linear": {"efficacy": "piecewise_linear", "efficacy_parameter": [(0.4, 0.1), (0.8, 0.5)]},
    "user_defined": {"efficacy": "user_defined", "efficacy_parameter": [0.001, 0.001, 0.025]},
    "two_sided": {"sides": 2, "alpha": 0.1, "efficacy": "pocock"},
    "two_sided_spending": {"sides": 2, "alpha": 0.3, "efficacy": "kim_demets", "efficacy_parameter": 1},
    "binding": {**HSD, "futility_binding": True},
    "non_binding": HSD,
    "binding_z": {"futility": "z", "futility_parameter": [0.0, 0.7], "futility_binding": True},
    "binding_mirrored": {"efficacy": "pocock", "futility": "pocock", "futility_binding": True},
    "binding_classical_spending": {
        "efficacy": "wang_tsiatis", "efficacy_parameter": 0.2,
        "futility": "kim_demets", "futility_parameter": 2, "futility_binding": True,
    },
    "binding_conditional_power": {
        "futility": "conditional_power", "futility_parameter": 0.3, "futility_binding": True,
    },
    "binding_trend": {
        "efficacy": "pocock", "futility": "conditional_power_trend", "futility_parameter": 0.1,
        "futility_binding": True,
    },
    "two_sided_beta": {"sides": 2, "alpha": 0.05, **HSD},
    "two_sided_beta_binding": {"sides": 2, "alpha": 0.2, **HSD, "futility_binding": True},
    "two_sided_z_binding": {
        "sides": 2, "alpha": 0.1, "futility": "z", "futility_parameter": [-1.0, 0.7], "futility_binding": True,
    },
    "two_sided_mirrored": {
        "sides": 2, "alpha": 0.1, "efficacy": "obrien_fleming", "futility": "obrien_fleming", "futility_binding": True,
    },
    "two_sided_classical_spending": {
        "sides": 2, "alpha": 0.1, "efficacy": "pocock", "futility": "kim_demets", "futility_parameter": 1,
        "futility_binding": True,
    },
    "binding_haybittle_peto": {"futility": "haybittle_peto", "futility_binding": True},
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", DESIGNS)
def test_errors_and_power_are_those_of_the_multivariate_normal_distribution(name: str) -> None:
    found = group_sequential([0.3, 0.65, 1.0], **DESIGNS[name])
    asked = found.request
    null = stages(found, 0.0, obey=asked.futility_binding)
    assert asked.sides * null.sum() == pytest.approx(asked.alpha, abs=3e-8)
    assert asked.sides * np.cumsum(null) == pytest.approx(found.alpha_spent, abs=3e-8)
    effect = stages(found, found.drift, obey=True)
    assert effect.sum() == pytest.approx(asked.power, abs=3e-8)
    assert found.power == pytest.approx(asked.power, abs=1e-10)
    if asked.sides == 1:
        assert effect == pytest.approx(found.stage_reject_h1, abs=3e-8)
    if isinstance(asked.futility, str) and asked.futility in SPENDING:
        interim = np.cumsum(found.stage_futility_h1)[:-1]
        assert interim == pytest.approx(found.beta_spent[:-1], abs=1e-10)
    assert found.stage_reject_h1.sum() + found.stage_futility_h1.sum() == pytest.approx(1.0, abs=1e-12)


def crossing_at_second(
    rates: tuple[float, float], drift: float, low: float, high: float, bound: float
) -> float:
    """Return the chance to lie between two bounds at the first look and above one at the second, by quadrature."""
    first, second = rates
    step = second - first

    def density(z: float) -> float:
        mean = z * np.sqrt(first) + drift * step
        above = norm.sf((bound * np.sqrt(second) - mean) / np.sqrt(step))
        return float(norm.pdf(z - drift * np.sqrt(first)) * above)

    centre = bound * np.sqrt(first / second)  # where paths to the bound mostly come from
    inside = [at for at in (centre - 1.0, centre, centre + 1.0) if low < at < high]
    return float(quad(density, low, high, points=inside, epsabs=0.0, epsrel=1e-11, limit=500)[0])


@pytest.mark.parametrize("alpha", [1e-6, 1e-3, 0.5])
@pytest.mark.parametrize("rates", [(0.01, 1.0), (0.01, 0.02), (0.5, 0.501), (0.9, 1.0)])
@pytest.mark.parametrize("sides", [1, 2])
def test_tiny_levels_early_looks_and_close_looks_keep_their_digits(
    alpha: float, rates: tuple[float, float], sides: int
) -> None:
    spent = (0.2 * alpha, alpha)
    found = group_sequential(
        [*rates], alpha=alpha, sides=sides, efficacy="user_defined", efficacy_parameter=spent
    )
    first, second = found.efficacy_z
    assert first == pytest.approx(norm.isf(0.2 * alpha / sides), rel=1e-12)
    low = -first if sides == 2 else -12.0
    chance = crossing_at_second(rates, 0.0, low, first, second)
    assert sides * chance == pytest.approx(0.8 * alpha, rel=1e-8)


def test_a_distant_bound_is_found_where_next_to_nothing_is_spent() -> None:
    # Lan-DeMets spending of 1e-110 and 1e-56 by the first two looks.
    found = group_sequential([0.01, 0.02, 1.0])
    first, second, _ = found.efficacy_z
    assert first == pytest.approx(norm.isf(norm.sf(norm.isf(0.0125) / 0.1) * 2.0), rel=1e-12)
    chance = crossing_at_second((0.01, 0.02), 0.0, -12.0, first, second)
    assert chance == pytest.approx(found.alpha_spent[1] - found.alpha_spent[0], rel=1e-8)


def test_where_nothing_is_spent_there_is_no_bound() -> None:
    found = group_sequential([0.25, 0.5, 1.0], efficacy="user_defined", efficacy_parameter=[0.0, 0.01, 0.025])
    assert np.isposinf(found.efficacy_z[0])
    assert found.efficacy_z[1] == pytest.approx(norm.isf(0.01), rel=1e-12)
    assert found.document()["efficacy_z"][0] is None
    assert found.warnings == ("Look 1 has no efficacy bound: no error to speak of is spent there.",)


def test_one_look_is_the_fixed_design() -> None:
    for family in ("pocock", "obrien_fleming", "haybittle_peto", "lan_demets_pocock"):
        found = group_sequential([1.0], efficacy=family, futility=family, futility_binding=family == "pocock")
        assert found.futility_z == found.efficacy_z
        assert found.efficacy_z == pytest.approx([norm.isf(0.025)], abs=1e-12)
        assert found.inflation_factor == pytest.approx(1.0, abs=1e-12)
        assert found.expected_information_h1 == pytest.approx((norm.isf(0.025) + norm.isf(0.1)) ** 2)


def test_powers_near_their_limits_are_met() -> None:
    barely = group_sequential(
        [0.5, 1.0], power=0.0251, efficacy="pocock", futility="z", futility_parameter=1.0
    )
    sure = group_sequential(
        [0.5, 1.0], power=1 - 1e-9, efficacy="pocock", futility="kim_demets", futility_parameter=4
    )
    for found in (barely, sure):
        rejects = stages(found, found.drift, obey=True).sum()
        assert rejects == pytest.approx(found.request.power, abs=1e-9)
    assert sure.stage_futility_h1.sum() == pytest.approx(1e-9, rel=1e-5)


@pytest.mark.parametrize("family", ["pocock", "obrien_fleming", "lan_demets_obrien_fleming"])
@pytest.mark.parametrize("sides", [1, 2])
def test_twenty_looks_spend_what_they_may(family: str, sides: int) -> None:
    rates = np.arange(1, 21) / 20
    found = group_sequential(list(rates), alpha=0.05, sides=sides, efficacy=family)
    # An independent recursion: the trapezoid rule on a fine grid of scores, where increments have the same variance.
    step = np.sqrt(0.05)
    grid = np.linspace(-9.0, 9.0, 7201)
    width = grid[1] - grid[0]
    kernel = norm.pdf(np.arange(-7200, 7201) * width, scale=step) * width
    density = norm.pdf(grid, scale=step)
    spent = 0.0
    for look, bound in enumerate(found.efficacy_z * np.sqrt(rates)):
        above = _tail(density, grid, bound)
        spent += sides * above
        inside = _cut(density, grid, bound, sides)
        if look < 19:
            density = np.convolve(inside, kernel, mode="valid")
    assert spent == pytest.approx(0.05, abs=2e-6)


def _tail(density: NDArray[np.float64], grid: NDArray[np.float64], bound: float) -> float:
    """Return the mass above a bound, the cell that holds it in part."""
    width = grid[1] - grid[0]
    share = np.clip((grid + 0.5 * width - bound) / width, 0.0, 1.0)
    return float((density * share).sum() * width)


def _cut(
    density: NDArray[np.float64], grid: NDArray[np.float64], bound: float, sides: int
) -> NDArray[np.float64]:
    width = grid[1] - grid[0]
    kept = np.clip((bound - grid + 0.5 * width) / width, 0.0, 1.0)
    if sides == 2:
        kept *= np.clip((bound + grid + 0.5 * width) / width, 0.0, 1.0)
    return np.asarray(density * kept)


def test_alpha_ignores_non_binding_futility_and_counts_on_binding() -> None:
    rates = [0.2, 0.4, 0.6, 0.8, 1.0]
    plain = group_sequential(rates, efficacy="hwang_shih_decani", efficacy_parameter=-4)
    loose = group_sequential(rates, **HSD)
    bound = group_sequential(rates, **HSD, futility_binding=True)
    assert (loose.efficacy_z == plain.efficacy_z).all()
    assert bound.efficacy_z[-1] < plain.efficacy_z[-1]
    assert loose.at(0.0).power < 0.025 - 1e-4  # where it is obeyed all the same
    assert bound.at(0.0).power == pytest.approx(0.025, abs=1e-12)
    assert (loose.futility_z <= loose.efficacy_z).all()
    assert loose.futility_z[-1] == loose.efficacy_z[-1]


def test_every_field_that_is_printed_is_an_array_here() -> None:
    found = group_sequential(
        [0.3, 0.7, 1], efficacy="lan_demets_pocock", futility="z", futility_parameter=[0.1, 0.6], effect=2.0
    )
    for name, printed in found.document().items():
        here = getattr(found, name)
        if isinstance(here, np.ndarray):
            there = np.array([np.nan if each is None else each for each in printed], dtype=float)
            assert np.array_equal(here, there, equal_nan=True), name
        else:
            assert (list(here) if isinstance(here, tuple) else here) == printed
    # By hand at the first look: the last statistic, given it, has the variance 0.7.
    z, last = found.efficacy_z[0], found.efficacy_z[2]
    trend = z / np.sqrt(0.3)
    for drift, name in ((found.drift, "conditional_power"), (trend, "conditional_power_trend")):
        wanted = norm.cdf((z * np.sqrt(0.3) + drift * 0.7 - last) / np.sqrt(0.7))
        assert getattr(found, f"efficacy_{name}")[0] == pytest.approx(wanted, rel=1e-9)


def test_scales_say_the_same_in_other_words() -> None:
    found = group_sequential([0.5, 1.0], efficacy="pocock", futility="z", futility_parameter=0.2, effect=0.4)
    unit = group_sequential([0.5, 1.0], efficacy="pocock", futility="z", futility_parameter=0.2)
    assert found.maximum_information == pytest.approx(unit.maximum_information / 0.16)
    assert found.efficacy_p == pytest.approx(norm.sf(found.efficacy_z))
    information = found.information_rates * found.maximum_information
    assert found.efficacy_effect * np.sqrt(information) == pytest.approx(found.efficacy_z)
    assert found.futility_effect[0] * np.sqrt(information[0]) == pytest.approx(0.2)
    two_sided = group_sequential([0.5, 1.0], alpha=0.05, sides=2, efficacy="pocock")
    assert two_sided.efficacy_p == pytest.approx(2 * norm.sf(two_sided.efficacy_z))
    for z in (-0.5, 0.2, 2.0):
        for effect, drift in ((None, z / np.sqrt(0.5)), (0.4, unit.drift), (0.0, 0.0)):
            last = unit.efficacy_z[-1]
            # Given the score at the first look, that of the last is normal with variance 1/2.
            expected = norm.sf(last, loc=z * np.sqrt(0.5) + drift * 0.5, scale=np.sqrt(0.5))
            assert found.conditional_power([z, 0.0], effect)[0] == pytest.approx(expected, rel=1e-12)
    assert np.isnan(found.conditional_power([0.0, 0.0])[1])


@pytest.mark.parametrize("binding", [False, True])
def test_futility_by_conditional_power_has_the_conditional_power_asked_for(binding: bool) -> None:
    rates = [0.3, 0.6, 0.9, 1.0]
    planned = group_sequential(
        rates, futility="conditional_power", futility_parameter=0.35, futility_binding=binding
    )
    assert planned.conditional_power(planned.futility_z, 1.0)[:-1] == pytest.approx([0.35] * 3, rel=1e-9)
    trend = group_sequential(
        rates, futility="conditional_power_trend", futility_parameter=0.05, futility_binding=binding
    )
    assert trend.conditional_power(trend.futility_z)[:-1] == pytest.approx([0.05] * 3, rel=1e-9)
    assert trend.power == pytest.approx(0.9, abs=1e-10)


@pytest.mark.slow
def test_spending_follows_the_information_seen() -> None:
    planned = group_sequential([1 / 3, 2 / 3, 1.0], **HSD)
    for seen in ([0.25, 0.7, 1.0], [0.25, 0.7, 0.93], [0.25, 0.7, 1.12]):
        found = planned.monitored(seen)
        assert found.drift == planned.drift
        spent = stages(found, 0.0, obey=False)
        assert spent.sum() == pytest.approx(0.025, abs=3e-8)
        gamma = -4.0
        shares = (1 - np.exp(-gamma * np.array(seen[:2]))) / (1 - np.exp(-gamma))
        assert np.cumsum(spent)[:2] == pytest.approx(0.025 * shares, abs=3e-8)
        early = group_sequential(seen, efficacy="hwang_shih_decani", efficacy_parameter=-4)
        assert found.efficacy_z == pytest.approx(early.efficacy_z, abs=1e-12)
        assert len(found.warnings) == (seen[-1] != 1.0)
    assert planned.monitored([1 / 3, 2 / 3, 1.0]).power == pytest.approx(0.9, abs=1e-9)
    assert planned.monitored([1 / 3, 2 / 3, 1.1]).power > 0.9 > planned.monitored([1 / 3, 2 / 3, 0.9]).power


def test_an_interim_look_that_runs_over_leaves_nothing_for_the_last() -> None:
    found = group_sequential([0.5, 0.9, 1.0], **HSD).monitored([0.5, 1.02, 1.1])
    assert found.alpha_spent[1] == pytest.approx(0.025, rel=1e-12)
    assert np.isposinf(found.efficacy_z[2])
    assert stages(found, 0.0, obey=False) == pytest.approx(np.diff(found.alpha_spent, prepend=0.0), abs=3e-8)
    assert "Look 3 has no efficacy bound" in found.warnings[1]


def test_spending_may_follow_the_calendar() -> None:
    times = np.array([0.4, 0.75, 1.0])
    found = group_sequential(
        [0.3, 0.6, 1.0], efficacy="kim_demets", efficacy_parameter=2, spending_times=list(times)
    )
    assert found.alpha_spent == pytest.approx(0.025 * times**2, rel=1e-12)
    assert found.efficacy_z[0] == pytest.approx(norm.isf(0.025 * 0.16), rel=1e-12)
    assert stages(found, 0.0, obey=False).sum() == pytest.approx(0.025, abs=3e-8)
    over = found.monitored([0.3, 0.5, 0.8], spending_times=[0.4, 0.7, 1.0])
    assert over.alpha_spent == pytest.approx(0.025 * np.array([0.16, 0.49, 1.0]), rel=1e-12)
    with pytest.raises(
        ScenarioError, match="spending_times: the plan reads its spending at times of its own"
    ):
        found.monitored([0.3, 0.5, 0.8])


def test_bounds_that_later_information_moves_are_told() -> None:
    said = "moves those of looks already taken"
    for name in ("pocock", "obrien_fleming"):
        found = group_sequential([0.5, 0.75, 1.0], efficacy=name)
        assert any(said in each for each in found.monitored([0.5, 0.9, 1.0]).warnings)
        assert found.monitored([0.5, 0.9, 1.0]).efficacy_z[0] != found.efficacy_z[0]
    for family in ("haybittle_peto", "lan_demets_pocock"):
        found = group_sequential([0.5, 0.75, 1.0], efficacy=family)
        seen = found.monitored([0.5, 0.9, 1.0])
        assert not any(said in each for each in seen.warnings)
        assert seen.efficacy_z[0] == pytest.approx(found.efficacy_z[0], rel=1e-12)


def test_two_sided_stages_count_both_sides_and_power_the_right_one() -> None:
    found = group_sequential([0.5, 1.0], alpha=0.4, sides=2, power=0.6, efficacy="pocock")
    below, _, above = stage_probabilities(
        found.information_rates, found.drift, np.array([-np.inf, found.efficacy_z[1]]), found.efficacy_z, True
    )
    assert found.power == pytest.approx(above.sum(), abs=1e-12) == pytest.approx(0.6, abs=1e-10)
    assert found.stage_reject_h1 == pytest.approx(above + below, abs=1e-14)
    assert below.sum() > 0.005
    opposite = found.at(-1.0)
    assert opposite.power == pytest.approx(found.power, abs=1e-12)
    assert found.at(0.0).power == pytest.approx(0.4, abs=1e-12)


def test_expected_information_is_the_mean_over_stages() -> None:
    found = group_sequential([0.2, 0.5, 1.0], **HSD)
    stop = found.stage_reject_h1 + found.stage_futility_h1
    assert found.expected_information_h1 == pytest.approx(
        found.maximum_information * float(found.information_rates @ stop), rel=1e-12
    )
    assert found.expected_information_h0 < found.maximum_information
    assert found.at(1.0).power == found.power


def test_bounds_that_rise_from_a_small_first_one_are_found() -> None:
    """With Delta = 1 and a first look at 1% that look spends the level: no path gets to the last bound, ten times its."""
    found = group_sequential([0.01, 1.0], alpha=1e-6, efficacy="wang_tsiatis", efficacy_parameter=1.0)
    assert found.efficacy_z[0] == pytest.approx(norm.isf(1e-6), abs=1e-9)
    assert found.efficacy_z[1] == pytest.approx(10.0 * norm.isf(1e-6), abs=1e-8)


def test_a_rule_that_leaves_no_bound_is_refused() -> None:
    with pytest.raises(ScenarioError, match=r"no last bound spends 0\.001"):
        group_sequential([0.5, 1.0], alpha=0.001, efficacy="haybittle_peto")
    with pytest.raises(ScenarioError, match="no last bound spends"):
        group_sequential(
            [0.5, 1.0], efficacy="haybittle_peto", futility="z", futility_parameter=9.0, futility_binding=True
        )
    with pytest.raises(ScenarioError, match="leave no chance to spend the error at the last look"):
        group_sequential([0.5, 1.0], futility="z", futility_parameter=9.0, futility_binding=True)
    with pytest.raises(ScenarioError, match="futility stops so many trials"):
        group_sequential(
            [0.2, 0.4, 0.6, 0.8, 1.0], alpha=0.5, sides=2, power=0.65, efficacy="obrien_fleming",
            futility="kim_demets", futility_parameter=0.3, futility_binding=True,
        )  # fmt: skip
    never = Wanted(np.array([0.5, 1.0]), 0.025, False, np.zeros(2), None, False)
    with pytest.raises(NoBoundsError, match=r"no maximum information gives the power 0\.9"):
        solve_power(never, 0.9)
    with pytest.raises(ScenarioError, match="nothing is left to spend at the last look"):
        group_sequential([0.5, 1.0], futility="user_defined", futility_parameter=[0.1, 0.1], power=0.9)


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "equal rates": ({"information": [0.5, 0.5, 1.0]}, r"information\[1\]: 0.5 follows 0.5"),
    "falling rates": ({"information": [0.5, 0.4, 1.0]}, r"information\[1\]: 0.4 follows 0.5"),
    "rate zero": ({"information": [0.0, 1.0]}, r"information\[0\]: 0 is not allowed"),
    "rate not a number": ({"information": [float("nan"), 1.0]}, r"information\[0\]: nan is not allowed"),
    "too many looks": ({"information": [(look + 1) / 21 for look in range(21)]}, "21 looks are given"),
    "no looks": ({"information": []}, "0 looks are given"),
    "words": ({"information": "0.5,1"}, "information: '0.5,1' is given"),
    "alpha": ({"alpha": 0.6}, "alpha: 0.6 is not allowed; it lies from 1e-06 to 0.5"),
    "alpha nan": ({"alpha": float("nan")}, "alpha: nan is not allowed"),
    "sides": ({"sides": 3}, "sides: 3 is not allowed; it is 1 or 2"),
    "power": ({"power": 0.02}, "power: 0.02 is not allowed; it lies above alpha"),
    "effect": ({"effect": 0.0}, "effect: 0 is not allowed"),
    "family": ({"efficacy": "pocok"}, "Did you mean 'pocock'"),
    "parameter missing": ({"efficacy": "kim_demets"}, "kim_demets needs its parameter, the power rho"),
    "parameter out": ({"efficacy": "exponential", "efficacy_parameter": -1}, "the parameter of exponential is -1"),
    "parameter not wanted": ({"efficacy_parameter": 1.0}, "takes no parameter"),
    "knots": (
        {"efficacy": "piecewise_linear", "efficacy_parameter": [(0.5, 0.4), (0.5, 0.5)]},
        "the fractions ascend between 0 and 1",
    ),
    "shares": (
        {"efficacy": "piecewise_linear", "efficacy_parameter": [(0.5, 0.4), (0.6, 0.3)]},
        "the shares lie from 0 to 1 and never fall",
    ),
    "knots missing": ({"efficacy": "piecewise_linear", "efficacy_parameter": 2.0}, "takes pairs"),
    "user falls": (
        {"efficacy": "user_defined", "efficacy_parameter": [0.02, 0.01]}, "starts at 0 or above and never falls",
    ),
    "user end": (
        {"efficacy": "user_defined", "efficacy_parameter": [0.01, 0.02]}, "ends at 0.02; it must end at 0.025",
    ),
    "user length": ({"efficacy": "user_defined", "efficacy_parameter": [0.025]}, "by each of the 2 looks"),
    "futility z": ({"futility": "z", "futility_parameter": [0.0, 0.1, 0.2]}, "z takes one number"),
    "parameter alone": ({"futility_parameter": 1.0}, "given without futility"),
    "binding alone": ({"futility_binding": True}, "asked for without futility"),
    "times": ({"spending_times": [0.5]}, "1 are given for 2 looks"),
    "binding in words": (
        {"futility": "z", "futility_parameter": 0.0, "futility_binding": "no"},
        "futility_binding: 'no' is given; it is true or false",
    ),
    "rate beyond a float": ({"information": [10**400, 1]}, r"information\[0\]: inf is not allowed"),
    "rates in no list": ({"information": np.array(1.0)}, "information: a list is given"),
    "alpha beyond a float": ({"alpha": 10**400}, "alpha: a whole number of more than 18 digits is not allowed"),
    "sides in a list": ({"sides": np.array([1, 2])}, "sides: a list is not allowed"),
    "parameter beyond a float": (
        {"efficacy": "wang_tsiatis", "efficacy_parameter": 10**400}, "the parameter of wang_tsiatis is inf",
    ),
    "parameter in no list": (
        {"efficacy": "user_defined", "efficacy_parameter": np.array(0.2)}, "by each of the 2 looks",
    ),
    "rates in lists": ({"information": [[0.5, 1.0], [2.0]]}, "information: a list is given"),
    "family in no word": ({"efficacy": np.array([0.5, 1.0])}, "efficacy: "),
    "times unread": ({"efficacy": "pocock", "spending_times": [0.4, 1.0]}, "no family named reads its spending"),
    "times unread by rules": (
        {"efficacy": "obrien_fleming", "futility": "z", "futility_parameter": 0.0, "spending_times": [0.4, 1.0]},
        "no family named reads its spending",
    ),
    "times fall": ({"spending_times": [0.5, 0.4]}, "above 0 and never fall"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_is_refused_with_a_sentence(case: str) -> None:
    changed, sentence = REFUSED[case]
    with pytest.raises(ScenarioError, match=sentence):
        group_sequential(**{"information": [0.5, 1.0], **changed})


@pytest.mark.parametrize(
    "z", [[1.0], [1.0, 2.0, 3.0], [[1.0, 2.0], [3.0, 4.0]], 1.0, "x", [None, 1.0]], ids=str
)
def test_conditional_power_takes_one_statistic_for_each_look(z: Any) -> None:
    with pytest.raises(UsageError, match="it takes 2 numbers, one for each look"):
        group_sequential([0.5, 1.0]).conditional_power(z)


@pytest.mark.parametrize("effect", [float("nan"), float("inf"), "x", None, [1.0, 2.0]], ids=str)
def test_an_effect_is_a_finite_number(effect: Any) -> None:
    with pytest.raises(UsageError, match="it must be a finite number"):
        group_sequential([0.5, 1.0]).at(effect)


def test_every_problem_is_told_at_once() -> None:
    with pytest.raises(ScenarioError) as refusal:
        group_sequential([1.0, 0.5], alpha=2.0, sides=0, power=7.0, efficacy="x", futility="y", effect=0.0)
    paths = [problem.path for problem in refusal.value.problems]
    assert paths == ["information[1]", "alpha", "sides", "power", "effect", "efficacy", "futility"]


def test_futility_that_meets_efficacy_ends_the_trial_and_is_told() -> None:
    found = group_sequential([0.5, 1.0], efficacy="pocock", futility="z", futility_parameter=9.0)
    assert found.futility_z[0] == found.efficacy_z[0]
    assert found.stage_reject_h1 == pytest.approx([0.9, 0.0], abs=1e-10)
    # All is decided at the first look, a fixed test at its bound with half of the information.
    assert found.drift * np.sqrt(0.5) == pytest.approx(found.efficacy_z[0] + norm.isf(0.1), abs=1e-9)
    assert "meets the efficacy bound at look 1" in found.warnings[0]


def test_a_root_is_found_within_limits_or_not_at_all() -> None:
    assert root_of_decreasing(lambda x: np.exp(-x) - 0.25, 5.0, -50.0, 50.0) == pytest.approx(
        np.log(4.0), abs=1e-11
    )
    step = root_of_decreasing(lambda x: 1.0 if x < 0.7 else -np.inf, 0.0, -50.0, 50.0)
    assert step == pytest.approx(0.7, abs=1e-10)
    with pytest.raises(NoRootError):
        root_of_decreasing(lambda x: 1.0 + np.exp(-x), 0.0, -5.0, 5.0)


@pytest.mark.parametrize("rate", [0.01, 0.5, 4.5, 10.0])
def test_the_last_look_may_lie_far_from_the_planned_maximum(rate: float) -> None:
    """A single look at any rate is the fixed design, whose information is (z_alpha + z_beta)^2 / effect^2."""
    found = group_sequential([rate], effect=0.5)
    fixed = ((norm.isf(0.025) + norm.ppf(0.9)) / 0.5) ** 2
    assert rate * found.maximum_information == pytest.approx(fixed, rel=1e-10)
    later = group_sequential([0.02 * rate, rate], efficacy="pocock", alpha=0.5)
    assert later.at(1.0).power == pytest.approx(0.9, abs=1e-10)
