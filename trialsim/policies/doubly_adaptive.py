"""The doubly adaptive biased coin: allocation is steered towards a target that is estimated as the trial goes on."""

from __future__ import annotations

import numpy as np

from trialsim.contracts import AllocationView, Decision, Floats, Memory
from trialsim.policies.thompson import within_limits


def target_shares(rates: Floats, target: str) -> Floats:
    """Return the shares that a target gives arms with these rates of good outcomes, ``[replicate, arm]``.

    Parameters
    ----------
    rates
        Between 0 and 1, ``[replicate, arm]``.
    target
        ``rosenberger``: sqrt(p), that minimises expected failures at fixed variance of the difference
        (Rosenberger, Stallard, Ivanova, Harper and Ricks, Biometrics 57, 2001, eq. (1)); ``neyman``: sqrt(p (1 - p)),
        that minimises that variance at a fixed number of patients. Beyond two arms they are applied arm by arm.
    """
    weights = np.sqrt(rates) if target == "rosenberger" else np.sqrt(rates * (1.0 - rates))
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


class DoublyAdaptive:
    """Allocate with probability proportional to target (target / share so far) ^ gamma (Hu and Zhang 2004).

    F. Hu and L.-X. Zhang, Ann. Statist. 32, 2004, 268-301, eq. (2.1). The target is estimated from what has been read out,
    each rate as (good + 1/2) / (read out + 1).

    Parameters
    ----------
    target
        ``rosenberger`` or ``neyman``; see :func:`target_shares`.
    gamma
        0 follows the estimated target alone; the larger, the closer the shares are held to it.
    minimum, maximum
        Smallest and largest allocation probability of an open arm.
    """

    name = "doubly_adaptive"
    reference = "Hu and Zhang 2004; targets: Rosenberger et al. 2001, Neyman 1934"
    decides_on = "allocation"
    adaptive = True

    def __init__(
        self, target: str = "rosenberger", gamma: float = 2.0, minimum: float = 0.0, maximum: float = 1.0
    ) -> None:
        self._target, self._gamma, self._least, self._most = target, gamma, minimum, maximum

    def decide(self, view: AllocationView, memory: Memory) -> tuple[Decision, Memory]:
        """Return the weights of the open arms; closed ones get none."""
        total = view.arm_total
        good = view.arm_readouts - total if view.lower_is_better else total
        rates = (good + 0.5) / (view.arm_readouts + 1.0)
        wanted = np.where(view.open_arms, target_shares(rates, self._target), 0.0)
        wanted = wanted / wanted.sum(axis=1, keepdims=True)
        come = np.where(view.open_arms, view.arm_enrolled, 0)
        # An arm that nobody is on yet counts as half a patient's.
        so_far = np.maximum(come, 0.5) / np.maximum(come.sum(axis=1, keepdims=True), 1)
        weights = wanted * np.power(np.where(view.open_arms, wanted / so_far, 0.0), self._gamma)
        return Decision(weights=within_limits(weights, self._least, self._most)), memory
