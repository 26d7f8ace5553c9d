"""A table of real patients: read and checked column by column."""

from __future__ import annotations

import csv
import hashlib
import io
import math
from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from trialsim.errors import Problem, ScenarioError
from trialsim.scenario.wording import listed, shown, unknown

MOST_BYTES = 64 << 20
MOST_LEVELS = 50
_MISSING = frozenset({"", "NA", "N/A", "NaN", "nan", "null", "NULL", "."})


class Column(NamedTuple):
    """One trait of the patients.

    Parameters
    ----------
    values
        A number for each patient; for a categorical column the place of the patient's level.
    levels
        The sorted levels of a categorical column, otherwise empty.
    """

    values: array[float]
    levels: tuple[str, ...]

    def distinct(self, most: int = MOST_LEVELS) -> int:
        """Return how many different values there are, or ``most + 1`` when there are more than ``most``."""
        seen: set[float] = set()
        for value in self.values:
            seen.add(value)
            if len(seen) > most:
                break
        return len(seen)


@dataclass(frozen=True)
class Table:
    """The resampled patients: one column for each trait, and the SHA-256 of the file's bytes."""

    columns: Mapping[str, Column]
    digest: str


def read_table(path: Path, columns: Mapping[str, str], shown_name: str) -> Table:
    """Return the columns of a CSV file that a scenario asks for.

    Parameters
    ----------
    path
        The file: UTF-8, a header, then one line for each patient.
    columns
        The file's column for each trait.
    shown_name
        The file's name as the scenario writes it.

    Raises
    ------
    ScenarioError
        With every column that is absent, or holds missing, mixed or infinite values, and the first such line.
    """
    at = "population.resample"
    data = _bytes(path, shown_name, at)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise ScenarioError(
            [Problem(at, f"{shown(shown_name)} is not UTF-8 text (line {line}); save it as UTF-8")]
        ) from None
    if "\0" in text:
        raise ScenarioError([Problem(at, f"{shown(shown_name)} is not a text file (it holds null bytes)")])
    try:
        columns_read = _columns(csv.reader(io.StringIO(text, newline=""), strict=True), columns, shown_name)
    except csv.Error as error:
        raise ScenarioError([Problem(at, f"{shown(shown_name)} cannot be read as CSV: {error}")]) from None
    problems = [column.problem for column in columns_read.values() if column.problem is not None]
    if problems:
        raise ScenarioError(problems)
    return Table(
        {trait: column.read() for trait, column in columns_read.items()}, hashlib.sha256(data).hexdigest()
    )


def _bytes(path: Path, shown_name: str, at: str) -> bytes:
    """Return the bytes of the file, or refuse it."""
    if path.exists() and not path.is_file():
        raise ScenarioError([Problem(at, f"{shown(shown_name)} is a folder or a device; name a CSV file")])
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except FileNotFoundError:
        raise ScenarioError(
            [Problem(at, f"there is no file {shown(shown_name)} in the scenario's folder")]
        ) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "its name is not a path"
        raise ScenarioError([Problem(at, f"{shown(shown_name)} cannot be read: {reason}")]) from None
    if len(data) > MOST_BYTES:
        raise ScenarioError([Problem(at, f"{shown(shown_name)} is larger than 64 MiB")])
    return data


def _columns(rows: Iterator[list[str]], columns: Mapping[str, str], shown_name: str) -> dict[str, _Reader]:
    """Return a reader for each trait that has taken all rows, or refuse the shape of the table."""
    at = "population.resample"
    header = [name.strip() for name in next(rows, [])]
    if not any(header):
        raise ScenarioError(
            [Problem(at, f"{shown(shown_name)} is empty; a header and one line a patient are expected")]
        )
    problems = []
    for trait, column in columns.items():
        place = f"population.columns.{trait}"
        if column not in header:
            problems.append(Problem(place, unknown("the column", column, header)))
        elif header.count(column) > 1:
            problems.append(Problem(place, f"the column {shown(column)} occurs twice in {shown(shown_name)}"))
    if problems:
        raise ScenarioError(problems)
    readers = {trait: _Reader(trait, column) for trait, column in columns.items()}
    places = [(reader, header.index(reader.name)) for reader in readers.values()]
    patients = 0
    for row in rows:
        if not row:
            continue
        patients += 1
        line = int(getattr(rows, "line_num", patients + 1))
        if len(row) != len(header):
            sentence = (
                f"line {line} of {shown(shown_name)} has {len(row)} cells; the header has {len(header)}"
            )
            raise ScenarioError([Problem(at, sentence)])
        for reader, place_in_row in places:
            if reader.problem is None:
                reader.take(row[place_in_row].strip(), line)
    if patients < 2:
        raise ScenarioError(
            [Problem(at, f"{shown(shown_name)} holds {patients} patients; at least 2 are needed")]
        )
    return readers


@dataclass
class _Reader:
    """Takes the cells of one column; the first says whether it holds numbers or texts.

    Parameters
    ----------
    trait, name
        Of the trait, and of the file's column.
    values
        Numbers, or codes of texts in the order in which they were met.
    codes
        The code of each text.
    first
        The first cell and its line.
    problem
        Why the column cannot be used.
    """

    trait: str
    name: str
    values: array[float] = field(default_factory=lambda: array("d"))
    codes: dict[str, int] = field(default_factory=dict)
    first: tuple[str, int] | None = None
    problem: Problem | None = None

    def take(self, cell: str, line: int) -> None:
        """Take the next cell."""
        if cell in _MISSING:
            return self._refuse(f"has no value in line {line}; complete or drop the row")
        number = _number(cell)
        if number is not None and math.isinf(number):
            return self._refuse(f"is not finite in line {line}: {shown(cell)}")
        if self.first is None:
            self.first = cell, line
        elif (number is None) != bool(self.codes):
            here, before = f"line {line}: {shown(cell)}", f"line {self.first[1]}: {shown(self.first[0])}"
            return self._refuse(f"mixes numbers and texts ({before}; {here}); keep one kind")
        if number is None:
            number = self.codes.setdefault(cell, len(self.codes))
            if len(self.codes) > MOST_LEVELS:
                few = listed(self.codes, most=3)
                return self._refuse(
                    f"holds more than {MOST_LEVELS} different texts ({few}); that many are no levels"
                )
        self.values.append(number)
        return None

    def _refuse(self, sentence: str) -> None:
        """Note why the column cannot be used."""
        self.problem = Problem(f"population.columns.{self.trait}", f"column {shown(self.name)} {sentence}")

    def read(self) -> Column:
        """Return the column, its levels sorted."""
        levels = tuple(sorted(self.codes))
        if not levels:
            return Column(self.values, ())
        place = {code: float(levels.index(level)) for level, code in self.codes.items()}
        return Column(array("d", (place[int(code)] for code in self.values)), levels)


def _number(cell: str) -> float | None:
    """Return a cell as a number, or None where it is none."""
    try:
        number = float(cell) if "_" not in cell else math.nan
    except ValueError:
        return None
    return None if math.isnan(number) else number
