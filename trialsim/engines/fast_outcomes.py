"""Outcomes of the fast engine: one endpoint's outcomes in a chunk, and what is known of them at a cut."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from trialsim.bit_marks import words_for
from trialsim.contracts import (
    AllocationRows,
    ArmTotals,
    Floats,
    Ints,
    Moments,
    PatientRows,
    RiskTables,
    TestPlan,
)
from trialsim.engines import fast_count_kernels as counting
from trialsim.engines import fast_late_kernels as late
from trialsim.engines import fast_outcome_kernels as layout
from trialsim.engines import fast_risk_kernels as risk
from trialsim.engines import fast_sum_kernels as adding
from trialsim.engines.fast_first import ByArm, FirstPatients, SummedPatients
from trialsim.engines.points import Point
from trialsim.engines.rerandomisation import redrawn_adaptively, redrawn_arms
from trialsim.engines.world import OutcomeLaw
from trialsim.timegrid import NEVER, TICKS_PER_DAY

if TYPE_CHECKING:
    from trialsim.engines.fast import FastChunk


class Outcome:
    """One endpoint's outcomes in a chunk.

    Attributes
    ----------
    first
        Where read-outs come in the order of entry and each replicate has arms of its own: patients read out, by arm.
        They are then laid out as cuts come to know of them.
    """

    def __init__(self, law: OutcomeLaw, index: int, size: int, n: int, chunk: FastChunk) -> None:
        self.law, self.index = law, index
        self.first: FirstPatients | None = None
        self.told_at: tuple[Ints, Ints, Ints] | None = None
        empty = np.empty((0, n), dtype=np.int64)
        self.delay = self.event_at = self.exit_at = self.readout_at = empty
        if law.kind == "survival":
            # Lives keep these times themselves.
            here = size if chunk.plan.world.life is None else 0
            self.delay, self.event_at, self.exit_at = (np.empty((here, n), dtype=np.int64) for _ in range(3))
            self.begin_anew()
            return
        if chunk.in_order and chunk.own_arms:
            sums = law.kind == "continuous" and chunk.plan.closed is not None and not chunk.plan.uses_spread
            self.first = (SummedPatients if sums else FirstPatients)(size, len(chunk.plan.arms))
        self._as_of: tuple[Ints, Ints] | None = None  # of the last cut, which is asked about again and again
        self._laid_out = np.zeros(size, dtype=np.int64)
        self._upto = np.zeros(size, dtype=np.int64)
        shared = len(chunk.entry) == 1 and chunk.in_order
        self.readout_at = np.empty((1 if shared else size, n), dtype=np.int64)
        # Binary outcomes are bits, so that those of 64 patients are counted at once.
        self.values: NDArray[Any] = (
            np.empty((size, words_for(n)), dtype=np.uint64) if law.kind == "binary" else np.empty((size, n))
        )

    def value(self, rows: Ints | list[int] | slice = slice(None)) -> NDArray[Any]:
        """Return the read-outs of some replicates, ``[replicate, patient]``."""
        if self.law.kind != "binary":
            return self.values[rows]
        octets = self.values[rows].view(np.uint8)
        return np.unpackbits(octets, axis=1, count=self.readout_at.shape[1], bitorder="little").view(np.int8)

    def read_out(self, chunk: FastChunk, rows: Ints, ticks: Ints) -> FirstPatients:
        """Return who has been read out by some times and what, of some replicates, where it goes by the order of entry."""
        assert self.first is not None
        if self._as_of is None or self._as_of[0] is not rows or self._as_of[1] is not ticks:
            if isinstance(self.first, SummedPatients):
                self.first.add(rows, self.read_out_by(chunk, rows, ticks), partial(self._sum_values, chunk))
            else:
                self.first.read(rows, self.known_at_cut(chunk, rows, ticks), chunk.arm, self.values)
            self._as_of = rows, ticks
        return self.first

    def read_out_between(self, chunk: FastChunk, rows: Ints, since: Ints, ticks: Ints) -> ByArm | None:
        """Return who was read out after some times and by others and what, where that was added up last; or None."""
        if not isinstance(self.first, SummedPatients):
            return None
        self.read_out(chunk, rows, ticks)
        return self.first.added_last(
            rows, self.read_out_by(chunk, rows, since), self.read_out_by(chunk, rows, ticks)
        )

    def read_out_by(self, chunk: FastChunk, rows: Ints, ticks: Ints) -> Ints:
        """Return how many patients have been read out by some times, ``[k]``, where that goes by the order of entry."""
        return chunk.entered(rows, ticks - self.law.readout_ticks)

    def known_at_cut(self, chunk: FastChunk, rows: Ints, ticks: Ints) -> Ints:
        """Return how many patients have been read out by some times, ``[k]``; what was read out is laid out by then."""
        upto = self.read_out_by(chunk, rows, ticks)
        further = self._laid_out[rows] < upto
        if further.any():
            some, until = (rows, upto) if further.all() else (rows[further], upto[further])
            self._upto[some] = until
            self._lay_out_values(chunk, self.index, some, self._laid_out, self._upto)
            self._laid_out[some] = until
        return upto

    def make_known(self, chunk: FastChunk, rows: Ints, ticks: Ints) -> None:
        """Lay out what has been read out by some times, where that was not done before."""
        if self.first is not None:
            self.known_at_cut(chunk, rows, ticks)

    def totals_by_arm(self, chunk: FastChunk, point: Point) -> tuple[Ints, Floats]:
        """Return how many read-outs each arm has at a point, and their sum, ``[k, arm]``."""
        if self.first is not None:
            first = self.read_out(chunk, point.rows, point.tick)
            return first.n[point.rows], first.total[point.rows]
        shape = (len(point.rows), len(chunk.plan.arms))
        n, total = np.empty(shape, dtype=np.int64), np.empty(shape)
        counting.counts_by_arm(point.rows, point.tick, self.readout_at, chunk.arm, chunk.coming, n)
        known = (point.rows, point.tick, self.readout_at, self.values, chunk.arm, chunk.coming, total)
        if self.law.kind == "binary":
            counting.responses_by_arm(*known)
        else:
            counting.totals_by_arm(*known)
        return n, total

    def put(self, rows: Ints | list[int] | slice, value: NDArray[Any]) -> None:
        """Put read-outs of some replicates, ``[replicate, patient]``, in the place of those that are there."""
        if self.law.kind != "binary":
            self.values[rows] = value
            return
        octets = np.zeros((len(value), 8 * self.values.shape[1]), dtype=np.uint8)
        packed = np.packbits(value.astype(bool), axis=1, bitorder="little")
        octets[:, : packed.shape[1]] = packed
        self.values[rows] = octets.view(np.uint64)

    def separate(self, size: int) -> None:
        """Make room for read-outs at times that differ between replicates."""
        self.readout_at = np.empty((size, self.readout_at.shape[1]), dtype=np.int64)

    def begin_anew(self) -> None:
        """Forget the exits that looks have seen so far."""
        self._keys = np.empty(self.exit_at.shape, dtype=np.int64)
        self._sizes = np.zeros(len(self.exit_at), dtype=np.int64)
        self._seen = np.full(len(self.exit_at), -1)

    @property
    def known_at(self) -> Ints:
        """When an analysis knows of each end of follow-up, which may be later than that end."""
        return self.exit_at if self.told_at is None else self.told_at[0]

    @property
    def analysed_at(self) -> Ints:
        """When an analysis knows of each event; a fixed delay of reports is not in it."""
        return self.event_at if self.told_at is None else self.told_at[1]

    @property
    def reported_at(self) -> Ints:
        """When each event is counted by what waits for events; a fixed delay of reports is not in it."""
        return self.event_at if self.told_at is None else self.told_at[2]

    def lay_out(self, chunk: FastChunk, rows: Ints, first: Ints) -> None:
        """Lay out the outcomes of patients ``first[row]`` onwards of some replicates."""
        law = self.law
        if law.kind == "survival":
            chunk.delays(self.index, law, rows, first, self.delay, self.event_at, self.exit_at)
            return
        layout.readout_times(
            rows[: len(self.readout_at)],
            first,
            chunk.entry,
            chunk.dropout,
            law.readout_ticks,
            self.readout_at,
        )
        if self.first is None:
            self.lay_out_values(chunk, self.index, rows, first)
            return
        self.first.forget(rows, first)
        self._as_of = None
        self._laid_out[rows] = np.minimum(self._laid_out[rows], first[rows])

    def lay_out_values(self, chunk: FastChunk, index: int, rows: Ints, first: Ints) -> None:
        """Lay out what will be read out of patients ``first[row]`` onwards of some replicates."""
        self._lay_out_values(chunk, index, rows, first, chunk.coming)

    def _sum_values(self, chunk: FastChunk, rows: Ints, upto: Ints, *into: NDArray[Any]) -> None:
        """Add the first ``upto[k]`` patients of some replicates to what was counted and added up so far."""
        law, plan = self.law, chunk.plan
        parameters, parameter_rows = chunk.patients.parameters[self.index]
        counted, n, total, since, gained_n, gained = into
        adding.sums_of_few(
            plan.seed, chunk.replicates, rows, upto, chunk.prepared.words[self.index], chunk.patients.keys, law.purpose,
            law.draw, parameters, parameter_rows, chunk.arm, law.sd, counted, n, total, since, gained_n, gained,
        )  # fmt: skip

    def _lay_out_values(self, chunk: FastChunk, index: int, rows: Ints, first: Ints, last: Ints) -> None:
        """Lay out what will be read out of patients ``first[row]`` to ``last[row]`` of some replicates."""
        law = self.law
        parameters, parameter_rows = chunk.patients.parameters[index]
        shared = (
            chunk.plan.seed,
            chunk.replicates,
            rows,
            first,
            last,
            chunk.prepared.words[index],
            chunk.patients.keys,
            law.purpose,
            law.draw,
            parameters,
            parameter_rows,
            chunk.arm,
        )
        if law.kind == "binary":
            layout.responses(*shared, self.values)
        elif self.first is None:
            layout.values(*shared, law.sd, self.values)
        else:
            layout.values_of_few(*shared, law.sd, self.values)

    def risk_tables(
        self, chunk: FastChunk, rows: Ints, cut: Ints, treatment: int, control: int, strata: Ints, count: int
    ) -> RiskTables:
        """Return the risk tables of two arms at a cut."""
        until = cut - self.law.readout_ticks
        fresh = rows[self._seen[rows] != until]
        if len(fresh):
            self._sort_new_exits(chunk, fresh, until[self._seen[rows] != until])
        room = int(self._sizes[rows].sum()) * count + 8
        offsets = np.empty(len(rows) + 1, dtype=np.int64)
        tables = [np.empty(room, dtype=np.int32) for _ in range(4)]
        compared = (
            chunk.arm, strata, count, self._keys, self._sizes, treatment, control, offsets, *tables,
        )  # fmt: skip
        if self.told_at is None:
            index = chunk.patients.entry_index
            risk.numbers_at_risk(rows, until, chunk.entry, *index, self.exit_at, *compared)
        else:
            late.numbers_at_risk_as_known(rows, until, chunk.entry, self.known_at, *compared)
        return RiskTables(offsets, *tables)

    def _sort_new_exits(self, chunk: FastChunk, rows: Ints, until: Ints) -> None:
        """Sort the exits of some replicates that are new by a time in among those that looks have seen."""
        lists = (self.event_at, chunk.entry, self._keys, self._sizes)
        if self.told_at is None:
            longest = risk.add_new_exits(rows, until, self._seen, self.exit_at, *lists)
        else:
            longest = late.add_exits_as_known(rows, until, self._seen, self.exit_at, self.known_at, *lists)
        risk.leave_room(self._keys, self._sizes, longest)
        # NumPy sorts in vectors, several times as fast as a compiled loop. What is sorted already stays as it is: it is
        # not worth while to leave a few replicates out.
        if 2 * len(rows) > len(self._keys):
            self._keys[:, :longest].sort(axis=1)
        else:
            self._keys[rows, :longest] = np.sort(self._keys[rows, :longest], axis=1)


def derived(outcome: Outcome, event_at: Ints, exit_at: Ints, known_at: Ints) -> Outcome:
    """Return a survival endpoint's outcomes as another strategy for intercurrent events has them."""
    made = copy.copy(outcome)
    made.event_at, made.exit_at, made.told_at = event_at, exit_at, (known_at, event_at, event_at)
    made.begin_anew()
    return made


class ArmMoments:
    """The moments of all arms of the trials of a chunk as of the looks that they were last asked for.

    Parameters
    ----------
    size
        Trials in the chunk.
    arms
        Arms of the design.
    """

    def __init__(self, size: int, arms: int) -> None:
        self.n = np.zeros((size, arms), dtype=np.int64)
        self.mean, self.squares = np.zeros((size, arms)), np.zeros((size, arms))
        self._as_of = np.full(size, -1)

    def bring_to(
        self, outcome: Outcome, chunk: FastChunk, point: Point, since: Ints | None, spread: bool
    ) -> None:
        """Work out what a point knows of the arms that are open, in the trials where that was not done yet."""
        fresh = self._as_of[point.rows] != point.tick
        if not fresh.any():
            return
        whole = bool(fresh.all())
        rows, tick = (point.rows, point.tick) if whole else (point.rows[fresh], point.tick[fresh])
        begin = np.full(len(rows), -1) if since is None else since if whole else since[fresh]
        outcome.make_known(chunk, rows, tick)
        # At visits, which may be late, read-outs come any time after entry.
        late = chunk.lives is not None and chunk.lives.read_at_visits(outcome.index)
        wait = NEVER if late else outcome.law.readout_ticks
        counting.readouts_by_arm(
            rows, begin, tick, wait, chunk.entry, *chunk.patients.entry_index, outcome.readout_at,
            outcome.value(), chunk.arm, chunk.arms_open, spread, self.n, self.mean, self.squares,
        )  # fmt: skip
        self._as_of[rows] = tick


class FastCut:
    """What is known for one test at a point; see :class:`~trialsim.contracts.DataCut`.

    Of binary and continuous endpoints what was read out after ``since``, ``[k]``.
    """

    def __init__(self, chunk: FastChunk, point: Point, test: TestPlan, since: Ints | None = None) -> None:
        self._chunk, self._point = chunk, point
        self._of_stage = since
        self._since = np.full(len(point.rows), -1) if since is None else since
        self._test = test
        self._outcome = chunk.analysed(self._test, point)

    def risk_tables(self) -> RiskTables:
        """Return the numbers at risk (survival endpoints)."""
        strata, count = self._strata()
        return self._outcome.risk_tables(
            self._chunk,
            self._point.rows,
            self._point.tick,
            self._test.treatment,
            self._test.control,
            strata,
            count,
        )

    def _strata(self) -> tuple[Ints, int]:
        """Return the stratum of each patient in the analysis, and the number of strata."""
        return self._chunk.patients.analysis_strata(self._test)

    def risk_tables_by_stratum(self) -> Iterator[RiskTables]:
        """Yield the numbers at risk of each stratum, all replicates in each."""
        strata, count = self._strata()
        compared = (self._chunk, self._point.rows, self._point.tick, self._test.treatment, self._test.control)
        for stratum in range(count):
            yield self._outcome.risk_tables(*compared, np.where(strata == stratum, 0, 1), 1)

    def moments(self) -> Moments:
        """Return the read-outs' moments (binary and continuous endpoints)."""
        rows, ticks, outcome, chunk = self._point.rows, self._point.tick, self._outcome, self._chunk
        sides, binary = (self._test.control, self._test.treatment), outcome.law.kind == "binary"
        closed = chunk.plan.closed is not None
        spread = not closed or chunk.plan.uses_spread
        if outcome.first is not None and (binary or not spread):
            stage = self._of_stage
            first = (
                outcome.read_out(chunk, rows, ticks)
                if stage is None
                else chunk.stage_of(outcome, rows, stage, ticks)
            )
            return first.moments(rows, sides, binary)
        pair = np.array(sides)
        if closed:
            every = chunk.moments_by_arm(outcome, self._point, self._of_stage, spread)
            here = (rows[:, None], pair)
            return Moments(every.n[here], every.mean[here], every.squares[here])
        # Arm by arm in memory: what is computed from them goes in vectors.
        shape = (2, len(rows))
        n, mean, squares = np.empty(shape, dtype=np.int64), np.empty(shape), np.empty(shape)
        outcome.make_known(chunk, rows, ticks)
        known = (outcome.readout_at, outcome.values, chunk.arm, chunk.coming, pair, n, mean, squares)
        if binary:
            counting.binary_readouts(rows, ticks, *known)
        else:
            counting.continuous_readouts(rows, ticks, *known)
        return Moments(n.T, mean.T, squares.T)

    def every_arm(self) -> ArmTotals:
        """Return the read-outs of every arm of the design, the compared ones or not (binary and continuous endpoints)."""
        n, total, _ = self._chunk.seen(self._point, self._test.endpoint)
        return ArmTotals(n, total, self._test.treatment, self._chunk.plan.n)

    def _here(self) -> tuple[Ints, Ints]:
        """Return place of the replicate and patient of those of the compared arms who are followed, or were read out."""
        rows, outcome, test = self._point.rows, self._outcome, self._test
        tick, arm = self._point.tick[:, None], _of(self._chunk.arm, rows)
        compared = (arm == test.treatment) | (arm == test.control)
        if outcome.law.kind == "survival":
            known = _of(self._chunk.entry, rows) <= tick - outcome.law.readout_ticks
        else:
            read_out = _of(outcome.readout_at, rows)
            known = (read_out <= tick) & (read_out > self._since[:, None])
        come = np.arange(self._chunk.patients.width) < _of(self._chunk.coming, rows)[..., None]
        places, patients = np.nonzero(compared & known & come)
        return places, patients

    def patients(self) -> PatientRows:
        """Return the patients one by one (any endpoint): those followed, or those read out."""
        rows, outcome, test = self._point.rows, self._outcome, self._test
        shape = (len(rows), self._chunk.arm.shape[1])
        until = self._point.tick[:, None] - outcome.law.readout_ticks
        arm, here = np.broadcast_to(_of(self._chunk.arm, rows), shape), self._here()
        still: NDArray[np.int8] | None = None
        if outcome.law.kind == "survival":
            entry, ended = _of(self._chunk.entry, rows), _of(outcome.exit_at, rows)
            over = _of(outcome.known_at, rows) <= until
            value = (np.where(over, ended, until) - entry)[here] / TICKS_PER_DAY
            event = (over & (_of(outcome.event_at, rows) == ended))[here]
            if test.strategy == "treatment_policy":
                still = (~over)[here].astype(np.int8)
        else:
            outcome.make_known(self._chunk, rows, self._point.tick)
            value = outcome.value(rows)[here].astype(np.float64)
            event = np.zeros(len(value), dtype=bool)
        strata, _ = self._chunk.patients.analysis_strata(test)
        covariates = self._chunk.patients.adjusted_for(test)
        return PatientRows(
            np.concatenate([[0], np.cumsum(np.bincount(here[0], minlength=len(rows)))]).astype(np.int64),
            (arm[here] == test.treatment).astype(np.int8),
            np.broadcast_to(_of(strata, rows), shape)[here],
            value,
            event.astype(np.int8),
            covariates[rows[here[0]] if len(covariates) > 1 else 0, here[1]],
            still,
        )

    def allocations(self) -> AllocationRows:
        """Return how those patients were allocated."""
        period, chance = self._chunk.allocations(self._point.rows)
        here = self._here()
        return AllocationRows(period[here], chance[here])

    def redrawn(self, draws: int) -> Iterator[NDArray[np.int8]]:
        """Yield for each replicate whether those patients would be on treatment in other allocations, ``[draw, row]``."""
        chunk, people = self._chunk, self._chunk.patients
        places, patients = self._here()
        if chunk.plan.response_endpoint >= 0:
            chunk.outcome(chunk.plan.response_endpoint).make_known(chunk, self._point.rows, self._point.tick)
        ends = np.searchsorted(places, np.arange(len(self._point.rows) + 1))
        for k, r in enumerate(self._point.rows):
            rows = patients[ends[k] : ends[k + 1]]
            known = int(rows[-1]) + 1 if len(rows) else 0
            keys = people.keys[r] if len(people.keys) else np.arange(people.width)
            levels = people.counted_levels(r)
            replicate = int(chunk.replicates[r])
            if chunk.plan.randomisation.adaptive:
                responses = chunk.outcome(chunk.plan.response_endpoint)
                one = np.array([r])
                yield redrawn_adaptively(
                    chunk.plan, self._test, replicate, keys[:known], levels[:known], rows.astype(np.int64), draws,
                    _of(chunk.entry, one)[0, :known], _of(responses.readout_at, one)[0, :known],
                    responses.value(one)[0, :known].astype(np.float64), chunk.asked(int(r)),
                )  # fmt: skip
                continue
            arms = _of(chunk.arm, np.array([r]))[0, :known].astype(np.int64)
            yield redrawn_arms(
                chunk.plan,
                self._test,
                replicate,
                keys[:known],
                levels[:known],
                rows.astype(np.int64),
                draws,
                arms,
            )


def _of(array: NDArray[Any], rows: Ints) -> NDArray[Any]:
    """Return the rows of some replicates of an array ``[replicate or 1, patient]``, one row where they share it."""
    return array[rows] if len(array) > 1 else array
