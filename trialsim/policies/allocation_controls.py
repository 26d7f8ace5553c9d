"""Controls for allocation rules: what knowing the best arm would bring, knowing nothing, and having it backwards."""

from __future__ import annotations

import numpy as np

from trialsim.contracts import AllocationView, Decision, Floats, Memory
from trialsim.draws import Purpose, uniforms_at
from trialsim.elementary import standard_normals
from trialsim.stats.normal import upper_quantile

_ARM_NOISE, _REVIEW_NOISE = 6, 7
_TIED = 1e-9
"""True benefits that differ by less are the same: what is left where marginal effects are solved for."""


class _Favours:
    """What all share: the open arm with the highest score is favoured, each other one keeps a smallest share."""

    decides_on = "allocation"
    adaptive = True

    def __init__(self, minimum: float = 0.1) -> None:
        self._least = minimum

    def scores(self, view: AllocationView) -> Floats:
        """Return a score of each arm, ``[replicate, arm]``."""
        raise NotImplementedError

    def decide(self, view: AllocationView, memory: Memory) -> tuple[Decision, Memory]:
        """Return the weights of the open arms; those that score highest share what the others leave."""
        score = np.where(view.open_arms, self.scores(view), -np.inf)
        favoured = view.open_arms & (score >= score.max(axis=1, keepdims=True) - _TIED)
        others = view.open_arms & ~favoured
        least = np.minimum(self._least, 1.0 / view.open_arms.sum(axis=1, keepdims=True))
        left = 1.0 - least * others.sum(axis=1, keepdims=True)
        return Decision(
            weights=np.where(
                favoured, left / favoured.sum(axis=1, keepdims=True), np.where(others, least, 0.0)
            )
        ), memory


class AllocationOracle(_Favours):
    """Favour the arm that is truly the best; arms that are equally good are alike.

    Parameters
    ----------
    minimum
        Share of each other open arm.
    """

    name = "oracle"
    reference = "upper control"
    reads_latent = True

    def scores(self, view: AllocationView) -> Floats:
        """Return the true benefit of each arm."""
        return np.broadcast_to(view.benefit, view.open_arms.shape)


class AllocationAdversarial(_Favours):
    """Favour the arm that is truly the worst: the oracle, backwards.

    Parameters
    ----------
    minimum
        Share of each other open arm.
    """

    name = "adversarial"
    reference = "lower control"
    reads_latent = True

    def scores(self, view: AllocationView) -> Floats:
        """Return the true benefit of each arm, its sign reversed."""
        return np.broadcast_to(-view.benefit, view.open_arms.shape)


class AllocationRandom(_Favours):
    """Favour an arm drawn at random at each review: a score that says nothing.

    Parameters
    ----------
    minimum
        Share of each other open arm.
    """

    name = "random"
    reference = "null control"

    def scores(self, view: AllocationView) -> Floats:
        """Return a random number for each arm, another one as more are enrolled."""
        return _drawn(view, _REVIEW_NOISE + view.arm_enrolled.sum(axis=1))


class AllocationEmulated(_Favours):
    """Favour the arm with the highest of scores that tell the best from another with a stated area under the curve.

    A score is standard normal, that of the best arms ``sqrt(2)`` times the normal quantile of the area higher; it is drawn
    once for a trial and arm, so that the rule stays as right or wrong as it is.

    Parameters
    ----------
    auc
        Probability that the best arm scores higher than another one, from 0.001 to 0.999.
    minimum
        Share of each other open arm.
    """

    name = "emulated"
    reference = "score of a chosen area under the curve"
    reads_latent = True

    def __init__(self, auc: float, minimum: float = 0.1) -> None:
        super().__init__(minimum)
        self._ahead = np.sqrt(2.0) * upper_quantile(1.0 - auc)

    def scores(self, view: AllocationView) -> Floats:
        """Return the score of each arm; where all are equally good nobody is ahead."""
        best = view.benefit >= view.benefit.max() - _TIED
        noise = np.empty(view.open_arms.size)
        standard_normals(_drawn(view, np.full(len(view.replicate), _ARM_NOISE)).ravel(), noise)
        return noise.reshape(view.open_arms.shape) + np.where(best & ~best.all(), self._ahead, 0.0)


def _drawn(view: AllocationView, draw: np.ndarray) -> Floats:
    """Return a uniform of each arm at its own address; ``draw[replicate]`` is which."""
    arms = view.open_arms.shape[1]
    out = np.empty(view.open_arms.shape)
    for number in np.unique(draw):
        rows = np.flatnonzero(draw == number)
        found = np.empty(len(rows) * arms)
        uniforms_at(
            view.seed, np.repeat(view.replicate[rows], arms), np.tile(np.arange(arms), len(rows)),
            int(Purpose.SAMPLER), int(number), found,
        )  # fmt: skip
        out[rows] = found.reshape(len(rows), arms)
    return out
