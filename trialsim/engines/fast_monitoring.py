"""Monitoring in the fast engine: patients live as if nothing were done, and again once something is.

What is done at a visit changes nothing before it. So visits are gone through in their order: all patients come to the
first, the policy decides on all at once, those about whom something is done live again, and so on to the last. The others
have lived already.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trialsim.contracts import Floats, Ints, MonitoringPolicy, VisitView
from trialsim.engines.candidate_views import seed_for_policies
from trialsim.engines.fast_visit_kernels import seen_at_visit
from trialsim.engines.life import LifeLaw
from trialsim.engines.points import VisitsDecided, no_visits
from trialsim.engines.remembered import Remembered
from trialsim.timegrid import NEVER, TICKS_PER_DAY

Orders = NDArray[np.int8]
"""What is done about each patient at each visit, ``[replicate, patient, visit]``; empty where nobody is monitored."""
Journal = tuple[Ints, Ints, Ints]
Hidden = tuple[tuple[str, ...], Callable[[Ints, Ints], Floats]]


def no_orders(law: LifeLaw, policy: MonitoringPolicy | None, size: int, n: int) -> Orders:
    """Return room for what is done at visits."""
    return np.zeros(
        (0, 0, 0) if policy is None else (size, n, len(law.numbers.visiting.visits)), dtype=np.int8
    )


def decide_at_visits(
    law: LifeLaw,
    policy: MonitoringPolicy,
    seed: int,
    rows: Ints,
    first: Ints,
    people: tuple[Ints, Ints, Ints],
    orders: Orders,
    journal: Callable[[], Journal],
    live_again: Callable[[Ints, Ints], None],
    hidden: Hidden | None = None,
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
        Lets patients ``i`` of replicates ``r`` live by the orders as they are now.
    hidden
        Names of the latent traits, and what gives those of patients ``i`` of replicates ``r``, if the policy reads them.
    """
    visits = _Visits(law, seed_for_policies(seed), rows, first, people, orders.shape[1], hidden)
    minds = Remembered(orders.shape[0] * orders.shape[1])
    for visit in range(orders.shape[2]):
        found = visits.at(visit, journal())
        if found is None:
            continue
        r, i, _, view = found
        done = _answers(policy, view, r * orders.shape[1] + i, minds)
        changed = done != orders[r, i, visit]
        orders[r, i, visit] = done
        if changed.any():
            live_again(r[changed], i[changed])


def _answers(policy: MonitoringPolicy, view: VisitView, places: Ints, minds: Remembered) -> NDArray[np.int8]:
    """Return what is done about each patient, given what the policy remembers of those it has met at earlier visits."""
    done = np.zeros(len(places), dtype=np.int8)
    for group in minds.groups(places):
        seen = view if len(group) == len(places) else view.of(group)
        answer, memory = policy.decide(seen, minds.of(places[group]))
        minds.keep(places[group], memory)
        done[group] = answer
    return done


def decided_by(
    law: LifeLaw,
    seed: int,
    people: tuple[Ints, Ints, Ints],
    orders: Orders,
    journal: Journal,
    ends: Ints,
    hidden: Hidden | None,
) -> VisitsDecided:
    """Return what a policy was asked at visits up to some times, and what it answered.

    Parameters
    ----------
    law, seed, people, orders, hidden
        As in :func:`decide_at_visits`, of lives that are led to those times.
    journal
        Of the lives.
    ends
        The times, ``[replicate]``.
    """
    rows = np.arange(len(ends))
    visits = _Visits(law, seed_for_policies(seed), rows, np.zeros_like(rows), people, orders.shape[1], hidden)
    parts = []
    for visit in range(orders.shape[2]):
        found = visits.at(visit, journal, ends)
        if found is not None:
            r, i, tick, view = found
            parts.append((r, i, tick, view, orders[r, i, visit].astype(np.int64)))
    if not parts:
        nothing = np.zeros(0, dtype=np.int64)
        return VisitsDecided(nothing, nothing, no_visits(law), nothing)
    r, i, tick, done = (np.concatenate([part[k] for part in parts]) for k in (0, 1, 2, 4))
    order = np.lexsort((i, tick, r))
    views = [part[3] for part in parts]
    arrays = ["replicate", "patient", "visit", "days", "events", "serious", "dose"]
    arrays += [] if hidden is None else ["latent"]
    together: dict[str, Any] = {
        name: np.concatenate([getattr(view, name) for view in views])[order] for name in arrays
    }
    return VisitsDecided(r[order], tick[order], replace(views[0], **together), done[order])


class _Visits:
    """Gathers what is known at the visits of patients, one visit after the other."""

    def __init__(
        self,
        law: LifeLaw,
        seed: int,
        rows: Ints,
        first: Ints,
        people: tuple[Ints, Ints, Ints],
        n: int,
        hidden: Hidden | None,
    ) -> None:
        self._law, self._seed, self._rows, self._first, self._people = law, seed, rows, first, people
        self._hidden = hidden
        shape = (len(rows), n)
        self._held_at, self._serious, self._dose = (np.empty(shape, dtype=np.int64) for _ in range(3))
        self._events = np.empty((*shape, len(law.terms), len(law.levels)), dtype=np.int64)

    def at(
        self, visit: int, journal: Journal, ends: Ints | None = None
    ) -> tuple[Ints, Ints, Ints, VisitView] | None:
        """Return rows, patients, ticks and view of those who come to a visit, up to ``ends[row]``; None if nobody does."""
        held_at = self._held_at
        seen_at_visit(
            self._rows, self._first, visit + 1, *journal, held_at, self._events, self._serious, self._dose
        )
        k, i = np.nonzero(held_at < NEVER if ends is None else held_at <= ends[self._rows, None])
        if not len(k):
            return None
        return self._rows[k], i, held_at[k, i], self.view_of(self._rows[k], k, i, held_at[k, i], visit)

    def view_of(self, r: Ints, k: Ints, i: Ints, tick: Ints, visit: int) -> VisitView:
        """Return the view of patients ``i`` of replicates ``r``, which stand at ``k`` among those gathered."""
        replicates, keys, entry = self._people
        n = self._held_at.shape[1]
        begun = np.broadcast_to(entry, (len(replicates), n))[r, i]
        return VisitView(
            replicates[r],
            keys[r, i] if len(keys) else i,
            np.full(len(r), visit),
            (tick - begun) / float(TICKS_PER_DAY),
            self._events[k, i],
            self._serious[k, i],
            self._dose[k, i],
            self._law.terms,
            self._law.levels,
            self._law.numbers.treatment.doses,
            self._seed,
            *(() if self._hidden is None else (self._hidden[1](r, i), self._hidden[0])),
        )
