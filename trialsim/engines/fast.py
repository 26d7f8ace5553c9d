"""The fast engine: chunks of trials as arrays, run from decision to decision.

Patients are autonomous between decisions, so outcomes are laid out at once and a look is a date found by counting. A
decision that changes allocation lays out anew whoever enters later: draws are addresses, so nobody else moves. Where times
do not depend on arms, and arms may change, arms and outcomes are laid out as cuts come to know of them.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from trialsim.contracts import (
    Bools,
    CandidateView,
    DataCut,
    Decision,
    Floats,
    Ints,
    Stop,
    TestPlan,
    any_of,
    sum_of,
)
from trialsim.engines import fast_costs, fast_minimisation, fast_scored
from trialsim.engines import fast_count_kernels as counting
from trialsim.engines import fast_first_kernels as firsts
from trialsim.engines import fast_outcome_kernels as layout
from trialsim.engines.fast_adverse_events import adverse_event_cut
from trialsim.engines.fast_allocation_kernels import fill_allocations
from trialsim.engines.fast_cohorts import CohortCut, FastCohorts
from trialsim.engines.fast_enrolled_kernels import count_randomised
from trialsim.engines.fast_first import ByArm, FirstPatients
from trialsim.engines.fast_lives import FastLives, Reach
from trialsim.engines.fast_missing import missing_outcomes
from trialsim.engines.fast_outcomes import ArmMoments, FastCut, Outcome
from trialsim.engines.fast_patients import Patients, Prepared, prepare
from trialsim.engines.fast_pipeline import in_arms, last_of, patients_waited_for, waited_for
from trialsim.engines.fast_sizes import FastSizes, Resized, sizes_of
from trialsim.engines.life_tally import LifeTally
from trialsim.engines.missing_records import MissingOutcomes
from trialsim.engines.plan import Plan, Trigger
from trialsim.engines.points import CutCounts, Ends, Point, Scored, SitesReviewed, SiteTallies, VisitsDecided
from trialsim.engines.rerandomisation import shares_of
from trialsim.engines.world import OutcomeLaw
from trialsim.operations.allocation import SIMPLE
from trialsim.timegrid import NEVER


class FastEngine:
    """Runs chunks of one plan.

    Parameters
    ----------
    plan
        The design under a truth.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._prepared = prepare(plan)

    @property
    def learned(self) -> Reach | None:
        """How far lives are led at first, where the world has them."""
        return self._prepared.reach

    def fitting(self, replicates: int) -> int:
        """Return how many of some replicates to run at a time, as far as memory is concerned."""
        window = self._prepared.window
        return replicates if window is None else window.fitting(replicates)

    def start(self, replicates: Ints) -> FastChunk:
        """Return a chunk of replicates (global numbers) at the start of accrual."""
        return FastChunk(self.plan, self._prepared, np.asarray(replicates, dtype=np.int64))


class FastChunk:
    """The state of some replicates; see :class:`~trialsim.engines.points.Chunk`."""

    def __init__(self, plan: Plan, prepared: Prepared, replicates: Ints) -> None:
        self.plan, self.replicates = plan, replicates
        self.prepared = prepared
        size, arms = len(replicates), len(plan.arms)
        self._all = np.arange(size)
        self.patients = Patients(plan, prepared, replicates)
        if plan.may_close_early:
            self.patients.part_entries(size)
        self.entry = self.patients.entry
        n = self.patients.width
        self._came: Ints | None = None
        self._sizes = sizes_of(self)
        self._cohorts = None if plan.stage_ends is None else FastCohorts(self)
        shared_arms = not plan.adaptive and plan.allocation.rule == 0
        self.own_arms = not shared_arms
        self.arm = np.zeros((1 if shared_arms else size, n), dtype=np.int8)
        self.in_order = plan.world.dropout is None and plan.world.life is None
        self._allocates_ahead = not (plan.adaptive and self.in_order and _times_ignore_arms(plan))
        self._allocated = np.zeros(size, dtype=np.int64)
        self._first_entered = None if shared_arms else FirstPatients(size, arms)
        self._stages: dict[int, FirstPatients] = {}
        self._open = np.ones((size, arms), dtype=bool)
        self._weights = np.full((size, arms), np.nan)
        self._outcomes = [Outcome(law, e, size, n, self) for e, law in enumerate(plan.world.outcomes)]
        lost = plan.world.dropout is not None
        self._dropout = np.empty((size, n), dtype=np.int64) if lost else np.full((1, n), NEVER)
        self._complete = self._room_for_completion(size, n)
        self.lives = None if plan.world.life is None else FastLives(self, plan.world.life)
        if self.lives is not None:
            self._dropout, self._complete = self.lives.dropout, self.lives.complete
        self._alive = np.ones(size, dtype=bool)
        self._look = np.zeros(size, dtype=np.int64)
        self._ready = np.full(size, plan.grid)
        self._previous_cut = np.zeros(size, dtype=np.int64)
        self._look_at = np.full(size, NEVER)
        self._decide_at = np.full(size, NEVER)
        self._review = np.zeros(size, dtype=np.int64)
        self._review_at = np.full(size, NEVER)
        self._lag = np.array([look.cleaning + look.decision for look in plan.looks], dtype=np.int64)
        self._lagging = bool(self._lag.any())
        self._waiting: list[tuple[Ints, Decision]] = []
        self._end_reason = np.zeros(size, dtype=np.int8)
        self._end = np.full(size, NEVER)
        self._end_look = np.full(size, -1)
        self._end_cut = np.full(size, NEVER)
        self._dropped = np.zeros((size, arms), dtype=np.int64)
        self._history: list[tuple[str, Any]] = []
        self._changed: list[tuple[Ints, Ints, Floats, Bools]] = []
        self._tallies: SiteTallies | None = None
        self._moments: dict[tuple[int, bool], ArmMoments] = {}
        self._lay_out(self._all, np.zeros(size, dtype=np.int64))
        self._find_looks(self._all)
        self._find_reviews(self._all, np.zeros(size, dtype=np.int64))

    # ---- laying out patients and outcomes -------------------------------------------------------------------------

    def _room_for_completion(self, size: int, n: int) -> Ints:
        """Return where the delays after which patients have nothing more to give are kept."""
        survival = [outcome for outcome in self._outcomes if outcome.law.kind == "survival"]
        waits = [outcome.law.readout_ticks for outcome in self._outcomes if outcome.law.kind != "survival"]
        if not survival:
            return np.full((1, n), max(waits))
        if len(self._outcomes) == 1:
            return survival[0].delay
        return np.empty((size, n), dtype=np.int64)

    def _lay_out(self, rows: Ints, first: Ints) -> None:
        """Allocate patients ``first[row]`` onwards of some replicates and lay out all that will happen to them."""
        plan, design = self.plan, self.plan.allocation
        balance = design.balance
        if self._first_entered is not None:
            self._first_entered.forget(rows, first)
        for stage in self._stages.values():
            stage.forget(rows, first)
        if balance is not None:
            levels, records, count = self.patients.levels(balance.margins)
            fast_minimisation.allocate_by_counts(
                plan.seed, self.replicates, rows, first, self.prepared.allocation_words, self.patients.keys,
                design.rule, design.ratio, balance.measure, balance.probability, balance.weights, balance.steps,
                levels, records, count, self._open, self._weights, self.arm,
            )  # fmt: skip
        elif self._allocates_ahead:
            self._allocate(rows[: len(self.arm)], first, np.full(len(self.replicates), self.patients.width))
        else:
            self._allocated[rows] = np.minimum(self._allocated[rows], first[rows])
            if design.rule != SIMPLE:
                # Blocks and turns go on from patient to patient; who is drawn by weight is drawn alone.
                by_rule = rows[np.isnan(self._weights[rows, 0])]
                self._allocated[by_rule] = self.patients.width
                self._allocate(by_rule, first, self._allocated)
        self.lay_out_outcomes(rows, first)

    def _allocate(self, rows: Ints, first: Ints, last: Ints) -> None:
        """Allocate patients ``first[row]`` to ``last[row]`` of some replicates."""
        plan, design = self.plan, self.plan.allocation
        strata, count = self.patients.block_strata()
        layout.allocate(
            plan.seed, self.replicates, rows, first, last, self.prepared.allocation_words, self.patients.keys,
            design.rule, design.ratio, design.places, strata, count, self._open, self._weights, self.arm,
        )  # fmt: skip

    def _allocate_until(self, rows: Ints, ticks: Ints) -> None:
        """Allocate those who enter by some times in some replicates, as far as that was not done."""
        if self._allocates_ahead:
            return
        upto = self.entered(rows, ticks)
        further = np.flatnonzero(self._allocated[rows] < upto)
        if len(further):
            some = rows.take(further)
            last = np.zeros(len(self.replicates), dtype=np.int64)
            last[some] = upto.take(further)
            self._allocate(some, self._allocated, last)
            self._allocated[some] = last[some]

    def entered(self, rows: Ints, ticks: Ints) -> Ints:
        """Return how many of those who come have entered by some times in some replicates, ``[k]``."""
        found = np.empty(len(rows), dtype=np.int64)
        firsts.first_entered(rows, ticks, self.entry, *self.patients.entry_index, self.coming, found)
        return found

    def lay_out_outcomes(self, rows: Ints, first: Ints) -> None:
        """Lay out all that will happen to patients ``first[row]`` onwards of some replicates, whose arms are known."""
        plan = self.plan
        if self.lives is not None:
            self.lives.lay_out(self, rows, first)
            return
        if plan.world.dropout is not None:
            nothing = np.empty((0, self.patients.width), dtype=np.int64)
            self.delays(len(self._outcomes), plan.world.dropout, rows, first, self._dropout, nothing, nothing)
        for outcome in self._outcomes:
            outcome.lay_out(self, rows, first)
        survival = [outcome.delay for outcome in self._outcomes if outcome.law.kind == "survival"]
        if survival and len(self._outcomes) > 1:
            waits = [
                outcome.law.readout_ticks for outcome in self._outcomes if outcome.law.kind != "survival"
            ]
            layout.begin_completions(rows, first, max(waits, default=0), self._complete)
            for delay in survival:
                layout.completions(rows, first, delay, self._complete)

    @property
    def coming(self) -> Ints:
        """How many of the patients laid out come, ``[replicate or 1]``; entry times of NEVER may say so, too."""
        if self._came is not None:
            return self._came
        sizes = self._sizes
        return sizes.coming if isinstance(sizes, FastSizes) else np.array([self.patients.width])

    def further(self, rows: Ints) -> Ints:
        """Return how many read-outs or events more than first planned some replicates wait for."""
        return np.zeros(len(rows), dtype=np.int64) if self._sizes is None else self._sizes.further[rows]

    def set_entry(self, entry: Ints, rows: Ints | None = None) -> None:
        """Take entry times that each replicate has for itself, of all or of some."""
        if rows is None:
            self.entry = entry
        else:
            self.entry[rows] = entry
        self.patients.set_entry(self.entry)

    def looks_at(self, rows: Ints) -> Ints:
        """Return the look whose decision is carried out in some replicates now."""
        return self._look[rows] - 1

    def delays(
        self,
        index: int,
        law: OutcomeLaw,
        rows: Ints,
        first: Ints,
        out: Ints,
        event_at: Ints,
        exit_at: Ints,
    ) -> None:
        """Lay out the delays of one hazard law, and its events and exits where it has any."""
        assert law.hazard is not None
        pieces = law.hazard.pieces
        factors, factor_rows = self.patients.parameters[index]
        layout.delays(
            self.plan.seed, self.replicates, rows, first, self.prepared.words[index], self.patients.keys, law.purpose,
            law.draw, factors, factor_rows, self.arm, pieces.begin, pieces.width, pieces.slope, pieces.jump,
            pieces.lasting, law.hazard.exponent, law.hazard.scale, self.plan.grid, out, self.entry, self._dropout,
            event_at, exit_at,
        )  # fmt: skip

    # ---- when things are decided ----------------------------------------------------------------------------------

    def _date(self, trigger: Trigger, rows: Ints) -> Ints:
        """Return when a trigger is met, ``[k]``."""
        if trigger.kind in ("all", "any"):
            each = [self._date(child, rows) for child in trigger.children]
            return np.asarray(np.max(each, axis=0) if trigger.kind == "all" else np.min(each, axis=0))
        if trigger.kind == "calendar":
            return np.full(len(rows), trigger.ticks)
        if trigger.kind == "gap":
            return self._previous_cut[rows] + trigger.ticks
        if trigger.kind == "enrolled":
            entry = np.broadcast_to(self.entry, (len(self.replicates), self.patients.width))
            dates = np.asarray(entry[rows, trigger.count - 1])
            never = dates >= NEVER if self.plan.may_close_early else np.zeros(1, dtype=bool)
            if never.any():
                # Of a trial whose enrolment has been closed: when everybody has been read out.
                last = np.empty(int(never.sum()), dtype=np.int64)
                counting.last_activity(rows[never], self.entry, self._complete, self._dropout, last)
                dates[never] = last
            return dates
        outcome = self._outcomes[trigger.endpoint]
        if trigger.kind == "stages":
            ends: Ints = self.stage_ends(rows).max(axis=1)
            return self._or_at_the_end(ends, rows, outcome, events=True)
        times = outcome.reported_at if trigger.kind == "events" else outcome.readout_at
        delay = outcome.law.readout_ticks if trigger.kind == "events" else 0
        counted = np.ones(len(self.plan.arms), dtype=bool)
        if trigger.arms is not None:
            counted[:] = False
            counted[list(trigger.arms)] = True
        some = rows[:1] if len(times) == 1 and (counted.all() or len(self.arm) == 1) else rows
        wanted = np.array([trigger.count])
        if self._sizes is not None and trigger.kind in ("events", "readouts"):
            wanted = trigger.count + self._sizes.further[rows]
            some = some if bool((wanted == wanted[0]).all()) else rows
        if self._sizes is not None and self._sizes.shared and len(some) > 1:
            return np.asarray(times[0, wanted - 1])  # in order, and all come that are waited for
        if trigger.open_arms is not None:
            some = rows
            dates = self._dates_in_open_arms(trigger, rows, times, counted)
        else:
            dates = np.empty(len(some), dtype=np.int64)
            counting.dates_of_counts(some, times, self.arm, counted, wanted, dates)
        dates = np.where(dates < NEVER, dates + delay, dates)
        dates = np.broadcast_to(dates, len(rows)) if len(some) < len(rows) else dates
        return self._or_at_the_end(dates, rows, outcome, events=trigger.kind == "events")

    def _or_at_the_end(self, dates: Ints, rows: Ints, outcome: Outcome, *, events: bool) -> Ints:
        """Return dates of counts; where a count is never reached, when nobody is left who could add to it."""
        missing = dates >= NEVER
        if missing.any():
            # As many as there will ever be.
            last = last_of(self, outcome, rows[missing])
            if self.patients.recruitment is not None:
                last = self.patients.recruitment.last_activity(rows[missing], last)
            dates = dates.copy()
            dates[missing] = last + (outcome.law.readout_ticks if events else 0)
        return dates

    def _dates_in_open_arms(self, trigger: Trigger, rows: Ints, times: Ints, counted: Bools) -> Ints:
        """Return when the open arms among those counted have so many times, ``[k]``; NEVER where they never have."""
        dates = np.empty(len(rows), dtype=np.int64)
        each = trigger.open_arms == "each"
        here = self._open if trigger.arms is None else self._open & counted
        counting.dates_in_open_arms(rows, times, self.arm, here, trigger.count, each, dates)
        return dates

    def _find_looks(self, rows: Ints) -> None:
        """Find when the next look of some replicates is taken."""
        numbers = self._look[rows]
        alike = bool((numbers == numbers[0]).all())
        for number in numbers[:1] if alike else np.unique(numbers):
            here = rows if alike else rows[numbers == number]
            self._find_look(number, here)
            if self.lives is not None:
                needed = self._look_at[here] + self._lag[number]
                further = self.lives.lead_on(self, here, needed)
                if len(further):
                    self._find_look(number, further)

    def _find_look(self, number: int, rows: Ints) -> None:
        """Find when one look is taken in some replicates, from the lives of their patients as far as they are led."""
        look = self.plan.looks[number]
        date = np.minimum(self._date(look.trigger, rows), look.no_later_than)
        self._look_at[rows] = np.maximum(date, self._ready[rows])

    def _find_reviews(self, rows: Ints, now: Ints) -> None:
        """Find when the next review of some replicates is due; there is none once enrolment is complete."""
        if self.plan.reviews is None:
            return
        every, step = self.plan.reviews
        entry = np.broadcast_to(self.entry, (len(self.replicates), self.patients.width))
        following = (self._review[rows] + 1) * step
        if every == "enrolled":
            due = np.where(
                following <= self.plan.n, entry[rows, np.minimum(following, self.plan.n) - 1], NEVER
            )
        else:
            due = following
        self._review_at[rows] = np.where(due < entry[rows, self.plan.n - 1], due, NEVER)
        if self.lives is not None:
            coming = rows[self._review_at[rows] < NEVER]
            self.lives.lead_on(self, coming, self._review_at[coming])

    def advance(self) -> Point | None:
        """Run every live replicate to its next decision and return those that share a kind; None when all ended."""
        while True:
            rows = np.flatnonzero(self._alive)
            if not len(rows):
                return None
            if not self._lagging and self.plan.reviews is None:
                # Nothing but looks can be due.
                look = self._look_at[rows]
                over = look > self.plan.horizon
                if not over.any():
                    return self._point("look", rows, self._look[rows], look)
            review, look, decide = self._review_at[rows], self._look_at[rows], self._decide_at[rows]
            look = np.where(decide < NEVER, NEVER, look)
            soonest = np.minimum(np.minimum(review, look), decide)
            over = soonest > self.plan.horizon
            if over.any():
                ended = np.full(int(over.sum()), self.plan.horizon)
                self._allocate_until(rows[over], ended)
                self._finish(rows[over], ended, Stop.HORIZON)
                continue
            due = review == soonest
            if due.any():
                chosen = rows[due]
                return self._point("review", chosen, self._review[chosen].copy(), review[due])
            due = look == soonest
            if due.any():
                chosen = rows[due]
                return self._point("look", chosen, self._look[chosen].copy(), look[due])
            self._decide(rows)

    def _point(self, kind: str, rows: Ints, number: Ints, ticks: Ints) -> Point:
        """Return a decision point, up to which everybody is allocated."""
        self._allocate_until(rows, ticks)
        point = Point(kind, rows, number, ticks)
        if kind == "look" and self._cohorts is not None:
            self._cohorts.note(point)
        return point

    def apply(self, point: Point, decision: Decision, marks: Floats) -> None:
        """Take a decision into account from its time on."""
        rows = point.rows
        if point.kind == "review":
            self._history.append(("review", (rows, point.number, point.tick, decision)))
            self._review[rows] += 1
            if decision.weights is not None:
                given = ~np.isnan(decision.weights[:, 0])
                self._weights[rows[given]] = decision.weights[given]
                self._allocate_anew(rows[given], point.tick[given])
                self._find_looks(rows)
            self._find_reviews(rows, point.tick)
            return
        self._previous_cut[rows] = point.tick
        decide_at = point.tick + self._lag[point.number] if self._lagging else point.tick
        self._history.append(("look", (rows, point.number, point.tick, decide_at, decision, marks)))
        if not self._lagging:
            self._carry_out(rows, decide_at, decision)
            return
        self._decide_at[rows] = decide_at
        self._waiting.append((rows, decision))

    def _decide(self, rows: Ints) -> None:
        """Carry out the decisions that are due in some replicates now."""
        due = np.zeros(len(self.replicates), dtype=bool)
        soonest = np.minimum(self._review_at[rows], self._decide_at[rows])
        due[rows] = (self._decide_at[rows] == soonest) & (self._decide_at[rows] <= self.plan.horizon)
        due[rows] &= self._review_at[rows] > self._decide_at[rows]
        kept: list[tuple[Ints, Decision]] = []
        for waiting, decision in self._waiting:
            now = due[waiting]
            if not now.all():
                kept.append((waiting[~now], decision.of(~now)))
            if now.any():
                chosen = waiting if now.all() else waiting[now]
                ticks = self._decide_at[chosen]
                self._decide_at[chosen] = NEVER
                self._carry_out(chosen, ticks, decision if now.all() else decision.of(now))
        self._waiting = kept

    def _carry_out(self, rows: Ints, ticks: Ints, decision: Decision) -> None:
        """Carry out one decision in replicates in which it is due at ``ticks``."""
        assert decision.stop is not None and decision.reason is not None
        if self._lagging:
            self._allocate_until(rows, ticks)
        ended, on = np.flatnonzero(decision.stop), np.flatnonzero(~decision.stop)
        if len(ended):
            halted = rows.take(ended)
            self._end_look[halted] = self._look[halted]
            self._finish(halted, ticks.take(ended), decision.reason.take(ended), self._previous_cut[halted])
        if not len(on):
            return
        going, ticks = rows.take(on), ticks.take(on)
        self._look[going] += 1
        self._ready[going] = ticks + self.plan.grid
        if self._sizes is not None and decision.further_counts is not None:
            self._sizes.resize(self, going, ticks, decision.further_counts.take(on))
        if self.plan.adaptive or decision.weights is not None:
            changed = self._take_over(
                going,
                None if decision.open_arms is None else decision.open_arms.take(on, axis=0),
                None if decision.weights is None else decision.weights.take(on, axis=0),
            )
            if changed.any():
                self._allocate_anew(going[changed], ticks[changed])
        if decision.close_enrolment is not None and decision.close_enrolment.any():
            closing = decision.close_enrolment.take(on)
            self._close_enrolment(going[closing], ticks[closing])
        self._find_looks(going)

    def _take_over(self, going: Ints, now: Bools | None, weights: Floats | None) -> Bools:
        """Let arms close and weights apply in trials that go on; return in which of them anything changes."""
        changed = np.zeros(len(going), dtype=bool)
        if now is not None and self.plan.adaptive:
            closed = self._open.take(going, axis=0) & ~now
            dropped = self._dropped.take(going, axis=0)
            # In one dimension, as NumPy is slow along so few arms.
            look = np.repeat(self._look.take(going), closed.shape[1])
            np.copyto(dropped.reshape(-1), look, where=closed.reshape(-1))
            self._dropped[going] = dropped
            changed |= any_of(closed)
            self._open[going] = now
            by_weight = any_of(closed) & ~np.isnan(self._weights[going, 0])
            self._weights[going[by_weight]] *= now[by_weight]
        if weights is not None:
            given = ~np.isnan(weights[:, 0])
            self._weights[going[given]] = weights[given]
            changed |= given
        return changed

    def _close_enrolment(self, rows: Ints, ticks: Ints) -> None:
        """Let nobody more come from now on in some trials, whose last look is next."""
        first = self._next_patient(rows, ticks)
        for r in rows:
            self.entry[r, first[r] :] = NEVER
        self.patients.entries_changed()
        self._look[rows] = len(self.plan.looks) - 1
        self._review_at[rows] = NEVER
        left = rows[first[rows] < self.patients.width]
        if len(left):
            self._lay_out(left, first)

    def _next_patient(self, rows: Ints, ticks: Ints) -> Ints:
        """Return who comes first after these times, of those rows, ``[replicate]``."""
        first = np.zeros(len(self.replicates), dtype=np.int64)
        first[rows] = self.entered(rows, ticks)
        return first

    def _allocate_anew(self, rows: Ints, ticks: Ints) -> None:
        """Lay out anew whoever enters after these times."""
        first = self._next_patient(rows, ticks)
        rows = rows[first[rows] < self.patients.width]
        arms_now = self._weights.take(rows, axis=0), self._open.take(rows, axis=0)
        self._changed.append((rows, first.take(rows), *arms_now))
        if len(rows):
            self._lay_out(rows, first)

    def allocations(self, rows: Ints) -> tuple[Ints, Floats]:
        """Return how often allocation had changed before each patient came, and the probability of their arm."""
        shape = (len(rows), self.patients.width)
        period, chance = np.empty(shape, dtype=np.int64), np.empty(shape)
        at_start = shares_of(self.plan.allocation.ratio[None, :].astype(np.float64))[0]
        fill_allocations(rows, self.arm, at_start, *self._changes(), period, chance)
        return period, chance

    def _changes(self) -> tuple[Ints, Ints, Floats]:
        """Return how often allocation changed, from which patient on each time, and what probabilities arms then had."""
        size, arms = self._open.shape
        often = np.zeros(size, dtype=np.int64)
        for rows, *_ in self._changed:
            often[rows] += 1
        most = int(often.max())
        first, then = np.zeros((size, most), dtype=np.int64), np.zeros((size, most, arms))
        place = np.zeros(size, dtype=np.int64)
        for rows, patient, weights, open_arms in self._changed:
            # By the weights in force, or by the design's shares of the open arms.
            plain = (self.plan.allocation.ratio * open_arms).astype(np.float64)
            first[rows, place[rows]] = patient
            then[rows, place[rows]] = shares_of(np.where(np.isnan(weights[:, :1]), plain, weights))
            place[rows] += 1
        return often, first, then

    def asked(self, row: int) -> list[tuple[int, int]]:
        """Return when allocation was reconsidered in a replicate: the data cut, and from when on it held."""
        found = []
        for kind, record in self._history:
            place = np.flatnonzero(record[0] == row)
            decision = record[3] if kind == "review" else record[4]
            if not len(place) or decision.weights is None or np.isnan(decision.weights[place[0], 0]):
                continue
            k = int(place[0])
            cut = int(record[2][k])
            found.append((cut, cut if kind == "review" else int(record[3][k])))
        return found

    def _finish(self, rows: Ints, ticks: Ints, reason: Any, cut: Ints | None = None) -> None:
        """End the trials of some replicates."""
        self._alive[rows] = False
        self._end[rows] = ticks
        self._end_cut[rows] = ticks if cut is None else cut
        self._end_reason[rows] = reason

    # ---- what is known --------------------------------------------------------------------------------------------

    def cut(self, point: Point, test: int | TestPlan) -> DataCut:
        """Return what is known for a test at the point."""
        chosen = self.plan.tests[test] if isinstance(test, int) else test
        if chosen.adverse_events is not None:
            return adverse_event_cut(self, point, chosen)
        return FastCut(self, point, chosen)

    def stage_cut(self, point: Point, test: int) -> FastCut:
        """Return what has become known for a test since the look before."""
        return FastCut(self, point, self.plan.tests[test], self._previous_cut[point.rows])

    def stage_ends(self, rows: Ints) -> Ints:
        """Return when each stage ends whose patients are followed to an end of their own, ``[k, stage]``."""
        assert self._cohorts is not None
        return self._cohorts.ends(self, rows)

    def stage_events(self, rows: Ints, ends: Ints) -> Ints:
        """Return the events of each stage's patients that are known by its end, ``[k, stage]``."""
        assert self._cohorts is not None
        return self._cohorts.events(self, rows, ends)

    def cohort_cut(self, point: Point, test: int, stage: int) -> CohortCut:
        """Return what is known for a test at the point of the patients of one stage alone."""
        assert self._cohorts is not None
        return CohortCut(self, point, self.plan.tests[test], stage, self._cohorts)

    def moments_by_arm(self, outcome: Outcome, point: Point, since: Ints | None, spread: bool) -> ArmMoments:
        """Return the moments of all arms of some replicates, worked out once for the tests that compare them."""
        key = (id(outcome), since is None)
        if key not in self._moments:
            self._moments[key] = ArmMoments(len(self.replicates), len(self.plan.arms))
        self._moments[key].bring_to(outcome, self, point, since, spread)
        return self._moments[key]

    def stage_of(self, outcome: Outcome, rows: Ints, since: Ints, ticks: Ints) -> ByArm:
        """Return who was read out after some times and by others and what, of some replicates, in the order of entry."""
        if (found := outcome.read_out_between(self, rows, since, ticks)) is not None:
            return found
        stage = self._stages.setdefault(
            outcome.index, FirstPatients(len(self.replicates), len(self.plan.arms))
        )
        upto = outcome.known_at_cut(self, rows, ticks)
        stage.leave_out(rows, self.entered(rows, since - outcome.law.readout_ticks), upto)
        stage.read(rows, upto, self.arm, outcome.values)
        return stage

    def open_arms(self, rows: Ints) -> Bools:
        """Return which arms are open to allocation, ``[k, arm]``."""
        return self._open.take(rows, axis=0) if self.plan.adaptive else self._open[: len(rows)].copy()

    def outcome(self, index: int) -> Outcome:
        """Return the outcomes of one endpoint."""
        return self._outcomes[index]

    def analysed(self, test: TestPlan, point: Point) -> Outcome:
        """Return the outcomes that a test analyses at a point, as its strategy for intercurrent events has them."""
        outcome = self._outcomes[test.endpoint]
        return outcome if self.lives is None else self.lives.analysed(self, test, outcome, point)

    def counts(self, rows: Ints, ticks: Ints) -> CutCounts:
        """Return the visible counts of some replicates at some times."""
        outcome = self._outcomes[self.plan.primary]
        alike = len(self.arm) == 1 and len(rows) > 1 and bool((ticks == ticks[0]).all())
        if len(self.coming) > 1:
            alike = alike and bool((self.coming[rows] == self.coming[rows[0]]).all())
        shape = (len(rows), len(self.plan.arms))

        def count(times: Ints, until: Ints) -> Ints:
            same = alike and len(times) == 1
            out = np.empty((1 if same else shape[0], shape[1]), dtype=np.int64)
            counting.counts_by_arm(rows[: len(out)], until[: len(out)], times, self.arm, self.coming, out)
            return np.broadcast_to(out, shape) if same else out

        nothing = np.broadcast_to(np.zeros((1, 1), dtype=np.int64), shape)
        if outcome.law.kind != "survival" and outcome.first is not None:
            read_out = outcome.read_out(self, rows, ticks).n.take(rows, axis=0)
            return CutCounts(self.enrolled(rows, ticks), nothing, read_out)
        enrolled = self.enrolled(rows, ticks, alike)
        if outcome.law.kind == "survival":
            return CutCounts(enrolled, count(outcome.analysed_at, ticks - outcome.law.readout_ticks), nothing)
        return CutCounts(enrolled, nothing, count(outcome.readout_at, ticks))

    def enrolled(self, rows: Ints, ticks: Ints, alike: bool = False) -> Ints:
        """Return how many patients were randomised by some times, ``[k, arm]``, which may all be the same time."""
        if self._first_entered is not None:
            upto = self.entered(rows, ticks)
            for outcome in self._outcomes:
                # Where everybody who entered has been read out, that was counted already.
                if outcome.first is not None and outcome.first.holds(rows, upto):
                    return outcome.first.n.take(rows, axis=0)
            self._first_entered.count(rows, upto, self.arm)
            return self._first_entered.n.take(rows, axis=0)
        shape = (len(rows), len(self.plan.arms))
        some = 1 if alike and len(self.entry) == 1 else len(rows)
        out = np.empty((some, shape[1]), dtype=np.int64)
        index = self.patients.entry_index
        counting.enrolled_by_arm(rows[:some], ticks[:some], self.entry, *index, self.arm, self.coming, out)
        return np.broadcast_to(out, shape) if some < len(rows) else out

    def lost(self, rows: Ints, ticks: Ints) -> Ints:
        """Return how many patients were lost to follow-up by some times, ``[k, arm]``."""
        shape = (len(rows), len(self.plan.arms))
        if self.plan.world.dropout is None and self.lives is None:
            return np.broadcast_to(np.zeros((1, 1), dtype=np.int64), shape)
        out = np.zeros(shape, dtype=np.int64)
        counting.dropouts_by_arm(rows, ticks, self.entry, self._dropout, self._complete, self.arm, out)
        return out

    def in_pipeline(self, ticks: Ints) -> Ints | None:
        """Return how many patients are waited for at some times; None where randomised - known - lost tells."""
        return patients_waited_for(self, ticks)

    def missing(self, ticks: Ints, lost: Ints) -> MissingOutcomes:
        """Return whose outcome of the primary endpoint is missing at some times, by when so many were lost."""
        return missing_outcomes(self, ticks, lost)

    def totals(self, point: Point) -> tuple[Ints, Floats]:
        """Return read-outs and their sum by arm of the endpoint a randomisation policy learns from."""
        if self.plan.response_endpoint >= 0:
            return self._outcomes[self.plan.response_endpoint].totals_by_arm(self, point)
        shape = (len(point.rows), len(self.plan.arms))
        return np.zeros(shape, dtype=np.int64), np.zeros(shape)

    def seen(self, point: Point, endpoint: int) -> tuple[Ints, Floats, Ints]:
        """Return read-outs, their sum, and patients who can still be read out, by arm, ``[k, arm]``."""
        outcome = self._outcomes[endpoint]
        n, total = outcome.totals_by_arm(self, point)
        if outcome.first is not None and self._sizes is None:
            return n, total, self.enrolled(point.rows, point.tick) - n
        if self.lives is not None:
            waiting = waited_for(self, outcome, point.rows, point.tick)
            return n, total, in_arms(waiting, self.arm, point.rows, len(self.plan.arms))
        pending = np.empty(n.shape, dtype=np.int64)
        counting.pending_by_arm(
            point.rows,
            point.tick,
            self.entry,
            outcome.readout_at,
            self._dropout,
            self.arm,
            self.coming,
            pending,
        )
        return n, total, pending

    def ends(self) -> Ends:
        """Return how every trial ended."""
        rows, size = self._all, len(self.replicates)
        by_arm = self.enrolled(rows, self._end)
        enrolled = sum_of(by_arm)
        entry = np.broadcast_to(self.entry, (size, self.patients.width))
        closed = np.where(enrolled > 0, entry[rows, np.maximum(enrolled, 1) - 1], 0)
        last = self._end_cut.copy()
        waits = [outcome.law.readout_ticks for outcome in self._outcomes if outcome.law.kind != "survival"]
        if waits:
            if self.lives is not None:
                counting.last_readout(
                    rows, enrolled, self.entry, self.lives.left_by(self._end, self.entry), max(waits), last
                )
            elif self.plan.world.dropout is None:
                last = np.maximum(last, np.where(enrolled > 0, closed + max(waits), 0))
            else:
                counting.last_readout(rows, enrolled, self.entry, self._dropout, max(waits), last)
        if self.lives is not None:
            self.lives.learn(self._end)
        return Ends(
            self._end_reason,
            self._end,
            self._end_look,
            self._end_cut,
            enrolled,
            np.where(enrolled > 0, entry[:, 0], 0),
            closed,
            last,
            by_arm,
            self._dropped,
        )

    def tallies(self) -> SiteTallies | None:
        """Return what happened at each site; None in a world without sites."""
        if self._tallies is None and self.patients.recruitment is not None:
            self._tallies = self.patients.recruitment.tallies(self._end)
        return self._tallies

    def scored(self) -> Scored | None:
        """Return whom the recruitment policy scored by the trials' ends; None where it was never asked."""
        recruitment = self.patients.recruitment
        if recruitment is None or self.plan.recruitment.as_they_come:
            return None
        return fast_scored.scores_given(recruitment, self._end)

    def candidates_seen(self, row: int) -> CandidateView:
        """Return what it saw of those of one replicate, in that order."""
        assert self.patients.recruitment is not None
        return fast_scored.candidates_seen(self.patients.recruitment, row, int(self._end[row]))

    def sites_reviewed(self) -> list[SitesReviewed]:
        """Return the reviews of sites, also those that would have come after a trial's end."""
        reviews = [] if self.patients.recruitment is None else self.patients.recruitment.reviews
        return [
            SitesReviewed(each.rows, each.tick, each.view, each.closed, each.called, each.decision)
            for each in reviews
            if each.view is not None and each.decision is not None
        ]

    def visits_decided(self) -> VisitsDecided | None:
        """Return what the monitoring policy was asked by the trials' ends; None where there is none."""
        if self.lives is None or self.plan.monitoring is None:
            return None
        return self.lives.visits_decided(self, self._end)

    def follow_up(self, ticks: Ints) -> None:
        """Follow those randomised by the end until some times; all that happens to them is laid out already."""
        self._came = sum_of(self.enrolled(self._all, self._end))

    def cost_amounts(self) -> Ints:
        """Return what has to be paid for in each trial, ``[replicate, item]``."""
        assert self.plan.world.costs is not None
        return fast_costs.amounts_of(self, self.plan.world.costs, self._end)

    def randomised_by(self, ticks: Ints, group: Ints) -> Ints:
        """Return how many patients of each group of sites were randomised by some times and by the trial's end."""
        found = np.zeros((len(self.replicates), len(ticks), int(group.max()) + 1), dtype=np.int64)
        count_randomised(self.entry, self.patients.keys, self._end, ticks, group, found)
        return found

    def tally(self, ticks: Ints) -> LifeTally | None:
        """Return what has become of the patients of each replicate by a time, where the scenario says."""
        return None if self.lives is None else self.lives.tally(self, ticks)

    def adverse_events_by(self, ends: Ints, group: Ints, cut: Ints) -> Ints:
        """Return adverse events by time since randomisation, added up over groups of trials."""
        assert self.lives is not None
        return self.lives.by_period(self, ends, group, cut)

    def log(self, row: int) -> list[Any]:
        """Return the event log of one replicate, in order."""
        from trialsim.engines.fast_log import event_log

        return event_log(self, row)

    @property
    def resized(self) -> list[Resized]:
        """Changes of size as they were decided, for the event log."""
        return [] if self._sizes is None else self._sizes.changes

    @property
    def history(self) -> list[tuple[str, Any]]:
        """Looks and reviews as they were decided, for the event log."""
        return self._history

    @property
    def arms_open(self) -> Bools:
        """Which arms are open, ``[replicate, arm]``."""
        return self._open

    @property
    def dropout(self) -> Ints:
        """Delay from entry to loss of each patient."""
        return self._dropout

    @property
    def complete(self) -> Ints:
        """Delay from entry after which each patient has nothing more to give."""
        return self._complete


def _times_ignore_arms(plan: Plan) -> bool:
    """Return whether neither what happens when nor the dates of looks depend on who is in which arm."""

    def ignores(trigger: Trigger) -> bool:
        return (
            trigger.arms is None
            and trigger.open_arms is None
            and all(ignores(child) for child in trigger.children)
        )

    fixed = plan.resizing is None and plan.allocation.balance is None
    return (
        fixed
        and all(law.kind != "survival" for law in plan.world.outcomes)
        and all(ignores(look.trigger) for look in plan.looks)
    )
