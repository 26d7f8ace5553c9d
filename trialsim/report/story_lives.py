"""What becomes of patients from randomisation on, in names and words, for stories."""

from __future__ import annotations

from typing import Any

from trialsim.contracts import Kind, LogRow
from trialsim.engines.life import LifeLaw
from trialsim.engines.plan import Plan
from trialsim.report.numbers import plain
from trialsim.scenario.rules_life import MONITORING

KINDS = frozenset(
    (
        Kind.ADVERSE_EVENT, Kind.VISIT, Kind.ONSET, Kind.SERIOUS, Kind.RESOLVES, Kind.DEATH, Kind.DISCONTINUED,
        Kind.REDUCED, Kind.INTERRUPTED, Kind.RESUMED, Kind.TREATMENT_ENDED, Kind.RESCUE, Kind.CROSSOVER,
        Kind.ADJUDICATED,
    )
)  # fmt: skip
"""Kinds of the event log that tell of patients' lives; all of them are about a patient."""

_OF_A_TERM = (Kind.ADVERSE_EVENT, Kind.SERIOUS, Kind.RESOLVES, Kind.REDUCED, Kind.INTERRUPTED)
_WITH_DAYS = (Kind.RESOLVES, Kind.INTERRUPTED)
_VISITS = ("on its day", "missed", "late")


def level_name(life: LifeLaw, level: int) -> str:
    """Return a level of severity, from 1, in words."""
    name = life.levels[level - 1]
    return f"grade {name}" if name.isdigit() else name


def life_names(plan: Plan, row: LogRow) -> dict[str, Any]:
    """Return what an entry of the event log says of a patient's life, with names for indices."""
    life = plan.world.life
    assert life is not None
    found: dict[str, Any] = {}
    if row.kind in _OF_A_TERM:
        # A dose that is lowered at a visit is lowered because of no single event.
        found["term"] = [*life.terms, MONITORING][row.part]
    if row.kind in (Kind.ADVERSE_EVENT, Kind.SERIOUS):
        found["severity"] = level_name(life, int(row.value))
    if row.kind in (Kind.ONSET, Kind.ADJUDICATED):
        found["endpoint"] = plan.world.outcomes[row.part].name
    if row.kind in _WITH_DAYS or row.kind in (Kind.REDUCED, Kind.VISIT):
        found["value"] = row.value
    if row.kind == Kind.ADJUDICATED:
        found["reason"] = "confirmed" if row.value else "not confirmed"
    if row.kind == Kind.DEATH:
        found["reason"] = "disease" if row.part == 0 else life.terms[row.part - 1]
    if row.kind == Kind.DISCONTINUED:
        found["reason"] = life.reasons[row.part]
    if row.kind == Kind.VISIT:
        found["reason"] = _VISITS[row.part]
    if row.kind == Kind.CROSSOVER:
        found["reason"] = plan.arms[int(row.value)]
    return found


def life_clause(entry: dict[str, Any]) -> str | None:
    """Return a clause that says what an entry about a patient's life records, None for an entry about something else."""
    who, value, reason = f"patient {entry['patient']} on {entry['arm']}", entry["value"], entry["reason"]
    match entry["kind"]:
        case "adverse_event":
            return f"{who} had {entry['term']}, {entry['severity']}"
        case "serious":
            return f"{entry['term']} of {who} was serious"
        case "resolves":
            return f"{entry['term']} of {who} was to last {plain(value, 1)} days"
        case "reduced":
            return f"the dose of {who} was reduced to level {round(value) + 1} because of {entry['term']}"
        case "interrupted":
            return f"{who} had no doses for {plain(value, 1)} days because of {entry['term']}"
        case "resumed":
            return f"{who} had doses again"
        case "discontinued":
            return f"{who} discontinued treatment ({reason.replace('_', ' ')})"
        case "treatment_ended":
            return f"{who} had the last dose as planned"
        case "rescue":
            return f"{who} began rescue treatment"
        case "crossover":
            return f"{who} crossed over to {reason}"
        case "death":
            return f"{who} died of {reason}"
        case "onset":
            return f"{who} had an event of {entry['endpoint']} that nobody saw yet"
        case "adjudicated":
            return f"the event of {entry['endpoint']} of {who} was {reason}"
        case "visit":
            return f"visit {round(value)} of {who} was {'held ' if reason != 'missed' else ''}{reason}"
    return None
