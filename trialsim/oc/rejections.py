"""Which hypotheses a replicate rejects, and how a failed replicate counts.

A failed replicate counts as rejecting a hypothesis whose null is true and as not rejecting one whose null is
false: failing never makes a design look better.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trialsim.oc.columns import Cell, HypothesisFacts, Records

Flags = NDArray[np.bool_]

NOT_ANALYSED = "not_analysed"
NOT_FAILURES = frozenset({"ok", "", NOT_ANALYSED})


@dataclass(frozen=True, slots=True)
class Tested:
    """One hypothesis in one cell: `rejected` counts failures in; `failed` is ``None`` where none failed.

    `unanalysed` are the replicates that ended without analysing it and did not fail, ``None`` where there is none.
    """

    facts: HypothesisFacts
    rejected: Flags
    failed: Flags | None
    unanalysed: Flags | None = None

    @property
    def n_failed(self) -> int:
        """Return how many replicates failed."""
        return count(self.failed)


def count(flags: Flags | None) -> int:
    """Return how many are true; none where there are no flags."""
    return 0 if flags is None else int(np.count_nonzero(flags))


def either(first: Flags | None, second: Flags | None) -> Flags | None:
    """Return the union of two sets of replicates."""
    if first is None or second is None:
        return second if first is None else first
    return first | second


def failed_replicates(records: Records, cell: Cell) -> Flags | None:
    """Return the replicates whose status is ``failed``; ``None`` where there is none."""
    failed = records.categories("trials", "status", cell).equal("failed")
    return failed if failed.any() else None


def any_failed(records: Records, cell: Cell) -> bool:
    """Return whether the analysis of any hypothesis failed in any replicate, whether or not that ended it."""
    return any(
        not NOT_FAILURES.issuperset(records.categories("trials", name, cell).present())
        for name in records.columns("trials")
        if name.startswith("status:")
    )


def tested_hypotheses(records: Records, cell: Cell, failed: Flags | None) -> list[Tested]:
    """Return every hypothesis that the design tests, with what its replicates rejected."""
    columns = set(records.columns("trials"))
    found = []
    for facts in records.facts():
        if (facts.design, facts.truth) != cell or f"reject:{facts.hypothesis}" not in columns:
            continue
        failed_here, unanalysed = failed, None
        if f"status:{facts.hypothesis}" in columns:
            status = records.categories("trials", f"status:{facts.hypothesis}", cell)
            present = status.present()
            if present == ("",):
                continue
            for name in present:
                if name not in NOT_FAILURES:
                    failed_here = either(failed_here, status.equal(name))
            if NOT_ANALYSED in present:
                unanalysed = status.equal(NOT_ANALYSED)
                unanalysed = unanalysed if failed_here is None else unanalysed & ~failed_here
        rejected = records.numbers("trials", f"reject:{facts.hypothesis}", cell).astype(np.bool_, copy=False)
        if failed_here is not None:
            rejected = np.where(failed_here, facts.null, rejected)
        none = unanalysed is None or not unanalysed.any()
        found.append(Tested(facts, rejected, failed_here, None if none else unanalysed))
    return found


def rejection_looks(records: Records, cell: Cell, tested: Tested, last_look: int) -> NDArray[Any]:
    """Return the look of each rejection (0: never); a failure counts under the null from the look at which it came.

    A test that was rejected before counts from its rejection.

    Parameters
    ----------
    records, cell
        Which trials.
    tested
        The hypothesis.
    last_look
        How many looks the design plans.
    """
    looks = records.numbers("trials", f"reject_look:{tested.facts.hypothesis}", cell)
    if tested.failed is None:
        return looks
    if not tested.facts.null:
        return np.where(tested.failed, 0, looks)
    came = _failure_looks(records, cell, tested, last_look)
    earlier = (looks > 0) & (looks < came)
    return np.where(tested.failed & ~earlier, came, looks)


def _failure_looks(records: Records, cell: Cell, tested: Tested, last_look: int) -> NDArray[Any]:
    """Return the look at which each replicate that failed for a hypothesis did so; of others it means nothing.

    A replicate that ended at a look failed for every hypothesis with the first analysis that did. Runs of an earlier
    version do not tell at which look that was: it is taken to be the one that ended the trial, or else the last planned.
    """
    columns = records.columns("trials")
    own = f"failed_look:{tested.facts.hypothesis}"
    if own not in columns:
        ended = records.numbers("trials", "stop_look", cell)
        return np.where(ended > 0, ended, last_look)
    first = records.numbers("trials", own, cell)
    if (failed := failed_replicates(records, cell)) is None:
        return first
    for name in columns:
        if name.startswith("failed_look:") and name != own:
            other = records.numbers("trials", name, cell)
            sooner = failed & (other > 0) & ((other < first) | (first == 0))
            first = np.where(sooner, other, first)
    return first


def any_rejected(tested: Sequence[Tested]) -> tuple[Flags, int]:
    """Return the replicates that reject at least one of `tested`, and how many of them failed."""
    flags = tested[0].rejected
    failed = tested[0].failed
    for each in tested[1:]:
        flags = flags | each.rejected
        failed = either(failed, each.failed)
    return flags, count(failed)


def all_rejected(tested: Sequence[Tested]) -> tuple[Flags, int]:
    """Return the replicates that reject all of `tested`, and how many of them failed."""
    flags = tested[0].rejected
    failed = tested[0].failed
    for each in tested[1:]:
        flags = flags & each.rejected
        failed = either(failed, each.failed)
    return flags, count(failed)
