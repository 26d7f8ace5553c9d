"""Differences between designs on the same patients, paired by replicate."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trialsim.oc.columns import Cell, Records
from trialsim.oc.costs import currency_of
from trialsim.oc.measures import DAYS, EVENTS, PATIENTS, PROBABILITY
from trialsim.oc.montecarlo import MonteCarlo, paired_difference, paired_proportions
from trialsim.oc.rejections import (
    Flags,
    any_rejected,
    count,
    either,
    failed_replicates,
    tested_hypotheses,
)

_COUNTS = {"duration": ("lock_time", DAYS), "enrolled": ("enrolled", PATIENTS), "events": ("events", EVENTS)}


@dataclass(frozen=True, slots=True)
class Difference:
    """A design minus its reference under one truth, over `n` pairs; `n_failed` have a failure in either."""

    design: str
    reference: str
    truth: str
    name: str
    unit: str
    value: float
    mcse: float | None
    lower: float | None
    upper: float | None
    n: int
    n_failed: int

    def to_dict(self) -> dict[str, str | int | float | None]:
        """Return the row as it stands in JSON."""
        return {name: getattr(self, name) for name in DIFFERENCE_KEYS}


DIFFERENCE_KEYS = tuple(field.name for field in fields(Difference))


@dataclass(frozen=True, slots=True)
class Outcomes:
    """What is compared replicate by replicate: flags (with the number failed), numbers and their units."""

    replicates: NDArray[Any]
    failed: Flags | None
    flags: dict[str, tuple[Flags, int]]
    numbers: dict[str, NDArray[Any]]
    units: dict[str, str]


def outcomes_of(records: Records, cell: Cell) -> Outcomes:
    """Read what is compared between cells."""
    failed = failed_replicates(records, cell)
    tested = tested_hypotheses(records, cell, failed)
    flags: dict[str, tuple[Flags, int]] = {}
    if tested:
        flags["reject_any"] = any_rejected(tested)
    false_nulls = [each for each in tested if not each.facts.null]
    if false_nulls:
        flags["power_disjunctive"] = any_rejected(false_nulls)
    present = set(records.columns("trials"))
    numbers = {
        name: records.numbers("trials", column, cell)
        for name, (column, _) in _COUNTS.items()
        if column in present
    }
    units = {name: unit for name, (_, unit) in _COUNTS.items()}
    if "cost" in present:
        numbers["cost"], units["cost"] = records.numbers("trials", "cost", cell), currency_of(records, cell)
    return Outcomes(records.numbers("trials", "replicate", cell), failed, flags, numbers, units)


def compare_outcomes(design: Outcomes, reference: Outcomes) -> Iterator[tuple[str, str, MonteCarlo, int]]:
    """Yield name, unit, paired difference and number of failures of each quantity that both have."""
    same = np.array_equal(design.replicates, reference.replicates)
    ours: NDArray[np.intp] | slice = slice(None)
    theirs: NDArray[np.intp] | slice = slice(None)
    if not same:
        _, ours, theirs = np.intersect1d(
            design.replicates, reference.replicates, assume_unique=True, return_indices=True
        )
    failed = either(
        None if design.failed is None else design.failed[ours],
        None if reference.failed is None else reference.failed[theirs],
    )
    for name, (flags, _) in design.flags.items():
        if name in reference.flags:
            found = paired_proportions(flags[ours], reference.flags[name][0][theirs])
            if found is not None:
                yield name, PROBABILITY, found, count(failed)
    for name, values in design.numbers.items():
        others = reference.numbers.get(name)
        if others is None or (name == "events" and not (values.any() or others.any())):
            continue
        if design.units[name] != reference.units[name]:
            continue
        first, second = values[ours], others[theirs]
        kept = np.isfinite(first) & np.isfinite(second)
        if failed is not None:
            kept &= ~failed
        if not kept.all():
            first, second = first[kept], second[kept]
        found = paired_difference(first, second)
        if found is not None:
            yield name, design.units[name], found, kept.size - found.n


def design_differences(records: Records) -> Iterator[Difference]:
    """Yield the differences between each design and the first one, truth by truth."""
    cells = records.cells()
    if not cells:
        return
    reference_design = cells[0].design
    for truth in dict.fromkeys(cell.truth for cell in cells):
        designs = [cell.design for cell in cells if cell.truth == truth and cell.design != reference_design]
        if not designs or (reference_design, truth) not in cells:
            continue
        reference = outcomes_of(records, Cell(reference_design, truth))
        for design in designs:
            for name, unit, found, n_failed in compare_outcomes(
                outcomes_of(records, Cell(design, truth)), reference
            ):
                yield Difference(design, reference_design, truth, name, unit, *found, n_failed)
