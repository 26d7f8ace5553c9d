"""What a trial's event log says of each patient."""

from __future__ import annotations

from dataclasses import dataclass, field

from trialsim.contracts import Kind, LogRow
from trialsim.engines.life import WITHDRAWAL_PART, LifeLaw
from trialsim.engines.plan import Plan


@dataclass
class Course:
    """What the event log says of one patient, times in ticks.

    Parameters
    ----------
    entry
        Time of randomisation.
    arm
        Index of the arm.
    events
        Time of the event by survival endpoint.
    readouts
        Time and value of the readout by binary or continuous endpoint.
    lost
        Time of loss to follow-up or withdrawal, or None.
    withdrew
        Whether it was by withdrawal of consent.
    died
        Time of death, or None.
    quit
        Time of discontinuation of treatment, or None.
    adverse
        Time, term and severity of each adverse event.
    told_late
        Endpoints whose events take time to be told; of these ``reported`` and ``analysed`` say from when on an event counts
        for looks and for analyses, ``refused`` when it was not confirmed.
    closed
        End of an endpoint's own follow-up: the last visit.
    ended
        When the last endpoint ended, or None.
    key
        Where the patient's draws are found: the number as a candidate in a world with sites, otherwise the patient's own.
    """

    entry: int
    arm: int
    events: dict[int, int] = field(default_factory=dict)
    readouts: dict[int, tuple[int, float]] = field(default_factory=dict)
    lost: int | None = None
    key: int = 0
    withdrew: bool = False
    died: int | None = None
    quit: int | None = None
    adverse: list[tuple[int, int, int]] = field(default_factory=list)
    told_late: frozenset[int] = frozenset()
    reported: dict[int, int] = field(default_factory=dict)
    analysed: dict[int, int] = field(default_factory=dict)
    refused: dict[int, int] = field(default_factory=dict)
    closed: dict[int, int] = field(default_factory=dict)
    ended: int | None = None

    def had(self, endpoint: int, tick: int) -> bool:
        """Return whether an analysis takes an event of a survival endpoint by a time."""
        known = self.analysed if endpoint in self.told_late else self.events
        return endpoint in known and known[endpoint] <= tick

    def followed_until(self, endpoint: int, tick: int) -> int:
        """Return until when a patient is followed at a cut without an event that is known."""
        pending = endpoint in self.told_late and endpoint in self.events
        if pending and self.refused.get(endpoint, tick + 1) > tick:
            return tick
        ends = (tick, self.lost, self.died, self.ended, self.closed.get(endpoint))
        return min(end for end in ends if end is not None)


def courses_of(plan: Plan, log: tuple[LogRow, ...]) -> tuple[Course, ...]:
    """Return what the log says of each patient."""
    courses: list[Course] = []
    life = plan.world.life
    ends = () if life is None else tuple(int(e) for e in life.numbers.survival.endpoints)
    told_late = frozenset(e for c, e in enumerate(ends) if life is not None and life.reported(c))
    for row in log:
        if row.kind == Kind.RANDOMISATION:
            courses.append(Course(row.tick, int(row.value), key=len(courses), told_late=told_late))
        elif row.kind == Kind.CANDIDATE:
            courses[row.id].key = int(row.value)
        elif row.kind == Kind.EVENT:
            courses[row.id].events[row.part] = row.tick
            courses[row.id].closed.pop(row.part, None)
            if life is not None and row.part in told_late:
                c = ends.index(row.part)
                if life.numbers.survival.report_law[c, 0] < 0:
                    courses[row.id].reported[row.part] = row.tick
        elif row.kind == Kind.READOUT and plan.world.outcomes[row.part].kind != "survival":
            courses[row.id].readouts[row.part] = (row.tick, row.value)
            courses[row.id].closed.pop(row.part, None)
        elif row.kind == Kind.READOUT and life is not None and row.part in told_late:
            courses[row.id].reported[row.part] = row.tick
            if life.numbers.survival.verdict_law[ends.index(row.part), 0] < 0:
                courses[row.id].analysed[row.part] = row.tick
        elif row.kind == Kind.DROPOUT:
            courses[row.id].lost = row.tick
            courses[row.id].withdrew = row.part == WITHDRAWAL_PART
        elif life is not None:
            _live_on(life, courses[row.id] if row.id < len(courses) else None, row)
    for course in courses if life is not None else ():
        ended = course.events | course.closed | {e: tick for e, (tick, _) in course.readouts.items()}
        if len(ended) == len(plan.world.outcomes):
            course.ended = max(ended.values())
    return tuple(courses)


def _live_on(life: LifeLaw, course: Course | None, row: LogRow) -> None:
    """Note what else an entry of the log says of a patient."""
    if course is None:
        return
    numbers = life.numbers
    if row.kind == Kind.ADVERSE_EVENT:
        course.adverse.append((row.tick, row.part, int(row.value)))
    elif row.kind == Kind.DEATH:
        course.died = row.tick
    elif row.kind == Kind.DISCONTINUED:
        course.quit = row.tick
    elif row.kind == Kind.ADJUDICATED:
        (course.analysed if row.value else course.refused)[row.part] = row.tick
    elif row.kind == Kind.VISIT and int(row.value) == len(numbers.visiting.visits):
        survival, reading = numbers.survival, numbers.reading
        for e in (*survival.endpoints[survival.detected], *reading.readouts[reading.at_visit]):
            open_end = int(e) not in course.events or int(e) in course.told_late
            if open_end and int(e) not in course.readouts:
                course.closed[int(e)] = row.tick
