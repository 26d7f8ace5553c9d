"""Adaptive closed tests: arms may be chosen between stages, each intersection being tested by a combination.

Bauer and Kieser (1999); Hommel (2001); Bretz et al. (2006, Biom. J. 48, 623-634). At each stage an intersection is tested
with the arms it holds that are still there; the stages are combined with weights fixed in advance; an arm is shown
where every intersection that holds it is rejected.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr

from trialsim.errors import UsageError
from trialsim.stats.combination.inverse_normal import inverse_normal
from trialsim.stats.multiplicity.closure import closed_adjusted, intersections
from trialsim.stats.multiplicity.dunnett import above_any

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

TESTS = ("dunnett", "simes", "bonferroni")


def intersection_p(
    z: ArrayLike, test: str, loadings: ArrayLike | None = None, selected: ArrayLike | None = None
) -> Floats:
    """Return the p value of every intersection at one stage, ``[..., 2**arms - 1]``, from that stage's data.

    Parameters
    ----------
    z
        Statistics of the arms against control, ``[..., arm]``.
    test
        ``dunnett`` (Dunnett 1955: exact with any numbers of patients), ``simes`` (Simes 1986) or ``bonferroni``.
    loadings
        For ``dunnett``: see :func:`trialsim.stats.multiplicity.dunnett.control_loadings`.
    selected
        Which arms this stage has, ``[..., arm]`` or ``[arm]``; None for all. An intersection without one has p value 1.
    """
    given = np.asarray(z, dtype=np.float64)
    m = given.shape[-1]
    if test not in TESTS:
        raise UsageError(f"The test of intersections is {test!r}; allowed: {', '.join(TESTS)}.")
    if test == "dunnett" and loadings is None:
        raise UsageError("Dunnett's test needs the loadings of the comparisons: see control_loadings.")
    there = np.broadcast_to(True if selected is None else np.asarray(selected, dtype=bool), given.shape)
    held = intersections(m)
    found = np.empty((*given.shape[:-1], len(held)))
    for row, members in enumerate(held):
        inside = there & members
        if test == "dunnett":
            largest = np.where(inside, given, -np.inf).max(axis=-1, keepdims=True)
            found[..., row] = above_any(np.where(inside, largest, np.inf), np.asarray(loadings))
        else:
            found[..., row] = _by_p(np.where(inside, ndtr(-given), np.inf), inside.sum(axis=-1), test)
        found[..., row] = np.where(inside.any(axis=-1), found[..., row], 1.0)
    return np.minimum(found, 1.0)


def closed_statistics(stage_p: ArrayLike, planned_rates: ArrayLike) -> Floats:
    """Return for each arm the statistic that the closed combination test compares with its bound, ``[..., arm]``.

    It is the smallest combined statistic of the intersections that hold the arm; the arm is shown where it is at or
    above the bound of the last stage given.

    Parameters
    ----------
    stage_p
        P values of the intersections at each stage, ``[..., stage, 2**arms - 1]``.
    planned_rates
        Information rates of the plan.
    """
    given = np.asarray(stage_p, dtype=np.float64)
    m = int(given.shape[-1] + 1).bit_length() - 1
    last = inverse_normal(np.moveaxis(given, -2, -1), planned_rates)[..., -1]
    return np.asarray(-closed_adjusted(-last, m))


def _by_p(p: Floats, count: NDArray[np.int64], test: str) -> Floats:
    """Return Bonferroni's or Simes' p value of those p values that are finite."""
    many = np.maximum(count, 1).astype(np.float64)  # an empty one has p values that are all infinite
    if test == "bonferroni":
        return np.asarray(many * p.min(axis=-1))
    ordered = np.sort(p, axis=-1)
    ranks = np.arange(1, p.shape[-1] + 1)
    return np.asarray((many[..., None] * ordered / ranks).min(axis=-1))
