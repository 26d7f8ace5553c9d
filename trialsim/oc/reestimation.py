"""What re-estimated sizes come to: their mean and quantiles, how often they change, and how often trials reject then."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from numpy.typing import NDArray

from trialsim.oc.columns import Cell, Records
from trialsim.oc.measures import EVENTS, PATIENTS, PROBABILITY, SIZE_CHANGES, Measure, measure
from trialsim.oc.montecarlo import proportion
from trialsim.oc.rejections import Flags, Tested, count
from trialsim.oc.sizes import succeeded, summary


def reestimation_measures(
    records: Records, cell: Cell, tested: list[Tested], failed: Flags | None
) -> Iterator[Measure]:
    """Yield the measures of the size of one cell; nothing where no size of it was re-estimated.

    Parameters
    ----------
    records, cell
        Which trials.
    tested
        Its hypotheses.
    failed
        Replicates that failed.
    """
    for name, unit in (("size", PATIENTS), ("events_awaited", EVENTS)):
        if f"{name}_change" not in records.columns("trials"):
            continue
        change = records.numbers("trials", f"{name}_change", cell)
        if change.any():
            sizes = succeeded(records.numbers("trials", name, cell), failed)
            for suffix, found in summary(sizes).items():
                yield measure(*cell, f"{name}{suffix}", found, unit=unit, n_failed=count(failed))
            yield from _by_change(cell, tested, change)


def _by_change(cell: Cell, tested: list[Tested], change: NDArray[Any]) -> Iterator[Measure]:
    """Yield how often the size changed in which direction, and how often trials rejected then."""
    groups = dict(zip(SIZE_CHANGES, (change < 0, change == 0, change > 0), strict=True))
    for name, group in groups.items():
        share = proportion(count(group), group.size)
        yield measure(*cell, "size_becomes", share, unit=PROBABILITY, reason=name)
    for each in tested:
        for name, group in groups.items():
            if group.any():
                found = proportion(count(each.rejected & group), count(group))
                yield measure(
                    *cell, "reject_by_size", found, unit=PROBABILITY, hypothesis=each.facts.hypothesis, reason=name,
                    n_failed=each.n_failed,
                )  # fmt: skip
