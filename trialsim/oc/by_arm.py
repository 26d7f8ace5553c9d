"""How many patients each arm receives, and how many the best one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trialsim.oc.columns import Cell, Records, numbers_of
from trialsim.oc.measures import PATIENTS, PROBABILITY, Measure, measure
from trialsim.oc.montecarlo import mean, proportion
from trialsim.oc.rejections import Flags, count
from trialsim.oc.sizes import succeeded


class ArmRows:
    """The rows of the table of arms of one cell, by arm, each in the order of the trials' replicates."""

    def __init__(self, records: Records, cell: Cell) -> None:
        arms = records.categories("arms", "arm", cell)
        self.names = arms.present()
        self._records, self._cell = records, cell
        self._replicates = records.numbers("trials", "replicate", cell)
        self._rows: dict[str, slice | NDArray[np.intp]] = {}
        size = len(self.names)
        if self._as_written(arms.codes, size):
            order = [arms.names[code] for code in arms.codes[:size].tolist()]
            self._rows = {name: slice(order.index(name), None, size) for name in self.names}
            return
        rows = records.numbers("arms", "replicate", cell)
        for name in self.names:
            self._rows[name] = self._in_order(np.flatnonzero(arms.equal(name)), rows)

    def _as_written(self, codes: NDArray[Any], size: int) -> bool:
        """Return whether the arms of a trial follow each other, always in the same order; seen a part at a time."""
        if not size or codes.size != size * self._replicates.size:
            return False
        if not (codes.reshape(-1, size) == codes[:size]).all():
            return False
        before = 0
        for part in self._records.parts("arms", ["replicate"], self._cell):
            rows = numbers_of(part["replicate"])
            for place in range(min(size, rows.size)):
                trial = (before + place) // size
                own = rows[place::size]
                if not np.array_equal(own, self._replicates[trial : trial + own.size]):
                    return False
            before += rows.size
        return True

    def values(self, column: str) -> dict[str, NDArray[Any]]:
        """Return a column by arm."""
        if column not in self._records.columns("arms"):
            return {}
        values = self._records.numbers("arms", column, self._cell)
        return {name: values[rows] for name, rows in self._rows.items()}

    def _in_order(self, rows: NDArray[np.intp], replicates: NDArray[Any]) -> NDArray[np.intp]:
        here = replicates[rows]
        if np.array_equal(here, self._replicates):
            return rows
        by_replicate = rows[np.argsort(here, kind="stable")]
        place = np.empty(rows.size, dtype=np.intp)
        place[np.argsort(self._replicates, kind="stable")] = by_replicate
        return place


def closes_arms(records: Records, cells: list[Cell]) -> bool:
    """Whether any trial of `cells` closes an arm at a look."""
    if "dropped_look" not in records.columns("arms"):
        return False
    return any(bool(np.any(records.numbers("arms", "dropped_look", cell))) for cell in cells)


def arm_measures(
    records: Records, cell: Cell, failed: Flags | None, best_arm: str, with_closing: bool, last_look: int
) -> Iterator[Measure]:
    """Yield the patients of each arm and of the best one.

    Parameters
    ----------
    records, cell
        Which trials.
    failed
        Replicates to leave out of means.
    best_arm
        The arm that is best under this truth; empty where there is none or it is unknown.
    with_closing
        Whether the design ever closes an arm.
    last_look
        How many looks the design plans.
    """
    if not records.columns("arms"):
        return
    rows = ArmRows(records, cell)
    enrolled = {name: succeeded(values, failed) for name, values in rows.values("enrolled").items()}
    for name, values in enrolled.items():
        if (found := mean(values)) is not None:
            yield measure(*cell, "arm_enrolled", found, unit=PATIENTS, arm=name, n_failed=count(failed))
    if with_closing:
        dropped = rows.values("dropped_look")
        for name, looks in dropped.items():
            closed = proportion(count(looks > 0), looks.size)
            yield measure(*cell, "arm_dropped", closed, unit=PROBABILITY, arm=name, n_failed=count(failed))
        yield from _selections(records, cell, failed, dropped, last_look)
    if best_arm not in enrolled:
        return
    best = enrolled[best_arm]
    total = np.sum(list(enrolled.values()), axis=0)
    some = total > 0
    shares = best / total if some.all() else best[some] / total[some]
    if (found := mean(best)) is not None:
        yield measure(*cell, "on_best_arm", found, unit=PATIENTS, arm=best_arm, n_failed=count(failed))
    if (found := mean(shares)) is not None:
        yield measure(
            *cell,
            "on_best_arm_share",
            found,
            unit="share",
            arm=best_arm,
            n_failed=best.size - found.n + count(failed),
        )


def _selections(
    records: Records,
    cell: Cell,
    failed: Flags | None,
    dropped: Mapping[str, NDArray[Any]],
    last_look: int,
) -> Iterator[Measure]:
    """Yield how often each arm goes on after each interim look."""
    ended = records.numbers("trials", "stop_look", cell)
    for look in range(1, last_look):
        for name, closed in dropped.items():
            on = (ended > look) & ((closed == 0) | (closed > look))
            if failed is not None:
                on &= ~failed
            found = proportion(count(on), on.size)
            yield measure(
                *cell, "arm_selected", found, unit=PROBABILITY, arm=name, look=look, n_failed=count(failed)
            )
