"""Designs whose size was solved have the power asked for, and their bounds the error, by simulation."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from trialsim.scenario.load import load_scenario
from trialsim.simulation import simulate

FILE = Path(__file__).resolve().parents[2] / "scenarios" / "computed_bounds" / "computed_bounds.yaml"
REPLICATES = 40_000
SEED = 20260401


def rejected(design: str, truth: str) -> tuple[float, float]:
    """Return the share of trials that reject, and its Monte Carlo error."""
    found = simulate(FILE, design, truth, REPLICATES, SEED).trials()
    (hypothesis,) = load_scenario(FILE).designs[design].tests
    share = float((found[f"reject_look:{hypothesis}"] > 0).mean())
    return share, math.sqrt(share * (1.0 - share) / REPLICATES)


@pytest.mark.slow
@pytest.mark.parametrize("design", ["solved_means", "solved_rates", "solved_survival"])
def test_a_solved_size_has_the_power_asked_for(design: str) -> None:
    power, error = rejected(design, "effect")
    # Rounding up to whole patients and events adds less than 0.002.
    assert abs(power - 0.9) <= 5 * error + 0.002


@pytest.mark.slow
@pytest.mark.parametrize(
    "design", ["means", "rates", "solved_survival_without_futility", "calendar_survival"]
)
def test_alpha_is_spent_where_futility_is_ignored(design: str) -> None:
    alpha, error = rejected(design, "no_effect")
    assert abs(alpha - 0.025) <= 5 * error


def normal_alpha(design: str) -> float:
    """Return the error with futility obeyed for normal statistics: multivariate normal probabilities by Genz (1992)."""
    chosen = load_scenario(FILE).designs[design]
    assert chosen.computed is not None
    (test,) = chosen.tests
    rates = np.array(chosen.computed.information[test])
    covariance = np.sqrt(np.minimum.outer(rates, rates) / np.maximum.outer(rates, rates))
    efficacy, futility = np.array(chosen.efficacy_z(test)), np.array(chosen.futility_z(test))
    total = 0.0
    for look in range(1, len(rates) + 1):
        lower = np.append(futility[: look - 1], efficacy[look - 1])
        upper = np.append(efficacy[: look - 1], np.inf)
        law = multivariate_normal(np.zeros(look), covariance[:look, :look], abseps=1e-8, releps=1e-8)
        total += float(law.cdf(upper, lower_limit=lower))
    return total


@pytest.mark.slow
@pytest.mark.parametrize("design", ["solved_means", "solved_rates", "solved_survival"])
def test_non_binding_futility_that_is_obeyed_lowers_alpha(design: str) -> None:
    alpha, error = rejected(design, "no_effect")
    expected = normal_alpha(design)
    assert 0.022 < expected < 0.0245
    assert abs(alpha - expected) <= 5 * error
