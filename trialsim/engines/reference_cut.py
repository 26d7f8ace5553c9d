"""Patients of the reference engine, and what is known of them at a cut, counted the plain way."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from trialsim.contracts import (
    AllocationRows,
    ArmTotals,
    Floats,
    Kind,
    LogRow,
    Moments,
    PatientRows,
    RiskTables,
    TestPlan,
)
from trialsim.engines.life import WITHDRAWAL_PART
from trialsim.engines.missing_records import DIED, LOST, VISITS_MISSED, WITHDRAWN
from trialsim.engines.points import Point
from trialsim.engines.rerandomisation import redrawn_adaptively, redrawn_arms
from trialsim.stats.moments import binary_moments, mean_and_squares
from trialsim.timegrid import NEVER, TICKS_PER_DAY

if TYPE_CHECKING:
    from trialsim.engines.reference import ReferenceTrial


@dataclass
class Patient:
    """One randomised patient: what is known so far, and what nature has in store.

    ``key`` is the number at which their draws are found. Where the scenario tells patients' lives, ``course`` is what has
    become of them, ``ended`` when they left, ``off`` when they had the last dose, ``quit`` when they discontinued,
    ``crossed`` when they crossed over, ``died`` when they died, ``log`` what happened. Of endpoints whose
    events take time to be told, ``found`` is when an event was seen, ``known`` from when on an analysis knows of it,
    ``refused`` when it was not confirmed. ``closed`` is when an endpoint's own follow-up ended. ``period`` tells
    how often allocation had changed before they came, ``chance`` how probable their arm was.
    """

    key: int
    entry: int
    arm: int
    stratum: int
    dropout: int | None
    record: Floats
    parameters: list[NDArray[Any]]
    natural: dict[int, int] = field(default_factory=dict)
    outcome: dict[int, float] = field(default_factory=dict)
    event: dict[int, int] = field(default_factory=dict)
    readout: dict[int, int] = field(default_factory=dict)
    lost: int | None = None
    running: dict[int, Any] = field(default_factory=dict)
    leaving: Any | None = None
    course: Any | None = None
    ended: int | None = None
    off: int | None = None
    quit: int | None = None
    crossed: int | None = None
    died: int | None = None
    log: list[LogRow] = field(default_factory=list)
    found: dict[int, int] = field(default_factory=dict)
    known: dict[int, int] = field(default_factory=dict)
    refused: dict[int, int] = field(default_factory=dict)
    closed: dict[int, int] = field(default_factory=dict)
    period: int = 0
    chance: float = 1.0

    def had(self, e: int, tick: int) -> bool:
        """Return whether an analysis knows of an event by a time; it is told at once, or when it is confirmed."""
        return e in self.event and self.known.get(e, self.event[e]) <= tick

    def awaits(self, e: int, tick: int, report: int) -> bool:
        """Return whether an outcome is not known at a time and can still become known.

        An event that has happened becomes known whatever happens meanwhile: ``report`` later, or when it is told. It is
        waited for as well where it will not be confirmed. Nothing else comes of who has left, or is seen no more.
        """
        if self.had(e, tick - report) or self.readout.get(e, NEVER) <= tick:
            return False
        seen = self.found.get(e, self.event.get(e, NEVER))
        if seen <= tick < self.refused.get(e, NEVER):
            return True
        return all(end is None or end > tick for end in (self.lost, self.ended, self.closed.get(e)))

    def without(self, e: int, tick: int, report: int, survival: bool) -> int | None:
        """Return why an outcome is neither known at a time nor can become known; None where it is, or can.

        None also where an event was not seen to the end of follow-up, which the last visit may be.
        """
        if self.had(e, tick - report) or self.readout.get(e, NEVER) <= tick or self.awaits(e, tick, report):
            return None
        if self.closed.get(e, NEVER) <= tick:
            return None if survival else VISITS_MISSED
        if self.lost is not None and self.lost <= tick:
            withdrew = any(row.kind == Kind.DROPOUT and row.part == WITHDRAWAL_PART for row in self.log)
            return WITHDRAWN if withdrew else LOST
        return DIED if self.died is not None and self.died <= tick else None

    def stays_until(self, e: int, tick: int) -> int:
        """Return when follow-up without an event that is known ends: when the patient left, or at a cut.

        An event of which an analysis does not know yet leaves its patient followed.
        """
        if e in self.found and self.refused.get(e, tick + 1) > tick:
            return tick
        return min(end for end in (tick, self.lost, self.ended, self.closed.get(e)) if end is not None)


@dataclass(frozen=True, slots=True)
class Taken:
    """How a test takes a patient at a cut.

    Parameters
    ----------
    number
        The patient's, from 0 in order of entry.
    event
        Whether with an event (survival endpoints).
    by_strategy
        Whether the event or the outcome is what the strategy puts for an intercurrent event, not the patient's own.
    awaited
        Whether the patient's own event or outcome is not known and can still become known.
    """

    number: int
    event: bool
    by_strategy: bool
    awaited: bool


class ReferenceCut:
    """What is known for one test at a cut, counted the plain way; see :class:`~trialsim.contracts.DataCut`.

    Of binary and continuous endpoints what was read out after ``since``; of the patients of one ``stage`` alone where
    that is given.
    """

    def __init__(
        self, trial: ReferenceTrial, tick: int, test: TestPlan, since: int = -1, stage: int | None = None
    ) -> None:
        self._trial, self._tick, self._since, self._stage = trial, tick, since, stage
        self._test = test
        self._law = trial.plan.world.outcomes[self._test.endpoint]
        life = trial.plan.world.life
        survival = [] if life is None else [int(e) for e in life.numbers.survival.endpoints]
        here = life is not None and self._test.endpoint in survival
        self._told_late = life is not None and here and life.reported(survival.index(self._test.endpoint))
        terminal = -1 if life is None else life.numbers.survival.terminal
        self._death = "" if terminal < 0 else trial.plan.world.outcomes[survival[terminal]].name

    def _pair(self) -> list[tuple[int, Patient]]:
        """Return the patients of the compared arms, with their numbers, in order of entry."""
        both = (self._test.control, self._test.treatment)
        pair = [(i, p) for i, p in enumerate(self._trial.patients) if p.arm in both]
        if self._stage is None:
            return pair
        return [(i, p) for i, p in pair if self._trial.stage_of(p) == self._stage]

    def _end(self, p: Patient, until: int) -> tuple[int, bool]:
        """Return when a patient's follow-up ends at a cut and whether with an event, as the strategy has it."""
        e, strategy = self._test.endpoint, self._test.strategy
        if strategy in ("treatment_policy", "principal_stratum"):
            return (p.event[e], True) if p.had(e, until) else (p.stays_until(e, until), False)
        own, happened, died = p.event.get(e, p.stays_until(e, NEVER)), e in p.event, p.died
        if self._told_late:
            # The strategy is applied to what an analysis knows; of death itself, what is told counts.
            happened = p.had(e, until)
            own = p.event[e] if happened else p.stays_until(e, until)
            died = None if self._law.name == self._death else died
        if strategy == "composite":
            first = min((t for t in (p.quit, died) if t is not None), default=NEVER)
            if first < own or (first == own and not happened and first < NEVER):
                own, happened = first, True
        else:
            last = p.off if strategy == "while_on_treatment" else p.quit
            changes = (None if last is None else last + self._test.window, p.crossed)
            first = min((t for t in changes if t is not None), default=NEVER)
            if first < own:
                own, happened = first, False
        return (own, happened) if own <= until else (until, False)

    def _read(self, p: Patient) -> tuple[int, float]:
        """Return when an outcome is known, NEVER where it is not, and its value, as the strategy has it."""
        e, strategy = self._test.endpoint, self._test.strategy
        own = (p.readout.get(e, NEVER), p.outcome[e])
        if strategy in ("treatment_policy", "principal_stratum"):
            return own
        quit_ = None if p.quit is None else p.quit + self._test.window
        changes = (quit_, p.died) if strategy == "composite" else (quit_, p.crossed, p.died)
        first = min((t for t in changes if t is not None), default=NEVER)
        if first >= p.entry + self._law.readout_ticks:
            return own
        return (first, float(self._test.lower_is_better)) if strategy == "composite" else (NEVER, 0.0)

    def risk_tables(self) -> RiskTables:
        """Return the numbers at risk (survival endpoints)."""
        return self._counted(list(self._groups()))

    def risk_tables_by_stratum(self) -> Iterator[RiskTables]:
        """Yield the numbers at risk of each stratum that somebody is in."""
        yield from (self._counted([group]) for group in self._groups())

    def _groups(self) -> Iterator[list[Patient]]:
        """Yield the patients who are known of, stratum by stratum."""
        until = self._tick - self._law.readout_ticks
        known = [(self._trial.stratum(i, self._test), p) for i, p in self._pair() if p.entry <= until]
        for stratum in sorted({stratum for stratum, _ in known}):
            yield [p for s, p in known if s == stratum]

    def _counted(self, groups: list[list[Patient]]) -> RiskTables:
        """Return the numbers at risk in groups of patients, one group after the other."""
        test = self._test
        until = self._tick - self._law.readout_ticks
        rows: list[tuple[int, int, int, int]] = []
        for group in groups:
            ends = [self._end(p, until) for p in group]
            had = np.array([event for _, event in ends], dtype=bool)
            stops = [stop for stop, _ in ends]
            followed = np.array(
                [min(stop, until) - p.entry for stop, p in zip(stops, group, strict=True)], dtype=np.int64
            )
            treated = np.array([p.arm == test.treatment for p in group], dtype=bool)
            for time in np.unique(followed[had]):
                at_risk, now = followed >= time, had & (followed == time)
                rows.append(
                    (
                        int(at_risk.sum()),
                        int((at_risk & treated).sum()),
                        int(now.sum()),
                        int((now & treated).sum()),
                    )
                )
        table = np.array(rows, dtype=np.int32).reshape(-1, 4)
        columns = [np.ascontiguousarray(table[:, c]) for c in range(4)]
        return RiskTables(np.array([0, len(rows)]), *columns)

    def moments(self) -> Moments:
        """Return the read-outs' moments (binary and continuous endpoints)."""
        seen = [(p, *self._read(p)) for _, p in self._pair()]
        seen = [(p, tick, value) for p, tick, value in seen if self._since < tick <= self._tick]
        found = []
        for arm in (self._test.control, self._test.treatment):
            values = np.array([value for p, _, value in seen if p.arm == arm], dtype=np.float64)
            if self._law.kind == "binary":
                mean, squares = binary_moments(len(values), int(values.sum()))
            else:
                mean, squares = mean_and_squares(values, len(values))
            found.append((len(values), mean, squares))
        n, mean, squares = zip(*found, strict=True)
        return Moments(np.array([n]), np.array([mean], dtype=float), np.array([squares], dtype=float))

    def every_arm(self) -> ArmTotals:
        """Return the read-outs of every arm of the design, the compared ones or not (binary and continuous endpoints)."""
        plan = self._trial.plan
        point = Point("look", np.array([0]), np.array([0]), np.array([self._tick]))
        n, total, _ = self._trial.seen(point, self._test.endpoint)
        return ArmTotals(n, total, self._test.treatment, plan.n)

    def _known(self) -> list[tuple[int, Patient, float, bool]]:
        """Return number, patient, days of follow-up or read-out, and event of those followed, or of those read out."""
        until = self._tick - self._law.readout_ticks
        found: list[tuple[int, Patient, float, bool]] = []
        for i, p in self._pair():
            if self._law.kind != "survival":
                tick, outcome = self._read(p)
                if self._since < tick <= self._tick:
                    found.append((i, p, outcome, False))
            elif p.entry <= until:
                stop, happened = self._end(p, until)
                found.append((i, p, (min(stop, until) - p.entry) / TICKS_PER_DAY, happened))
        return found

    def taken(self) -> list[Taken]:
        """Return how the test takes each of those patients, in order of entry."""
        e, report = self._test.endpoint, self._law.readout_ticks
        found = []
        for i, p, _, happened in self._known():
            if self._law.kind == "survival":
                own = p.had(e, self._tick - report) and self._end(p, self._tick - report)[0] == p.event[e]
                by_strategy = happened and not own
            else:
                by_strategy = self._read(p)[0] != p.readout.get(e)
            found.append(Taken(i, happened, by_strategy, p.awaits(e, self._tick, report)))
        return found

    def patients(self) -> PatientRows:
        """Return the patients one by one (any endpoint): those followed, or those read out."""
        test, plan = self._test, self._trial.plan
        found = self._known()
        strata = [self._trial.stratum(i, test) for i, _, _, _ in found]
        records = np.array([p.record for _, p, _, _ in found]).reshape(
            len(found), len(plan.world.source.columns)
        )
        return PatientRows(
            np.array([0, len(found)]),
            np.array([p.arm == test.treatment for _, p, _, _ in found], dtype=np.int8),
            np.array(strata, dtype=np.int64),
            np.array([value for _, _, value, _ in found], dtype=np.float64),
            np.array([event for _, _, _, event in found], dtype=np.int8),
            plan.adjustment(test).of(records),
            self._still_followed([p for _, p, _, _ in found]),
        )

    def _still_followed(self, people: list[Patient]) -> NDArray[np.int8] | None:
        """Return of whom follow-up goes on at the cut: no event is known, and they have not left."""
        if self._law.kind != "survival" or self._test.strategy != "treatment_policy":
            return None
        e, until = self._test.endpoint, self._tick - self._law.readout_ticks
        return np.array(
            [not p.had(e, until) and p.stays_until(e, until + 1) > until for p in people], dtype=np.int8
        )

    def allocations(self) -> AllocationRows:
        """Return how those patients were allocated."""
        found = [p for _, p, _, _ in self._known()]
        return AllocationRows(
            np.array([p.period for p in found], dtype=np.int64),
            np.array([p.chance for p in found], dtype=float),
        )

    def redrawn(self, draws: int) -> Iterator[NDArray[np.int8]]:
        """Yield whether those patients would be on treatment in other allocations, ``[draw, row]``."""
        trial, rows = self._trial, np.array([i for i, *_ in self._known()], dtype=np.int64)
        everybody = trial.patients[: rows[-1] + 1] if len(rows) else []
        keys = np.array([p.key for p in everybody], dtype=np.int64)
        levels = np.array([trial.counted_levels(p) for p in everybody], dtype=np.int64).reshape(
            len(keys), -1 if len(keys) else 1
        )
        if trial.plan.randomisation.adaptive:
            e = trial.plan.response_endpoint
            yield redrawn_adaptively(
                trial.plan, self._test, trial.replicate, keys, levels, rows, draws,
                np.array([p.entry for p in everybody], dtype=np.int64),
                np.array([p.readout.get(e, NEVER) for p in everybody], dtype=np.int64),
                np.array([p.outcome[e] for p in everybody], dtype=np.float64),
                trial.asked,
            )  # fmt: skip
            return
        arms = np.array([p.arm for p in everybody], dtype=np.int64)
        yield redrawn_arms(trial.plan, self._test, trial.replicate, keys, levels, rows, draws, arms)
