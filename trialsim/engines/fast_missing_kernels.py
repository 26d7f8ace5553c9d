"""A compiled loop that counts whose outcomes are missing at a cut, and why."""

# Compiled functions take arrays that the type checker cannot see into.
# mypy: disallow-untyped-defs=False

from __future__ import annotations

import numpy as np

from trialsim.compiled import kernel
from trialsim.engines.fast_count_kernels import count_in_arms
from trialsim.engines.fast_rows import row_of
from trialsim.engines.fast_straight_kernels import DEAD, WITHDRAWN
from trialsim.engines.fast_straight_kernels import LOST as LEFT_LOST
from trialsim.engines.missing_records import DIED, LOST, VISITS_MISSED
from trialsim.engines.missing_records import WITHDRAWN as BY_WITHDRAWAL


@kernel
def lost_by_arm(chosen, cut, entry, come, dropout, complete, arm, out):
    """Fill in each arm who was lost by the cut without the outcome, where patients leave by loss alone.

    Marks are bytes, which go many to a vector.

    Parameters
    ----------
    chosen, cut
        Rows of replicates, and the tick of the cut of each, ``[k]``.
    entry, come
        Ticks at which patients enter, and at which read-outs or events come, which then will be told,
        ``[replicate or 1, patient]``.
    dropout, complete
        Ticks since entry to loss and to having nothing more to give, ``[replicate or 1, patient]``.
    arm
        Arm of each patient, ``[replicate or 1, patient]``.
    out
        To fill, ``[k, arm]``.
    """
    n = arm.shape[1]
    lost = np.empty(n, np.int8)
    for k in range(len(chosen)):
        r = chosen[k]
        e = entry[row_of(entry, r)]
        d = dropout[row_of(dropout, r)]
        c = complete[row_of(complete, r)]
        t = come[row_of(come, r)]
        limit = cut[k]
        for i in range(n):
            lost[i] = (e[i] + d[i] <= limit) & (d[i] < c[i]) & (t[i] > limit)
        count_in_arms(lost, arm[row_of(arm, r)], out[k])


@kernel
def missing_by_arm(
    chosen, cut, entry, known, wait, event, ended, closed, dropout, complete, how, failed, readout, arm, out
):  # fmt: skip
    """Count in each arm whose outcome is missing at the cut, by reason, and who was due.

    Missing it is where it is neither known nor can become known, and nothing makes the patient a failure.

    Parameters
    ----------
    known, wait
        When each outcome is known, or each event that becomes known so much later.
    event, ended
        When each event happens and when an analysis knows of each end of follow-up; without rows for a read-out.
    closed
        When nobody will look for the outcome any more, ``[k, patient]``; without rows where that never comes.
    how
        How each patient leaves, ``[replicate, patient]``.
    failed
        From when on each patient counts as a failure without an outcome; without rows where nobody does.
    readout
        Ticks since entry after which a read-out is due.
    out
        To add to, ``[k, arm, reason + 2]``: by reason, then those due and those of them whose outcome is missing.
    """
    survival = len(ended) > 0
    due, due_missing = out.shape[2] - 2, out.shape[2] - 1
    for k in range(len(chosen)):
        r = chosen[k]
        e = entry[row_of(entry, r)]
        d = dropout[row_of(dropout, r)]
        c = complete[row_of(complete, r)]
        t = known[row_of(known, r)]
        a = arm[row_of(arm, r)]
        for i in range(arm.shape[1]):
            if e[i] > cut[k]:
                continue
            is_known = t[i] + wait <= cut[k]
            waited_for = survival and (ended[r, i] > cut[k] or ended[r, i] == event[r, i])
            why = -1
            if not is_known and not waited_for:
                if len(closed) > 0 and closed[k, i] <= cut[k]:
                    why = -1 if survival else VISITS_MISSED
                elif e[i] + min(d[i], c[i]) <= cut[k]:
                    why = _reason(how[r, i])
            is_missing = why >= 0 and (len(failed) == 0 or failed[r, i] > cut[k])
            if is_missing:
                out[k, a[i], why] += 1
            if survival or (e[i] + readout <= cut[k] and (is_known or why >= 0)):
                out[k, a[i], due] += 1
                out[k, a[i], due_missing] += is_missing


@kernel
def _reason(how):
    """Return for which reason an outcome is missing that was open when a patient left; -1 for none."""
    if how == LEFT_LOST:
        return LOST
    if how == WITHDRAWN:
        return BY_WITHDRAWAL
    return DIED if how == DEAD else -1
