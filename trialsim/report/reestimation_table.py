"""Designs that re-estimate their size beside group sequential designs of the same maximum."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trialsim.oc.characteristics import OperatingCharacteristics
from trialsim.oc.columns import Cell
from trialsim.oc.measures import SIZE_CHANGES
from trialsim.report.numbers import with_error
from trialsim.report.tables import TextTable
from trialsim.scenario.size_advice import comparators, maximum_of

ABOUT_SIZES = (
    "The size is re-estimated at an interim look; under each truth the design stands beside group sequential designs that "
    "plan for its maximum and may stop early. Patients are those randomised, enrolled ahead of a look or not; where sizes "
    "are of events, those of the last data cut are told too.",
    "Estimates and intervals are those of all data, not adjusted for the re-estimation.",
)
_EVENTS = "events (mcse)"
_HEADINGS = (
    "truth", "design", "rejects (mcse)", "patients (mcse)", _EVENTS, "size lowered", "size unchanged", "size raised",
    "rejects where raised",
)  # fmt: skip


def sizes_table(scenario: Mapping[str, Any], characteristics: OperatingCharacteristics) -> TextTable | None:
    """Return a row for each truth and design that re-estimates its size, its comparators after it; None without any.

    Parameters
    ----------
    scenario
        The resolved scenario as plain data.
    characteristics
        Of the run.
    """
    designs = scenario.get("designs")
    cells = characteristics.cells()
    by_events = False
    rows: list[tuple[tuple[str, ...], ...]] = []
    for cell in cells:
        design = designs.get(cell.design) if isinstance(designs, Mapping) else None
        maximum = maximum_of(design) if isinstance(design, Mapping) else None
        if maximum is None:
            continue
        by_events |= maximum.what == "events"
        rows.append(_row(characteristics, cell))
        beside = [Cell(name, cell.truth) for name in comparators(scenario, cell.design)]
        rows += [_row(characteristics, other) for other in beside if other in cells]
    if not rows:
        return None
    shown = [place for place, heading in enumerate(_HEADINGS) if by_events or heading != _EVENTS]
    return TextTable(
        "Sizes re-estimated, and group sequential designs of the same maximum",
        tuple(_HEADINGS[place] for place in shown),
        tuple(tuple(row[place] for place in shown) for row in rows),
    )


def _row(characteristics: OperatingCharacteristics, cell: Cell) -> tuple[tuple[str, ...], ...]:
    """Return one row."""

    def first(name: str, **keys: str) -> str:
        found = characteristics.select(name, design=cell.design, truth=cell.truth, **keys)
        return with_error(found[0]) if found else "–"

    changes = [first("size_becomes", reason=change) for change in SIZE_CHANGES]
    texts = [
        cell.truth, cell.design, first("reject"), first("enrolled"), first("events"), *changes,
        first("reject_by_size", reason="raised"),
    ]  # fmt: skip
    return tuple((text,) for text in texts)
