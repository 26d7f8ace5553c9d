"""The table of patients that a written scenario resamples."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import ValidationError

from trialsim.errors import Problem, ScenarioError
from trialsim.scenario.population import Population
from trialsim.scenario.resolve import inside
from trialsim.scenario.table import Table, read_table

_KEYS = ("resample", "columns")
"""Keys of a population that say which table is read, and how."""


def resampled_table(tree: dict[str, Any], folder: Path | None, problems: list[Problem]) -> Table | None:
    """Return the table of patients that the population resamples, where it can be read.

    Parameters
    ----------
    tree
        The scenario as plain data; of its population only what names the table need be readable.
    folder
        Where its files lie.
    problems
        Problems found are appended here.
    """
    written = tree.get("population")
    written = written if isinstance(written, dict) else {}
    try:
        population = Population.model_validate({key: written[key] for key in _KEYS if key in written})
    except ValidationError:
        return None
    if population.resample is None:
        return None
    if folder is None:
        problems.append(Problem("population.resample", "a table can only be read beside a scenario file"))
        return None
    try:
        path = inside(folder, population.resample, "population.resample")
        return read_table(path, population.columns, population.resample)
    except ScenarioError as error:
        problems += error.problems
        return None
