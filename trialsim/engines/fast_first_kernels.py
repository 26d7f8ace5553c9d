"""Compiled loops of the fast engine over the first so many patients of each replicate, who only ever become more.

Where read-outs come in the order of entry, what is known at a cut is what the first so many patients amount to, and each
cut adds to the one before. Arrays are ``[replicate, patient]`` or ``[replicate, arm]``; ``counted[replicate]`` tells how
many patients are counted already. A cut that lies before the last one starts again from nobody.
"""

# Compiled functions take arrays that the type checker cannot see into.
# mypy: disallow-untyped-defs=False

from __future__ import annotations

import numpy as np

from trialsim.bit_marks import PATIENTS_A_WORD
from trialsim.compiled import kernel
from trialsim.elementary import ones_in
from trialsim.engines.fast_rows import entered_by, row_of

_BYTES = 224


@kernel
def first_entered(chosen, until, entry, starts, shift, coming, out):
    """Fill how many of those who come have entered by a time of each replicate, ``[k]``."""
    for k in range(len(chosen)):
        r = chosen[k]
        entered = 0
        if until[k] >= 0:
            entered = entered_by(until[k], entry[row_of(entry, r)], starts[row_of(starts, r)], shift)
        out[k] = min(entered, coming[row_of(coming, r)])


@kernel
def patients_in(arm, a):
    """Return how many of some patients are in an arm: bytes are counted in bytes, as many at once as go into a vector."""
    count = np.int64(0)
    for begin in range(0, len(arm), _BYTES):
        some = arm[begin : begin + _BYTES]
        few = np.uint8(0)
        for i in range(len(some)):
            few = np.uint8(few + np.uint8(some[i] == a))
        count += np.int64(few)
    return count


@kernel
def begin_count(r, upto, counted, n, total):
    """Return with whom a replicate's count goes on; a cut before the last one starts again."""
    if upto < counted[r]:
        counted[r] = 0
        n[r] = 0
        total[r] = 0.0
    return counted[r]


@kernel
def add_patients(chosen, upto, arm, counted, n, total):
    """Count the first ``upto[k]`` patients of each chosen replicate by arm."""
    for k in range(len(chosen)):
        r = chosen[k]
        mine = arm[r, begin_count(r, upto[k], counted, n, total) : upto[k]]
        if len(mine):
            for a in range(n.shape[1]):
                n[r, a] += patients_in(mine, a)
        counted[r] = upto[k]


@kernel
def add_responses(chosen, upto, arm, outcome, counted, n, total):
    """Count the first ``upto[k]`` patients of each chosen replicate and their responses by arm.

    Outcomes are bits, 64 patients in a word: an arm's patients become bits as well, and both are counted at once.
    """
    for k in range(len(chosen)):
        r = chosen[k]
        begin, end = begin_count(r, upto[k], counted, n, total), upto[k]
        while begin < end:
            word = begin // PATIENTS_A_WORD
            from_patient = word * PATIENTS_A_WORD
            before = np.uint64(begin - from_patient)
            mine = arm[r, from_patient : min(end, from_patient + PATIENTS_A_WORD)]
            for a in range(n.shape[1]):
                bits = np.uint64(0)
                for j in range(len(mine)):
                    bits |= np.uint64(mine[j] == a) << np.uint64(j)
                bits = bits >> before << before
                n[r, a] += ones_in(bits)
                total[r, a] += ones_in(bits & outcome[r, word])
            begin = from_patient + len(mine)
        counted[r] = upto[k]


@kernel
def add_values(chosen, upto, arm, outcome, counted, n, total):
    """Count the first ``upto[k]`` patients of each chosen replicate and sum their values by arm, in the order of entry.

    An addition waits for the one before in its arm; those of four replicates fill the wait.
    """
    begin = np.empty(4, np.int64)
    for k in range(0, len(chosen), 4):
        four, ends = chosen[k : k + 4], upto[k : k + 4]
        alike = len(four) == 4
        for j in range(len(four)):
            begin[j] = begin_count(four[j], ends[j], counted, n, total)
            alike &= begin[j] == begin[0] and ends[j] == ends[0]
        if alike:
            a, b, c, d = arm[four[0]], arm[four[1]], arm[four[2]], arm[four[3]]
            p, q, s, t = total[four[0]], total[four[1]], total[four[2]], total[four[3]]
            v, w, x, y = outcome[four[0]], outcome[four[1]], outcome[four[2]], outcome[four[3]]
            for i in range(np.uint64(begin[0]), np.uint64(ends[0])):
                p[np.uint64(a[i])] += v[i]
                q[np.uint64(b[i])] += w[i]
                s[np.uint64(c[i])] += x[i]
                t[np.uint64(d[i])] += y[i]
        for j in range(len(four)):
            r = four[j]
            mine, values = arm[r, begin[j] : ends[j]], outcome[r, begin[j] : ends[j]]
            for i in range(0 if alike else len(mine)):
                total[r, np.uint64(mine[i])] += values[i]
            if len(mine):
                for a in range(n.shape[1]):
                    n[r, a] += patients_in(mine, a)
            counted[r] = ends[j]


@kernel
def means_of_pair(chosen, control, treatment, n, total, n_of, total_of, mean_of):
    """Fill how many patients two arms of each chosen replicate have, what they sum to and their mean, ``[2, k]``."""
    for k in range(len(chosen)):
        r = chosen[k]
        for side in range(2):
            a = treatment if side else control
            count = n[r, a]
            n_of[side, k] = count
            total_of[side, k] = total[r, a]
            mean_of[side, k] = total[r, a] / max(count, 1)
