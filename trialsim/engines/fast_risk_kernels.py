"""Compiled loops of the fast engine for numbers at risk: exits sorted from look to look, and who is still followed.

Arrays are ``[replicate, patient]``; an array that is the same for every replicate has one row, and is read through
``row_of``. Times are ticks.
"""

# Compiled functions take arrays that the type checker cannot see into.
# mypy: disallow-untyped-defs=False

from __future__ import annotations

import numpy as np

from trialsim.compiled import inline, kernel
from trialsim.elementary import lowest_one
from trialsim.engines.fast_rows import entered_by, row_of

PATIENT_BITS = 20
PATIENT_MASK = (1 << PATIENT_BITS) - 1
LOWER_HALF = (1 << 32) - 1
NO_KEY = np.iinfo(np.int64).max
_GATHER = np.uint64(0x0102040810204080)
"""Times eight bytes of 0 or 1, it holds them as the bits of its highest byte, the first one lowest."""


@inline
def exit_key(time, no_event, patient):
    """Pack an exit so that keys sort by time since entry, events first among ties, then by patient."""
    return (time << (PATIENT_BITS + 1)) | (np.int64(no_event) << PATIENT_BITS) | np.int64(patient)


@kernel
def add_new_exits(chosen, cut, seen, exit_at, event_at, entry, keys, sizes):
    """Add the exits in (``seen[r]``, ``cut``] to each replicate's list of exits, unsorted; return the longest size.

    A key packs time since entry, whether it is no event, and the patient, so that events come first among ties.
    ``keys[r, :sizes[r]]`` is the list; ``seen`` is moved to the cut.
    """
    n = exit_at.shape[1]
    # A byte a patient, found in vectors; then a bit a patient, so that only the new ones are visited.
    new = np.zeros(-(-n // 64) * 64, np.int8)
    eights = new.view(np.uint64)
    longest = 0
    for k in range(len(chosen)):
        r = chosen[k]
        e = entry[row_of(entry, r)]
        since = seen[r]
        limit = cut[k]
        out = exit_at[r]
        event = event_at[r]
        mine = keys[r]
        size = sizes[r]
        for i in range(n):
            new[i] = (out[i] <= limit) & (out[i] > since)
        for j in range(0, len(eights), 8):
            found = np.uint64(0)
            for b in range(8):
                found |= (eights[j + b] * _GATHER >> np.uint64(56)) << np.uint64(8 * b)
            while found != 0:
                i = np.uint64(8 * j) + lowest_one(found)
                found &= found - np.uint64(1)
                t = out[i]
                mine[np.uint64(size)] = exit_key(t - e[i], event[i] != t, i)
                size += 1
        sizes[r] = size
        seen[r] = limit
        longest = max(longest, size)
    return longest


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
