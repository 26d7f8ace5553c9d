"""The event log's rows of patients' lives, rebuilt from the journal of the fast engine and from what it leaves out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from trialsim.contracts import Floats, Ints, Kind, LogRow
from trialsim.draws import Purpose, uniform
from trialsim.engines.fast_journal_kernels import LASTING_ROW, LEVEL_OF_ROW, SERIOUS_ROW
from trialsim.engines.life import LifeLaw
from trialsim.operations.adverse_events import INTERRUPTION, LENGTH, occurrence_draw
from trialsim.operations.delays import drawn_delay
from trialsim.timegrid import NEVER, TICKS_PER_DAY

if TYPE_CHECKING:
    from trialsim.engines.fast import FastChunk
    from trialsim.engines.fast_log import Keyed

_STANDS_FOR = 3
"""Rows of the log that an adverse event's row of the journal stands for at most; what it leads to comes after them."""


def rows_of_log(
    law: LifeLaw, chunk: FastChunk, row: int, ticks: Ints, codes: Ints, offsets: Ints, readout_at: Ints
) -> list[Keyed]:
    """Return what happened to a replicate's patients, with the keys of its places in the log.

    Parameters
    ----------
    law
        The laws of lives.
    chunk, row
        The chunk, and the replicate's position in it.
    ticks, codes, offsets
        The replicate's journal.
    readout_at
        When each other endpoint was read out, ``[readout, patient]``.
    """
    numbers = law.numbers
    found: list[Keyed] = []
    values = {
        int(outcome): chunk.outcome(int(outcome)).value([row])[0] for outcome in numbers.reading.readouts
    }
    for k, outcome in enumerate(int(outcome) for outcome in numbers.reading.readouts):
        if not numbers.reading.at_visit[k]:
            for i in np.flatnonzero(readout_at[k] < NEVER).tolist():
                at = int(readout_at[k, i])
                key = (at, int(Kind.READOUT), i, outcome, 0)
                found.append((key, LogRow(at, Kind.READOUT, i, outcome, float(values[outcome][i]))))
    keys = chunk.patients.keys
    seed, replicate = chunk.plan.seed, int(chunk.replicates[row])
    for i in range(chunk.patients.width):
        person = int(keys[row, i]) if len(keys) else i
        had = [0] * len(law.terms)
        for j in range(int(offsets[i]), int(offsets[i + 1])):
            tick, code = int(ticks[j]), int(codes[j])
            kind, part, value = Kind((code >> 16) & 255), code & 65535, code >> 40
            place = (tick, (code >> 32) & 255, i, (code >> 24) & 255)
            if kind == Kind.ADVERSE_EVENT:
                level = float(value & LEVEL_OF_ROW)
                rows: list[tuple[Kind, float]] = [(kind, level)]
                if value & SERIOUS_ROW:
                    rows.append((Kind.SERIOUS, level))
                if value & LASTING_ROW:
                    draw = (Purpose.ADVERSE_EVENT, part, had[part], LENGTH, numbers.term.length[part])
                    rows.append((Kind.RESOLVES, _days(law, seed, replicate, person, *draw)))
                had[part] += 1
                for after, (own, number) in enumerate(rows):
                    found.append(((*place, after), LogRow(tick, own, i, part, number)))
                continue
            number = float(value)
            if kind == Kind.INTERRUPTED:
                draw = (Purpose.DOSE, part, value, INTERRUPTION, numbers.term.interruption[part])
                number = _days(law, seed, replicate, person, *draw)
            elif kind == Kind.READOUT and part in values:
                number = float(values[part][i])
            found.append(((*place, _STANDS_FOR + j), LogRow(tick, kind, i, part, number)))
    return found


def _days(
    law: LifeLaw,
    seed: int,
    replicate: int,
    person: int,
    purpose: Purpose,
    term: int,
    occurrence: int,
    which: int,
    delay: Floats,
) -> float:
    """Return how many days one occurrence of a term, or the interruption of treatment that it led to, lasts."""
    draw = int(occurrence_draw(int(law.numbers.term.address[term]), occurrence, which))
    u = uniform(seed, replicate, person, int(purpose), draw)
    kind, first, second = delay
    return float(drawn_delay(u, kind, first, second, law.numbers.grid)) / TICKS_PER_DAY
