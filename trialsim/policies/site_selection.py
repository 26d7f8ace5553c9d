"""Which sites a trial opens, by what is known of them before it begins."""

from __future__ import annotations

import numpy as np

from trialsim.contracts import Floats, Memory, SiteDecision, SiteView
from trialsim.draws import Purpose, uniforms_at

_SITE_BITS = 32


class _Chooses:
    """What all share: how many sites are opened, those with the highest scores."""

    decides_on = "site"

    def __init__(self, open: int) -> None:
        self.open_sites: int | None = open

    def decide(self, view: SiteView, memory: Memory) -> tuple[SiteDecision, Memory]:
        """Return the score of each site."""
        return SiteDecision(score=self.score(view)), memory

    def score(self, view: SiteView) -> Floats:
        """Return a number for each site."""
        raise NotImplementedError


class AllOpen:
    """Open every site."""

    name = "all_open"
    reference = "usual practice"
    decides_on = "site"
    open_sites: int | None = None

    def decide(self, view: SiteView, memory: Memory) -> tuple[SiteDecision, Memory]:
        """Return the same score for every site."""
        return SiteDecision(score=np.zeros(view.promised.shape)), memory


class RandomSites(_Chooses):
    """Open sites that are drawn at random: what useless knowledge of sites does.

    Parameters
    ----------
    open
        How many.
    """

    name = "random"
    reference = "null control"

    def score(self, view: SiteView) -> Floats:
        """Return a random number for each site, found at the site's own address."""
        return drawn(view, 1)


class HistoricalMean(_Chooses):
    """Open the sites that found most candidates a day in an earlier trial; those without one count as the average site.

    Parameters
    ----------
    open
        How many.
    """

    name = "historical_mean"
    reference = "usual practice"

    def score(self, view: SiteView) -> Floats:
        """Return candidates a day on record."""
        known = view.history_days > 0.0
        rate = view.history_patients / np.where(known, view.history_days, 1.0)
        return np.where(known, rate, mean_rate(view)[:, None])


class Questionnaire(_Chooses):
    """Open the sites that promise most candidates a day; those that were not asked come last.

    Parameters
    ----------
    open
        How many.
    """

    name = "questionnaire"
    reference = "feasibility questionnaires"

    def score(self, view: SiteView) -> Floats:
        """Return what is promised."""
        return view.promised


class GammaPoisson(_Chooses):
    """Open the sites with the highest posterior mean rate, rates being gamma distributed (Anisimov and Fedorov 2007).

    V. V. Anisimov and V. V. Fedorov, Stat. Med. 26, 2007, 4958-4975. The prior's mean is that of all sites on record.

    Parameters
    ----------
    open
        How many.
    shape
        Of the gamma distribution of rates.
    """

    name = "gamma_poisson"
    reference = "Anisimov and Fedorov 2007"

    def __init__(self, open: int, shape: float = 1.5) -> None:
        super().__init__(open)
        self._shape = shape

    def score(self, view: SiteView) -> Floats:
        """Return posterior means."""
        shape, rate = self.posterior(view)
        return shape / rate

    def posterior(self, view: SiteView) -> tuple[Floats, Floats]:
        """Return shape and rate of each site's posterior, ``[replicate, site]``."""
        mean = np.maximum(mean_rate(view), 1e-12)[:, None]
        return np.asarray(self._shape + view.history_patients), np.asarray(
            self._shape / mean + view.history_days
        )


class ThompsonSites(GammaPoisson):
    """Open the sites whose rates, drawn from their posteriors, are highest: little known ones have their chance.

    Parameters
    ----------
    open
        How many.
    shape
        Of the gamma distribution of rates.
    """

    name = "thompson"
    reference = "Thompson 1933; posterior: Anisimov and Fedorov 2007"

    def score(self, view: SiteView) -> Floats:
        """Return rates drawn from the posteriors at the sites' own addresses."""
        from scipy.special import gammaincinv

        shape, rate = self.posterior(view)
        return np.asarray(gammaincinv(shape, drawn(view, 2)) / rate)


class RecordAndPromise(GammaPoisson):
    """Open the sites with the highest posterior mean rate, the prior mean of each being what it promises, scaled down.

    Promises are scaled by the ratio of records to promises at the sites that have both; where there are none, and where a
    site does not answer, the prior mean is that of all sites on record.

    Parameters
    ----------
    open
        How many.
    shape
        Of the gamma distribution of rates around the scaled promise: how much promises are trusted beside records.
    """

    name = "record_and_promise"
    reference = "Anisimov and Fedorov 2007, promises as prior means"

    def posterior(self, view: SiteView) -> tuple[Floats, Floats]:
        """Return shape and rate of each site's posterior, ``[replicate, site]``."""
        mean = np.maximum(mean_rate(view), 1e-12)[:, None]
        asked = view.promised > 0.0
        both = asked & (view.history_days > 0.0)
        recorded = np.where(both, view.history_patients, 0).sum(axis=1, keepdims=True)
        expected = np.where(both, view.promised * view.history_days, 0.0).sum(axis=1, keepdims=True)
        scale = np.where(expected > 0.0, (recorded + 0.5) / np.where(expected > 0.0, expected, 1.0), np.nan)
        prior = np.where(asked & ~np.isnan(scale), view.promised * scale, mean)
        return np.asarray(self._shape + view.history_patients), np.asarray(
            self._shape / prior + view.history_days
        )


class OracleSites(_Chooses):
    """Open the sites whose true rates are highest, as only nature knows them.

    Parameters
    ----------
    open
        How many.
    """

    name = "oracle"
    reference = "upper control"
    reads_latent = True

    def score(self, view: SiteView) -> Floats:
        """Return the true rates."""
        return view.rates


class AdversarialSites(OracleSites):
    """Open the sites whose true rates are lowest: the oracle, backwards.

    Parameters
    ----------
    open
        How many.
    """

    name = "adversarial"
    reference = "lower control"

    def score(self, view: SiteView) -> Floats:
        """Return the true rates with the wrong sign."""
        return -view.rates


def mean_rate(view: SiteView) -> Floats:
    """Return candidates a day on record, all sites together, or else what is promised in the mean, ``[replicate]``."""
    days = view.history_days.sum()
    if days > 0.0:
        return np.asarray(view.history_patients.sum(axis=1) / days)
    asked = ~np.isnan(view.promised)
    return np.asarray(np.where(asked, view.promised, 0.0).sum(axis=1) / np.maximum(asked.sum(axis=1), 1))


def drawn(view: SiteView, draw: int) -> Floats:
    """Return a uniform for each site, found at the site's own address, ``[replicate, site]``.

    Parameters
    ----------
    view
        The sites.
    draw
        Which of a policy's draws.
    """
    count = len(view.names)
    keys = np.tile(np.arange(count) << _SITE_BITS, len(view.replicate))
    out = np.empty(len(keys))
    uniforms_at(view.seed, np.repeat(view.replicate, count), keys, int(Purpose.SAMPLER), draw, out)
    return out.reshape(len(view.replicate), count)
