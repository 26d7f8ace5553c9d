"""Compiled loops of the fast engine that find when enrolment closes and who is enrolled."""

# Compiled functions take arrays that the type checker cannot see into.
# mypy: disallow-untyped-defs=False

from __future__ import annotations

import numpy as np

from trialsim.compiled import kernel
from trialsim.engines.fast_site_kernels import DISPATCH, FINAL, OUTCOME
from trialsim.timegrid import LAST_TICK, NEVER

# Ticks up to the longest horizon leave so many bits of an int64 for a place in ``contact``.
_PLACE_BITS = 23
_PLACE_MASK = (1 << _PLACE_BITS) - 1
MOST_PLACES = 1 << _PLACE_BITS
"""Attempts of candidates that one trial can hold."""


_FEW = 12
"""Numbers that are sorted by insertion."""


@kernel
def sort_times(numbers, held, starts):
    """Sort whole numbers that are spread like times: first into as many buckets as there are numbers, then each bucket.

    Parameters
    ----------
    numbers
        To sort, not negative, int64.
    held, starts
        Scratch as long, and longer by two.
    """
    count = len(numbers)
    if count == 0:
        return
    least, most = numbers[0], numbers[0]
    for k in range(count):
        least = min(least, numbers[k])
        most = max(most, numbers[k])
    shift = 0
    while (most - least) >> shift >= count:
        shift += 1
    for b in range(count + 2):
        starts[b] = 0
    for k in range(count):
        starts[np.uint64(((numbers[k] - least) >> shift) + 2)] += 1
    for b in range(1, count + 2):
        starts[b] += starts[b - 1]
    for k in range(count):
        b = np.uint64(((numbers[k] - least) >> shift) + 1)
        held[np.uint64(starts[b])] = numbers[k]
        starts[b] += 1
    for b in range(1, count + 1):
        if starts[b] - starts[b - 1] > _FEW:
            held[starts[b - 1] : starts[b]].sort()
    # No number moves further than within its bucket.
    for k in range(1, count):
        value, j = held[np.uint64(k)], np.uint64(k)
        while j > 0 and held[j - np.uint64(1)] > value:
            held[j] = held[j - np.uint64(1)]
            j -= np.uint64(1)
        held[j] = value
    for k in range(count):
        numbers[k] = held[k]


@kernel
def time_of_rank(numbers, rank, held, starts):
    """Return the number of a rank, from 0, among whole numbers that are spread like times.

    Parameters
    ----------
    numbers
        Not negative, int64, more than ``rank`` of them.
    held, starts
        Scratch as for :func:`sort_times`.
    """
    count = len(numbers)
    least, most = numbers[0], numbers[0]
    for k in range(count):
        least = min(least, numbers[k])
        most = max(most, numbers[k])
    shift = 0
    while (most - least) >> shift >= count:
        shift += 1
    for b in range(count + 1):
        starts[b] = 0
    for k in range(count):
        starts[np.uint64((numbers[k] - least) >> shift)] += 1
    bucket, before = np.int64(0), np.int64(0)
    while before + starts[bucket] <= rank:
        before += starts[bucket]
        bucket += 1
    size = 0
    for k in range(count):
        held[np.uint64(size)] = numbers[k]
        size += np.int64((numbers[k] - least) >> shift == bucket)
    few = held[:size]
    few.sort()
    return few[rank - before]


@kernel
def find_closing(
    offsets, contact, sites, attempts, target, keep, until, closing, closing_place, enrolled, pipeline_end
):
    """Find when enrolment closes in each replicate, and how many are randomised in all.

    ``closing`` is NEVER where fewer than ``target`` are randomised by ``until[replicate]``; ``closing_place`` the row of
    ``contact`` of the target-th. With ``keep`` those are counted too who were in screening at the closing and pass later;
    ``pipeline_end`` is when the last of these, whatever comes of them, has reached an end.
    """
    largest = 0
    for r in range(len(closing)):
        largest = max(largest, offsets[(r + 1) * sites] - offsets[r * sites])
    found, held = np.empty(largest * attempts + 1, np.int64), np.empty(largest * attempts + 1, np.int64)
    starts = np.empty(largest * attempts + 3, np.int64)
    for r in range(len(closing)):
        first = offsets[r * sites] * attempts
        last = offsets[(r + 1) * sites] * attempts
        count = 0
        limit, called, final, outcome = until[r], contact[:, DISPATCH], contact[:, FINAL], contact[:, OUTCOME]
        for c in range(first, last):
            found[np.uint64(count)] = final[c] << _PLACE_BITS | (c - first)
            passes = (called[c] < NEVER) & (outcome[c] >= -1) & (outcome[c] <= 0)
            count += np.int64(passes & (final[c] <= limit))
        closing[r] = NEVER
        closing_place[r] = -1
        enrolled[r] = count
        pipeline_end[r] = 0
        if count < target:
            continue
        last_one = time_of_rank(found[:count], target - 1, held, starts)
        closing[r] = last_one >> _PLACE_BITS
        closing_place[r] = (last_one & _PLACE_MASK) + first
        enrolled[r] = target
        if keep:
            for c in range(first, last):
                if contact[c, DISPATCH] < closing[r] and contact[c, FINAL] >= closing[r]:
                    pipeline_end[r] = max(pipeline_end[r], contact[c, FINAL])
                    passes = -1 <= contact[c, OUTCOME] <= 0
                    later = contact[c, FINAL] > closing[r] or c > closing_place[r]
                    enrolled[r] += np.int64(passes and later)


@kernel
def list_enrolled(
    offsets, contact, keys, sites, attempts, keep, until, closing, closing_place, entry, key, place
):
    """List the patients of each replicate in the order of their randomisation; the rest of each row is left as it is."""
    largest = 0
    for r in range(len(closing)):
        largest = max(largest, offsets[(r + 1) * sites] - offsets[r * sites])
    found, held = np.empty(largest * attempts + 1, np.int64), np.empty(largest * attempts + 1, np.int64)
    starts = np.empty(largest * attempts + 3, np.int64)
    for r in range(len(closing)):
        first = offsets[r * sites] * attempts
        last = offsets[(r + 1) * sites] * attempts
        count = 0
        called, final, outcome = contact[:, DISPATCH], contact[:, FINAL], contact[:, OUTCOME]
        limit, shut, last_place = until[r], closing[r], closing_place[r]
        for c in range(first, last):
            at = final[c]
            found[np.uint64(count)] = at << _PLACE_BITS | (c - first)
            passes = (called[c] < NEVER) & (outcome[c] >= -1) & (outcome[c] <= 0)
            before = (at <= limit) & ((at < shut) | ((at == shut) & (c <= last_place)))
            # Who would be randomised after the longest horizon never is, and would not fit beside a place.
            stays = keep & (called[c] < shut) & (shut < NEVER) & (at < LAST_TICK)
            count += np.int64(passes & (before | stays))
        sort_times(found[:count], held, starts)
        for i in range(count):
            c = (found[i] & _PLACE_MASK) + first
            entry[r, i] = found[i] >> _PLACE_BITS
            key[r, i] = keys[c // attempts]
            place[r, i] = c
