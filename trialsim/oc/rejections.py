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


def rejection_looks(records: Records, cell: Cell, tested: Tested) -> NDArray[Any]:
    """Return the look of each rejection (0: never); a failure under the null counts from the first."""
    looks = records.numbers("trials", f"reject_look:{tested.facts.hypothesis}", cell)
    if tested.failed is None:
        return looks
    return np.where(tested.failed, 1 if tested.facts.null else 0, looks)


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
