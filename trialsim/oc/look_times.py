"""When the looks come, among the trials that reach them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from trialsim.oc.columns import Cell, Records
from trialsim.oc.measures import DAYS, Measure, measure
from trialsim.oc.montecarlo import mean
from trialsim.oc.rejections import Flags, count


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
    looks = records.numbers("looks", "look", cell)
    times = records.numbers("looks", "cut_time", cell)
    several = sum((fact.design, fact.truth) == cell for fact in records.facts()) != 1
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
    for look in range(1, int(looks.max(initial=0)) + 1):
        reached = mean(times[looks == look])
        if reached is not None:
            yield measure(*cell, "look_time", reached, unit=DAYS, look=look, n_failed=count(failed))
