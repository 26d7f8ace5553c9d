"""Compiled loops of the fast engine for numbers at risk: exits sorted from look to look, and who is still followed.

Arrays are ``[replicate, patient]``; an array that is the same for every replicate has one row, and is read through
``row_of``. Times are ticks.
"""

# Compiled functions take arrays that the type checker cannot see into.
# mypy: disallow-untyped-defs=False

from __future__ import annotations

import numpy as np

from trialsim.compiled import kernel
from trialsim.engines.fast_rows import entered_by, row_of

PATIENT_BITS = 20
PATIENT_MASK = (1 << PATIENT_BITS) - 1
LOWER_BITS = (1 << PATIENT_BITS + 1) - 1
BUCKETS = 4
LOWER_HALF = (1 << 32) - 1


@kernel
def sort_keys(keys, size, largest, spare, counts):
    """Sort ``keys[:size]``, none above ``largest``: spread over buckets by leading bits, then insert within reach."""
    shift = np.int64(0)
    while (largest >> shift) >= BUCKETS * (size + 1):
        shift += 1
    buckets = (largest >> shift) + 1
    counts[:buckets] = 0
    for j in range(size):
        counts[np.uint64(keys[j] >> shift)] += 1
    place = np.int64(0)
    for b in range(buckets):
        c = counts[b]
        counts[b] = place
        place += c
    for j in range(size):
        b = np.uint64(keys[j] >> shift)
        spare[np.uint64(counts[b])] = keys[j]
        counts[b] += 1
    x = np.int64(-1)
    for j in range(size):
        before = x
        x = spare[j]
        k = j - 1
        if before > x:
            while k >= 0 and keys[k] > x:
                keys[k + 1] = keys[k]
                k -= 1
            keys[k + 1] = x
            x = before
        else:
            keys[j] = x


@kernel
def sort_new_exits(chosen, cut, seen, entry, starts, shift, exit_at, event_at, keys, sizes):
    """Merge the exits in (``seen[r]``, ``cut``] into each replicate's sorted list of exits.

    A key packs time since entry, whether it is no event, and the patient, so that events come first among ties.
    ``keys[r, :sizes[r]]`` is the list; ``seen`` is moved to the cut. ``starts`` and ``shift`` are of
    :func:`~trialsim.engines.fast_rows.index_entries`.
    """
    n = exit_at.shape[1]
    fresh = np.empty(n + 1, np.int64)
    spare = np.empty(n + 1, np.int64)
    counts = np.empty(BUCKETS * (n + 1), np.int64)
    for k in range(len(chosen)):
        r = chosen[k]
        e = entry[row_of(entry, r)]
        since = seen[r]
        limit = cut[k]
        out = exit_at[r]
        event = event_at[r]
        size = 0
        entered = entered_by(max(limit, 0), e, starts[row_of(starts, r)], shift)
        for i in range(entered):
            t = out[i]
            fresh[np.uint64(size)] = (
                ((t - e[i]) << (PATIENT_BITS + 1)) | (np.int64(event[i] != t) << PATIENT_BITS) | i
            )
            size += np.int64((t <= limit) & (t > since))
        sort_keys(fresh, size, (max(limit, 0) << (PATIENT_BITS + 1)) | LOWER_BITS, spare, counts)
        old = sizes[r]
        a = old - 1
        b = size - 1
        mine = keys[r]
        while a >= 0 and b >= 0:
            x = mine[np.uint64(a)]
            y = fresh[np.uint64(b)]
            mine[np.uint64(a + b + 1)] = max(x, y)
            a -= np.int64(x > y)
            b -= np.int64(x < y)
        for j in range(b + 1):
            mine[j] = fresh[j]
        sizes[r] = old + size
        seen[r] = limit


@kernel
def numbers_at_risk(
    chosen,
    cut,
    entry,
    starts,
    shift,
    exit_at,
    arm,
    strata,
    stratum_count,
    keys,
    sizes,
    treatment,
    control,
    offsets,
    at_risk,
    at_risk_treatment,
    events,
    events_treatment,
):
    """Fill the risk tables of two arms, one stratum after the other.

    At risk at a time since entry are those whose exit, seen by the cut, is yet to come, and those still followed who
    entered early enough: a difference of running totals over the sorted exits, and a total over the order of entry.
    """
    n = exit_at.shape[1]
    # One number holds both counts: patients in its lower half, patients on treatment in its upper half.
    member = np.empty((stratum_count, n), np.int64)
    followed = np.empty(n + 1, np.int64)
    alike = arm.shape[0] == 1 and strata.shape[0] == 1
    row = 0
    offsets[0] = 0
    for k in range(len(chosen)):
        r = chosen[k]
        e = entry[row_of(entry, r)]
        index = starts[row_of(starts, r)]
        out = exit_at[r]
        mine = keys[r]
        limit = cut[k]
        entered = entered_by(limit, e, index, shift) if limit >= 0 else 0
        for stratum in range(stratum_count):
            belongs = member[stratum]
            if k == 0 or not alike:
                g = arm[row_of(arm, r)]
                s = strata[row_of(strata, r)]
                for i in range(n):
                    here = np.int64((s[i] == stratum) & ((g[i] == treatment) | (g[i] == control)))
                    belongs[i] = here | (here & np.int64(g[i] == treatment)) << 32
            to_come = np.int64(0)
            total = np.int64(0)
            followed[0] = 0
            for i in range(entered):
                stays = belongs[i] * np.int64(out[i] > limit)
                total += stays
                to_come += belongs[i] - stays
                followed[i + 1] = total
            time = np.int64(-1)
            at = np.int64(0)
            had = np.int64(0)
            # A row is written at once and kept if a later exit finds that it holds an event.
            for q in range(sizes[r]):
                key = mine[np.uint64(q)]
                who = belongs[np.uint64(key & PATIENT_MASK)]
                if key >> (PATIENT_BITS + 1) != time:
                    row += np.int64(had > 0)
                    had = np.int64(0)
                    time = key >> (PATIENT_BITS + 1)
                    at = to_come + followed[np.uint64(entered_by(limit - time, e, index, shift))]
                had += who * np.int64((key >> PATIENT_BITS) & 1 == 0)
                to_come -= who
                w = np.uint64(row)
                at_risk[w] = at & LOWER_HALF
                at_risk_treatment[w] = at >> 32
                events[w] = had & LOWER_HALF
                events_treatment[w] = had >> 32
            row += np.int64(had > 0)
        offsets[k + 1] = row
    return row
