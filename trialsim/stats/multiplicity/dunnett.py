"""Several arms against one control: joint normal statistics whose correlations are products (Dunnett 1955).

With ``n_0`` patients on control and ``n_j`` in arm ``j`` the correlation of two comparisons is
``sqrt(n_i / (n_i + n_0)) sqrt(n_j / (n_j + n_0))``: one common factor, so that one integral over it is exact.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

from trialsim.compiled import kernel
from trialsim.elementary import standard_normal
from trialsim.errors import UsageError
from trialsim.stats.group_sequential.integration import upper_tail
from trialsim.stats.group_sequential.rooting import root_of_decreasing

Floats = NDArray[np.float64]

_WIDE = 9.0  # standard deviations of the common factor that are integrated over
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(16)
_PANEL = 2.5  # of the narrowest feature, under one panel of nodes: errors below 1e-13
_LARGEST = 1.0 - 1e-10  # squared loading; beyond it two comparisons are one


def control_loadings(n_control: float, n_arms: ArrayLike) -> Floats:
    """Return the loadings of comparisons with one control, by the numbers of patients or the information of each arm."""
    arms = np.asarray(n_arms, dtype=np.float64)
    return np.asarray(np.sqrt(arms / (arms + n_control)))


def loadings_of(correlation: ArrayLike) -> Floats:
    """Return loadings whose products are a correlation matrix.

    Raises
    ------
    UsageError
        Where there are none: correlations of more than one common factor are not computed here.
    """
    given = np.asarray(correlation, dtype=np.float64)
    m = len(given)
    if given.shape != (m, m) or not np.allclose(given, given.T) or not np.allclose(np.diag(given), 1.0):
        raise UsageError("A correlation matrix is square and symmetric, with 1 on its diagonal.")
    if m == 1:
        return np.zeros(1)
    off = given - np.eye(m)
    if m == 2:
        root = math.sqrt(abs(off[0, 1]))
        return np.array([root, math.copysign(root, off[0, 1])])
    found = np.zeros(m)
    for i in range(m):
        j, k = (each for each in _largest_others(off, i))
        if off[j, k] != 0.0:
            found[i] = math.sqrt(max(off[i, j] * off[i, k] / off[j, k], 0.0))
    anchor = int(np.argmax(found))
    found = np.where(off[anchor] < 0.0, -found, found)
    found[anchor] = abs(found[anchor])
    if not np.allclose(
        np.outer(found, found)[~np.eye(m, dtype=bool)], off[~np.eye(m, dtype=bool)], atol=1e-8
    ):
        raise UsageError(
            "The correlations are not products of one loading for each hypothesis, as those of comparisons with one "
            "control are; use Simes' or Bonferroni's test of intersections instead."
        )
    return found


@kernel
def _unions(limits, loadings, nodes, weights, found):  # type: ignore[no-untyped-def]
    """Fill in the chance of any statistic above its limit, row by row, without loss where it is small."""
    m = len(loadings)
    inverse = np.empty(m)
    for j in range(m):
        inverse[j] = 1.0 / math.sqrt(1.0 - loadings[j] * loadings[j])
    for r in range(len(limits)):
        total = 0.0
        for i in range(len(nodes)):
            log_none = 0.0
            for j in range(m):
                tail = upper_tail((limits[r, j] - loadings[j] * nodes[i]) * inverse[j])
                log_none += math.log1p(-tail) if tail < 1.0 else -np.inf
            total -= weights[i] * math.expm1(log_none)
        found[r] = min(total, 1.0)


@kernel
def _limits(chances, found):  # type: ignore[no-untyped-def]
    for r in range(chances.shape[0]):
        for j in range(chances.shape[1]):
            q = chances[r, j]
            if q <= 0.0:
                found[r, j] = np.inf
            elif q >= 1.0:
                found[r, j] = -np.inf
            else:
                found[r, j] = -standard_normal(q)


def union_chance(chances: ArrayLike, loadings: ArrayLike) -> Floats:
    """Return the chance that any of several p values is at or below its limit, under no effect.

    Parameters
    ----------
    chances
        Limits of the p values, ``[..., hypothesis]``.
    loadings
        ``[hypothesis]``, in (-1, 1).
    """
    given = np.asarray(chances, dtype=np.float64)
    limits = np.empty((int(np.prod(given.shape[:-1])), given.shape[-1]))
    _limits(np.ascontiguousarray(given.reshape(limits.shape)), limits)
    return above_any(limits.reshape(given.shape), loadings)


def above_any(limits: ArrayLike, loadings: ArrayLike) -> Floats:
    """Return the chance that any of several standard normal statistics is above its limit, ``[...]``.

    ``1 - integral of phi(y) prod Phi((c_j - l_j y) / sqrt(1 - l_j^2)) dy`` (Dunnett 1955; Dunnett and Sobel 1955),
    by Gauss-Legendre panels; absolute error below 1e-13, relative below 1e-10.

    Parameters
    ----------
    limits
        ``[..., hypothesis]``.
    loadings
        ``[hypothesis]``, in (-1, 1).
    """
    given = np.asarray(limits, dtype=np.float64)
    factors = np.asarray(loadings, dtype=np.float64)
    if factors.shape != given.shape[-1:] or not (factors**2 <= _LARGEST).all():
        raise UsageError("Loadings lie between -1 and 1, one for each statistic.")
    steepest = float(np.max(np.abs(factors) / np.sqrt(1.0 - factors**2), initial=0.0))
    count = math.ceil(2.0 * _WIDE / (_PANEL * min(1.0, 1.0 / max(steepest, 1e-9))))
    half = _WIDE / count
    middles = -_WIDE + half * (2.0 * np.arange(count) + 1.0)
    nodes = (middles[:, None] + half * _NODES).ravel()
    weights = np.tile(half * _WEIGHTS, count) * np.exp(-0.5 * nodes**2) / math.sqrt(2.0 * math.pi)
    flat = np.ascontiguousarray(given.reshape(-1, given.shape[-1]))
    found = np.empty(len(flat))
    _unions(flat, factors, nodes, weights, found)
    return found.reshape(given.shape[:-1])


def dunnett(z: ArrayLike, loadings: ArrayLike) -> Floats:
    """Return single-step adjusted p values of one-sided comparisons with known variance (Dunnett 1955).

    Parameters
    ----------
    z
        Statistics, positive in favour, ``[..., arm]``.
    loadings
        ``[arm]``: see :func:`control_loadings`.
    """
    given = np.asarray(z, dtype=np.float64)
    m = given.shape[-1]
    return above_any(np.broadcast_to(given[..., None], (*given.shape, m)), loadings)


def dunnett_bound(level: float, loadings: ArrayLike) -> float:
    """Return the bound that any statistic exceeds with chance ``level`` under no effect (Dunnett 1955, table 1)."""
    factors = np.asarray(loadings, dtype=np.float64)
    m = len(factors)

    def excess(bound: float) -> float:
        return float(ndtri(above_any(np.full(m, bound), factors)) - ndtri(level))

    return root_of_decreasing(excess, -float(ndtri(level / m)), -10.0, 37.0)


def _largest_others(off: Floats, i: int) -> tuple[int, int]:
    """Return the pair of others whose correlation is strongest, from which a loading is read."""
    shown = np.abs(off.copy())
    shown[i, :] = shown[:, i] = -1.0
    np.fill_diagonal(shown, -1.0)
    j, k = np.unravel_index(int(np.argmax(shown)), shown.shape)
    return int(j), int(k)
