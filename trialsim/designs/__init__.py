"""Designs: a few numbers in, bounds out."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trialsim.designs.boundaries import Boundaries, group_sequential

__all__ = ["Boundaries", "group_sequential"]


def __getattr__(name: str) -> object:
    """Load a public name when it is first asked for."""
    if name not in __all__:
        raise AttributeError(
            f"module 'trialsim.designs' has no attribute {name!r}; it has {', '.join(__all__)}"
        )
    from importlib import import_module

    value: object = getattr(import_module("trialsim.designs.boundaries"), name)
    globals()[name] = value
    return value
