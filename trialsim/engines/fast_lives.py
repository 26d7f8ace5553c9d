"""Lives of the patients of a chunk: laid out by compiled loops, kept as arrays and as a journal of what happened."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from trialsim.contracts import Floats, Ints, TestPlan
from trialsim.engines import fast_journal_kernels as journal
from trialsim.engines.candidate_views import standardised
from trialsim.engines.fast_again import LifeArrays, live, live_again
from trialsim.engines.fast_life_log import rows_of_log
from trialsim.engines.fast_monitoring import Hidden, decide_at_visits, decided_by, no_orders
from trialsim.engines.fast_outcomes import Outcome, derived
from trialsim.engines.fast_period_kernels import count_by_period
from trialsim.engines.fast_straight_kernels import DEAD
from trialsim.engines.life import LifeLaw
from trialsim.engines.life_tally import LifeTally, tally_columns
from trialsim.engines.points import VisitsDecided
from trialsim.engines.strategies import (
    COMPOSITE,
    PRINCIPAL_STRATUM,
    TREATMENT_POLICY,
    ends_by_strategy,
    later,
)
from trialsim.policies.scores import reads_latent
from trialsim.population.clocks import with_whole_effect
from trialsim.timegrid import NEVER

if TYPE_CHECKING:
    from trialsim.engines.fast import FastChunk
    from trialsim.engines.fast_log import Keyed
    from trialsim.engines.points import Point

_ROWS_A_PATIENT = 3


class Reach:
    """How far lives are led before anybody knows when a trial ends, and how much room their journals take.

    Set as chunks show how long trials take; a trial that needs more is led on to the horizon, so that no number depends
    on it.

    Parameters
    ----------
    horizon
        Tick after which nothing happens.
    """

    def __init__(self, horizon: int) -> None:
        self.ticks = self._horizon = horizon
        self._latest = 0
        self.rows_a_patient = _ROWS_A_PATIENT

    def learn(self, ends: Ints) -> None:
        """Set how far the lives of the next chunk are led a little beyond the latest end so far, stragglers aside."""
        self._latest = max(self._latest, min(int(ends.max()), 2 * int(np.median(ends))))
        self.ticks = min(self._latest + self._latest // 32, self._horizon)


class FastLives:
    """What becomes of the patients of a chunk from randomisation on.

    Attributes
    ----------
    dropout
        Delay from entry to loss or withdrawal, NEVER where it was neither, ``[replicate, patient]``.
    complete
        Delay from entry to death or to having nothing more to give, NEVER where it was neither.
    off_at
        Tick of the last dose.
    """

    def __init__(self, chunk: FastChunk, law: LifeLaw) -> None:
        self.law = law
        self._columns = tally_columns(law)
        self._derived: dict[tuple[int, str, bool, int], Outcome] = {}
        size, n = len(chunk.replicates), chunk.patients.width
        ends, reads = len(law.numbers.survival.endpoints), len(law.numbers.reading.readouts)
        self._event_at, self._exit_at = (np.empty((ends, size, n), dtype=np.int64) for _ in range(2))
        told = any(law.reported(e) for e in range(ends))
        self._told_at = np.empty((3, ends, size, n) if told else (3, 0, 0, 0), dtype=np.int64)
        self._readout_at = np.empty((reads, size, n), dtype=np.int64)
        self.dropout, self.complete, self.off_at = (np.empty((size, n), dtype=np.int64) for _ in range(3))
        self._quit_at, self._crossed_at = (np.empty((size, n), dtype=np.int64) for _ in range(2))
        self._left = np.empty((size, n), dtype=np.int8)
        self._offsets = np.zeros((size, n + 1), dtype=np.int64)
        self._full = np.zeros(size, dtype=np.bool_)
        assert chunk.prepared.reach is not None
        self._learned = chunk.prepared.reach
        self._reach = np.full(size, self._learned.ticks)
        self._make_room(size, self._learned.rows_a_patient * n + 256)
        for e, outcome in enumerate(law.numbers.survival.endpoints):
            found = chunk.outcome(outcome)
            found.event_at, found.exit_at = self._event_at[e], self._exit_at[e]
            found.begin_anew()
            if law.reported(e):
                found.told_at = (self._told_at[0, e], self._told_at[1, e], self._told_at[2, e])
        for k, outcome in enumerate(law.numbers.reading.readouts):
            chunk.outcome(outcome).readout_at = self._readout_at[k]
        changes, listens = law.numbers.outcomes_change, bool(law.numbers.clock.hear.any())
        self._outcomes = np.empty((reads, size, n) if changes or listens else (0, 0, 0))
        # As drawn, for those who live again.
        self._as_drawn = self._outcomes.copy() if changes and chunk.plan.monitoring is not None else None
        self._parts = np.empty((0, 3, 0, 0))
        if changes:
            self._parts = np.stack(
                [chunk.patients.linear_parts(int(outcome)) for outcome in law.numbers.reading.readouts]
            )
        self._orders = no_orders(law, chunk.plan.monitoring, size, n)
        blocks = chunk.prepared.allocation_words.shape[1]
        nothing = np.zeros((4, blocks), dtype=np.uint64)
        self._tables = np.stack([nothing if i < 0 else chunk.prepared.words[i] for i in law.laws])
        self._factors, self._rows = self._all_factors(chunk)
        self._starts = with_whole_effect(law.clocks, law.numbers.treatment.weights)

    def _make_room(self, size: int, room: int) -> None:
        """Make room for so many rows a replicate."""
        self._ticks, self._codes = (np.empty((size, room), dtype=np.int64) for _ in range(2))

    def _all_factors(self, chunk: FastChunk) -> tuple[Floats, Ints]:
        """Return exp(-linear predictor) of every clock, ``[clock, row, arm]``, and which row each patient is."""
        given = [None if i < 0 else chunk.patients.parameters[i] for i in self.law.laws]
        rows = [part[1] for part in given if part is not None]
        if not rows:
            return np.ones((len(given), 1, len(chunk.plan.arms))), np.zeros(
                (1, chunk.patients.width), dtype=np.int64
            )
        shape = (len(chunk.replicates), chunk.patients.width)
        alike = all(part is rows[0] for part in rows)
        each = [
            part if part is None or alike else (part[0][np.broadcast_to(part[1], shape).ravel()], part[1])
            for part in given
        ]
        like = next(part[0] for part in each if part is not None)
        stacked = np.stack([np.ones_like(like) if part is None else part[0] for part in each])
        return stacked, rows[0] if alike else np.arange(shape[0] * shape[1]).reshape(shape)

    def lay_out(self, chunk: FastChunk, rows: Ints, first: Ints) -> None:
        """Lay out what will happen to patients ``first[row]`` onwards of some replicates."""
        for k, outcome in enumerate(self.law.numbers.reading.readouts):
            found = chunk.outcome(outcome)
            found.lay_out_values(chunk, outcome, rows, first)
            if len(self._outcomes):
                self._outcomes[k] = found.value()
        if self._as_drawn is not None:
            for row in rows:
                self._as_drawn[:, row, first[row] :] = self._outcomes[:, row, first[row] :]
        self._live(chunk, rows, first)

    def _live(self, chunk: FastChunk, rows: Ints, first: Ints) -> None:
        """Let patients ``first[row]`` onwards of some replicates live, as far as they are led for now."""
        self._derived.clear()
        plan, waiting = chunk.plan, rows
        if plan.monitoring is not None:
            for row in rows:
                self._orders[row, first[row] :] = 0
        self._follow(chunk, waiting, first)
        if plan.monitoring is not None:
            people = (chunk.replicates, chunk.patients.keys, chunk.entry)
            decide_at_visits(
                self.law, plan.monitoring, plan.seed, rows, first, people, self._orders, lambda: self.journal,
                lambda r, i: self._live_again(chunk, r, i), _hidden_from_policies(chunk),
            )  # fmt: skip
        if len(self._parts):
            for k, outcome in enumerate(self.law.numbers.reading.readouts):
                chunk.outcome(outcome).put(rows, self._outcomes[k, rows])

    def _arrays(self, chunk: FastChunk) -> LifeArrays:
        """Return the arrays of lives as they are now."""
        return LifeArrays(
            self._reach, self._tables, chunk.patients.keys, self.law.numbers, self.law.clocks, self._starts,
            self._factors, self._rows, chunk.entry, chunk.arm, self._outcomes, self._parts, self._orders,
            self._event_at, self._exit_at, self._told_at, self._readout_at, self.dropout, self.complete, self.off_at,
            self._quit_at, self._crossed_at, self._left, self._ticks, self._codes, self._offsets, self._full,
        )  # fmt: skip

    def _live_again(self, chunk: FastChunk, r: Ints, i: Ints) -> None:
        """Let some patients live again, by the orders as they are now."""
        drawn = self._outcomes if self._as_drawn is None else self._as_drawn
        self._ticks, self._codes = live_again(
            chunk.plan.seed, chunk.replicates, self._arrays(chunk), drawn, r, i
        )

    def _follow(self, chunk: FastChunk, waiting: Ints, first: Ints) -> None:
        """Let patients live, in as much room as their journals take."""
        if self._as_drawn is not None:
            for row in waiting:
                self._outcomes[:, row, first[row] :] = self._as_drawn[:, row, first[row] :]
        while True:
            live(chunk.plan.seed, chunk.replicates, waiting, first, self._arrays(chunk))
            waiting = waiting[self._full[waiting]]
            if not len(waiting):
                break
            kept = self._ticks, self._codes
            size, room = self._ticks.shape
            self._make_room(size, room + room // 2)
            self._learned.rows_a_patient += -(-self._learned.rows_a_patient // 2)
            for new, old in zip((self._ticks, self._codes), kept, strict=True):
                new[:, :room] = old

    def visits_decided(self, chunk: FastChunk, ends: Ints) -> VisitsDecided:
        """Return what the monitoring policy was asked by the trials' ends, and what it answered."""
        people = (chunk.replicates, chunk.patients.keys, chunk.entry)
        hidden = _hidden_from_policies(chunk)
        return decided_by(self.law, chunk.plan.seed, people, self._orders, self.journal, ends, hidden)

    def lead_on(self, chunk: FastChunk, rows: Ints, ticks: Ints) -> Ints:
        """Lead the lives of those replicates on to the horizon that have not been led to some times; return which."""
        further = rows[self._reach[rows] < np.minimum(ticks, chunk.plan.horizon)]
        if len(further):
            self._reach[further] = chunk.plan.horizon
            self._live(chunk, further, np.zeros(len(self._reach), dtype=np.int64))
        return further

    def learn(self, ends: Ints) -> None:
        """Take note of when the trials of this chunk ended."""
        self._learned.learn(ends)

    def left_by(self, ticks: Ints, entry: Ints) -> Ints:
        """Return the delay from entry to leaving for those who have left by a time, NEVER for others."""
        gone = np.minimum(self.dropout, self.complete)
        return np.where(entry + gone <= ticks[:, None], gone, NEVER)

    def read_at_visits(self, outcome: int) -> bool:
        """Return whether an outcome is read out at visits."""
        numbers = self.law.numbers
        return bool(numbers.reading.at_visit[numbers.reading.readouts == outcome].any())

    def seen_at_visits(self, outcome: int) -> bool:
        """Return whether an outcome is read out, or an event is detected, at visits."""
        survival = self.law.numbers.survival
        return self.read_at_visits(outcome) or bool(survival.detected[survival.endpoints == outcome].any())

    def is_death(self, outcome: int) -> bool:
        """Return whether an outcome is the death of which patients die."""
        survival = self.law.numbers.survival
        return bool(survival.terminal >= 0 and outcome == survival.endpoints[survival.terminal])

    def last_visits(self, rows: Ints) -> Ints:
        """Return the ticks of the last scheduled visits of some replicates' patients, NEVER for who has left before."""
        found = np.empty((len(rows), self.dropout.shape[1]), dtype=np.int64)
        journal.find_visits(rows, len(self.law.numbers.visiting.visits), *self.journal, found)
        return found

    def analysed(self, chunk: FastChunk, test: TestPlan, outcome: Outcome, point: Point) -> Outcome:
        """Return the outcomes that a test analyses at a point, as its strategy for intercurrent events has them."""
        if test.strategy in (TREATMENT_POLICY, PRINCIPAL_STRATUM):
            return outcome
        if outcome.told_at is not None:
            return self._as_known(chunk, test, outcome, point)
        key = (test.endpoint, test.strategy, test.lower_is_better, test.window)
        if key not in self._derived:
            died = np.where(self._left == DEAD, chunk.entry + self.complete, NEVER)
            if outcome.law.kind == "survival":
                ends = (outcome.event_at, outcome.exit_at, outcome.known_at)
                events = (self.off_at, self._quit_at, self._crossed_at, died)
                self._derived[key] = derived(
                    outcome, *ends_by_strategy(test.strategy, *ends, *events, test.window)
                )
            else:
                other = died if test.strategy == COMPOSITE else np.minimum(self._crossed_at, died)
                first = np.minimum(later(self._quit_at, test.window), other)
                self._derived[key] = self._read_by_strategy(chunk, test, outcome, first)
        return self._derived[key]

    def _as_known(self, chunk: FastChunk, test: TestPlan, outcome: Outcome, point: Point) -> Outcome:
        """Return an endpoint whose events take time to be told as a strategy has what is known of it at a point."""
        cut = np.full((len(self._left), 1), -1)
        cut[point.rows, 0] = point.tick
        event = np.where(outcome.analysed_at <= cut, outcome.event_at, NEVER)
        exit_ = np.where(outcome.known_at <= cut, outcome.exit_at, NEVER)
        died = np.where(self._left == DEAD, chunk.entry + self.complete, NEVER)
        if self.is_death(test.endpoint):
            died = np.full_like(died, NEVER)  # of death itself, what is told counts
        events = (self.off_at, self._quit_at, self._crossed_at, died)
        known = tuple(np.where(at <= cut, at, NEVER) for at in events)
        last, quit_, crossed, died = known
        return derived(
            outcome,
            *ends_by_strategy(test.strategy, event, exit_, exit_, last, quit_, crossed, died, test.window),
        )

    def _read_by_strategy(self, chunk: FastChunk, test: TestPlan, outcome: Outcome, first: Ints) -> Outcome:
        """Return read-outs without those after an intercurrent event, or with failures in their place."""
        made = copy.copy(outcome)
        before = first < chunk.entry + outcome.law.readout_ticks
        if test.strategy == COMPOSITE:
            made.readout_at = np.where(before, first, outcome.readout_at)
            made.values = outcome.values.copy()
            made.put(slice(None), np.where(before, test.lower_is_better, outcome.value()))
        else:
            made.readout_at = np.where(before, NEVER, outcome.readout_at)
        return made

    def tally(self, chunk: FastChunk, ticks: Ints) -> LifeTally:
        """Return what has become of the patients of each replicate by a time."""
        size, arms, terms = len(chunk.replicates), len(chunk.plan.arms), len(self.law.terms)
        found = LifeTally(
            np.empty((size, arms, len(self._columns.names)), dtype=np.int64),
            np.empty((size, arms, 2), dtype=np.int64),
            np.empty((size, arms, 2 + terms), dtype=np.int64),
        )
        journal.tally_journal(
            np.arange(size), ticks, chunk.entry, chunk.arm, self.law.numbers.term.window, self._columns.base,
            self._columns.width, self.dropout, self.complete, self.off_at, self._ticks, self._codes, self._offsets,
            found.counts, found.persons, found.exposure,
        )  # fmt: skip
        return found

    def by_period(self, chunk: FastChunk, ends: Ints, group: Ints, cut: Ints) -> Ints:
        """Return adverse events and time at risk by period, ``[group, arm, term, period, 3]``."""
        shape = (int(group.max()) + 1, len(chunk.plan.arms), len(self.law.terms), len(ends), 3)
        found = np.zeros(shape, dtype=np.int64)
        count_by_period(
            cut, chunk.entry, chunk.arm, self.law.numbers.term.window, ends, group, self.dropout, self.complete,
            self.off_at, self._ticks, self._codes, self._offsets, found,
        )  # fmt: skip
        return found

    @property
    def left(self) -> NDArray[np.int8]:
        """How each patient leaves, as far as their lives are led, ``[replicate, patient]``."""
        return self._left

    @property
    def quit_at(self) -> Ints:
        """When each patient discontinues treatment, as far as their lives are led, NEVER for who does not."""
        return self._quit_at

    @property
    def journal(self) -> tuple[Ints, Ints, Ints]:
        """Ticks and codes of rows, ``[replicate, row]``; where a patient's begin, ``[replicate, patient + 1]``."""
        return self._ticks, self._codes, self._offsets

    def log_rows(self, chunk: FastChunk, row: int) -> list[Keyed]:
        """Return the lives of a replicate's patients as rows of its event log with the keys of their places in it."""
        return rows_of_log(
            self.law,
            chunk,
            row,
            self._ticks[row],
            self._codes[row],
            self._offsets[row],
            self._readout_at[:, row],
        )


def _hidden_from_policies(chunk: FastChunk) -> Hidden | None:
    """Return the latent traits of patients, for a monitoring policy that declares to read them."""
    if not reads_latent(chunk.plan.monitoring):
        return None
    world, patients = chunk.plan.world, chunk.patients
    traits = world.source.columns[world.source.covariate_count :]
    return traits, lambda r, i: standardised(world, patients.latent(r, i))
