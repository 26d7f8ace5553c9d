"""Whether answers stay the same: asked again, in another order, and whoever else is asked about."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass, replace
from typing import Any

import numpy as np

_SEED = 11


def repeated(view: Any, answer: Callable[[Any], tuple[Any, ...]]) -> Iterator[str]:
    """Yield that asking again gives another answer, or that asking changes the view."""
    before = copy.deepcopy(view)
    first, second = answer(view), answer(view)
    if not same(first, second):
        yield "not deterministic: asked again about the same view it answers otherwise"
    arrays = [f.name for f in fields(view) if isinstance(getattr(view, f.name), np.ndarray)]
    if not all(same((getattr(view, name),), (getattr(before, name),)) for name in arrays):
        yield "the view is changed by asking; take a copy"


def batches(view: Any, size: int, answer: Callable[[Any], tuple[Any, ...]], what: str) -> Iterator[str]:
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


def kept_outside(view: Any, size: int, answer: Callable[..., tuple[Any, ...]], fresh: Any) -> Iterator[str]:
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


def rows_of(view: Any, size: int, rows: np.ndarray) -> Any:
    """Return the view of some rows."""
    shared = {"test_arms", "ratio", "benefit"}
    chosen: dict[str, Any] = {}
    for field in fields(view):
        value = getattr(view, field.name)
        if is_dataclass(value):
            chosen[field.name] = rows_of(value, size, rows)
        elif field.name not in shared and isinstance(value, np.ndarray) and len(value) == size:
            chosen[field.name] = value[rows]
    return replace(view, **chosen)


def same(first: tuple[Any, ...], second: tuple[Any, ...]) -> bool:
    """Return whether two answers are equal to the last bit."""
    return all(
        (a is None and b is None)
        or (a is not None and b is not None and np.array_equal(a, b, equal_nan=a.dtype.kind == "f"))
        for a, b in zip(first, second, strict=True)
    )
