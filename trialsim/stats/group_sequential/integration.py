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
_STEPS, _CLOSE = 200, 1e-12

FREE, OBEYED, MIRRORED = 0, 1, 2
"""The lower edge of the null density: none, the futility bounds, or the mirrored efficacy bounds of a two-sided test."""


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
def advanced(
    rates: Floats, look: int, drift: float, nodes: Floats, mass: Floats, low: float, high: float
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
    low, high
        The continuation region of this look.
    """
    if not low < high:
        return np.empty(0), np.empty(0)
    new_nodes, weights = panels(rates, look, low, high)
    here = math.sqrt(rates[look])
    if look == 0:
        for j in range(len(new_nodes)):
            distance = new_nodes[j] - drift * here
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


@kernel
def bound_for(
    rates: Floats,
    look: int,
    drift: float,
    nodes: Floats,
    mass: Floats,
    target: float,
    start: float,
    sign: float,
) -> float:
    """Return the bound beyond which lies ``target``, by Newton's steps on the logarithm of the chance.

    The logarithm is concave in the bound, so steps from a ``start`` that lies too far out approach the bound from that
    side. Where less than ``target`` still runs, the bound is infinite on the other side: all of it lies beyond.
    """
    if target <= 0.0:
        return sign * math.inf
    if look > 0 and mass.sum() <= target:
        return -sign * math.inf
    bound = start
    for _ in range(_STEPS):
        chance, density = beyond(rates, look, drift, nodes, mass, bound, sign)
        if chance <= 0.0 or density <= 0.0:
            bound -= sign  # so far out that the chance is below the smallest double
            continue
        step = math.log(chance / target) * chance / density
        bound += sign * step
        if abs(step) < _CLOSE * (1.0 + abs(bound)):
            break
    return bound


@kernel
def stage_probabilities(rates: Floats, drift: float, lower: Floats, upper: Floats) -> tuple[Floats, Floats]:
    """Return the chances to end at or below the lower and at or above the upper bound, look by look.

    Parameters
    ----------
    rates
        Information rates, ascending.
    drift
        Mean of the statistic at rate 1.
    lower, upper
        Bounds on the statistic; infinite where there is none.
    """
    n_looks = len(rates)
    below, above = np.zeros(n_looks), np.zeros(n_looks)
    distances = np.zeros(n_looks)
    for k in range(n_looks):
        mean = drift * math.sqrt(rates[k])
        for bound in (lower[k], upper[k]):
            if not math.isinf(bound):
                distances[k] = max(distances[k], abs(bound - mean))
    reach = reaches(rates, distances)
    nodes, mass = np.empty(0), np.empty(0)
    for k in range(n_looks):
        below[k], _ = beyond(rates, k, drift, nodes, mass, min(lower[k], upper[k]), -1.0)
        above[k], _ = beyond(rates, k, drift, nodes, mass, upper[k], 1.0)
        if k < n_looks - 1:
            mean = drift * math.sqrt(rates[k])
            nodes, mass = advanced(
                rates, k, drift, nodes, mass, max(lower[k], mean - reach[k]), min(upper[k], mean + reach[k])
            )
    return below, above


@kernel
def efficacy_bounds(
    rates: Floats, spent: Floats, starts: Floats, lower: Floats, edge: int, upper: Floats
) -> None:
    """Fill in the upper bounds that spend given errors under no effect, look by look.

    Parameters
    ----------
    rates
        Information rates.
    spent
        Error of one side to spend at each look; where it is 0 the bound is infinite.
    starts
        Normal quantiles of the errors spent, an upper limit of each bound.
    lower
        Futility bounds, read where ``edge`` is ``OBEYED``.
    edge
        ``FREE``, ``OBEYED`` or ``MIRRORED``.
    upper
        Filled.
    """
    reach = reaches(rates, starts)
    nodes, mass = np.empty(0), np.empty(0)
    for k in range(len(rates)):
        upper[k] = bound_for(rates, k, 0.0, nodes, mass, spent[k], starts[k], 1.0)
        if k < len(rates) - 1:
            low = -reach[k]
            if edge == MIRRORED:
                low = max(low, -upper[k])
            elif edge == OBEYED:
                low = max(low, lower[k])
            nodes, mass = advanced(rates, k, 0.0, nodes, mass, low, min(upper[k], reach[k]))


@kernel
def futility_bounds(
    rates: Floats,
    drift: float,
    beta_spent: Floats,
    beta_starts: Floats,
    binding: bool,
    alpha_spent: Floats,
    alpha_starts: Floats,
    lower: Floats,
    upper: Floats,
) -> float:
    """Fill in the lower bounds that spend given errors under ``drift``, and return the error left for the last look.

    Parameters
    ----------
    rates, drift
        As in :func:`stage_probabilities`.
    beta_spent, beta_starts
        Type II error to spend at each look, and its normal quantiles (as distances from the mean).
    binding
        Whether the upper bounds are found along with the lower ones, from a null density cut at them; otherwise
        ``upper`` is read.
    alpha_spent, alpha_starts
        As ``spent`` and ``starts`` of :func:`efficacy_bounds`, read where ``binding``.
    lower, upper
        Filled; a lower bound never lies above the upper one, and at the last look they meet.

    Returns
    -------
    float
        The chance under ``drift`` to reach the last look and not to reject there.
    """
    last = len(rates) - 1
    reach = reaches(rates, beta_starts)
    null_reach = reaches(rates, alpha_starts)
    nodes, mass = np.empty(0), np.empty(0)
    null_nodes, null_mass = np.empty(0), np.empty(0)
    for k in range(last + 1):
        mean = drift * math.sqrt(rates[k])
        if binding:
            upper[k] = bound_for(rates, k, 0.0, null_nodes, null_mass, alpha_spent[k], alpha_starts[k], 1.0)
        if k == last:
            break
        found = bound_for(rates, k, drift, nodes, mass, beta_spent[k], mean - beta_starts[k], -1.0)
        lower[k] = min(found, upper[k])
        if binding:
            null_nodes, null_mass = advanced(
                rates,
                k,
                0.0,
                null_nodes,
                null_mass,
                max(lower[k], -null_reach[k]),
                min(upper[k], null_reach[k]),
            )
        nodes, mass = advanced(
            rates, k, drift, nodes, mass, max(lower[k], mean - reach[k]), min(upper[k], mean + reach[k])
        )
    lower[last] = upper[last]
    missed, _ = beyond(rates, last, drift, nodes, mass, upper[last], -1.0)
    return missed
