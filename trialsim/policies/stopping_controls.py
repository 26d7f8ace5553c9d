"""Controls for rules of futility: what knowing the effect would bring, knowing nothing, and having it backwards."""

from __future__ import annotations

import numpy as np

from trialsim.contracts import Bools, Decision, Floats, LookView, Memory
from trialsim.draws import Purpose, uniforms_at
from trialsim.elementary import standard_normals
from trialsim.policies.bounds import Bounds
from trialsim.stats.normal import upper_quantile

_CHANCE, _SCORE = 1 << 40, (1 << 40) + 1
_NO_BENEFIT = 1e-9
"""A true benefit up to this is none: what is left where marginal effects are solved for."""


class _GivesUp(Bounds):
    """What all share: at one look tests are given up by a score; efficacy bounds decide as ever, futility bounds do not.

    A control says nothing in favour of a rejection, so that an error is never larger than with the efficacy bounds alone.
    """

    def __init__(self, look: int = 1, stop_when: str = "all") -> None:
        super().__init__(stop_when, "ignore")
        self.look = look

    def hopeless(self, view: LookView) -> Bools:
        """Return which tests the score takes for hopeless, ``[replicate, test]``."""
        raise NotImplementedError

    def decide(self, view: LookView, memory: Memory) -> tuple[Decision, Memory]:
        """Return the efficacy bounds' decision, with hopeless tests given up at the chosen look."""
        decision, memory = super().decide(view, memory)
        assert decision.reject is not None
        here = (view.look == self.look - 1) & ~view.is_last
        undecided = ~(view.rejected | view.futile | decision.reject)
        futile = undecided & here[:, None] & self.hopeless(view)
        return self._conclude(view, decision.reject, futile, view.open_arms), memory


class StoppingOracle(_GivesUp):
    """Give up, at one look, the tests whose null hypothesis is true, and no other.

    Parameters
    ----------
    look
        At which, from 1.
    stop_when
        As in :class:`~trialsim.policies.bounds.Bounds`.
    """

    name = "oracle"
    reference = "upper control"
    reads_latent = True

    def hopeless(self, view: LookView) -> Bools:
        """Return which tests have no true benefit."""
        return np.broadcast_to(~_works(view), view.z.shape)


class StoppingAdversarial(_GivesUp):
    """Give up, at one look, the tests whose null hypothesis is false, and no other: the oracle, backwards.

    Parameters
    ----------
    look, stop_when
        As in :class:`StoppingOracle`.
    """

    name = "adversarial"
    reference = "lower control"
    reads_latent = True

    def hopeless(self, view: LookView) -> Bools:
        """Return which tests have a true benefit."""
        return np.broadcast_to(_works(view), view.z.shape)


class StoppingRandom(_GivesUp):
    """Give up, at one look, tests drawn at random: a score that says nothing.

    Parameters
    ----------
    look, stop_when
        As in :class:`StoppingOracle`.
    share
        Probability with which a test is given up.
    """

    name = "random"
    reference = "null control"

    def __init__(self, look: int = 1, stop_when: str = "all", share: float = 0.5) -> None:
        super().__init__(look, stop_when)
        self._share = share

    def hopeless(self, view: LookView) -> Bools:
        """Return which tests the draw falls on."""
        return _drawn(view, _CHANCE) < self._share


class StoppingEmulated(_GivesUp):
    """Give up, at one look, tests by a score that tells true effects from none with a stated area under the curve.

    The score of a test is standard normal, that of one with an effect ``sqrt(2)`` times the normal quantile of the area
    higher; a test is given up below the middle between both. Either error is thus made with the probability
    ``1 - Phi(Phi^-1(auc) / sqrt(2))``: 0.276 for an area of 0.8.

    Parameters
    ----------
    auc
        Probability that the score of a test with an effect is higher than that of one without, from 0.001 to 0.999.
    look, stop_when
        As in :class:`StoppingOracle`.
    """

    name = "emulated"
    reference = "score of a chosen area under the curve"
    reads_latent = True

    def __init__(self, auc: float, look: int = 1, stop_when: str = "all") -> None:
        super().__init__(look, stop_when)
        self._ahead = float(np.sqrt(2.0) * upper_quantile(1.0 - auc))

    def hopeless(self, view: LookView) -> Bools:
        """Return which tests score below the middle."""
        noise = np.empty(view.z.size)
        standard_normals(_drawn(view, _SCORE).ravel(), noise)
        score = noise.reshape(view.z.shape) + np.where(_works(view), self._ahead, 0.0)
        return np.asarray(score < 0.5 * self._ahead, dtype=np.bool_)


def _works(view: LookView) -> Bools:
    """Return which tests have a true effect beyond what their null hypothesis allows; an unknown one counts as none."""
    return np.asarray(view.benefit > _NO_BENEFIT, dtype=np.bool_)


def _drawn(view: LookView, draw: int) -> Floats:
    """Return a uniform for each test of each trial, ``[replicate, test]``."""
    size, tests = view.z.shape
    out = np.empty(size * tests)
    keys = np.tile(np.arange(tests), size)
    uniforms_at(view.seed, np.repeat(view.replicate, tests), keys, int(Purpose.SAMPLER), draw, out)
    return out.reshape(size, tests)
