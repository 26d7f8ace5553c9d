"""The compiled loop that counts adverse events of journals by period since randomisation."""

# Compiled functions take arrays that the type checker cannot see into.
# mypy: disallow-untyped-defs=False

from __future__ import annotations

import numpy as np

from trialsim.compiled import kernel
from trialsim.contracts import Kind
from trialsim.engines.fast_rows import row_of

_ADVERSE, _SERIOUS = int(Kind.ADVERSE_EVENT), int(Kind.SERIOUS)


_BUCKETS = 256


@kernel
def first_periods(ends):
    """Return for evenly spaced times the period that each is in, and their spacing as a power of two."""
    shift = 0
    while ends[-1] >> shift >= _BUCKETS:
        shift += 1
    found = np.empty(_BUCKETS, np.int64)
    for b in range(_BUCKETS):
        found[b] = np.searchsorted(ends, b << shift)
    return found, shift


@kernel
def period_of(time, ends, found, shift):
    """Return the first period that does not end before a time, the number of periods where all do."""
    period = found[np.uint64(min(time >> shift, _BUCKETS - 1))]
    while period < len(ends) and ends[np.uint64(period)] < time:
        period += 1
    return period


@kernel
def count_by_period(
    cut, entry, arms, window, ends, group, dropout, complete, off_at, ticks, codes, offsets, out
):
    """Add up events, serious events and ticks at risk by group of trials, arm, term and period.

    A patient's time at risk is noted where it ends; who is at risk beyond a period is at risk in all of it.

    Parameters
    ----------
    cut
        Tick up to which is counted, ``[replicate]``.
    entry, arms, dropout, complete, off_at, ticks, codes, offsets
        Of lives; see :func:`~trialsim.engines.fast_life_kernels.live`.
    window
        Ticks after the last dose for which each term goes on, ``[term]``.
    ends
        Ends of the periods, in ticks since randomisation, ``[period]``.
    group
        Group of each trial, ``[replicate]``.
    out
        Zeros to be filled, ``[group, arm, term, period, 3]``.
    """
    n = offsets.shape[1] - 1
    periods = len(ends)
    terms = len(window)
    beyond = np.zeros((*out.shape[:3], periods + 1), np.int64)
    found, shift = first_periods(ends)
    for r in range(len(cut)):
        g = group[r]
        begun = entry[row_of(entry, r)]
        arm_of = arms[row_of(arms, r)]
        for i in range(n):
            start = begun[i]
            if start > cut[r]:
                continue
            arm = arm_of[i]
            for j in range(offsets[r, i], offsets[r, i + 1]):
                kind = (codes[r, j] >> 16) & 255
                if ticks[r, j] <= cut[r] and kind in (_ADVERSE, _SERIOUS):
                    period = period_of(ticks[r, j] - start, ends, found, shift)
                    out[g, arm, codes[r, j] & 65535, period, np.int64(kind == _SERIOUS)] += 1
            stay = min(cut[r] - start, min(dropout[r, i], complete[r, i]))
            dosed = off_at[r, i] - start
            known, period = np.int64(-1), np.int64(0)
            for a in range(terms):
                end = min(stay, dosed + window[a])
                if end != known:  # it is the same for all terms while treatment goes on
                    known, period = end, period_of(end, ends, found, shift)
                beyond[g, arm, a, period] += 1
                out[g, arm, a, period, 2] += end - (ends[period - 1] if period > 0 else 0)
    for g in range(out.shape[0]):
        for arm in range(out.shape[1]):
            for a in range(terms):
                later = np.int64(0)
                for period in range(periods - 1, 0, -1):
                    later += beyond[g, arm, a, period]
                    width = ends[period - 1] - (ends[period - 2] if period > 1 else 0)
                    out[g, arm, a, period - 1, 2] += later * width
