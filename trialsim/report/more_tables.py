"""The tables of a report beyond the first: how trials end by look, and the measures not shown before."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from trialsim.oc.bounds_by_look import bounds_by_look
from trialsim.oc.characteristics import OperatingCharacteristics
from trialsim.oc.columns import Cell
from trialsim.oc.measures import Measure
from trialsim.report.numbers import DAYS_PER_MONTH, percent, plain, with_error
from trialsim.report.tables import TextTable
from trialsim.scenario.units import readable_duration

MOST_CELLS = 60
_FINISHED = "finished_by["
_MORE = {
    "power_conjunctive": "power, all false nulls",
    "analysed": "analysed",
    "pipeline": "pipeline",
    "overrun": "overrun",
}


def stopping_table(characteristics: OperatingCharacteristics) -> TextTable:
    """Return a row for each look and ending: its probability, the look's mean time, what was rejected so far."""
    rows = [
        (
            (cell.truth,),
            (cell.design,),
            (str(row.look) if row.look else "–",),
            (str(row.reason),),
            (with_error(row),),
            (_look_time(characteristics, cell, row.look),),
            _rejected(characteristics, cell, row.look),
        )
        for cell in characteristics.cells()[:MOST_CELLS]
        for row in _endings(characteristics, cell)
    ]
    headings = (
        "truth",
        "design",
        "look",
        "ends by",
        "probability (mcse)",
        "look at, months",
        "rejected by then (mcse)",
    )
    return TextTable("How trials end, by look and reason", headings, tuple(rows))


def bounds_table(scenario: Mapping[str, Any], designs: Iterable[str]) -> TextTable | None:
    """Return a row for each test and look of the group sequential designs with its bounds, or None without any."""
    found = bounds_by_look(scenario, dict.fromkeys(designs))
    if not found:
        return None
    keys = ("design", "hypothesis", "look", "information", "efficacy_z", "futility_z")
    rows = tuple(tuple((_bound(row[key]),) for key in keys) for row in found)
    headings = ("design", "hypothesis", "look", "planned information", "rejected from z", "given up to z")
    return TextTable("Bounds by look, as planned", headings, rows)


def _bound(value: str | float | None) -> str:
    return "–" if value is None else plain(value, 6) if isinstance(value, float) else str(value)


def more_measures(characteristics: OperatingCharacteristics) -> TextTable:
    """Return a row for each design and truth with the measures that the first tables leave out."""
    dates = _dates(characteristics)
    headings = [
        "truth",
        "design",
        *_MORE.values(),
        "coverage",
        *(f"finished by {_date(each)}" for each in dates),
    ]
    rows = []
    for cell in characteristics.cells()[:MOST_CELLS]:
        lines: list[tuple[str, ...]] = [(cell.truth,), (cell.design,)]
        lines += [(with_error(_one(characteristics, name, cell)),) for name in _MORE]
        lines.append(_by_hypothesis(characteristics.select("coverage", design=cell.design, truth=cell.truth)))
        lines += [(with_error(_one(characteristics, name, cell)),) for name in dates]
        rows.append(tuple(lines))
    kept = [place for place in range(len(headings)) if any(row[place] != ("–",) for row in rows)]
    return TextTable(
        "More measures (mcse)",
        tuple(headings[place] for place in kept),
        tuple(tuple(row[place] for place in kept) for row in rows),
    )


def cost_table(characteristics: OperatingCharacteristics) -> TextTable | None:
    """Return a row for each design and truth with its cost and the parts of it, or None where there are no costs."""
    totals = characteristics.select("cost")
    if not totals:
        return None
    parts = list(dict.fromkeys(str(row.reason) for row in characteristics.select("cost_component")))
    rows = []
    for cell in characteristics.cells()[:MOST_CELLS]:
        here = {
            row.reason: row
            for row in characteristics.select("cost_component", design=cell.design, truth=cell.truth)
        }
        lines: list[tuple[str, ...]] = [(cell.truth,), (cell.design,)]
        lines.append((with_error(_one(characteristics, "cost", cell)),))
        lines += [
            (_rounded(_one(characteristics, f"cost_{suffix}", cell)),) for suffix in ("median", "p10", "p90")
        ]
        lines += [(with_error(here.get(part)),) for part in parts]
        rows.append(tuple(lines))
    headings = ("truth", "design", "mean (mcse)", "median", "10th percentile", "90th percentile", *parts)
    return TextTable(f"Costs in {totals[0].unit}", headings, tuple(rows))


def _rounded(row: Measure | None) -> str:
    return "–" if row is None else plain(row.value, 0)


def finished_sentences(characteristics: OperatingCharacteristics) -> list[str]:
    """Return how likely each trial is finished by the dates that were asked for."""
    sentences = []
    for name in _dates(characteristics):
        listed = (f"{row.design} under {row.truth} {percent(row)}" for row in characteristics.select(name))
        sentences.append(f"Finished by {_date(name)}: {'; '.join(listed)}.")
    return sentences


def _endings(characteristics: OperatingCharacteristics, cell: Cell) -> Iterator[Measure]:
    """Yield the endings at looks, in order, then those that are at none."""
    rows = characteristics.select("stop", design=cell.design, truth=cell.truth)
    at_looks = {row.reason for row in rows if row.look is not None}
    yield from (row for row in rows if row.look is not None)
    yield from (row for row in rows if row.look is None and row.reason not in at_looks)


def _look_time(characteristics: OperatingCharacteristics, cell: Cell, look: int | None) -> str:
    rows = (
        characteristics.select("look_time", design=cell.design, truth=cell.truth, look=look) if look else ()
    )
    return with_error(rows[0], DAYS_PER_MONTH) if rows else "–"


def _rejected(characteristics: OperatingCharacteristics, cell: Cell, look: int | None) -> tuple[str, ...]:
    if look is None:
        return ("–",)
    return _by_hypothesis(
        characteristics.select("reject_by_look", design=cell.design, truth=cell.truth, look=look)
    )


def _by_hypothesis(rows: tuple[Measure, ...]) -> tuple[str, ...]:
    if not rows:
        return ("–",)
    if len(rows) == 1:
        return (with_error(rows[0]),)
    return tuple(f"{row.hypothesis} {with_error(row)}" for row in rows)


def _dates(characteristics: OperatingCharacteristics) -> list[str]:
    return list(dict.fromkeys(row.name for row in characteristics.rows if row.name.startswith(_FINISHED)))


def _date(name: str) -> str:
    """Return a date in the largest unit in which it is whole, which is the one it was given in."""
    return readable_duration(float(name.removeprefix(_FINISHED).removesuffix(" days]")))


def _one(characteristics: OperatingCharacteristics, name: str, cell: Cell) -> Measure | None:
    rows = characteristics.select(name, design=cell.design, truth=cell.truth)
    return rows[0] if rows else None
