"""What became of a patient from randomisation on, in sentences: outcomes, treatment, visits and adverse events."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from trialsim.contracts import Kind, LogRow
from trialsim.engines.life import HELD_LATE, WAS_MISSED
from trialsim.report.numbers import plain
from trialsim.report.story_lives import KINDS, level_name
from trialsim.report.story_missing import never_read_out
from trialsim.report.story_people import people_about
from trialsim.report.story_replay import Replay
from trialsim.report.story_words import count, listed, outcome, when
from trialsim.timegrid import TICKS_PER_DAY

_OF_PATIENTS = KINDS | {Kind.EVENT, Kind.READOUT, Kind.DROPOUT}
_BELONG = (Kind.SERIOUS, Kind.RESOLVES, Kind.REDUCED, Kind.INTERRUPTED)


@dataclass
class AdverseEvent:
    """One adverse event with what follows from it at once."""

    began: LogRow
    rows: dict[Kind, LogRow] = field(default_factory=dict)


def patient_sentences(replay: Replay, patient: int) -> list[str]:
    """Return what became of a patient, numbered from 0, after randomisation."""
    course, plan = replay.courses[patient], replay.plan
    name = f"Patient {patient + 1} on {plan.arms[course.arm]}"
    rows = [row for row in replay.log if row.id == patient and row.kind in _OF_PATIENTS]
    events, others = _sorted_out(replay, rows)
    parts = [part for part in (_clause(replay, row) for row in others) if part]
    if not parts:
        parts = [f"had none of the outcomes before the trial ended on {when(replay.end)}"]
    sentences = [f"{name} {listed(parts)}.", *_visits(others), *people_about(replay, patient)]
    sentences += never_read_out(replay, patient)
    life = plan.world.life
    if life is not None and life.terms:
        ends = (course.lost, course.died, course.ended, replay.end)
        until = min(end for end in ends if end is not None)
        told = [_adverse_event(replay, event, until) for event in events]
        sentences.append(f"Adverse events: {'; '.join(told)}." if told else "There was no adverse event.")
    return sentences


def _sorted_out(replay: Replay, rows: Sequence[LogRow]) -> tuple[list[AdverseEvent], list[LogRow]]:
    """Return adverse events with what follows from each at once, and the other rows."""
    life = replay.plan.world.life
    events: list[AdverseEvent] = []
    others: list[LogRow] = []
    following = False
    for row in rows:
        if row.kind == Kind.ADVERSE_EVENT:
            events.append(AdverseEvent(row))
            following = True
            continue
        last = events[-1].began if events else None
        belongs = following and last is not None and row.tick == last.tick
        if belongs and last is not None and life is not None:
            of_the_term = row.kind in _BELONG and row.part == last.part
            ends = row.kind == Kind.DISCONTINUED and row.part == life.numbers.treatment.reason_of_action
            dies = row.kind == Kind.DEATH and row.part == 1 + last.part
            if of_the_term or ends or dies:
                events[-1].rows[row.kind] = row
                continue
        # A fatal one is followed by the event of death before the death itself.
        following = belongs and row.kind == Kind.EVENT
        others.append(row)
    return events, others


def _adverse_event(replay: Replay, event: AdverseEvent, until: int) -> str:
    """Return an adverse event in words: start, term, severity, seriousness, length, and what was done about it.

    Nobody has seen how long an event lasts that goes on when the patient is no longer followed, from ``until`` on.
    """
    life, rows = replay.plan.world.life, event.rows
    assert life is not None
    term = life.terms[event.began.part].replace("_", " ")
    text = f"{level_name(life, int(event.began.value))} {term} on {when(event.began.tick)}"
    if Kind.SERIOUS in rows:
        text += ", serious"
    if Kind.RESOLVES in rows:
        days = rows[Kind.RESOLVES].value
        resolved = event.began.tick + days * TICKS_PER_DAY <= until
        text += f", for {plain(days, 1)} days" if resolved else ", not resolved by the end of follow-up"
    if Kind.INTERRUPTED in rows:
        text += f", no doses for {plain(rows[Kind.INTERRUPTED].value, 1)} days"
    if Kind.REDUCED in rows:
        text += f", dose reduced to level {round(rows[Kind.REDUCED].value) + 1}"
    if Kind.DISCONTINUED in rows:
        text += ", treatment discontinued"
    if Kind.DEATH in rows:
        text += ", fatal"
    return text


def _clause(replay: Replay, row: LogRow) -> str | None:
    """Return what a row says of a patient, None where it is told elsewhere."""
    plan, on = replay.plan, f"on {when(row.tick)}"
    match row.kind:
        case Kind.EVENT:
            return f"had an event of {plan.world.outcomes[row.part].name} {on}"
        case Kind.READOUT:
            law = plan.world.outcomes[row.part]
            if law.kind == "survival":
                return f"had that of {law.name} reported {on}"
            return f"had {law.name} read out as {outcome(row.value)} {on}"
        case Kind.DROPOUT:
            return f"withdrew consent {on}" if row.part else f"was lost to follow-up {on}"
        case Kind.ONSET:
            return f"had an event of {plan.world.outcomes[row.part].name} {on} that nobody saw yet"
        case Kind.ADJUDICATED:
            found = "confirmed" if row.value else "not confirmed"
            return f"had that of {plan.world.outcomes[row.part].name} {found} {on}"
        case Kind.REDUCED:
            return f"had the dose reduced to level {round(row.value) + 1} at the visit {on}"
        case Kind.DISCONTINUED:
            assert plan.world.life is not None
            return f"discontinued treatment ({plan.world.life.reasons[row.part].replace('_', ' ')}) {on}"
        case Kind.TREATMENT_ENDED:
            return f"had the last dose {on}"
        case Kind.RESUMED:
            return f"had doses again {on}"
        case Kind.RESCUE:
            return f"began rescue treatment {on}"
        case Kind.CROSSOVER:
            return f"crossed over to {plan.arms[int(row.value)]} {on}"
        case Kind.DEATH:
            assert plan.world.life is not None
            cause = "the disease" if row.part == 0 else plan.world.life.terms[row.part - 1].replace("_", " ")
            return f"died of {cause} {on}"
    return None


def _visits(rows: Sequence[LogRow]) -> list[str]:
    """Return how many visits were held, late or missed; nothing where there are none."""
    visits = [row for row in rows if row.kind == Kind.VISIT]
    if not visits:
        return []
    late = sum(row.part == HELD_LATE for row in visits)
    missed = sum(row.part == WAS_MISSED for row in visits)
    held = count(len(visits) - missed, "visit")
    text = f"There {'was' if len(visits) - missed == 1 else 'were'} {held}"
    if late:
        text += f", {late} of them late" if len(visits) - missed > 1 else ", a late one"
    return [f"{text}; {missed} {'was' if missed == 1 else 'were'} missed." if missed else f"{text}."]
