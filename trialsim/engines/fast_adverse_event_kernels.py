"""The compiled loop that finds what each patient's adverse events come to at a cut, from the journals of lives."""

# Compiled functions take arrays that the type checker cannot see into.
# mypy: disallow-untyped-defs=False

from __future__ import annotations

import numpy as np

from trialsim.compiled import kernel
from trialsim.contracts import Kind
from trialsim.engines.fast_journal_kernels import LEVEL_OF_ROW, SERIOUS_ROW, kind_of, part_of, value_of
from trialsim.engines.fast_rows import row_of

_ADVERSE = int(Kind.ADVERSE_EVENT)


@kernel
def count_adverse_events(
    chosen, cut, entry, counts, least, serious, within, whole, window, dropout, complete, off_at, ticks, codes, offsets,
    known, events, worst, risk,
):  # fmt: skip
    """Fill how many adverse events each patient has had by a cut, the worst of them, and the time at risk.

    Parameters
    ----------
    chosen, cut
        Replicates, and their cuts, ``[k]``.
    entry, dropout, complete, off_at, ticks, codes, offsets
        Of lives; see :func:`~trialsim.engines.fast_life_kernels.live`.
    counts
        Which terms count, ``[term]``.
    least
        Lowest level that counts.
    serious
        Whether serious ones alone count.
    within
        Ticks since randomisation in which they count.
    whole
        Whether only patients followed for as long, or who have left, are known.
    window
        Ticks after the last dose for which a patient is at risk.
    known, events, worst, risk
        To fill, ``[k, patient]``: whether the patient counts, events, the worst level (0 for none), ticks at risk.
    """
    n = offsets.shape[1] - 1
    for k in range(len(chosen)):
        r = chosen[k]
        begun, limit = entry[row_of(entry, r)], cut[k]
        for i in range(n):
            known[k, i] = False
            events[k, i] = 0
            worst[k, i] = 0
            risk[k, i] = 0
            start = begun[i]
            if start > limit:
                continue
            gone = min(dropout[r, i], complete[r, i])
            if whole and limit - start < within and gone > limit - start:
                continue
            known[k, i] = True
            until = limit if limit - start < within else start + within
            for j in range(offsets[r, i], offsets[r, i + 1]):
                code = codes[r, j]
                if ticks[r, j] > until or kind_of(code) != _ADVERSE or not counts[part_of(code)]:
                    continue
                level = value_of(code) & LEVEL_OF_ROW
                if level < least or (serious and value_of(code) & SERIOUS_ROW == 0):
                    continue
                events[k, i] += 1
                worst[k, i] = max(worst[k, i], level)
            risk[k, i] = min(min(until - start, gone), off_at[r, i] - start + window)


def empty_counts(size, patients):
    """Return arrays for :func:`count_adverse_events` to fill."""
    shape = (size, patients)
    return np.empty(shape, dtype=np.bool_), *(np.empty(shape, dtype=np.int64) for _ in range(3))
