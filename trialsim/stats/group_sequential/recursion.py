"""The recursion over the looks: chances to end at given bounds, and bounds that spend given errors.

One-sided designs reject at or above the upper bound and give up at or below the lower one. Two-sided designs reject where
the absolute value of the statistic is at or above the upper bound, and give up where it is at or below the lower one.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from trialsim.compiled import kernel
from trialsim.stats.group_sequential.integration import advanced, beyond, reaches

Floats = NDArray[np.float64]

_STEPS, _CLOSE = 200, 1e-12


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

    The logarithm is concave in the bound where what still runs has one peak, so that steps from a ``start`` that lies too
    far out approach the bound from there; beside an inner wedge there are two, and steps are kept within a bracket.
    Where less than ``target`` still runs, the bound is infinite on the other side: all of it lies beyond.
    """
    if target <= 0.0:
        return sign * math.inf
    if look > 0 and mass.sum() <= target:
        return -sign * math.inf
    bound = start
    inside, outside = -sign * math.inf, sign * math.inf
    for _ in range(_STEPS):
        chance, density = beyond(rates, look, drift, nodes, mass, bound, sign)
        if chance > target:
            inside = bound
        else:
            outside = bound
        ahead = math.nan
        if chance > 0.0 and density > 0.0:
            ahead = bound + sign * math.log(chance / target) * chance / density
        if abs(ahead - bound) < _CLOSE * (1.0 + abs(bound)):
            return ahead
        if not min(inside, outside) < ahead < max(inside, outside):
            if math.isinf(inside):
                ahead = bound - sign
            elif math.isinf(outside):
                ahead = bound + sign
            else:
                ahead = 0.5 * (inside + outside)
                if abs(outside - inside) < _CLOSE * (1.0 + abs(bound)):
                    return ahead
        bound = ahead
    return bound


@kernel
def inner_bound_for(
    rates: Floats, look: int, drift: float, nodes: Floats, mass: Floats, target: float, most: float
) -> float:
    """Return the bound below which the absolute value lies with chance ``target``, at most ``most``.

    Newton's steps that are halved towards the bracket where they leave it; minus infinity where nothing is to be spent.
    """
    if target <= 0.0:
        return -math.inf
    low, high = 0.0, min(most, abs(drift) * math.sqrt(rates[look]) + 40.0)
    bound = high
    for _ in range(_STEPS):
        below, density = beyond(rates, look, drift, nodes, mass, bound, -1.0)
        under, opposite = beyond(rates, look, drift, nodes, mass, -bound, -1.0)
        excess = below - under - target
        if excess > 0.0:
            high = bound
        elif bound >= most:
            return most
        else:
            low = bound
        slope = density + opposite
        ahead = bound - excess / slope if slope > 0.0 else -1.0
        if not low < ahead < high:
            ahead = 0.5 * (low + high)
        if abs(ahead - bound) < _CLOSE:
            return ahead
        bound = ahead
    return bound


@kernel
def stage_probabilities(
    rates: Floats, drift: float, lower: Floats, upper: Floats, two_sided: bool
) -> tuple[Floats, Floats, Floats]:
    """Return the chances to reject on the lower side, to give up, and to reject on the upper side, look by look.

    Parameters
    ----------
    rates
        Information rates, ascending, shape ``[look]``.
    drift
        Mean of the statistic at rate 1.
    lower, upper
        Bounds; infinite where there is none.
    two_sided
        Whether they bound the absolute value; otherwise nothing is rejected on the lower side.
    """
    n_looks = len(rates)
    opposite, futile, above = np.zeros(n_looks), np.zeros(n_looks), np.zeros(n_looks)
    distances = np.zeros(n_looks)
    for k in range(n_looks):
        mean = drift * math.sqrt(rates[k])
        for bound in (lower[k], upper[k]):
            if not math.isinf(bound):
                distances[k] = max(distances[k], abs(bound - mean))
                if two_sided:
                    distances[k] = max(distances[k], abs(bound + mean))
    reach = reaches(rates, distances)
    nodes, mass = np.empty(0), np.empty(0)
    for k in range(n_looks):
        inner = min(lower[k], upper[k])
        futile[k], _ = beyond(rates, k, drift, nodes, mass, inner, -1.0)
        above[k], _ = beyond(rates, k, drift, nodes, mass, upper[k], 1.0)
        if two_sided:
            opposite[k], _ = beyond(rates, k, drift, nodes, mass, -upper[k], -1.0)
            under, _ = beyond(rates, k, drift, nodes, mass, -inner, -1.0)
            futile[k] = futile[k] - under if inner > 0.0 else 0.0
        if k < n_looks - 1:
            nodes, mass = advanced(rates, k, drift, nodes, mass, inner, upper[k], two_sided, reach[k])
    return opposite, futile, above


@kernel
def efficacy_bounds(
    rates: Floats, spent: Floats, starts: Floats, lower: Floats, two_sided: bool, upper: Floats
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
        Lower bounds that are obeyed, minus infinity where there are none.
    two_sided
        Whether the bounds are mirrored.
    upper
        Filled.
    """
    reach = reaches(rates, starts)
    nodes, mass = np.empty(0), np.empty(0)
    for k in range(len(rates)):
        upper[k] = bound_for(rates, k, 0.0, nodes, mass, spent[k], starts[k], 1.0)
        if k < len(rates) - 1:
            nodes, mass = advanced(rates, k, 0.0, nodes, mass, lower[k], upper[k], two_sided, reach[k])


@kernel
def futility_bounds(
    rates: Floats,
    drift: float,
    beta_spent: Floats,
    beta_starts: Floats,
    binding: bool,
    alpha_spent: Floats,
    alpha_starts: Floats,
    two_sided: bool,
    lower: Floats,
    upper: Floats,
) -> float:
    """Fill in the lower bounds that spend given errors under ``drift``, and return the error left for the last look.

    Parameters
    ----------
    rates, drift, two_sided
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
        The chance under ``drift`` to reach the last look and not to reject there, or to reject on the wrong side ever.
    """
    last = len(rates) - 1
    reach = reaches(rates, beta_starts)
    null_reach = reaches(rates, alpha_starts)
    nodes, mass = np.empty(0), np.empty(0)
    null_nodes, null_mass = np.empty(0), np.empty(0)
    wrong = 0.0
    for k in range(last + 1):
        if binding:
            upper[k] = bound_for(rates, k, 0.0, null_nodes, null_mass, alpha_spent[k], alpha_starts[k], 1.0)
        if k == last:
            break
        if two_sided:
            lower[k] = inner_bound_for(rates, k, drift, nodes, mass, beta_spent[k], upper[k])
            opposite, _ = beyond(rates, k, drift, nodes, mass, -upper[k], -1.0)
            wrong += opposite
        else:
            start = drift * math.sqrt(rates[k]) - beta_starts[k]
            found = bound_for(rates, k, drift, nodes, mass, beta_spent[k], start, -1.0)
            lower[k] = min(found, upper[k])
        if binding:
            null_nodes, null_mass = advanced(
                rates, k, 0.0, null_nodes, null_mass, lower[k], upper[k], two_sided, null_reach[k]
            )
        nodes, mass = advanced(rates, k, drift, nodes, mass, lower[k], upper[k], two_sided, reach[k])
    lower[last] = upper[last]
    missed, _ = beyond(rates, last, drift, nodes, mass, upper[last], -1.0)
    return wrong + missed
