"""Bounds of a one-sided test that make its expected information as small as can be, at given errors and a given maximum.

With prices on both errors, the best way to stop is a decision problem that backward induction solves; prices are then found
at which the errors are those wanted (Eales and Jennison, Biometrika 79, 1992, 13-24; Barber and Jennison,
Biometrika 89, 2002, 49-60). Futility bounds are binding: who gives up where it is optimal must do so.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq, root
from scipy.special import ndtr, ndtri

from trialsim.stats.group_sequential.characteristics import Characteristics, characteristics

Floats = NDArray[np.float64]

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(96)
_SEARCHED = 801
_STARTS = ((3.0, 2.0), (2.0, 1.0), (4.0, 3.0), (1.0, 0.5), (5.0, 4.0), (6.0, 5.0))


@dataclass(frozen=True)
class OptimalBounds:
    """The best bounds, and what they do.

    Parameters
    ----------
    efficacy_z, futility_z
        By look; at the last they meet. Where nothing is worth going on for, they meet earlier.
    error, power
        Attained.
    expected
        Expected information at each effect, over that of the fixed test with the same errors.
    objective
        The weighted mean of these.
    """

    efficacy_z: Floats
    futility_z: Floats
    error: float
    power: float
    expected: Floats
    objective: float


def optimal_bounds(
    rates: Sequence[float],
    alpha: float,
    power: float,
    inflation: float,
    effects: Sequence[float] = (0.0, 0.5, 1.0),
    weights: Sequence[float] | None = None,
) -> OptimalBounds:
    """Return the bounds with the smallest weighted expected information.

    Parameters
    ----------
    rates
        Information at each look over the maximum, ascending to 1.
    alpha, power
        Error under no effect, and chance to reject under the effect 1.
    inflation
        Maximum information over that of the fixed test; above 1.
    effects
        At which expected information counts, in units of the alternative.
    weights
        Their weights; equal by default.

    Raises
    ------
    ValueError
        If no prices are found: ``inflation`` is too small for that many looks, or so large that it is never used.
    """
    times = np.asarray(rates, dtype=np.float64)
    drift = float(ndtri(1.0 - alpha) + ndtri(power)) * math.sqrt(inflation)
    share = (
        np.full(len(effects), 1.0 / len(effects))
        if weights is None
        else np.asarray(weights, dtype=np.float64)
    )
    drifts = drift * np.asarray(effects, dtype=np.float64)

    def off(prices: Floats) -> Floats:
        upper, lower = _bounds(times, drift, drifts, share, *np.exp(prices))
        error, reached = (_does(times, upper, lower, each).power for each in (0.0, drift))
        return np.asarray([ndtri(error) - ndtri(alpha), ndtri(reached) - ndtri(power)])

    for start in _STARTS:
        found = root(off, np.asarray(start), tol=1e-12)
        if found.success or np.abs(found.fun).max() < 1e-8:
            break
    else:
        raise ValueError(
            f"no optimal bounds were found for a maximum of {inflation:g} times the fixed information"
        )
    upper, lower = _bounds(times, drift, drifts, share, *np.exp(found.x))
    null, alternative = (_does(times, upper, lower, each) for each in (0.0, drift))
    expected = inflation * np.array([_does(times, upper, lower, each).expected_rate for each in drifts])
    scale = np.sqrt(times)
    return OptimalBounds(
        upper / scale, lower / scale, null.power, alternative.power, expected, float(share @ expected)
    )


def _does(times: Floats, upper: Floats, lower: Floats, drift: float) -> Characteristics:
    """Return what bounds on Brownian motion do, by forward recursion."""
    scale = np.sqrt(times)
    return characteristics(times, lower / scale, upper / scale, drift, False)


def _bounds(
    times: Floats, drift: float, drifts: Floats, share: Floats, price_error: float, price_miss: float
) -> tuple[Floats, Floats]:
    """Return the bounds on Brownian motion with the smallest expected cost, by backward induction under no drift.

    What is paid: the weighted expected time, ``price_error`` for rejecting without an effect, ``price_miss`` for giving up
    with one. Costs under a drift are weighted by its likelihood ratio, so that one law serves all.
    """
    upper, lower = np.empty(len(times)), np.empty(len(times))
    nodes = values = np.empty(0)

    def ratio(b: Floats, t: float, of: float) -> Floats:
        return np.asarray(np.exp(of * b - 0.5 * of * of * t))

    def going_on(b: Floats, look: int) -> Floats:
        """Return the cost of going on from positions after a look."""
        step = times[look + 1] - times[look]
        sd, b = math.sqrt(step), np.atleast_1d(b)
        paid = step * sum(w * ratio(b, times[look], of) for w, of in zip(share, drifts, strict=True))
        paid = paid + price_error * ndtr((b - upper[look + 1]) / sd)
        missed = ndtr((lower[look + 1] - b - drift * step) / sd)
        paid = paid + price_miss * ratio(b, times[look], drift) * missed
        if len(nodes):
            density = np.exp(-0.5 * ((nodes - b[:, None]) / sd) ** 2) / (sd * math.sqrt(2.0 * math.pi))
            paid = paid + density @ values
        return np.asarray(paid)

    for look in range(len(times) - 1, -1, -1):
        t = times[look]
        # Where rejecting costs as much as giving up.
        middle = (math.log(price_error / price_miss) + 0.5 * drift * drift * t) / drift
        upper[look] = lower[look] = middle
        if look + 1 < len(times):

            def stays(b: float, here: int = look) -> float:
                stop = min(price_error, price_miss * float(ratio(np.asarray(b), times[here], drift)))
                return float(going_on(np.asarray([b]), here)[0]) - stop

            reach = 8.0 * math.sqrt(t) + abs(middle)
            tried = np.linspace(middle - reach, middle + reach, _SEARCHED)
            cost = going_on(tried, look) - np.minimum(price_error, price_miss * ratio(tried, t, drift))
            better = np.flatnonzero(cost < 0.0)
            if len(better):
                first, last = better[0], better[-1]
                low = brentq(stays, tried[first - 1], tried[first], xtol=1e-13)
                high = brentq(stays, tried[last], tried[last + 1], xtol=1e-13)
                fresh = 0.5 * (high - low) * _NODES + 0.5 * (high + low)
                costs = going_on(fresh, look) * 0.5 * (high - low) * _WEIGHTS
                lower[look], upper[look] = low, high
                nodes, values = fresh, costs
                continue
        nodes = values = np.empty(0)
    return upper, lower
