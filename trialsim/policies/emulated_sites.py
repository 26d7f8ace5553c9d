"""Sites chosen by a score of a chosen quality: what a model of sites would bring if it told good ones from bad so well."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
from scipy.special import ndtr, ndtri

from trialsim.contracts import Floats, SiteView
from trialsim.elementary import standard_normals
from trialsim.policies.site_selection import drawn

_NOISE = 3
_HALVINGS = 60


class EmulatedSites:
    """Open the sites that score highest by ``rho * q + sqrt(1 - rho**2) * noise``, ``q`` from the ranks of the true rates.

    ``q`` is the normal quantile of a site's rank among all (van der Waerden's score), so that only the order of the rates
    counts. ``rho`` is solved so that the mean over the noise is exactly what is stated of so many sites with different
    rates: Spearman's rank correlation of score and rate, or the probability that of two sites the better one scores higher.

    Parameters
    ----------
    open
        How many.
    rank_correlation
        Of the score with the true rate, from -0.999 to 0.999.
    auc
        In its place: probability that of two sites drawn at random the one with the higher rate scores higher, from 0.001
        to 0.999.
    """

    name = "emulated"
    reference = "score of a chosen quality; scores of ranks: van der Waerden 1952"
    reads_latent = True

    def __init__(self, open: int, rank_correlation: float | None = None, auc: float | None = None) -> None:
        self.open_sites: int | None = open
        self._quality = (rank_correlation_of, rank_correlation) if auc is None else (concordance_of, auc)

    def score(self, view: SiteView) -> Floats:
        """Return the score of each site."""
        noise = np.empty(view.rates.size)
        standard_normals(drawn(view, _NOISE).ravel(), noise)
        quality, wanted = self._quality
        assert wanted is not None
        rho = solved_rho(quality, float(wanted), view.rates.shape[1])
        quantiles = np.stack([_scores_of_ranks(rates) for rates in view.rates])
        return np.asarray(rho * quantiles + np.sqrt(1.0 - rho * rho) * noise.reshape(quantiles.shape))


def _scores_of_ranks(rates: Floats) -> Floats:
    """Return the normal quantile of each site's rank, ``[site]``; equal rates share the middle of their ranks."""
    ordered = np.sort(rates)
    middle = np.searchsorted(ordered, rates, "left") + np.searchsorted(ordered, rates, "right")
    return np.asarray(ndtri(middle / (2.0 * len(rates))))


def _chances_of_order(rho: float, sites: int) -> Floats:
    """Return the probability that a site scores higher than another, ``[site, other]``, in the order of their rates."""
    quantiles = _scores_of_ranks(np.arange(sites, dtype=np.float64))
    apart = quantiles[:, None] - quantiles[None, :]
    return np.asarray(ndtr(rho * apart / np.sqrt(2.0 * (1.0 - rho * rho))))


def rank_correlation_of(rho: float, sites: int) -> float:
    """Return the mean of Spearman's rank correlation of score and rate over the noise, exactly.

    The mean rank of a score is the sum of its probabilities to be the higher one.
    """
    ranks = np.arange(sites) - 0.5 * (sites - 1)
    found = _chances_of_order(rho, sites)
    mean_ranks = found.sum(axis=1) - 0.5  # less the site itself
    return float(ranks @ (mean_ranks - mean_ranks.mean()) / (ranks @ ranks))


def concordance_of(rho: float, sites: int) -> float:
    """Return the probability that the better of two sites scores higher."""
    better, worse = np.tril_indices(sites, -1)
    return float(_chances_of_order(rho, sites)[better, worse].mean())


@cache
def solved_rho(quality: Callable[[float, int], float], wanted: float, sites: int) -> float:
    """Return the correlation of score and quantile at which a measure of quality, which grows with it, is as wanted.

    Where so few sites cannot have it, the nearest correlation within (-1, 1) is returned.
    """
    if sites < 2:
        return 0.0
    low, high = -1.0 + 1e-12, 1.0 - 1e-12
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        if quality(middle, sites) < wanted:
            low = middle
        else:
            high = middle
    return 0.5 * (low + high)
