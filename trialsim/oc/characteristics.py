"""The operating characteristics of a simulation: every measure of every cell, and the designs compared."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING

from trialsim.oc.by_arm import arm_measures, closes_arms
from trialsim.oc.columns import Cell, HypothesisFacts, Records, RecordTables, records_of
from trialsim.oc.comparisons import Difference, design_differences
from trialsim.oc.costs import cost_measures
from trialsim.oc.estimation import estimation_measures
from trialsim.oc.lives import life_measures
from trialsim.oc.look_times import look_measures
from trialsim.oc.measures import MEASURE_KEYS, PROBABILITY, Measure, measure
from trialsim.oc.missing import missing_measures
from trialsim.oc.montecarlo import proportion
from trialsim.oc.overrunning import overrun_measures
from trialsim.oc.recruitment import recruitment_measures
from trialsim.oc.reestimation import reestimation_measures
from trialsim.oc.rejections import (
    Flags,
    Tested,
    all_rejected,
    any_rejected,
    count,
    failed_replicates,
    rejection_looks,
    tested_hypotheses,
)
from trialsim.oc.sizes import counts_events, size_measures
from trialsim.oc.stages import stage_measures
from trialsim.oc.stopping import HORIZON, Outcome, count_stops, finished_measures, stop_measures
from trialsim.oc.without_result import analysis_measures

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class OperatingCharacteristics:
    """What a simulation says about its designs.

    Parameters
    ----------
    rows
        Every measure of every cell.
    differences
        Designs against the first one, paired by replicate.
    facts
        What is true of every hypothesis in every cell.
    """

    rows: tuple[Measure, ...]
    differences: tuple[Difference, ...] = ()
    facts: tuple[HypothesisFacts, ...] = ()

    def measures(self) -> list[dict[str, str | int | float | None]]:
        """Return the measures as they stand in JSON."""
        return [row.to_dict() for row in self.rows]

    def comparisons(self) -> list[dict[str, str | int | float | None]]:
        """Return the differences as they stand in JSON."""
        return [row.to_dict() for row in self.differences]

    def to_frame(self) -> pd.DataFrame:
        """Return the measures as a table."""
        import pandas as pd

        return pd.DataFrame(self.measures(), columns=list(MEASURE_KEYS))

    def select(self, name: str, **keys: str | int | None) -> tuple[Measure, ...]:
        """Return the rows of a measure whose other keys agree with `keys`."""
        rows: Sequence[Measure] = self._by_name.get(name, ())
        if "design" in keys and "truth" in keys:
            rows = self._by_cell.get((name, keys.pop("design"), keys.pop("truth")), ())
        return tuple(row for row in rows if all(getattr(row, key) == value for key, value in keys.items()))

    def cells(self) -> tuple[Cell, ...]:
        """Return the cells in the order of the rows."""
        return tuple(dict.fromkeys(Cell(row.design, row.truth) for row in self.rows))

    @cached_property
    def _by_name(self) -> dict[str, list[Measure]]:
        found: dict[str, list[Measure]] = {}
        for row in self.rows:
            found.setdefault(row.name, []).append(row)
        return found

    @cached_property
    def _by_cell(self) -> dict[tuple[str, str | int | None, str | int | None], list[Measure]]:
        found: dict[tuple[str, str | int | None, str | int | None], list[Measure]] = {}
        for row in self.rows:
            found.setdefault((row.name, row.design, row.truth), []).append(row)
        return found

    def null_hypotheses(self, cell: Cell) -> tuple[str, ...]:
        """Return the hypotheses whose null is true in a cell."""
        return tuple(
            fact.hypothesis for fact in self.facts if (fact.design, fact.truth) == cell and fact.null
        )

    def global_null(self, cell: Cell) -> bool:
        """Whether every hypothesis that a cell tests is null."""
        here = [fact for fact in self.facts if (fact.design, fact.truth) == cell]
        tested = {row.hypothesis for row in self.select("reject", design=cell.design, truth=cell.truth)}
        return all(fact.null for fact in here if fact.hypothesis in tested) and bool(tested)


def operating_characteristics(
    records: Records | RecordTables,
    *,
    finished_by: Sequence[float] = (),
    planned_looks: Mapping[str, int] | None = None,
    threads: int = 1,
) -> OperatingCharacteristics:
    """Compute every measure of every cell, and the designs' differences from the first one.

    Parameters
    ----------
    records
        Records in memory or on disk.
    finished_by
        Dates, in days from the start of accrual, for the measure of that name.
    planned_looks
        How many looks each design plans; a design that is left out plans as many as its trials ever reach.
    threads
        How many families of measures of a cell are computed at the same time; it changes no number.
    """
    source = records_of(records)
    cells = source.cells()
    rows: list[Measure] = []
    for design in dict.fromkeys(cell.design for cell in cells):
        own = [cell for cell in cells if cell.design == design]
        rows += _design_measures(source, own, finished_by, (planned_looks or {}).get(design), threads)
    return OperatingCharacteristics(tuple(rows), tuple(design_differences(source)), source.facts())


def _design_measures(
    records: Records, cells: list[Cell], dates: Sequence[float], planned: int | None, threads: int
) -> Iterator[Measure]:
    failed = {cell: failed_replicates(records, cell) for cell in cells}
    stops = {cell: count_stops(records, cell, failed[cell]) for cell in cells}
    outcomes: set[Outcome] = set().union(*(each.counts for each in stops.values()))
    last_look = planned or max((look for look, reason in outcomes if reason != HORIZON), default=0) or 1
    with_events = counts_events(records, cells)
    with_closing = closes_arms(records, cells)
    for cell in cells:
        tested = tested_hypotheses(records, cell, failed[cell])
        best = _best_arm(records, cell)
        yield from _together(
            [
                partial(_rejection_measures, records, cell, tested, last_look),
                *(partial(analysis_measures, records, cell, each) for each in tested),
                partial(size_measures, records, cell, failed[cell], with_events),
                partial(look_measures, records, cell, failed[cell]),
                partial(finished_measures, records, cell, failed[cell], dates),
                partial(stop_measures, cell, stops[cell], outcomes, last_look),
                partial(reestimation_measures, records, cell, tested, failed[cell]),
                partial(overrun_measures, records, cell, tested, failed[cell]),
                partial(stage_measures, records, cell, failed[cell]),
                *(partial(estimation_measures, records, cell, each) for each in tested),
                partial(arm_measures, records, cell, failed[cell], best, with_closing, last_look),
                partial(missing_measures, records, cell, failed[cell]),
                partial(recruitment_measures, records, cell, failed[cell]),
                partial(cost_measures, records, cell, failed[cell]),
                partial(life_measures, records, cell, failed[cell]),
            ],
            threads,
        )


def _together(families: Sequence[Callable[[], Iterable[Measure]]], threads: int) -> Iterator[Measure]:
    """Yield the measures of families in their order, of which several are computed at the same time."""
    if threads == 1:
        for family in families:
            yield from family()
        return
    with ThreadPoolExecutor(threads) as pool:
        for found in pool.map(lambda family: list(family()), families):
            yield from found


def _rejection_measures(
    records: Records, cell: Cell, tested: list[Tested], last_look: int
) -> Iterator[Measure]:
    for each in tested:
        found = proportion(count(each.rejected), each.rejected.size)
        name = each.facts.hypothesis
        yield measure(*cell, "reject", found, unit=PROBABILITY, hypothesis=name, n_failed=each.n_failed)
    true_nulls = [each for each in tested if each.facts.null]
    false_nulls = [each for each in tested if not each.facts.null]
    joint: list[tuple[str, tuple[Flags, int]]] = []
    if tested:
        joint.append(("reject_any", any_rejected(tested)))
    if true_nulls:
        joint.append(("familywise_error", any_rejected(true_nulls)))
    if false_nulls:
        joint.append(("power_disjunctive", any_rejected(false_nulls)))
        joint.append(("power_conjunctive", all_rejected(false_nulls)))
    for name, (flags, n_failed) in joint:
        yield measure(*cell, name, proportion(count(flags), flags.size), unit=PROBABILITY, n_failed=n_failed)
    for each in tested:
        yield from _by_look(records, cell, each, last_look)


def _by_look(records: Records, cell: Cell, tested: Tested, last_look: int) -> Iterator[Measure]:
    name = tested.facts.hypothesis
    if f"reject_look:{name}" not in records.columns("trials"):
        return
    looks = rejection_looks(records, cell, tested, last_look)
    upto = 0
    for look in range(1, max(last_look, int(looks.max(initial=0))) + 1):
        upto += count(looks == look)
        found = proportion(upto, looks.size)
        yield measure(
            *cell,
            "reject_by_look",
            found,
            unit=PROBABILITY,
            hypothesis=name,
            look=look,
            n_failed=tested.n_failed,
        )


def _best_arm(records: Records, cell: Cell) -> str:
    return next((fact.best_arm for fact in records.facts() if (fact.design, fact.truth) == cell), "")
