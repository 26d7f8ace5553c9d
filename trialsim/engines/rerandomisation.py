"""Allocations that the rule of a design could have drawn to the patients of a trial."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trialsim.contracts import Ints, TestPlan
from trialsim.engines.plan import Plan
from trialsim.operations.redrawing import redraw


def redrawn_arms(
    plan: Plan, test: TestPlan, replicate: int, keys: Ints, levels: Ints, rows: Ints, draws: int
) -> NDArray[np.int8]:
    """Return whether patients are on a test's treatment in each of some allocations.

    Parameters
    ----------
    plan, test
        The design under a truth, of two arms, whose rule is not changed as the trial goes on.
    replicate
        Global number.
    keys, levels
        Address of the patients in order of entry, ``[patient]``, and their level of each margin that allocation keeps
        count of, ``[patient, margin]``: the stratum of blocks, or of every factor.
    rows
        Which patients are asked about, in order, ``[row]``.
    draws
        How many allocations.

    Returns
    -------
    numpy.ndarray
        ``[allocation, row]``.
    """
    design, balance = plan.allocation, plan.allocation.balance
    found, count = np.empty(levels.shape, dtype=np.int64), 0
    for margin in range(levels.shape[1]):
        distinct, place = np.unique(levels[:, margin], return_inverse=True)
        found[:, margin] = place + count
        count += len(distinct)
    out = np.zeros((draws, len(rows)), dtype=np.int8)
    nothing = np.ones(1, dtype=np.int64)
    redraw(
        plan.seed,
        replicate,
        keys,
        found,
        count,
        design.rule,
        design.ratio,
        design.places,
        0 if balance is None else balance.measure,
        0.0 if balance is None else balance.probability,
        nothing if balance is None else balance.weights,
        nothing if balance is None else balance.steps,
        test.treatment,
        rows,
        out,
    )
    return out
