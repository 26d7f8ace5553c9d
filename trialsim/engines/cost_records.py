"""What a run keeps of costs: columns of the trials."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from trialsim.contracts import Ints
from trialsim.engines.plan import Plan
from trialsim.operations.costs import money_spent


def cost_columns(plan: Plan, amounts: Ints | None) -> dict[str, NDArray[Any]]:
    """Return what trials cost, in all and by component, as columns; none where the world has no costs.

    Parameters
    ----------
    plan
        The design under a truth.
    amounts
        What an engine counted, ``[replicate, item]``.
    """
    if plan.world.costs is None or amounts is None:
        return {}
    spent = money_spent(plan.world.costs, amounts)
    total = np.zeros(len(amounts))
    for money in spent.values():  # one after the other, so that the total is the same in any chunk
        total = total + money
    return {"cost": total} | {f"cost_{name}": money for name, money in spent.items()}
