"""The table of a simulation: designs in rows, one table per truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from trialsim.oc.characteristics import OperatingCharacteristics
from trialsim.oc.columns import Cell
from trialsim.oc.measures import Measure
from trialsim.report.numbers import DAYS_PER_MONTH, decimals_for, plain, with_error

if TYPE_CHECKING:
    from rich.table import Table

    from trialsim.oc.between_runs import RunComparison


@dataclass(frozen=True, slots=True)
class TextTable:
    """A table as text: a title, column headings, and rows of cells that hold one or more lines."""

    title: str
    headings: tuple[str, ...]
    rows: tuple[tuple[tuple[str, ...], ...], ...]


def summary_tables(characteristics: OperatingCharacteristics) -> tuple[TextTable, ...]:
    """Return one table per truth, in the order of the records."""
    cells = characteristics.cells()
    truths = dict.fromkeys(cell.truth for cell in cells)
    return tuple(
        _truth_table(characteristics, truth, [cell for cell in cells if cell.truth == truth])
        for truth in truths
    )


def rich_table(table: TextTable) -> Table:
    """Return the table for a terminal; names are shown as they are, never as markup."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    shown = Table(title=Text(table.title), title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    for place, heading in enumerate(table.headings):
        shown.add_column(Text(heading), justify="left" if place == 0 else "right", vertical="top")
    for row in table.rows:
        shown.add_row(*(Text("\n".join(lines)) for lines in row))
    return shown


def comparison_table(comparison: RunComparison) -> TextTable:
    """Return the differences between two runs, times in months."""
    rows = []
    for row in comparison.rows:
        per = DAYS_PER_MONTH if row.unit == "days" else 1.0
        name = f"{row.name}, months" if row.unit == "days" else row.name
        design = row.design if row.design == row.reference else f"{row.design} − {row.reference}"
        shown = _difference(row.value / per, None if row.mcse is None else row.mcse / per)
        digits = 4 if row.unit == "probability" else 2
        values = (plain(row.first / per, digits), plain(row.second / per, digits))
        rows.append(tuple((text,) for text in (row.truth, design, name, *values, shown)))
    headings = ("truth", "design", "measure", "first run", "second run", "difference (mcse)")
    return TextTable("second run minus first", headings, tuple(rows))


def _difference(value: float, mcse: float | None) -> str:
    if mcse is None:
        return plain(value, 2)
    decimals = decimals_for(mcse) if mcse > 0 else 0 if value == 0 else 4
    return f"{plain(value, decimals)} ({plain(mcse, decimals)})"


def _truth_table(characteristics: OperatingCharacteristics, truth: str, cells: Sequence[Cell]) -> TextTable:
    nulls = [characteristics.global_null(cell) for cell in cells]
    rejecting = "type I error" if all(nulls) else "power or type I error" if any(nulls) else "power"
    mixed = any(nulls) and not all(nulls)
    headings = ["design", f"{rejecting} (mcse)", "enrolled", "events", "months", "stopped early", "bias"]
    costs = [row for cell in cells for row in _rows(characteristics, cell, "cost")]
    if costs:
        headings.append(f"cost, {costs[0].unit}")
    if any(row.n_failed for cell in cells for row in _rows(characteristics, cell, "reject_any")):
        headings.append("failed")
    rows = []
    for cell in cells:
        lines: list[tuple[str, ...]] = [
            (cell.design,),
            _rejections(characteristics, cell, mixed),
            _with_range(characteristics, cell, "enrolled"),
            (with_error(_row(characteristics, cell, "events")),),
            _with_range(characteristics, cell, "duration", DAYS_PER_MONTH),
            (with_error(_row(characteristics, cell, "stop_early")),),
            _bias(characteristics, cell),
        ]
        if costs:
            lines.append((with_error(_row(characteristics, cell, "cost")),))
        if "failed" in headings:
            any_row = _row(characteristics, cell, "reject_any")
            lines.append((f"{any_row.n_failed:,} of {any_row.n:,}" if any_row else "–",))
        rows.append(tuple(lines))
    kept = [place for place in range(len(headings)) if any(row[place] != ("–",) for row in rows)]
    return TextTable(
        f"truth: {truth}",
        tuple(headings[place] for place in kept),
        tuple(tuple(row[place] for place in kept) for row in rows),
    )


def _rejections(characteristics: OperatingCharacteristics, cell: Cell, mixed: bool) -> tuple[str, ...]:
    """Return the probabilities of rejecting; a true null is marked where others beside it are false."""
    power = _row(characteristics, cell, "power_disjunctive")
    joint = power if power is not None else _row(characteristics, cell, "reject_any")
    each = _rows(characteristics, cell, "reject")
    nulls = characteristics.null_hypotheses(cell)
    if len(each) < 2:
        known = f"{each[0].hypothesis} (null) " if mixed and each and each[0].hypothesis in nulls else ""
        return (known + with_error(joint),)
    if power is None:
        word = "familywise" if characteristics.global_null(cell) else "any"
    else:
        word = "any false null" if nulls else "any"
    lines = [f"{word} {with_error(joint)}"]
    for row in each:
        mark = " (null)" if power is not None and row.hypothesis in nulls else ""
        lines.append(f"{row.hypothesis}{mark} {with_error(row)}")
    return tuple(lines)


def _bias(characteristics: OperatingCharacteristics, cell: Cell) -> tuple[str, ...]:
    rows = [row for row in _rows(characteristics, cell, "bias") if row.reason is None]
    if not rows:
        return ("–",)
    if len(rows) == 1:
        return (with_error(rows[0]),)
    return tuple(f"{row.hypothesis} {with_error(row)}" for row in rows)


def _with_range(
    characteristics: OperatingCharacteristics, cell: Cell, name: str, divide_by: float = 1.0
) -> tuple[str, ...]:
    centre = _row(characteristics, cell, name)
    low, high = (_row(characteristics, cell, f"{name}_{suffix}") for suffix in ("p10", "p90"))
    first = with_error(centre, divide_by)
    if low is None or high is None or low.value == high.value:
        return (first,)
    decimals = 1 if divide_by != 1.0 else 0
    return (first, f"{plain(low.value / divide_by, decimals)} to {plain(high.value / divide_by, decimals)}")


def _rows(characteristics: OperatingCharacteristics, cell: Cell, name: str) -> tuple[Measure, ...]:
    return characteristics.select(name, design=cell.design, truth=cell.truth)


def _row(characteristics: OperatingCharacteristics, cell: Cell, name: str) -> Measure | None:
    found = _rows(characteristics, cell, name)
    return found[0] if found else None
