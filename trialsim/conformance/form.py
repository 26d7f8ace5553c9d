"""Whether what a policy has and answers is of the form that the engines take, whatever it decides."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from typing import Any

import numpy as np

from trialsim.contracts import (
    AllocationView,
    Bools,
    Decision,
    Floats,
    LookView,
    Memory,
    Stop,
)
from trialsim.policies.scores import reads_latent

_HINT = "; a policy that reads what is hidden declares reads_latent = True"
_OF_ALL = ("name", "reference")
_OF_SOME = {"candidate": "as_they_come", "site": "open_sites", "allocation": "adaptive"}
_KINDS = {
    "stop": "b", "reason": "iu", "reject": "b", "futile": "b", "open_arms": "b", "weights": "fiu",
    "further_counts": "iu", "close_enrolment": "b", "trace": "f", "rule": "iu", "fate": "iu",
}  # fmt: skip
_WORDS = {"b": "bool", "iu": "whole numbers", "f": "floats", "fiu": "numbers"}
_ON_ALLOCATION = ("weights", "fate")
_AT_LOOKS = ("stop", "reason", "reject", "futile", "open_arms")
"""What a stopping policy says of each replicate; the rest may be None."""


class Malformed(Exception):
    """An answer that no engine could take; the message says why."""


def told(faults: Iterable[str]) -> list[str]:
    """Return the faults, and, where asking the policy came to nothing, why."""
    found = []
    try:
        for fault in faults:  # one by one, so that those before a failure stay
            found += [fault]
    except Malformed as broken:
        found.append(str(broken))
    except Exception as error:  # noqa: BLE001  a policy of anybody's may fail in any way
        found.append(f"fails when it is asked: {type(error).__name__}: {error}")
    return found


def missing_attributes(policy: Any) -> Iterator[str]:
    """Yield what a policy does not have beside its method."""
    for name in (*_OF_ALL, _OF_SOME.get(policy.decides_on)):
        if name is not None and not hasattr(policy, name):
            yield f"a policy that decides on {policy.decides_on} needs the attribute {name!r}"


def first_answer(policy: Any, view: Any, memory: Memory, where: str = "on the view") -> tuple[Any, Memory]:
    """Return the decision and the memory, for the first time that something is asked.

    Parameters
    ----------
    policy
        Asked about a copy of the view.
    view, memory
        What to ask about, and what is remembered of it.
    where
        On what, in words.

    Raises
    ------
    Malformed
        If the policy fails, or answers with something else.
    """
    try:
        answer = policy.decide(copy.deepcopy(view), memory)
    except Exception as error:
        hint = "" if reads_latent(policy) or where != "on the view" else _HINT
        raise Malformed(f"decide fails {where}: {type(error).__name__}: {error}{hint}") from error
    if not isinstance(answer, tuple) or len(answer) != 2:
        raise Malformed(
            f"decide must return a pair, the decision and the memory; it returns {_called(answer)}"
        )
    decision, learnt = answer
    if not isinstance(learnt, Mapping):
        raise Malformed(f"the memory must be a mapping of arrays by name; it is {_called(learnt)}")
    for name, array in learnt.items():
        if not isinstance(array, np.ndarray):
            raise Malformed(f"the memory must hold arrays; {name!r} is {_called(array)}")
    return decision, learnt


def require_decision(decision: Any, kind: type) -> None:
    """Raise Malformed where a decision is of another kind."""
    if not isinstance(decision, kind):
        raise Malformed(f"what is decided must be a {kind.__name__}; it is {_called(decision)}")


def decision_faults(decision: Decision, view: LookView | AllocationView, quantities: int) -> Iterator[str]:
    """Yield what is wrong with the form of a decision at a look or a review.

    Parameters
    ----------
    decision
        As the policy returned it.
    view
        What it was asked about.
    quantities
        How many probabilities the policy says it weighs.

    Raises
    ------
    Malformed
        If it cannot be read as a decision at all.
    """
    size, arms, at_look = len(view.replicate), view.open_arms.shape[1], isinstance(view, LookView)
    columns = {"open_arms": arms, "weights": arms, "trace": quantities}
    if isinstance(view, LookView):
        columns |= dict.fromkeys(("reject", "futile"), view.z.shape[1])
    for field in fields(Decision):
        values = getattr(decision, field.name)
        if values is None:
            continue
        if field.name == "recommended":
            require_decision(values, Decision)
            yield from decision_faults(values, view, quantities)
            continue
        if not at_look and field.name not in _ON_ALLOCATION:
            yield f"a policy that decides on allocation gives weights alone; this one gives {field.name} too"
            continue
        shape = (size, columns[field.name]) if field.name in columns else (size,)
        if not isinstance(values, np.ndarray) or values.shape != shape:
            raise Malformed(
                f"{field.name} must be an array of shape {shape}, a row a replicate; it is {_called(values)}"
            )
        if values.dtype.kind not in _KINDS[field.name]:
            raise Malformed(f"{field.name} must hold {_WORDS[_KINDS[field.name]]}; it holds {values.dtype}")
    if at_look:
        yield from _of_a_look(decision)
    if decision.weights is not None:
        yield from _of_weights(np.asarray(decision.weights, dtype=np.float64), view.open_arms)


def _of_a_look(decision: Decision) -> Iterator[str]:
    """Yield what a stopping policy leaves unsaid, or says of a stop without meaning."""
    missing = [name for name in _AT_LOOKS if getattr(decision, name) is None]
    if "stop" in missing:
        yield "a stopping policy must say of each replicate whether it stops"
    if missing and missing != ["stop"]:
        others = ", ".join(name for name in missing if name != "stop")
        yield f"a stopping policy must say of each replicate what is decided; it leaves out {others}"
    if decision.reason is None or decision.stop is None:
        return
    why = decision.reason[decision.stop]
    if not np.isin(why, [code for code in Stop if code is not Stop.CONTINUE]).all():
        yield "a trial that stops must have a reason, a Stop code other than CONTINUE"


def _of_weights(weights: Floats, open_arms: Bools) -> Iterator[str]:
    """Yield which weights are none."""
    known = ~np.isnan(weights).all(axis=1)
    given = weights[known]
    if not np.isfinite(given).all() or (given < 0).any() or not (given.sum(axis=1) > 0).all():
        raise Malformed(
            "weights must be finite, not negative and not all 0, or a row of NaN that keeps what is"
        )
    if (weights[~open_arms] > 0).any():
        yield "weights give patients to an arm that is closed"


def _called(value: Any) -> str:
    """Return what something is, in a few words."""
    if isinstance(value, np.ndarray):
        return f"{value.dtype} of shape {value.shape}"
    return "None" if value is None else f"a {type(value).__name__}"
