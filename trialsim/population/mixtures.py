"""Averages over normal random effects by Gauss-Hermite quadrature (Abramowitz and Stegun 1972, 25.4.46)."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_MOST_NODES, _LEAST_NODES, _PRODUCTS = 100, 32, 40_000
_MOST_POINTS = 1000


@cache
def normal_nodes(count: int) -> tuple[Floats, Floats]:
    """Return nodes and weights, which sum to 1, with which functions of a standard normal are averaged.

    Parameters
    ----------
    count
        How many; polynomials up to degree ``2 * count - 1`` are averaged exactly.
    """
    nodes, weights = np.polynomial.hermite_e.hermegauss(count)
    return nodes, weights / weights.sum()


def nodes_for(points: int) -> tuple[Floats, Floats]:
    """Return nodes and weights for so many points, each of which is averaged over all nodes: more of them for few."""
    return normal_nodes(min(max(_PRODUCTS // points, _LEAST_NODES), _MOST_NODES))


def mixed_factors(factors: Floats, sd: float) -> tuple[Floats, Floats]:
    """Return the factors of patients with a normal effect added to the linear predictor, and their weights.

    With more than 1,000 different factors they are first spread over as many points, evenly spaced in the logarithm, each
    between its two neighbours so that the mean stays the same. Survival is smooth in the logarithm, and its average moves
    by less than the square of the distance of two points (by less than 0.00004 where factors differ by e^6), which is far
    less than a sample of patients leaves open.

    Parameters
    ----------
    factors
        exp(-linear predictor), ``[patient]``.
    sd
        Of the effect.

    Returns
    -------
    factors, weights
        ``[point]`` each; the weights sum to 1.
    """
    logs, counts = np.unique(-np.log(factors), return_counts=True)
    weights = counts / len(factors)
    if len(logs) > _MOST_POINTS:
        grid = np.linspace(logs[0], logs[-1], _MOST_POINTS)
        place = (logs - grid[0]) / (grid[1] - grid[0])
        left = np.minimum(np.floor(place), _MOST_POINTS - 2).astype(np.int64)
        right = place - left
        spread = np.zeros(_MOST_POINTS)
        np.add.at(spread, left, weights * (1.0 - right))
        np.add.at(spread, left + 1, weights * right)
        logs, weights = grid, spread
    if sd == 0.0:
        return np.exp(-logs), weights
    nodes, shares = nodes_for(len(logs))
    return np.exp(-(logs[:, None] + sd * nodes)).ravel(), (weights[:, None] * shares).ravel()
