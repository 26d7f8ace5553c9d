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
def _add(normal, expected, rows, sd, mine, nobody, n, total, gained_n, gained):
    """Add values of one replicate, in order, to the sums of their arms so far and to those of these values alone."""
    gained[:] = 0.0
    for i in range(np.uint64(len(mine))):
        a = np.uint64(mine[i])
        value = measured_value(normal[i], expected[np.uint64(rows[i]), a], sd)
        gained[a] += value
        normal[i] = value
    if nobody:
        total[:] = gained
    else:
        for i in range(np.uint64(len(mine))):
            total[np.uint64(mine[i])] += normal[i]
    for a in range(len(n)):
        gained_n[a] = patients_in(mine, a)
        n[a] += gained_n[a]


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
                mine = arm[done, counted[done] : upto[j]]
                if len(mine):
                    since[done] = counted[done]
                    nobody = counted[done] == 0
                    theirs = rows[row_of(rows, done), counted[done] :]
                    _add(
                        normal[place:], expected, theirs, sd, mine, nobody, n[done], total[done], gained_n[done],
                        gained[done],
                    )  # fmt: skip
                counted[done] = upto[j]
                place += len(mine)
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
