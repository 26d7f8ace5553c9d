"""Compiled loops of the fast engine for numbers at risk where an exit may be known later than it happens.

They run along two sorted lists where :mod:`~trialsim.engines.fast_risk_kernels` looks up running totals, which count on
every exit being known at once. Arrays are ``[replicate, patient]``; an array that is the same for every replicate has one
row, and is read through ``row_of``. Times are ticks.
"""

# Compiled functions take arrays that the type checker cannot see into.
# mypy: disallow-untyped-defs=False

from __future__ import annotations

import numpy as np

from trialsim.compiled import kernel
from trialsim.engines.fast_risk_kernels import LOWER_HALF, PATIENT_BITS, PATIENT_MASK, exit_key
from trialsim.engines.fast_rows import row_of


@kernel
def add_exits_as_known(chosen, cut, seen, exit_at, known_at, event_at, entry, keys, sizes):
    """Add the exits that become known in (``seen[r]``, ``cut``] to each list, unsorted; return the longest size.

    See :func:`~trialsim.engines.fast_risk_kernels.add_new_exits`.
    """
    n = exit_at.shape[1]
    longest = 0
    for k in range(len(chosen)):
        r = chosen[k]
        e = entry[row_of(entry, r)]
        since = seen[r]
        limit = cut[k]
        out = exit_at[r]
        known = known_at[r]
        event = event_at[r]
        size = sizes[r]
        for i in range(n):
            if since < known[i] <= limit:
                keys[r, size] = exit_key(out[i] - e[i], event[i] != out[i], i)
                size += 1
        sizes[r] = size
        seen[r] = limit
        longest = max(longest, size)
    return longest


@kernel
def numbers_at_risk_as_known(
    chosen,
    cut,
    entry,
    known_at,
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

    Two lists run side by side in time since entry: exits seen by the cut, sorted, and patients still followed, who
    leave the risk set in the reverse order of their entry. Whoever's exit is not known yet is still followed.
    """
    n = known_at.shape[1]
    member = np.empty(n, np.int64)
    row = 0
    offsets[0] = 0
    for k in range(len(chosen)):
        r = chosen[k]
        e = entry[row_of(entry, r)]
        g = arm[row_of(arm, r)]
        s = strata[row_of(strata, r)]
        out = known_at[r]
        mine = keys[r]
        limit = cut[k]
        entered = np.searchsorted(e, limit, side="right")
        for stratum in range(stratum_count):
            # One number holds both counts: patients in its lower half, patients on treatment in its upper half.
            total = np.int64(0)
            for i in range(n):
                here = np.int64((s[i] == stratum) & ((g[i] == treatment) | (g[i] == control)))
                member[i] = here | (here & np.int64(g[i] == treatment)) << 32
            for i in range(entered):
                total += member[i]
            j = entered - 1
            q = 0
            while q < sizes[r]:
                time = mine[q] >> (PATIENT_BITS + 1)
                while j >= 0 and limit - e[j] < time:
                    total -= member[j] * np.int64(out[j] > limit)
                    j -= 1
                had = np.int64(0)
                gone = np.int64(0)
                while q < sizes[r] and mine[q] >> (PATIENT_BITS + 1) == time:
                    who = member[np.uint64(mine[q] & PATIENT_MASK)]
                    had += who * np.int64((mine[q] >> PATIENT_BITS) & 1 == 0)
                    gone += who
                    q += 1
                at_risk[row] = total & LOWER_HALF
                at_risk_treatment[row] = total >> 32
                events[row] = had & LOWER_HALF
                events_treatment[row] = had >> 32
                row += np.int64(had > 0)
                total -= gone
        offsets[k + 1] = row
    return row
