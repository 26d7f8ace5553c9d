"""A coordinator who is shown a ranking and does not always follow it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from trialsim.contracts import CandidateView, Ints, Memory
from trialsim.draws import Purpose, uniforms_at
from trialsim.policies.scores import LARGEST, drawn, policy_from, prepared, reads_latent, scores_of

ACCEPTED, DELAYED, OVERRIDDEN = range(3)
"""What becomes of what the ranking says of a candidate."""
_FATE, _JUDGEMENT = 3, 4


class HumanInTheLoop:
    """Accept, delay or override what a ranking recommends, each with a stated probability.

    Accepted, a candidate has the place that the ranking gives. Overridden, the candidate has the place of somebody drawn at
    random from the population: the coordinator's judgement knows nothing of eligibility. Delayed, the candidate is called
    only when nobody is waiting who is not delayed; scores are fixed at first contact, so that a delay is a place in the
    queue, not a number of days. Fates are drawn at the candidate's own address.

    Parameters
    ----------
    ranking
        The ranking, ``{name: parameters}``.
    delay, override
        Probabilities; what remains is that of accepting.
    """

    name = "human_in_the_loop"
    reference = "compliance with a recommendation as a parameter"
    decides_on = "candidate"
    as_they_come = False

    def __init__(self, ranking: Mapping[str, Any], delay: float = 0.0, override: float = 0.0) -> None:
        self._inner, self._delay, self._override = policy_from(ranking), delay, override
        self.reads_latent = reads_latent(self._inner)
        self._usual: Ints = np.zeros(1, dtype=np.int64)

    def prepared(self, sample: CandidateView) -> HumanInTheLoop:
        """Return the policy with the scores that the ranking usually gives."""
        ready = object.__new__(type(self))
        ready.__dict__.update(self.__dict__)
        ready._inner = prepared(self._inner, sample)
        ready._usual = np.sort(scores_of(ready._inner, sample, {})[0])
        return ready

    def decide(self, view: CandidateView, memory: Memory) -> tuple[Ints, Memory]:
        """Return the score after the coordinator has seen it."""
        scores, memory = scores_of(self._inner, view, memory)
        fate = self.fates(view.seed, view.replicate, view.candidate)
        instead = self._usual[np.asarray(drawn(view, _JUDGEMENT) * len(self._usual), dtype=np.int64)]
        followed = np.where(fate == DELAYED, scores - 2 * LARGEST - 1, scores)
        return np.where(fate == OVERRIDDEN, instead, followed), memory

    def fates(self, seed: int, replicate: Ints, candidate: Ints) -> Ints:
        """Return whether the coordinator accepts, delays or overrides what the ranking says of each candidate.

        Parameters
        ----------
        seed
            That of the view in which they are scored.
        replicate, candidate
            Their trials and keys, ``[candidate]``.
        """
        drawn_fate = np.empty(len(candidate))
        uniforms_at(seed, replicate, candidate, int(Purpose.SAMPLER), _FATE, drawn_fate)
        kept = np.where(drawn_fate < self._override + self._delay, DELAYED, ACCEPTED)
        return np.asarray(np.where(drawn_fate < self._override, OVERRIDDEN, kept), dtype=np.int64)
