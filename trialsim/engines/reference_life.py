"""Patients of the reference engine from randomisation on, as SimPy processes.

Each clock of a patient is a process that waits for its hazard to be spent. Whoever changes what a hazard depends on
interrupts the others, who note what has been spent and begin to wait anew. Waiting, interrupting and counting are this
file's own; hazards, draws and rules of single events are those of the fast engine.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import simpy

from trialsim.contracts import DISCONTINUE, INTERRUPT, NOTHING, REDUCE, Floats, Kind, Memory, VisitView
from trialsim.draws import Purpose, uniform, unit_exponential
from trialsim.engines.candidate_views import seed_for_policies, standardised
from trialsim.engines.life import (
    CROSSOVER_PART,
    END_PART,
    FADE_PART,
    HELD,
    HELD_LATE,
    LOSS_PART,
    REASON_PART,
    RESCUE_PART,
    RESUME_PART,
    VERDICT_PART,
    WAS_MISSED,
    WITHDRAWAL_PART,
)
from trialsim.operations import adverse_events as events
from trialsim.operations import visits
from trialsim.operations.delays import drawn_delay
from trialsim.policies.scores import reads_latent
from trialsim.population.clocks import departure_pace, spent_at, still_to_spend
from trialsim.population.endpoints.remaining import outcome_with
from trialsim.timegrid import NEVER, TICKS_PER_DAY

if TYPE_CHECKING:
    from trialsim.engines.reference import ReferenceTrial
    from trialsim.engines.reference_cut import Patient

Process = Generator[simpy.Event, Any, None]


@dataclass
class Clock:
    """A running clock of a patient: its process, at which pace and in which group it runs, and when it is due."""

    process: Any = None
    pace: float = 0.0
    group: int = 0
    due: int = NEVER


@dataclass
class Course:
    """What has become of a patient so far."""

    dose: int = 0
    paused_until: int | None = None
    last_dose: int | None = None
    weight: int = 0
    rescued: bool = False
    crossed_to: int | None = None
    worst: int = 0
    heard: dict[int, float] = field(default_factory=dict)
    left: int | None = None
    dropped: bool = False
    clocks: dict[int, Clock] = field(default_factory=dict)
    timers: dict[str, Any] = field(default_factory=dict)
    open: set[int] = field(default_factory=set)
    occurred: set[int] = field(default_factory=set)


class Life:
    """What happens to one patient from randomisation on.

    Parameters
    ----------
    trial
        The trial.
    i
        The patient's number.
    patient
        What is known of them.
    """

    def __init__(self, trial: ReferenceTrial, i: int, patient: Patient) -> None:
        law = trial.plan.world.life
        assert law is not None
        self.trial, self.i, self.patient, self.law = trial, i, patient, law
        self.course = patient.course = Course()
        self.memory: Memory = {}
        numbers = law.numbers
        self._survival, self._loss = len(numbers.survival.endpoints), len(numbers.survival.endpoints)
        self._withdrawal, self._first_term = self._loss + 1, self._loss + 2
        self._first_reason = self._first_term + len(law.terms)

    # ---- starting and leaving -------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Set all clocks going."""
        numbers, course = self.law.numbers, self.course
        course.open = {*numbers.survival.endpoints.tolist(), *numbers.reading.readouts.tolist()}
        for c in np.flatnonzero(numbers.clock.present).tolist():
            course.clocks[c] = Clock(self.trial.clock.process(self._run(c)))
        for k, e in enumerate(numbers.reading.readouts):
            law = self.trial.plan.world.outcomes[int(e)]
            self.patient.outcome[int(e)] = self.trial.read(law, int(e), self.patient)
            if not numbers.reading.at_visit[k]:
                self._set(
                    f"readout {e}", int(numbers.reading.readout[k]), Kind.READOUT, int(e), self._read_out
                )
        if numbers.treatment.duration < NEVER:
            self._set("end", numbers.treatment.duration, Kind.ADVERSE_EVENT, END_PART, self._planned_end)
        if len(numbers.visiting.visits):
            self._expect_visit(0, 0)

    def _set(self, name: str, since_entry: int, kind: Kind, part: int, then: Any) -> None:
        """Let something happen at a time since entry, unless it is called off or the patient leaves."""
        self._call_off(name)
        event = self.trial.clock.at(self.patient.entry + since_entry, kind, self.i, part)
        self.course.timers[name] = event

        def come(_: simpy.Event) -> None:
            if self.course.timers.get(name) is event:
                del self.course.timers[name]
                then(part)

        event.callbacks.append(come)

    def _call_off(self, name: str) -> None:
        """Forget what was to happen."""
        self.course.timers.pop(name, None)

    @property
    def _now(self) -> int:
        """Ticks since entry."""
        return int(self.trial.clock.now) - self.patient.entry

    def _write(self, kind: Kind, part: int = 0, value: float = 0.0) -> None:
        """Write a row of the event log."""
        self.trial.write(kind, self.i, part, value)
        self.patient.log.append(self.trial.rows[-1])

    def _stop(self, c: int) -> None:
        """Stop a clock for good."""
        clock = self.course.clocks.pop(c, None)
        if clock is not None and clock.process is not self.trial.clock.active_process:
            clock.process.interrupt("stop")

    def _leave(self, dropped: bool) -> None:
        """End the patient's follow-up."""
        self.course.left, self.course.dropped = int(self.trial.clock.now), dropped
        for c in list(self.course.clocks):
            self._stop(c)
        self.course.timers.clear()
        self.patient.ended = self.course.left
        for e in self.course.open:
            self.trial.endpoint_over(e)
        if dropped:
            self.patient.lost = self.course.left
        self.trial.patient_leaves()

    # ---- hazards --------------------------------------------------------------------------------------------------

    def _pace_and_group(self, c: int) -> tuple[float, int]:
        """Return what the patient's state makes of a hazard: by how much it multiplies it, and whose hazard it is."""
        numbers, course = self.law.numbers, self.course
        group = self.patient.arm * numbers.treatment.weights
        if c < self._survival:
            pace = float(numbers.treatment.rescue_ratio[c]) if course.rescued else 1.0
            if course.crossed_to is not None:
                return pace, course.crossed_to * numbers.treatment.weights
            return pace, group + course.weight
        if self._first_term <= c < self._first_reason:
            level = course.dose if course.paused_until is None else numbers.treatment.doses
            return float(numbers.term.dose_factor[c - self._first_term, level]), group
        return departure_pace(numbers.clock.after[c, course.worst], course.heard.get(c, 0.0)), group

    def _changed(self) -> None:
        """Let every clock whose hazard has changed begin to wait anew."""
        treated, active = self.course.last_dose is None, self.trial.clock.active_process
        for c, clock in self.course.clocks.items():
            if self._first_term <= c < self._first_reason and not treated:
                continue
            if clock.process is not active and (clock.pace, clock.group) != self._pace_and_group(c):
                clock.process.interrupt("changed")

    def _first_amount(self, c: int) -> float:
        """Return the hazard that the patient can bear until a clock goes off for the first time."""
        trial, numbers = self.trial, self.law.numbers
        u = uniform(
            trial.plan.seed,
            trial.replicate,
            self.patient.key,
            int(numbers.clock.purpose[c]),
            int(numbers.clock.draw[c]),
        )
        return float(unit_exponential(u) * self._factor(c))

    def _factor(self, c: int) -> float:
        """Return exp(-linear predictor) of a clock."""
        return float(self.patient.parameters[self.law.laws[c]][self.patient.arm])

    def _run(self, c: int) -> Process:
        """Spend hazard until the clock goes off, again and again where it can."""
        numbers, clocks, course = self.law.numbers, self.law.clocks, self.course
        occurrence, amount, since = 0, self._first_amount(c), 0
        while True:
            clock = course.clocks[c]
            clock.pace, clock.group = self._pace_and_group(c)
            clock.due = int(spent_at(amount, clock.pace, since, c, clock.group, *clocks, numbers.grid))
            if self._after_window(c):
                course.clocks.pop(c)
                return
            try:
                yield self._due(c, clock.due)
            except simpy.Interrupt as interrupt:
                if interrupt.cause == "stop":
                    return
                now = self._now
                amount = still_to_spend(amount, clock.pace, since, now, c, clock.group, *clocks)
                since = now
                continue
            again = self._goes_off(c, occurrence)
            if not again or course.left is not None:
                return
            occurrence += 1
            since = self._now
            u = self._draw(Purpose.ADVERSE_EVENT, c - self._first_term, occurrence, events.GAP)
            amount = float(unit_exponential(u) * self._factor(c))

    def _after_window(self, c: int) -> bool:
        """Return whether a term of adverse events would come only after its time at risk."""
        last = self.course.last_dose
        if last is None or not self._first_term <= c < self._first_reason:
            return False
        return self.course.clocks[c].due > last + int(self.law.numbers.term.window[c - self._first_term])

    def _due(self, c: int, at: int) -> simpy.Event:
        """Return the event of a clock's going off at a time since entry; NEVER does not come."""
        if at >= NEVER:
            return simpy.Event(self.trial.clock)
        kind, part = self._place(c)
        return self.trial.clock.at(self.patient.entry + at, kind, self.i, part)

    def _place(self, c: int) -> tuple[Kind, int]:
        """Return the place of a clock in an instant."""
        if c < self._survival:
            return Kind.EVENT, int(self.law.numbers.survival.endpoints[c])
        if c == self._loss:
            return Kind.DROPOUT, LOSS_PART
        if c == self._withdrawal:
            return Kind.DROPOUT, WITHDRAWAL_PART
        if c < self._first_reason:
            return Kind.ADVERSE_EVENT, c - self._first_term
        return Kind.ADVERSE_EVENT, REASON_PART + c - self._first_reason

    def _goes_off(self, c: int, occurrence: int) -> bool:
        """Let a clock's event happen; return whether it can come again."""
        if self._first_term <= c < self._first_reason:
            self._adverse_event(c - self._first_term, occurrence)
            return c in self.course.clocks
        self.course.clocks.pop(c)
        if c < self._survival:
            self._event(c)
        elif c < self._first_term:
            self._write(Kind.DROPOUT, c - self._loss, self.patient.arm)
            self._leave(dropped=True)
        else:
            self._end_treatment(int(self.law.numbers.treatment.reason[c - self._first_reason]))
            self._changed()
        return False

    # ---- events and read-outs -------------------------------------------------------------------------------------

    def _event(self, c: int) -> None:
        """Have the event of a survival endpoint, seen at once or at a visit to come."""
        numbers = self.law.numbers
        if numbers.survival.detected[c]:
            self._write(Kind.ONSET, int(numbers.survival.endpoints[c]), self.patient.arm)
            self.course.occurred.add(c)
            return
        self._see(c, 0)
        if self.course.left is None and not self.course.open:
            self._leave(dropped=False)

    def _see(self, c: int, cause: int) -> None:
        """See the event of a survival endpoint; of death, with its cause."""
        numbers, now = self.law.numbers, int(self.trial.clock.now)
        e = int(numbers.survival.endpoints[c])
        self._write(Kind.EVENT, e, self.patient.arm)
        self._end_endpoint(e)
        if self.law.reported(c):
            self.patient.found[e] = now
            self.trial.pending[e] += 1
        else:
            self.patient.event[e] = now
        self.trial.clock.process(self._report(c, e, now))
        if c == numbers.survival.terminal:
            self._write(Kind.DEATH, cause, self.patient.arm)
            self.patient.died = now
            self._leave(dropped=False)
        elif c == numbers.treatment.crossover_on and numbers.treatment.crosses[self.patient.arm]:
            self._may_cross()

    def _report(self, c: int, e: int, seen: int) -> Process:
        """Let an event be known, at once or after its delay; the patient may have left by then."""
        numbers = self.law.numbers
        delay = int(numbers.survival.report[c])
        if numbers.survival.report_law[c, 0] >= 0:
            delay = self._delay(numbers.survival.report_law[c], self._told_draw(Purpose.REPORT, c, 0))
        if delay:
            yield self.trial.clock.at(seen + delay, Kind.READOUT, self.i, e)
            self._write(Kind.READOUT, e, 1.0)
        if self.law.reported(c):
            self.trial.pending[e] -= 1
        self.trial.count_event(e, self.patient)
        if numbers.survival.verdict_law[c, 0] >= 0:
            wait = self._delay(numbers.survival.verdict_law[c], self._told_draw(Purpose.ADJUDICATION, c, 0))
            yield self.trial.clock.at(seen + delay + wait, Kind.READOUT, self.i, VERDICT_PART + e)
            confirmed = self._told_draw(Purpose.ADJUDICATION, c, 1) < numbers.survival.confirmed[c]
            self._write(Kind.ADJUDICATED, e, float(confirmed))
            if not confirmed:
                self.patient.refused[e] = int(self.trial.clock.now)
                return
        if self.law.reported(c):
            self.patient.event[e] = seen
            self.patient.known[e] = int(self.trial.clock.now)

    def _told_draw(self, purpose: Purpose, c: int, which: int) -> float:
        """Return a uniform of an endpoint's report or adjudication."""
        trial, draw = self.trial, int(self.law.numbers.survival.name[c]) + which
        return uniform(trial.plan.seed, trial.replicate, self.patient.key, int(purpose), draw)

    def _expect_visit(self, visit: int, previous: int) -> None:
        """Wait for a visit, which may be missed, moved or late."""
        numbers = self.law.numbers
        scheduled, grid = int(numbers.visiting.visits[visit]), numbers.grid
        if numbers.visiting.missed > 0.0 and self._visit_draw(visit, visits.MISSED) < numbers.visiting.missed:
            at, how = max(scheduled, previous + grid), WAS_MISSED
        else:
            kind, size = int(numbers.visiting.jitter[0]), numbers.visiting.jitter[1]
            u = self._visit_draw(visit, visits.JITTER) if kind != visits.PUNCTUAL else 0.5
            at, how = int(visits.visit_time(scheduled, previous, u, kind, size, grid)), HELD
            if (
                numbers.visiting.late[0] > 0.0
                and self._visit_draw(visit, visits.LATE) < numbers.visiting.late[0]
            ):
                at += self._delay(numbers.visiting.late[1:], self._visit_draw(visit, visits.LATENESS))
                how = HELD_LATE
        self._set("visit", at, Kind.VISIT, 0, lambda _: self._visit(visit, how))

    def _visit_draw(self, visit: int, which: int) -> float:
        """Return a uniform of a visit."""
        trial, draw = self.trial, int(events.occurrence_draw(0, visit, which))
        return uniform(trial.plan.seed, trial.replicate, self.patient.key, int(Purpose.VISIT), draw)

    def _visit(self, visit: int, how: int) -> None:
        """Hold a visit, or miss it: see what has happened, read out what is due."""
        numbers, course, now = self.law.numbers, self.course, self._now
        self._write(Kind.VISIT, how, visit + 1)
        if how != WAS_MISSED:
            for c, e in enumerate(numbers.survival.endpoints):
                if c in course.occurred and int(e) in course.open:
                    self._see(c, 0)
            for k, e in enumerate(numbers.reading.readouts):
                if (
                    numbers.reading.at_visit[k]
                    and int(e) in course.open
                    and now >= numbers.reading.readout[k]
                ):
                    self._observe(int(e))
            if course.left is None and course.last_dose is None:
                self._monitor(visit)
        if visit + 1 < len(numbers.visiting.visits):
            self._expect_visit(visit + 1, now)
        else:
            self._close(numbers.survival.endpoints[numbers.survival.detected])
            self._close(numbers.reading.readouts[numbers.reading.at_visit])
        if not course.open:
            self._leave(dropped=False)
        else:
            self._changed()

    def _monitor(self, visit: int) -> None:
        """Do at a visit what the monitoring policy decides."""
        plan, course, law = self.trial.plan, self.course, self.law
        if plan.monitoring is None:
            return
        events = np.zeros((1, len(law.terms), len(law.levels)), dtype=np.int64)
        serious = 0
        for row in self.patient.log:
            if row.kind == Kind.ADVERSE_EVENT:
                events[0, row.part, int(row.value) - 1] += 1
            elif row.kind == Kind.SERIOUS:
                serious += 1
        view = VisitView(
            np.array([self.trial.replicate]),
            np.array([self.patient.key]),
            np.array([visit]),
            np.array([self._now / TICKS_PER_DAY]),
            events,
            np.array([serious]),
            np.array([course.dose]),
            law.terms,
            law.levels,
            law.numbers.treatment.doses,
            seed_for_policies(plan.seed),
            *self._hidden_from_policy(),
        )
        answer, self.memory = plan.monitoring.decide(view, self.memory)
        done = int(answer[0])
        self.trial.monitored.append((int(self.trial.clock.now), self.i, view, done))
        if done == NOTHING:
            return
        if done == DISCONTINUE or course.dose + 1 == law.numbers.treatment.doses:
            self._end_treatment(law.numbers.treatment.reason_of_monitoring)
        else:
            course.dose += 1
            self._write(Kind.REDUCED, len(law.terms), course.dose)

    def _hidden_from_policy(self) -> tuple[Floats, tuple[str, ...]] | tuple[()]:
        """Return the patient's latent traits, and their names, for a policy that declares to read them."""
        plan = self.trial.plan
        if not reads_latent(plan.monitoring):
            return ()
        source = plan.world.source
        latent = self.patient.record[None, source.covariate_count :]
        return standardised(plan.world, latent), source.columns[source.covariate_count :]

    def _end_endpoint(self, e: int) -> None:
        """Note that nothing more will come of an endpoint."""
        self.course.open.remove(e)
        self.trial.endpoint_over(e)

    def _close(self, endpoints: Any) -> None:
        """End the follow-up of endpoints that no visit will see any more."""
        survival = [int(e) for e in self.law.numbers.survival.endpoints]
        for e in endpoints:
            if int(e) in self.course.open:
                self._end_endpoint(int(e))
                self.patient.closed[int(e)] = int(self.trial.clock.now)
                if int(e) in survival:
                    # What would come now, nobody will ever see.
                    self._stop(survival.index(int(e)))
            elif int(e) in self.patient.found:
                # Where what was seen will not be confirmed, the patient was seen without the event until now.
                self.patient.closed[int(e)] = int(self.trial.clock.now)

    def _read_out(self, e: int) -> None:
        """Read an outcome out at its time."""
        self._observe(e)
        if not self.course.open:
            self._leave(dropped=False)
        else:
            self._changed()

    def _observe(self, e: int) -> None:
        """Read an outcome out; hazards may depend on it from now on."""
        value = self.patient.outcome[e] = self._outcome(e)
        self._write(Kind.READOUT, e, value)
        self.patient.readout[e] = int(self.trial.clock.now)
        self._end_endpoint(e)
        self.trial.count_readout(e, self.patient.arm)
        k = list(self.law.numbers.reading.readouts).index(e)
        for c in self.course.clocks:
            if self.law.numbers.clock.hear[c, k] != 0.0:
                self.course.heard[c] = (
                    self.course.heard.get(c, 0.0) + self.law.numbers.clock.hear[c, k] * value
                )

    def _outcome(self, e: int) -> float:
        """Return what a read-out shows: the outcome as randomised, or what the treatment taken has made of it."""
        numbers, course, trial = self.law.numbers, self.course, self.trial
        if not course.weight and course.crossed_to is None:
            return self.patient.outcome[e]
        law, k = trial.plan.world.outcomes[e], list(numbers.reading.readouts).index(e)
        arm = self.patient.arm if course.crossed_to is None else course.crossed_to
        address = (trial.plan.seed, np.array([trial.replicate]), np.array([self.patient.key]))
        entered = np.array([self.patient.entry / TICKS_PER_DAY])
        parts = law.linear_parts(self.patient.record[None, :], entered, law.site_effects(*address))
        main, modifier, drift = (float(part[0]) for part in parts)
        u = uniform(trial.plan.seed, trial.replicate, self.patient.key, law.purpose, law.draw)
        intercepts, weight = (
            law.intercepts,
            numbers.treatment.left[course.weight] if course.crossed_to is None else 1.0,
        )
        return float(
            outcome_with(
                u, bool(numbers.reading.binary[k]), intercepts[0], intercepts[arm], main, modifier if arm else 0.0, drift,
                law.drift.on_probability, weight, law.sd,
            )
        )  # fmt: skip

    # ---- adverse events -------------------------------------------------------------------------------------------

    def _draw(self, purpose: Purpose, term: int, occurrence: int, which: int) -> float:
        """Return a uniform of one occurrence of a term."""
        draw = events.occurrence_draw(int(self.law.numbers.term.address[term]), occurrence, which)
        return uniform(self.trial.plan.seed, self.trial.replicate, self.patient.key, int(purpose), int(draw))

    def _adverse_event(self, a: int, occurrence: int) -> None:
        """Have an adverse event, and whatever follows from it at once."""
        numbers = self.law.numbers
        draw = (Purpose.ADVERSE_EVENT, a, occurrence)
        level = int(events.level_of(self._draw(*draw, events.SEVERITY), numbers.term.cumulative, a))
        self._write(Kind.ADVERSE_EVENT, a, level + 1)
        if self._chance(numbers.term.serious[a, level], *draw, events.SERIOUS):
            self._write(Kind.SERIOUS, a, level + 1)
        if self._chance(numbers.term.fatal[a, level], *draw, events.FATAL):
            self._see(int(numbers.survival.terminal), 1 + a)
            return
        if numbers.term.length[a, 0] >= 0:
            lasts = self._delay(numbers.term.length[a], self._draw(*draw, events.LENGTH))
            self._write(Kind.RESOLVES, a, lasts / TICKS_PER_DAY)
        self.course.worst = max(self.course.worst, level + 1)
        if self.course.last_dose is None:
            self._act(a, level, occurrence)
        self._changed()

    def _chance(self, probability: float, purpose: Purpose, term: int, occurrence: int, which: int) -> bool:
        """Return whether something of the probability happens; what cannot happen is not drawn."""
        return probability > 0.0 and self._draw(purpose, term, occurrence, which) < probability

    def _delay(self, law: Any, u: float) -> int:
        """Return a drawn delay in ticks."""
        kind, first, second = law
        return int(drawn_delay(u, kind, first, second, self.law.numbers.grid))

    def _act(self, a: int, level: int, occurrence: int) -> None:
        """Do about an adverse event what there is to do."""
        numbers, course = self.law.numbers, self.course
        chances = (
            numbers.term.discontinue[a, level],
            numbers.term.reduce[a, level],
            numbers.term.interrupt[a, level],
        )
        if sum(chances) <= 0.0:
            return
        action = events.action_of(self._draw(Purpose.DOSE, a, occurrence, events.ACTION), *chances)
        lowest = course.dose + 1 == numbers.treatment.doses
        if action == DISCONTINUE or (action == REDUCE and lowest):
            self._end_treatment(numbers.treatment.reason_of_action)
        elif action == REDUCE:
            course.dose += 1
            self._write(Kind.REDUCED, a, course.dose)
        elif action == INTERRUPT:
            u = self._draw(Purpose.DOSE, a, occurrence, events.INTERRUPTION)
            lasts = self._delay(numbers.term.interruption[a], u)
            until = max(self._now + lasts, course.paused_until or 0)
            course.paused_until = until
            self._set("resume", until, Kind.ADVERSE_EVENT, RESUME_PART, self._resume)
            self._write(Kind.INTERRUPTED, a, lasts / TICKS_PER_DAY)

    def _resume(self, _: int) -> None:
        """Give doses again."""
        self.course.paused_until = None
        self._write(Kind.RESUMED, 0, self.course.dose)
        self._changed()

    # ---- the end of treatment and what follows --------------------------------------------------------------------

    def _planned_end(self, _: int) -> None:
        """End treatment as planned."""
        self._end_treatment(None)
        self._changed()

    def _end_treatment(self, reason: int | None) -> None:
        """Give the last dose, for a reason or as planned; whatever depends on doses ends with it."""
        numbers, course = self.law.numbers, self.course
        course.last_dose = now = self._now
        self.patient.off = int(self.trial.clock.now)
        if reason is not None:
            self.patient.quit = self.patient.off
        kind = Kind.TREATMENT_ENDED if reason is None else Kind.DISCONTINUED
        self._write(kind, 0 if reason is None else reason, course.dose)
        self._call_off("resume")
        self._call_off("end")
        for c in [c for c in course.clocks if c >= self._first_reason]:
            self._stop(c)
        for c in [c for c in course.clocks if self._after_window(c)]:
            self._stop(c)
        if course.crossed_to is not None:
            return
        if numbers.treatment.weights > 1:
            self._fade(0)
        if reason is None:
            return
        if numbers.treatment.rescue[0] > 0.0 and self._rescue_draw(0) < numbers.treatment.rescue[0]:
            wait = self._delay(numbers.treatment.rescue[1:], self._rescue_draw(1))
            self._set("rescue", now + wait, Kind.ADVERSE_EVENT, RESCUE_PART, self._rescue)
        if numbers.treatment.crossover_on == -1 and numbers.treatment.crosses[self.patient.arm]:
            self._may_cross()

    def _rescue_draw(self, which: int) -> float:
        """Return a uniform for rescue (0, 1) or crossover (2, 3)."""
        trial = self.trial
        return uniform(trial.plan.seed, trial.replicate, self.patient.key, int(Purpose.RESCUE), which)

    def _fade(self, _: int) -> None:
        """Let the effect fade by a step."""
        numbers, course = self.law.numbers, self.course
        course.weight += 1
        if course.weight + 1 < numbers.treatment.weights:
            self._set(
                "fade", self._now + numbers.treatment.step, Kind.ADVERSE_EVENT, FADE_PART, self._fade_on
            )

    def _fade_on(self, part: int) -> None:
        """Let the effect fade by a further step."""
        self._fade(part)
        self._changed()

    def _rescue(self, _: int) -> None:
        """Begin rescue treatment."""
        self.course.rescued = True
        self._write(Kind.RESCUE, 0, self.patient.arm)
        self._changed()

    def _may_cross(self) -> None:
        """Let a patient cross over after a while, if it falls to them."""
        numbers = self.law.numbers
        if self._rescue_draw(2) < numbers.treatment.crossover[0]:
            wait = self._delay(numbers.treatment.crossover[1:], self._rescue_draw(3))
            self._set("cross", self._now + wait, Kind.ADVERSE_EVENT, CROSSOVER_PART, self._cross)

    def _cross(self, _: int) -> None:
        """Begin the treatment of another arm; that of the own arm ends if it has not."""
        course = self.course
        course.crossed_to = int(self.law.numbers.treatment.crossover_to)
        self._write(Kind.CROSSOVER, 0, course.crossed_to)
        self.patient.crossed = int(self.trial.clock.now)
        self._call_off("fade")
        if course.last_dose is None:
            self._end_treatment(None)
        self._changed()
