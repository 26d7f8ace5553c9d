"""Adjusted p values of procedures that need no correlation: reject what lies at or below the level.

All take p values ``[..., hypothesis]`` and return as many; they hold the familywise error rate strongly.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def bonferroni(p: ArrayLike) -> Floats:
    """Return ``m p`` cut at 1 (Bonferroni; Dunn 1961), whatever the dependence."""
    given = np.asarray(p, dtype=np.float64)
    return np.asarray(np.minimum(given.shape[-1] * given, 1.0))


def holm(p: ArrayLike) -> Floats:
    """Return the step-down Bonferroni adjustment (Holm 1979), whatever the dependence."""
    given, order, ranks = _ascending(p)
    stepped = np.maximum.accumulate((given.shape[-1] - ranks) * given, axis=-1)
    return _back(np.minimum(stepped, 1.0), order)


def hochberg(p: ArrayLike) -> Floats:
    """Return the step-up adjustment (Hochberg 1988), where Simes' inequality holds, as for positive dependence."""
    given, order, ranks = _ascending(p)
    stepped = (given.shape[-1] - ranks) * given
    least = np.minimum.accumulate(stepped[..., ::-1], axis=-1)[..., ::-1]
    return _back(np.minimum(least, 1.0), order)


def hommel(p: ArrayLike) -> Floats:
    """Return the adjustment of the closed test by Simes' test (Hommel 1988), where Simes' inequality holds.

    Of the intersections of one size that hold a hypothesis, the one with the largest other p values rejects last; the
    adjusted p value is the largest over the sizes of those.
    """
    given = np.asarray(p, dtype=np.float64)
    m = given.shape[-1]
    found = np.empty_like(given)
    for i in range(m):
        others = -np.sort(-np.delete(given, i, axis=-1), axis=-1)
        worst = given[..., i]
        for size in range(2, m + 1):
            members = np.concatenate((given[..., i : i + 1], others[..., : size - 1]), axis=-1)
            worst = np.maximum(worst, simes(members))
        found[..., i] = worst
    return found


def simes(p: ArrayLike) -> Floats:
    """Return Simes' p value of an intersection, ``min over r of m p_(r) / r`` (Simes 1986), ``[...]``."""
    given, _, ranks = _ascending(p)
    return np.asarray((given.shape[-1] * given / (ranks + 1.0)).min(axis=-1))


def fixed_sequence(p: ArrayLike) -> Floats:
    """Return the adjustment of hypotheses tested in the order given, each at the full level (Maurer et al. 1995)."""
    return np.maximum.accumulate(np.asarray(p, dtype=np.float64), axis=-1)


def _ascending(p: ArrayLike) -> tuple[Floats, NDArray[np.intp], Floats]:
    """Return sorted p values, their order, and ranks from 0."""
    given = np.asarray(p, dtype=np.float64)
    order = np.argsort(given, axis=-1, kind="stable")
    return np.take_along_axis(given, order, axis=-1), order, np.arange(given.shape[-1], dtype=np.float64)


def _back(values: Floats, order: NDArray[np.intp]) -> Floats:
    """Return sorted values in the order in which they were given."""
    found = np.empty_like(values)
    np.put_along_axis(found, order, values, axis=-1)
    return found
