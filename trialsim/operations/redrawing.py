"""Allocation drawn again for patients as they came: what else the rule could have done."""

# Compiled functions take arrays that the type checker cannot see into.
# mypy: disallow-untyped-defs=False

from __future__ import annotations

import numpy as np

from trialsim.compiled import kernel
from trialsim.draws import Purpose, uniform
from trialsim.operations.allocation import BLOCKS, SIMPLE, draw_by_weight, draw_from_block
from trialsim.operations.minimisation import fill_chances

_REDRAWN = int(Purpose.REDRAWN_ALLOCATION)


@kernel
def redraw_by_weight(seed, replicate, keys, first, last, weights, treatment, treated):
    """Fill whether patients ``first`` to ``last - 1`` are on treatment, each allocation by weights of its own.

    Parameters
    ----------
    seed, replicate, keys
        As in :func:`redraw`.
    first, last
        Which patients, in order of entry.
    weights
        ``[allocation, arm]``.
    treatment
        Index of the treatment arm.
    treated
        Result, int8 ``[allocation, patient]``.
    """
    for b in range(len(treated)):
        for i in range(first, last):
            treated[b, i] = (
                draw_by_weight(uniform(seed, replicate, keys[i], _REDRAWN, b), weights[b]) == treatment
            )


@kernel
def redraw(
    seed, replicate, keys, levels, level_count, rule, ratio, places, measure, probability, margin_weights, steps,
    treatment, rows, out,
):  # fmt: skip
    """Fill whether patients are on treatment in each of many allocations by the same rule to the same patients.

    Parameters
    ----------
    seed, replicate, keys
        Address of the patients in order of entry, ``keys[patient]``; the draws of an allocation stand at its number.
    levels, level_count
        Row of the counts of each margin, ``[patient, margin]``, and how many rows there are. Blocks and a biased coin have
        one margin, their strata.
    rule, ratio, places
        Of :mod:`trialsim.operations.allocation`; every arm is open.
    measure, probability, margin_weights, steps
        Of minimisation and biased coins; see :func:`~trialsim.operations.minimisation.fill_chances`.
    treatment
        Index of the treatment arm.
    rows
        Which patients are asked about, in order, ``[row]``.
    out
        Result, int8 ``[allocation, row]``.
    """
    arms = len(ratio)
    shares = ratio.astype(np.float64)
    counts = np.empty((level_count, arms), np.int64)
    left = np.empty(level_count, np.int64)
    scores, roots, chances = np.empty(arms, np.int64), np.empty(arms), np.empty(arms)
    size = places.sum()
    for b in range(len(out)):
        counts[:] = 0
        left[:] = 0
        row = 0
        for i in range(len(keys)):
            u = uniform(seed, replicate, keys[i], _REDRAWN, b)
            level = levels[i]
            if rule == SIMPLE:
                a = draw_by_weight(u, shares)
            elif rule == BLOCKS:
                if left[level[0]] == 0:
                    left[level[0]] = size
                    counts[level[0]] = places
                a = draw_from_block(u, counts, level[0], left[level[0]])
                counts[level[0], a] -= 1
                left[level[0]] -= 1
            else:
                fill_chances(
                    rule, measure, counts, level, margin_weights, steps, ratio, probability, scores, roots, chances
                )  # fmt: skip
                a = draw_by_weight(u, chances)
                for m in range(len(level)):
                    counts[level[m], a] += 1
            if row < len(rows) and rows[row] == i:
                out[b, row] = a == treatment
                row += 1
