"""Past screening logs, supplied as CSV: who was called at which site, what the records held, and what came of it."""

from __future__ import annotations

import csv
import hashlib
import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from trialsim.errors import Problem, ScenarioError
from trialsim.learning.screening_log import ScreeningLog
from trialsim.scenario.table import MOST_BYTES
from trialsim.scenario.wording import did_you_mean, listed, shown

SITE = "site"
_MISSING = frozenset({"", "NA", "N/A", "NaN", "nan", "null", "NULL", "."})
_ANSWERS = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}


def read_log(
    path: Path, names: Sequence[str], levels: Mapping[str, tuple[str, ...]], label: str
) -> tuple[ScreeningLog, str, list[str]]:
    """Return a log, the SHA-256 of its bytes, and the columns of the file that nothing is learned from.

    Parameters
    ----------
    path
        A header, then a line for each candidate who was called and came to an end: the site, covariates as the records
        held them (empty where they held nothing), and the label: 1 or 0, true or false, yes or no.
    names, levels
        Covariates of the scenario, and the levels of those that are categorical.
    label
        The column that is learned.

    Raises
    ------
    ScenarioError
        With what is wrong first in each column.
    """
    data = _bytes(path)
    rows = _rows(data)
    header = [cell.strip() for cell in rows[0][1]] if rows else []
    wanted = [SITE, *names, label]
    problems = [Problem("log", _lacks(name, header)) for name in wanted if name not in header]
    problems += [
        Problem("log", f"the column {shown(name)} occurs twice") for name in wanted if header.count(name) > 1
    ]
    if problems:
        raise ScenarioError(problems, str(path))
    for line, row in rows[1:]:
        if len(row) != len(header):
            raise ScenarioError(
                [Problem("log", f"line {line} has {len(row)} cells; the header has {len(header)}")], str(path)
            )
    cells = {name: [(line, row[header.index(name)].strip()) for line, row in rows[1:]] for name in wanted}
    sites: dict[str, int] = {}
    site = np.array(
        [sites.setdefault(_known(cell, SITE, line, path), len(sites)) for line, cell in cells[SITE]],
        dtype=np.int64,
    )
    values = np.empty((len(rows) - 1, len(names)))
    for k, name in enumerate(names):
        try:
            values[:, k] = [_value(cell, name, line, levels.get(name, ())) for line, cell in cells[name]]
        except ScenarioError as error:
            problems += error.problems
    answers = [_ANSWERS.get(cell.lower()) for _, cell in cells[label]]
    if None in answers:
        line, cell = cells[label][answers.index(None)]
        sentence = f"{label} is {shown(cell)} in line {line}; allowed: 1 and 0, true and false, yes and no"
        problems.append(Problem("log", sentence))
    if problems:
        raise ScenarioError(problems, str(path))
    log = ScreeningLog(values, np.array(answers, dtype=bool), site)
    return log, hashlib.sha256(data).hexdigest(), [name for name in header if name and name not in wanted]


def _lacks(name: str, header: Sequence[str]) -> str:
    """Return the sentence for a column that is not there."""
    named = f"its header names {listed(header)}" if any(header) else "it has no header"
    return f"has no column {shown(name)}; {named}.{did_you_mean(name, header)}"


def _bytes(path: Path) -> bytes:
    """Return the bytes of the file, or refuse it."""
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = (
            "there is no such file"
            if isinstance(error, FileNotFoundError)
            else getattr(error, "strerror", error)
        )
        raise ScenarioError([Problem("log", f"cannot be read: {reason}")], str(path)) from None
    if len(data) > MOST_BYTES:
        raise ScenarioError([Problem("log", "is larger than 64 MiB")], str(path))
    return data


def _rows(data: bytes) -> list[tuple[int, list[str]]]:
    """Return the lines that hold something, each with its number."""
    try:
        text = data.decode("utf-8-sig")
        reader = csv.reader(io.StringIO(text, newline=""), strict=True)
        return [(reader.line_num, row) for row in reader if row]
    except (UnicodeDecodeError, csv.Error) as error:
        raise ScenarioError([Problem("log", f"cannot be read as CSV in UTF-8: {error}")]) from None


def _known(cell: str, name: str, line: int, path: Path) -> str:
    """Return a cell that must hold something."""
    if cell in _MISSING:
        raise ScenarioError([Problem("log", f"{name} is missing in line {line}")], str(path))
    return cell


def _value(cell: str, name: str, line: int, levels: tuple[str, ...]) -> float:
    """Return a covariate as records hold it: a number, the code of a level, or NaN."""
    if cell in _MISSING:
        return math.nan
    if levels:
        if cell not in levels:
            sentence = f"{name} is {shown(cell)} in line {line}; its levels are {listed(levels)}"
            raise ScenarioError([Problem("log", sentence)])
        return float(levels.index(cell))
    try:
        number = math.nan if "_" in cell else float(cell)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ScenarioError([Problem("log", f"{name} is {shown(cell)} in line {line}; a number is expected")])
    return number
