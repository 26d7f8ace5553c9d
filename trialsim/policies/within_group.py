"""Rankings that look at a candidate's place within the own group: equal in rank, or equal in exposure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from trialsim.contracts import CandidateView, Floats, Ints, Memory
from trialsim.policies.scores import on_grid, policy_from, prepared, reads_latent, scores_of


def _groups(view: CandidateView, covariate: str) -> Ints:
    """Return the group of each candidate, -1 where the records do not say."""
    values = view.covariates[:, view.names.index(covariate)]
    return np.asarray(np.where(np.isnan(values), -1.0, values), dtype=np.int64)


class WithinGroup:
    """Rank candidates by their percentile within their own group, by another ranking.

    A score is fixed when a candidate is met and knows nobody else, so that the percentile refers to candidates of the same
    population whom no trial meets, not to those who happen to be waiting. In expectation each group is then called in
    proportion to its share of the candidates, however well the ranking works in it. Those of unknown group make a group.

    Parameters
    ----------
    covariate
        Categorical covariate that makes the groups.
    ranking
        The other ranking, ``{name: parameters}``.
    """

    name = "within_group"
    reference = "rank parity by group-wise percentiles"
    decides_on = "candidate"
    as_they_come = False

    def __init__(self, covariate: str, ranking: Mapping[str, Any]) -> None:
        self._covariate, self._inner = covariate, policy_from(ranking)
        self.reads_latent = reads_latent(self._inner)
        self._scores: dict[int, Ints] = {}
        self._stretch: dict[int, float] = {}
        self._shares: Mapping[str, float] = {}

    def prepared(self, sample: CandidateView) -> WithinGroup:
        """Return the policy with the sorted scores of each group of the sample."""
        ready = object.__new__(type(self))
        ready.__dict__.update(self.__dict__)
        ready._inner = prepared(self._inner, sample)
        scores, _ = scores_of(ready._inner, sample, {})
        group = _groups(sample, self._covariate)
        ready._scores = {int(g): np.sort(scores[group == g]) for g in np.unique(group)}
        share = {g: len(found) / len(group) for g, found in ready._scores.items()}
        wanted = {
            level: self._shares[name]
            for level, name in enumerate(sample.levels[self._covariate])
            if name in self._shares
        }
        rest = sum(share[g] for g in share if g not in wanted)
        left = 1.0 - sum(wanted.values())
        of_rest = left / rest if rest > 0.0 else 1.0
        ready._stretch = {g: share[g] / wanted[g] if g in wanted else 1.0 / of_rest for g in share}
        return ready

    def decide(self, view: CandidateView, memory: Memory) -> tuple[Ints, Memory]:
        """Return minus the share of the own group that ranks above each candidate, stretched where exposures are stated."""
        scores, memory = scores_of(self._inner, view, memory)
        group = _groups(view, self._covariate)
        above = np.full(len(scores), 0.5)
        for g, reference in self._scores.items():
            here = group == g
            above[here] = self._stretch[g] * _share_above(scores[here], reference)
        return on_grid(-above), memory


class Exposure(WithinGroup):
    """Rank so that each group has a stated share of those called, by another ranking within the group.

    As far as a score fixed at first contact can: with s the share of the own group ranked above a candidate, p the group's
    share of the population and e the stated one, candidates are called in the order of s p / e, so that whoever has been
    called up to any point is made up of e of each group, in expectation, until a group is used up (exposure in the sense of
    Singh and Joachims, KDD 2018). With e equal to p it is :class:`WithinGroup`. Among those enrolled shares
    differ as groups differ in how many of the called are eligible.

    Parameters
    ----------
    covariate
        Categorical covariate that makes the groups.
    shares
        Share of those called, by level; levels that are not named divide the rest as they do in the population.
    ranking
        The other ranking, ``{name: parameters}``.
    """

    name = "exposure"
    reference = "Singh and Joachims 2018, as a score of single candidates"
    as_they_come = False

    def __init__(self, covariate: str, shares: Mapping[str, float], ranking: Mapping[str, Any]) -> None:
        super().__init__(covariate, ranking)
        self._shares = dict(shares)


def _share_above(scores: Ints, reference: Ints) -> Floats:
    """Return the share of sorted reference scores above each score, half of those equal counted; linear in between."""
    values, first = np.unique(reference, return_index=True)
    counts = np.diff(np.append(first, len(reference)))
    below = (first + 0.5 * counts) / len(reference)
    return np.asarray(1.0 - np.interp(scores.astype(np.float64), values.astype(np.float64), below))
