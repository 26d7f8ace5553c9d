"""Response-adaptive allocation among the experimental arms, with a share of all patients kept for control."""

from __future__ import annotations

import math

import numpy as np

from trialsim.contracts import AllocationView, Decision, Memory
from trialsim.policies.thompson import best_of, within_limits


class ProtectedControl:
    """Keep a fixed share for control, the first arm; the others by a power of their probability of being the best of them.

    Trippa et al. (J. Clin. Oncol. 30, 2012, 3258-3263) and Wason and Trippa (Stat. Med. 33, 2014, 2206-2221) tie control to
    the best arm for the same reason: a control that starves costs power.

    Parameters
    ----------
    share
        Of control; 0 stands for the share sqrt(k) / (k + sqrt(k)) beside k open experimental arms (Dunnett 1955).
    power
        To which the probabilities are raised; at the end, where it grows.
    power_at_start
        The power before anybody is enrolled, from where it grows in proportion to enrolment; below 0: it does not grow.
    minimum, maximum
        Smallest and largest share of an experimental arm in what is left of control.
    prior_a, prior_b
        Shapes of the beta prior of every arm's rate.
    """

    name = "protected_control"
    reference = "Trippa et al. 2012; Wason and Trippa 2014; Dunnett 1955 for the share"
    decides_on = "allocation"
    adaptive = True

    def __init__(
        self,
        share: float = 0.0,
        power: float = 1.0,
        power_at_start: float = -1.0,
        minimum: float = 0.0,
        maximum: float = 1.0,
        prior_a: float = 1.0,
        prior_b: float = 1.0,
    ) -> None:
        self._share, self._power = share, power
        self._start = power if power_at_start < 0.0 else power_at_start
        self._least, self._most, self._prior = minimum, maximum, (prior_a, prior_b)

    def decide(self, view: AllocationView, memory: Memory) -> tuple[Decision, Memory]:
        """Return the weights of the open arms; closed ones get none."""
        experimental = view.open_arms.copy()
        experimental[:, 0] = False
        best = np.where(experimental, np.maximum(best_of(view, experimental, self._prior), 1e-12), 0.0)
        progress = view.arm_enrolled.sum(axis=1, keepdims=True) / view.n_max
        power = self._start + (self._power - self._start) * progress
        softened = np.where(experimental, np.power(np.where(experimental, best, 1.0), power), 0.0)
        some = experimental.any(axis=1)
        shares = np.zeros(best.shape)
        shares[some] = within_limits(softened[some], self._least, self._most)
        count = experimental.sum(axis=1)
        root = np.array([math.sqrt(k) for k in count])
        kept = np.where(
            some, np.where(self._share > 0.0, self._share, root / np.maximum(count + root, 1.0)), 1.0
        )
        kept = np.where(view.open_arms[:, 0], kept, 0.0)
        shares *= (1.0 - kept)[:, None]
        shares[:, 0] = kept
        return Decision(weights=shares), memory
