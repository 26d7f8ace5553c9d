"""Hypotheses that trials end without analysing, and looks whose analysis had no result."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from trialsim.oc.columns import Categories, Cell, Records
from trialsim.oc.measures import PROBABILITY, Measure, measure
from trialsim.oc.montecarlo import proportion
from trialsim.oc.rejections import NOT_ANALYSED, NOT_FAILURES, Flags, Tested, count

NEEDED = frozenset({"replicate", "look", "hypothesis", "status"})


def analysis_measures(records: Records, cell: Cell, tested: Tested) -> Iterator[Measure]:
    """Yield how often a hypothesis is not analysed, and how often which look has no result; nothing where never.

    Parameters
    ----------
    records, cell
        Which trials; looks that were not recorded are passed over.
    tested
        The hypothesis.
    """
    name, failed = tested.facts.hypothesis, tested.n_failed
    if tested.unanalysed is not None:
        never = proportion(count(tested.unanalysed), tested.unanalysed.size)
        yield measure(*cell, "not_analysed", never, unit=PROBABILITY, hypothesis=name, n_failed=failed)
    for look, reasons, analysed in looks_without_result(records, cell, name):
        every: list[tuple[str | None, int]] = [(None, sum(reasons.values())), *reasons.items()]
        for reason, number in every:
            found = proportion(number, analysed)
            yield measure(
                *cell,
                "no_result",
                found,
                unit=PROBABILITY,
                hypothesis=name,
                look=look,
                reason=reason,
                n_failed=failed,
            )


def any_without_result(records: Records, cell: Cell) -> bool:
    """Return whether any hypothesis had no result at any look; not where looks were not recorded."""
    if not set(records.columns("looks")) >= NEEDED:
        return False
    return bool(_without_result(records.categories("looks", "status", cell)))


def _without_result(status: Categories) -> list[str]:
    """Return the statuses that occur and say that there was no result."""
    return [name for name in status.present() if name not in NOT_FAILURES]


def looks_without_result(
    records: Records, cell: Cell, hypothesis: str, interim: bool = False
) -> Iterator[tuple[int, dict[str, int], int]]:
    """Yield each look at which a hypothesis had no result: how often for which reason, and in how many trials at all.

    Parameters
    ----------
    records, cell, hypothesis
        Which trials, and what they test.
    interim
        Whether those that no look followed which analysed the hypothesis too are left out: they are failures.
    """
    if not set(records.columns("looks")) >= NEEDED:
        return
    status = records.categories("looks", "status", cell)
    wrong = _without_result(status)
    if not wrong:
        return
    analysed = ~(status.equal(NOT_ANALYSED) | status.equal(""))
    analysed &= records.categories("looks", "hypothesis", cell).equal(hypothesis)
    looks = records.numbers("looks", "look", cell)
    told: Flags = analysed
    if interim:
        replicates = np.unique(records.numbers("looks", "replicate", cell), return_inverse=True)[1]
        last = np.zeros(int(replicates.max(initial=0)) + 1, dtype=np.int64)
        np.maximum.at(last, replicates[analysed], looks[analysed])
        told = analysed & (looks < last[replicates])
    for look in range(1, int(looks.max(initial=0)) + 1):
        here = looks == look
        reasons = {name: count(status.equal(name) & told & here) for name in wrong}
        if any(reasons.values()):
            found = {
                name: reasons[name]
                for name in sorted(reasons, key=lambda name: -reasons[name])
                if reasons[name]
            }
            yield look, found, count(analysed & here)
