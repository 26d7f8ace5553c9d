"""Whether answers stay the same: asked again, in another order, and whoever else is asked about."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trialsim.contracts import Memory

NOT_DETERMINISTIC = "not deterministic: asked again about the same view it answers otherwise"
_SEED = 11


@dataclass(frozen=True)
class Asked:
    """What a policy is asked: a view, and what it remembers of the rows of this view."""

    view: Any
    memory: Memory


Answer = Callable[..., tuple[Any, ...]]
"""Takes a view or :class:`Asked` and, in place of the policy, another; returns arrays with a row for each of the view's."""


def answer_of(policy: Any, made: Callable[[Any], tuple[Any, ...]]) -> Answer:
    """Return what answers with all that a policy decides and remembers; ``made`` takes a decision apart."""

    def answer(asked: Asked, other: Any = policy) -> tuple[Any, ...]:
        decision, memory = other.decide(asked.view, asked.memory)
        return *made(decision), *(np.asarray(memory[name]) for name in sorted(memory))

    return answer


def proofs(
    policy: Any,
    fresh: Any,
    view: Any,
    size: int,
    made: Callable[[Any], tuple[Any, ...]],
    what: str,
    memory: Memory,
) -> Iterator[str]:
    """Yield what a policy breaks in deciding, twice: from a memory, and from what it remembers then.

    Parameters
    ----------
    policy, fresh
        The policy, and a copy that has never been asked.
    view, size
        What to ask about, and how many rows it has.
    made
        Takes a decision apart into arrays whose first axis is that of the view.
    what
        What the rows are.
    memory
        What is remembered at first.
    """
    answer, before = answer_of(policy, made), memory
    for again in (False, True):
        asked = Asked(view, memory)
        yield from repeated(asked, answer)
        yield from batches(asked, size, answer, what)
        yield from kept_outside(asked, size, answer, fresh)
        _, memory = policy.decide(copy.deepcopy(view), copy.deepcopy(dict(asked.memory)))
        yield from memory_faults(memory, size, what, before if again else {})
        if not memory:
            return
        before = memory


def memory_faults(memory: Memory, size: int, what: str, before: Memory) -> Iterator[str]:
    """Yield what is wrong with a memory: its first axis, or that it is made otherwise than the one before, if any."""
    if any(np.shape(array)[:1] != (size,) for array in memory.values()):
        yield f"memory must be arrays whose first axis is that of the {what}, {size} here"
    elif before and _shapes(memory) != _shapes(before):
        yield "memory must hold the same names, types and shapes from decision to decision"


def _shapes(memory: Memory) -> dict[str, tuple[Any, ...]]:
    """Return type and shape of what is remembered of one row."""
    return {name: (np.asarray(array).dtype, np.shape(array)[1:]) for name, array in memory.items()}


def repeated(view: Any, answer: Answer) -> Iterator[str]:
    """Yield that asking again gives another answer, or that asking changes the view or the memory."""
    before = copy.deepcopy(view)
    first, second = answer(view), answer(view)
    if not same(first, second):
        yield NOT_DETERMINISTIC
    if not same(tuple(_arrays_in(view)), tuple(_arrays_in(before))):
        yield "the view is changed by asking, or the memory; take a copy"


def _arrays_in(value: Any) -> Iterator[NDArray[Any]]:
    """Yield all arrays of a view, and of the parts of it."""
    if isinstance(value, np.ndarray):
        yield value
    elif is_dataclass(value):
        for field in fields(value):
            yield from _arrays_in(getattr(value, field.name))
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _arrays_in(each)


def batches(view: Any, size: int, answer: Answer, what: str) -> Iterator[str]:
    """Yield that an answer depends on who else is asked about."""
    whole = answer(view)
    order = np.random.default_rng(_SEED).permutation(size)
    parts = [("in another order", order), ("among fewer others", order[: size // 3])]
    parts += [("alone", np.array([row])) for row in order[: min(size, 25)]]
    for how, rows in parts:
        expected = tuple(None if each is None else each[rows] for each in whole)
        if not same(answer(rows_of(view, size, rows)), expected):
            yield f"not batch invariant: some {what} are answered otherwise {how}"
            return


def kept_outside(view: Any, size: int, answer: Answer, fresh: Any) -> Iterator[str]:
    """Yield that an answer depends on what was asked before: on others who were seen then, later ones among them.

    Parameters
    ----------
    view, size
        What to ask about.
    answer
        Takes a view and, in place of the policy that has been asked already, another.
    fresh
        A copy of the policy that has never been asked.
    """
    rows = np.random.default_rng(_SEED + 1).permutation(size)[: size // 3]
    some = rows_of(view, size, rows)
    if not same(answer(some, copy.deepcopy(fresh)), answer(some)):
        yield "keeps what it was asked about outside its memory: a copy that has never been asked answers otherwise"


def rows_of(view: Any, size: int, rows: NDArray[np.int64]) -> Any:
    """Return the view of some rows, and what is remembered of them."""
    shared = {"test_arms", "ratio", "benefit"}
    chosen: dict[str, Any] = {}
    for field in fields(view):
        value = getattr(view, field.name)
        if is_dataclass(value):
            chosen[field.name] = rows_of(value, size, rows)
        elif field.name == "memory":
            chosen[field.name] = {name: array[rows] for name, array in value.items()}
        elif field.name not in shared and isinstance(value, np.ndarray) and len(value) == size:
            chosen[field.name] = value[rows]
    return replace(view, **chosen)


def same(first: tuple[Any, ...], second: tuple[Any, ...]) -> bool:
    """Return whether two answers are equal to the last bit."""
    return len(first) == len(second) and all(
        (a is None and b is None)
        or (a is not None and b is not None and np.array_equal(a, b, equal_nan=a.dtype.kind == "f"))
        for a, b in zip(first, second, strict=True)
    )
