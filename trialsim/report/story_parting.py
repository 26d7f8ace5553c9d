"""The same patients under two designs: where the two trials part, and how each went."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from trialsim.contracts import Kind
from trialsim.engines.records import STOP_REASONS
from trialsim.report.numbers import DAYS_PER_MONTH, plain
from trialsim.report.story_replay import Replay
from trialsim.report.story_words import because, happening, named, when

Entry = dict[str, Any]

_WATCHING = ("look", "review", "decision", "rejected", "futile", "chance")
"""Entries that say that somebody looked or concluded: by themselves they change nothing for the patients."""


_RECRUITMENT = (
    ("first_patient_in", "days"),
    ("enrolment_end_time", "days"),
    ("candidates", "candidates"),
    ("consented", "candidates"),
    ("screened", "screenings"),
    ("screen_failures", "screenings"),
    ("rescreened", "candidates"),
    ("sites_opened", "sites"),
)


@dataclass(frozen=True)
class Split:
    """Where two event logs first differ: how many entries are equal, and the next of each (None: no more)."""

    equal: int
    first: Entry | None
    second: Entry | None

    @property
    def tick(self) -> int:
        """When the earlier of the two differing entries happened."""
        return min(int(entry["tick"]) for entry in (self.first, self.second) if entry is not None)


@dataclass(frozen=True)
class Row:
    """One line of the side-by-side summary; times in days."""

    measure: str
    unit: str
    first: float | int | str | bool | None
    second: float | int | str | bool | None


@dataclass(frozen=True)
class Parting:
    """How the same patients fared under two designs.

    Parameters
    ----------
    sentences
        In words.
    log
        Where the logs first differ, or None.
    patients
        Where they first differ in what happened to patients, arms or the trial as a whole, or None.
    summary
        Side by side.
    """

    sentences: tuple[str, ...]
    log: Split | None
    patients: Split | None
    summary: tuple[Row, ...]


def parting(first: Replay, second: Replay) -> Parting:
    """Return where two replays part, and what came of each.

    Parameters
    ----------
    first, second
        The same replicate, seed and truth under two designs.
    """
    both = (first, second)
    # Probabilities are logged where allocation adapts: a log that has none is no other log for that.
    told = all(replay.plan.randomisation.adaptive for replay in both)
    logs = [[named(replay, row) for row in replay.log if told or row.kind != Kind.CHANCE] for replay in both]
    log = _split(*logs)
    courses = [[entry for entry in entries if entry["kind"] not in _WATCHING] for entries in logs]
    patients = _split(*courses)
    names = (first.plan.design, second.plan.design)
    sentences = []
    if log is None:
        sentences.append(f"{names[0]} and {names[1]} have the same event log, entry by entry.")
    else:
        equal = "entry" if log.equal == 1 else f"{log.equal:,} entries"
        alike = f"agree in their first {equal}" if log.equal else "differ from the first entry on"
        sentences.append(f"The two logs {alike}. {_difference(log, names)}")
        if patients is None:
            sentences.append("What happened to patients is the same under both to the end.")
        elif patients.tick != log.tick:
            sentences.append(f"For the patients nothing differed before {when(patients.tick)}.")
            sentences.append(_difference(patients, names))
        if log.equal == 0 and first.plan.n != second.plan.n:
            sentences.append(
                f"Entry times may differ because {first.plan.n:,} patients are planned under {names[0]} and "
                f"{second.plan.n:,} under {names[1]}."
            )
    return Parting(tuple(sentences), log, patients, _summary(first, second))


def _split(first: Sequence[Entry], second: Sequence[Entry]) -> Split | None:
    """Return where two logs first differ, or None."""
    equal = 0
    for a, b in zip(first, second, strict=False):
        if _regardless_of_look(a) != _regardless_of_look(b):
            break
        equal += 1
    if equal == len(first) == len(second):
        return None
    return Split(
        equal, first[equal] if equal < len(first) else None, second[equal] if equal < len(second) else None
    )


def _regardless_of_look(entry: Entry) -> Entry:
    """Return an entry; at the end without the number of the look, which is the design's own matter."""
    return entry if entry["kind"] != "end" else {**entry, "look": None}


def _difference(split: Split, names: tuple[str, str]) -> str:
    """Return what happened where two logs differ."""
    a, b = split.first, split.second
    entries = [(entry, name) for entry, name in zip((a, b), names, strict=True) if entry is not None]
    entries.sort(key=lambda pair: pair[0]["tick"])
    (entry, name), others = entries[0], entries[1:]
    if not others:
        return f"On {when(entry['tick'])} {_told(entry, name)}."
    other, other_name = others[0]
    if _ends(entry) and not _ends(other):
        return f"On {when(entry['tick'])} {_told(entry, name)} while {other_name} went on."
    if _ends(other) and other["tick"] == entry["tick"] and not _ends(entry):
        return f"On {when(entry['tick'])} {_told(other, other_name)} while {name} went on."
    same = all(entry.get(name) == other.get(name) for name in ("patient", "site", "candidate"))
    if entry["kind"] == other["kind"] == "randomisation" and same:
        return _otherwise_randomised(entry, name, other, other_name)
    if entry["tick"] == other["tick"]:
        return f"On {when(entry['tick'])}, {_told(entry, name)}; {_told(other, other_name)}."
    return (
        f"On {when(entry['tick'])}, {_told(entry, name)}; "
        f"under {other_name} the next thing was that {happening(other)}, on {when(other['tick'])}."
    )


def _otherwise_randomised(entry: Entry, name: str, other: Entry, other_name: str) -> str:
    """Return how one patient was randomised under two designs."""
    patient = f"patient {entry['patient']} was randomised"
    if entry["tick"] == other["tick"]:
        arms = f"to {entry['arm']} under {name} and to {other['arm']} under {other_name}"
        return f"On {when(entry['tick'])} {patient} {arms}."
    first, second = (
        f"on {when(each['tick'])} to {each['arm']} under {design}"
        for each, design in ((entry, name), (other, other_name))
    )
    return f"{patient[0].upper()}{patient[1:]} {first} and {second}."


def _ends(entry: Entry) -> bool:
    """Return whether an entry ends the trial."""
    return entry["kind"] == "end" or (entry["kind"] == "decision" and bool(entry["reason"] != "continue"))


def _told(entry: Entry, design: str) -> str:
    """Return what an entry says, and under which design."""
    if entry["look"] is not None and _ends(entry):
        return f"{design} stopped {because(entry['reason'])} at look {entry['look']}"
    if entry["kind"] == "end":
        return f"{design} ended {because(entry['reason'])}"
    return f"under {design} {happening(entry)}"


def _summary(first: Replay, second: Replay) -> tuple[Row, ...]:
    """Return both trials side by side: the columns of the records that tell them apart."""
    rows = []
    recruitment = _RECRUITMENT if first.with_sites else ()
    for name, unit in (
        ("decision_time", "days"),
        ("stop_reason", "word"),
        ("stop_look", "look"),
        ("cut_time", "days"),
        ("enrolled", "patients"),
        ("analysed", "patients"),
        ("pipeline", "patients"),
        ("overrun", "patients"),
        ("events", "events"),
        *recruitment,
    ):
        values = [_plain(replay.trial[name]) for replay in (first, second)]
        if name == "stop_reason":
            values = [STOP_REASONS[int(replay.trial[name])] for replay in (first, second)]
        rows.append(Row(name, unit, *values))
    for test in dict.fromkeys((*first.test_names, *second.test_names)):
        for name, unit in (
            ("reject", "yes or no"),
            ("reject_look", "look"),
            ("z", "z"),
            ("estimate", "effect"),
        ):
            values = [_plain(replay.trial.get(f"{name}:{test}")) for replay in (first, second)]
            rows.append(Row(f"{name}:{test}", unit, *values))
    return tuple(rows)


def _plain(value: Any) -> Any:
    """Return a value of the records as plain data; what is not a number is None."""
    found = value.item() if hasattr(value, "item") else value
    return None if isinstance(found, float) and found != found else found


def shown(row: Row, value: float | int | str | bool | None) -> str:
    """Return a value of the summary as people read it."""
    if value is None:
        return "–"
    if isinstance(value, (bool, str)):
        return {True: "yes", False: "no"}.get(value, str(value)) if isinstance(value, bool) else value
    if row.unit == "days":
        return f"{plain(value, 1)} (month {plain(value / DAYS_PER_MONTH, 1)})"
    if row.unit == "look":
        return str(value) if value else "–"
    return plain(value, 3 if row.unit in ("z", "effect") else 0)
