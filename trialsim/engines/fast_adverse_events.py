"""What the fast engine knows of adverse events at a cut, for a test that is about them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from trialsim.analyses.bayesian.array_cut import ArrayCut
from trialsim.contracts import Bools, Ints, TestPlan
from trialsim.engines.adverse_event_tests import cut_of_counts, risk_window
from trialsim.engines.fast_adverse_event_kernels import count_adverse_events, empty_counts
from trialsim.engines.life import LifeLaw
from trialsim.timegrid import NEVER

if TYPE_CHECKING:
    from trialsim.engines.fast import FastChunk
    from trialsim.engines.points import Point


def adverse_event_cut(chunk: FastChunk, point: Point, test: TestPlan) -> ArrayCut:
    """Return what the fast engine knows of a test's adverse events at a point."""
    assert chunk.lives is not None
    rows = point.rows
    known, events, worst, risk = count_by_patient(
        test, chunk.lives.law, rows, point.tick, chunk.entry, chunk.lives.dropout, chunk.lives.complete,
        chunk.lives.off_at, chunk.lives.journal,
    )  # fmt: skip
    arm = np.broadcast_to(chunk.arm[rows] if len(chunk.arm) > 1 else chunk.arm, known.shape)
    come = (
        np.arange(chunk.patients.width)
        < (chunk.coming[rows] if len(chunk.coming) > 1 else chunk.coming)[:, None]
    )
    here = np.nonzero(known & come & ((arm == test.treatment) | (arm == test.control)))
    offsets = np.concatenate([[0], np.cumsum(np.bincount(here[0], minlength=len(rows)))]).astype(np.int64)
    return cut_of_counts(test, offsets, arm[here] == test.treatment, events[here], worst[here], risk[here])


def count_by_patient(
    test: TestPlan,
    law: LifeLaw,
    rows: Ints,
    ticks: Ints,
    entry: Ints,
    dropout: Ints,
    complete: Ints,
    off_at: Ints,
    journal: tuple[Ints, Ints, Ints],
) -> tuple[Bools, Ints, Ints, Ints]:
    """Return which patients count, their events, worst level and ticks at risk, ``[k, patient]``."""
    counted = test.adverse_events
    assert counted is not None
    found: tuple[Bools, Ints, Ints, Ints] = empty_counts(len(rows), journal[2].shape[1] - 1)
    counts = np.zeros(len(law.terms), dtype=np.bool_)
    counts[list(counted.terms)] = True
    count_adverse_events(
        rows, ticks, entry, counts, counted.least, counted.serious, NEVER if counted.within is None else counted.within,
        counted.within is not None, risk_window(counted, law), dropout, complete, off_at, *journal, *found,
    )  # fmt: skip
    return found
