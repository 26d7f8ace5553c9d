"""The event log of one trial of the fast engine, rebuilt from its arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from trialsim.contracts import Kind, LogRow
from trialsim.engines.fast_site_log import add_candidates, add_released
from trialsim.timegrid import NEVER

if TYPE_CHECKING:
    from trialsim.engines.fast import FastChunk

Keyed = tuple[tuple[int, int, int, int, int], LogRow]


def event_log(chunk: FastChunk, row: int) -> list[LogRow]:
    """Return all that happened in one replicate up to its end, in order.

    Parameters
    ----------
    chunk
        A chunk that has ended.
    row
        Position of the replicate in it.
    """
    ends = chunk.ends()
    end = int(ends.tick[row])
    keyed: list[Keyed] = []

    def add(
        tick: int,
        kind: Kind,
        ident: int,
        part: int = 0,
        value: float = 0.0,
        cause: Kind | None = None,
        of: int = 0,
    ) -> None:
        row = LogRow(tick, kind, ident, part, value)
        if cause is None:
            keyed.append(((tick, int(kind), ident, part, 0), row))
        else:
            keyed.append(((tick, int(cause), of, 0, 1 + len(keyed)), row))

    recruitment = chunk.patients.recruitment
    entry, arm = _row(chunk.entry, row), _row(chunk.arm, row)
    dropout, complete = _row(chunk.dropout, row), _row(chunk.complete, row)
    for e in range(len(chunk.plan.world.outcomes)):
        chunk.outcome(e).make_known(chunk, np.array([row]), ends.tick[[row]])
    if chunk.lives is not None:
        keyed += [item for item in chunk.lives.log_rows(chunk, row) if item[1].tick <= end]
    chance = chunk.allocations(np.array([row]))[1][0] if chunk.plan.randomisation.adaptive else None
    for i in range(int(ends.enrolled[row])):
        add(int(entry[i]), Kind.RANDOMISATION, i, 0, float(arm[i]))
        if chance is not None:
            add(int(entry[i]), Kind.CHANCE, i, 0, float(chance[i]), Kind.RANDOMISATION, i)
        if recruitment is not None:
            add(int(entry[i]), Kind.CANDIDATE, i, 0, float(recruitment.keys[row, i]), Kind.RANDOMISATION, i)
        if chunk.lives is not None:
            continue
        lost = int(entry[i] + dropout[i])
        if dropout[i] < complete[i] and lost <= end:
            add(lost, Kind.DROPOUT, i, 0, float(arm[i]))
        for e in range(len(chunk.plan.world.outcomes)):
            for tick, kind, value in _outcome_rows(chunk, row, e, i, float(arm[i])):
                if tick <= end:
                    add(tick, kind, i, e, value)
    if chunk.plan.resizing is None:
        _add_sizes(chunk, row, int(ends.enrolled[row]), add)
    released = [] if recruitment is None else add_candidates(recruitment, row, end, add)
    _add_decisions(chunk, row, end, add)
    if chunk.plan.resizing is not None:
        _add_sizes(chunk, row, int(ends.enrolled[row]), add)
    add_released(released, add)
    add(end, Kind.END, 0, 0, float(ends.reason[row]))
    return [log_row for _, log_row in sorted(keyed, key=_order)]


def _order(item: Keyed) -> tuple[int, int, int, int, int]:
    """Return the key of a log row: tick, kind, id and part of its cause, then the order in which consequences follow."""
    return item[0]


def _row(array: Any, row: int) -> Any:
    """Return a replicate's row of a possibly shared array."""
    return array[row if len(array) > 1 else 0]


def _outcome_rows(
    chunk: FastChunk, row: int, endpoint: int, patient: int, arm: float
) -> list[tuple[int, Kind, float]]:
    """Return what the log says of one patient's outcome of one endpoint."""
    outcome = chunk.outcome(endpoint)
    if outcome.law.kind == "survival":
        at = int(outcome.event_at[row, patient])
        if at >= NEVER:
            return []
        rows = [(at, Kind.EVENT, arm)]
        if outcome.law.readout_ticks:
            rows.append((at + outcome.law.readout_ticks, Kind.READOUT, 1.0))
        return rows
    at = int(_row(outcome.readout_at, row)[patient])
    return [] if at >= NEVER else [(at, Kind.READOUT, float(outcome.value([row])[0, patient]))]


def _add_sizes(chunk: FastChunk, row: int, enrolled: int, add: Any) -> None:
    """Add when enrolment closed, and what changed the number of patients to enrol, or of events to wait for."""
    entry, target, closed = _row(chunk.entry, row), chunk.plan.n, False

    def close(by: int) -> None:
        """Add that enrolment closed with its last patient, if so many had come."""
        nonlocal closed
        if not closed and by >= target:
            closed, last = True, target - 1
            add(int(entry[last]), Kind.ENROLMENT_CLOSED, 0, 0, float(target), Kind.RANDOMISATION, last)

    for change in chunk.resized:
        for k in np.flatnonzero(change.rows == row):
            entered, cause = int(change.entered[k]), (Kind.DECISION, int(change.look[k]))
            if chunk.plan.resizing is not None and chunk.plan.resizing.by_events:
                add(int(change.tick[k]), Kind.RESIZED, cause[1], 0, float(change.target[k]), *cause)
                continue
            close(entered)
            target, reopens = int(change.target[k]), bool(change.reopens[k])
            add(int(change.tick[k]), Kind.RESIZED, cause[1], int(reopens), float(target), *cause)
            closed = closed and not reopens
            if change.closes[k]:
                add(int(change.tick[k]), Kind.ENROLMENT_CLOSED, 0, 0, float(entered), *cause)
                closed = True
    close(enrolled)


def _add_decisions(chunk: FastChunk, row: int, end: int, add: Any) -> None:
    """Add looks, reviews and what followed from them."""
    open_arms = np.ones(len(chunk.plan.arms), dtype=bool)
    entry = _row(chunk.entry, row)
    waiting: tuple[int, int, Any, int] | None = None

    def settle(now: int) -> None:
        """Add a decision that was taken by now."""
        nonlocal waiting, open_arms
        if waiting is None or waiting[0] > now:
            return
        tick, number, decision, k = waiting
        waiting = None
        stop = bool(decision.stop[k])
        add(tick, Kind.DECISION, number, 0, float(decision.reason[k]))
        for t in np.flatnonzero(decision.reject[k]):
            add(tick, Kind.REJECTED, int(t), 0, 0.0, Kind.DECISION, number)
        for t in np.flatnonzero(decision.futile[k]):
            add(tick, Kind.FUTILE, int(t), 0, 0.0, Kind.DECISION, number)
        if stop:
            return
        for a in np.flatnonzero(open_arms & ~decision.open_arms[k]):
            add(tick, Kind.ARM_CLOSED, int(a), 0, 0.0, Kind.DECISION, number)
        open_arms = open_arms & decision.open_arms[k]
        if decision.weights is not None and not np.isnan(decision.weights[k, 0]):
            for arm, weight in enumerate(decision.weights[k]):
                add(tick, Kind.WEIGHT, arm, 0, float(weight), Kind.DECISION, number)
        come = int(np.searchsorted(entry, tick, side="right"))
        if decision.close_enrolment is not None and decision.close_enrolment[k] and come < chunk.plan.n:
            add(tick, Kind.ENROLMENT_CLOSED, 0, 0, float(come), Kind.DECISION, number)

    for kind, record in chunk.history:
        place = np.flatnonzero(record[0] == row)
        if not len(place):
            continue
        k = int(place[0])
        if kind == "review":
            _, number, ticks, decision = record
            settle(int(ticks[k]) - 1)
            add(
                int(ticks[k]),
                Kind.REVIEW,
                int(number[k]),
                0,
                float(np.searchsorted(entry, ticks[k], side="right")),
            )
            if decision.weights is not None and not np.isnan(decision.weights[k, 0]):
                for a, weight in enumerate(decision.weights[k]):
                    add(int(ticks[k]), Kind.WEIGHT, a, 0, float(weight), Kind.REVIEW, int(number[k]))
            continue
        _, number, ticks, decided, decision, marks = record
        settle(int(ticks[k]))
        for part, value in enumerate(marks[k]):
            add(int(ticks[k]), Kind.LOOK, int(number[k]), part, float(value))
        waiting = (int(decided[k]), int(number[k]), decision, k)
    settle(end)
