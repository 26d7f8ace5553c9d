"""A score of a chosen quality: what a ranking would bring if a model reached this area under the curve."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from trialsim.contracts import CandidateView, Floats, Ints, Memory
from trialsim.elementary import standard_normals
from trialsim.policies.scores import drawn, on_grid
from trialsim.stats.discrimination import correlation_for_area
from trialsim.stats.normal import upper_quantile

_NOISE = 2


class Emulated:
    """Rank by ``rho * trait + sqrt(1 - rho**2) * noise``, rho being such that the score has a stated area under the curve.

    The area is that of telling candidates in whom the latent trait lies in its upper ``prevalence`` from the others. Noise
    is drawn at the candidate's own address, the same whatever the area: areas are compared on the same candidates.

    Parameters
    ----------
    auc
        Area under the curve, from 0.001 to 0.999.
    prevalence
        Share of candidates in whom the trait makes for eligibility.
    trait
        The latent trait.
    subgroup, auc_by_level
        A categorical covariate in whose levels the score differs, and the area in those where it is not ``auc``.
    rank_by
        ``score``: a standard normal in every subgroup, so that candidates are ranked by their percentile within their own;
        ``probability``: the calibrated probability of eligibility given score and subgroup.
    """

    name = "emulated"
    reference = "score of a chosen area under the curve"
    decides_on = "candidate"
    as_they_come = False
    reads_latent = True

    def __init__(
        self,
        auc: float,
        prevalence: float,
        trait: str = "eligibility",
        subgroup: str | None = None,
        auc_by_level: Mapping[str, float] | None = None,
        rank_by: str = "score",
    ) -> None:
        self._trait, self._subgroup, self._by_probability = trait, subgroup, rank_by == "probability"
        self._threshold = upper_quantile(prevalence)
        self._rho = correlation_for_area(auc, prevalence)
        self._rho_of = {
            level: correlation_for_area(a, prevalence) for level, a in (auc_by_level or {}).items()
        }

    def decide(self, view: CandidateView, memory: Memory) -> tuple[Ints, Memory]:
        """Return the score of each candidate, or the normal quantile of the probability, on a fine grid."""
        rho = self._correlations(view)
        spread = np.sqrt(1.0 - rho * rho)
        noise = np.empty(len(view.candidate))
        standard_normals(drawn(view, _NOISE), noise)
        score = rho * view.latent[:, view.traits.index(self._trait)] + spread * noise
        scores = on_grid((rho * score - self._threshold) / spread if self._by_probability else score)
        return scores, memory

    def _correlations(self, view: CandidateView) -> Floats:
        """Return the correlation that holds in each candidate's subgroup."""
        rho = np.full(len(view.candidate), self._rho)
        if self._subgroup is not None:
            group = view.covariates[:, view.names.index(self._subgroup)]
            for level, value in self._rho_of.items():
                rho[group == view.levels[self._subgroup].index(level)] = value
        return rho
