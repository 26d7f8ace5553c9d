"""The words of a story: times, counts, what a look waits for, and each entry of the event log."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from trialsim.contracts import Kind, LogRow, Status, Stop
from trialsim.engines.life import WITHDRAWAL_PART
from trialsim.engines.plan import Trigger
from trialsim.engines.records import STOP_REASONS
from trialsim.report.numbers import DAYS_PER_MONTH, plain
from trialsim.report.story_candidates import (
    RECRUITMENT_COLUMNS,
    of_patient,
    of_recruitment,
    recruitment_clause,
)
from trialsim.report.story_lives import KINDS, life_clause, life_names
from trialsim.report.story_replay import Replay
from trialsim.timegrid import TICKS_PER_DAY, to_days

_FAILED = -1000.0

EVENT_COLUMNS = (
    "time", "tick", "kind", "patient", "arm", "look", "review", "endpoint", "hypothesis", "reason", "status",
    "value", "term", "severity",
)  # fmt: skip


def event_columns(replay: Replay) -> tuple[str, ...]:
    """Return what is said of each entry of an event log; with sites also of recruitment."""
    return (*EVENT_COLUMNS, *RECRUITMENT_COLUMNS) if replay.with_sites else EVENT_COLUMNS


def when(tick: int) -> str:
    """Return a time in days and months since the start of accrual."""
    days = to_days(tick)
    return f"day {plain(days, 1)} (month {plain(days / DAYS_PER_MONTH, 1)})"


def count(number: int, noun: str) -> str:
    """Return a number with its noun, in the plural where due."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def listed(words: Sequence[str], last: str = "and") -> str:
    """Return words as people list them."""
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} {last} {words[-1]}"


def by_arm(replay: Replay, numbers: Sequence[int]) -> str:
    """Return counts by arm in parentheses."""
    return (
        f"({listed([f'{number:,} on {arm}' for number, arm in zip(numbers, replay.plan.arms, strict=True)])})"
    )


def counted(replay: Replay, endpoint: int) -> str:
    """Return what is counted of an endpoint: its events or its readouts."""
    law = replay.plan.world.outcomes[endpoint]
    return f"event{{}} of {law.name}" if law.kind == "survival" else f"readout{{}} of {law.name}"


def counted_as(replay: Replay, endpoint: int, number: int) -> str:
    """Return a number of events or readouts."""
    return f"{number:,} {counted(replay, endpoint).format('' if number == 1 else 's')}"


def waits_for(replay: Replay, trigger: Trigger, further: int = 0) -> str:
    """Return what a look waits for; ``further`` read-outs or events are added to those first planned."""
    if trigger.kind in ("all", "any"):
        word = "and" if trigger.kind == "all" else "or"
        parts = [waits_for(replay, child, further) for child in trigger.children]
        return listed([f"({part})" if " or " in part else part for part in parts], word)
    if trigger.kind == "calendar":
        return when(trigger.ticks)
    if trigger.kind == "gap":
        return f"{plain(to_days(trigger.ticks), 1)} days after the previous cut"
    if trigger.kind == "enrolled":
        return f"{count(trigger.count, 'patient')} randomised"
    if trigger.kind == "stages":
        ends = replay.plan.stage_ends
        assert ends is not None and ends.events is not None
        awaited = (*ends.events[:-1], ends.events[-1] + further)
        parts = [f"{number:,} of stage {stage + 1}" for stage, number in enumerate(awaited)]
        return f"the ends of the stages ({listed(parts)})"
    arms = "" if trigger.arms is None else f" on {listed([replay.plan.arms[arm] for arm in trigger.arms])}"
    each = {None: "", "each": " in each open arm", "together": " in the open arms"}[trigger.open_arms]
    return counted_as(replay, trigger.endpoint, trigger.count + further) + each + arms


def named(replay: Replay, row: LogRow) -> dict[str, Any]:
    """Return an entry of the event log with names for indices and None for what does not apply.

    ``value`` is an outcome, a z statistic, an allocation weight or probability, a number of patients or events, days, the
    number of a visit, or a candidate's score.
    """
    plan, kind = replay.plan, row.kind
    found: dict[str, Any] = dict.fromkeys(event_columns(replay))
    found.update(time=row.tick / TICKS_PER_DAY, tick=row.tick, kind=kind.name.lower())
    if kind in KINDS or kind in (Kind.RANDOMISATION, Kind.CHANCE, Kind.EVENT, Kind.READOUT, Kind.DROPOUT):
        found.update(patient=row.id + 1, arm=plan.arms[replay.courses[row.id].arm])
    if kind in KINDS:
        found.update(life_names(plan, row))
    if kind == Kind.DROPOUT and row.part == WITHDRAWAL_PART:
        found["reason"] = "withdrawal"
    if kind in (Kind.EVENT, Kind.READOUT):
        found["endpoint"] = plan.world.outcomes[row.part].name
    if kind in (Kind.READOUT, Kind.WEIGHT, Kind.CHANCE, Kind.ENROLMENT_CLOSED, Kind.RESIZED, Kind.REVIEW):
        found["value"] = row.value
    if kind in (Kind.LOOK, Kind.DECISION, Kind.RESIZED):
        found["look"] = row.id + 1
    if kind == Kind.LOOK:
        status = Status.OK if row.value > _FAILED else Status(round(_FAILED - row.value))
        found.update(hypothesis=plan.tests[row.part].name, status=status.name.lower())
        found["value"] = row.value if status == Status.OK else None
    if kind == Kind.RESIZED and row.part:
        found["reason"] = "reopened"
    if kind == Kind.RESIZED and plan.resizing is not None and plan.resizing.by_events:
        found["reason"] = "events"
    if kind in (Kind.DECISION, Kind.END):
        found["reason"] = STOP_REASONS[Stop(int(row.value))]
    if kind == Kind.END and replay.stop_look:
        found["look"] = replay.stop_look
    if kind == Kind.REVIEW:
        found["review"] = row.id + 1
    if kind in (Kind.ARM_CLOSED, Kind.WEIGHT):
        found["arm"] = plan.arms[row.id]
    if kind in (Kind.REJECTED, Kind.FUTILE):
        found["hypothesis"] = plan.tests[row.id].name
    if replay.with_sites:
        found.update(of_recruitment(replay, row))
        if found["patient"] is not None:
            found.update(of_patient(replay, found["patient"]))
        if kind == Kind.RANDOMISATION:
            found["attempt"] = replay.attempt_at(replay.courses[row.id].key, row.tick)
    return found


def happening(entry: dict[str, Any]) -> str:
    """Return a clause that says what an entry of the event log, as :func:`named` gives it, records."""
    kind, value = entry["kind"], entry["value"]
    if (clause := recruitment_clause(entry)) is not None:
        return clause
    who = f"patient {entry['patient']} on {entry['arm']}"
    clauses = {
        "randomisation": f"patient {entry['patient']} was randomised to {entry['arm']}",
        "event": f"{who} had an event of {entry['endpoint']}",
        "dropout": f"{who} {'withdrew consent' if entry['reason'] == 'withdrawal' else 'was lost to follow-up'}",
        "review": f"review {entry['review']} was held",
        "decision": f"the decision at look {entry['look']} was {_decided(entry['reason'])}",
        "end": f"the trial ended {because(entry['reason'])}",
        "arm_closed": f"{entry['arm']} was closed to allocation",
        "rejected": f"{entry['hypothesis']} was rejected",
        "futile": f"{entry['hypothesis']} was given up",
    }
    if kind == "readout":
        return f"{entry['endpoint']} of {who} was read out as {outcome(value)}"
    if kind == "enrolment_closed":
        return f"enrolment closed with {count(round(value), 'patient')}"
    if kind == "resized" and entry["reason"] == "events":
        return f"the number of events became {round(value):,}"
    if kind == "resized":
        reopened = ", and enrolment opened again" if entry["reason"] else ""
        return f"the size became {count(round(value), 'patient')}{reopened}"
    if kind == "chance":
        return f"{who} had a probability of {plain(value, 3)} of {entry['arm']}"
    if kind == "weight":
        return f"{entry['arm']} got the allocation weight {plain(value, 3)}"
    if kind == "look":
        found = "no estimate" if value is None else f"z = {plain(value, 3)}"
        return f"look {entry['look']} gave {found} for {entry['hypothesis']}"
    return life_clause(entry) or clauses[kind]


def outcome(value: float) -> str:
    """Return an outcome with no more digits than a table needs."""
    return plain(value, 0) if float(value).is_integer() else plain(value, 2)


def because(reason: str) -> str:
    """Return why a trial ended."""
    return {
        "efficacy": "for efficacy",
        "futility": "for futility",
        "final": "at its final look, with nothing rejected",
        "horizon": "because its time was over",
        "policy": "by its stopping policy",
        "superiority": "for the superiority of one arm",
        "equivalence": "for the equivalence of its arms",
        "safety": "for safety",
        "no_analysis": "because an analysis could not be had on which to decide",
    }.get(reason, f"({reason})")


def _decided(reason: str) -> str:
    """Return what a decision was."""
    return "to go on" if reason == "continue" else f"to stop {because(reason)}"


def against_bounds(z: float, efficacy: float, futility: float) -> str:
    """Return where a z statistic stands between its bounds."""
    parts = []
    if math.isfinite(efficacy):
        side = "at or above" if z >= efficacy else "below"
        parts.append(f"{side} the efficacy bound {plain(efficacy, 3)}")
    if math.isfinite(futility):
        side = "at or below" if z <= futility else "above"
        parts.append(f"{side} the futility bound {plain(futility, 3)}")
    return " and ".join(parts) if parts else "with no bound at this look"
