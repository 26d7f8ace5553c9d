"""A compiled loop of the fast engine that adds up continuous outcomes as it draws them.

Where nothing is asked of read-outs but how many an arm has and their sum, nobody's value has to be kept. The result is, to
the last bit, that of :func:`.fast_outcome_kernels.values` followed by :func:`.fast_first_kernels.add_values`, which is how
it reads and what a test compares it with.
"""

# Compiled functions take arrays that the type checker cannot see into.
# mypy: disallow-untyped-defs=False

from __future__ import annotations

import numpy as np

from trialsim.compiled import kernel
from trialsim.draws import fill_words
from trialsim.engines.fast_first_kernels import begin_count, patients_in
from trialsim.engines.fast_rows import row_of
from trialsim.keyed_words import words_at
from trialsim.population.endpoints.continuous import fill_values, measured_value

_TOGETHER = 1024


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
def sums_of_few(
    seed, replicates, chosen, upto, table, keys, purpose, draw, expected, rows, arm, sd, counted, n, total, since,
    gained_n, gained,
):  # fmt: skip
    """Count the first ``upto[k]`` patients of each chosen replicate and sum their values by arm, in the order of entry.

    Those that were not counted before are drawn, the patients of several replicates together. Where there are any,
    ``since``, ``gained_n`` and ``gained`` are filled with whom they begin, how many they are and what they sum to by arm.
    """
    patients = arm.shape[1]
    words = np.empty(max(4 * table.shape[1], patients), np.uint64)
    room = max(patients, _TOGETHER)
    tails, held = np.empty(room + 1, np.int64), np.empty((2, room))
    drawn, normal, centre = np.empty(room, np.uint64), np.empty(room), np.zeros(room)
    few = np.empty(n.shape[1])
    first, waiting = 0, 0
    for k in range(len(chosen) + 1):
        r = chosen[min(k, len(chosen) - 1)]
        end = upto[min(k, len(chosen) - 1)]
        begin = end if k == len(chosen) else begin_count(r, end, counted, n, total)
        if k == len(chosen) or waiting + end - begin > room:
            fill_values(drawn, centre, 1.0, 0, waiting, tails, held, normal)
            place = 0
            for j in range(first, k):
                done = chosen[j]
                begin_here, end_here = counted[done], upto[j]
                if begin_here < end_here:
                    since[done] = begin_here
                    _add(
                        few, normal, place, expected, rows, sd, arm, done, begin_here, end_here, n, total, gained_n,
                        gained,
                    )  # fmt: skip
                counted[done] = end_here
                place += end_here - begin_here
            first, waiting = k, 0
        if begin == end:
            continue
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
