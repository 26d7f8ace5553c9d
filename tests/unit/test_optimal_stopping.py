"""Optimal bounds, against a search that knows nothing of prices and against what must hold of any optimum."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import brentq, minimize, minimize_scalar
from scipy.stats import multivariate_normal, norm

from trialsim.designs.boundaries import group_sequential
from trialsim.stats.group_sequential.optimal import optimal_bounds

ALPHA, POWER = 0.025, 0.9
FIXED = norm.isf(ALPHA) + norm.isf(1 - POWER)


def two_looks(upper: float, lower: float, last: float, drift: float) -> tuple[float, float]:
    """Return the chance to reject and to stop at the first of two equal looks, by the bivariate normal."""
    root = np.sqrt(0.5)
    means = np.array([drift * root, drift])
    joint = multivariate_normal(mean=means, cov=[[1.0, root], [root, 1.0]])
    between = joint.cdf([upper, np.inf]) - joint.cdf([lower, np.inf])
    between -= joint.cdf([upper, last]) - joint.cdf([lower, last])
    early = norm.sf(upper - means[0])
    return early + between, early + norm.cdf(lower - means[0])


@pytest.mark.slow
def test_two_looks_by_search() -> None:
    """One bound is free where both errors are met: the best is found on a line."""
    inflation, drift = 1.1, FIXED * np.sqrt(1.1)

    def cost(upper: float) -> float:
        def missing(lower: float) -> float:
            return two_looks(upper, lower, last_of(upper, lower), drift)[0] - POWER

        def last_of(upper: float, lower: float) -> float:
            return float(brentq(lambda last: two_looks(upper, lower, last, 0.0)[0] - ALPHA, 0.5, 4.0))

        lower = brentq(missing, -3.0, 1.9)
        last = last_of(upper, lower)
        return float(
            inflation
            * np.mean([1 - 0.5 * two_looks(upper, lower, last, d)[1] for d in (0.0, drift / 2, drift)])
        )

    by_search = minimize_scalar(cost, bounds=(2.1, 3.2), method="bounded", options={"xatol": 1e-6})
    found = optimal_bounds([0.5, 1.0], ALPHA, POWER, inflation)
    assert found.objective == pytest.approx(by_search.fun, abs=2e-6)
    assert found.efficacy_z[0] == pytest.approx(by_search.x, abs=5e-3)


def test_three_looks_by_descent() -> None:
    """Five free numbers, penalties on the errors: no descent gets below the optimum, and the best comes close."""
    from trialsim.stats.group_sequential.characteristics import characteristics

    rates, inflation = np.array([1, 2, 3]) / 3, 1.15
    drift = FIXED * np.sqrt(inflation)

    def does(x: np.ndarray) -> tuple[float, float, float]:
        upper, lower = np.array([x[0], x[1], x[2]]), np.array([x[3], x[4], x[2]])
        null, there = (characteristics(rates, lower, upper, d, False) for d in (0.0, drift))
        between = characteristics(rates, lower, upper, drift / 2, False)
        expected = inflation * (null.expected_rate + between.expected_rate + there.expected_rate) / 3
        return null.power, there.power, expected

    by_descent = minimize(
        lambda x: does(x)[2],
        np.array([2.9, 2.4, 2.0, -0.2, 0.9]),
        constraints=[
            {"type": "eq", "fun": lambda x: 100 * (does(x)[0] - ALPHA)},
            {"type": "eq", "fun": lambda x: 100 * (does(x)[1] - POWER)},
        ],
        method="SLSQP",
        options={"ftol": 1e-12, "maxiter": 300},
    )
    assert by_descent.success
    found = optimal_bounds(rates.tolist(), ALPHA, POWER, inflation)
    assert found.objective == pytest.approx(by_descent.fun, abs=1e-6)
    assert found.efficacy_z[:2] == pytest.approx(by_descent.x[:2], abs=2e-3)


@pytest.mark.parametrize(
    ("efficacy", "parameter"),
    [
        ("lan_demets_obrien_fleming", None),
        ("lan_demets_pocock", None),
        ("hwang_shih_decani", -2.0),
        ("kim_demets", 3.0),
    ],
)
def test_no_family_does_better(efficacy: str, parameter: float | None) -> None:
    """At its own maximum, errors met, every family with binding futility expects at least as much information."""
    rates = [0.2, 0.4, 0.6, 0.8, 1.0]
    family = group_sequential(
        rates, alpha=ALPHA, power=POWER, efficacy=efficacy, efficacy_parameter=parameter, futility=efficacy,
        futility_parameter=parameter, futility_binding=True,
    )  # fmt: skip
    found = optimal_bounds(rates, ALPHA, POWER, family.inflation_factor, effects=(0.0, 1.0))
    fixed = FIXED**2
    its_own = (family.expected_information_h0 + family.expected_information_h1) / 2 / fixed
    assert found.error == pytest.approx(ALPHA, abs=1e-9)
    assert found.power == pytest.approx(POWER, abs=1e-9)
    assert found.objective < its_own


def test_impossible_maximum() -> None:
    """Below the fixed test's information nothing has that power."""
    with pytest.raises(ValueError, match="no optimal bounds"):
        optimal_bounds([0.5, 1.0], ALPHA, POWER, 0.9)
