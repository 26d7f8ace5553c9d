"""The records of simulated trials, read column by column and cell by cell.

A cell is one design under one truth. Whether the records lie in memory or on disk, a reader asks for one
column of one cell at a time, so that memory does not grow with the number of cells.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol, runtime_checkable

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Table = Literal[
    "trials", "looks", "arms", "sites", "screening", "subgroups", "enrolment", "adverse_events", "decisions"
]


_FEW = 8
"""Names up to which codes are compared with each instead of counted."""


class Cell(NamedTuple):
    """One design under one truth."""

    design: str
    truth: str


class Categories(NamedTuple):
    """A column of names: `codes` index `names`."""

    codes: NDArray[np.integer[Any]]
    names: tuple[str, ...]

    def equal(self, name: str) -> NDArray[np.bool_]:
        """Return the rows that hold `name`."""
        if name not in self.names:
            return np.zeros(self.codes.size, dtype=np.bool_)
        found: NDArray[np.bool_] = self.codes == self.names.index(name)
        return found

    def present(self) -> tuple[str, ...]:
        """Return the names that occur in at least one row."""
        if self.codes.size == 0:
            return ()
        if (first := self.codes.min()) == self.codes.max():
            return (self.names[int(first)],)
        if len(self.names) <= _FEW:  # comparing goes in vectors where counting does not
            return tuple(name for place, name in enumerate(self.names) if (self.codes == place).any())
        counts = np.bincount(self.codes, minlength=len(self.names))
        return tuple(name for name, count in zip(self.names, counts, strict=True) if count)


@dataclass(frozen=True, slots=True)
class HypothesisFacts:
    """What is true of a hypothesis in a cell.

    `true_value` is the estimand's true value (``None`` where unknown), `true_value_mcse` its Monte Carlo error (``None``
    where the laws alone give it); `null` says that there is no benefit. `undisturbed_value` and `undisturbed_null` say the
    same of a world in which nobody discontinues, crosses over, takes rescue treatment or has adverse events: of the effect
    as it is written. `currency` is that of the scenario's costs, empty where it has none; what a run of an earlier version
    does not tell is empty or ``None``.
    """

    design: str
    truth: str
    hypothesis: str
    estimand: str
    estimator: str
    true_value: float | None
    null: bool
    best_arm: str
    unit: str
    currency: str = ""
    endpoint: str = ""
    analysis: str = ""
    strategy: str = ""
    true_value_mcse: float | None = None
    undisturbed_value: float | None = None
    undisturbed_null: bool | None = None

    @property
    def discordant(self) -> bool:
        """Whether the effect as written and the estimand disagree on whether the null hypothesis is true."""
        return self.undisturbed_null is not None and self.undisturbed_null != self.null

    def to_dict(self) -> dict[str, str | float | bool | None]:
        """Return the facts as they stand in JSON; what is not known is None."""
        found = {name: getattr(self, name) for name in HYPOTHESIS_KEYS}
        return {name: None if value == "" else value for name, value in found.items()}


HYPOTHESIS_KEYS = (
    "design", "truth", "hypothesis", "endpoint", "analysis", "strategy", "estimand", "estimator", "unit", "true_value",
    "true_value_mcse", "null", "undisturbed_value", "undisturbed_null",
)  # fmt: skip


@runtime_checkable
class Records(Protocol):
    """Simulated trials, wherever they lie."""

    def cells(self) -> tuple[Cell, ...]:
        """Return the cells in the order of the records."""

    def facts(self) -> tuple[HypothesisFacts, ...]:
        """Return what is true of every hypothesis in every cell."""

    def columns(self, table: Table) -> tuple[str, ...]:
        """Return the names of a table's columns."""

    def numbers(self, table: Table, column: str, cell: Cell, step: int = 1) -> NDArray[Any]:
        """Return one column of numbers or booleans of one cell, of every so many rows the first."""

    def categories(self, table: Table, column: str, cell: Cell) -> Categories:
        """Return one column of names of one cell."""

    def parts(self, table: Table, columns: Sequence[str], cell: Cell) -> Iterator[pa.Table]:
        """Yield some columns of one cell, so many rows at a time, for those who need not hold them all at once."""


class RecordTables(Protocol):
    """Tables of records as an engine hands them over (pyarrow tables or DataFrames)."""

    @property
    def trials(self) -> Any:
        """A row per design, truth and replicate."""

    @property
    def arms(self) -> Any:
        """A row per design, truth, replicate and arm."""

    @property
    def cells(self) -> Any:
        """A row per design, truth and hypothesis."""


def records_of(source: Records | RecordTables) -> Records:
    """Return tables in memory as records; records are returned as they are."""
    if callable(getattr(source, "facts", None)):
        return source  # type: ignore[return-value]
    tables = {"trials": source.trials, "arms": source.arms}  # type: ignore[union-attr]
    for name in ("looks", "sites", "screening", "subgroups", "enrolment", "adverse_events", "decisions"):
        if (table := getattr(source, name, None)) is not None:
            tables[name] = table
    return MemoryRecords(
        {name: arrow_table(table) for name, table in tables.items()}, arrow_table(source.cells)
    )


def arrow_table(table: Any) -> pa.Table:
    """Return a pyarrow table of a pyarrow table or a DataFrame."""
    return table if isinstance(table, pa.Table) else pa.Table.from_pandas(table, preserve_index=False)


def facts_of(cells: pa.Table) -> tuple[HypothesisFacts, ...]:
    """Read the table of cells."""
    fields = HypothesisFacts.__dataclass_fields__
    rows = cells.select([name for name in fields if name in cells.column_names]).to_pylist()
    found = []
    for row in rows:
        row = {name: row.get(name) for name in fields}
        for name in ("true_value", "true_value_mcse", "undisturbed_value"):
            value = row[name]
            row[name] = float(value) if value is not None and math.isfinite(value) else None
        row["null"] = bool(row["null"])
        for name in (
            "estimand",
            "estimator",
            "best_arm",
            "unit",
            "currency",
            "endpoint",
            "analysis",
            "strategy",
        ):
            row[name] = "" if row[name] is None else str(row[name])
        found.append(HypothesisFacts(**row))
    return tuple(found)


def numbers_of(column: pa.ChunkedArray, step: int = 1) -> NDArray[Any]:
    """Return an array of a column of numbers or booleans, of every so many rows the first."""
    if step == 1 or not column.num_chunks:
        return np.asarray(column.to_numpy())
    return sampled(column.chunks, step)


def sampled(chunks: Iterable[pa.Array], step: int) -> NDArray[Any]:
    """Return of every so many values the first, of at least one piece of a column after another, none of which is held."""
    parts, before = [], 0
    for chunk in chunks:
        parts.append(chunk.to_numpy(zero_copy_only=False)[-before % step :: step].copy())
        before += len(chunk)
    return np.concatenate(parts)


def categories_of(column: pa.ChunkedArray) -> Categories:
    """Return the codes and names of a column of strings."""
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    whole = column.unify_dictionaries().combine_chunks()
    if isinstance(whole, pa.ChunkedArray):
        whole = whole.chunk(0) if whole.num_chunks else pa.array([], pa.string()).dictionary_encode()
    if whole.null_count:
        whole = whole.cast(pa.string()).fill_null("").dictionary_encode()
    return Categories(np.asarray(whole.indices.to_numpy()), tuple(whole.dictionary.to_pylist()))


def rows_by_cell(table: pa.Table) -> dict[Cell, slice | NDArray[np.intp]]:
    """Return where the rows of each cell lie, by first appearance: a slice where they are together."""
    if table.num_rows == 0:
        return {}
    design, truth = categories_of(table["design"]), categories_of(table["truth"])
    codes = design.codes.astype(np.int64) * len(truth.names) + truth.codes
    edges = np.concatenate(([0], np.flatnonzero(np.diff(codes)) + 1, [codes.size]))
    runs: dict[int, list[tuple[int, int]]] = {}
    for start, stop in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        runs.setdefault(int(codes[start]), []).append((start, stop))
    found: dict[Cell, slice | NDArray[np.intp]] = {}
    for code, parts in runs.items():
        cell = Cell(design.names[code // len(truth.names)], truth.names[code % len(truth.names)])
        together = len(parts) == 1
        found[cell] = slice(*parts[0]) if together else np.concatenate([np.arange(*part) for part in parts])
    return found


class MemoryRecords:
    """Records held in memory.

    Parameters
    ----------
    tables
        ``trials`` and ``arms``, and what else there is.
    cells
        The table of what is true in each cell.
    """

    def __init__(self, tables: dict[str, pa.Table], cells: pa.Table) -> None:
        self._tables = tables
        self._facts = facts_of(cells)
        self._rows = {name: rows_by_cell(table) for name, table in tables.items()}

    def cells(self) -> tuple[Cell, ...]:
        """Return the cells in the order of the records."""
        return tuple(self._rows["trials"])

    def facts(self) -> tuple[HypothesisFacts, ...]:
        """Return what is true of every hypothesis in every cell."""
        return self._facts

    def columns(self, table: Table) -> tuple[str, ...]:
        """Return the names of a table's columns."""
        return tuple(self._tables[table].column_names) if table in self._tables else ()

    def numbers(self, table: Table, column: str, cell: Cell, step: int = 1) -> NDArray[Any]:
        """Return one column of numbers or booleans of one cell, of every so many rows the first."""
        return numbers_of(self._column(table, column, cell), step)

    def categories(self, table: Table, column: str, cell: Cell) -> Categories:
        """Return one column of names of one cell."""
        return categories_of(self._column(table, column, cell))

    def parts(self, table: Table, columns: Sequence[str], cell: Cell) -> Iterator[pa.Table]:
        """Yield some columns of one cell, all rows at once."""
        yield pa.table({column: self._column(table, column, cell) for column in columns})

    def _column(self, table: Table, column: str, cell: Cell) -> pa.ChunkedArray:
        values = self._tables[table].column(column)
        rows = self._rows[table].get(cell)
        if rows is None:
            return values.slice(0, 0)
        if isinstance(rows, slice):
            return values.slice(rows.start, rows.stop - rows.start)
        return values.take(pa.array(rows))
