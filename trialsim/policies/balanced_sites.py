"""Sites chosen one after the other so that they find many candidates, and together a mix like that of all sites."""

from __future__ import annotations

import numpy as np

from trialsim.contracts import Floats, SiteView
from trialsim.policies.site_selection import RecordAndPromise

_PRIOR_WEIGHT = 20.0


class BalancedSites(RecordAndPromise):
    """Open sites by posterior mean rate, less a price on how far their mix is from that of all sites together.

    The posterior is that of ``record_and_promise``.

    Greedy: each next site is the one with which the logarithm of the rate of all chosen sites, less the price times the
    distance of their mix, is highest. The mix of a site is that of its record, shrunk to the mix of all records by twenty
    candidates; the distance is half the sum of the absolute differences of shares.

    Parameters
    ----------
    open
        How many.
    shape
        Of the gamma distribution of rates.
    price
        Of a distance of 1, as a factor of the rate on the scale of logarithms.
    """

    name = "balanced"
    reference = "greedy choice on the posterior of Anisimov and Fedorov 2007"

    def __init__(self, open: int, shape: float = 1.5, price: float = 1.0) -> None:
        super().__init__(open, shape)
        self._price = price

    def score(self, view: SiteView) -> Floats:
        """Return the place at which each site is chosen, the first highest; those not chosen have 0."""
        rate = super().score(view)
        size, count = rate.shape
        levels = len(view.levels)
        if levels:
            by_level = view.history_levels.astype(np.float64)
            whole = by_level.sum(axis=1, keepdims=True) + 1.0 / levels
            pool = whole / whole.sum(axis=2, keepdims=True)
            mix = (by_level + _PRIOR_WEIGHT * pool) / (by_level.sum(axis=2, keepdims=True) + _PRIOR_WEIGHT)
        else:
            mix, pool = np.ones((size, count, 1)), np.ones((size, 1, 1))
        finds = rate[:, :, None] * mix
        target = finds.sum(axis=1, keepdims=True) / finds.sum(axis=(1, 2), keepdims=True)
        taken, place = np.zeros((size, 1, finds.shape[2])), np.zeros((size, count))
        rows = np.arange(size)
        for step in range(min(self.open_sites or count, count)):
            together = taken + finds
            total = together.sum(axis=2)
            apart = 0.5 * np.abs(together / total[:, :, None] - target).sum(axis=2)
            worth = np.where(place > 0.0, -np.inf, np.log(total) - self._price * apart)
            best = worth.argmax(axis=1)
            place[rows, best] = count - step
            taken = taken + finds[rows, best][:, None, :]
        return place
