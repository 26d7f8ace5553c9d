"""Simulated trials held in memory, for those who go on computing with them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from trialsim.engines.runner import run
from trialsim.oc.adverse_events import ADVERSE_EVENTS, AdverseEventTally
from trialsim.oc.enrolment import ENROLMENT, EnrolmentTally
from trialsim.oc.run_writer import TABLES
from trialsim.scenario.schema import Scenario

Progress = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class Collected:
    """The records of simulated trials, and what is true of them.

    Parameters
    ----------
    trials
        A row per design, truth and replicate.
    looks
        A row per look and hypothesis.
    arms
        A row per design, truth, replicate and arm.
    cells
        A row per design, truth and hypothesis: estimand, true value, whether its null is true.
    sites, screening, subgroups
        In a world with sites a row per design, truth, replicate and site, reason of screening failure, or subgroup.
    enrolment
        In a world with sites a row per design, truth, group of sites and time: patients so far, over the trials.
    adverse_events
        Where there are adverse events a row per design, truth, group of trials, arm, term and period since randomisation:
        events and days at risk, over the trials.
    decisions
        Where a design has decision rules a row per look that it took: what was weighed, and the rule that decided.
    """

    trials: pa.Table
    looks: pa.Table
    arms: pa.Table
    cells: pa.Table
    sites: pa.Table | None = None
    screening: pa.Table | None = None
    subgroups: pa.Table | None = None
    enrolment: pa.Table | None = None
    adverse_events: pa.Table | None = None
    decisions: pa.Table | None = None


def collect(
    scenario: Scenario,
    designs: Sequence[str],
    truths: Sequence[str],
    replicates: int,
    seed: int,
    engine: str = "fast",
    workers: int = 1,
    progress: Progress | None = None,
    chunk: int | None = None,
    responses: bool = False,
) -> Collected:
    """Simulate every design under every truth and keep the records.

    Parameters
    ----------
    scenario
        A loaded scenario.
    designs, truths
        Names in it.
    replicates
        Trials of each design under each truth.
    seed
        Seed of every draw.
    engine
        ``fast`` or ``reference``; it changes no number.
    workers, chunk
        Processes, and replicates at a time; they change no number.
    responses
        As of :func:`~trialsim.engines.runner.run`.
    progress
        Called with trials done and trials in all.

    Raises
    ------
    UsageError
        If a name or a number cannot be used.
    """
    blocks: dict[str, list[pa.Table]] = {name: [] for name in TABLES}
    tallies: dict[str, EnrolmentTally | AdverseEventTally] = {
        ENROLMENT: EnrolmentTally(),
        ADVERSE_EVENTS: AdverseEventTally(),
    }

    def keep(tables: Mapping[str, pa.Table]) -> None:
        for name, table in tables.items():
            whole = tallies[name].add(table) if name in tallies else table
            if whole is not None:
                blocks[name].append(_with_wide_codes(whole))

    cells = run(
        scenario,
        designs,
        truths,
        replicates,
        seed,
        engine,
        workers,
        keep,
        progress,
        chunk,
        responses=responses,
    )
    for name, tally in tallies.items():
        if (last := tally.finish()) is not None:
            blocks[name].append(_with_wide_codes(last))
    whole = {name: pa.concat_tables(parts).unify_dictionaries() for name, parts in blocks.items() if parts}
    return Collected(**{name: table.combine_chunks() for name, table in whole.items()}, cells=cells)


def _with_wide_codes(table: pa.Table) -> pa.Table:
    """Return a table whose columns of names have room for the names of all blocks together."""
    fields = [
        pa.field(field.name, pa.dictionary(pa.int32(), pa.string()))
        if pa.types.is_dictionary(field.type)
        else field
        for field in table.schema
    ]
    return table.cast(pa.schema(fields))
