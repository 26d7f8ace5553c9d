"""Outcomes of the primary endpoint that are missing at the deciding cut: how many, why, and what share of those due."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from trialsim.oc.by_arm import ArmRows
from trialsim.oc.columns import Cell, Records
from trialsim.oc.measures import PATIENTS, Measure, measure
from trialsim.oc.montecarlo import mean
from trialsim.oc.rejections import Flags, count
from trialsim.oc.sizes import succeeded

MISSING = "missing:"
"""How the columns begin that count missing outcomes; the reason follows."""
Values = NDArray[np.int64]


def missing_measures(records: Records, cell: Cell, failed: Flags | None) -> Iterator[Measure]:
    """Yield how many outcomes are missing in each arm and in all, and what share of those due; where any can be.

    Parameters
    ----------
    records, cell
        Which trials.
    failed
        Replicates to leave out.
    """
    reasons = reasons_of(records)
    if not reasons:
        return
    n_failed = count(failed)
    for reason in (None, *reasons):
        of_reason = in_arms(
            records, cell, failed, [f"{MISSING}{one}" for one in reasons if reason in (None, one)]
        )
        if reason is not None and not any(values.any() for values in of_reason.values()):
            continue
        for arm, values in of_reason.items():
            if (found := mean(values)) is not None:
                keys = (*cell, "missing", found)
                yield measure(*keys, unit=PATIENTS, arm=arm, reason=reason, n_failed=n_failed)
    due, missing = (in_arms(records, cell, failed, [name]) for name in ("outcomes_due", "due_missing"))
    for arm, values in due.items():
        some = values > 0
        if (found := mean(missing[arm][some] / values[some])) is not None:
            left_out = n_failed + count(~some)
            yield measure(*cell, "outcomes_missing", found, unit="share", arm=arm, n_failed=left_out)


def reasons_of(records: Records) -> list[str]:
    """Return for which reasons outcomes can be missing in a run."""
    return [name.removeprefix(MISSING) for name in records.columns("arms") if name.startswith(MISSING)]


def in_arms(
    records: Records, cell: Cell, failed: Flags | None, columns: list[str]
) -> dict[str | None, Values]:
    """Return the sum of some columns of the table of arms by trial, in each arm and, at None, in all of them.

    Parameters
    ----------
    records, cell
        Which trials.
    failed
        Replicates to leave out.
    columns
        Whose sum.
    """
    rows = ArmRows(records, cell)
    each = [rows.values(column) for column in columns]
    found: dict[str | None, Values] = {
        arm: succeeded(np.sum([values[arm].astype(np.int64) for values in each], axis=0), failed)
        for arm in rows.names
    }
    return {None: np.sum(list(found.values()), axis=0), **found} if found else {}
