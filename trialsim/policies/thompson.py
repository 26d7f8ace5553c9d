"""Thompson sampling: patients are allocated by the probability that each arm is the best."""

from __future__ import annotations

import numpy as np

from trialsim.contracts import AllocationView, Bools, Decision, Floats, Memory, any_of, sum_of
from trialsim.stats.bayes.who_is_best import BestArms


def best_of(view: AllocationView, among: Bools, prior: tuple[float, float]) -> Floats:
    """Return the probability that each of some arms has the best rate, from what was read out, ``[replicate, arm]``."""
    total = np.rint(view.arm_total).astype(np.int64)
    good = view.arm_readouts - total if view.lower_is_better else total
    a, b = prior[::-1] if view.lower_is_better else prior
    asked = view.best_arms or BestArms()
    return asked(view.replicate, good, view.arm_readouts, among, (float(a), float(b)))


def within_limits(weights: Floats, least: float, most: float) -> Floats:
    """Return allocation probabilities with a smallest and a largest one for every arm that has any.

    Arms beyond a limit get the limit, the others share what is left in proportion, until none is beyond. Where the limits
    leave no room (three arms of at least 0.4), all arms are alike.
    """
    some = weights > 0.0
    count = sum_of(some.astype(np.int64))[:, None]
    low = np.minimum(least, 1.0 / count)
    high = np.maximum(most, 1.0 / count)
    shares = weights / sum_of(weights)[:, None]
    fixed = np.zeros_like(some)
    for _ in range(weights.shape[1]):
        free = some & ~fixed
        below, above = free & (shares < low), free & (shares > high)
        # One side at a time: what the low ones are given may bring the high ones down.
        beyond = np.where(any_of(below)[:, None], below, above)
        here = np.flatnonzero(any_of(beyond))
        if not len(here):
            break
        limit = np.where(below, low, high)
        shares[beyond] = limit[beyond]
        fixed |= beyond
        free, mine = free[here] & ~beyond[here], shares[here]
        left = 1.0 - sum_of(np.where(fixed[here], mine, 0.0))[:, None]
        mass = sum_of(np.where(free, mine, 0.0))[:, None]
        rescale = np.where(mass > 0.0, left / np.where(mass > 0.0, mass, 1.0), 1.0)
        shares[here] = np.where(free, mine * rescale, mine)
    return np.asarray(shares)


class Thompson:
    """Weights proportional to a power of each open arm's probability of being the best (Thompson 1933).

    W. R. Thompson, Biometrika 25, 1933, 285-294.

    Parameters
    ----------
    power
        1 is Thompson's rule, 0 equal allocation; 1/2 is the softening of Thall and Wathen (Eur. J. Cancer 43, 2007, 859).
    tempered
        Whether the power is that of the patients enrolled so far over twice the maximum (Thall and Wathen), n / (2 N).
    minimum, maximum
        Smallest and largest allocation probability of an open arm.
    prior_a, prior_b
        Shapes of the beta prior of every arm's rate.
    """

    name = "thompson"
    reference = "Thompson 1933; Thall and Wathen 2007"
    decides_on = "allocation"
    adaptive = True

    def __init__(
        self,
        power: float = 1.0,
        tempered: bool = False,
        minimum: float = 0.0,
        maximum: float = 1.0,
        prior_a: float = 1.0,
        prior_b: float = 1.0,
    ) -> None:
        self._power, self._tempered = power, tempered
        self._least, self._most = minimum, maximum
        self._prior = (prior_a, prior_b)

    def decide(self, view: AllocationView, memory: Memory) -> tuple[Decision, Memory]:
        """Return the weights of the open arms; closed ones get none."""
        best = np.where(view.open_arms, np.maximum(best_of(view, view.open_arms, self._prior), 1e-12), 0.0)
        power = np.full((len(best), 1), self._power)
        if self._tempered:
            power *= view.arm_enrolled.sum(axis=1, keepdims=True) / (2.0 * view.n_max)
        return Decision(weights=within_limits(self.softened(best, power), self._least, self._most)), memory

    @staticmethod
    def softened(best: Floats, power: Floats) -> Floats:
        """Return probabilities raised to a power, those of closed arms left at 0."""
        return np.asarray(np.where(best > 0.0, np.power(best, power), 0.0))
