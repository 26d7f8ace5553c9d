"""Patients of the fast engine: what all chunks of a plan share, and who the patients of a chunk are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trialsim.contracts import Floats, Ints, TestPlan
from trialsim.draws import Purpose, block_count, patient_table
from trialsim.engines import fast_outcome_kernels as layout
from trialsim.engines.fast_enrolled_kernels import record_strata
from trialsim.engines.fast_lives import Reach
from trialsim.engines.fast_rows import index_entries
from trialsim.engines.fast_sites import Recruitment, Window
from trialsim.engines.plan import Plan
from trialsim.operations.sites import SITE_BITS
from trialsim.timegrid import NEVER, TICKS_PER_DAY


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
    window
        How far sites are run, in a world with sites.
    reach
        How far lives are led, in a world that has them.
    """

    words: tuple[NDArray[np.uint64], ...]
    row_words: NDArray[np.uint64]
    allocation_words: NDArray[np.uint64]
    parameters: tuple[NDArray[Any] | None, ...]
    entry: Ints | None
    entry_index: tuple[NDArray[np.int32], int] | None
    window: Window | None = None
    reach: Reach | None = None


def prepare(plan: Plan) -> Prepared:
    """Return what all chunks of a plan share."""
    world, seed = plan.world, plan.seed
    blocks, rows = block_count(plan.most), world.source.rows
    entry = (
        None if world.accrual.random else world.accrual.entry_ticks(seed, 0, plan.most, plan.grid)[None, :]
    )
    return Prepared(
        tuple(patient_table(blocks, law.purpose, law.draw, seed) for law in world.laws),
        patient_table(blocks, int(Purpose.TABLE_ROW), 0, seed),
        patient_table(blocks, int(Purpose.ALLOCATION), 0, seed),
        tuple(
            law.parameters(rows, np.zeros(len(rows)))
            if world.source.finite and law.drift.none and not law.by_site
            else None
            for law in world.laws
        ),
        entry,
        None if entry is None else entry_index(entry),
        None if world.sites is None else Window(plan),
        None if world.life is None else Reach(plan.horizon),
    )


def entry_index(entry: Ints) -> tuple[NDArray[np.int32], int]:
    """Return how many patients entered before each of some evenly spaced times, and the spacing as a power of two.

    Parameters
    ----------
    entry
        Sorted entry times, ``[replicate or 1, patient]``; NEVER, at the end, for patients who do not come.
    """
    last = int(np.where(entry < NEVER, entry, 0).max())
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
    keys
        Number of each patient as a candidate, at which their draws are found, ``[replicate, patient]``; empty where it is
        their number in the order of entry.
    parameters
        For each law an array ``[row, arm]`` and which row each patient is, ``[replicate or 1, patient]``.
    """

    def __init__(self, plan: Plan, prepared: Prepared, replicates: Ints) -> None:
        self._plan = plan
        source, size = plan.world.source, len(replicates)
        self.replicates = replicates
        self.recruitment: Recruitment | None = None
        self.entry: Ints
        if prepared.window is not None:
            self.recruitment = Recruitment(plan, replicates, prepared.window)
            self.entry, self.keys = self.recruitment.entry, self.recruitment.keys
        else:
            self.entry = prepared.entry if prepared.entry is not None else self._entries(replicates)
            self.keys = np.empty((0, plan.most), dtype=np.int64)
        self.width: int = self.entry.shape[1]
        n = self.width
        self._records: Floats | None = None
        if len(self.keys):
            keys, owners = self.keys.ravel(), np.repeat(replicates, n)
            self._rows = np.arange(size * n).reshape(size, n)
            if source.finite:
                self._rows = source.row_numbers(plan.seed, owners, keys).reshape(size, n)
            else:
                self._records = source.records_at(plan.seed, owners, keys)
        elif source.identical:
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
        self._entry_index = prepared.entry_index if self.entry is prepared.entry else None
        self._strata: dict[tuple[str, ...], Ints] = {}
        self._levels: NDArray[np.int16] | None = None
        self._one_stratum = np.zeros((1, n), dtype=np.int64)
        self.parameters = [
            (ready, self._rows) if ready is not None else (self._parameters(index, size), self._every(size))
            for index, ready in enumerate(prepared.parameters)
        ]

    def latent(self, r: Ints, i: Ints) -> Floats:
        """Return the latent traits of patients ``i`` of the replicates at positions ``r``, ``[patient, trait]``."""
        source = self._plan.world.source
        rows = np.broadcast_to(self._rows, (len(self.replicates), self.width))[r, i]
        records = source.rows if self._records is None else self._records
        return np.asarray(records[rows][:, source.covariate_count :])

    @property
    def entry_index(self) -> tuple[NDArray[np.int32], int]:
        """The index of the entry times."""
        if self._entry_index is None:
            self._entry_index = entry_index(self.entry)
        return self._entry_index

    def set_entry(self, entry: Ints) -> None:
        """Take entry times that each replicate has for itself."""
        self.entry, self._entry_index = entry, None

    def enter_anew(self, entry: Ints) -> None:
        """Let outcomes that drift follow entry times that have moved, ``[replicate, patient]``."""
        size = len(self.replicates)
        for index, law in enumerate(self._plan.world.laws):
            if not law.drift.none:
                records, _, effects = self._every_patient(index, size)
                moved = law.parameters(records, entry.ravel() / TICKS_PER_DAY, effects)
                self.parameters[index] = (moved, self._every(size))

    def part_entries(self, size: int) -> None:
        """Give each replicate entry times of its own, which a decision may then end."""
        if len(self.entry) < size:
            self.entry = np.repeat(self.entry, size, axis=0)
        self._entry_index = None

    def entries_changed(self) -> None:
        """Note that entry times have changed."""
        self._entry_index = None

    def _entries(self, replicates: Ints) -> Ints:
        """Return entry times that differ between replicates."""
        plan = self._plan
        return np.stack(
            [plan.world.accrual.entry_ticks(plan.seed, int(r), plan.most, plan.grid) for r in replicates]
        )

    def _every(self, size: int) -> Ints:
        """Return a row of its own for every patient."""
        return np.arange(size * self.width).reshape(size, self.width)

    def _parameters(self, index: int, size: int) -> NDArray[Any]:
        """Return what a law needs of every single patient of the chunk."""
        return self._plan.world.laws[index].parameters(*self._every_patient(index, size))

    def linear_parts(self, index: int) -> Floats:
        """Return main, modifier and drift of a law for every single patient, ``[3, replicate, patient]``."""
        size = len(self.replicates)
        parts = self._plan.world.laws[index].linear_parts(*self._every_patient(index, size))
        return np.stack(parts).reshape(3, size, self.width)

    def _every_patient(self, index: int, size: int) -> tuple[Floats, Floats, Floats | None]:
        """Return records, days of entry and, where a law has any, effects of sites of every single patient."""
        shape, law = (size, self.width), self._plan.world.laws[index]
        entry_days = np.broadcast_to(self.entry, shape).ravel() / TICKS_PER_DAY
        records = self._records
        if records is None:
            records = self._plan.world.source.rows[np.broadcast_to(self._rows, shape).ravel()]
        if not law.by_site:
            return records, entry_days, None
        owners = np.repeat(self.replicates, self.width)
        return records, entry_days, law.site_effects(self._plan.seed, owners, self.keys.ravel())

    def block_strata(self) -> tuple[Ints, int]:
        """Return the stratum whose blocks each patient is allocated in, and the number of strata, sites included."""
        design = self._plan.allocation
        found = self.allocation_strata(design.strata)
        return self._within_sites(*found) if design.by_site else found

    def analysis_strata(self, test: TestPlan) -> tuple[Ints, int]:
        """Return the stratum of each patient in a test's analysis, and the number of strata, sites included."""
        found = self.strata(test.strata)
        return self._within_sites(*found) if test.by_site else found

    def _within_sites(self, strata: Ints, count: int) -> tuple[Ints, int]:
        """Return strata within each site."""
        sites = self._plan.world.sites
        assert sites is not None
        return strata + (self.keys >> SITE_BITS) * count, sites.count * count

    def allocation_strata(self, names: tuple[str, ...], margin: int = 0) -> tuple[Ints, int]:
        """Return the stratum in which each patient is allocated, and the number of strata."""
        strata, count = self.strata(names)
        rate = self._plan.world.stratum_errors
        if rate == 0.0 or count == 1:
            return strata, count
        recorded = np.empty((len(self.replicates), self.width), dtype=np.int64)
        record_strata(self._plan.seed, self.replicates, self.keys, margin, strata, count, rate, recorded)
        return recorded, count

    def strata(self, names: tuple[str, ...]) -> tuple[Ints, int]:
        """Return the stratum of each patient, ``[replicate or 1, patient]``, and the number of strata."""
        if not names:
            return self._one_stratum, 1
        how = self._plan.strata(names)
        if names not in self._strata:
            records = self._records if self._records is not None else self._plan.world.source.rows
            self._strata[names] = how.of(records)[self._rows]
        return self._strata[names], how.count

    def adjusted_for(self, test: TestPlan) -> Floats:
        """Return what a test's analysis adjusts for, of every patient, ``[replicate or 1, patient, column]``."""
        records = self._records if self._records is not None else self._plan.world.source.rows
        found: Floats = self._plan.adjustment(test).of(records)[self._rows]
        return found

    def counted_levels(self, row: int) -> Ints:
        """Return the level of each margin of which allocation keeps count, of one replicate, ``[patient, margin]``."""
        balance = self._plan.allocation.balance
        if balance is None:
            strata, _ = self.block_strata()
            return np.asarray(strata[row if len(strata) > 1 else 0][:, None])
        levels, records, _ = self.levels(balance.margins)
        return np.asarray(levels[records[row if len(records) > 1 else 0]], dtype=np.int64)

    def levels(self, margins: tuple[tuple[str, ...], ...]) -> tuple[NDArray[np.int16], Ints, int]:
        """Return where the patients are counted for the balance of an allocation.

        Parameters
        ----------
        margins
            Covariates whose levels are balanced together, for each margin; always those of the plan.

        Returns
        -------
        levels, rows, count
            The row of the counts of each margin by record ``[record, margin]``, the record of each patient
            ``[replicate or 1, patient]``, and how many rows of counts there are.
        """
        begin = np.cumsum([0, *(self._plan.strata(names).count for names in margins)])
        by_patient = self._plan.world.stratum_errors > 0.0
        if self._levels is None and by_patient:
            found = [self.allocation_strata(names, margin)[0] for margin, names in enumerate(margins)]
            wide = [np.broadcast_to(each, self.keys.shape).ravel() for each in found]
            self._levels = (np.stack(wide, axis=1) + begin[:-1]).astype(np.int16)
        elif self._levels is None:
            records = self._records if self._records is not None else self._plan.world.source.rows
            found = [self._plan.strata(names).of(records) for names in margins]
            self._levels = (np.stack(found, axis=1) + begin[:-1]).astype(np.int16)
        rows = self._every(len(self.replicates)) if by_patient else self._rows
        return self._levels, rows, int(begin[-1])
