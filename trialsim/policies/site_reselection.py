"""Sites chosen before a trial, and chosen again while it enrols: slow ones close, reserves open in their place."""

from __future__ import annotations

import numpy as np

from trialsim.contracts import Floats, Memory, SiteDecision, SiteReviewView, SiteView, sum_of
from trialsim.draws import Purpose, uniforms_at
from trialsim.policies.site_selection import GammaPoisson, mean_rate
from trialsim.scenario.units import parse_duration, parse_rate

_SITE_BITS = 32
_FIRST_DRAW = 256
"""Draws of reviews at a site's address begin here, one a review; those before the trial are below."""


class Reselection:
    """Close the sites that enrol too slowly, and open as many reserves.

    Before the trial the sites with the highest posterior mean rate open (Anisimov and Fedorov, Stat. Med. 26, 2007,
    4958-4975). At a review a site that has been open for long enough closes where its rate is below a limit, and the best
    reserves are asked to open.

    Parameters
    ----------
    open
        How many sites open before the trial.
    close_below
        Rate below which a site closes, as ``0.5 per month``.
    judged_by
        ``patients``: those randomised over the time for which the site has been open. ``candidates``: those who came, in
        the same way. ``posterior``: the posterior mean rate of candidates, given the record and this trial.
    after
        How long a site is left alone, as ``3 months``.
    reserves
        ``posterior``: those with the highest posterior mean; ``thompson``: those whose drawn rates are highest; ``none``.
    shape
        Of the gamma distribution of rates.
    """

    name = "reselection"
    reference = "usual practice; posterior: Anisimov and Fedorov 2007; draws: Thompson 1933"
    at_reviews = True

    def __init__(
        self,
        open: int,
        close_below: str | float,
        judged_by: str = "patients",
        after: str | float = 91.3125,
        reserves: str = "posterior",
        shape: float = 1.5,
    ) -> None:
        self.open_sites: int | None = open
        self._limit = close_below if isinstance(close_below, float) else parse_rate(close_below)
        self._after = after if isinstance(after, float) else parse_duration(after)
        self._judged_by, self._reserves, self._shape = judged_by, reserves, shape
        self._before = GammaPoisson(open, shape)

    def score(self, view: SiteView) -> Floats:
        """Return posterior means before the trial."""
        return self._before.score(view)

    def review(self, view: SiteReviewView, memory: Memory) -> tuple[SiteDecision, Memory]:
        """Return which sites close and which open."""
        slow = view.open & (view.open_days >= self._after) & (self._rate(view) < self._limit)
        opens = np.zeros_like(slow)
        if self._reserves != "none":
            score = np.where(view.reserve, self._worth(view), -np.inf)
            order = np.argsort(-score, axis=1, kind="stable")
            rank = np.empty_like(order)
            np.put_along_axis(rank, order, np.arange(order.shape[1])[None, :], axis=1)
            opens = view.reserve & (rank < slow.sum(axis=1, keepdims=True))
        return SiteDecision(slow, opens), memory

    def _rate(self, view: SiteReviewView) -> Floats:
        """Return the rate by which sites are judged, per day."""
        if self._judged_by == "posterior":
            shape, rate = self._posterior(view)
            return np.asarray(shape / rate)
        seen = view.randomised if self._judged_by == "patients" else view.came
        return np.asarray(seen / np.maximum(view.open_days, 1e-9))

    def _posterior(self, view: SiteReviewView) -> tuple[Floats, Floats]:
        """Return shape and rate of the posterior of each site's candidates a day: record and trial together."""
        before = view.before
        known = sum_of(before.history_patients) + sum_of(view.came)
        days = before.history_days.sum() + sum_of(view.open_days)
        pooled = np.where(days > 0.0, known / np.where(days > 0.0, days, 1.0), mean_rate(before))
        prior = self._shape / np.maximum(pooled, 1e-12)[:, None]
        return (
            np.asarray(self._shape + before.history_patients + view.came),
            np.asarray(prior + before.history_days + view.open_days),
        )

    def _worth(self, view: SiteReviewView) -> Floats:
        """Return how much is expected of each site, or drawn."""
        shape, rate = self._posterior(view)
        if self._reserves == "posterior":
            return np.asarray(shape / rate)
        from scipy.special import gammaincinv

        return np.asarray(gammaincinv(shape, _drawn(view)) / rate)


def _drawn(view: SiteReviewView) -> Floats:
    """Return a uniform for each site and review, found at the site's own address, ``[replicate, site]``."""
    count = len(view.before.names)
    keys = np.arange(count) << _SITE_BITS
    out = np.empty((len(view.review), count))
    for number in np.unique(view.review):
        rows = np.flatnonzero(view.review == number)
        found = np.empty(len(rows) * count)
        owners = np.repeat(view.before.replicate[rows], count)
        draw = _FIRST_DRAW + int(number)
        uniforms_at(view.before.seed, owners, np.tile(keys, len(rows)), int(Purpose.SAMPLER), draw, found)
        out[rows] = found.reshape(len(rows), count)
    return out
