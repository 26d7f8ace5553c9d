"""Who an earlier trial found at each site: its candidates by level of a covariate."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trialsim.draws import Purpose, uniforms_at

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_SITE_BITS = 32
_FIRST_DRAW = 16


def history_levels(seed: int, replicates: Ints, patients: Ints, shares: Floats) -> Ints:
    """Return the candidates of an earlier trial by level, ``[replicate, site, level]``: multinomial given their number.

    Levels are split off one after the other, each a binomial quantile of the site's own uniform.

    Parameters
    ----------
    seed, replicates
        Address of the draws.
    patients
        Candidates found, ``[replicate, site]``.
    shares
        Probability of each level among a site's candidates, ``[site, level]``.
    """
    sites, levels = shares.shape
    out = np.zeros((*patients.shape, levels), dtype=np.int64)
    if not levels:
        return out
    left, rest = patients.astype(np.float64), np.ones(sites)
    keys = np.tile(np.arange(sites) << _SITE_BITS, len(replicates))
    u = np.empty(len(keys))
    for level in range(levels - 1):
        chance = np.clip(np.where(rest > 1e-12, shares[:, level] / np.maximum(rest, 1e-12), 1.0), 0.0, 1.0)
        uniforms_at(
            seed, np.repeat(replicates, sites), keys, int(Purpose.SITE_HISTORY), _FIRST_DRAW + level, u
        )
        found = _binomial_quantile(u.reshape(patients.shape), left, np.broadcast_to(chance, patients.shape))
        out[:, :, level] = found
        left, rest = left - found, rest - shares[:, level]
    out[:, :, -1] = left
    return out


def _binomial_quantile(u: Floats, n: Floats, p: Floats) -> Floats:
    """Return the smallest number whose distribution function is at least ``u``."""
    from scipy.special import bdtr, bdtrik

    found = np.where(p >= 1.0, n, 0.0)
    some = (n > 0.0) & (p > 0.0) & (p < 1.0)
    u, n, p = u[some], n[some], p[some]
    whole = n.astype(np.int64)
    first = u <= bdtr(0.0, whole, p)
    k = np.ceil(np.where(first, 0.0, bdtrik(np.where(first, 0.5, u), n, p)))
    # The inverse is that of a continuous curve through the distribution function: step where it missed.
    k = np.clip(k, 0.0, n)
    k -= (k > 0.0) & (bdtr(np.maximum(k - 1.0, 0.0), whole, p) >= u)
    k += (k < n) & (bdtr(k, whole, p) < u)
    found[some] = np.where(first, 0.0, k)
    return found
