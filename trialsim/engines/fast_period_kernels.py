"""The compiled loop that counts adverse events of journals by period since randomisation."""

# Compiled functions take arrays that the type checker cannot see into.
# mypy: disallow-untyped-defs=False

from __future__ import annotations

import numpy as np

from trialsim.compiled import kernel
from trialsim.contracts import Kind
from trialsim.engines.fast_journal_kernels import SERIOUS_ROW, kind_of, part_of, value_of
from trialsim.engines.fast_rows import row_of

_ADVERSE = int(Kind.ADVERSE_EVENT)


_BUCKETS = 1024
_LOWER_HALF = (1 << 32) - 1


@kernel
def first_periods(ends, longest):
    """Return for evenly spaced times up to ``longest`` the period that each is in, and their spacing as a power of two."""
    shift = 0
    while longest >> shift >= _BUCKETS:
        shift += 1
    found = np.empty(_BUCKETS, np.int64)
    period = 0
    for b in range(_BUCKETS):
        while period < len(ends) and ends[period] < b << shift:
            period += 1
        found[b] = period
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
    # Terms that go on as long after the last dose are at risk alike.
    like = np.empty(terms, np.int64)
    for a in range(terms):
        like[a] = a
        for b in range(a):
            if window[b] == window[a]:
                like[a] = b
                break
    # One number holds both counts: events in its lower half, serious ones in its upper half.
    events = np.zeros((*out.shape[:3], periods + 1), np.int64)
    beyond = np.zeros((*out.shape[:3], periods + 1), np.int64)
    partly = np.zeros((*out.shape[:3], periods + 1), np.int64)
    found, shift = first_periods(ends, min(ends[-1], cut.max()))
    for r in range(len(cut)):
        begun = entry[row_of(entry, r)]
        arm_of = arms[row_of(arms, r)]
        when, what, reach = ticks[r], codes[r], offsets[r]
        lost, done, dosed_until = dropout[r], complete[r], off_at[r]
        had, whole, part = events[group[r]], beyond[group[r]], partly[group[r]]
        limit = cut[r]
        for i in range(n):
            start = begun[i]
            if start > limit:
                continue
            arm = np.uint64(arm_of[i])
            for j in range(np.uint64(reach[i]), np.uint64(reach[i + 1])):
                # A row that is not counted adds nothing, without a branch.
                code = what[j]
                counts = (when[j] <= limit) & (kind_of(code) == _ADVERSE)
                serious = counts & (value_of(code) & SERIOUS_ROW != 0)
                term, time = (part_of(code), when[j] - start) if counts else (np.int64(0), np.int64(0))
                period = period_of(time, ends, found, shift)
                had[arm, np.uint64(term), np.uint64(period)] += np.int64(counts) | np.int64(serious) << 32
            stay = min(limit - start, min(lost[i], done[i]))
            dosed = dosed_until[i] - start
            known, period = np.int64(-1), np.int64(0)
            for a in range(terms):
                if like[a] != a:
                    continue
                end = min(stay, dosed + window[a])
                if end != known:  # it is the same for all terms while treatment goes on
                    known, period = end, period_of(end, ends, found, shift)
                whole[arm, np.uint64(a), np.uint64(period)] += 1
                part[arm, np.uint64(a), np.uint64(period)] += end
    for g in range(out.shape[0]):
        for arm in range(out.shape[1]):
            for a in range(terms):
                later = np.int64(0)
                for period in range(periods - 1, -1, -1):
                    out[g, arm, a, period, 0] += events[g, arm, a, period] & _LOWER_HALF
                    out[g, arm, a, period, 1] += events[g, arm, a, period] >> 32
                    begin = ends[period - 1] if period > 0 else 0
                    people = beyond[g, arm, like[a], period]
                    out[g, arm, a, period, 2] += partly[g, arm, like[a], period] - people * begin
                    out[g, arm, a, period, 2] += later * (ends[period] - begin)
                    later += people
