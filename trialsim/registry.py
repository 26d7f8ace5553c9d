"""Names for parts: what a scenario may ask for, resolved on demand.

Built-in parts are listed in :mod:`trialsim.builtin`; others come from the entry-point group ``trialsim.<kind>`` of
installed packages and are looked up by name, never loaded at import.
"""

from __future__ import annotations

import difflib
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

from trialsim.builtin import BUILTIN
from trialsim.errors import UsageError


def kinds() -> list[str]:
    """Return the kinds of parts that exist."""
    return list(BUILTIN)


def names(kind: str) -> list[str]:
    """Return the names of one kind, built-in ones first.

    Parameters
    ----------
    kind
        One of :func:`kinds`.
    """
    outside = sorted(
        point.name for point in entry_points(group=f"trialsim.{kind}") if point.name not in BUILTIN[kind]
    )
    return [*BUILTIN[kind], *outside]


def get(kind: str, name: str) -> Any:
    """Return the class or function registered under a name.

    Parameters
    ----------
    kind
        One of :func:`kinds`.
    name
        The name in a scenario.

    Raises
    ------
    UsageError
        If there is no such name; the message says which there are.
    """
    if kind not in BUILTIN:
        raise UsageError(f"there are no parts of kind {kind!r}; there are {', '.join(BUILTIN)}")
    if name in BUILTIN[kind]:
        module, _, attribute = BUILTIN[kind][name].partition(":")
        return getattr(import_module(module), attribute)
    for point in entry_points(group=f"trialsim.{kind}", name=name):
        return point.load()
    close = difflib.get_close_matches(name, names(kind), n=1)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    raise UsageError(f"no {kind} is called {name!r}{hint} Allowed: {', '.join(names(kind))}.")


def describe(kind: str, name: str) -> str:
    """Return the first sentence of a part's documentation, the source of its method, and what an analysis says of looks."""
    part = get(kind, name)
    first = (part.__doc__ or "").strip().splitlines()[0]
    reference = getattr(part, "reference", "")
    found = f"{first} [{reference}]" if reference else first
    for said in ("information", "increments"):
        words = getattr(part, said, "")
        found += f" {said.capitalize()}: {words}." if words else ""
    return found + _of_a_posterior(part)


def _of_a_posterior(part: Any) -> str:
    """Return how exact a Bayesian analysis is, and its prior's parameters; nothing for other parts."""
    if not hasattr(part, "accuracy"):
        return ""
    options = [
        f"{name}: {meaning} ({'needed' if part.defaults[name] is None else _written(part.defaults[name])})"
        for name, meaning in part.prior.items()
    ]
    return f" {part.kind.capitalize()}: {part.accuracy}. Options: {'; '.join(options)}."


def _written(value: Any) -> str:
    """Return a number, or a list of numbers, in few digits."""
    return f"[{', '.join(f'{each:g}' for each in value)}]" if isinstance(value, list) else f"{value:g}"
