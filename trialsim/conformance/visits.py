"""Proofs for policies that decide at visits."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from trialsim.conformance.form import first_answer
from trialsim.conformance.invariance import proofs
from trialsim.contracts import DISCONTINUE, NOTHING, REDUCE, VisitView
from trialsim.policies.scores import reads_latent

_ALLOWED = (NOTHING, REDUCE, DISCONTINUE)


def visit_faults(policy: Any, view: VisitView) -> Iterator[str]:
    """Yield the rules that a monitoring policy breaks.

    Parameters
    ----------
    policy
        Asked at visits.
    view
        What to ask about.
    """
    size, whole, fresh = len(view.patient), view, copy.deepcopy(policy)
    if not reads_latent(policy):
        view = replace(view, latent=np.zeros((0, 0)), traits=())
    done, _ = first_answer(policy, view, {})
    if not isinstance(done, np.ndarray) or done.dtype.kind != "i" or done.shape != (size,):
        shape = getattr(done, "shape", None)
        yield f"decide must return a whole number for each of {size} rows; it is of shape {shape}"
        return
    if not np.isin(done, _ALLOWED).all():
        yield "decide returns something other than NOTHING, REDUCE or DISCONTINUE"
    yield from proofs(policy, fresh, view, size, lambda made: (made,), "patients", {})
    if view is not whole and not np.array_equal(policy.decide(copy.deepcopy(whole), {})[0], done):
        yield "peeking: answers change with latent traits; declare reads_latent = True, or do not read them"
