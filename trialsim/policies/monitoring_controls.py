"""Controls for decisions at visits: acting on those truly at risk, on anybody, on those least at risk, and by a score."""

from __future__ import annotations

import numpy as np

from trialsim.contracts import DISCONTINUE, NOTHING, REDUCE, Bools, Floats, Ints, Memory, VisitView
from trialsim.draws import Purpose, uniforms_at
from trialsim.elementary import standard_normals
from trialsim.stats.discrimination import correlation_for_area
from trialsim.stats.normal import upper_quantile

_CHANCE, _NOISE = 1 << 40, (1 << 40) + 1


class _Acts:
    """What all share: at one visit something is done about a share of patients, once.

    Parameters
    ----------
    share
        Of the patients about whom something is done.
    do
        ``reduce``, a dose level less, or ``discontinue``.
    visit
        At which visit, from 1; nothing is done about those who miss it.
    """

    decides_on = "visit"

    def __init__(self, share: float = 0.25, do: str = "reduce", visit: int = 1) -> None:
        self._share, self._answer, self._visit = share, REDUCE if do == "reduce" else DISCONTINUE, visit

    def chosen(self, view: VisitView) -> Bools:
        """Return about whom something is done."""
        raise NotImplementedError

    def decide(self, view: VisitView, memory: Memory) -> tuple[Ints, Memory]:
        """Return what is done about each patient."""
        here = view.visit == self._visit - 1
        return np.where(here & self.chosen(view), self._answer, NOTHING), memory


class _ByTrait(_Acts):
    """What those share that know a latent trait."""

    reads_latent = True

    def __init__(
        self, trait: str = "toxicity", share: float = 0.25, do: str = "reduce", visit: int = 1
    ) -> None:
        super().__init__(share, do, visit)
        self._trait, self._threshold = trait, upper_quantile(share)

    def _of(self, view: VisitView) -> Floats:
        """Return the trait in standard deviations."""
        return np.asarray(view.latent[:, view.traits.index(self._trait)])


class MonitoringOracle(_ByTrait):
    """Act on the patients in whom a latent trait is highest, as only nature knows it.

    Parameters
    ----------
    trait
        The trait.
    share, do, visit
        About how large a share something is done, what, and at which visit, from 1.
    """

    name = "oracle"
    reference = "upper control"

    def chosen(self, view: VisitView) -> Bools:
        """Return in whom the trait lies in its upper share."""
        return np.asarray(self._of(view) > self._threshold, dtype=np.bool_)


class MonitoringAdversarial(_ByTrait):
    """Act on the patients in whom a latent trait is lowest: the oracle, backwards.

    Parameters
    ----------
    trait, share, do, visit
        As in :class:`MonitoringOracle`.
    """

    name = "adversarial"
    reference = "lower control"

    def chosen(self, view: VisitView) -> Bools:
        """Return in whom the trait lies in its lower share."""
        return np.asarray(self._of(view) < -self._threshold, dtype=np.bool_)


class MonitoringRandom(_Acts):
    """Act on patients drawn at random: a score that says nothing.

    Parameters
    ----------
    share, do, visit
        As in :class:`MonitoringOracle`.
    """

    name = "random"
    reference = "null control"

    def chosen(self, view: VisitView) -> Bools:
        """Return on whom the draw falls."""
        return np.asarray(_drawn(view, _CHANCE) < self._share, dtype=np.bool_)


class MonitoringEmulated(_ByTrait):
    """Act on the patients with the highest of scores that tell those at risk with a stated area under the curve.

    The score is ``rho * trait + sqrt(1 - rho**2) * noise``, drawn once for a patient; the area is that of telling those in
    whom the trait lies in its upper ``share`` from the others, and as many are acted on.

    Parameters
    ----------
    auc
        Area under the curve, from 0.001 to 0.999.
    trait, share, do, visit
        As in :class:`MonitoringOracle`.
    """

    name = "emulated"
    reference = "score of a chosen area under the curve"

    def __init__(
        self, auc: float, trait: str = "toxicity", share: float = 0.25, do: str = "reduce", visit: int = 1
    ) -> None:
        super().__init__(trait, share, do, visit)
        self._rho = correlation_for_area(auc, share)

    def chosen(self, view: VisitView) -> Bools:
        """Return who has the highest scores."""
        noise = np.empty(len(view.patient))
        standard_normals(_drawn(view, _NOISE), noise)
        score = self._rho * self._of(view) + np.sqrt(1.0 - self._rho**2) * noise
        return np.asarray(score > self._threshold, dtype=np.bool_)


def _drawn(view: VisitView, draw: int) -> Floats:
    """Return a uniform of each patient at their own address, the same at every visit."""
    out = np.empty(len(view.patient))
    uniforms_at(view.seed, view.replicate, view.patient, int(Purpose.SAMPLER), draw, out)
    return out
