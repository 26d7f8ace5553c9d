"""Writing a run to disk block by block: a folder that is either whole or not there."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from trialsim.engines.decision_log import HEADS, LOG, RANKINGS, TEXTS
from trialsim.errors import UsageError, system_reason
from trialsim.oc.adverse_events import ADVERSE_EVENTS, AdverseEventTally
from trialsim.oc.columns import Cell, rows_by_cell
from trialsim.oc.enrolment import ENROLMENT, EnrolmentTally
from trialsim.oc.unfinished import PARTIAL, clear_abandoned, hold, let_go

ROWS_PER_GROUP = 131_072
_DICTIONARY_BYTES = 1 << 14
_SAMPLE = 4_096
_SHRINKS_TO = 1 / 12  # with less, compressing takes longer than writing out or delta-encoding
TABLES = (
    "trials",
    "looks",
    "arms",
    "sites",
    "screening",
    "subgroups",
    "enrolment",
    "adverse_events",
    "decisions",
)
"""Tables of a run; from the fourth on in a world with sites only, the last two with adverse events and decision rules."""

_SHORT = frozenset({"trials", "looks", "arms"})
"""Tables of a row a trial, look or arm; in the others, which may be longer, there is little but whole numbers."""

LOG_TABLES = (LOG, HEADS, RANKINGS)
"""Those of the decision log, where one is kept; they are for the audit, and nothing is computed from them."""

EFFECTS = "effects.parquet"
CELLS = b"cells"
"""Key in a table's file under which stands how many row groups, one after the other, belong to which cell."""


class RunWriter:
    """Collects a run in a folder beside its final place and moves it there when it is whole.

    Used as a context manager: on an error or an interrupt nothing is left behind.

    Parameters
    ----------
    folder
        Where the run shall lie. It must not exist, or be empty.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder)
        require_free(self.folder)
        self._place = behind_links(self.folder)
        partial = f"{self._place.name}{PARTIAL}{os.getpid()}"
        # Inside a folder that is there already: it may be a mount point, or lie where nothing can be added.
        self.partial = self._place / partial if self._place.is_dir() else self._place.with_name(partial)
        self._tables: dict[str, TableWriter] = {}
        self._tallies: dict[str, EnrolmentTally | AdverseEventTally] = {
            ENROLMENT: EnrolmentTally(),
            ADVERSE_EVENTS: AdverseEventTally(),
        }
        self._finished = False
        self._mark: int | None = None
        self._above: list[Path] = []

    def __enter__(self) -> Self:
        """Make the partial folder."""
        self._above = [each for each in self.partial.parents if not each.exists()]
        with self._writing():
            self.partial.mkdir(parents=True)
            self._mark = hold(self.partial)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove what is not finished."""
        self._let_go()
        if not self._finished:
            for table in self._tables.values():
                with suppress(OSError):  # on a full disk the rest cannot be written, and need not be
                    table.abandon()
            shutil.rmtree(self.partial, ignore_errors=True)
            with suppress(OSError):  # another run may lie in one by now
                for folder in self._above:
                    folder.rmdir()

    def _let_go(self) -> None:
        """Take away the mark of a folder that is being written."""
        if self._mark is not None:
            let_go(self.partial, self._mark)
            self._mark = None

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Say of which folder it is that something cannot be written."""
        try:
            yield
        except OSError as error:
            raise UsageError(
                f"{self.folder}: cannot be written ({system_reason(error)}); name another with --out"
            ) from error

    @property
    def rows(self) -> dict[str, int]:
        """How many rows each table has so far."""
        return {name: table.rows for name, table in self._tables.items()}

    @property
    def columns(self) -> dict[str, list[str]]:
        """The columns of each table so far."""
        return {name: table.columns for name, table in self._tables.items()}

    def write_chunk(self, tables: Mapping[str, pa.Table]) -> None:
        """Append one block of each table; the rows of a cell follow each other.

        Parameters
        ----------
        tables
            Those of :data:`TABLES` that the world has, and those of the decision log; each with the same columns in every
            block.
        """
        for name in (*TABLES, *LOG_TABLES):
            if name not in tables:
                continue
            if name in self._tallies:
                self._write(name, self._tallies[name].add(tables[name]))
            else:
                self._write(name, tables[name])

    def _write(self, name: str, table: pa.Table | None) -> None:
        """Append rows to a table, which begins with its first ones."""
        if table is None:
            return
        if name not in self._tables:
            self._tables[name] = TableWriter(self.partial / f"{name}.parquet", table.schema)
        with self._writing():
            self._tables[name].write(table)

    def close_tables(self, cells: pa.Table) -> Path:
        """Complete the tables, so that they can be read, and return the folder in which they lie for now.

        Parameters
        ----------
        cells
            What is true in each cell.
        """
        for name, tally in self._tallies.items():
            self._write(name, tally.finish())
        with self._writing():
            for table in self._tables.values():
                table.close()
            pq.write_table(cells, self.partial / "cells.parquet", compression="none")
        return self.partial

    def write_effects(self, effects: pa.Table) -> None:
        """Add the table of effects, conditional and marginal."""
        with self._writing():
            pq.write_table(effects, self.partial / EFFECTS, compression="none")

    def write_text(self, name: str, text: str) -> None:
        """Add a text file."""
        # A file's name may hold what is no text: it is escaped, as JSON does.
        with self._writing():
            (self.partial / name).write_text(text, encoding="utf-8", errors="backslashreplace", newline="\n")

    def write_json(self, name: str, document: Any) -> None:
        """Add a JSON file; a number that is not finite is refused."""
        self.write_text(name, json_text(document))

    def finish(self) -> Path:
        """Move the folder to its place and return it."""
        require_free(self.folder, self.partial)
        with self._writing():
            self._let_go()
            if self._place.is_dir():
                # What tells a finished run comes last.
                for path in sorted(self.partial.iterdir(), key=lambda each: each.name == "provenance.json"):
                    path.rename(self._place / path.name)
                self.partial.rmdir()
            else:
                self.partial.rename(self._place)
        self._finished = True
        return self.folder


class TableWriter:
    """A Parquet file whose every row group holds rows of one cell.

    Columns of names are dictionary-encoded. Columns of numbers whose first rows say the same again and again are
    compressed, which then takes less time than writing them out. Of the others whole numbers are delta-encoded where their
    first rows rise from one to the next, as numbers of replicates do, and in long tables; the rest is written as it is. No
    statistics are kept, and one column of one cell is read without touching the others.
    """

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self.path = path
        self.rows = 0
        self._schema = pa.schema([_field(field) for field in schema])
        self._waiting: list[pa.Table] = []
        self._n_waiting = 0
        self._cell: Cell | None = None
        self._groups: list[tuple[str, str, int]] = []
        self._writer: pq.ParquetWriter | None = None
        self._closed = False

    def _open(self, first: pa.Table) -> pq.ParquetWriter:
        """Begin the file, of which the first rows are known."""
        types = {field.name: field.type for field in self._schema}
        coded = [name for name, kind in types.items() if pa.types.is_dictionary(kind)]
        repeating = {name for name in types if _repeats_itself(first[name])}
        delta = {name for name, kind in types.items() if pa.types.is_integer(kind)} - repeating
        if self.path.stem in _SHORT:
            delta = {name for name in delta if _rises(first[name])}
        return pq.ParquetWriter(
            self.path,
            self._schema,
            # Texts of the decision log are much alike.
            compression={
                name: "zstd" if name in TEXTS else "lz4" if name in repeating else "none" for name in types
            },
            use_dictionary=coded,
            dictionary_pagesize_limit=_DICTIONARY_BYTES,
            column_encoding=dict.fromkeys(delta, "DELTA_BINARY_PACKED"),
            write_statistics=False,
            write_batch_size=ROWS_PER_GROUP,
        )

    @property
    def columns(self) -> list[str]:
        """The names of the columns."""
        return list(self._schema.names)

    def write(self, table: pa.Table) -> None:
        """Append rows."""
        only = _only_cell(table)
        if only is not None:
            self._append(only, table)
            return
        for cell, rows in rows_by_cell(table).items():
            if isinstance(rows, slice):
                self._append(cell, table.slice(rows.start, rows.stop - rows.start))
            else:
                self._append(cell, table.take(rows))

    def close(self) -> None:
        """Write what waits and complete the file."""
        if self._closed:
            return
        self._flush()
        writer = self._writer or self._open(self._schema.empty_table())
        writer.add_key_value_metadata({CELLS: json.dumps(self._groups).encode()})
        writer.close()
        self._closed = True

    def abandon(self) -> None:
        """Let go of the file, whatever state it is in."""
        if self._writer is not None and not self._closed:
            self._writer.close()
        self._closed = True

    def _append(self, cell: Cell, table: pa.Table) -> None:
        other = bool(self._waiting) and table.schema != self._waiting[0].schema
        if cell != self._cell or other:
            self._flush()
            self._cell = cell
        self._waiting.append(table)
        self._n_waiting += table.num_rows
        if self._n_waiting >= ROWS_PER_GROUP:
            self._flush(full_groups=True)

    def _flush(self, full_groups: bool = False) -> None:
        """Write what waits; with ``full_groups`` only whole ones, so that a file does not depend on the size of blocks."""
        rest: list[pa.Table] = []
        if self._n_waiting and not self._closed:
            # The blocks stay where they are; with one dictionary for all, its codes can be written as they are.
            whole = pa.concat_tables(self._waiting).unify_dictionaries()
            if set(TEXTS) & set(
                whole.column_names
            ):  # pages begin anew with each block: the log has to have the same ones
                whole = whole.combine_chunks()
            if full_groups and (over := whole.num_rows % ROWS_PER_GROUP):
                whole, rest = whole.slice(0, whole.num_rows - over), [whole.slice(whole.num_rows - over)]
            whole = _conform(whole, self._schema)
            self._writer = self._writer or self._open(whole)
            self._writer.write_table(whole, row_group_size=ROWS_PER_GROUP)
            assert self._cell is not None
            self._groups.append((*self._cell, -(-whole.num_rows // ROWS_PER_GROUP)))
            self.rows += whole.num_rows
        self._waiting, self._n_waiting = rest, sum(each.num_rows for each in rest)


def require_free(folder: Path, own: Path | None = None) -> None:
    """Refuse a folder in which something else than one's own partial folder lies already, or that is being written.

    What a killed process left of a run into the folder is removed.

    Raises
    ------
    UsageError
        With what to do.
    """
    require_name(folder)
    if own is None:
        clear_abandoned(behind_links(folder))
    if folder.is_dir():
        if any(path.name != (own.name if own is not None else None) for path in folder.iterdir()):
            held = "already holds a run" if (folder / "provenance.json").is_file() else "is not empty"
            raise UsageError(
                f"{folder}: {held} and is never overwritten; name another folder with --out, or read it with "
                f"`trialsim report {folder}`"
            )
    elif folder.exists():
        raise UsageError(f"{folder}: is a file, not a folder; name another with --out")


def require_name(folder: Path) -> None:
    """Refuse a name that no finished run can have.

    Raises
    ------
    UsageError
        With what is wrong with it.
    """
    try:
        str(folder).encode()
    except UnicodeEncodeError:
        told = os.fsencode(folder).decode("utf-8", "replace")
        raise UsageError(f"{told}: the name is not UTF-8; name another folder with --out") from None
    if PARTIAL in behind_links(folder).name or PARTIAL in folder.name:
        raise UsageError(
            f"{folder}: names with {PARTIAL} are those of unfinished runs; name another folder with --out"
        )


def behind_links(folder: Path) -> Path:
    """Return the place that a name stands for."""
    try:
        return folder.resolve()
    except (OSError, RuntimeError):
        raise UsageError(f"{folder}: is a link in a circle; name another folder with --out") from None


def json_text(document: Any) -> str:
    """Return a document as JSON for people and programs; a number that is not finite is refused."""
    return json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _only_cell(table: pa.Table) -> Cell | None:
    """Return the cell of all rows, where that is told by their columns at a glance."""
    names = []
    for column in (table["design"], table["truth"]):
        if column.num_chunks != 1 or not pa.types.is_dictionary(column.type):
            return None
        codes = column.chunk(0).indices.to_numpy(zero_copy_only=False)
        one_name = len(column.chunk(0).dictionary) == 1 and not column.null_count
        if codes.size == 0 or (not one_name and (codes != codes[0]).any()):
            return None
        names.append(str(column.chunk(0).dictionary[int(codes[0])].as_py()))
    return Cell(*names)


def _field(field: pa.Field) -> pa.Field:
    kind = field.type
    if field.name in TEXTS:  # each row its own: no dictionary holds it
        return pa.field(field.name, pa.string(), nullable=False)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_dictionary(kind):
        kind = pa.dictionary(pa.int32(), pa.string())
    return pa.field(field.name, kind, nullable=False)


def _repeats_itself(column: pa.ChunkedArray) -> bool:
    """Return whether a column holds numbers that repeat themselves so much that the first ones nearly vanish compressed."""
    if not (pa.types.is_floating(column.type) or pa.types.is_integer(column.type)):
        return False
    some = column.slice(0, _SAMPLE)
    if column.type.bit_width < 32:  # the file has no narrower ones
        some = some.cast(pa.int32())
    values = np.ascontiguousarray(some.to_numpy())
    left = len(pa.compress(pa.py_buffer(values), codec="lz4_raw", asbytes=True))
    return bool(left <= _SHRINKS_TO * values.nbytes)


def _rises(column: pa.ChunkedArray) -> bool:
    """Return whether the first of a column's whole numbers never fall, so that their differences take little room."""
    some = np.asarray(column.slice(0, _SAMPLE).to_numpy())
    return bool((some[1:] >= some[:-1]).all())


def _conform(table: pa.Table, schema: pa.Schema) -> pa.Table:
    if table.column_names != schema.names:
        raise ValueError(f"columns {table.column_names} differ from those of the first block, {schema.names}")
    columns = []
    for column, field in zip(table.columns, schema, strict=True):
        if pa.types.is_dictionary(field.type):
            if column.null_count or not pa.types.is_dictionary(column.type):
                column = column.cast(pa.string()).fill_null("").dictionary_encode()
        elif column.null_count:
            column = pc.fill_null(column, float("nan") if pa.types.is_floating(field.type) else 0)
        columns.append(column if column.type == field.type else column.cast(field.type))
    return pa.Table.from_arrays(columns, schema=schema)
