"""People to whom a policy recommends sites, allocation, doses or a stop, and who do not always follow it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from trialsim import registry
from trialsim.contracts import (
    NOTHING,
    AllocationView,
    Bools,
    Decision,
    Fate,
    Floats,
    Ints,
    LookView,
    Memory,
    SiteDecision,
    SiteView,
    Stop,
    VisitView,
    any_of,
)
from trialsim.draws import Purpose, uniforms_at
from trialsim.policies.scores import reads_latent
from trialsim.policies.site_selection import RandomSites

_FIRST_DRAW = {"sites": 1 << 41, "randomisation": 2 << 41, "stopping": 3 << 41, "monitoring": 4 << 41}
_INNER = "recommends."
_AS_DECLARED = (
    "open_sites",
    "at_reviews",
    "frozen_bounds",
    "quantities",
    "sees_outcomes",
    "further_margins",
    "imputed_tests",
    "predicted_by_law",
    "compares_arm_laws",
    "closes_enrolment",
)
"""What engines ask of a policy besides its decisions; people change nothing of it."""


class _People:
    """What all share: a policy that recommends, and the probabilities of what becomes of it.

    Overridden, the control rule of the slot is in force. Delayed, nothing changes now, and what is recommended at the next
    decision of the same trial or patient is followed: a recommendation is delayed once. What remains is the probability of
    accepting. Fates are drawn at addresses of their own: nobody's fate moves with a probability of another slot, a chunk or
    a worker.

    Parameters
    ----------
    policy
        What recommends, ``{name: parameters}``.
    delay, override
        Probabilities, at each decision at which something is recommended.
    """

    name = "human_in_the_loop"
    reference = "compliance with a recommendation as a parameter"
    slot = ""

    def __init__(
        self, policy: Mapping[str, Mapping[str, Any]], delay: float = 0.0, override: float = 0.0
    ) -> None:
        ((name, parameters),) = policy.items()
        self.recommends: Any = registry.get("policies", f"{self.slot}.{name}")(**(parameters or {}))
        self._delay, self._override = delay, override
        self.reads_latent = reads_latent(self.recommends)
        for declared in _AS_DECLARED:
            if hasattr(self.recommends, declared):
                setattr(self, declared, getattr(self.recommends, declared))

    def _asked(self, view: Any, memory: Memory) -> tuple[Any, Memory]:
        """Return what is recommended, and what the policy that recommends remembers, named as one's own."""
        inner = {key.removeprefix(_INNER): each for key, each in memory.items() if key.startswith(_INNER)}
        recommended, learnt = self.recommends.decide(view, inner)
        return recommended, {f"{_INNER}{key}": each for key, each in learnt.items()}

    def _fates(self, view: Any, key: Ints, wanted: Bools, memory: Memory, draw: int = 0) -> Ints:
        """Return the fate of each recommendation: drawn where something is ``wanted``, accepted where one is due."""
        drawn = np.empty(len(key))
        uniforms_at(
            view.seed, view.replicate, key, int(Purpose.SAMPLER), _FIRST_DRAW[self.slot] + draw, drawn
        )
        fate = np.where(drawn < self._override + self._delay, Fate.DELAYED, Fate.ACCEPTED)
        fate = np.where(drawn < self._override, Fate.OVERRIDDEN, fate)
        if memory:
            fate = np.where(memory["due"], Fate.ACCEPTED, fate)
        return np.asarray(np.where(wanted, fate, Fate.NOT_ASKED), dtype=np.int64)


def _held(fate: Ints) -> Bools:
    """Return where nothing of what is recommended is carried out now."""
    return np.asarray((fate == Fate.DELAYED) | (fate == Fate.OVERRIDDEN))


class SiteCommittee(_People):
    """Accept, delay or override which sites a policy recommends, each with a stated probability.

    An overridden selection opens as many sites drawn at random (the control rule, ``random``); an overridden review closes
    and opens none. A review is delayed to the next. The selection before the trial is not: time begins as the first site
    opens, so that waiting would change nothing, and what would be delayed is accepted.

    Parameters
    ----------
    policy, delay, override
        What recommends, ``{name: parameters}``, and the probabilities.
    """

    decides_on = "site"
    slot = "sites"
    open_sites: int | None = None

    def decide(self, view: SiteView, memory: Memory) -> tuple[SiteDecision, Memory]:
        """Return scores before the trial, and at reviews which sites close and open, after the committee has met."""
        recommended, learnt = self._asked(view, memory)
        size, so_far = len(view.replicate), view.so_far
        if so_far is None:
            fate = self._fates(view, np.zeros(size, dtype=np.int64), np.ones(size, dtype=bool), {})
            fate[fate == Fate.DELAYED] = Fate.ACCEPTED
            score = np.zeros(view.promised.shape) if recommended.score is None else recommended.score
            at_random = RandomSites(0).score(view)
            score = np.where((fate == Fate.OVERRIDDEN)[:, None], at_random, score)
            due = np.zeros(size, dtype=bool)
            return SiteDecision(score=score, recommended=recommended, fate=fate), {"due": due, **learnt}
        closed, opened = (
            np.zeros(allowed.shape, dtype=bool) if said is None else said & allowed
            for said, allowed in ((recommended.close, so_far.open), (recommended.open, so_far.reserve))
        )
        fate = self._fates(view, so_far.review + 1, any_of(closed | opened), memory)
        goes = ~_held(fate)[:, None]
        decision = SiteDecision(close=closed & goes, open=opened & goes, recommended=recommended, fate=fate)
        return decision, {"due": fate == Fate.DELAYED, **learnt}


class AllocationCommittee(_People):
    """Accept, delay or override the allocation that a policy recommends, each with a stated probability.

    Overridden, patients are allocated at random by the ratio of the design (the control rule) until the next review or
    look. Delayed, the probabilities in force stay until then; in the beginning they are those of the ratio.

    Parameters
    ----------
    policy, delay, override
        What recommends, ``{name: parameters}``, and the probabilities.
    """

    decides_on = "allocation"
    slot = "randomisation"
    adaptive = True

    def decide(self, view: AllocationView, memory: Memory) -> tuple[Decision, Memory]:
        """Return the weights of the open arms after the committee has met."""
        recommended, learnt = self._asked(view, memory)
        size = len(view.replicate)
        ratio = view.ratio * view.open_arms.astype(np.float64)
        before = ratio
        if memory:  # what an arm had that has closed since goes to the others
            before = np.where(view.open_arms, memory["in_force"], 0.0)
            before = np.where(any_of(before > 0.0)[:, None], before, ratio)
        weights = before if recommended.weights is None else recommended.weights
        wanted = ~np.isnan(weights[:, 0])
        number = memory["asked"] if memory else np.zeros(size, dtype=np.int64)
        fate = self._fates(view, number, wanted, memory)
        given = np.where((wanted & (fate == Fate.ACCEPTED))[:, None], weights, before)
        given = np.where((fate == Fate.OVERRIDDEN)[:, None], ratio, given)
        own = {"due": fate == Fate.DELAYED, "asked": number + 1, "in_force": _shares(given)}
        decision = Decision(
            weights=given, recommended=Decision(weights=np.asarray(weights, dtype=np.float64)), fate=fate
        )
        return decision, {**own, **learnt}


def _shares(weights: Floats) -> Floats:
    """Return weights that add up to 1."""
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


class DataMonitoringCommittee(_People):
    """Accept, delay or override what a policy recommends at interim looks, each with a stated probability.

    Overridden, the trial goes on as if nothing had been recommended: no test is rejected or given up, no arm closes, and
    the same bounds hold at later looks. No error is bought back for an efficacy bound that was overruled (Lan, Lachin and
    Bautista, Stat. Med. 22, 2003, 3347-3355), so that overriding efficacy lowers error and power; overriding futility
    raises both, to at most those of the efficacy bounds alone. Delayed, what is concluded of tests stands, since their
    bound has been crossed, and the trial stops, or arms or enrolment close, one look later: where nothing of this is
    recommended, nothing can wait, and what would be delayed is accepted. The last look is the final analysis: it is
    followed.

    Parameters
    ----------
    policy, delay, override
        What recommends, ``{name: parameters}``, and the probabilities.
    """

    decides_on = "look"
    slot = "stopping"

    def decide(self, view: LookView, memory: Memory) -> tuple[Decision, Memory]:
        """Return what is decided after the committee has met."""
        recommended, learnt = self._asked(view, memory)
        closing = recommended.close_enrolment
        can_wait = recommended.stop | any_of(view.open_arms & ~recommended.open_arms)
        if closing is not None:
            can_wait |= closing
        acts = can_wait | any_of(recommended.reject | recommended.futile)
        fate = self._fates(view, np.asarray(view.look, dtype=np.int64), acts & ~view.is_last, memory)
        fate[(fate == Fate.DELAYED) & ~can_wait] = Fate.ACCEPTED
        held, stands = _held(fate), (fate != Fate.OVERRIDDEN)[:, None]
        decision = replace(
            recommended,
            stop=recommended.stop & ~held,
            reason=np.where(held, np.int8(Stop.CONTINUE), recommended.reason),
            reject=recommended.reject & stands,
            futile=recommended.futile & stands,
            open_arms=np.where(held[:, None], view.open_arms, recommended.open_arms),
            close_enrolment=None if closing is None else closing & ~held,
            recommended=recommended,
            fate=fate,
        )
        return decision, {"due": fate == Fate.DELAYED, **learnt}


class Investigator(_People):
    """Accept, delay or override what a policy recommends at a patient's visit, each with a stated probability.

    Overridden, nothing is done about the patient. Delayed, what is recommended at the next visit that the patient comes to
    is followed, or, where that is nothing, what was delayed.

    Parameters
    ----------
    policy, delay, override
        What recommends, ``{name: parameters}``, and the probabilities.
    """

    decides_on = "visit"
    slot = "monitoring"

    def decide(self, view: VisitView, memory: Memory) -> tuple[Ints, Memory]:
        """Return what is done about each patient."""
        recommended, fate, memory = self.judged(view, memory)
        return np.where(_held(fate), NOTHING, recommended), memory

    def judged(self, view: VisitView, memory: Memory) -> tuple[Ints, Ints, Memory]:
        """Return what is recommended about each patient, what becomes of it (:class:`Fate`), and what to remember."""
        recommended, learnt = self._asked(view, memory)
        delayed = memory["delayed"] if memory else np.full(len(view.patient), NOTHING)
        recommended = np.where(recommended == NOTHING, delayed, recommended)
        wanted, fate = recommended != NOTHING, np.zeros(len(view.patient), dtype=np.int64)
        for visit in np.unique(view.visit):
            here = np.flatnonzero(view.visit == visit)
            due = {"due": delayed[here] != NOTHING}
            fate[here] = self._fates(view.of(here), view.patient[here], wanted[here], due, int(visit))
        return recommended, fate, {"delayed": np.where(fate == Fate.DELAYED, recommended, NOTHING), **learnt}
