"""Sites chosen before a trial, and chosen again while it enrols: slow ones close, reserves open in their place."""

from __future__ import annotations

import numpy as np

from trialsim.contracts import Floats, Ints, Memory, SiteDecision, SitesSoFar, SiteView, sum_of
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
    decides_on = "site"
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

    def decide(self, view: SiteView, memory: Memory) -> tuple[SiteDecision, Memory]:
        """Return posterior means before the trial, and at reviews which sites close and which open."""
        if view.so_far is None:
            return self._before.decide(view, memory)
        return self._reviewed(view, view.so_far), memory

    def _reviewed(self, view: SiteView, now: SitesSoFar) -> SiteDecision:
        """Return which sites close and which open."""
        slow = now.open & (now.open_days >= self._after) & (self._rate(view, now) < self._limit)
        opens = np.zeros_like(slow)
        if self._reserves != "none":
            score = np.where(now.reserve, self._worth(view, now), -np.inf)
            order = np.argsort(-score, axis=1, kind="stable")
            rank = np.empty_like(order)
            np.put_along_axis(rank, order, np.arange(order.shape[1])[None, :], axis=1)
            opens = now.reserve & (rank < slow.sum(axis=1, keepdims=True))
        return SiteDecision(close=slow, open=opens)

    def _rate(self, view: SiteView, now: SitesSoFar) -> Floats:
        """Return the rate by which sites are judged, per day."""
        if self._judged_by == "posterior":
            shape, rate = self._posterior(view, now)
            return np.asarray(shape / rate)
        seen = now.randomised if self._judged_by == "patients" else now.came
        return np.asarray(seen / np.maximum(now.open_days, 1e-9))

    def _posterior(self, view: SiteView, now: SitesSoFar) -> tuple[Floats, Floats]:
        """Return shape and rate of the posterior of each site's candidates a day: record and trial together."""
        known = sum_of(view.history_patients) + sum_of(now.came)
        days = view.history_days.sum() + sum_of(now.open_days)
        pooled = np.where(days > 0.0, known / np.where(days > 0.0, days, 1.0), mean_rate(view))
        prior = self._shape / np.maximum(pooled, 1e-12)[:, None]
        return (
            np.asarray(self._shape + view.history_patients + now.came),
            np.asarray(prior + view.history_days + now.open_days),
        )

    def _worth(self, view: SiteView, now: SitesSoFar) -> Floats:
        """Return how much is expected of each site, or drawn."""
        shape, rate = self._posterior(view, now)
        if self._reserves == "posterior":
            return np.asarray(shape / rate)
        from scipy.special import gammaincinv

        return np.asarray(gammaincinv(shape, _drawn(view, now.review)) / rate)


def _drawn(view: SiteView, review: Ints) -> Floats:
    """Return a uniform for each site and review, found at the site's own address, ``[replicate, site]``."""
    count = len(view.names)
    keys = np.arange(count) << _SITE_BITS
    out = np.empty((len(review), count))
    for number in np.unique(review):
        rows = np.flatnonzero(review == number)
        found = np.empty(len(rows) * count)
        owners = np.repeat(view.replicate[rows], count)
        draw = _FIRST_DRAW + int(number)
        uniforms_at(view.seed, owners, np.tile(keys, len(rows)), int(Purpose.SAMPLER), draw, found)
        out[rows] = found.reshape(len(rows), count)
    return out
