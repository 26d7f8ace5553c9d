"""Monitoring in the fast engine: patients live as if nothing were done, and again once something is.

What is done at a visit changes nothing before it. So visits are gone through in their order: all patients come to the
first, the policy decides on all at once, those about whom something is done live again, and so on to the last.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from trialsim.contracts import Ints, MonitoringPolicy, VisitView
from trialsim.engines.fast_visit_kernels import seen_at_visit
from trialsim.engines.life import LifeLaw
from trialsim.timegrid import NEVER, TICKS_PER_DAY

Orders = NDArray[np.int8]
"""What is done about each patient at each visit, ``[replicate, patient, visit]``; empty where nobody is monitored."""
Journal = tuple[Ints, Ints, Ints]


def no_orders(law: LifeLaw, policy: MonitoringPolicy | None, size: int, n: int) -> Orders:
    """Return room for what is done at visits."""
    return np.zeros((0, 0, 0) if policy is None else (size, n, len(law.numbers.visits)), dtype=np.int8)


def decide_at_visits(
    law: LifeLaw,
    policy: MonitoringPolicy,
    seed: int,
    rows: Ints,
    first: Ints,
    people: tuple[Ints, Ints, Ints],
    orders: Orders,
    journal: Callable[[], Journal],
    live_again: Callable[[Ints], None],
) -> None:
    """Let a policy decide at all visits of patients who have lived by ``orders`` so far; what changes is written there.

    Parameters
    ----------
    law, policy, seed
        The laws of lives, the policy, and the seed of the run.
    rows, first
        Positions of the replicates, and from which patient on, ``[replicate]``.
    people
        Number of each replicate, ``[replicate]``; each patient's key and tick of entry, ``[replicate, patient]``.
    orders
        As far as they are known; filled.
    journal
        Gives ticks, codes and offsets of the lives as they are now.
    live_again
        Lets the patients of some replicates live by the orders as they are now.
    """
    replicates, keys, entry = people
    n = orders.shape[1]
    shape = (len(rows), n)
    terms, levels = len(law.terms), len(law.levels)
    held_at, serious, dose = (np.empty(shape, dtype=np.int64) for _ in range(3))
    events = np.empty((*shape, terms, levels), dtype=np.int64)
    for visit in range(orders.shape[2]):
        seen_at_visit(rows, first, visit + 1, *journal(), held_at, events, serious, dose)
        k, i = np.nonzero(held_at < NEVER)
        if not len(k):
            continue
        r = rows[k]
        begun = np.broadcast_to(entry, (len(replicates), n))[r, i]
        view = VisitView(
            replicates[r],
            keys[r, i] if len(keys) else i,
            np.full(len(k), visit),
            (held_at[k, i] - begun) / float(TICKS_PER_DAY),
            events[k, i],
            serious[k, i],
            dose[k, i],
            law.terms,
            law.levels,
            law.numbers.doses,
            seed,
        )
        done = np.asarray(policy.at_visit(view), dtype=np.int8)
        changed = np.unique(r[done != orders[r, i, visit]])
        orders[r, i, visit] = done
        if len(changed):
            live_again(changed)
