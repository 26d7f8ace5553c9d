"""The event log's rows of patients' lives, rebuilt from the journal of the fast engine and from what it leaves out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from trialsim.contracts import Ints, Kind, LogRow
from trialsim.draws import Purpose, uniform
from trialsim.engines.fast_journal_kernels import LASTING_ROW, LEVEL_OF_ROW, SERIOUS_ROW
from trialsim.engines.life import LifeLaw
from trialsim.operations.adverse_events import INTERRUPTION, LENGTH, occurrence_draw
from trialsim.operations.delays import drawn_delay
from trialsim.timegrid import NEVER, TICKS_PER_DAY

if TYPE_CHECKING:
    from trialsim.engines.fast import FastChunk
    from trialsim.engines.fast_log import Keyed

_PLACES = 4
"""Places in the order of a key for each row of the journal: itself and what it stands for."""


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
    values = {int(outcome): chunk.outcome(int(outcome)).value([row])[0] for outcome in numbers.readouts}
    for k, outcome in enumerate(int(outcome) for outcome in numbers.readouts):
        if not numbers.at_visit[k]:
            for i in np.flatnonzero(readout_at[k] < NEVER):
                at = int(readout_at[k, i])
                key = (at, int(Kind.READOUT), int(i), outcome, 0)
                found.append((key, LogRow(at, Kind.READOUT, int(i), outcome, float(values[outcome][i]))))
    keys = chunk.patients.keys
    seed, replicate = chunk.plan.seed, int(chunk.replicates[row])
    for i in range(chunk.patients.width):
        person = int(keys[row, i]) if len(keys) else i
        had = [0] * len(law.terms)

        def lasts(purpose: Purpose, term: int, which: int, delay: Ints, person: int = person, had: list[int] = had) -> float:
            """Return how many days the latest event of a term, or its interruption of treatment, lasts."""
            draw = int(occurrence_draw(int(numbers.address[term]), had[term] - 1, which))
            u = uniform(seed, replicate, person, int(purpose), draw)
            return float(drawn_delay(u, *delay, numbers.grid)) / TICKS_PER_DAY

        for j in range(int(offsets[i]), int(offsets[i + 1])):
            tick, code = int(ticks[j]), int(codes[j])
            kind, part, value = Kind((code >> 16) & 255), code & 65535, code >> 40
            place = (tick, (code >> 32) & 255, i, (code >> 24) & 255)

            def add(kind: Kind, value: float, after: int = 0, place=place, part: int = part, j: int = j) -> None:
                found.append(((*place, 1 + _PLACES * j + after), LogRow(place[0], kind, place[2], part, value)))

            if kind == Kind.ADVERSE_EVENT:
                had[part] += 1
                add(kind, float(value & LEVEL_OF_ROW))
                if value & SERIOUS_ROW:
                    add(Kind.SERIOUS, float(value & LEVEL_OF_ROW), 1)
                if value & LASTING_ROW:
                    add(Kind.RESOLVES, lasts(Purpose.ADVERSE_EVENT, part, LENGTH, numbers.length[part]), 2)
            elif kind == Kind.INTERRUPTED:
                add(kind, lasts(Purpose.DOSE, part, INTERRUPTION, numbers.interruption[part]))
            elif kind == Kind.READOUT and part in values:
                add(kind, float(values[part][i]))
            else:
                add(kind, float(value))
    return found
