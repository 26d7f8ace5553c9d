"""Compiled loops of the fast engine over the first so many patients of each replicate, who only ever become more.

Where read-outs come in the order of entry, what is known at a cut is what the first so many patients amount to, and each
cut adds to the one before. Arrays are ``[replicate, patient]`` or ``[replicate, arm]``; ``counted[replicate]`` tells how
many patients are counted already. A cut that lies before the last one starts again from nobody.
"""

# Compiled functions take arrays that the type checker cannot see into.
# mypy: disallow-untyped-defs=False

from __future__ import annotations

import numpy as np

from trialsim.compiled import kernel
from trialsim.elementary import ones_in
from trialsim.engines.fast_rows import entered_by, row_of
from trialsim.population.endpoints.binary import PATIENTS_A_WORD


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
def add_patients(chosen, upto, arm, counted, n):
    """Count the first ``upto[k]`` patients of each chosen replicate by arm."""
    for k in range(len(chosen)):
        r = chosen[k]
        if upto[k] < counted[r]:
            counted[r] = 0
            n[r] = 0
        mine = arm[r, counted[r] : upto[k]]
        for a in range(n.shape[1]):
            count = np.int64(0)
            for i in range(len(mine)):
                count += np.int64(mine[i] == a)
            n[r, a] += count
        counted[r] = upto[k]


@kernel
def add_responses(chosen, upto, arm, outcome, counted, n, total):
    """Count the first ``upto[k]`` patients of each chosen replicate and their responses by arm.

    Outcomes are bits, 64 patients in a word: an arm's patients become bits as well, and both are counted at once.
    """
    for k in range(len(chosen)):
        r = chosen[k]
        if upto[k] < counted[r]:
            counted[r] = 0
            n[r] = 0
            total[r] = 0.0
        begin, end = counted[r], upto[k]
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
    """Count the first ``upto[k]`` patients of each chosen replicate and sum their values by arm, in the order of entry."""
    for k in range(len(chosen)):
        r = chosen[k]
        if upto[k] < counted[r]:
            counted[r] = 0
            n[r] = 0
            total[r] = 0.0
        mine = arm[r, counted[r] : upto[k]]
        values = outcome[r, counted[r] : upto[k]]
        for i in range(len(mine)):
            a = np.uint64(mine[i])
            n[r, a] += 1
            total[r, a] += values[i]
        counted[r] = upto[k]
