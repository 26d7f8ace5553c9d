"""Differences between two saved runs, paired by replicate where they simulate the same patients."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, fields

from trialsim.errors import UsageError
from trialsim.oc.columns import Cell
from trialsim.oc.comparisons import compare_outcomes, outcomes_of
from trialsim.oc.measures import Measure
from trialsim.oc.montecarlo import MonteCarlo, normal
from trialsim.oc.run_folder import StoredRun, characteristics_of

COMPARED = ("reject_any", "power_disjunctive", "duration", "enrolled", "events", "cost")


@dataclass(frozen=True, slots=True)
class RunDifference:
    """The second run minus the first under one truth.

    `n_first` and `n_second` count the replicates in each value (the pairs, where they are paired); `n_failed`
    those that failed in either run.
    """

    design: str
    reference: str
    truth: str
    name: str
    unit: str
    first: float
    second: float
    value: float
    mcse: float | None
    lower: float | None
    upper: float | None
    n_first: int
    n_second: int
    n_failed: int

    def to_dict(self) -> dict[str, str | int | float | None]:
        """Return the row as it stands in JSON."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


@dataclass(frozen=True, slots=True)
class RunComparison:
    """Two runs compared; `paired` and `why` say how."""

    paired: bool
    why: str
    rows: tuple[RunDifference, ...]


def compare_runs(first: StoredRun, second: StoredRun) -> RunComparison:
    """Compare two runs, cell by cell.

    Designs are matched by name; where each run has a single design those two are matched whatever their
    names.

    Raises
    ------
    UsageError
        Where the runs have no design or no truth in common.
    """
    paired, why = _pairing(first, second)
    matched = _matched_cells(first, second)
    rows = _paired_rows(first, second, matched) if paired else _independent_rows(first, second, matched)
    return RunComparison(paired, why, tuple(rows))


def _pairing(first: StoredRun, second: StoredRun) -> tuple[bool, str]:
    if first.provenance.get("seed") != second.provenance.get("seed"):
        return False, "the seeds differ, so the runs are independent"
    ours, theirs = first.provenance.get("population_digest"), second.provenance.get("population_digest")
    if ours is None or ours != theirs:
        return False, "the populations differ, so the runs are treated as independent"
    return True, "seed and population agree, so replicates with the same number share their patients"


def _matched_cells(first: StoredRun, second: StoredRun) -> list[tuple[Cell, Cell]]:
    ours, theirs = first.records.cells(), second.records.cells()
    designs, others = (
        dict.fromkeys(cell.design for cell in ours),
        dict.fromkeys(cell.design for cell in theirs),
    )
    pairs = [(name, name) for name in designs if name in others]
    if not pairs and len(designs) == len(others) == 1:
        pairs = [(next(iter(designs)), next(iter(others)))]
    if not pairs:
        raise UsageError(
            f"The runs have no design in common ({', '.join(designs)} against {', '.join(others)}); compare "
            "runs that share a design, or that have one design each"
        )
    truths = [
        truth for truth in dict.fromkeys(cell.truth for cell in ours) if any(c.truth == truth for c in theirs)
    ]
    matched = [
        (Cell(one, truth), Cell(other, truth))
        for truth in truths
        for one, other in pairs
        if Cell(one, truth) in ours and Cell(other, truth) in theirs
    ]
    if not matched:
        raise UsageError("The runs have no truth in common; compare runs that simulate the same truth")
    return matched


def _paired_rows(
    first: StoredRun, second: StoredRun, matched: list[tuple[Cell, Cell]]
) -> Iterator[RunDifference]:
    ours, theirs = _measures(first), _measures(second)
    for one, other in matched:
        found = compare_outcomes(outcomes_of(second.records, other), outcomes_of(first.records, one))
        for name, _, difference, n_failed in found:
            before, after = ours[one, name], theirs[other, name]
            yield _row(before, after, difference, (difference.n, difference.n, n_failed))


def _independent_rows(
    first: StoredRun, second: StoredRun, matched: list[tuple[Cell, Cell]]
) -> Iterator[RunDifference]:
    ours, theirs = _measures(first), _measures(second)
    for one, other in matched:
        for name in COMPARED:
            before, after = ours.get((one, name)), theirs.get((other, name))
            if before is not None and after is not None and before.unit == after.unit:
                counts = (before.n, after.n, before.n_failed + after.n_failed)
                yield _row(before, after, _independent(before, after), counts)


def _row(
    before: Measure, after: Measure, difference: MonteCarlo, counts: tuple[int, int, int]
) -> RunDifference:
    keys = (after.design, before.design, after.truth, after.name, after.unit)
    value, mcse, lower, upper, _ = difference
    return RunDifference(*keys, before.value, after.value, value, mcse, lower, upper, *counts)


def _independent(before: Measure, after: Measure) -> MonteCarlo:
    mcse = None
    if before.mcse is not None and after.mcse is not None:
        mcse = math.hypot(before.mcse, after.mcse)
    if before.name in ("reject_any", "power_disjunctive"):
        return _newcombe(before, after, mcse)
    return normal(after.value - before.value, mcse, min(before.n, after.n))


def _newcombe(before: Measure, after: Measure, mcse: float | None) -> MonteCarlo:
    """Limits made of both Wilson limits (Newcombe RG 1998, Stat Med 17:873-890, method 10)."""
    value = after.value - before.value
    limits = (before.lower, before.upper, after.lower, after.upper)
    low, high, low_after, high_after = (float("nan") if limit is None else limit for limit in limits)
    lower = value - math.hypot(after.value - low_after, high - before.value)
    upper = value + math.hypot(high_after - after.value, before.value - low)
    return MonteCarlo(value, mcse, lower, upper, min(before.n, after.n))


def _measures(run: StoredRun) -> dict[tuple[Cell, str], Measure]:
    rows = characteristics_of(run).rows
    return {(Cell(row.design, row.truth), row.name): row for row in rows if row.name in COMPARED}
