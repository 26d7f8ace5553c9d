"""One trial, replayed in the reference engine, and what its event log says of each patient and each look."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from trialsim.contracts import Decision, Fate, Kind, LogRow, Status, Stop, TestPlan
from trialsim.engines.cell_facts import Truth, truth_of
from trialsim.engines.conduct import ChunkResult, conduct
from trialsim.engines.decision_log import FATES, LOG, Journal, Origin
from trialsim.engines.life import WITHDRAWAL_PART
from trialsim.engines.plan import Plan, Trigger
from trialsim.engines.points import Point
from trialsim.engines.records import Columns, columns_of
from trialsim.engines.reference_cut import ReferenceCut, Taken
from trialsim.engines.runner import chunk_of
from trialsim.report.story_borrowing import borrowed
from trialsim.report.story_courses import Course, courses_of
from trialsim.report.story_status import why_no_estimate
from trialsim.scenario.schema import Scenario

if TYPE_CHECKING:
    from trialsim.analyses.bayesian.robust_mixtures import Borrowing

Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Look:
    """What one look found and what was decided on it; arrays are ``[test]``, times in ticks.

    Parameters
    ----------
    number
        From 1.
    cut, lock, decided
        Data cut, data lock and decision.
    z, effect, se, efficacy_z, futility_z, status
        Of each test, with the bounds in force.
    decision
        What the stopping policy decided.
    carried_out
        Whether the trial lasted until the decision.
    own_z, lost
        Of closed tests: the combined statistic of each alone, and whether it can no longer be rejected.
    worth
        What arms were chosen by, where that is another endpoint than the tests'.
    stage_ends, stage_z
        Where stages are split by patients: when each ended, ``[stage]`` (-1 before the last look), and its statistics,
        ``[stage, test]``.
    stage_interim_z, stage_since_z
        Of stages that are tested at their own look too: the statistics then, and of what came after, ``[stage, test]``.
    further
        Read-outs that it waited for beyond those first planned.
    conditional_power
        With the size as it was, where the size was re-estimated by it; otherwise not a number.
    error
        Of the posterior probability of each test, where analyses are Bayesian models.
    chains
        What the chains of each test's model are judged by, where one is sampled.
    borrowing
        What control of each test borrows from earlier trials; None where it borrows nothing.
    used
        Whom each test takes, as its strategy and its follow-up have it; None of adverse events.
    """

    number: int
    cut: int
    lock: int
    decided: int
    z: NDArray[np.float64]
    effect: NDArray[np.float64]
    se: NDArray[np.float64]
    efficacy_z: NDArray[np.float64]
    futility_z: NDArray[np.float64]
    status: tuple[Status, ...]
    decision: Decision
    carried_out: bool
    own_z: NDArray[np.float64] | None = None
    lost: NDArray[np.bool_] | None = None
    worth: NDArray[np.float64] | None = None
    stage_ends: Ints | None = None
    stage_z: NDArray[np.float64] | None = None
    stage_interim_z: NDArray[np.float64] | None = None
    stage_since_z: NDArray[np.float64] | None = None
    further: int = 0
    conditional_power: float = float("nan")
    error: NDArray[np.float64] | None = None
    chains: NDArray[np.float64] | None = None
    borrowing: tuple[Borrowing | None, ...] = ()
    used: tuple[tuple[Taken, ...] | None, ...] = ()

    def says(self, name: str, test: int) -> bool:
        """Return whether the decision rejects (``reject``) or gives up (``futile``) a test."""
        found = getattr(self.decision, name)
        return found is not None and bool(found[0, test])

    def why_not(self, test: TestPlan, place: int) -> str:
        """Return in words why a test, whose number is ``place``, has no estimate."""
        return why_no_estimate(test, self.status[place], None if self.chains is None else self.chains[place])

    @property
    def stops(self) -> bool:
        """Whether the decision stops the trial."""
        return self.decision.stop is not None and bool(self.decision.stop[0])


@dataclass(frozen=True, eq=False)
class Replay:
    """One replicate of one design under one truth, as it went.

    Parameters
    ----------
    scenario
        The scenario, without the truth's overlay.
    plan
        What the engine ran.
    replicate
        Its global number.
    log
        The event log of the reference engine.
    courses
        What the log says of each patient, in order of randomisation.
    looks
        Every look taken.
    trial
        The replicate's row of the records, codes as they are.
    tables
        The records of the replicate by table, codes as they are.
    recommended
        What was recommended to people on sites, allocation and patients, as the decision log has it, in order of time.
    """

    scenario: Scenario
    plan: Plan
    replicate: int
    log: tuple[LogRow, ...]
    courses: tuple[Course, ...]
    looks: tuple[Look, ...]
    trial: Mapping[str, Any]
    tables: Mapping[str, Columns] = field(default_factory=dict)
    recommended: tuple[Mapping[str, Any], ...] = ()

    @cached_property
    def truths(self) -> tuple[Truth, ...]:
        """What is true of each test's hypothesis."""
        return tuple(truth_of(self.plan, test) for test in self.plan.tests)

    @property
    def size(self) -> int:
        """Patients that the trial planned in the end."""
        return int(self.trial.get("size", self.plan.n))

    @property
    def with_sites(self) -> bool:
        """Whether patients come as candidates to sites."""
        return self.plan.world.sites is not None

    @property
    def end(self) -> int:
        """Tick at which the trial ended."""
        return self.log[-1].tick

    @property
    def reason(self) -> Stop:
        """Why the trial ended."""
        return Stop(int(self.log[-1].value))

    @property
    def stop_look(self) -> int:
        """Look that decided, from 1; 0 where none did."""
        return int(self.trial["stop_look"])

    @property
    def cut(self) -> int:
        """Tick of the deciding data cut: that of the look that stopped the trial, or the trial's end."""
        return (
            next(look.cut for look in self.looks if look.number == self.stop_look)
            if self.stop_look
            else self.end
        )

    @property
    def test_names(self) -> tuple[str, ...]:
        """Names of the hypotheses that the design tests."""
        return tuple(test.name for test in self.plan.tests)

    @property
    def endpoint_names(self) -> tuple[str, ...]:
        """Names of the endpoints."""
        return tuple(law.name for law in self.plan.world.outcomes)

    @cached_property
    def _comings(self) -> Mapping[int, tuple[list[int], list[int]]]:
        """When each candidate came, and which attempt that was, from 1."""
        found: dict[int, tuple[list[int], list[int]]] = {}
        for row in self.log:
            if row.kind == Kind.ARRIVAL:
                ticks, attempts = found.setdefault(row.id, ([], []))
                ticks.append(row.tick)
                attempts.append(row.part + 1)
        return found

    def attempt_at(self, key: int, tick: int) -> int:
        """Return at which attempt, from 1, a candidate is at a time; an attempt begins after the one before has ended."""
        ticks, attempts = self._comings[key]
        return attempts[bisect_right(ticks, tick) - 1]

    def known(self, endpoint: int, tick: int) -> Ints:
        """Return the events or readouts of an endpoint known at a time, ``[arm]``."""
        law = self.plan.world.outcomes[endpoint]
        counts = np.zeros(len(self.plan.arms), dtype=np.int64)
        for course in self.courses:
            if law.kind == "survival":
                had = course.had(endpoint, tick - law.readout_ticks)
            else:
                had = endpoint in course.readouts and course.readouts[endpoint][0] <= tick
            counts[course.arm] += had
        return counts

    def randomised(self, tick: int) -> Ints:
        """Return the patients randomised by a time, ``[arm]``."""
        arms = [course.arm for course in self.courses if course.entry <= tick]
        return np.bincount(np.array(arms, dtype=np.int64), minlength=len(self.plan.arms))

    def left(self, tick: int) -> tuple[int, int]:
        """Return how many patients were lost to follow-up by a time, and how many more withdrew consent."""
        parts = [row.part for row in self.log if row.kind == Kind.DROPOUT and row.tick <= tick]
        withdrew = parts.count(WITHDRAWAL_PART)
        return len(parts) - withdrew, withdrew

    def told(self, endpoint: int, tick: int) -> int | None:
        """Return how many events of an endpoint were reported by a time, confirmed or not; None where all are confirmed."""
        life = self.plan.world.life
        ends = [] if life is None else [int(e) for e in life.numbers.survival.endpoints]
        if life is None or endpoint not in ends:
            return None
        if life.numbers.survival.verdict_law[ends.index(endpoint), 0] < 0:
            return None
        return sum(course.reported.get(endpoint, tick + 1) <= tick for course in self.courses)

    def stage_of(self, entry: int) -> int:
        """Return the stage of who was randomised at a time, from 0, where stages are split by patients."""
        return sum(look.cut < entry for look in self.looks[: len(self.plan.looks) - 1])

    def decided_before(self, look: Look, test: int) -> str:
        """Return how an earlier look decided a test, ``rejected`` or ``given up``; empty where none did."""
        for earlier in self.looks:
            if earlier.number >= look.number:
                break
            for name, word in (("reject", "rejected"), ("futile", "given up")):
                if earlier.says(name, test):
                    return word
        return ""

    def met(self, trigger: Trigger, look: int) -> bool:
        """Return whether what a look waits for had come about when it was taken.

        Parameters
        ----------
        trigger
            The trigger, or a part of it.
        look
            Position among the looks taken, from 0: after an end of accrual the last look follows at once.
        """
        tick = self.looks[look].cut
        if trigger.kind in ("all", "any"):
            joined = all if trigger.kind == "all" else any
            return joined(self.met(child, look) for child in trigger.children)
        if trigger.kind == "calendar":
            return tick >= trigger.ticks
        if trigger.kind == "gap":
            return tick >= (self.looks[look - 1].cut if look else 0) + trigger.ticks
        if trigger.kind == "enrolled":
            return int(self.randomised(tick).sum()) >= trigger.count
        if trigger.kind == "stages":
            return self._stages_ended(trigger.endpoint, tick, self.looks[look].further)
        counts = self.known(trigger.endpoint, tick)
        if trigger.kind == "events" and any(trigger.endpoint in course.told_late for course in self.courses):
            told = [c.arm for c in self.courses if c.reported.get(trigger.endpoint, tick + 1) <= tick]
            counts = np.bincount(np.array(told, dtype=np.int64), minlength=len(self.plan.arms))
        chosen = counts if trigger.arms is None else counts[list(trigger.arms)]
        if trigger.open_arms is not None:
            closed = {row.id for row in self.log if row.kind == Kind.ARM_CLOSED and row.tick < tick}
            arms = range(len(counts)) if trigger.arms is None else trigger.arms
            chosen = counts[[arm for arm in arms if arm not in closed]]
            if trigger.open_arms == "each":
                return bool((chosen >= trigger.count).all())
        return int(chosen.sum()) >= trigger.count + self.looks[look].further

    def _stages_ended(self, endpoint: int, tick: int, further: int) -> bool:
        """Return whether every stage's patients had had as many events by a time as it ends with, the last some more."""
        ends = self.plan.stage_ends
        assert ends is not None and ends.events is not None
        had = [0] * len(ends.events)
        delay = self.plan.world.outcomes[endpoint].readout_ticks
        for course in self.courses:
            if endpoint in course.told_late:
                told = course.reported.get(endpoint, tick + 1) <= tick
            else:
                told = course.had(endpoint, tick - delay)
            had[self.stage_of(course.entry)] += told
        awaited = (*ends.events[:-1], ends.events[-1] + further)
        return all(found >= wanted for found, wanted in zip(had, awaited, strict=True))


def replay(scenario: Scenario, design: str, truth: str, replicate: int, seed: int) -> Replay:
    """Return one replicate as the reference engine runs it.

    Parameters
    ----------
    scenario
        A loaded scenario.
    design, truth
        Names in it.
    replicate
        Global number of the trial, from 0.
    seed
        Seed of the run.
    """
    chunk = chunk_of(scenario, design, truth, [replicate], seed, "reference")
    slots = (chunk.plan.site_policy, chunk.plan.randomisation, chunk.plan.monitoring)
    journal = None
    if any(hasattr(policy, "recommends") for policy in slots):
        journal = Journal(chunk.plan, Origin("", seed, design, truth, {}), np.array([replicate]))
    result = conduct(chunk, journal)
    plan, log = result.chunk.plan, tuple(result.chunk.log(0))
    tables = columns_of(result)
    trial = {name: column[0] for name, column in tables["trials"].items()}
    told = _recommended(result) if journal is not None else ()
    return Replay(scenario, plan, replicate, log, courses_of(plan, log), _looks(result), trial, tables, told)


def _recommended(result: ChunkResult) -> tuple[Mapping[str, Any], ...]:
    """Return the entries of the decision log on which people were asked, those of looks left out."""
    entries = (json.loads(record) for record in result.log[LOG]["record"])
    return tuple(
        entry
        for entry in entries
        if entry["kind"] != "look"
        and entry["decided"].get("people", FATES[Fate.NOT_ASKED]) != FATES[Fate.NOT_ASKED]
    )


def _looks(result: ChunkResult) -> tuple[Look, ...]:
    """Return the looks of a chunk of one replicate."""
    looks: list[Look] = []
    further = 0
    decided_in_log = {row.id for row in result.chunk.log(0) if row.kind == Kind.DECISION}
    for record in result.looks:
        index, cut = int(record.point.number[0]), int(record.point.tick[0])
        times = result.chunk.plan.looks[index]
        looks.append(
            Look(
                number=index + 1,
                cut=cut,
                lock=cut + times.cleaning,
                decided=cut + times.cleaning + times.decision,
                z=record.z[0],
                effect=record.effect[0],
                se=record.se[0],
                efficacy_z=record.efficacy_z[0],
                futility_z=record.futility_z[0],
                status=tuple(Status(int(code)) for code in record.status[0]),
                decision=record.decision,
                carried_out=index in decided_in_log,
                own_z=None if record.own_z is None else record.own_z[0],
                lost=None if record.lost is None else record.lost[0],
                worth=None if record.worth is None else record.worth[0],
                stage_ends=None if record.cohorts is None else record.cohorts.ends[0],
                stage_z=None if record.cohorts is None else record.cohorts.z[0],
                stage_interim_z=None if record.cohorts is None else record.cohorts.interim_z[0],
                stage_since_z=None if record.cohorts is None else record.cohorts.since_z[0],
                further=further,
                conditional_power=float("nan")
                if record.conditional_power is None
                else float(record.conditional_power[0]),
                error=None if record.error is None else record.error[0],
                chains=None if record.chains is None else record.chains[0],
                borrowing=borrowed(result.chunk, record.point),
                used=_used(result, record.point),
            )
        )
        if record.decision.further_counts is not None:
            further = int(record.decision.further_counts[0])
    return tuple(looks)


def _used(result: ChunkResult, point: Point) -> tuple[tuple[Taken, ...] | None, ...]:
    """Return whom each test takes at a look."""
    cuts = [result.chunk.cut(point, place) for place in range(len(result.chunk.plan.tests))]
    return tuple(tuple(cut.taken()) if isinstance(cut, ReferenceCut) else None for cut in cuts)
