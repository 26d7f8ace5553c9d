"""When and why the trials stop, and by when they are finished."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from trialsim.oc.columns import Cell, Records
from trialsim.oc.measures import PROBABILITY, Measure, measure
from trialsim.oc.montecarlo import proportion
from trialsim.oc.rejections import Flags, count

Outcome = tuple[int, str]
FAILED = "failed"
HORIZON = "horizon"


@dataclass(frozen=True, slots=True)
class Stops:
    """How often the trials of a cell end at each look for each reason; look 0 is no look at all."""

    counts: dict[Outcome, int]
    n: int
    n_failed: int


def count_stops(records: Records, cell: Cell, failed: Flags | None) -> Stops:
    """Count the endings of one cell; failed replicates are an ending of their own."""
    reasons = records.categories("trials", "stop_reason", cell)
    looks = records.numbers("trials", "stop_look", cell)
    codes = reasons.codes
    if failed is not None:
        codes, looks = codes[~failed], looks[~failed]
    width = int(looks.max(initial=0)) + 1
    table = np.bincount(codes.astype(np.int64) * width + looks, minlength=width * len(reasons.names))
    counts = {
        (int(place % width), reasons.names[int(place // width)]): int(table[place])
        for place in np.flatnonzero(table)
    }
    if failed is not None:
        counts[0, FAILED] = count(failed)
    return Stops(counts, int(reasons.codes.size), count(failed))


def stop_measures(
    cell: Cell, stops: Stops, outcomes: Collection[Outcome], last_look: int
) -> Iterator[Measure]:
    """Yield the probability of each ending, of each reason, and of stopping before the last look.

    Parameters
    ----------
    cell, stops
        The cell and its endings.
    outcomes
        The endings to report: all that the design reaches under any truth.
    last_look
        The number of looks that the design plans.
    """
    for look, reason in sorted(outcomes):
        found = proportion(stops.counts.get((look, reason), 0), stops.n)
        if look:
            yield measure(
                *cell, "stop", found, unit=PROBABILITY, look=look, reason=reason, n_failed=stops.n_failed
            )
    for reason in sorted({reason for _, reason in outcomes}):
        total = sum(number for (_, why), number in stops.counts.items() if why == reason)
        yield measure(
            *cell,
            "stop",
            proportion(total, stops.n),
            unit=PROBABILITY,
            reason=reason,
            n_failed=stops.n_failed,
        )
    if last_look < 2:
        return
    early = sum(number for (look, _), number in stops.counts.items() if 0 < look < last_look)
    yield measure(*cell, "stop_early", proportion(early, stops.n), unit=PROBABILITY, n_failed=stops.n_failed)


def finished_measures(
    records: Records, cell: Cell, failed: Flags | None, dates: Sequence[float]
) -> Iterator[Measure]:
    """Yield the probability that the trial is finished by each of `dates` (days)."""
    if not dates:
        return
    times = records.numbers("trials", "lock_time", cell)
    for date in dates:
        done = times <= date
        if failed is not None:
            done &= ~failed
        yield measure(
            *cell,
            f"finished_by[{date:.10g} days]",
            proportion(count(done), times.size),
            unit=PROBABILITY,
            n_failed=count(failed),
        )
