"""Proofs that a policy decides as it must: the same when asked again, whoever else is asked about, not peeking."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass, replace
from typing import Any

import numpy as np

from trialsim.conformance.sample_views import allocation_view, candidate_view, look_view, site_view
from trialsim.contracts import AllocationView, CandidateView, Decision, LookView, SiteView
from trialsim.policies.scores import prepared, reads_latent

_SEED = 11
_BY_COLUMN = ("reject", "futile", "open_arms", "weights", "trace")  # the others have one value a replicate


def check_policy(
    policy: Any, view: CandidateView | SiteView | LookView | AllocationView | None = None
) -> list[str]:
    """Return which rules a policy breaks; empty when it keeps them all.

    A policy with ``open_sites`` chooses sites, another one with ``score`` ranks candidates; one with ``decide`` allocates
    where it has ``adaptive``, and stops otherwise.

    Rankings are checked for determinism (asked again, the same answer), batch invariance (each candidate alone, in another
    order and among others, the same score to the last bit), valid output (one int64 each), leaving the view as it is, and
    not peeking: a policy that does not declare ``reads_latent`` scores the same when everything hidden is laid before it,
    scrambled, or absent. Policies for stopping and allocation are checked for determinism, batch invariance over
    replicates, valid output and leaving the view as it is; that their views hold no future is up to the engines. Choices of
    sites are checked like those, and for not reading true rates without declaring it.

    Parameters
    ----------
    policy
        An instance.
    view
        What to ask about, for policies that need certain covariates or arms; by default 300 candidates with a group, an
        age and a marker (some missing), 40 trials' views of twelve sites, or 40 trials of three arms with two tests.

    Returns
    -------
    list of str
        A sentence for each rule that is broken.
    """
    if hasattr(policy, "open_sites"):
        return list(_site_faults(policy, view if isinstance(view, SiteView) else site_view()))
    if hasattr(policy, "score"):
        seen = view if isinstance(view, CandidateView) else candidate_view()
        return list(_ranking_faults(policy, seen))
    if isinstance(view, (LookView, AllocationView)):
        return list(_decision_faults(policy, view))
    return list(_decision_faults(policy, allocation_view() if hasattr(policy, "adaptive") else look_view()))


def _ranking_faults(policy: Any, whole: CandidateView) -> Iterator[str]:
    """Yield the rules that a ranking breaks."""
    if policy.as_they_come:
        return
    declared = reads_latent(policy)
    view = whole if declared else _without_hidden(whole)
    try:
        policy = prepared(policy, copy.deepcopy(view))
        scores = policy.score(copy.deepcopy(view))
    except (IndexError, ValueError, KeyError) as error:
        hint = "" if declared else "; a policy that reads what is hidden declares reads_latent = True"
        yield f"score fails on the view: {type(error).__name__}: {error}{hint}"
        return
    if not isinstance(scores, np.ndarray) or scores.dtype != np.int64 or scores.shape != view.candidate.shape:
        shape = getattr(scores, "shape", None)
        found = f"{getattr(scores, 'dtype', type(scores).__name__)} of shape {shape}"
        yield f"score must return an int64 array of shape {view.candidate.shape}, one number a candidate; it is {found}"
        return
    yield from _repeated(view, lambda seen: (policy.score(seen),))
    yield from _batches(view, len(view.candidate), lambda seen: (policy.score(seen),), "candidates")
    if not declared and whole.latent.size:
        for name, other in (("is laid before it", whole), ("is scrambled", _scrambled(whole))):
            if not np.array_equal(policy.score(other), scores):
                yield f"peeking: scores change when what is hidden {name}; declare reads_latent = True, or do not read it"


def _site_faults(policy: Any, whole: SiteView) -> Iterator[str]:
    """Yield the rules that a choice of sites breaks."""
    declared = reads_latent(policy)
    view = whole if declared else replace(whole, rates=np.zeros((0, 0)))
    try:
        scores = policy.score(copy.deepcopy(view))
    except (IndexError, ValueError, KeyError) as error:
        hint = "" if declared else "; a policy that reads what is hidden declares reads_latent = True"
        yield f"score fails on the view: {type(error).__name__}: {error}{hint}"
        return
    expected = (len(view.replicate), len(view.names))
    if not isinstance(scores, np.ndarray) or scores.dtype.kind != "f" or scores.shape != expected:
        found = f"{getattr(scores, 'dtype', type(scores).__name__)} of shape {getattr(scores, 'shape', None)}"
        yield f"score must return floats of shape {expected}, one a trial and site; it is {found}"
        return
    yield from _repeated(view, lambda seen: (policy.score(seen),))
    yield from _batches(view, len(view.replicate), lambda seen: (policy.score(seen),), "trials")
    if not declared and whole.rates.size and not np.array_equal(policy.score(whole), scores, equal_nan=True):
        yield "peeking: scores change when true rates are laid before it; declare reads_latent = True, or do not read it"


def _decision_faults(policy: Any, view: LookView | AllocationView) -> Iterator[str]:
    """Yield the rules that a policy of stopping or allocation breaks."""

    def decide(seen: LookView | AllocationView) -> tuple[Any, ...]:
        decision, _ = policy.decide(seen, {})
        made = decision.canonical()
        return tuple(getattr(made, field.name) for field in fields(Decision))

    size = len(view.replicate)
    made = decide(view)
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
    yield from _repeated(view, decide)
    yield from _batches(view, size, decide, "replicates")


def _repeated(view: Any, answer: Callable[[Any], tuple[Any, ...]]) -> Iterator[str]:
    """Yield that asking again gives another answer, or that asking changes the view."""
    before = copy.deepcopy(view)
    first, second = answer(view), answer(view)
    if not _same(first, second):
        yield "not deterministic: asked again about the same view it answers otherwise"
    arrays = [f.name for f in fields(view) if isinstance(getattr(view, f.name), np.ndarray)]
    if not all(_same((getattr(view, name),), (getattr(before, name),)) for name in arrays):
        yield "the view is changed by asking; take a copy"


def _batches(view: Any, size: int, answer: Callable[[Any], tuple[Any, ...]], what: str) -> Iterator[str]:
    """Yield that an answer depends on who else is asked about."""
    whole = answer(view)
    order = np.random.default_rng(_SEED).permutation(size)
    parts = [("in another order", order), ("among fewer others", order[: size // 3])]
    parts += [("alone", np.array([row])) for row in order[: min(size, 25)]]
    for how, rows in parts:
        expected = tuple(None if each is None else each[rows] for each in whole)
        if not _same(answer(_rows_of(view, size, rows)), expected):
            yield f"not batch invariant: some {what} are answered otherwise {how}"
            return


def _rows_of(view: Any, size: int, rows: np.ndarray) -> Any:
    """Return the view of some rows."""
    shared = {"test_arms", "ratio", "history_days"}
    chosen: dict[str, Any] = {}
    for field in fields(view):
        value = getattr(view, field.name)
        if is_dataclass(value):
            chosen[field.name] = _rows_of(value, size, rows)
        elif field.name not in shared and isinstance(value, np.ndarray) and len(value) == size:
            chosen[field.name] = value[rows]
    return replace(view, **chosen)


def _same(first: tuple[Any, ...], second: tuple[Any, ...]) -> bool:
    """Return whether two answers are equal to the last bit."""
    return all(
        (a is None and b is None)
        or (a is not None and b is not None and np.array_equal(a, b, equal_nan=a.dtype.kind == "f"))
        for a, b in zip(first, second, strict=True)
    )


def _without_hidden(view: CandidateView) -> CandidateView:
    """Return the view as those get it who do not declare to read what is hidden."""
    return replace(view, latent=np.zeros((0, 0)), traits=(), chances=np.zeros((0, 3)))


def _scrambled(view: CandidateView) -> CandidateView:
    """Return the view with what is hidden dealt out to other candidates."""
    order = np.random.default_rng(_SEED + 1).permutation(len(view.candidate))
    return replace(view, latent=view.latent[order], chances=view.chances[order])
