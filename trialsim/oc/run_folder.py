"""Reading a run from disk, one column of one cell at a time."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from numpy.typing import NDArray

from trialsim.engines.effects import Effect, effects_in
from trialsim.errors import UsageError
from trialsim.oc.characteristics import OperatingCharacteristics, operating_characteristics
from trialsim.oc.columns import (
    Categories,
    Cell,
    HypothesisFacts,
    Table,
    categories_of,
    facts_of,
    numbers_of,
    sampled,
)
from trialsim.oc.error_claims import FAMILY
from trialsim.oc.run_checks import (
    DAMAGED,
    damage_named,
    require_columns,
    require_provenance,
    require_scenario,
)
from trialsim.oc.run_writer import CELLS, EFFECTS, TABLES
from trialsim.oc.unfinished import PARTIAL

_NEEDED = ("scenario.yaml", "provenance.json", "summary.json", "trials.parquet", "cells.parquet")


class ParquetRecords:
    """Records in a folder of Parquet files whose row groups hold one cell each.

    Parameters
    ----------
    folder
        Where ``trials.parquet``, ``arms.parquet``, ``looks.parquet`` and ``cells.parquet`` lie.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self._folder = Path(folder)
        with damage_named(self._folder / "cells.parquet"):
            self._facts = facts_of(pq.read_table(self._folder / "cells.parquet", use_threads=False))
        self._files: dict[str, pq.ParquetFile] = {}
        self._groups: dict[str, dict[Cell, list[int]]] = {}
        self._one_reader = {name: threading.Lock() for name in TABLES}
        for name in TABLES:
            path = self._folder / f"{name}.parquet"
            if path.is_file():
                with damage_named(path):
                    self._files[name] = pq.ParquetFile(path, memory_map=True)
                    self._groups[name] = _groups_by_cell(self._files[name])

    def cells(self) -> tuple[Cell, ...]:
        """Return the cells in the order of the records."""
        return tuple(self._groups["trials"])

    def facts(self) -> tuple[HypothesisFacts, ...]:
        """Return what is true of every hypothesis in every cell."""
        return self._facts

    def columns(self, table: Table) -> tuple[str, ...]:
        """Return the names of a table's columns."""
        return tuple(self._files[table].schema_arrow.names) if table in self._files else ()

    def n_rows(self, table: str) -> int:
        """Return how many rows a table has."""
        return int(self._files[table].metadata.num_rows) if table in self._files else 0

    def numbers(self, table: Table, column: str, cell: Cell, step: int = 1) -> NDArray[Any]:
        """Return one column of numbers or booleans of one cell, of every so many rows the first."""
        if step == 1 or not self._groups[table].get(cell):
            return numbers_of(self._column(table, column, cell))
        return sampled(
            (chunk for part in self.parts(table, [column], cell) for chunk in part[column].chunks), step
        )

    def categories(self, table: Table, column: str, cell: Cell) -> Categories:
        """Return one column of names of one cell."""
        return categories_of(self._column(table, column, cell))

    def parts(self, table: Table, columns: Sequence[str], cell: Cell) -> Iterator[pa.Table]:
        """Yield some columns of one cell, a row group at a time, the memory of which serves the next one again."""
        for group in self._groups[table].get(cell, []):
            with self._one_reader[table], damage_named(self._folder / f"{table}.parquet"):
                part = self._files[table].read_row_group(group, columns=list(columns), use_threads=False)
            yield part

    def close(self) -> None:
        """Let go of the files."""
        for file in self._files.values():
            file.close(force=True)

    def _column(self, table: Table, column: str, cell: Cell) -> pa.ChunkedArray:
        groups = self._groups[table].get(cell, [])
        with self._one_reader[table], damage_named(self._folder / f"{table}.parquet"):
            return (
                self._files[table].read_row_groups(groups, columns=[column], use_threads=False).column(column)
            )


@dataclass(frozen=True)
class StoredRun:
    """A finished run on disk."""

    folder: Path
    scenario: Mapping[str, Any]
    provenance: Mapping[str, Any]
    summary: Mapping[str, Any]

    @cached_property
    def records(self) -> ParquetRecords:
        """The records, read as they are asked for."""
        return ParquetRecords(self.folder)

    @cached_property
    def effects(self) -> tuple[Effect, ...]:
        """The effects of the run's truths, conditional and marginal; empty where the run kept none.

        Raises
        ------
        UsageError
            Where their table is damaged.
        """
        path = self.folder / EFFECTS
        if not path.is_file():
            return ()
        try:
            return effects_in(pq.read_table(path, use_threads=False))
        except (pa.ArrowException, OSError, ValueError, TypeError) as error:
            raise UsageError(f"{path}: damaged, it cannot be read; run it again") from error

    @property
    def finished_by(self) -> tuple[float, ...]:
        """The dates, in days, that were asked about."""
        return tuple(float(date) for date in self.provenance.get("finished_by", ()))


def load_run(folder: str | os.PathLike[str]) -> StoredRun:
    """Open a finished run.

    Raises
    ------
    UsageError
        Where the folder is missing, unfinished or damaged.
    """
    place = Path(folder)
    if not place.is_dir():
        raise UsageError(f"{place}: no such run folder; a run writes one and prints its name at the end")
    if PARTIAL in place.name:
        raise UsageError(f"{place}: this run was never finished; run it again")
    missing = [name for name in _NEEDED if not (place / name).is_file()]
    if missing:
        raise UsageError(f"{place}: not a finished run, {', '.join(missing)} is missing; run it again")
    run = StoredRun(
        place,
        _mapping(place / "scenario.yaml", yaml.safe_load),
        _mapping(place / "provenance.json", json.loads),
        _mapping(place / "summary.json", json.loads),
    )
    require_provenance(place / "provenance.json", run.provenance)
    require_scenario(place, run.provenance["digest"])
    try:
        require_columns(place, run.provenance.get("columns", {}))
        records = run.records
        written = run.provenance["rows"]
        wrong = [name for name in TABLES if records.n_rows(name) != written.get(name, 0)]
    except DAMAGED as error:
        raise UsageError(f"{place}: its records are damaged and cannot be read; run it again") from error
    if wrong:
        raise UsageError(
            f"{place}: {wrong[0]}.parquet does not hold the rows that were written; run it again"
        )
    if run.provenance.get("effects") and not (place / EFFECTS).is_file():
        raise UsageError(f"{place}: {EFFECTS} is missing; run it again")
    return run


def characteristics_of(run: StoredRun) -> OperatingCharacteristics:
    """Compute the operating characteristics of a saved run from its records.

    Raises
    ------
    UsageError
        Where the records are damaged.
    """
    looks = planned_looks(run.scenario)
    try:
        return operating_characteristics(run.records, finished_by=run.finished_by, planned_looks=looks)
    except DAMAGED as error:
        raise UsageError(f"{run.folder}: its records are damaged and cannot be read; run it again") from error


def planned_looks(scenario: Mapping[str, Any]) -> dict[str, int]:
    """Return how many looks each design of a resolved scenario plans."""
    return {
        name: len(looks)
        for name, design in _designs(scenario)
        if isinstance(looks := design.get("looks"), list)
    }


def alpha_targets(scenario: Mapping[str, Any]) -> dict[tuple[str, str], float]:
    """Return the one-sided alpha of each test of each design of a resolved scenario, and of families that have one."""
    found = {}
    for name, design in _designs(scenario):
        tests = design.get("tests")
        for hypothesis, test in tests.items() if isinstance(tests, Mapping) else ():
            if isinstance(test, Mapping) and isinstance(test.get("alpha"), int | float):
                found[name, str(hypothesis)] = float(test["alpha"])
                if design.get("kind") == "multi_arm_multi_stage" or design.get("multiplicity") is not None:
                    found[name, FAMILY] = float(test["alpha"])
    return found


def _designs(scenario: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    designs = scenario.get("designs")
    if not isinstance(designs, Mapping):
        return []
    return [(str(name), design) for name, design in designs.items() if isinstance(design, Mapping)]


def _mapping(path: Path, read: Any) -> Mapping[str, Any]:
    try:
        document = read(path.read_text(encoding="utf-8"))
    except (ValueError, yaml.YAMLError, OSError, RecursionError) as error:
        raise UsageError(f"{path}: damaged, it cannot be read; run it again") from error
    if not isinstance(document, dict):
        raise UsageError(f"{path}: damaged, a mapping was expected; run it again")
    return document


def _groups_by_cell(file: pq.ParquetFile) -> dict[Cell, list[int]]:
    told = (file.metadata.metadata or {}).get(CELLS)
    if told is None:
        raise ValueError("the table does not tell which rows belong to which cell")
    found: dict[Cell, list[int]] = {}
    start = 0
    for design, truth, groups in json.loads(told):
        found.setdefault(Cell(design, truth), []).extend(range(start, start + groups))
        start += groups
    if start != file.metadata.num_row_groups:
        raise ValueError("some rows belong to no cell")
    return found
