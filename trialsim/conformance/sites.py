"""Proofs for policies that choose sites, before a trial and at reviews of recruitment."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from trialsim.conformance.form import first_answer, require_decision
from trialsim.conformance.invariance import proofs
from trialsim.contracts import Memory, SiteDecision, SiteView
from trialsim.policies.scores import reads_latent


def site_faults(policy: Any, whole: SiteView) -> Iterator[str]:
    """Yield the rules that a policy for sites breaks.

    Parameters
    ----------
    policy
        Asked before a trial, and at a review where it has ``at_reviews``.
    whole
        What to ask about at a review, and, without what was found so far, before the trial; true rates are taken out of it
        where the policy does not declare to read them.
    """
    hidden, fresh = np.zeros((0, 0)), copy.deepcopy(policy)
    view = whole if reads_latent(policy) else replace(whole, rates=hidden)
    size, shape = len(view.replicate), view.promised.shape
    before = replace(view, so_far=None)
    decision, memory = first_answer(policy, before, {})
    require_decision(decision, SiteDecision)
    score = decision.score
    if not isinstance(score, np.ndarray) or score.shape != shape:
        yield f"score must be an array of shape {shape}, one number a site; it has {getattr(score, 'shape', None)}"
        return
    if score.dtype.kind != "f":
        yield f"score must hold floats; these are {score.dtype}"
        return
    laid_before, _ = policy.decide(copy.deepcopy(replace(whole, so_far=None)), {})
    if view is not whole and not np.array_equal(laid_before.score, score, equal_nan=True):
        yield "peeking: scores change when true rates are laid before it; declare reads_latent = True, or do not read it"
    yield from proofs(policy, fresh, before, size, _made, "replicates", {})
    if not getattr(policy, "at_reviews", False) or view.so_far is None:
        return
    asked_before: Memory = {} if getattr(policy, "open_sites", None) is None else memory
    decision, _ = first_answer(policy, view, asked_before, "at a review")
    require_decision(decision, SiteDecision)
    so_far = view.so_far
    for name, what, allowed in (("close", "not open", so_far.open), ("open", "no reserve", so_far.reserve)):
        made = getattr(decision, name)
        if made is None:
            continue
        if not isinstance(made, np.ndarray) or made.dtype != np.bool_ or made.shape != shape:
            found = f"{getattr(made, 'dtype', type(made).__name__)} of shape {getattr(made, 'shape', None)}"
            yield f"{name} must be a bool array of shape {shape}; it is {found}"
            return
        if (made & ~allowed).any():
            yield f"{name} names a site that is {what}"
    yield from proofs(policy, fresh, view, size, _made, "replicates", asked_before)


def _made(decision: SiteDecision) -> tuple[Any, ...]:
    """Return all that is decided."""
    recommended = () if decision.recommended is None else _made(decision.recommended)
    return decision.score, decision.close, decision.open, decision.fate, *recommended
