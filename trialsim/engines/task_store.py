"""Finished trials kept in a folder, so that a run that was broken off goes on from there."""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from trialsim.engines.records import Columns
from trialsim.errors import UsageError, system_reason

Task = tuple[str, str, int, int]
"""Design, truth, first replicate and the one after the last."""

_ABOUT = "about.json"

_TASK = "/task"
"""Where a file says what it holds; a table has a name."""


class TaskStore:
    """Keeps the records of finished tasks, a file each, under what they belong to.

    Parameters
    ----------
    folder
        Where; it is made where it is not there.
    about
        What the numbers depend on: scenario, seed and engine. A folder that holds trials of anything else is refused.

    Raises
    ------
    UsageError
        When the folder holds something else, or cannot be written.
    """

    def __init__(self, folder: Path, about: Mapping[str, Any]) -> None:
        self.folder = folder
        told = json.loads(json.dumps(dict(about)))
        self._about = told
        try:
            folder.mkdir(parents=True, exist_ok=True)
            path = folder / _ABOUT
            if path.is_file():
                if json.loads(path.read_text(encoding="utf-8")) != told:
                    raise UsageError(
                        f"{folder}: holds trials of another scenario, seed or engine; name another folder with --checkpoint"
                    )
            elif any(folder.iterdir()):
                raise UsageError(
                    f"{folder}: holds something else than a run's trials; name another folder with --checkpoint"
                )
            else:
                path.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
        except (OSError, ValueError) as error:
            raise UsageError(
                f"{folder}: cannot be used ({error}); name another folder with --checkpoint"
            ) from None

    def find(self, task: Task) -> dict[str, Columns] | None:
        """Return the records of a task; None where it is not finished, or its file was cut short or is another task's."""
        path = self._path(task)
        if not path.is_file():
            return None
        found: dict[str, Columns] = {}
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as held:
                if _TASK not in held.files or str(held[_TASK]) != self._identity(task):
                    return None  # put in its place by hand, or of a version that did not say
                for name in held.files:
                    if name == _TASK:
                        continue
                    table, _, column = name.partition("/")
                    found.setdefault(table, {})
                    if column:
                        found[table][column] = held[name]
        except (OSError, ValueError, zipfile.BadZipFile):
            return None
        return found

    def keep(self, task: Task, columns: Mapping[str, Columns]) -> None:
        """Keep the records of a finished task; a file is whole or not there.

        Raises
        ------
        UsageError
            Where it cannot be written.
        """
        path = self._path(task)
        flat = {f"{table}/{name}": values for table, part in columns.items() for name, values in part.items()}
        partial = path.with_name(f"{path.name}.{os.getpid()}")
        flat[_TASK] = np.array(self._identity(task))
        try:
            with partial.open("wb") as file:
                np.savez(file, **flat)  # type: ignore[arg-type]
            partial.replace(path)
        except OSError as error:
            what = "is a folder" if path.is_dir() else f"cannot be written ({system_reason(error)})"
            raise UsageError(
                f"{path}: {what}; remove it, or name another folder with --checkpoint"
            ) from error
        finally:
            partial.unlink(missing_ok=True)

    def _identity(self, task: Task) -> str:
        """Return what a task is and what its numbers depend on."""
        return json.dumps({"task": list(task), "about": self._about}, sort_keys=True)

    def _path(self, task: Task) -> Path:
        design, truth, first, last = task
        cell = hashlib.sha256(f"{design}\n{truth}".encode()).hexdigest()[:16]
        return self.folder / f"{cell}-{first}-{last}.npz"
