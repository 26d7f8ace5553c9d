"""What is known of patients at a visit, gathered from their journals by compiled loops."""

# Compiled functions take arrays that the type checker cannot see into.
# mypy: disallow-untyped-defs=False

from __future__ import annotations

from trialsim.compiled import kernel
from trialsim.contracts import Kind
from trialsim.engines.fast_journal_kernels import LEVEL_OF_ROW, SERIOUS_ROW, kind_of, part_of, value_of
from trialsim.engines.life import WAS_MISSED
from trialsim.timegrid import NEVER

_VISIT, _ADVERSE, _REDUCED = int(Kind.VISIT), int(Kind.ADVERSE_EVENT), int(Kind.REDUCED)
_DISCONTINUED, _ENDED = int(Kind.DISCONTINUED), int(Kind.TREATMENT_ENDED)


@kernel
def seen_at_visit(chosen, first, visit, ticks, codes, offsets, held_at, events, serious, dose):
    """Gather what is known of patients ``first[r]`` onwards of each chosen replicate at one visit.

    Parameters
    ----------
    visit
        Its number from 1.
    ticks, codes, offsets
        The journal; see :func:`trialsim.engines.fast_life_kernels.live`.
    held_at
        To fill: tick of the visit of those who come to it on treatment, otherwise NEVER, ``[k, patient]``.
    events, serious, dose
        To fill: adverse events by term and level, serious ones, and the dose level, ``[k, patient, ...]``.
    """
    n = offsets.shape[1] - 1
    for k in range(len(chosen)):
        r = chosen[k]
        when, what = ticks[r], codes[r]
        for i in range(n):
            held_at[k, i] = NEVER
        for i in range(first[r], n):
            begin, end = offsets[r, i], offsets[r, i + 1]
            held = NEVER
            for j in range(begin, end):
                is_it = kind_of(what[j]) == _VISIT and value_of(what[j]) == visit
                if is_it and part_of(what[j]) != WAS_MISSED:
                    held = when[j]
            if held == NEVER:
                continue
            treated = True
            events[k, i] = 0
            serious[k, i] = 0
            dose[k, i] = 0
            for j in range(begin, end):
                kind, value = kind_of(what[j]), value_of(what[j])
                # What the visit itself leads to stands at its place in the instant.
                if when[j] > held or (when[j] == held and (what[j] >> 32) & 255 == _VISIT):
                    continue
                if kind == _ADVERSE:
                    events[k, i, part_of(what[j]), (value & LEVEL_OF_ROW) - 1] += 1
                    if value & SERIOUS_ROW:
                        serious[k, i] += 1
                elif kind == _REDUCED:
                    dose[k, i] += 1
                elif kind in (_DISCONTINUED, _ENDED):
                    treated = False
            if treated:
                held_at[k, i] = held
