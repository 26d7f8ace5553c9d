"""Response-adaptive allocation towards the ratio that minimises expected failures at fixed power."""

from __future__ import annotations

import numpy as np

from trialsim.contracts import AllocationView, Decision, Memory


class Rosenberger:
    """Weights proportional to the square root of the estimated success rate of each open arm.

    Rosenberger, Stallard, Ivanova, Harper and Ricks, Biometrics 57, 2001, 909-913, eq. (1) for two arms; applied arm by
    arm with more. Rates are estimated as (successes + 1/2) / (read out + 1), so that an arm without data can be chosen.
    """

    name = "rosenberger"
    reference = "Rosenberger et al. 2001"
    decides_on = "allocation"
    adaptive = True

    def decide(self, view: AllocationView, memory: Memory) -> tuple[Decision, Memory]:
        """Return the weights of the open arms; closed ones get none."""
        rate = (view.arm_total + 0.5) / (view.arm_readouts + 1.0)
        weights = np.where(view.open_arms, np.sqrt(rate), 0.0)
        return Decision(weights=weights), memory
