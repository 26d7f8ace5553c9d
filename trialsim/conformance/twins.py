"""Proofs that parts keep the rules: the two engines agree event by event."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from trialsim.contracts import LogRow
from trialsim.engines.conduct import conduct
from trialsim.engines.decision_log import Journal, Origin
from trialsim.engines.plan import Plan, build_plan
from trialsim.engines.records import columns_of, joined
from trialsim.engines.runner import start_engine
from trialsim.scenario.load import patient_table
from trialsim.scenario.schema import Scenario

_NEIGHBOURS = 3


@dataclass(frozen=True)
class Difference:
    """Where two event logs of one trial first differ.

    Parameters
    ----------
    replicate
        The trial.
    position
        Index of the first differing row.
    reference, fast
        The rows around it in each log.
    """

    replicate: int
    position: int
    reference: tuple[LogRow, ...]
    fast: tuple[LogRow, ...]

    def __str__(self) -> str:
        """Return both neighbourhoods, the differing row marked."""
        lines = [f"replicate {self.replicate}: the engines first differ at row {self.position}"]
        for name, rows in (("reference", self.reference), ("fast", self.fast)):
            lines.append(f"  {name}:")
            before = min(self.position, _NEIGHBOURS)
            for k, row in enumerate(rows):
                mark = ">" if k == before else " "
                lines.append(
                    f"  {mark} {row.tick:>16} {row.kind.name.lower():<17} id {row.id:<6} part {row.part:<3} {row.value!r}"
                )
            if len(rows) <= before:
                lines.append("  > (the log has ended)")
        return "\n".join(lines)


def first_difference(
    replicate: int, reference: Sequence[LogRow], fast: Sequence[LogRow]
) -> Difference | None:
    """Return where two logs first differ, times and values compared exactly; None when they are equal.

    Parameters
    ----------
    replicate
        The trial they belong to.
    reference, fast
        The logs.
    """
    if list(reference) == list(fast):
        return None
    position = next(
        (k for k, (a, b) in enumerate(zip(reference, fast, strict=False)) if a != b),
        min(len(reference), len(fast)),
    )
    around = slice(max(0, position - _NEIGHBOURS), position + _NEIGHBOURS + 1)
    return Difference(replicate, position, tuple(reference[around]), tuple(fast[around]))


def twin_difference(plan: Plan, replicates: Iterable[int], chunk: int = 16) -> Difference | str | None:
    """Run trials in both engines and return the first difference in event logs or records, or None.

    Parameters
    ----------
    plan
        The design under a truth.
    replicates
        Global numbers of the trials.
    chunk
        Trials at a time in the fast engine.
    """
    numbers = list(replicates)
    fast, reference = start_engine(plan, "fast"), start_engine(plan, "reference")
    for first in range(0, len(numbers), chunk):
        part = numbers[first : first + chunk]
        # Both keep the log of decisions, which is compared with the other tables.
        quick = conduct(fast.start(np.array(part)), _journal(plan, part))
        singles = [
            conduct(reference.start(np.array([replicate])), _journal(plan, [replicate])) for replicate in part
        ]
        for row, (replicate, single) in enumerate(zip(part, singles, strict=True)):
            found = first_difference(replicate, single.chunk.log(0), quick.chunk.log(row))
            if found is not None:
                return found
        slow_tables, quick_tables = (
            joined([columns_of(single, True) for single in singles]),
            columns_of(quick, True),
        )
        for table, columns in slow_tables.items():
            for name, values in columns.items():
                if not np.array_equal(values, quick_tables[table][name], equal_nan=values.dtype.kind == "f"):
                    return f"replicates {part[0]} to {part[-1]}: the column {name} of {table} differs between the engines"
    return None


def _journal(plan: Plan, replicates: Sequence[int]) -> Journal:
    """Return a journal that keeps everything of some trials."""
    origin = Origin(plan.scenario, plan.seed, plan.design, plan.truth, {})
    return Journal(plan, origin, np.array(replicates), in_full=1 << 62)


def check_twins(
    scenario: Scenario,
    designs: Sequence[str] | None = None,
    truths: Sequence[str] | None = None,
    replicates: Iterable[int] = range(50),
    seed: int = 1,
    grid: int = 1,
) -> list[str]:
    """Return, for every design and truth in which the engines disagree, where they first do; empty when they agree.

    Parameters
    ----------
    scenario
        A loaded scenario.
    designs, truths
        Names, or None for all.
    replicates
        Global numbers of the trials.
    seed
        Seed of the run.
    grid
        Step of the time grid in ticks; a day or a week forces ties.
    """
    found = []
    numbers = list(replicates)
    for design in scenario.select_designs(None if designs is None else list(designs)):
        for truth in scenario.select_truths(None if truths is None else list(truths)):
            plan = build_plan(scenario, design, truth, seed, grid, patient_table(scenario))
            difference = twin_difference(plan, numbers)
            if difference is not None:
                found.append(f"{scenario.name}, {design}, {truth}: {difference}")
    return found
