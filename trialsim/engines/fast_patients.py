"""Patients of the fast engine: what all chunks of a plan share, and who the patients of a chunk are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trialsim.contracts import Floats, Ints
from trialsim.draws import Purpose, block_count, patient_table
from trialsim.engines import fast_outcome_kernels as layout
from trialsim.engines.fast_rows import index_entries
from trialsim.engines.plan import Plan
from trialsim.timegrid import TICKS_PER_DAY


@dataclass(frozen=True)
class Prepared:
    """What all chunks of a plan share: tables of the random generator, and whatever does not vary by replicate.

    Parameters
    ----------
    words
        For each law the part of its random words that depends on the patient alone.
    row_words, allocation_words
        The same for the rows of a table and for allocation.
    parameters
        For each law what it needs of every row of the table, or None where that varies by patient.
    entry
        Entry times ``[1, patient]`` where they are the same in all replicates, else None.
    entry_index
        Their index, see :func:`entry_index`.
    """

    words: tuple[NDArray[np.uint64], ...]
    row_words: NDArray[np.uint64]
    allocation_words: NDArray[np.uint64]
    parameters: tuple[NDArray[Any] | None, ...]
    entry: Ints | None
    entry_index: tuple[NDArray[np.int32], int] | None


def prepare(plan: Plan) -> Prepared:
    """Return what all chunks of a plan share."""
    world, seed = plan.world, plan.seed
    blocks, rows = block_count(plan.n), world.source.rows
    entry = None if world.accrual.random else world.accrual.entry_ticks(seed, 0, plan.n, plan.grid)[None, :]
    return Prepared(
        tuple(patient_table(blocks, law.purpose, law.draw, seed) for law in world.laws),
        patient_table(blocks, int(Purpose.TABLE_ROW), 0, seed),
        patient_table(blocks, int(Purpose.ALLOCATION), 0, seed),
        tuple(
            law.parameters(rows, np.zeros(len(rows))) if world.source.finite and law.drift.none else None
            for law in world.laws
        ),
        entry,
        None if entry is None else entry_index(entry),
    )


def entry_index(entry: Ints) -> tuple[NDArray[np.int32], int]:
    """Return how many patients entered before each of some evenly spaced times, and the spacing as a power of two.

    Parameters
    ----------
    entry
        Sorted entry times, ``[replicate or 1, patient]``.
    """
    last = int(entry[:, -1].max())
    shift = max(0, (last // entry.shape[1]).bit_length() - 1)
    starts = np.empty((len(entry), (last >> shift) + 2), dtype=np.int32)
    index_entries(entry, shift, starts)
    return starts, shift


class Patients:
    """Who the patients of a chunk are and when they enter.

    Parameters
    ----------
    plan
        The design under a truth.
    prepared
        What all its chunks share.
    replicates
        Global numbers of the replicates.

    Attributes
    ----------
    entry
        Entry times in ticks, ``[replicate or 1, patient]``.
    parameters
        For each law an array ``[row, arm]`` and which row each patient is, ``[replicate or 1, patient]``.
    """

    def __init__(self, plan: Plan, prepared: Prepared, replicates: Ints) -> None:
        self._plan = plan
        source, size, n = plan.world.source, len(replicates), plan.n
        self.entry = prepared.entry if prepared.entry is not None else self._entries(replicates)
        self._records: Floats | None = None
        if source.identical:
            self._rows = np.zeros((1, n), dtype=np.int64)
        elif source.finite:
            self._rows = np.empty((size, n), dtype=np.int64)
            row_count = len(source.rows)
            layout.draw_rows(
                plan.seed, replicates, prepared.row_words, int(Purpose.TABLE_ROW), row_count, self._rows
            )
        else:
            self._rows = np.arange(size * n).reshape(size, n)
            self._records = np.concatenate([source.records(plan.seed, int(r), n) for r in replicates])
        self._entry_index = prepared.entry_index
        self._strata: dict[tuple[str, ...], Ints] = {}
        self._one_stratum = np.zeros((1, n), dtype=np.int64)
        self.parameters = [
            (ready, self._rows) if ready is not None else (self._parameters(index, size), self._every(size))
            for index, ready in enumerate(prepared.parameters)
        ]

    @property
    def entry_index(self) -> tuple[NDArray[np.int32], int]:
        """The index of the entry times."""
        if self._entry_index is None:
            self._entry_index = entry_index(self.entry)
        return self._entry_index

    def _entries(self, replicates: Ints) -> Ints:
        """Return entry times that differ between replicates."""
        plan = self._plan
        return np.stack(
            [plan.world.accrual.entry_ticks(plan.seed, int(r), plan.n, plan.grid) for r in replicates]
        )

    def _every(self, size: int) -> Ints:
        """Return a row of its own for every patient."""
        return np.arange(size * self._plan.n).reshape(size, self._plan.n)

    def _parameters(self, index: int, size: int) -> NDArray[Any]:
        """Return what a law needs of every single patient of the chunk."""
        shape = (size, self._plan.n)
        entry_days = np.broadcast_to(self.entry, shape).ravel() / TICKS_PER_DAY
        records = self._records
        if records is None:
            records = self._plan.world.source.rows[np.broadcast_to(self._rows, shape).ravel()]
        return self._plan.world.laws[index].parameters(records, entry_days)

    def strata(self, names: tuple[str, ...]) -> tuple[Ints, int]:
        """Return the stratum of each patient, ``[replicate or 1, patient]``, and the number of strata."""
        if not names:
            return self._one_stratum, 1
        how = self._plan.strata(names)
        if names not in self._strata:
            records = self._records if self._records is not None else self._plan.world.source.rows
            self._strata[names] = how.of(records)[self._rows]
        return self._strata[names], how.count
