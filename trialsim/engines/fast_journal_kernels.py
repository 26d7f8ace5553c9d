"""The journal of patients' lives: what its rows hold, and the compiled loop that counts them.

A row is a tick and a packed code. Rows lie patient after patient, those of one patient in no order of time. What can be
told from elsewhere has no row: that an adverse event is serious stands in its own code, how long it lasts is a function of
its address, and read-outs that wait for no visit have their times.
"""

# Compiled functions take arrays that the type checker cannot see into.
# mypy: disallow-untyped-defs=False

from __future__ import annotations

import numpy as np

from trialsim.compiled import inline, kernel
from trialsim.contracts import Kind
from trialsim.engines.fast_rows import row_of
from trialsim.timegrid import NEVER

_ADVERSE, _SERIOUS, _VISIT = int(Kind.ADVERSE_EVENT), int(Kind.SERIOUS), int(Kind.VISIT)

LEVEL_OF_ROW, SERIOUS_ROW, LASTING_ROW = 255, 256, 512
"""The value of an adverse event's row, as bits: its level from 1, whether it is serious, and whether it resolves."""


@inline
def pack(place, place_part, kind, part, value):
    """Return a row's code: kind and part of the keyed event at whose place it stands, its own kind and part, its value.

    A value is a whole number from 0: the arm, the dose, the number of a visit, what an adverse event is like, or of an
    interruption the occurrence of the term that led to it.
    """
    code = (np.int64(value) << 40) | (np.int64(place) << 32) | (np.int64(place_part) << 24)
    return code | (np.int64(kind) << 16) | np.int64(part)


@inline
def kind_of(code):
    """Return the kind of a row."""
    return (code >> 16) & 255


@inline
def part_of(code):
    """Return the part of a row."""
    return code & 65535


@inline
def value_of(code):
    """Return the value of a row."""
    return code >> 40


@kernel
def find_visits(chosen, number, ticks, codes, offsets, out):
    """Fill the tick of each patient's visit of a number from 1, held or missed, ``[k, patient]``; NEVER for none."""
    for k in range(len(chosen)):
        r = chosen[k]
        for i in range(out.shape[1]):
            out[k, i] = NEVER
            for j in range(offsets[r, i], offsets[r, i + 1]):
                if kind_of(codes[r, j]) == _VISIT and value_of(codes[r, j]) == number:
                    out[k, i] = ticks[r, j]


@kernel
def tally_journal(
    chosen, cut, entry, arms, window, base, width, dropout, complete, off_at, ticks, codes, offsets, counts, persons,
    exposure,
):  # fmt: skip
    """Count the rows of journals up to a cut, and add up time at risk.

    Parameters
    ----------
    base, width
        Column at which each kind of row begins, -1 for one that is not counted, and how many columns each of its parts
        has: one for every value from 1, or 0 where the part does not matter, ``[kind]``.
    window
        Time at risk after the last dose, ``[term]``.
    counts
        To fill, ``[k, arm, column]``.
    persons
        To fill: patients with an adverse event, and with a serious one, ``[k, arm, 2]``.
    exposure
        To fill, in ticks: followed, on treatment, at risk of each term, ``[k, arm, 2 + term]``.
    """
    counts[:] = 0
    persons[:] = 0
    exposure[:] = 0
    n = offsets.shape[1] - 1
    serious_base, serious_width = base[_SERIOUS], width[_SERIOUS]
    terms = len(window)
    for k in range(len(chosen)):
        r = chosen[k]
        begun = entry[row_of(entry, r)]
        arm_of = arms[row_of(arms, r)]
        when, what, ends = ticks[r], codes[r], offsets[r]
        lost, done, dosed_until = dropout[r], complete[r], off_at[r]
        counted, people, exposed = counts[k], persons[k], exposure[k]
        limit = cut[k]
        for i in range(n):
            start = begun[i]
            if start > limit:
                continue
            arm = np.uint64(arm_of[i])
            had = 0
            had_serious = 0
            for j in range(np.uint64(ends[i]), np.uint64(ends[i + 1])):
                if when[j] > limit:
                    continue
                code = what[j]
                kind = np.uint64(kind_of(code))
                column = base[kind]
                if column < 0:
                    continue
                part, value = part_of(code), value_of(code) & LEVEL_OF_ROW
                if width[kind] == 1:
                    column += part
                elif width[kind] > 1:
                    column += part * width[kind] + value - 1
                counted[arm, np.uint64(column)] += 1
                if kind == _ADVERSE:
                    had = 1
                    if value_of(code) & SERIOUS_ROW:
                        had_serious = 1
                        more = part if serious_width == 1 else part * serious_width + value - 1
                        counted[arm, np.uint64(serious_base + more)] += 1
            people[arm, 0] += had
            people[arm, 1] += had_serious
            stay = min(limit - start, min(lost[i], done[i]))
            dosed = dosed_until[i] - start
            exposed[arm, 0] += stay
            exposed[arm, 1] += min(stay, dosed)
            for a in range(terms):
                exposed[arm, np.uint64(2 + a)] += min(stay, dosed + window[a])
