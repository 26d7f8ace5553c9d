"""The largest of several comparisons with one control, as the normal deviate with the same tail.

The largest of statistics with loadings ``l`` is above ``c`` under no effect with Dunnett's chance (1955). Its normal
deviate is a smooth and nearly straight function of ``c``, so that for loadings that come again and again it is kept as
Chebyshev polynomials on short pieces, good to 1e-11; integration gives it otherwise.
"""

# Compiled functions take arrays that the type checker cannot see into.
# mypy: disallow-untyped-defs=False

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from trialsim.compiled import kernel
from trialsim.elementary import standard_normal
from trialsim.stats.group_sequential.integration import upper_tail

Floats = NDArray[np.float64]

LEAST = -37.0
"""The lowest deviate: a p value of 1 is taken as this, so that sums of deviates stay finite."""

_WIDE = 9.0
_PANEL = 2.5
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(16)
FIRST_TABLED, LAST_TABLED = -6.0, 9.0
"""Statistics from and below which the polynomials reach."""

_PIECE, _DEGREE = 0.5, 10


@kernel
def _largest_deviates(largest, loadings, inside, nodes, weights, found):
    """Fill the deviate of the largest of the statistics inside, row by row; ``LEAST`` where there are none."""
    m = loadings.shape[1]
    for r in range(len(largest)):
        steepest = 0.0
        count = 0
        for j in range(m):
            if inside[r, j]:
                count += 1
                steepest = max(
                    steepest, abs(loadings[r, j]) / math.sqrt(1.0 - loadings[r, j] * loadings[r, j])
                )
        if count <= 1:
            found[r] = largest[r] if count == 1 else LEAST
            continue
        panels = math.ceil(2.0 * _WIDE / _PANEL * max(1.0, steepest))
        half = _WIDE / panels
        any_above = 0.0
        none_above = 0.0
        for p in range(panels):
            middle = -_WIDE + half * (2.0 * p + 1.0)
            for i in range(len(nodes)):
                y = middle + half * nodes[i]
                log_none = 0.0
                for j in range(m):
                    if inside[r, j]:
                        rest = math.sqrt(1.0 - loadings[r, j] * loadings[r, j])
                        tail = upper_tail((largest[r] - loadings[r, j] * y) / rest)
                        log_none += math.log1p(-tail) if tail < 1.0 else -np.inf
                weight = half * weights[i] * math.exp(-0.5 * y * y) / math.sqrt(2.0 * math.pi)
                any_above -= weight * math.expm1(log_none)
                none_above += weight * math.exp(log_none)
        if none_above < any_above:
            found[r] = standard_normal(none_above) if none_above > 0.0 else LEAST
        else:
            found[r] = -standard_normal(any_above) if any_above > 0.0 else largest[r]


@kernel
def deviate_from_pieces(z, pieces):
    """Return the deviate of a largest statistic by the polynomials of :func:`deviate_pieces`; NaN where there is none."""
    count, terms = pieces.shape
    place = (z - FIRST_TABLED) / _PIECE
    if not 0.0 <= place < count:
        return np.nan
    piece = np.uint64(place)
    t = 2.0 * (place - piece) - 1.0
    value = pieces[piece, terms - 1]
    for k in range(terms - 2, -1, -1):
        value = value * t + pieces[piece, k]
    return value


@kernel
def _from_pieces(z, pieces, found):
    """Fill the deviates by the polynomials of the pieces; where there is none, NaN."""
    for r in range(len(z)):
        found[r] = deviate_from_pieces(z[r], pieces)


def largest_deviates(largest: Floats, loadings: Floats, inside: NDArray[np.bool_]) -> Floats:
    """Return the normal deviates with the tails of the largest of statistics, ``[row]``, by integration.

    Parameters
    ----------
    largest
        The largest statistic seen among those inside, ``[row]``.
    loadings
        As :func:`.dunnett.control_loadings` gives them, ``[row, statistic]``.
    inside
        Which statistics there are, ``[row, statistic]``.
    """
    found = np.empty(len(largest))
    _largest_deviates(largest, loadings, inside, _NODES, _WEIGHTS, found)
    return np.maximum(found, LEAST)


@lru_cache(maxsize=4096)
def deviate_pieces(loadings: tuple[float, ...]) -> Floats:
    """Return the polynomials of the deviate of the largest of some statistics, lowest power first, ``[piece, power]``."""
    count = round((LAST_TABLED - FIRST_TABLED) / _PIECE)
    t = np.cos(np.pi * (np.arange(_DEGREE + 1) + 0.5) / (_DEGREE + 1))
    begin = FIRST_TABLED + _PIECE * np.arange(count)
    z = (begin[:, None] + _PIECE * 0.5 * (t + 1.0)).ravel()
    rows = np.broadcast_to(np.asarray(loadings), (len(z), len(loadings)))
    values = largest_deviates(z, np.ascontiguousarray(rows), np.ones(rows.shape, dtype=bool))
    fitted = np.polynomial.chebyshev.chebfit(t, values.reshape(count, -1).T, _DEGREE)
    powers = np.zeros((count, _DEGREE + 1))
    for piece, each in enumerate(fitted.T):
        plain = np.polynomial.chebyshev.cheb2poly(each)
        powers[piece, : len(plain)] = plain
    return powers


def largest_deviates_alike(largest: Floats, loadings: tuple[float, ...]) -> Floats:
    """Return the same for rows that share their loadings, within 1e-11 and without integration.

    Parameters
    ----------
    largest
        The largest of the statistics, ``[row]``.
    loadings
        Of all of them.
    """
    if len(loadings) == 1:
        return np.maximum(largest, LEAST)
    found = np.empty(len(largest))
    _from_pieces(largest, deviate_pieces(loadings), found)
    beyond = np.flatnonzero(np.isnan(found))
    if len(beyond):
        rows = np.broadcast_to(np.asarray(loadings), (len(beyond), len(loadings)))
        found[beyond] = largest_deviates(
            largest[beyond], np.ascontiguousarray(rows), np.ones(rows.shape, dtype=bool)
        )
    return found
