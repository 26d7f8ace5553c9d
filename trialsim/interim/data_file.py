"""The data of a real trial, a line a patient: read, checked, and made into the cut that an analysis takes."""

from __future__ import annotations

import csv
import io
import math
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trialsim.contracts import Moments, PatientRows, RiskTables
from trialsim.errors import Problem, ScenarioError
from trialsim.interim.design import InterimDesign
from trialsim.scenario.wording import listed, shown, unknown

Floats = NDArray[np.float64]

MOST_PROBLEMS = 20
LARGEST = 1e100
"""Largest value of an outcome: squares and their sums stay finite."""

_TRUTHS = {"1": 1.0, "0": 0.0, "1.0": 1.0, "0.0": 0.0, "true": 1.0, "false": 0.0}
_OTHER_SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars"}
_NO_COVARIATE = (
    "it is empty; every patient has a value of what the test adjusts for, imputed where none was measured"
)
_MISSING = {"", "na", "n/a", "nan", "null", "."}


@dataclass(frozen=True)
class TrialData:
    """The patients of the two arms that are compared; arrays are ``[patient]``.

    Parameters
    ----------
    treated
        Whether the patient is on treatment.
    outcome
        Time in days for survival, otherwise the value read out.
    event
        Whether the time ends with an event; empty where there are no times.
    stratum
        Number of the patient's stratum.
    covariates
        What the test adjusts for, ``[patient, column]``, as in :class:`~trialsim.contracts.PatientRows`.
    missing
        Patients of the two arms whose value has not been read out, who are left out.
    others
        Lines of other arms, which are left out, by arm.
    """

    treated: NDArray[np.bool_]
    outcome: Floats
    event: NDArray[np.bool_]
    stratum: NDArray[np.int64]
    covariates: Floats
    missing: int
    others: dict[str, int]

    def risk_tables(self) -> RiskTables:
        """Return the numbers at risk at each event time of each stratum, one stratum after the other."""
        return _joined(self._rows_by_stratum())

    def risk_tables_by_stratum(self) -> Iterator[RiskTables]:
        """Yield the numbers at risk of each stratum."""
        yield from (_joined([rows]) for rows in self._rows_by_stratum())

    def _rows_by_stratum(self) -> list[NDArray[np.int64]]:
        """Return at risk, on treatment, events and events on treatment at each event time, stratum by stratum."""
        rows: list[NDArray[np.int64]] = []
        for stratum in np.unique(self.stratum):
            here = self.stratum == stratum
            time, event, treated = self.outcome[here], self.event[here], self.treated[here]
            at = np.unique(time[event])
            counts = [_from_on(at, time), _from_on(at, time[treated])]
            counts += [_exactly(at, time[event]), _exactly(at, time[event & treated])]
            rows.append(np.stack(counts, axis=1))
        return rows

    def moments(self) -> Moments:
        """Return size, mean and sum of squares of control and treatment."""
        arms = [self.outcome[~self.treated], self.outcome[self.treated]]
        means = [float(arm.mean()) if len(arm) else 0.0 for arm in arms]
        squares = [float(((arm - mean) ** 2).sum()) for arm, mean in zip(arms, means)]
        return Moments(np.array([[len(arm) for arm in arms]]), np.array([means]), np.array([squares]))

    def patients(self) -> PatientRows:
        """Return the patients one by one."""
        return PatientRows(
            np.array([0, len(self.outcome)], dtype=np.int64), self.treated.astype(np.int8), self.stratum, self.outcome,
            self.event.astype(np.int8), self.covariates,
        )  # fmt: skip


def _joined(rows: list[NDArray[np.int64]]) -> RiskTables:
    """Return a table of one replicate."""
    table = np.concatenate(rows or [np.empty((0, 4), dtype=np.int64)]).astype(np.int32)
    columns = [np.ascontiguousarray(table[:, place]) for place in range(4)]
    return RiskTables(np.array([0, len(table)], dtype=np.int64), *columns)


def _from_on(at: Floats, times: Floats) -> NDArray[np.int64]:
    """Return how many times are at or after each of some times."""
    return len(times) - np.searchsorted(np.sort(times), at, side="left")


def _exactly(at: Floats, times: Floats) -> NDArray[np.int64]:
    """Return how many times are exactly each of some times."""
    ordered = np.sort(times)
    return np.searchsorted(ordered, at, side="right") - np.searchsorted(ordered, at, side="left")


def load_trial_data(path: Path, design: InterimDesign) -> TrialData:
    """Return the data in a CSV file.

    Raises
    ------
    ScenarioError
        With every column that is absent and the first values that cannot be used.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise ScenarioError([Problem("", "it is not UTF-8 text; save it as UTF-8")], str(path)) from None
    try:
        header, lines = _table(text)
    except csv.Error as error:
        raise ScenarioError([Problem("", f"it cannot be read as CSV: {error}")], str(path)) from None
    if not lines:
        nothing = "it holds no patient; a header and a line a patient are expected"
        raise ScenarioError([Problem("", nothing)], str(path))
    reader = _Lines(header, design)
    data = reader.read(lines)
    if reader.problems:
        raise ScenarioError(reader.problems, str(path))
    return data


def _table(text: str) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """Return the names of the columns, and the number in the file and the cells of every line that is not empty."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    lines = []
    before = 0
    for line in reader:
        cells = [cell.strip() for cell in line]
        if any(cells):
            lines.append((before + 1, cells))
        before = reader.line_num
    return (lines[0][1], lines[1:]) if lines else ([], [])


class _Lines:
    """Lines that are read one by one, their problems collected."""

    def __init__(self, header: list[str], design: InterimDesign) -> None:
        self.header = header
        self.design = design
        self.problems: list[Problem] = []
        self.more = 0
        absent = [name for name in design.read if name not in header]
        other = next((mark for mark in _OTHER_SEPARATORS if len(header) == 1 and mark in header[0]), None)
        if absent and other is not None:
            separated = f"its columns are separated by {_OTHER_SEPARATORS[other]}; save it with commas"
            self.problems.append(Problem("", separated))
        else:
            self.problems += [Problem("", unknown("the column", name, header)) for name in absent]
        for name in design.read:
            if header.count(name) > 1:
                twice = f"there are {header.count(name)} columns of this name; keep one, or name them apart"
                self.problems.append(Problem(name, twice))

    def read(self, lines: list[tuple[int, list[str]]]) -> TrialData:
        """Return the data; where there are problems it is not to be used."""
        if self.problems:
            return TrialData(*(np.empty(0),) * 5, 0, {})  # type: ignore[arg-type]
        design, columns = self.design, self.design.columns
        survival = design.kind == "survival"
        kept: list[tuple[bool, float, bool, tuple[str, ...]]] = []
        adjusted: list[tuple[int, dict[str, str]]] = []
        others: Counter[str] = Counter()
        missing = 0
        seen: dict[str, int] = {}
        for number, line in lines:
            if any(line[len(self.header) :]):
                self._say(
                    f"line {number}",
                    f"it has {len(line)} values for {len(self.header)} columns; quote a value that holds a comma, and "
                    "write decimals with a point",
                )
                continue
            cells = dict.fromkeys(self.header, "") | dict(zip(self.header, line))
            self._know(cells, number, seen)
            arm = cells[columns["arm"]]
            if arm not in design.arms:
                others[arm] += 1
                continue
            name = columns["time" if survival else "value"]
            if not survival and cells[name].lower() in _MISSING:
                missing += 1
                continue
            parse = _truth if design.kind == "binary" else _time if survival else _finite
            outcome = self._parsed(number, name, cells[name], parse)
            event = (
                self._parsed(number, columns["event"], cells[columns["event"]], _truth) if survival else 0.0
            )
            for each in design.strata:
                if not cells[each]:
                    self._say(f"line {number}, {each}", "it is empty; every patient belongs to a stratum")
            adjusted.append((number, cells))
            kept.append(
                (arm == design.arms[1], outcome, event == 1.0, tuple(cells[each] for each in design.strata))
            )
        found = Counter(treated for treated, *_ in kept)
        there = sorted({*others, *(design.arms[treated] for treated in found)})
        for arm, treated in zip(design.arms, (False, True)):
            if not found[treated]:
                self.problems.append(
                    Problem(
                        columns["arm"],
                        f"no patient with data has the arm {shown(arm)}; the arms of the data: {listed(there)}",
                    )
                )
        if self.more:
            self.problems.append(Problem("", f"{self.more} more values or lines cannot be used"))
        strata = {each: place for place, each in enumerate(sorted({row[3] for row in kept}))}
        return TrialData(
            np.array([row[0] for row in kept], dtype=bool),
            np.array([row[1] for row in kept], dtype=np.float64) * (design.days if survival else 1.0),
            np.array([row[2] for row in kept], dtype=bool),
            np.array([strata[row[3]] for row in kept], dtype=np.int64),
            self._covariates(adjusted),
            missing,
            dict(others),
        )

    def _covariates(self, lines: list[tuple[int, dict[str, str]]]) -> Floats:
        """Return what the test adjusts for: numbers as they are, words as indicators of all but the first."""
        columns: list[Floats] = []
        for name in dict.fromkeys(self.design.covariates):
            values = [(number, cells[name]) for number, cells in lines]
            present = [text for _, text in values if text.lower() not in _MISSING]
            if not present or any(_number(text) is not None for text in present):
                columns.append(self._numbers(name, values))
                continue
            for number, text in values:
                if text.lower() in _MISSING:
                    self._say(f"line {number}, {name}", _NO_COVARIATE)
            columns += [
                np.array([text == level for _, text in values], float) for level in sorted({*present})[1:]
            ]
        if self.design.score:
            parts = [
                coefficient * self._numbers(name, [(number, cells[name]) for number, cells in lines])
                for name, coefficient in self.design.score.items()
            ]
            columns.append(np.sum(parts, axis=0))
        return np.stack(columns, axis=1) if columns else np.empty((len(lines), 0))

    def _numbers(self, name: str, values: list[tuple[int, str]]) -> Floats:
        """Return a column of numbers, none of them missing."""
        found = []
        for number, text in values:
            value = _number(text)
            if value is None:
                mixed = f"{shown(text)} is no number; a column holds numbers, or words throughout (stage 2)"
                self._say(f"line {number}, {name}", _NO_COVARIATE if text.lower() in _MISSING else mixed)
            found.append(0.0 if value is None else value)
        return np.array(found, dtype=np.float64)

    def _know(self, cells: dict[str, str], number: int, seen: dict[str, int]) -> None:
        """Take note of a patient, where the design names their column; nobody stands in the data twice."""
        column = self.design.columns.get("patient")
        if column is None:
            return
        who = cells[column]
        if not who:
            self._say(f"line {number}, {column}", "it is empty; every patient has a name or a number")
        elif who in seen:
            self._say(f"line {number}, {column}", f"{shown(who)} stands in line {seen[who]} already")
        else:
            seen[who] = number

    def _parsed(
        self, line: int, column: str, text: str, parse: Callable[[str], tuple[float | None, str]]
    ) -> float:
        value, allowed = parse(text)
        if value is not None:
            return value
        self._say(f"line {line}, {column}", f"{shown(text)} is given; it takes {allowed}")
        return 0.0

    def _say(self, place: str, sentence: str) -> None:
        """Keep the first problems, and count the others."""
        if len(self.problems) < MOST_PROBLEMS:
            self.problems.append(Problem(place, sentence))
        else:
            self.more += 1


def _truth(text: str) -> tuple[float | None, str]:
    return _TRUTHS.get(text.lower()), "1 or 0"


def _number(text: str) -> float | None:
    try:
        value = math.nan if "_" in text else float(text)
    except ValueError:
        return None
    return value if abs(value) <= LARGEST else None


def _finite(text: str) -> tuple[float | None, str]:
    return _number(text), f"a number of a size up to {LARGEST:g}, or nothing where it is not known yet"


def _time(text: str) -> tuple[float | None, str]:
    value = _number(text)
    return value if value is not None and value >= 0.0 else None, f"a time from 0 to {LARGEST:g}"
