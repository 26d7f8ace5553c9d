"""Sites chosen by a score of a chosen quality: what a model of sites would bring if it told good ones from bad so well."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache

import numpy as np
from scipy.special import ndtr, ndtri

from trialsim.contracts import Floats, Memory, SiteDecision, SiteView
from trialsim.elementary import standard_normals
from trialsim.policies.site_selection import drawn

Quality = Callable[[Floats, Floats], Floats]
"""A measure of scores, given the correlation, ``[trial]``, and quantiles in ascending order, ``[trial, site]``."""

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
    by_group
        The same measure among the sites of a group, by name, where it is not that. It is exact in every trial given the
        places of these sites among all; where all of a group have one rate, as if they had not.
    """

    name = "emulated"
    reference = "score of a chosen quality; scores of ranks: van der Waerden 1952"
    decides_on = "site"
    reads_latent = True

    def __init__(
        self,
        open: int,
        rank_correlation: float | None = None,
        auc: float | None = None,
        by_group: Mapping[str, float] | None = None,
    ) -> None:
        self.open_sites: int | None = open
        self._quality: Quality = rank_correlation_of if auc is None else concordance_of
        self._wanted = float((rank_correlation if auc is None else auc) or 0.0)
        self._by_group = dict(by_group or {})

    def decide(self, view: SiteView, memory: Memory) -> tuple[SiteDecision, Memory]:
        """Return the score of each site."""
        noise = np.empty(view.rates.size)
        standard_normals(drawn(view, _NOISE).ravel(), noise)
        quantiles = np.stack([_scores_of_ranks(rates) for rates in view.rates])
        rho = self._correlations(view, quantiles)
        score = np.asarray(rho * quantiles + np.sqrt(1.0 - rho * rho) * noise.reshape(quantiles.shape))
        return SiteDecision(score=score), memory

    def _correlations(self, view: SiteView, quantiles: Floats) -> Floats:
        """Return the correlation of score and quantile, ``[replicate, site]``."""
        rho = np.full(quantiles.shape, solved_rho(self._quality, self._wanted, quantiles.shape[1]))
        for group, wanted in self._by_group.items():
            own = np.flatnonzero(np.array(view.groups) == group)
            if not len(own):
                continue
            there = np.sort(quantiles[:, own], axis=1)
            solved = solved_rhos(self._quality, wanted, there)
            alike = there[:, 0] == there[:, -1]
            rho[:, own] = np.where(alike, solved_rho(self._quality, wanted, len(own)), solved)[:, None]
        return rho


def _scores_of_ranks(rates: Floats) -> Floats:
    """Return the normal quantile of each site's rank, ``[site]``; equal rates share the middle of their ranks."""
    ordered = np.sort(rates)
    middle = np.searchsorted(ordered, rates, "left") + np.searchsorted(ordered, rates, "right")
    return np.asarray(ndtri(middle / (2.0 * len(rates))))


def _chances_of_order(rho: Floats, quantiles: Floats) -> Floats:
    """Return the probability that a site scores higher than another, ``[trial, site, other]``."""
    apart = quantiles[:, :, None] - quantiles[:, None, :]
    return np.asarray(ndtr((rho / np.sqrt(2.0 * (1.0 - rho * rho)))[:, None, None] * apart))


def rank_correlation_of(rho: Floats, quantiles: Floats) -> Floats:
    """Return the mean of Spearman's rank correlation of score and rate over the noise, exactly, ``[trial]``.

    The mean rank of a score is the sum of its probabilities to be the higher one.
    """
    sites = quantiles.shape[1]
    ranks = np.arange(sites) - 0.5 * (sites - 1)
    mean_ranks = _chances_of_order(rho, quantiles).sum(axis=2)
    return np.asarray((mean_ranks - mean_ranks.mean(axis=1, keepdims=True)) @ ranks / (ranks @ ranks))


def concordance_of(rho: Floats, quantiles: Floats) -> Floats:
    """Return the probability that the better of two sites scores higher, ``[trial]``."""
    better, worse = np.tril_indices(quantiles.shape[1], -1)
    return np.asarray(_chances_of_order(rho, quantiles)[:, better, worse].mean(axis=1))


@cache
def solved_rho(quality: Quality, wanted: float, sites: int) -> float:
    """Return the correlation at which a measure of so many sites with different rates is as wanted."""
    if sites < 2:
        return 0.0
    quantiles = _scores_of_ranks(np.arange(sites, dtype=np.float64))
    return float(solved_rhos(quality, wanted, quantiles[None, :])[0])


def solved_rhos(quality: Quality, wanted: float, quantiles: Floats) -> Floats:
    """Return the correlation of score and quantile at which a measure, which grows with it, is as wanted, ``[trial]``.

    Where these sites cannot have it, the nearest correlation within (-1, 1) is returned.

    Parameters
    ----------
    quality, wanted
        The measure, and its value.
    quantiles
        Of the sites' ranks in ascending order, ``[trial, site]``.
    """
    low = np.full(len(quantiles), -1.0 + 1e-12)
    high = -low
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        below = quality(middle, quantiles) < wanted
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return np.asarray(0.5 * (low + high))
