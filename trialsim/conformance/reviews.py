"""Proofs for policies that choose sites, and for what is decided and learnt at reviews of recruitment."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from trialsim.conformance.invariance import batches, kept_outside, repeated, rows_of, same
from trialsim.contracts import CandidateView, Memory, ScreeningsView, SiteReviewView
from trialsim.policies.scores import reads_latent


def site_faults(policy: Any, whole: SiteReviewView) -> Iterator[str]:
    """Yield the rules that a policy for sites breaks.

    Parameters
    ----------
    policy
        Asked for scores, and at reviews where it has ``at_reviews``.
    whole
        What to ask about; true rates are taken out of it where the policy does not declare to read them.
    """
    hidden, fresh = np.zeros((0, 0)), copy.deepcopy(policy)
    view = whole if reads_latent(policy) else replace(whole, before=replace(whole.before, rates=hidden))
    size, shape = len(view.review), view.open.shape
    scores = policy.score(copy.deepcopy(view.before))
    if getattr(scores, "shape", None) != shape:
        yield f"score must return an array of shape {shape}, one number a site; it has {getattr(scores, 'shape', None)}"
        return
    if scores.dtype.kind != "f":
        yield f"score must return floats; these are {scores.dtype}"
        return
    laid_before = policy.score(copy.deepcopy(whole.before))
    if view is not whole and not np.array_equal(laid_before, scores, equal_nan=True):
        yield "peeking: scores change when true rates are laid before it; declare reads_latent = True, or do not read it"
    yield from repeated(view.before, lambda seen: (policy.score(seen),))
    yield from batches(view.before, size, lambda seen: (policy.score(seen),), "replicates")
    yield from kept_outside(view.before, size, lambda seen, asked=policy: (asked.score(seen),), fresh)
    if not getattr(policy, "at_reviews", False):
        return

    def review(seen: SiteReviewView, asked: Any = policy) -> tuple[Any, ...]:
        decision, memory = asked.review(seen, {})
        return decision.close, decision.open, *memory.values()

    for name, what, allowed in (("close", "not open", view.open), ("open", "no reserve", view.reserve)):
        made = getattr(policy.review(copy.deepcopy(view), {})[0], name)
        if made.dtype != np.bool_ or made.shape != shape:
            yield f"{name} must be a bool array of shape {shape}; it is {made.dtype} of shape {made.shape}"
            return
        if (made & ~allowed).any():
            yield f"{name} names a site that is {what}"
    yield from repeated(view, review)
    yield from batches(view, size, review, "replicates")
    yield from kept_outside(view, size, review, fresh)


def learning_faults(policy: Any, view: CandidateView) -> Iterator[str]:
    """Yield the rules that a ranking breaks in what it learns at reviews and how it scores by it.

    Parameters
    ----------
    policy
        Ready for use.
    view
        Candidates of several replicates, in their order; every third is taken for randomised.
    """
    order = np.argsort(view.replicate, kind="stable")
    seen = rows_of(view, len(order), order)
    numbers, owner = np.unique(seen.replicate, return_inverse=True)
    ends = np.searchsorted(owner, np.arange(len(numbers)), side="right")
    screenings = ScreeningsView(
        np.zeros(len(numbers), dtype=np.int64),
        np.full(len(numbers), 90.0),
        np.concatenate([[0], ends]),
        seen,
        np.arange(len(owner)) % 3 == 0,
    )
    memory: Memory = {}
    for _ in range(2):  # what was learnt at one review is the beginning of the next
        before = copy.deepcopy(dict(memory))
        learnt = policy.learn(copy.deepcopy(screenings), memory)
        if any(len(array) != len(numbers) for array in learnt.values()):
            yield f"memory must be arrays whose first axis is the replicate, {len(numbers)} here"
            return
        if not same(tuple(memory.values()), tuple(before.values())):
            yield "what was remembered is changed by learning; take a copy"
        again = policy.learn(copy.deepcopy(screenings), memory)
        if not same(tuple(learnt.values()), tuple(again.values())):
            yield "not deterministic: the same screenings teach it something else"
        for k in range(len(numbers)):
            part = tuple(
                policy.learn(_alone(screenings, k), {n: a[k : k + 1] for n, a in memory.items()}).values()
            )
            if not same(part, tuple(array[k : k + 1] for array in learnt.values())):
                yield "not batch invariant: what is learnt in one replicate depends on others"
                return
        memory = learnt
    scores = policy.score_by(seen, memory, owner)
    if scores.dtype != np.int64 or scores.shape != owner.shape:
        yield f"score_by must return an int64 array of shape {owner.shape}; it is {scores.dtype} of shape {scores.shape}"
        return
    for i in range(0, len(owner), 13):
        one = {name: array[owner[i]][None] for name, array in memory.items()}
        if (
            policy.score_by(rows_of(seen, len(owner), np.array([i])), one, np.zeros(1, dtype=np.int64))[0]
            != scores[i]
        ):
            yield "not batch invariant: a candidate is scored otherwise alone"
            return


def _alone(view: ScreeningsView, k: int) -> ScreeningsView:
    """Return the screenings of one replicate."""
    some = np.arange(view.offsets[k], view.offsets[k + 1])
    return ScreeningsView(
        view.review[k : k + 1],
        view.review_days[k : k + 1],
        np.array([0, len(some)]),
        rows_of(view.candidates, len(view.randomised), some),
        view.randomised[some],
    )
