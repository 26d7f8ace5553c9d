"""When the looks come, among the trials that reach them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trialsim.oc.columns import Cell, Records, numbers_of
from trialsim.oc.measures import DAYS, Measure, measure
from trialsim.oc.montecarlo import mean
from trialsim.oc.rejections import Flags, count


def _one_of_each(records: Records, cell: Cell, looks: NDArray[Any], tests: int) -> NDArray[Any] | None:
    """Return the number of each look, where its rows follow each other, one a hypothesis, always in the same order.

    So they are written; None where they lie otherwise.
    """
    if not looks.size or looks.size % tests or "hypothesis" not in records.columns("looks"):
        return None
    codes = records.categories("looks", "hypothesis", cell).codes.reshape(-1, tests)
    first = codes[0] if len(codes) else codes
    if np.unique(first).size != first.size or not all((codes[:, t] == first[t]).all() for t in range(tests)):
        return None
    numbers = looks.reshape(-1, tests)
    return numbers[:, 0] if all((numbers[:, t] == numbers[:, 0]).all() for t in range(1, tests)) else None


def look_measures(records: Records, cell: Cell, failed: Flags | None) -> Iterator[Measure]:
    """Yield the mean time of each look's data cut.

    Parameters
    ----------
    records, cell
        Which trials; nothing is reported where their looks were not recorded.
    failed
        Replicates to leave out.
    """
    if "cut_time" not in records.columns("looks"):
        return
    tests = sum((fact.design, fact.truth) == cell for fact in records.facts())
    times = (
        _by_look(records, cell)
        if tests == 1 and failed is None
        else _by_look_of(records, cell, failed, tests)
    )
    for look in sorted(times):
        reached = mean(times[look])
        if reached is not None:
            yield measure(*cell, "look_time", reached, unit=DAYS, look=look, n_failed=count(failed))


def _by_look(records: Records, cell: Cell) -> dict[int, NDArray[Any]]:
    """Return the times of each look, where every row is a look of its own and counts; a part at a time."""
    found: dict[int, list[NDArray[Any]]] = {}
    for part in records.parts("looks", ("look", "cut_time"), cell):
        looks, times = numbers_of(part["look"]), numbers_of(part["cut_time"])
        for look in range(1, int(looks.max(initial=0)) + 1):
            found.setdefault(look, []).append(times[looks == look])
    return {look: np.concatenate(parts) for look, parts in found.items()}


def _by_look_of(records: Records, cell: Cell, failed: Flags | None, tests: int) -> dict[int, NDArray[Any]]:
    """Return the times of each look, of whose rows, one a hypothesis, one stands for all."""
    looks = records.numbers("looks", "look", cell)
    if tests > 1 and failed is None and (numbers := _one_of_each(records, cell, looks, tests)) is not None:
        times = records.numbers("looks", "cut_time", cell, step=tests)
        looks, tests = numbers, 1
    else:
        times = records.numbers("looks", "cut_time", cell)
    several = tests != 1
    if several or failed is not None:
        kept = np.ones(looks.size, dtype=np.bool_)
        replicates = records.numbers("looks", "replicate", cell)
        if several:  # a row per hypothesis: one of them stands for the look
            keys = replicates * (int(looks.max(initial=0)) + 1) + looks
            if (np.diff(keys) >= 0).all():
                kept[1:] = np.diff(keys) > 0
            else:
                kept[:] = False
                kept[np.unique(keys, return_index=True)[1]] = True
        if failed is not None:
            kept &= ~np.isin(replicates, records.numbers("trials", "replicate", cell)[failed])
        looks, times = looks[kept], times[kept]
    return {look: times[looks == look] for look in range(1, int(looks.max(initial=0)) + 1)}
