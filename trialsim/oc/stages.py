"""What a split of stages by patients leaves untested."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from trialsim.oc.columns import Cell, Records
from trialsim.oc.measures import EVENTS, Measure, measure
from trialsim.oc.montecarlo import mean
from trialsim.oc.rejections import Flags, count
from trialsim.oc.sizes import succeeded


def stage_measures(records: Records, cell: Cell, failed: Flags | None) -> Iterator[Measure]:
    """Yield the measures of the stages of one cell; nothing where these are not split by patients.

    Parameters
    ----------
    records, cell
        Which trials.
    failed
        Replicates that failed.
    """
    if "events_untested" not in records.columns("trials"):
        return
    untested = succeeded(records.numbers("trials", "events_untested", cell), failed)
    found = mean(untested[np.isfinite(untested)])
    if found is not None:
        yield measure(*cell, "events_untested", found, unit=EVENTS, n_failed=count(failed))
