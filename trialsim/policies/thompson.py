"""Thompson sampling: patients are allocated by the probability that each arm is the best."""

from __future__ import annotations

import numpy as np

from trialsim.contracts import AllocationView, Bools, Decision, Floats, Memory
from trialsim.stats.bayes.best_arm import probabilities_best


def best_of(view: AllocationView, among: Bools, prior: tuple[float, float]) -> Floats:
    """Return the probability that each of some arms has the best rate, from what was read out, ``[replicate, arm]``."""
    total = np.rint(view.arm_total).astype(np.int64)
    good = view.arm_readouts - total if view.lower_is_better else total
    found = np.zeros(among.shape)
    a, b = prior[::-1] if view.lower_is_better else prior
    probabilities_best(good, view.arm_readouts, among, float(a), float(b), found)
    return found


def within_limits(weights: Floats, least: float, most: float) -> Floats:
    """Return allocation probabilities with a smallest and a largest one for every arm that has any.

    Arms beyond a limit get the limit, the others share what is left in proportion, until none is beyond. Where the limits
    leave no room (three arms of at least 0.4), all arms are alike.
    """
    some = weights > 0.0
    count = some.sum(axis=1, keepdims=True)
    low = np.minimum(least, 1.0 / count)
    high = np.maximum(most, 1.0 / count)
    shares = weights / weights.sum(axis=1, keepdims=True)
    fixed = np.zeros_like(some)
    for _ in range(weights.shape[1]):
        below, above = some & ~fixed & (shares < low), some & ~fixed & (shares > high)
        # One side at a time: what the low ones are given may bring the high ones down.
        beyond = np.where(below.any(axis=1, keepdims=True), below, above)
        if not beyond.any():
            break
        shares = np.where(beyond, np.where(below, low, high), shares)
        fixed |= beyond
        free = some & ~fixed
        left = 1.0 - np.where(fixed, shares, 0.0).sum(axis=1, keepdims=True)
        mass = np.where(free, shares, 0.0).sum(axis=1, keepdims=True)
        rescale = np.where(mass > 0.0, left / np.where(mass > 0.0, mass, 1.0), 1.0)
        shares = np.where(free, shares * rescale, shares)
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
