"""A table of real patients: read and checked column by column."""

from __future__ import annotations

import csv
import hashlib
import math
from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from trialsim.errors import Problem, ScenarioError
from trialsim.scenario.values import listed, shown, unknown

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
        cells, lines = _cells(csv.reader(text.splitlines(keepends=True), strict=True), columns, shown_name)
    except csv.Error as error:
        raise ScenarioError([Problem(at, f"{shown(shown_name)} cannot be read as CSV: {error}")]) from None
    problems: list[Problem] = []
    read = {trait: _column(trait, columns[trait], values, lines, problems) for trait, values in cells.items()}
    if problems:
        raise ScenarioError(problems)
    return Table(read, hashlib.sha256(data).hexdigest())


def _bytes(path: Path, shown_name: str, at: str) -> bytes:
    """Return the bytes of the file, or refuse it."""
    if path.is_dir():
        raise ScenarioError([Problem(at, f"{shown(shown_name)} is a folder; name a CSV file")])
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


def _cells(
    rows: Iterator[list[str]], columns: Mapping[str, str], shown_name: str
) -> tuple[dict[str, list[str]], list[int]]:
    """Return the cells of each trait and the line of each patient, or refuse the shape of the table."""
    at = "population.resample"
    header = [name.strip() for name in next(rows, [])]
    if not any(header):
        raise ScenarioError(
            [Problem(at, f"{shown(shown_name)} is empty; a header and one line a patient are expected")]
        )
    problems = []
    for trait, column in columns.items():
        if column not in header:
            problems.append(Problem(f"population.columns.{trait}", unknown("the column", column, header)))
        elif header.count(column) > 1:
            problems.append(
                Problem(
                    f"population.columns.{trait}",
                    f"the column {shown(column)} occurs twice in {shown(shown_name)}",
                )
            )
    if problems:
        raise ScenarioError(problems)
    places = {trait: header.index(column) for trait, column in columns.items()}
    cells: dict[str, list[str]] = {trait: [] for trait in columns}
    lines: list[int] = []
    for row in rows:
        if not row:
            continue
        line = getattr(rows, "line_num", len(lines) + 2)
        if len(row) != len(header):
            sentence = (
                f"line {line} of {shown(shown_name)} has {len(row)} cells; the header has {len(header)}"
            )
            raise ScenarioError([Problem(at, sentence)])
        lines.append(line)
        for trait, place in places.items():
            cells[trait].append(row[place].strip())
    if len(lines) < 2:
        raise ScenarioError(
            [Problem(at, f"{shown(shown_name)} holds {len(lines)} patients; at least 2 are needed")]
        )
    return cells, lines


def _column(trait: str, name: str, cells: list[str], lines: list[int], problems: list[Problem]) -> Column:
    """Return one column, or append why it cannot be used."""
    at = f"population.columns.{trait}"
    values = array("d")
    first_text = first_number = -1
    for index, cell in enumerate(cells):
        if cell in _MISSING:
            problems.append(
                Problem(
                    at, f"column {shown(name)} has no value in line {lines[index]}; complete or drop the row"
                )
            )
            return Column(values, ())
        try:
            number = float(cell) if "_" not in cell else math.nan
        except ValueError:
            number = math.nan
        if math.isnan(number):
            first_text = index if first_text < 0 else first_text
        elif math.isinf(number):
            problems.append(
                Problem(at, f"column {shown(name)} is not finite in line {lines[index]}: {shown(cell)}")
            )
            return Column(values, ())
        else:
            first_number = index if first_number < 0 else first_number
            values.append(number)
        if first_text >= 0 and first_number >= 0:
            text, figure = (f"line {lines[i]}: {shown(cells[i])}" for i in (first_text, first_number))
            problems.append(
                Problem(
                    at, f"column {shown(name)} mixes text ({text}) with numbers ({figure}); keep one kind"
                )
            )
            return Column(values, ())
    if first_text < 0:
        return Column(values, ())
    levels = tuple(sorted(set(cells)))
    if len(levels) > MOST_LEVELS:
        found = f"{len(levels)} different texts ({listed(levels, most=3)})"
        problems.append(Problem(at, f"column {shown(name)} holds {found}; at most {MOST_LEVELS} are allowed"))
        return Column(values, ())
    code = {level: float(place) for place, level in enumerate(levels)}
    return Column(array("d", [code[cell] for cell in cells]), levels)
