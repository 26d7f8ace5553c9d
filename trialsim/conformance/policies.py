"""Proofs that a policy decides as it must: the same when asked again, whoever else is asked about, not peeking."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import fields, replace
from typing import Any

import numpy as np

from trialsim.conformance.foresight import foresight
from trialsim.conformance.form import (
    decision_faults,
    first_answer,
    missing_attributes,
    require_decision,
    told,
)
from trialsim.conformance.invariance import proofs, same
from trialsim.conformance.rankings import ranking_faults
from trialsim.conformance.sample_views import (
    allocation_view,
    candidate_view,
    look_view,
    site_view,
    visit_view,
)
from trialsim.conformance.sites import site_faults
from trialsim.conformance.visits import visit_faults
from trialsim.contracts import (
    DECISION_POINTS,
    AllocationView,
    CandidateView,
    Decision,
    LookView,
    SiteView,
    VisitView,
)
from trialsim.policies.scores import reads_latent


def check_policy(
    policy: Any, view: CandidateView | LookView | AllocationView | SiteView | VisitView | None = None
) -> list[str]:
    """Return which rules a policy breaks; empty when it keeps them all.

    Every policy has ``decide(view, memory) -> (decision, memory)`` and says in ``decides_on`` what it decides on: a
    ``candidate``, a ``site``, an ``allocation``, a ``visit`` or a ``look``.

    All are checked for determinism (asked again, the same answer), batch invariance (each row alone, in another order and
    among others, the same decision and memory to the last bit), valid output, a memory of arrays with a row for each that
    is asked about, leaving view and memory as they are, and not peeking: one that does not declare ``reads_latent`` decides
    the same when everything hidden is laid before it. They are asked from an empty memory, and again from what they
    remember then; policies with ``at_reviews`` at reviews too. Rankings may change the memory there alone.

    All are asked on copies too, which must answer as the policy does: what is remembered belongs in the memory. They are
    then asked in trials in which nothing that is seen tells of what comes: what they decide must not go with it, however
    they may have come to know it (see :mod:`trialsim.conformance.foresight`). That is left out where a view is given.

    Parameters
    ----------
    policy
        An instance.
    view
        What to ask about, for policies that need certain covariates or arms; by default 300 candidates with a group, an
        age and a marker (some missing), 40 trials of three arms with two tests, or 40 trials with six sites.

    Returns
    -------
    list of str
        A sentence for each rule that is broken.
    """
    point = getattr(policy, "decides_on", None)
    if point not in DECISION_POINTS:
        return [f"decides_on must be one of {', '.join(DECISION_POINTS)}; it is {point!r}"]
    if not callable(getattr(policy, "decide", None)):
        return ["a policy has a method decide(view, memory) that returns a decision and a memory"]
    found = [*missing_attributes(policy), *told(_faults(policy, point, view))]
    # What breaks a rule of form cannot be asked in trials.
    return found if found or view is not None else list(foresight(policy))


def _faults(policy: Any, point: str, view: Any) -> Iterator[str]:
    """Yield the rules that a policy breaks when it is asked about a view: the one given, if it is of the kind."""
    if point == "site":
        yield from site_faults(policy, view if isinstance(view, SiteView) else site_view())
    elif point == "candidate":
        yield from ranking_faults(policy, view if isinstance(view, CandidateView) else candidate_view())
    elif point == "visit":
        yield from visit_faults(policy, view if isinstance(view, VisitView) else visit_view())
    elif point == "allocation":
        yield from _decision_faults(policy, view if isinstance(view, AllocationView) else allocation_view())
    else:
        yield from _decision_faults(policy, view if isinstance(view, LookView) else look_view())


def _decision_faults(policy: Any, view: LookView | AllocationView) -> Iterator[str]:
    """Yield the rules that a policy of stopping or allocation breaks."""
    size, whole, fresh = len(view.replicate), view, copy.deepcopy(policy)
    if not reads_latent(policy):
        view = replace(view, benefit=np.zeros(0))
    decision, _ = first_answer(policy, view, {})
    require_decision(decision, Decision)
    yield from decision_faults(decision, view, len(getattr(policy, "quantities", ())))
    made = _made(decision)
    yield from proofs(policy, fresh, view, size, _made, "replicates", {})
    if view is not whole and not same(_made(policy.decide(whole, {})[0]), made):
        yield "peeking: decisions change with true benefits; declare reads_latent = True, or do not read them"


def _made(decision: Decision) -> tuple[Any, ...]:
    """Return all that is decided."""
    canonical, recommended = decision.canonical(), ()
    if canonical.recommended is not None:
        recommended = _made(canonical.recommended)
    names = (field.name for field in fields(Decision) if field.name != "recommended")
    return *(getattr(canonical, name) for name in names), *recommended
