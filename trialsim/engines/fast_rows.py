"""How compiled loops of the fast engine find their way in arrays ``[replicate, patient]`` that replicates may share."""

# Compiled functions take arrays that the type checker cannot see into.
# mypy: disallow-untyped-defs=False

from __future__ import annotations

import numpy as np

from trialsim.compiled import inline, kernel


@inline
def row_of(array, replicate):
    """Return the row of a possibly shared array."""
    return replicate if array.shape[0] > 1 else 0


@kernel
def index_entries(entry, shift, starts):
    """Fill how many patients of each row enter before time ``b << shift``, for :func:`entered_by`, ``[row, b]``."""
    n, last = entry.shape[1], starts.shape[1] - 1
    for r in range(len(entry)):
        e, before = entry[r], starts[r]
        before[:] = 0
        i = 0
        while i < n and e[i] >> shift < last:
            before[np.uint64((e[i] >> shift) + 1)] = i + 1
            i += 1
        for b in range(1, last + 1):
            before[b] = max(before[b], before[b - 1])


@kernel
def entered_by(until, entry, starts, shift):
    """Return how many of the sorted entry times are at most ``until``, which is not negative.

    The index leads to within one bucket. Entries that are evenly spaced lie at most one in a bucket: the first step then
    decides without a branch, and the loop is never entered.
    """
    n = len(entry)
    at = np.int64(starts[np.uint64(min(until >> shift, len(starts) - 1))])
    at += np.int64((at < n) & (entry[np.uint64(min(at, n - 1))] <= until))
    while at < n and entry[np.uint64(at)] <= until:
        at += 1
    return at


@kernel
def same_bytes(one, other):
    """Return whether two arrays of bytes of the same length hold the same; bytes are compared as bytes, many at once."""
    last = len(one) - 1
    if last >= 0 and (one[0] != other[0] or one[last] != other[last]):
        return False
    differ = np.uint8(0)
    for i in range(len(one)):
        differ = np.uint8(differ | np.uint8(one[i] != other[i]))
    return differ == 0


@kernel
def find_alike(arm, r, begin, end, remembered, known):
    """Return which remembered replicate has the patients ``begin`` to ``end - 1`` in the same arms; ``known`` for none.

    ``remembered`` holds replicate, begin and end of each, of which ``known`` are filled.
    """
    for place in range(known):
        other = remembered[place, 0]
        same = remembered[place, 1] == begin and remembered[place, 2] == end
        if same and same_bytes(arm[r, begin:end], arm[other, begin:end]):
            return place
    return known
