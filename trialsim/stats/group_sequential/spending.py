"""Error spending functions: how much of a level may be spent by an information fraction."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

Floats = NDArray[np.float64]
Knots = Sequence[tuple[float, float]]


def lan_demets_obrien_fleming(fraction: Floats, level: float) -> Floats:
    """Return the O'Brien-Fleming type spending ``2 - 2 Phi(z_(level/2) / sqrt(t))`` (Lan and DeMets 1983)."""
    return np.asarray(2.0 * ndtr(ndtri(0.5 * level) / np.sqrt(fraction)))


def lan_demets_pocock(fraction: Floats, level: float) -> Floats:
    """Return the Pocock type spending ``level * log(1 + (e - 1) t)`` (Lan and DeMets 1983)."""
    return level * np.log1p((math.e - 1.0) * fraction)


def hwang_shih_decani(fraction: Floats, level: float, gamma: float) -> Floats:
    """Return the gamma family ``level * (1 - exp(-gamma t)) / (1 - exp(-gamma))`` (Hwang, Shih and DeCani 1990)."""
    if gamma == 0.0:
        return level * fraction
    return level * np.expm1(-gamma * fraction) / math.expm1(-gamma)


def kim_demets(fraction: Floats, level: float, rho: float) -> Floats:
    """Return the power family ``level * t**rho`` (Kim and DeMets 1987)."""
    return np.asarray(level * fraction**rho)


def exponential(fraction: Floats, level: float, nu: float) -> Floats:
    """Return the exponential family ``level ** (t ** -nu)`` (Anderson and Clark 2010)."""
    with np.errstate(over="ignore"):
        return np.asarray(level ** (fraction**-nu))


def piecewise_linear(fraction: Floats, level: float, knots: Knots) -> Floats:
    """Return spending that joins (0, 0), the knots (fraction, share of the level) and (1, 1) by straight lines."""
    at, share = zip((0.0, 0.0), *knots, (1.0, 1.0))
    return np.asarray(level * np.interp(fraction, at, share))


WITHOUT_PARAMETER: dict[str, Callable[[Floats, float], Floats]] = {
    "lan_demets_obrien_fleming": lan_demets_obrien_fleming,
    "lan_demets_pocock": lan_demets_pocock,
}
WITH_PARAMETER: dict[str, Callable[[Floats, float, float], Floats]] = {
    "hwang_shih_decani": hwang_shih_decani,
    "kim_demets": kim_demets,
    "exponential": exponential,
}
SPENDING = (*WITHOUT_PARAMETER, *WITH_PARAMETER, "piecewise_linear", "user_defined")


def cumulative_spending(name: str, parameter: object, level: float, times: Floats) -> Floats:
    """Return the error spent by each look; the last spends all that is left.

    Parameters
    ----------
    name
        One of ``SPENDING``.
    parameter
        The family's number; knots for ``piecewise_linear``; for ``user_defined`` the cumulative error at each look.
    level
        The error to spend in all.
    times
        Fractions at which the function is read, above 0; what lies beyond 1 counts as 1.

    Returns
    -------
    Floats
        Never decreasing, by look.
    """
    fraction = np.minimum(times, 1.0)
    if name == "user_defined":
        spent = np.array(parameter, dtype=np.float64)
    elif name == "piecewise_linear":
        spent = piecewise_linear(fraction, level, parameter)  # type: ignore[arg-type]
    elif name in WITHOUT_PARAMETER:
        spent = WITHOUT_PARAMETER[name](fraction, level)
    else:
        spent = WITH_PARAMETER[name](fraction, level, parameter)  # type: ignore[arg-type]
    if name != "user_defined":
        spent[fraction >= 1.0] = level  # exactly: what rounding leaves over is no error to spend later
    spent[-1] = level
    return spent
