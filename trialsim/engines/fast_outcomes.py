"""Outcomes of the fast engine: one endpoint's outcomes in a chunk, and what is known of them at a cut."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from trialsim.contracts import Ints, Moments, RiskTables
from trialsim.engines import fast_count_kernels as counting
from trialsim.engines import fast_outcome_kernels as layout
from trialsim.engines import fast_risk_kernels as risk
from trialsim.engines.points import Point
from trialsim.engines.world import OutcomeLaw

if TYPE_CHECKING:
    from trialsim.engines.fast import FastChunk


class Outcome:
    """One endpoint's outcomes in a chunk."""

    def __init__(self, law: OutcomeLaw, size: int, n: int, chunk: FastChunk) -> None:
        self.law = law
        empty = np.empty((0, n), dtype=np.int64)
        self.delay = self.event_at = self.exit_at = self.readout_at = empty
        if law.kind == "survival":
            self.delay, self.event_at, self.exit_at, self._keys = (
                np.empty((size, n), dtype=np.int64) for _ in range(4)
            )
            self._sizes = np.zeros(size, dtype=np.int64)
            self._seen = np.full(size, -1)
            return
        shared = len(chunk.entry) == 1 and chunk.plan.world.dropout is None
        self.readout_at = np.empty((1 if shared else size, n), dtype=np.int64)
        # Rows are longer than there are patients: whole words, so that eight binary outcomes are counted at once.
        kind: type[np.generic] = np.int8 if law.kind == "binary" else np.float64
        self.values: NDArray[Any] = np.empty((size, -(-n // 8) * 8), dtype=kind)

    @property
    def value(self) -> NDArray[Any]:
        """The read-outs, ``[replicate, patient]``."""
        return self.values[:, : self.readout_at.shape[1]]

    def lay_out(self, chunk: FastChunk, index: int, rows: Ints, first: Ints) -> None:
        """Lay out the outcomes of patients ``first[row]`` onwards of some replicates."""
        law = self.law
        if law.kind == "survival":
            chunk.delays(index, law, rows, first, self.delay, self.event_at, self.exit_at)
            return
        layout.readout_times(
            rows[: len(self.readout_at)],
            first,
            chunk.entry,
            chunk.dropout,
            law.readout_ticks,
            self.readout_at,
        )
        parameters, parameter_rows = chunk.patients.parameters[index]
        shared = (
            chunk.plan.seed,
            chunk.replicates,
            rows,
            first,
            chunk.prepared.words[index],
            law.purpose,
            parameters,
            parameter_rows,
            chunk.arm,
        )
        if law.kind == "binary":
            layout.responses(*shared, self.values)
        else:
            layout.values(*shared, law.sd, self.values)

    def risk_tables(
        self, chunk: FastChunk, rows: Ints, cut: Ints, treatment: int, control: int, strata: Ints, count: int
    ) -> RiskTables:
        """Return the risk tables of two arms at a cut."""
        until = cut - self.law.readout_ticks
        index = chunk.patients.entry_index
        fresh = rows[self._seen[rows] != until]
        if len(fresh):
            risk.sort_new_exits(
                fresh, until[self._seen[rows] != until], self._seen, chunk.entry, *index, self.exit_at,
                self.event_at, self._keys, self._sizes,
            )  # fmt: skip
        room = int(self._sizes[rows].sum()) * count + 8
        offsets = np.empty(len(rows) + 1, dtype=np.int64)
        tables = [np.empty(room, dtype=np.int32) for _ in range(4)]
        risk.numbers_at_risk(
            rows, until, chunk.entry, *index, self.exit_at, chunk.arm, strata, count, self._keys, self._sizes,
            treatment, control, offsets, *tables,
        )  # fmt: skip
        return RiskTables(offsets, *tables)


class FastCut:
    """What is known for one test at a point; see :class:`~trialsim.contracts.DataCut`."""

    def __init__(self, chunk: FastChunk, point: Point, test: int) -> None:
        self._chunk, self._point = chunk, point
        self._test = chunk.plan.tests[test]
        self._outcome = chunk.outcome(self._test.endpoint)

    def risk_tables(self) -> RiskTables:
        """Return the numbers at risk (survival endpoints)."""
        strata, count = self._chunk.patients.strata(self._test.strata)
        return self._outcome.risk_tables(
            self._chunk,
            self._point.rows,
            self._point.tick,
            self._test.treatment,
            self._test.control,
            strata,
            count,
        )

    def moments(self) -> Moments:
        """Return the read-outs' moments (binary and continuous endpoints)."""
        rows = self._point.rows
        shape = (len(rows), 2)
        n, mean, squares = np.empty(shape, dtype=np.int64), np.empty(shape), np.empty(shape)
        pair = np.array([self._test.control, self._test.treatment])
        known = (self._outcome.readout_at, self._outcome.values, self._chunk.arm, pair, n, mean, squares)
        if self._outcome.law.kind == "binary":
            counting.binary_readouts(rows, self._point.tick, *known)
        else:
            counting.continuous_readouts(rows, self._point.tick, *known)
        return Moments(n, mean, squares)
