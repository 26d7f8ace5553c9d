"""Compiled loops of the fast engine that add up continuous outcomes as they draw them.

Where nothing is asked of read-outs but how many an arm has and their sum, nobody's value has to be kept. The result is, to
the last bit, that of :func:`.fast_outcome_kernels.values` followed by :func:`.fast_first_kernels.add_values`, which is how
it reads and what a test compares it with.

Replicates whose patients are in the same arms go side by side: what depends on arms is then found once for all of them,
and an addition, which has to wait for the one before in its arm, does not wait for those of the others.
"""

# Compiled functions take arrays that the type checker cannot see into.
# mypy: disallow-untyped-defs=False

from __future__ import annotations

import numpy as np

from trialsim.compiled import kernel
from trialsim.draws import fill_words
from trialsim.engines.fast_first_kernels import begin_count, patients_in
from trialsim.engines.fast_rows import find_alike, row_of
from trialsim.keyed_words import words_at
from trialsim.population.endpoints.continuous import fill_values, measured_value

_TOGETHER = 1024
_ABREAST = 8
_REMEMBERED = 8


@kernel
def _add(few, normal, place, expected, rows, sd, arm, r, begin, end, n, total, gained_n, gained):
    """Add values of one replicate, in order, to the sums of their arms so far and to those of these values alone.

    Elements are named one by one, as slices of so few would cost more than what is done with them.
    """
    arms = n.shape[1]
    own = row_of(rows, r)
    for a in range(arms):
        few[a] = 0.0
    for i in range(np.uint64(end - begin)):
        a = np.uint64(arm[r, np.uint64(begin) + i])
        at = np.uint64(place) + i
        value = measured_value(normal[at], expected[np.uint64(rows[own, np.uint64(begin) + i]), a], sd)
        few[a] += value
        normal[at] = value
    for a in range(arms):
        gained[r, a] = few[a]
    if begin == 0:
        for a in range(arms):
            total[r, a] = few[a]
    else:
        for a in range(arms):
            few[a] = total[r, a]
        for i in range(np.uint64(end - begin)):
            few[np.uint64(arm[r, np.uint64(begin) + i])] += normal[np.uint64(place) + i]
        for a in range(arms):
            total[r, a] = few[a]
    for a in range(arms):
        gained_n[r, a] = patients_in(arm[r, begin:end], a)
        n[r, a] += gained_n[r, a]


@kernel
def _sum_alone(
    seed, replicates, some, upto, table, keys, purpose, draw, expected, rows, arm, sd, counted, n, total, since,
    gained_n, gained,
):  # fmt: skip
    """Do what :func:`sums_of_few` says for replicates one after the other; values of several are drawn together."""
    patients = arm.shape[1]
    words = np.empty(max(4 * table.shape[1], patients), np.uint64)
    room = max(patients, _TOGETHER)
    tails, held = np.empty(room + 1, np.int64), np.empty((2, room))
    drawn, normal, centre = np.empty(room, np.uint64), np.empty(room), np.zeros(room)
    few = np.empty(n.shape[1])
    first, waiting = 0, 0
    for k in range(len(some) + 1):
        r = some[min(k, len(some) - 1)]
        begin, end = counted[r], upto[min(k, len(some) - 1)]
        if k == len(some) or waiting + end - begin > room:
            fill_values(drawn, centre, 1.0, 0, waiting, tails, held, normal)
            place = 0
            for j in range(first, k):
                done = some[j]
                begin_here, end_here = counted[done], upto[j]
                since[done] = begin_here
                _add(
                    few, normal, place, expected, rows, sd, arm, done, begin_here, end_here, n, total, gained_n, gained
                )  # fmt: skip
                counted[done] = end_here
                place += end_here - begin_here
            first, waiting = k, 0
        if k == len(some):
            break
        if len(keys):
            words_at(words, keys[r, :end], begin, replicates[r], purpose, draw, seed)
        else:
            block = begin // 4
            blocks = min((end - 4 * block + 31) // 32 * 8, table.shape[1] - block)
            fill_words(words, table, block, block + blocks, replicates[r], purpose, seed)
        ready, here = words[begin:end], drawn[waiting:]
        for i in range(len(ready)):
            here[i] = ready[i]
        waiting += end - begin


@kernel
def _sums_abreast(values, stride, order, sums):
    """Add, to ``sums[j]`` of each of eight rows, the values at the places in ``order``, one after the other."""
    a, b, c, d = sums[0], sums[1], sums[2], sums[3]
    e, f, g, h = sums[4], sums[5], sums[6], sums[7]
    step = np.uint64(stride)
    for i in range(len(order)):
        at = np.uint64(order[i])
        a += values[at]
        b += values[at + step]
        c += values[at + np.uint64(2) * step]
        d += values[at + np.uint64(3) * step]
        e += values[at + np.uint64(4) * step]
        f += values[at + np.uint64(5) * step]
        g += values[at + np.uint64(6) * step]
        h += values[at + np.uint64(7) * step]
    sums[0], sums[1], sums[2], sums[3] = a, b, c, d
    sums[4], sums[5], sums[6], sums[7] = e, f, g, h


@kernel
def _sum_abreast(
    seed, replicates, some, begin, end, table, purpose, expected, rows, arm, sd, counted, n, total, since, gained_n,
    gained,
):  # fmt: skip
    """Do what :func:`sums_of_few` says for replicates whose patients ``begin`` to ``end - 1`` are in the same arms.

    They go eight by eight; how many are done, the last few left out, is returned. Whole blocks of words are drawn. Those
    of patients before the ones wanted, three at most, stay where they are drawn; in the place of those of patients after
    them come the words of the next replicate.
    """
    arms = n.shape[1]
    block = begin // 4
    blocks = min((end - 4 * block + 31) // 32 * 8, table.shape[1] - block)
    lead = 4 * block
    stride = end - lead
    words, values = (
        np.empty(lead + (_ABREAST - 1) * stride + 4 * blocks, np.uint64),
        np.empty(_ABREAST * stride),
    )
    tails, held = np.empty(len(values) + 1, np.int64), np.empty((2, len(values)))
    one = some[0]
    mine, its_rows = arm[one], rows[row_of(rows, one)]
    centre = np.zeros(len(values))
    for j in range(_ABREAST):
        for i in range(begin, end):
            centre[j * stride + i - lead] = expected[its_rows[i], mine[i]]
    order, until = np.empty(end - begin, np.int64), np.empty(arms, np.int64)
    place = 0
    for a in range(arms):
        for i in range(begin, end):
            if mine[i] == a:
                order[place] = i - lead
                place += 1
        until[a] = place
    sums = np.empty(_ABREAST)
    done = len(some) // _ABREAST * _ABREAST
    for first in range(0, done, _ABREAST):
        for j in range(_ABREAST):
            r = some[first + j]
            fill_words(words[j * stride :], table, block, block + blocks, replicates[r], purpose, seed)
        fill_values(words[lead:], centre, sd, 0, len(values), tails, held, values)
        since_arm = 0
        for a in range(arms):
            here = order[since_arm : until[a]]
            sums[:] = 0.0
            _sums_abreast(values, stride, here, sums)
            for j in range(_ABREAST):
                r = some[first + j]
                gained[r, a] = sums[j]
                gained_n[r, a] = len(here)
                n[r, a] += len(here)
                if begin > 0:
                    sums[j] = total[r, a]
            if begin > 0:
                _sums_abreast(values, stride, here, sums)
            for j in range(_ABREAST):
                total[some[first + j], a] = sums[j]
            since_arm = until[a]
        for j in range(_ABREAST):
            since[some[first + j]] = begin
            counted[some[first + j]] = end
    return done


@kernel
def sums_of_few(
    seed, replicates, chosen, upto, table, keys, purpose, draw, expected, rows, arm, sd, counted, n, total, since,
    gained_n, gained,
):  # fmt: skip
    """Count the first ``upto[k]`` patients of each chosen replicate and sum their values by arm, in the order of entry.

    Those that were not counted before are drawn. Where there are any, ``since``, ``gained_n`` and ``gained`` are filled
    with whom they begin, how many they are and what they sum to by arm.
    """
    # Which of those whose arms are remembered a replicate is like; the others, and the few left over, go alone.
    like = np.full(len(chosen), -1, np.int64)
    remembered, size = np.empty((_REMEMBERED, 3), np.int64), np.zeros(_REMEMBERED + 1, np.int64)
    known, missed = 0, 0
    shared = len(keys) == 0 and rows.shape[0] == 1
    for k in range(len(chosen)):
        r, end = chosen[k], upto[k]
        begin = begin_count(r, end, counted, n, total)
        if begin == end:
            like[k] = -2
            continue
        if shared and missed <= _REMEMBERED + k // 2:  # given up where most are like no other
            place = find_alike(arm, r, begin, end, remembered, known)
            if place == known:
                missed += 1
            if place == known and known < _REMEMBERED:
                remembered[known, 0], remembered[known, 1], remembered[known, 2] = r, begin, end
                known += 1
            if place < known:
                like[k] = place
                size[place] += 1
    some, last = np.empty(len(chosen), np.int64), np.empty(len(chosen), np.int64)
    for place in range(known):
        if size[place] < _ABREAST:
            continue
        count = 0
        for k in range(len(chosen)):
            if like[k] == place:
                some[count] = chosen[k]
                last[count] = k
                count += 1
        done = _sum_abreast(
            seed, replicates, some[:count], remembered[place, 1], remembered[place, 2], table, purpose, expected, rows,
            arm, sd, counted, n, total, since, gained_n, gained,
        )  # fmt: skip
        for k in last[:done]:
            like[k] = -2
    count = 0
    for k in range(len(chosen)):
        if like[k] > -2:
            some[count], last[count] = chosen[k], upto[k]
            count += 1
    if count > 0:
        _sum_alone(
            seed, replicates, some[:count], last[:count], table, keys, purpose, draw, expected, rows, arm, sd, counted, n,
            total, since, gained_n, gained,
        )  # fmt: skip
