"""The reference engine: one trial as SimPy processes, written to be read.

A patient is a process for each endpoint and one for dropout; whoever finishes first interrupts the others. Accrual,
reviews and looks are processes of their own. What the engines share is what is written once on purpose: draws, laws,
statistics and the loop that asks policies. Waiting, ordering, interrupting and counting are this file's own.
"""

from __future__ import annotations

import gc
from collections.abc import Generator
from dataclasses import replace
from typing import Any

import numpy as np
import simpy
from numpy.typing import NDArray

from trialsim.contracts import (
    Bools,
    CandidateView,
    DataCut,
    Decision,
    Floats,
    Ints,
    Kind,
    LogRow,
    Stop,
    TestPlan,
    VisitView,
)
from trialsim.draws import Purpose, uniform, word
from trialsim.elementary import standard_normal
from trialsim.engines.balance import Balance
from trialsim.engines.life_tally import LifeTally
from trialsim.engines.missing_records import MissingOutcomes
from trialsim.engines.plan import Plan, Trigger
from trialsim.engines.points import (
    CutCounts,
    Ends,
    Point,
    Scored,
    SitesReviewed,
    SiteTallies,
    VisitsDecided,
    no_visits,
)
from trialsim.engines.reference_costs import amounts_of
from trialsim.engines.reference_cut import Patient, ReferenceCut
from trialsim.engines.reference_life import Life
from trialsim.engines.reference_sites import Recruitment
from trialsim.engines.reference_tally import (
    adverse_events_by_period,
    adverse_events_known,
    missing_of,
    tally_of,
)
from trialsim.engines.rerandomisation import shares_of
from trialsim.engines.world import OutcomeLaw
from trialsim.operations.allocation import (
    ALTERNATING,
    SIMPLE,
    arm_in_turn,
    draw_by_weight,
    draw_from_block,
    recorded_stratum,
)
from trialsim.operations.minimisation import chances_of
from trialsim.operations.sites import SITE_BITS
from trialsim.population.endpoints.binary import responds
from trialsim.population.endpoints.continuous import measured_value
from trialsim.population.endpoints.survival import HazardLaw, event_ticks
from trialsim.timegrid import NEVER, TICKS_PER_DAY

Process = Generator[simpy.Event, Any, None]

_WAKE = 11
"""Order within an instant of a mere reminder to look at the triggers: after all that can be counted, before looks."""

_SELDOM = (200_000, 5, 2)
"""How often Python looks for garbage while a trial runs: whatever processes wait for stays until they have ended."""

_LEAVE_ROOM = 2
"""SimPy's own priorities 0 and 1 come first: interrupts and hand-overs finish before the next keyed event."""


class Clock(simpy.Environment):
    """SimPy's environment with integer ticks and the order of kinds and ids within an instant."""

    def at(self, tick: int, kind: int, ident: int, part: int = 0) -> simpy.Event:
        """Return an event that happens at a tick, in the order of its kind, then its id, then its part."""
        event = simpy.Event(self)
        event._ok = True
        event._value = None
        priority = _LEAVE_ROOM + (kind << 60 | ident << 8 | part)
        self.schedule(event, priority, int(tick) - self._now)  # type: ignore[arg-type]
        return event

    def run_to(self, event: simpy.Event) -> None:
        """Run until an event has happened; looking for garbage as often as usual would take a third of the time."""
        usual = gc.get_threshold()
        gc.set_threshold(*_SELDOM)
        try:
            self.run(until=event)
        finally:
            gc.set_threshold(*usual)


class ReferenceEngine:
    """Runs trials of one plan one at a time."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan

    def start(self, replicates: Ints) -> ReferenceTrial:
        """Return the trial of one replicate at the start of accrual."""
        (replicate,) = replicates
        return ReferenceTrial(self.plan, int(replicate))


class ReferenceTrial:
    """One trial; see :class:`~trialsim.engines.points.Chunk`, of which it is a chunk of one."""

    def __init__(self, plan: Plan, replicate: int) -> None:
        self.plan, self.replicate = plan, replicate
        self.replicates = np.array([replicate])
        self.clock = Clock()
        self.rows: list[LogRow] = []
        self.monitored: list[tuple[int, int, VisitView, int]] = []
        self.patients: list[Patient] = []
        world = plan.world
        self._strata = plan.strata(plan.allocation.strata)
        self._strata_of = {plan.allocation.strata: self._strata}
        arms = len(plan.arms)
        # Of laws that know no trait, site or date all patients have the same.
        self._alike = [
            law.parameters(np.zeros((1, 0)), np.zeros(1))[0]
            if law.predictor.empty and law.drift.none and not law.by_site
            else None
            for law in world.laws
        ]
        self._open = [True] * arms
        self._weights: Floats | None = None
        self._chances: Floats | None = None
        self._blocks: dict[int, list[int]] = {}
        self._turn = 0
        self._period = 0
        self.asked: list[tuple[int, int]] = []
        balance = plan.allocation.balance
        self._margins = [plan.strata(names) for names in balance.margins] if balance else []
        self._on_arms: dict[tuple[int, int], list[int]] = {}
        self._events = [[0] * arms for _ in world.outcomes]
        self._told: list[list[tuple[int, Patient]]] = [[] for _ in world.outcomes]
        self._cuts: list[int] = []
        self._readouts = [[0] * arms for _ in world.outcomes]
        self.pending = [0] * len(world.outcomes)
        self._following = 0
        self._ongoing = [0] * len(world.outcomes)
        self._over: list[int | None] = [None] * len(world.outcomes)
        self._last_over = [0] * len(world.outcomes)
        self._exhausted: int | None = None
        self._last_left = 0
        self._ended_early = False
        self._look = 0
        self._ready = plan.grid
        self._previous_cut = 0
        self._look_called = False
        self._deciding = False
        self._review = 0
        self._point: Point | None = None
        self._ask = self.clock.event()
        self._ended = self._silent = False
        self._end_reason = Stop.CONTINUE
        self._end_look = -1
        self._end_cut = 0
        self._dropped = [0] * arms
        self._target = plan.n
        self._further = 0
        self._closed: int | None = None
        self._pause = 0  # for which enrolment was closed so far: accrual stands still meanwhile
        self._reopened, self._open_since = self.clock.event(), 0
        self.recruitment = Recruitment(self) if world.sites is not None else None
        if self.recruitment is None:
            self.clock.process(self._accrual())
        if plan.reviews is not None and plan.reviews[0] == "calendar":
            self.clock.process(self._calendar_reviews(plan.reviews[1]))
        self.clock.at(plan.horizon, Kind.END, 0).callbacks.append(self._reach_horizon)
        self._await_look()

    # ---- conduct --------------------------------------------------------------------------------------------------

    def write(self, kind: Kind, ident: int, part: int = 0, value: float = 0.0) -> None:
        """Write a row of the event log."""
        if self._silent:
            return
        self.rows.append(LogRow(int(self.clock.now), kind, ident, part, float(value)))

    def _accrual(self) -> Process:
        """Randomise patients as they come."""
        plan = self.plan
        entry = plan.world.accrual.entry_ticks(plan.seed, self.replicate, plan.most, plan.grid)
        records = plan.world.source.records(plan.seed, self.replicate, plan.most)
        parameters = [law.parameters(records, entry / TICKS_PER_DAY) for law in plan.world.laws]
        strata = self._strata.of(records)
        for i, tick in enumerate(entry):
            came = -1
            while self._closed is not None or came != max(int(tick) + self._pause, self._open_since):
                while self._closed is not None:
                    yield self._reopened
                came = max(int(tick) + self._pause, self._open_since)
                yield self.clock.at(came, Kind.RANDOMISATION, i)
            if self._ended:
                return
            own = [found[i] for found in parameters]
            if self._open_since:
                days = np.array([came / TICKS_PER_DAY])
                own = [law.parameters(records[i : i + 1], days)[0] for law in plan.world.laws]
            if self._ended_early:
                return
            self._take_in(i, int(strata[i]), records[i], own)

    def randomise(self, key: int, record: Floats) -> None:
        """Take in a candidate of a site as the next patient."""
        plan = self.plan
        now = np.array([int(self.clock.now) / TICKS_PER_DAY])
        address = (plan.seed, np.array([self.replicate]), np.array([key]))
        parameters = [
            law.parameters(record[None, :], now, law.site_effects(*address))[0] if alike is None else alike
            for law, alike in zip(plan.world.laws, self._alike, strict=True)
        ]
        stratum = int(self._strata.of(record[None, :])[0])
        rate, count = plan.world.stratum_errors, self._strata.count
        stratum = int(recorded_stratum(plan.seed, self.replicate, key, 0, stratum, count, rate))
        if plan.allocation.by_site:
            stratum += (key >> SITE_BITS) * count
        self._take_in(key, stratum, record, parameters)

    def _take_in(self, key: int, stratum: int, record: Floats, parameters: list[NDArray[Any]]) -> None:
        """Allocate the next patient and begin to follow them."""
        plan, now, i = self.plan, int(self.clock.now), len(self.patients)
        patient = Patient(key, now, -1, stratum, None, record, parameters)
        self.patients.append(patient)
        arm = patient.arm = self._allocate(patient)
        patient.period, patient.chance = self._period, float(self._shares()[arm])
        for counts in self._counts_of(patient):
            counts[arm] += 1
        self.write(Kind.RANDOMISATION, i, 0, arm)
        if plan.randomisation.adaptive:
            self.write(Kind.CHANCE, i, 0, patient.chance)
        if self.recruitment is not None:
            self.write(Kind.CANDIDATE, i, 0, key)
        if len(self.patients) == self._target:
            self._closed = now
            self.write(Kind.ENROLMENT_CLOSED, 0, 0, self._target)
        self._follow(i, patient)
        if plan.reviews is not None and plan.reviews[0] == "enrolled" and (i + 1) % plan.reviews[1] == 0:
            number = (i + 1) // plan.reviews[1] - 1
            self.clock.at(now, Kind.REVIEW, number).callbacks.append(self._come_to_review)

    def _follow(self, i: int, patient: Patient) -> None:
        """Begin to follow patient ``i``: one process an endpoint, and one for loss."""
        plan = self.plan
        self._following += 1
        self._ongoing = [followed + 1 for followed in self._ongoing]
        if plan.world.life is not None:
            Life(self, i, patient).begin()
            self._consider_look()
            return
        for e, law in enumerate(plan.world.outcomes):
            if law.hazard is not None:
                patient.natural[e] = self._delay(law.hazard, law, e, patient)
                patient.running[e] = self.clock.process(self._until_event(i, e))
                continue
            patient.natural[e] = law.readout_ticks
            patient.outcome[e] = self.read(law, e, patient)
            patient.running[e] = self.clock.process(self._until_readout(i, e))
        loss = plan.world.dropout
        if loss is not None and loss.hazard is not None:
            patient.dropout = self._delay(loss.hazard, loss, len(plan.world.outcomes), patient)
            patient.leaving = self.clock.process(self._until_dropout(i))
        self._consider_look()

    def _delay(self, hazard: HazardLaw, law: OutcomeLaw, index: int, patient: Patient) -> int:
        """Return what nature has in store for a patient: ticks from entry to an event, or to their loss."""
        bits = np.uint64(word(self.plan.seed, self.replicate, patient.key, law.purpose, law.draw))
        pieces = hazard.pieces
        steps = (pieces.begin, pieces.width, pieces.slope, pieces.jump)
        arm = patient.arm
        factor = patient.parameters[index][arm]
        return int(event_ticks(bits, factor, arm, *steps, hazard.exponent, hazard.scale, self.plan.grid))

    def read(self, law: OutcomeLaw, index: int, patient: Patient) -> float:
        """Return what the read-out of a patient will show."""
        parameter = patient.parameters[index][patient.arm]
        if law.kind == "binary":
            bits: Any = np.uint64(word(self.plan.seed, self.replicate, patient.key, law.purpose, law.draw))
            return float(bool(responds(bits, parameter)))
        u = uniform(self.plan.seed, self.replicate, patient.key, law.purpose, law.draw)
        return float(measured_value(standard_normal(u), parameter, law.sd))

    def _shares(self) -> Floats:
        """Return the probability of each arm by the weights in force, or by the design's shares of the open arms."""
        if self._chances is None:
            weights = self._weights if self._weights is not None else self.plan.allocation.ratio * self._open
            self._chances = np.asarray(shares_of(np.asarray(weights, dtype=float)[None, :])[0])
        return self._chances

    def _allocate(self, patient: Patient) -> int:
        """Return the arm of the patient who comes next."""
        design = self.plan.allocation
        if design.rule == ALTERNATING and self._weights is None:
            shares = np.array(
                [r if is_open else 0 for r, is_open in zip(design.ratio, self._open, strict=True)]
            )
            arm = arm_in_turn(self._turn, shares)
            self._turn += 1
            return int(arm)
        u = uniform(self.plan.seed, self.replicate, patient.key, int(Purpose.ALLOCATION), 0)
        if self._weights is not None:
            return int(draw_by_weight(u, self._weights))
        if design.rule == SIMPLE:
            shares = np.array(
                [r if is_open else 0 for r, is_open in zip(design.ratio, self._open, strict=True)],
                dtype=float,
            )
            return int(draw_by_weight(u, shares))
        if design.balance is not None:
            return self._allocate_by_counts(design.balance, u, patient)
        stratum = patient.stratum
        if not sum(self._blocks.get(stratum, [])):
            self._blocks[stratum] = [
                int(p) if is_open else 0 for p, is_open in zip(design.places, self._open, strict=True)
            ]
        block = self._blocks[stratum]
        arm = int(draw_from_block(u, np.array([block]), 0, sum(block)))
        self._blocks[stratum][arm] -= 1
        return arm

    def _allocate_by_counts(self, balance: Balance, u: float, patient: Patient) -> int:
        """Return the arm that minimisation or a biased coin gives the patient who comes next."""
        design = self.plan.allocation
        shares = np.array([r if is_open else 0 for r, is_open in zip(design.ratio, self._open, strict=True)])
        counts = np.array(self._counts_of(patient))
        how = (balance.weights, balance.steps, shares, balance.probability)
        return int(draw_by_weight(u, chances_of(design.rule, balance.measure, counts, *how)))

    def _counts_of(self, patient: Patient) -> list[list[int]]:
        """Return the counts by arm of each level that is recorded of a patient and that allocation keeps in balance."""
        return [
            self._on_arms.setdefault((margin, level), [0] * len(self._open))
            for margin, level in enumerate(self.counted_levels(patient))
        ]

    def counted_levels(self, patient: Patient) -> list[int]:
        """Return the level of each margin of which allocation keeps count, as it is recorded of a patient."""
        if not self._margins:
            return [patient.stratum]
        rate, found = self.plan.world.stratum_errors, []
        for margin, strata in enumerate(self._margins):
            level = int(strata.of(patient.record[None, :])[0])
            if rate:
                address = (self.plan.seed, self.replicate, patient.key, margin)
                level = int(recorded_stratum(*address, level, strata.count, rate))
            found.append(level)
        return found

    def _until_event(self, i: int, e: int) -> Process:
        """Wait for patient ``i`` to have the event of endpoint ``e``, and for its report."""
        patient, law = self.patients[i], self.plan.world.outcomes[e]
        try:
            yield self.clock.at(patient.entry + patient.natural[e], Kind.EVENT, i, e)
        except simpy.Interrupt:
            return
        now = int(self.clock.now)
        self.write(Kind.EVENT, i, e, patient.arm)
        patient.event[e] = now
        self._endpoint_done(i, e)
        if law.readout_ticks:
            yield self.clock.at(now + law.readout_ticks, Kind.READOUT, i, e)
            self.write(Kind.READOUT, i, e, 1.0)
        self.count_event(e, patient)

    def count_event(self, e: int, patient: Patient) -> None:
        """Count an event that has become known."""
        self._events[e][patient.arm] += 1
        self._told[e].append((int(self.clock.now), patient))
        self._consider_look()

    def count_readout(self, e: int, arm: int) -> None:
        """Count a read-out."""
        self._readouts[e][arm] += 1
        self._consider_look()

    def _until_readout(self, i: int, e: int) -> Process:
        """Wait for the read-out of endpoint ``e`` of patient ``i``."""
        patient = self.patients[i]
        try:
            yield self.clock.at(patient.entry + patient.natural[e], Kind.READOUT, i, e)
        except simpy.Interrupt:
            return
        self.write(Kind.READOUT, i, e, patient.outcome[e])
        patient.readout[e] = int(self.clock.now)
        self._readouts[e][patient.arm] += 1
        self._endpoint_done(i, e)
        self._consider_look()

    def _until_dropout(self, i: int) -> Process:
        """Wait for patient ``i`` to be lost, unless they have given everything before."""
        patient = self.patients[i]
        assert patient.dropout is not None
        try:
            yield self.clock.at(patient.entry + patient.dropout, Kind.DROPOUT, i)
        except simpy.Interrupt:
            return
        self.write(Kind.DROPOUT, i, 0, patient.arm)
        patient.lost = int(self.clock.now)
        patient.leaving = None
        for e, process in patient.running.items():
            process.interrupt()
            self.endpoint_over(e)
        patient.running.clear()
        self.patient_leaves()

    def _endpoint_done(self, i: int, e: int) -> None:
        """Note that an endpoint has nothing more to give; after the last one the patient cannot be lost."""
        patient = self.patients[i]
        del patient.running[e]
        self.endpoint_over(e)
        if not patient.running:
            if patient.leaving is not None:
                patient.leaving.interrupt()
                patient.leaving = None
            self.patient_leaves()

    def patient_leaves(self) -> None:
        """Count a patient out, of whom nothing more will come but reports on their way."""
        self._following -= 1
        self._last_left = int(self.clock.now)
        self.consider_exhaustion()

    def consider_exhaustion(self) -> None:
        """Note the instant at which nobody is followed and nobody more will come, if this is one."""
        if self._following == 0 and self._nobody_comes:
            self._exhausted = self._last_left if self._ended_early else int(self.clock.now)
            self._wake(self._exhausted)
        for e in range(len(self._ongoing)):
            self._consider_endpoint(e)

    def endpoint_over(self, e: int) -> None:
        """Count a patient out of an endpoint; after the last one its count can grow but by reports on their way."""
        self._ongoing[e] -= 1
        self._last_over[e] = int(self.clock.now)
        self._consider_endpoint(e)

    def _consider_endpoint(self, e: int) -> None:
        """Note the instant at which an endpoint can still come of nobody, if this is one."""
        if self._over[e] is None and self._ongoing[e] == 0 and self._nobody_comes:
            over = self._over[e] = self._last_over[e] if self._ended_early else int(self.clock.now)
            self._wake(over + self._report_delay(e))

    def _report_delay(self, e: int) -> int:
        """Return how long after an event of an endpoint it counts."""
        law = self.plan.world.outcomes[e]
        return law.readout_ticks if law.kind == "survival" else 0

    @property
    def _nobody_comes(self) -> bool:
        """Whether nobody more will be randomised."""
        return self.enrolment_over if self.recruitment is None else self.recruitment.exhausted

    @property
    def enrolment_over(self) -> bool:
        """Whether all patients have come, or a decision has ended enrolment."""
        return self._ended_early or self._closed is not None

    # ---- looks ----------------------------------------------------------------------------------------------------

    def _wake(self, tick: int) -> None:
        """Consider the look again at a tick."""
        if tick >= self.clock.now:
            self.clock.at(tick, _WAKE, 0).callbacks.append(lambda _: self._consider_look())

    def _await_look(self) -> None:
        """Begin to wait for the next look: set the alarms of whatever depends on the calendar."""
        look = self.plan.looks[self._look]
        self._look_called = False
        self._wake(self._ready)
        if look.no_later_than <= self.plan.horizon:
            self._wake(look.no_later_than)
        pending = [look.trigger]
        while pending:
            trigger = pending.pop()
            pending.extend(trigger.children)
            if trigger.kind == "calendar":
                self._wake(trigger.ticks)
            elif trigger.kind == "gap":
                self._wake(self._previous_cut + trigger.ticks)

    def _met(self, trigger: Trigger) -> bool:
        """Return whether a trigger is met now."""
        now = int(self.clock.now)
        if trigger.kind == "all":
            return all(self._met(child) for child in trigger.children)
        if trigger.kind == "any":
            return any(self._met(child) for child in trigger.children)
        if trigger.kind == "calendar":
            return now >= trigger.ticks
        if trigger.kind == "gap":
            return now >= self._previous_cut + trigger.ticks
        if trigger.kind == "enrolled":
            return len(self.patients) >= trigger.count or (self._ended_early and self._exhausted is not None)
        if self._reached(trigger):
            return True
        if trigger.kind in ("events", "stages") and self.pending[trigger.endpoint]:
            return False
        over = self._over[trigger.endpoint]
        return over is not None and now >= over + self._report_delay(trigger.endpoint)

    def _reached(self, trigger: Trigger) -> bool:
        """Return whether there are as many events or read-outs as a trigger waits for."""
        if trigger.kind == "stages":
            return all(end < NEVER for end in self._ends_of_stages())
        counts = (self._events if trigger.kind == "events" else self._readouts)[trigger.endpoint]
        arms = list(range(len(self.plan.arms)) if trigger.arms is None else trigger.arms)
        if trigger.open_arms is not None:
            arms = [a for a in arms if self._open[a]]
        if trigger.open_arms == "each":
            return all(counts[a] >= trigger.count for a in arms)
        return sum(counts[a] for a in arms) >= trigger.count + self._further

    def _consider_look(self) -> None:
        """Call the next look for this instant if it is due."""
        now = int(self.clock.now)
        if self._ended or self._deciding or self._look_called or now < self._ready:
            return
        look = self.plan.looks[self._look]
        if now >= look.no_later_than or self._met(look.trigger):
            self._look_called = True
            self.clock.at(now, Kind.LOOK, self._look).callbacks.append(self._come_to_look)

    def _come_to_look(self, _: simpy.Event) -> None:
        """Stop the clock for the policies to look at the data."""
        self._point = Point("look", np.array([0]), np.array([self._look]), np.array([int(self.clock.now)]))
        self._ask.succeed()

    def _come_to_review(self, _: simpy.Event) -> None:
        """Stop the clock for the randomisation policy, unless enrolment is complete."""
        if not self.enrolment_over and not self._ended:
            self._point = Point(
                "review", np.array([0]), np.array([self._review]), np.array([int(self.clock.now)])
            )
            self._ask.succeed()

    def _calendar_reviews(self, step: int) -> Process:
        """Come to a review at every step of the calendar while enrolment is open."""
        number = 0
        while not self.enrolment_over:
            yield self.clock.at((number + 1) * step, Kind.REVIEW, number)
            self._come_to_review(self._ask)
            number += 1

    def _reach_horizon(self, _: simpy.Event) -> None:
        """End the trial because its time is over."""
        if not self._ended:
            self._end(Stop.HORIZON, int(self.clock.now))

    def _end(self, reason: Stop, cut: int) -> None:
        """End the trial."""
        self._ended = True
        self._end_reason, self._end_cut = reason, cut
        self.write(Kind.END, 0, 0, int(reason))
        self._ask.succeed()

    def advance(self) -> Point | None:
        """Run to the next decision; None when the trial has ended."""
        if self._ended:
            return None
        self._point = None
        self._ask = self.clock.event()
        self.clock.run_to(self._ask)
        return self._point

    def apply(self, point: Point, decision: Decision, marks: Floats) -> None:
        """Take a decision into account from its time on."""
        now = int(self.clock.now)
        number = int(point.number[0])
        if point.kind == "review":
            self.write(Kind.REVIEW, number, 0, len(self.patients))
            self._review += 1
            if self.recruitment is not None:
                self.recruitment.review(number)
            if decision.weights is not None and not np.isnan(decision.weights[0, 0]):
                self._period += 1
                self.asked.append((now, now))
                self._reweight(decision.weights[0])
            return
        for test, mark in enumerate(marks[0]):
            self.write(Kind.LOOK, number, test, mark)
        look = self.plan.looks[number]
        self._previous_cut = now
        self._cuts.append(now)
        self._deciding = True
        at = self.clock.at(now + look.cleaning + look.decision, Kind.DECISION, number)
        at.callbacks.append(lambda _: self._decide(decision))

    def _decide(self, decision: Decision) -> None:
        """Carry out what was decided at the last look."""
        if self._ended:
            return
        assert decision.stop is not None and decision.reason is not None
        assert decision.reject is not None and decision.futile is not None and decision.open_arms is not None
        self._deciding = False
        reason = Stop(int(decision.reason[0]))
        self.write(Kind.DECISION, self._look, 0, int(reason))
        for kind, decided in ((Kind.REJECTED, decision.reject), (Kind.FUTILE, decision.futile)):
            for test, holds in enumerate(decided[0]):
                if holds:
                    self.write(kind, test)
        if decision.stop[0]:
            self._end_look = self._look
            self._end(reason, self._previous_cut)
            return
        changes = False
        for arm, stays in enumerate(decision.open_arms[0]):
            if self._open[arm] and not stays:
                changes = True
                self._open[arm] = False
                self._chances = None
                self._dropped[arm] = self._look + 1
                self.write(Kind.ARM_CLOSED, arm)
                self._blocks.clear()
                self._turn = 0
                if self._weights is not None:
                    self._weights = self._weights.copy()
                    self._weights[arm] = 0.0
        if decision.weights is not None and not np.isnan(decision.weights[0, 0]):
            changes = True
            self.asked.append((self._previous_cut, int(self.clock.now)))
            self._reweight(decision.weights[0])
        self._period += changes
        if decision.further_counts is not None:
            self._resize(int(decision.further_counts[0]))
        if decision.close_enrolment is not None and decision.close_enrolment[0]:
            self._close_enrolment()
        self._look += 1
        self._ready = int(self.clock.now) + self.plan.grid
        self._await_look()

    def _resize(self, further: int) -> None:
        """Wait for another number of read-outs from now on, and go on enrolling, or stop, accordingly; or of events."""
        if further == self._further:
            return
        assert self.plan.resizing is not None
        if self.plan.resizing.by_events:
            self._further = further
            self.write(Kind.RESIZED, self._look, 0, self.plan.events_awaited + further)
            return
        now, enrolled = int(self.clock.now), len(self.patients)
        self._further = further
        self._target = int(self.plan.size_after(np.array([further]))[0])
        reopens = self._closed is not None and self._target > enrolled
        self.write(Kind.RESIZED, self._look, int(reopens), self._target)
        if reopens:
            assert self._closed is not None
            self._pause += now - self._closed
            self._open_since = now + self.plan.grid
            self._closed = self._exhausted = None
            self._over = [None] * len(self._over)
            reopened, self._reopened = self._reopened, self.clock.event()
            reopened.succeed()
        elif self._closed is None and self._target <= enrolled:
            self._closed = now
            self.write(Kind.ENROLMENT_CLOSED, 0, 0, enrolled)
            self.consider_exhaustion()

    def _close_enrolment(self) -> None:
        """Let nobody more come; the last look is next, once everybody has been read out."""
        if not self.enrolment_over:
            self._ended_early = True
            self.write(Kind.ENROLMENT_CLOSED, 0, 0, len(self.patients))
        self._look = len(self.plan.looks) - 2
        self.consider_exhaustion()

    def _reweight(self, weights: Floats) -> None:
        """Allocate by these weights from now on."""
        self._weights, self._chances = np.array(weights), None
        for arm, weight in enumerate(weights):
            self.write(Kind.WEIGHT, arm, 0, weight)

    # ---- what is known --------------------------------------------------------------------------------------------

    def cut(self, point: Point, test: int | TestPlan) -> DataCut:
        """Return what is known for a test at the point."""
        chosen = self.plan.tests[test] if isinstance(test, int) else test
        if chosen.adverse_events is not None:
            return adverse_events_known(self, int(point.tick[0]), chosen)
        return ReferenceCut(self, int(point.tick[0]), chosen)

    def stage_cut(self, point: Point, test: int) -> ReferenceCut:
        """Return what has become known for a test since the look before."""
        return ReferenceCut(self, int(point.tick[0]), self.plan.tests[test], self._previous_cut)

    def stage_of(self, patient: Patient) -> int:
        """Return the stage of a patient, from 0: how many looks were taken before their randomisation."""
        return sum(cut < patient.entry for cut in self._cuts)

    def _ends_of_stages(self) -> list[int]:
        """Return when each stage ends; NEVER where its patients have not had as many events so far."""
        planned = self.plan.stage_ends
        assert planned is not None
        if planned.ticks is not None:
            return list(planned.ticks)
        assert planned.events is not None
        ends = []
        for stage, count in enumerate(self._awaited_of_stages(planned.events)):
            told = [tick for tick, patient in self._told[planned.endpoint] if self.stage_of(patient) == stage]
            ends.append(told[count - 1] if len(told) >= count else NEVER)
        return ends

    def _awaited_of_stages(self, events: tuple[int, ...]) -> tuple[int, ...]:
        """Return the events with which each stage ends, of the last as many more as were decided on."""
        return (*events[:-1], events[-1] + self._further)

    def stage_ends(self, rows: Ints) -> Ints:
        """Return when each stage ends whose patients are followed to an end of their own."""
        return np.array([self._ends_of_stages()])

    def stage_events(self, rows: Ints, ends: Ints) -> Ints:
        """Return the events of each stage's patients that are known by its end."""
        planned = self.plan.stage_ends
        assert planned is not None
        e, found = planned.endpoint, [0] * ends.shape[1]
        for patient in self.patients:
            stage = self.stage_of(patient)
            found[stage] += patient.had(e, int(ends[0, stage]) - self.plan.world.outcomes[e].readout_ticks)
        return np.array([found])

    def cohort_cut(self, point: Point, test: int, stage: int) -> ReferenceCut:
        """Return what is known for a test at the point of the patients of one stage alone."""
        return ReferenceCut(self, int(point.tick[0]), self.plan.tests[test], stage=stage)

    def open_arms(self, rows: Ints) -> Bools:
        """Return which arms are open to allocation."""
        return np.array([self._open])

    def counts(self, rows: Ints, ticks: Ints) -> CutCounts:
        """Return the visible counts at a time."""
        e, tick = self.plan.primary, int(ticks[0])
        report = self.plan.world.outcomes[e].readout_ticks
        arms = range(len(self.plan.arms))
        known = [p for p in self.patients if p.entry <= tick]

        def by_arm(chosen: list[Patient]) -> Ints:
            return np.array([[sum(p.arm == a for p in chosen) for a in arms]])

        return CutCounts(
            by_arm(known),
            by_arm([p for p in known if p.had(e, tick - report)]),
            by_arm([p for p in known if e in p.readout and p.readout[e] <= tick]),
        )

    def lost(self, rows: Ints, ticks: Ints) -> Ints:
        """Return how many patients were lost to follow-up by a time."""
        gone = [p.arm for p in self.patients if p.lost is not None and p.lost <= int(ticks[0])]
        return np.array([[gone.count(a) for a in range(len(self.plan.arms))]])

    def in_pipeline(self, ticks: Ints) -> Ints:
        """Return how many patients randomised by a time are waited for then."""
        e, tick = self.plan.primary, int(ticks[0])
        report = self.plan.world.outcomes[e].readout_ticks
        return np.array([sum(p.entry <= tick and p.awaits(e, tick, report) for p in self.patients)])

    def missing(self, ticks: Ints, lost: Ints) -> MissingOutcomes:
        """Return whose outcome of the primary endpoint is missing at a time."""
        return missing_of(self, int(ticks[0]))

    def totals(self, point: Point) -> tuple[Ints, Floats]:
        """Return read-outs and their sum by arm of the endpoint a randomisation policy learns from."""
        e, tick = self.plan.response_endpoint, int(point.tick[0])
        n, total = np.zeros((1, len(self.plan.arms)), dtype=np.int64), np.zeros((1, len(self.plan.arms)))
        for p in self.patients:
            if e >= 0 and e in p.readout and p.readout[e] <= tick:
                n[0, p.arm] += 1
                total[0, p.arm] += p.outcome[e]
        return n, total

    def seen(self, point: Point, endpoint: int) -> tuple[Ints, Floats, Ints]:
        """Return read-outs, their sum, and patients who can still be read out, by arm."""
        tick, shape = int(point.tick[0]), (1, len(self.plan.arms))
        n, total, pending = np.zeros(shape, dtype=np.int64), np.zeros(shape), np.zeros(shape, dtype=np.int64)
        for p in self.patients:
            if endpoint in p.readout and p.readout[endpoint] <= tick:
                n[0, p.arm] += 1
                total[0, p.arm] += p.outcome[endpoint]
            elif p.awaits(endpoint, tick, 0):
                pending[0, p.arm] += 1
        return n, total, pending

    def ends(self) -> Ends:
        """Return how the trial ended."""
        end = int(self.rows[-1].tick)
        arms = len(self.plan.arms)
        waits = [law.readout_ticks for law in self.plan.world.outcomes if law.kind != "survival"]
        last = self._end_cut
        for p in self.patients:
            for wait in waits:
                left = p.dropout if p.ended is None else p.ended - p.entry
                last = max(last, p.entry + (wait if left is None else min(wait, left)))
        return Ends(
            np.array([int(self._end_reason)], dtype=np.int8),
            np.array([end]),
            np.array([self._end_look]),
            np.array([self._end_cut]),
            np.array([len(self.patients)]),
            np.array([self.patients[0].entry if self.patients else 0]),
            np.array([self.patients[-1].entry if self.patients else 0]),
            np.array([last]),
            np.array([[sum(p.arm == a for p in self.patients) for a in range(arms)]]),
            np.array([self._dropped]),
        )

    @property
    def ended(self) -> bool:
        """Whether the trial has ended."""
        return self._ended

    def tallies(self) -> SiteTallies | None:
        """Return what happened at each site by the end of the trial; None in a world without sites."""
        return None if self.recruitment is None else self.recruitment.tallies()

    def scored(self) -> Scored | None:
        """Return whom the recruitment policy scored by the trial's end; None where it was never asked."""
        if self.recruitment is None or self.plan.recruitment.as_they_come:
            return None
        found = self.recruitment.scored_until(self.rows[-1].tick)
        ticks, scores = (np.array([one[k] for one in found], dtype=np.int64) for k in (0, 1))
        keys = np.array([view.candidate[0] for _, _, view in found], dtype=np.int64)
        return Scored(np.array([0, len(found)]), keys, ticks, scores)

    def candidates_seen(self, row: int) -> CandidateView:
        """Return what it saw of them, one after the other."""
        assert self.recruitment is not None
        views = [view for _, _, view in self.recruitment.scored_until(self.rows[-1].tick)]
        arrays = ("replicate", "candidate", "site", "contact_days", "covariates", "latent", "chances", "rows")
        together: dict[str, Any] = {
            name: np.concatenate([getattr(view, name) for view in views]) for name in arrays
        }
        return replace(views[0], **together)

    def sites_reviewed(self) -> list[SitesReviewed]:
        """Return the reviews of sites."""
        return [] if self.recruitment is None else self.recruitment.reviewed

    def visits_decided(self) -> VisitsDecided | None:
        """Return what the monitoring policy was asked by the trial's end, and answered; None where there is none."""
        if self.plan.monitoring is None or self.plan.world.life is None:
            return None
        end = self.rows[-1].tick
        found = sorted((each for each in self.monitored if each[0] <= end), key=lambda each: each[:2])
        ticks, done = (np.array([each[k] for each in found], dtype=np.int64) for k in (0, 3))
        if not found:
            return VisitsDecided(ticks, ticks, no_visits(self.plan.world.life), done)
        views = [view for _, _, view, _ in found]
        arrays = ["replicate", "patient", "visit", "days", "events", "serious", "dose"]
        arrays += ["latent"] if views[0].latent.size else []
        together: dict[str, Any] = {
            name: np.concatenate([getattr(view, name) for view in views]) for name in arrays
        }
        return VisitsDecided(np.zeros_like(ticks), ticks, replace(views[0], **together), done)

    def follow_up(self, ticks: Ints) -> None:
        """Follow those randomised by the end until a time, without a word in the log."""
        self._silent = True
        if int(ticks[0]) > self.clock.now:
            self.clock.run_to(self.clock.at(int(ticks[0]), Kind.END, 1))

    def cost_amounts(self) -> Ints:
        """Return what has to be paid for in the trial, ``[1, item]``."""
        return amounts_of(self)

    def randomised_by(self, ticks: Ints, group: Ints) -> Ints:
        """Return how many patients of each group of sites were randomised by some times and by the trial's end."""
        came = [(p.entry, int(group[p.key >> SITE_BITS])) for p in self.patients]
        return np.array(
            [
                [
                    [sum(entry <= tick and mine == g for entry, mine in came) for g in range(max(group) + 1)]
                    for tick in ticks
                ]
            ],
            dtype=np.int64,
        )

    def tally(self, ticks: Ints) -> LifeTally | None:
        """Return what has become of the patients by a time, where the scenario says."""
        life = self.plan.world.life
        return None if life is None else tally_of(self, life, int(ticks[0]))

    def adverse_events_by(self, ends: Ints, group: Ints, cut: Ints) -> Ints:
        """Return adverse events by time since randomisation, added up over groups of trials."""
        assert self.plan.world.life is not None
        return adverse_events_by_period(self, self.plan.world.life, ends, int(cut[0]))

    def log(self, row: int) -> list[LogRow]:
        """Return the event log, in the order in which it was written."""
        return self.rows

    def stratum(self, patient: int, test: TestPlan) -> int:
        """Return the stratum of a patient in a test's analysis."""
        if test.strata not in self._strata_of:
            self._strata_of[test.strata] = self.plan.strata(test.strata)
        strata, who = self._strata_of[test.strata], self.patients[patient]
        within = int(strata.of(who.record[None, :])[0]) if strata.count > 1 else 0
        return within + (who.key >> SITE_BITS) * strata.count if test.by_site else within
