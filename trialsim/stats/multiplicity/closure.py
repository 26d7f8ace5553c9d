"""Closed tests: a hypothesis is rejected where every intersection that holds it is (Marcus, Peritz and Gabriel 1976).

Tests of intersections take weights ``[intersection, hypothesis]``, rows as in :func:`.graph.intersection_weights`, and
return p values ``[..., intersection]``.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trialsim.errors import UsageError
from trialsim.stats.multiplicity.dunnett import union_chance

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


def intersections(m: int) -> Bools:
    """Return which of ``m`` hypotheses each intersection holds, ``[2**m - 1, m]``, by the bits of row + 1."""
    return (np.arange(1, 2**m)[:, None] >> np.arange(m) & 1).astype(bool)


def equal_weights(m: int) -> Floats:
    """Return equal weights in every intersection, as Holm's, Hochberg's, Hommel's and Dunnett's tests have them."""
    held = intersections(m)
    return np.asarray(held / held.sum(axis=1, keepdims=True))


def bonferroni_intersections(p: ArrayLike, weights: Floats) -> Floats:
    """Return ``min p_j / w_j`` of each intersection, cut at 1."""
    return np.minimum(_least_ratio(np.asarray(p, dtype=np.float64), weights), 1.0)


def simes_intersections(p: ArrayLike, weights: Floats) -> Floats:
    """Return the weighted Simes p value, ``min over j of p_j / sum of w_i, p_i <= p_j`` (Benjamini and Hochberg 1997)."""
    given = np.asarray(p, dtype=np.float64)
    below = given[..., None, :] <= given[..., :, None]  # [..., j, i]
    found = np.empty((*given.shape[:-1], len(weights)))
    for row, each in enumerate(weights):
        share = np.where(each > 0.0, below @ each, 0.0)
        ratio = np.where(share > 0.0, given / np.where(share > 0.0, share, 1.0), np.inf)
        found[..., row] = np.minimum(ratio.min(axis=-1), 1.0)
    return found


def hochberg_intersections(p: ArrayLike, weights: Floats) -> Floats:
    """Return ``min over r of (s - r + 1) p_(r)`` of the ``s`` hypotheses held, which have equal weights (Hochberg 1988)."""
    given = np.asarray(p, dtype=np.float64)
    found = np.empty((*given.shape[:-1], len(weights)))
    for row, each in enumerate(weights):
        held = each > 0.0
        if np.ptp(each[held]) > 1e-12:
            raise UsageError(
                "Hochberg's test of an intersection needs equal weights; use Simes' test instead."
            )
        ordered = np.sort(given[..., held], axis=-1)
        size = ordered.shape[-1]
        found[..., row] = np.minimum(((size - np.arange(size)) * ordered).min(axis=-1), 1.0)
    return found


def parametric_intersections(p: ArrayLike, weights: Floats, loadings: ArrayLike) -> Floats:
    """Return the p values of weighted tests that know the joint normal distribution (Bretz et al. 2011).

    The chance under no effect of any ``p_j <= w_j q``, with the ``q`` that is seen, over the sum of the weights
    (Xi, Glimm, Maurer and Bretz 2017: weights that do not add to 1 keep their share of the level).

    Parameters
    ----------
    p
        One-sided p values of normal statistics, ``[..., hypothesis]``.
    weights
        ``[intersection, hypothesis]``; equal ones give Dunnett's test.
    loadings
        Correlations are products of these, ``[hypothesis]``: see :func:`.dunnett.loadings_of`.
    """
    given = np.asarray(p, dtype=np.float64)
    least = _least_ratio(given, weights)
    factors = np.asarray(loadings, dtype=np.float64)
    found = np.empty_like(least)
    for row, each in enumerate(weights):
        held = each > 0.0
        if not held.any():
            found[..., row] = 1.0
            continue
        chances = np.minimum(least[..., row, None] * each[held], 1.0)
        found[..., row] = np.minimum(union_chance(chances, factors[held]) / each.sum(), 1.0)
    return found


def closed_adjusted(of_intersections: ArrayLike, m: int) -> Floats:
    """Return adjusted p values ``[..., m]``: the largest of the intersections ``[..., 2**m - 1]`` that hold each."""
    given = np.asarray(of_intersections, dtype=np.float64)
    held = intersections(m)
    return np.stack([given[..., held[:, j]].max(axis=-1) for j in range(m)], axis=-1)


def _least_ratio(p: Floats, weights: Floats) -> Floats:
    """Return ``min p_j / w_j`` over positive weights, ``[..., intersection]``; infinite where there is none."""
    found = np.empty((*p.shape[:-1], len(weights)))
    for row, each in enumerate(weights):
        held = each > 0.0
        found[..., row] = (p[..., held] / each[held]).min(axis=-1, initial=np.inf)
    return found
