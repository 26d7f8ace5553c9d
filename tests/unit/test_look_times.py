"""An interim that is placed where it rejects does not hold the level, and by how much it does not."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import multivariate_normal, norm

from trialsim.stats.group_sequential.look_times import TRIED, error_of_look_at_first_crossing
from trialsim.stats.group_sequential.spending import cumulative_spending

ALPHA = 0.025


def bound_at(name: str, time: float) -> float:
    """Return the bound of an interim at a rate."""
    return float(norm.isf(cumulative_spending(name, None, ALPHA, np.array([time, 1.0]))[0]))


def final_bound(interim: float, time: float) -> float:
    """Return the final bound of a design with one interim, by the bivariate normal and bisection."""
    joint = multivariate_normal(mean=[0.0, 0.0], cov=[[1.0, np.sqrt(time)], [np.sqrt(time), 1.0]])
    low, high = 1.0, 4.0
    for _ in range(60):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if 1.0 - joint.cdf([interim, middle]) > ALPHA else (low, middle)
    return low


@pytest.mark.parametrize(
    ("name", "published"), [("lan_demets_obrien_fleming", 0.037), ("lan_demets_pocock", 0.076)]
)
def test_against_a_simulated_motion_and_an_independent_figure(name: str, published: float) -> None:
    """100,000 Brownian motions watched at 76 rates: 5 standard errors; the independent prototype's figure to its digits."""
    rng, trials = np.random.default_rng(8), 100_000
    times = np.array(TRIED)
    bounds = np.array([bound_at(name, time) for time in TRIED])
    crossed, position = np.zeros(trials, dtype=bool), np.zeros(trials)
    for before, time, bound in zip(np.append(0.0, times[:-1]), times, bounds, strict=True):
        position += rng.standard_normal(trials) * np.sqrt(time - before)
        crossed |= position >= bound * np.sqrt(time)
    position += rng.standard_normal(trials) * np.sqrt(1.0 - times[-1])
    rejected = crossed | (position >= final_bound(bounds[-1], times[-1]))
    found = error_of_look_at_first_crossing(name, ALPHA)
    assert abs(rejected.mean() - found) < 5 * np.sqrt(found * (1 - found) / trials)
    assert found == pytest.approx(published, abs=6e-4)


@pytest.mark.parametrize("name", ["lan_demets_obrien_fleming", "lan_demets_pocock"])
def test_a_single_rate_is_a_planned_look(name: str) -> None:
    """Where there is nothing to choose among, the level is held."""
    assert error_of_look_at_first_crossing(name, ALPHA, (0.5,)) == pytest.approx(ALPHA, abs=1e-10)
