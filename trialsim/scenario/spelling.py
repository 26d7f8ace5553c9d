"""A scenario as it was probably meant: misspelt keys read as the keys that a did-you-mean names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from trialsim.errors import Problem
from trialsim.scenario.samples import Schema, has_kinds, keys_of, schema_below, whole_schema
from trialsim.scenario.wording import closest, printable

_EARLIER = ("extends", "grid")
"""Keys that are read before a scenario is."""

MOST_UNKNOWN = 200
"""Unknown keys that are compared with those that are known."""


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
        path = problem.path
        for end in range(len(path), 0, -1):
            if (end == len(path) or path[end] in ".[") and path[:end] in self.written:
                return replace(problem, path=self.written[path[:end]] + path[end:])
        return problem


def respelt(tree: dict[str, Any]) -> Respelt:
    """Return a written scenario with misspelt keys replaced, where the key that is close does not stand there too.

    Parameters
    ----------
    tree
        As it stands in the file, before designs are merged.
    """
    respelling = _Respelling()
    meant: dict[str, Any] = respelling.of(tree, whole_schema(), "", "")
    designs = meant.get("designs")
    if isinstance(designs, dict):
        meant["designs"] = {
            name: respelling.on_known(design, name, designs) for name, design in designs.items()
        }
    return Respelt(meant, respelling.written)


class _Respelling:
    """The replacing of misspelt keys."""

    def __init__(self) -> None:
        self.written: dict[str, str] = {}
        self.unknown = 0

    def of(self, here: Any, schema: Schema | None, meant: str, path: str) -> Any:
        """Return a part of a scenario with its keys as they are meant; note what is renamed."""
        if schema is None:
            return here
        if isinstance(here, list):
            return [
                self.of(each, schema_below(schema, here, k), f"{meant}[{k}]", f"{path}[{k}]")
                for k, each in enumerate(here)
            ]
        if not isinstance(here, dict):
            return here
        allowed, found = keys_of(schema, here), dict[Any, Any]()
        if not allowed and "kind" not in here and has_kinds(schema):
            allowed = ("kind", *(key for key in here if self._close(key, ("kind",)) is None))
        for key, value in here.items():
            name = key
            if allowed and isinstance(key, str) and key not in (*allowed, *_EARLIER):
                # Designs are merged before they are read, so that their schema does not have the key for it.
                close = self._close(key, (*allowed, "extends") if _is_design(meant) else allowed)
                if close is not None and close not in here and close not in found:
                    name = close
            at, old = _at(meant, name), _at(path, key)
            if name != key:
                self.written[at] = old
            around = here if name == key else here | {name: value}
            found[name] = self.of(value, schema_below(schema, around, name), at, old)
        return found

    def on_known(self, design: Any, name: str, designs: Mapping[str, Any]) -> Any:
        """Return a design on the design that it was probably meant to extend."""
        below = design.get("extends") if isinstance(design, dict) else None
        if not isinstance(below, str) or below in designs:
            return design
        close = self._close(below, (one for one in designs if one != name))
        return design if close is None else design | {"extends": close}

    def _close(self, key: str, allowed: Iterable[str]) -> str | None:
        """Return the key that one was probably meant for; none after so many unknown ones."""
        self.unknown += 1
        return closest(key, allowed) if self.unknown <= MOST_UNKNOWN else None


def _at(path: str, key: Any) -> str:
    """Return the path of a key."""
    return f"{path}.{printable(str(key))}" if path else printable(str(key))


def _is_design(path: str) -> bool:
    """Return whether a path is that of a design."""
    return path.startswith("designs.") and path.count(".") == 1
