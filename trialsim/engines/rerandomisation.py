"""Allocations that the rule of a design could have drawn to the patients of a trial."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from trialsim.contracts import AllocationView, Floats, Ints, Memory, TestPlan, sum_of
from trialsim.engines.candidate_views import seed_for_policies
from trialsim.engines.plan import Plan
from trialsim.operations.redrawing import redraw, redraw_by_weight


def redrawn_arms(
    plan: Plan, test: TestPlan, replicate: int, keys: Ints, levels: Ints, rows: Ints, draws: int, arms: Ints
) -> NDArray[np.int8]:
    """Return whether patients are on a test's treatment in each of some allocations.

    In a design of more arms the patients of the compared pair alone are allocated again, given who is on another arm: under
    simple allocation and in blocks that is the rule of two arms, in the pair's own shares.

    Parameters
    ----------
    plan, test
        The design under a truth, whose rule is not changed as the trial goes on.
    replicate
        Global number.
    keys, levels
        Address of the patients in order of entry, ``[patient]``, and their level of each margin that allocation keeps
        count of, ``[patient, margin]``: the stratum of blocks, or of every factor.
    rows
        Which patients are asked about, in order, ``[row]``.
    draws
        How many allocations.
    arms
        Arm that each patient is on, ``[patient]``.

    Returns
    -------
    numpy.ndarray
        ``[allocation, row]``.
    """
    design, balance = plan.allocation, plan.allocation.balance
    ratio, places, treatment = design.ratio, design.places, test.treatment
    if len(ratio) > 2:
        pair = np.array([test.control, test.treatment])
        ratio, places, treatment = np.ascontiguousarray(ratio[pair]), np.ascontiguousarray(places[pair]), 1
        kept = np.flatnonzero((arms == test.control) | (arms == test.treatment))
        keys, levels = np.ascontiguousarray(keys[kept]), np.ascontiguousarray(levels[kept])
        rows = np.searchsorted(kept, rows)
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
        ratio,
        places,
        0 if balance is None else balance.measure,
        0.0 if balance is None else balance.probability,
        nothing if balance is None else balance.weights,
        nothing if balance is None else balance.steps,
        treatment,
        rows,
        out,
    )
    return out


def shares_of(weights: Floats) -> Floats:
    """Return weights as probabilities, each row added up from its first arm on, ``[row, arm]``."""
    return np.asarray(weights / sum_of(weights)[:, None])


def redrawn_adaptively(
    plan: Plan,
    test: TestPlan,
    replicate: int,
    keys: Ints,
    levels: Ints,
    rows: Ints,
    draws: int,
    entry: Ints,
    readout_at: Ints,
    outcome: Floats,
    asked: Sequence[tuple[int, int]],
) -> NDArray[np.int8]:
    """Return whether patients are on treatment in allocations in which a response-adaptive rule is run again.

    Under the null hypothesis every patient's outcome, and when it is known, would have been the same on the other arm
    (Simon and Simon, Stat. Probab. Lett. 81, 2011, 767-772). So the rule is asked again, at the same times, what it makes
    of the arms as they would have been.

    Parameters
    ----------
    plan, test, replicate, keys, levels, rows, draws
        As in :func:`redrawn_arms`.
    entry, readout_at, outcome
        Of the endpoint the rule learns from: ticks of entry and read-out, and the read-out, ``[patient]``.
    asked
        Data cut and time from which the new weights held, of each time that allocation was reconsidered.

    Returns
    -------
    numpy.ndarray
        ``[allocation, row]``.
    """
    everybody = np.arange(len(keys))
    treated = redrawn_arms(plan, test, replicate, keys, levels, everybody, draws, everybody)
    memory: Memory = {}
    firsts = [int(np.searchsorted(entry, holds, side="right")) for _, holds in asked]
    for (cut, _), first, last in zip(asked, firsts, [*firsts[1:], len(keys)], strict=True):
        view = _view_of(plan, test, replicate, treated, entry, readout_at, outcome, cut)
        decision, memory = plan.randomisation.decide(view, memory)
        weights = decision.canonical().weights
        if weights is None:
            continue
        weights = np.ascontiguousarray(weights)
        redraw_by_weight(plan.seed, replicate, keys, first, last, weights, test.treatment, treated)
    return np.ascontiguousarray(treated[:, rows])


def _view_of(
    plan: Plan,
    test: TestPlan,
    replicate: int,
    treated: NDArray[np.int8],
    entry: Ints,
    readout_at: Ints,
    outcome: Floats,
    cut: int,
) -> AllocationView:
    """Return what the rule would see of each allocation at a cut."""
    draws = len(treated)

    def by_arm(chosen: NDArray[np.bool_], values: Floats) -> Floats:
        found = np.zeros((draws, 2))
        part = treated[:, chosen].astype(np.float64)
        found[:, test.treatment] = part @ values[chosen]
        found[:, test.control] = float(values[chosen].sum()) - found[:, test.treatment]
        return found

    ones = np.ones(len(entry))
    come, known = entry <= cut, readout_at <= cut
    return AllocationView(
        replicate=np.full(draws, replicate),
        cut_days=np.full(draws, cut / float(1 << 20)),
        arm_enrolled=by_arm(come, ones).astype(np.int64),
        arm_events=np.zeros((draws, 2), dtype=np.int64),
        arm_readouts=by_arm(known, ones).astype(np.int64),
        arm_total=by_arm(known, outcome),
        open_arms=np.ones((draws, 2), dtype=bool),
        ratio=plan.allocation.ratio,
        lower_is_better=plan.response_lower_is_better,
        n_max=plan.n,
        seed=seed_for_policies(plan.seed),
    )
