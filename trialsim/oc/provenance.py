"""Where a run comes from: everything needed to make it again."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PACKAGES = (
    "trialsim",
    "matplotlib",
    "numba",
    "numpy",
    "pandas",
    "pyarrow",
    "pydantic",
    "scipy",
    "simpy",
)


def package_versions() -> dict[str, str]:
    """Return the versions of the packages that a result can depend on."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def machine() -> dict[str, str]:
    """Return the interpreter and the platform."""
    return {"python": platform.python_version(), "platform": platform.platform()}


def population_digest(scenario: Mapping[str, Any], folder: Path | None) -> str:
    """Return a digest of the population of a resolved scenario, resampled rows included.

    Parameters
    ----------
    scenario
        The resolved scenario as plain data.
    folder
        The folder in which its file of patients lies.
    """
    population = scenario.get("population")
    hashed = hashlib.sha256(json.dumps(population, sort_keys=True, default=str).encode())
    name = population.get("resample") if isinstance(population, Mapping) else None
    if isinstance(name, str) and folder is not None:
        hashed.update(hashlib.sha256((folder / name).read_bytes()).digest())
    return hashed.hexdigest()
