"""Proofs that a policy decides as it must: the same when asked again, whoever else is asked about, not peeking."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import fields, replace
from typing import Any

import numpy as np

from trialsim.conformance.foresight import foresight
from trialsim.conformance.invariance import batches, kept_outside, repeated, same
from trialsim.conformance.reviews import learning_faults, site_faults
from trialsim.conformance.sample_views import (
    allocation_view,
    candidate_view,
    look_view,
    site_review_view,
    visit_view,
)
from trialsim.conformance.visits import visit_faults
from trialsim.contracts import AllocationView, CandidateView, Decision, LookView, SiteReviewView, VisitView
from trialsim.policies.scores import prepared, reads_latent

_SEED = 11
_HINT = "; a policy that reads what is hidden declares reads_latent = True"
_BY_COLUMN = ("reject", "futile", "open_arms", "weights", "trace")  # the others have one value a replicate


def check_policy(
    policy: Any, view: CandidateView | LookView | AllocationView | SiteReviewView | VisitView | None = None
) -> list[str]:
    """Return which rules a policy breaks; empty when it keeps them all.

    A policy with ``open_sites`` chooses sites, one with ``score`` alone ranks candidates, one with ``at_visit`` monitors;
    one with ``decide`` allocates if it has ``adaptive``, and stops otherwise.

    Rankings are checked for determinism (asked again, the same answer), batch invariance (each candidate alone, in another
    order and among others, the same score to the last bit), valid output (one int64 each), leaving the view as it is, and
    not peeking: a policy that does not declare ``reads_latent`` scores the same when everything hidden is laid before it,
    scrambled, or absent. Policies for stopping and allocation are checked for determinism, batch invariance over
    replicates, valid output and leaving the view as it is. The same holds of policies for sites and visits, and of what a
    policy with ``at_reviews`` decides or learns there.

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
    if hasattr(policy, "open_sites"):
        found = list(site_faults(policy, view if isinstance(view, SiteReviewView) else site_review_view()))
    elif hasattr(policy, "score"):
        found = list(_ranking_faults(policy, view if isinstance(view, CandidateView) else candidate_view()))
    elif hasattr(policy, "at_visit"):
        found = list(visit_faults(policy, view if isinstance(view, VisitView) else visit_view()))
    elif isinstance(view, (LookView, AllocationView)):
        found = list(_decision_faults(policy, view))
    else:
        usual = allocation_view() if hasattr(policy, "adaptive") else look_view()
        found = list(_decision_faults(policy, usual))
    # What breaks a rule of form cannot be asked in trials.
    return found if found or view is not None else list(foresight(policy))


def _ranking_faults(policy: Any, whole: CandidateView) -> Iterator[str]:
    """Yield the rules that a ranking breaks."""
    if policy.as_they_come:
        return
    declared = reads_latent(policy)
    view = whole if declared else _without_hidden(whole)
    try:
        policy = prepared(policy, copy.deepcopy(view))
        fresh = copy.deepcopy(policy)
        scores = policy.score(copy.deepcopy(view))
    except (IndexError, ValueError, KeyError) as error:
        hint = "" if declared else _HINT
        yield f"score fails on the view: {type(error).__name__}: {error}{hint}"
        return
    if not isinstance(scores, np.ndarray) or scores.dtype != np.int64 or scores.shape != view.candidate.shape:
        shape = getattr(scores, "shape", None)
        found = f"{getattr(scores, 'dtype', type(scores).__name__)} of shape {shape}"
        yield f"score must return an int64 array of shape {view.candidate.shape}, one number a candidate; it is {found}"
        return
    yield from repeated(view, lambda seen: (policy.score(seen),))
    yield from batches(view, len(view.candidate), lambda seen: (policy.score(seen),), "candidates")
    yield from kept_outside(view, len(view.candidate), lambda seen, asked=policy: (asked.score(seen),), fresh)
    if getattr(policy, "at_reviews", False):
        yield from learning_faults(policy, view)
    if not declared and whole.latent.size:
        for name, other in (("is laid before it", whole), ("is scrambled", _scrambled(whole))):
            if not np.array_equal(policy.score(other), scores):
                yield f"peeking: scores change when what is hidden {name}; declare reads_latent = True, or do not read it"


def _decision_faults(policy: Any, view: LookView | AllocationView) -> Iterator[str]:
    """Yield the rules that a policy of stopping or allocation breaks."""

    def decide(seen: LookView | AllocationView, asked: Any = policy) -> tuple[Any, ...]:
        decision, _ = asked.decide(seen, {})
        made = decision.canonical()
        return tuple(getattr(made, field.name) for field in fields(Decision))

    size, whole, fresh = len(view.replicate), view, copy.deepcopy(policy)
    if not reads_latent(policy):
        view = replace(view, benefit=np.zeros(0))
    try:
        made = decide(view)
    except (IndexError, ValueError, KeyError) as error:
        hint = "" if reads_latent(policy) else _HINT
        yield f"decide fails on the view: {type(error).__name__}: {error}{hint}"
        return
    named = {field.name: values for field, values in zip(fields(Decision), made, strict=True)}
    for name, values in named.items():
        dimensions = 2 if name in _BY_COLUMN else 1
        if values is not None and (values.ndim != dimensions or len(values) != size):
            expected = f"{dimensions} dimensions, the first of {size} replicates"
            yield f"{name} must have {expected}; it has the shape {values.shape}"
            return
    weights = named["weights"]
    if weights is not None:
        known = weights[~np.isnan(weights).all(axis=1)]
        if not np.isfinite(known).all() or (known < 0).any():
            yield "weights must be finite and not negative, or a row of NaN that keeps what is"
        elif (weights[~view.open_arms] > 0).any():
            yield "weights give patients to an arm that is closed"
    if isinstance(view, LookView) and named["stop"] is None:
        yield "a stopping policy must say of each replicate whether it stops"
    yield from repeated(view, decide)
    yield from batches(view, size, decide, "replicates")
    yield from kept_outside(view, size, decide, fresh)
    if view is not whole and not same(decide(whole), made):
        yield "peeking: decisions change with true benefits; declare reads_latent = True, or do not read them"


def _without_hidden(view: CandidateView) -> CandidateView:
    """Return the view as those get it who do not declare to read what is hidden."""
    return replace(view, latent=np.zeros((0, 0)), traits=(), chances=np.zeros((0, 3)))


def _scrambled(view: CandidateView) -> CandidateView:
    """Return the view with what is hidden dealt out to other candidates."""
    order = np.random.default_rng(_SEED + 1).permutation(len(view.candidate))
    return replace(view, latent=view.latent[order], chances=view.chances[order])
