"""What trials conclude once the data that arrive after the stop have been analysed."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from trialsim.oc.columns import Cell, Records
from trialsim.oc.measures import PATIENTS, PROBABILITY, Measure, measure
from trialsim.oc.montecarlo import mean, proportion
from trialsim.oc.rejections import Flags, Tested, count
from trialsim.oc.sizes import succeeded

METHODS = ("deletion", "combination")


def overrun_measures(
    records: Records, cell: Cell, tested: list[Tested], failed: Flags | None
) -> Iterator[Measure]:
    """Yield the measures of data after the stop of one cell; nothing where they were not analysed.

    Parameters
    ----------
    records, cell
        Which trials.
    tested
        Its hypotheses; the first one is that of the analysis.
    failed
        Replicates that failed.
    """
    if "overrun_added" not in records.columns("trials") or not tested:
        return
    p = records.numbers("trials", "overrun_p_deletion", cell)
    if not np.isfinite(p).any():
        return
    name = tested[0].facts.hypothesis
    for method in METHODS:
        flags = records.numbers("trials", f"overrun_reject_{method}", cell).astype(bool)
        if tested[0].facts.null and failed is not None:
            flags = flags | failed
        found = proportion(count(flags), flags.size)
        yield measure(
            *cell, "reject_with_overrun", found, unit=PROBABILITY, hypothesis=name, reason=method,
            n_failed=tested[0].n_failed,
        )  # fmt: skip
    added = mean(succeeded(records.numbers("trials", "overrun_added", cell), failed))
    if added is not None:
        yield measure(*cell, "overrun_added", added, unit=PATIENTS, n_failed=count(failed))
