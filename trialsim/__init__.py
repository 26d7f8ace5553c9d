"""Simulate clinical trials from a scenario, and report how each design does, with its Monte Carlo error.

The public functions are loaded when first asked for, so that ``import trialsim`` costs next to nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trialsim.errors import ScenarioError, UsageError
    from trialsim.oc.sweep import sweep
    from trialsim.oc.sweep_solve import solve
    from trialsim.scenario.load import load_scenario
    from trialsim.simulation import simulate

    __version__: str

__all__ = ["ScenarioError", "UsageError", "__version__", "load_scenario", "simulate", "solve", "sweep"]

_HOME = {
    "ScenarioError": "trialsim.errors",
    "UsageError": "trialsim.errors",
    "load_scenario": "trialsim.scenario.load",
    "simulate": "trialsim.simulation",
    "solve": "trialsim.oc.sweep_solve",
    "sweep": "trialsim.oc.sweep",
}


def __getattr__(name: str) -> object:
    """Load a public name when it is first asked for."""
    if name == "__version__":
        from importlib.metadata import version

        value: object = version("trialsim")
    elif name in _HOME:
        from importlib import import_module

        value = getattr(import_module(_HOME[name]), name)
    else:
        raise AttributeError(f"module 'trialsim' has no attribute {name!r}; it has {', '.join(__all__)}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
