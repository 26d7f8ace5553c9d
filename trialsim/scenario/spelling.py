"""A scenario as it was probably meant: misspelt keys read as the keys that a did-you-mean names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from trialsim.errors import Problem
from trialsim.scenario.samples import Schema, has_kinds, keys_of, schema_below, whole_schema
from trialsim.scenario.wording import closest, printable

_EARLIER = ("extends", "grid")
"""Keys that are read before a scenario is."""


@dataclass(frozen=True)
class Respelt:
    """A scenario without misspelt keys.

    Parameters
    ----------
    tree
        The scenario as plain data.
    written
        Of what stands under a misspelt key, the path as it is written by the path as it is meant.
    """

    tree: dict[str, Any]
    written: Mapping[str, str]

    def as_written(self, problem: Problem) -> Problem:
        """Return a problem at its path in the file."""
        for meant in sorted(self.written, key=len, reverse=True):
            rest = problem.path.removeprefix(meant)
            if problem.path.startswith(meant) and (not rest or rest[0] in ".["):
                return replace(problem, path=self.written[meant] + rest)
        return problem


def respelt(tree: dict[str, Any]) -> Respelt:
    """Return a written scenario with misspelt keys replaced, where the key that is close does not stand there too.

    Parameters
    ----------
    tree
        As it stands in the file, before designs are merged.
    """
    written: dict[str, str] = {}
    meant: dict[str, Any] = _respelt(tree, whole_schema(), "", "", written)
    designs = meant.get("designs")
    if isinstance(designs, dict):
        meant["designs"] = {name: _on_known(design, name, designs) for name, design in designs.items()}
    return Respelt(meant, written)


def _on_known(design: Any, name: str, designs: Mapping[str, Any]) -> Any:
    """Return a design on the design that it was probably meant to extend."""
    below = design.get("extends") if isinstance(design, dict) else None
    if not isinstance(below, str) or below in designs:
        return design
    close = closest(below, [one for one in designs if one != name])
    return design if close is None else design | {"extends": close}


def _respelt(here: Any, schema: Schema | None, meant: str, path: str, written: dict[str, str]) -> Any:
    """Return a part of a scenario with its keys as they are meant; note what is renamed."""
    if schema is None:
        return here
    if isinstance(here, list):
        return [
            _respelt(each, schema_below(schema, here, k), f"{meant}[{k}]", f"{path}[{k}]", written)
            for k, each in enumerate(here)
        ]
    if not isinstance(here, dict):
        return here
    allowed, found = keys_of(schema, here), {}
    if not allowed and "kind" not in here and has_kinds(schema):
        allowed = ("kind", *(key for key in here if closest(key, ("kind",)) is None))
    for key, value in here.items():
        name = key
        if allowed and isinstance(key, str) and key not in (*allowed, *_EARLIER):
            # Designs are merged before they are read, so that their schema does not have the key for it.
            close = closest(key, (*allowed, "extends") if _is_design(meant) else allowed)
            if close is not None and close not in here and close not in found:
                name = close
        at, old = _at(meant, name), _at(path, key)
        if name != key:
            written[at] = old
        found[name] = _respelt(value, schema_below(schema, here | {name: value}, name), at, old, written)
    return found


def _at(path: str, key: Any) -> str:
    """Return the path of a key."""
    return f"{path}.{printable(str(key))}" if path else printable(str(key))


def _is_design(path: str) -> bool:
    """Return whether a path is that of a design."""
    return path.startswith("designs.") and path.count(".") == 1
