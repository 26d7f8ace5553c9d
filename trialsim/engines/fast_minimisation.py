"""The compiled loop of the fast engine for allocation by counts: minimisation and the biased coin."""

# Compiled functions take arrays that the type checker cannot see into.
# mypy: disallow-untyped-defs=False

from __future__ import annotations

import numpy as np

from trialsim.compiled import kernel
from trialsim.draws import Purpose, fill_words, unit
from trialsim.engines.fast_rows import row_of
from trialsim.keyed_words import words_at
from trialsim.operations.allocation import draw_by_weight
from trialsim.operations.minimisation import fill_chances

_ALLOCATION = int(Purpose.ALLOCATION)


@kernel
def allocate_by_counts(
    seed,
    replicates,
    chosen,
    first,
    table,
    keys,
    rule,
    ratio,
    measure,
    probability,
    margin_weights,
    steps,
    levels,
    rows,
    level_count,
    open_arms,
    weights,
    arm,
):
    """Allocate patients ``first[r]`` onwards of each chosen replicate, counting those before as they were allocated.

    Patients are addressed by their number, whose part of the random words ``table`` holds, or by their ``keys``.
    ``levels`` is the row of the counts of each margin by record, ``[record, margin]``, and ``rows`` the record of each
    patient. ``weights[r]`` that begin with NaN leave the design's rule in force; patients allocated by weight are
    counted too. Fills ``arm``.
    """
    n = arm.shape[1]
    arms = len(ratio)
    margins = levels.shape[1]
    blocks = table.shape[1]
    words = np.empty(max(4 * blocks, n), np.uint64)
    shares = np.empty(arms, np.int64)
    counts = np.empty((level_count, arms), np.int64)
    scores = np.empty(arms, np.int64)
    roots = np.empty(arms)
    chances = np.empty(arms)
    for r in chosen:
        for a in range(arms):
            shares[a] = ratio[a] if open_arms[r, a] else 0
        counts[:] = 0
        mine = rows[row_of(rows, r)]
        for i in range(first[r]):
            for m in range(margins):
                counts[levels[mine[i], m], arm[r, i]] += 1
        by_weight = weights[r, 0] == weights[r, 0]
        if len(keys):
            words_at(words, keys[r], first[r], replicates[r], _ALLOCATION, 0, seed)
        else:
            fill_words(words, table, first[r] // 32 * 8, blocks, replicates[r], _ALLOCATION, seed)
        for i in range(first[r], n):
            level = levels[mine[i]]
            if by_weight:
                a = draw_by_weight(unit(words[i]), weights[r])
            else:
                fill_chances(
                    rule, measure, counts, level, margin_weights, steps, shares, probability, scores, roots,
                    chances,
                )  # fmt: skip
                a = draw_by_weight(unit(words[i]), chances)
            for m in range(margins):
                counts[level[m], a] += 1
            arm[r, i] = a
