"""Recursive numerical integration over the looks (Armitage, McPherson and Rowe 1969; Jennison and Turnbull 2000, ch. 19).

The statistic of look ``k`` is ``Z_k ~ N(drift * sqrt(t_k), 1)``, and ``Z_k * sqrt(t_k)`` has independent increments
of variance ``t_k - t_{k-1}``. What still runs after a look is a density over its continuation region, kept as values at
the nodes of Gauss-Legendre panels times their weights. Panels are as narrow as the narrowest feature of the integrand,
so that close looks lose no precision, and reach as far as the most distant bound that a later look can have.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from trialsim.compiled import kernel
from trialsim.elementary import natural_exp

Floats = NDArray[np.float64]

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(16)
_PANEL = 5.0  # standard deviations of the narrowest feature under one panel of 16 nodes: errors near 1e-13
_REACH = 8.0  # standard deviations beyond which a density holds less than 1e-15
_BEYOND = 6.5  # standard deviations beyond the way to a distant bound that are kept
_FARTHEST = 37.0  # standard deviations at which a normal density nears the smallest double
_DENSITY_AT_ZERO = 0.3989422804014327


@kernel
def upper_tail(x: float) -> float:
    """Return the chance that a standard normal variable exceeds ``x``, with full relative precision."""
    return 0.5 * math.erfc(x * 0.7071067811865476)


@kernel
def reaches(rates: Floats, distances: Floats) -> Floats:
    """Return how many standard deviations from its mean the density after each look is followed.

    Parameters
    ----------
    rates
        Information rates, by look.
    distances
        Upper limits of the distance between mean and bound at each look, in standard deviations.
    """
    n_looks = len(rates)
    found = np.empty(n_looks)
    for k in range(n_looks):
        found[k] = _REACH
        for j in range(k + 1, n_looks):
            if distances[j] < _FARTHEST:
                shared = rates[k] / rates[j]
                way = distances[j] * math.sqrt(shared) + _BEYOND * math.sqrt(1.0 - shared)
                found[k] = max(found[k], min(way, _FARTHEST))
    return found


@kernel
def panels(rates: Floats, look: int, low: float, high: float) -> tuple[Floats, Floats]:
    """Return nodes and weights on a continuation region that has a later look."""
    before = rates[look - 1] if look > 0 else 0.0
    narrow = min(rates[look] - before, rates[look + 1] - rates[look])
    width = _PANEL * min(1.0, math.sqrt(narrow / rates[look]))
    count = max(1, math.ceil((high - low) / width))
    half = 0.5 * (high - low) / count
    n_nodes = len(_NODES)
    nodes = np.empty(count * n_nodes)
    weights = np.empty(count * n_nodes)
    for panel in range(count):
        middle = low + (2 * panel + 1) * half
        for i in range(n_nodes):
            nodes[panel * n_nodes + i] = middle + half * _NODES[i]
            weights[panel * n_nodes + i] = half * _WEIGHTS[i]
    return nodes, weights


@kernel
def region_nodes(rates: Floats, look: int, low: float, high: float, inner: float) -> tuple[Floats, Floats]:
    """Return ascending nodes and weights on (low, high), less the part from ``-inner`` to ``inner`` if that is positive."""
    if not low < high:
        return np.empty(0), np.empty(0)
    if inner <= 0.0:
        return panels(rates, look, low, high)
    left_nodes, left_weights = np.empty(0), np.empty(0)
    right_nodes, right_weights = np.empty(0), np.empty(0)
    if low < -inner:
        left_nodes, left_weights = panels(rates, look, low, min(high, -inner))
    if high > inner:
        right_nodes, right_weights = panels(rates, look, max(low, inner), high)
    return np.concatenate((left_nodes, right_nodes)), np.concatenate((left_weights, right_weights))


@kernel
def advanced(
    rates: Floats,
    look: int,
    drift: float,
    nodes: Floats,
    mass: Floats,
    lower: float,
    upper: float,
    two_sided: bool,
    reach: float,
) -> tuple[Floats, Floats]:
    """Return nodes and mass of what still runs after a look, from those after the look before.

    Parameters
    ----------
    rates
        Information rates.
    look
        The look, from 0; at 0 ``nodes`` and ``mass`` are not read.
    drift
        Mean of the statistic at rate 1.
    nodes, mass
        Values of the statistic at the look before, and density times weight there.
    lower, upper
        Bounds of this look: the trial goes on between them. Two-sided, its absolute value lies between them.
    two_sided
        Whether it is so.
    reach
        Standard deviations from the mean up to which the density is followed.
    """
    here = math.sqrt(rates[look])
    mean = drift * here
    low, high = mean - reach, min(upper, mean + reach)
    low = max(low, -upper if two_sided else lower)
    new_nodes, weights = region_nodes(rates, look, low, high, lower if two_sided else 0.0)
    if look == 0:
        for j in range(len(new_nodes)):
            distance = new_nodes[j] - mean
            weights[j] *= _DENSITY_AT_ZERO * natural_exp(-0.5 * distance * distance)
        return new_nodes, weights
    there = math.sqrt(rates[look - 1])
    step = rates[look] - rates[look - 1]
    scale = 1.0 / math.sqrt(step)
    density = np.zeros(len(new_nodes))
    for i in range(len(nodes)):
        centre = nodes[i] * there + drift * step
        first = np.searchsorted(new_nodes, (centre - _FARTHEST / scale) / here)
        last = np.searchsorted(new_nodes, (centre + _FARTHEST / scale) / here)
        factor = mass[i] * here * scale * _DENSITY_AT_ZERO
        slope, offset = here * scale, centre * scale
        for j in range(first, last):
            distance = new_nodes[j] * slope - offset
            density[j] += factor * natural_exp(-0.5 * distance * distance)
    return new_nodes, density * weights


@kernel
def beyond(
    rates: Floats, look: int, drift: float, nodes: Floats, mass: Floats, bound: float, sign: float
) -> tuple[float, float]:
    """Return the chance to run until a look and to be beyond a bound there, and its density at the bound.

    Parameters
    ----------
    rates, look, drift, nodes, mass
        As in :func:`advanced`.
    bound
        On the scale of the statistic.
    sign
        1 for above the bound, -1 for below it.
    """
    here = math.sqrt(rates[look])
    if math.isinf(bound):
        if bound * sign > 0.0:
            return 0.0, 0.0
        return (1.0 if look == 0 else mass.sum()), 0.0
    if look == 0:
        distance = bound - drift * here
        return upper_tail(sign * distance), _DENSITY_AT_ZERO * math.exp(-0.5 * distance * distance)
    there = math.sqrt(rates[look - 1])
    step = rates[look] - rates[look - 1]
    scale = 1.0 / math.sqrt(step)
    chance = 0.0
    density = 0.0
    for i in range(len(nodes)):
        distance = (bound * here - nodes[i] * there - drift * step) * scale
        chance += mass[i] * upper_tail(sign * distance)
        density += mass[i] * math.exp(-0.5 * distance * distance)
    return chance, density * here * scale * _DENSITY_AT_ZERO
