"""Compiled loops of the fast engine for numbers at risk: exits sorted from look to look, and who is still followed.

Arrays are ``[replicate, patient]``; an array that is the same for every replicate has one row, and is read through
``row_of``. Times are ticks.
"""

# Compiled functions take arrays that the type checker cannot see into.
# mypy: disallow-untyped-defs=False

from __future__ import annotations

import numpy as np

from trialsim.bit_marks import PATIENTS_A_WORD, above, bits_before, up_to, words_for
from trialsim.compiled import inline, kernel
from trialsim.elementary import lowest_one, ones_in
from trialsim.engines.fast_rows import entered_by, row_of

PATIENT_BITS = 20
PATIENT_MASK = (1 << PATIENT_BITS) - 1
LOWER_HALF = (1 << 32) - 1
NO_KEY = np.iinfo(np.int64).max


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
    words = words_for(exit_at.shape[1])
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
        for word in range(words):
            found = up_to(out, word, limit) & above(out, word, since)
            while found != 0:
                i = np.uint64(PATIENTS_A_WORD * word) + lowest_one(found)
                found &= found - np.uint64(1)
                t = out[i]
                mine[np.uint64(size)] = exit_key(t - e[i], event[i] != t, i)
                size += 1
        sizes[r] = size
        seen[r] = limit
        longest = max(longest, size)
    return longest


@kernel
def leave_room(keys, sizes, longest):
    """Fill what follows each replicate's list of exits, up to the longest, with keys that sort after all others.

    ``keys`` is ``[replicate, patient]``, of which ``sizes``, ``[replicate]``, are lists; ``longest`` is at least the size
    of all that will be sorted.
    """
    for r in range(len(keys)):
        keys[r, sizes[r] : longest] = NO_KEY


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
    words = words_for(n)
    # One number holds both counts: patients in its lower half, patients on treatment in its upper half.
    member = np.empty((stratum_count, n), np.int64)
    # Who belongs, and who of them is still followed, as marks: patients, and patients on treatment. One more word spares
    # a test at the end.
    members = np.empty((stratum_count, 2, words), np.uint64)
    stay = np.zeros((2, words + 1), np.uint64)
    followed = np.empty(words + 1, np.int64)
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
        for stratum in range(stratum_count):
            belongs = member[stratum]
            if k == 0 or not alike:
                g = arm[row_of(arm, r)]
                s = strata[row_of(strata, r)]
                for i in range(n):
                    here = np.int64((s[i] == stratum) & ((g[i] == treatment) | (g[i] == control)))
                    belongs[i] = here | (here & np.int64(g[i] == treatment)) << 32
                for word in range(words):
                    members[stratum, 0, word] = above(belongs, word, np.int64(0))
                    members[stratum, 1, word] = above(belongs, word, np.int64(LOWER_HALF))
            to_come = np.int64(0)
            total = np.int64(0)
            for word in range(words):
                # Of those who have not entered by the cut nobody has left.
                left = up_to(out, word, limit)
                stay[0, word], stay[1, word] = (
                    members[stratum, 0, word] & ~left,
                    members[stratum, 1, word] & ~left,
                )
                followed[word] = total
                total += ones_in(stay[0, word]) | ones_in(stay[1, word]) << 32
                to_come += ones_in(members[stratum, 0, word] & left)
                to_come += ones_in(members[stratum, 1, word] & left) << 32
            followed[words] = total
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
                    early = np.uint64(entered_by(limit - time, e, index, shift))
                    there, before = early // np.uint64(PATIENTS_A_WORD), bits_before(early)
                    at = to_come + followed[there]
                    at += ones_in(stay[0, there] & before) | ones_in(stay[1, there] & before) << 32
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
