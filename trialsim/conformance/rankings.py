"""Proofs for rankings of candidates: what they score at first contact, and what they learn and score at reviews."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trialsim.conformance.form import first_answer
from trialsim.conformance.invariance import (
    NOT_DETERMINISTIC,
    batches,
    kept_outside,
    memory_faults,
    repeated,
    rows_of,
    same,
)
from trialsim.contracts import CandidateView, Memory, Screenings
from trialsim.policies.scores import prepared, reads_latent

_SEED = 12
_REVIEWS = 2


def ranking_faults(policy: Any, whole: CandidateView) -> Iterator[str]:
    """Yield the rules that a ranking breaks.

    Parameters
    ----------
    policy
        Asked at first contact, and at reviews where it has ``at_reviews``.
    whole
        Whom to ask about; what is hidden is taken out where the policy does not declare to read it.
    """
    if getattr(policy, "as_they_come", False):
        return
    declared = reads_latent(policy)
    view = whole if declared else _without_hidden(whole)
    policy = prepared(policy, copy.deepcopy(view))
    fresh = copy.deepcopy(policy)
    scores, memory = first_answer(policy, view, {})
    fault = _no_scores(scores, len(view.candidate))
    if fault:
        yield fault
        return
    if memory:
        yield "the memory must stay as it is at first contact: candidates of all times are asked about at once there"
    faults = list(_scores_alike(policy, fresh, view, {}))
    yield from faults
    if not declared and whole.latent.size and NOT_DETERMINISTIC not in faults:
        for name, other in (("is laid before it", whole), ("is scrambled", _scrambled(whole))):
            if not np.array_equal(policy.decide(other, {})[0], scores):
                yield f"peeking: scores change when what is hidden {name}; declare reads_latent = True, or do not read it"
    if getattr(policy, "at_reviews", False):
        yield from _learning_faults(policy, fresh, view)


def _no_scores(scores: Any, size: int) -> str | None:
    """Return what is wrong where these are no scores of so many candidates."""
    if isinstance(scores, np.ndarray) and scores.dtype == np.int64 and scores.shape == (size,):
        return None
    found = f"{getattr(scores, 'dtype', type(scores).__name__)} of shape {getattr(scores, 'shape', None)}"
    return f"decide must return an int64 array of shape {(size,)}, one number a candidate; it is {found}"


def _scores_alike(policy: Any, fresh: Any, view: CandidateView, memory: Memory) -> Iterator[str]:
    """Yield that scores by a memory depend on who else is scored, or on what was asked before."""

    def answer(seen: CandidateView, asked: Any = policy) -> tuple[Any, ...]:
        return (asked.decide(seen, memory)[0],)

    yield from repeated(view, answer)
    yield from batches(view, len(view.candidate), answer, "candidates")
    yield from kept_outside(view, len(view.candidate), answer, fresh)


def _learning_faults(policy: Any, fresh: Any, view: CandidateView) -> Iterator[str]:
    """Yield the rules that a ranking breaks in what it learns at reviews and how it scores by it.

    Every second candidate has been screened, a third of them with success; the others wait.
    """
    order = np.argsort(view.replicate, kind="stable")
    everybody = rows_of(view, len(order), order)
    _, owner = np.unique(everybody.replicate, return_inverse=True)
    everybody = replace(everybody, rows=np.asarray(owner, dtype=np.int64))
    count = len(np.unique(owner))
    memory: Memory = {}
    for number in range(_REVIEWS):  # what was learnt at one review is the beginning of the next
        seen = _at_review(everybody, number, count)
        before = copy.deepcopy(dict(memory))
        scores, learnt = first_answer(policy, seen, memory, "at a review")
        fault = _no_scores(scores, len(seen.candidate))
        if fault:
            yield fault
            return
        faults = list(memory_faults(learnt, count, "replicates", before))
        yield from faults
        if faults:
            return

        def answer(asked: CandidateView, other: Any = policy, known: Memory = memory) -> tuple[Any, ...]:
            made, then = other.decide(asked, known)
            return made, *(np.asarray(then[name]) for name in sorted(then))

        yield from repeated(seen, answer)
        if not same(tuple(memory.values()), tuple(before.values())):
            yield "what was remembered is changed by learning; take a copy"
        for k in range(count):
            own = seen.rows == k
            then = {name: array[k : k + 1] for name, array in memory.items()}
            expected = (scores[own], *(np.asarray(learnt[name])[k : k + 1] for name in sorted(learnt)))
            for asked in (policy, copy.deepcopy(fresh)):
                if not same(answer(_of_one(seen, k), asked, then), expected):
                    yield "not batch invariant: what is learnt in one replicate, or scored by it, depends on others"
                    return
        memory = learnt
        yield from _scores_alike(policy, fresh, everybody, memory)
        _, kept = policy.decide(copy.deepcopy(everybody), memory)
        if not same(tuple(kept.values()), tuple(memory.values())):
            yield "the memory must stay as it is at first contact: candidates of all times are asked about at once there"


def _at_review(everybody: CandidateView, number: int, count: int) -> CandidateView:
    """Return those who wait at a review, and what has become of the others."""
    size = len(everybody.candidate)
    screened = np.flatnonzero(np.arange(size) % 2 == number % 2)
    waiting = np.flatnonzero(np.arange(size) % 2 != number % 2)
    candidates = rows_of(everybody, size, screened)
    ends = np.searchsorted(candidates.rows, np.arange(count), side="right")
    screenings = Screenings(
        np.full(count, number),
        np.full(count, 90.0 * (number + 1)),
        np.concatenate([[0], ends]),
        candidates,
        screened % 3 == 0,
    )
    those_who_wait: CandidateView = rows_of(everybody, size, waiting)
    return replace(those_who_wait, screenings=screenings)


def _of_one(seen: CandidateView, k: int) -> CandidateView:
    """Return what is asked at a review about one replicate alone."""
    whole = seen.screenings
    assert whole is not None
    some = np.arange(whole.offsets[k], whole.offsets[k + 1])
    screenings = Screenings(
        whole.review[k : k + 1],
        whole.review_days[k : k + 1],
        np.array([0, len(some)]),
        _first_row(rows_of(whole.candidates, len(whole.randomised), some)),
        whole.randomised[some],
    )
    own: NDArray[np.int64] = np.flatnonzero(seen.rows == k)
    alone = rows_of(replace(seen, screenings=None), len(seen.candidate), own)
    return replace(_first_row(alone), screenings=screenings)


def _first_row(view: CandidateView) -> CandidateView:
    """Return the view of candidates whose trial stands first in the memory."""
    return replace(view, rows=np.zeros(len(view.candidate), dtype=np.int64))


def _without_hidden(view: CandidateView) -> CandidateView:
    """Return the view as those get it who do not declare to read what is hidden."""
    return replace(view, latent=np.zeros((0, 0)), traits=(), chances=np.zeros((0, 3)))


def _scrambled(view: CandidateView) -> CandidateView:
    """Return the view with what is hidden dealt out to other candidates."""
    order = np.random.default_rng(_SEED).permutation(len(view.candidate))
    return replace(view, latent=view.latent[order], chances=view.chances[order])
