"""Controls that read what is hidden: the best that any ranking could do, and the worst."""

from __future__ import annotations

from trialsim.contracts import CandidateView, Floats, Ints, Memory
from trialsim.policies.scores import on_grid

ELIGIBLE = "eligible"
_ELIGIBLE = 2


def hidden(view: CandidateView, reads: str) -> Floats:
    """Return the probability of being eligible, or a latent trait in standard deviations, ``[candidate]``."""
    return view.chances[:, _ELIGIBLE] if reads == ELIGIBLE else view.latent[:, view.traits.index(reads)]


class Oracle:
    """Call those first who are likeliest to be eligible, or highest in a latent trait, as only nature knows it.

    Parameters
    ----------
    reads
        ``eligible``, or the name of a latent trait.
    """

    name = "oracle"
    reference = "upper control"
    decides_on = "candidate"
    as_they_come = False
    reads_latent = True

    def __init__(self, reads: str = ELIGIBLE) -> None:
        self._reads = reads

    def decide(self, view: CandidateView, memory: Memory) -> tuple[Ints, Memory]:
        """Return what is hidden on a fine grid."""
        return on_grid(hidden(view, self._reads)), memory


class Adversarial:
    """Call those last who are likeliest to be eligible, or highest in a latent trait: the oracle, backwards.

    Parameters
    ----------
    reads
        ``eligible``, or the name of a latent trait.
    """

    name = "adversarial"
    reference = "lower control"
    decides_on = "candidate"
    as_they_come = False
    reads_latent = True

    def __init__(self, reads: str = ELIGIBLE) -> None:
        self._reads = reads

    def decide(self, view: CandidateView, memory: Memory) -> tuple[Ints, Memory]:
        """Return what is hidden, its sign reversed, on a fine grid."""
        return on_grid(-hidden(view, self._reads)), memory
