"""What has to be paid for in a trial of the reference engine: its log read as a bookkeeper reads a journal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from trialsim.contracts import Ints, Kind
from trialsim.engines.life import WAS_MISSED
from trialsim.engines.reference_cut import Patient
from trialsim.operations.costs import COLUMN, ITEMS, present_count, present_time

if TYPE_CHECKING:
    from trialsim.engines.reference import ReferenceTrial


def amounts_of(trial: ReferenceTrial) -> Ints:
    """Return what has to be paid for in a trial that has ended, ``[1, item]``."""
    costs = trial.plan.world.costs
    assert costs is not None
    discount, end = costs.discount, int(trial.rows[-1].tick)
    amounts = np.zeros((1, len(ITEMS)), dtype=np.int64)
    for price, tick in _things(trial):
        amounts[0, COLUMN[price]] += present_count(tick, discount)
    for price, begin, stop in _spans(trial, end):
        amounts[0, COLUMN[price]] += present_time(stop, discount) - present_time(begin, discount)
    return amounts


def _things(trial: ReferenceTrial) -> Iterator[tuple[str, int]]:
    """Yield each thing that is paid for once, and when."""
    screening = trial.plan.world.screening
    asks = screening is not None and screening.asks_for_consent
    for row in trial.rows:
        if row.kind == Kind.SITE:
            yield "site_activation", row.tick
        elif row.kind == Kind.ARRIVAL and row.part == 0:
            yield "prescreen", row.tick
        elif row.kind == Kind.DISPATCH and not asks:
            yield "screen", row.tick
        elif row.kind == Kind.SCREENING and row.part == 0:
            yield "consent", row.tick
            if row.value == 1.0:
                yield "screen", row.tick
        elif row.kind == Kind.RANDOMISATION:
            yield "patient", row.tick
        elif row.kind == Kind.VISIT and row.part != WAS_MISSED:
            yield "visit", row.tick
        elif row.kind == Kind.ADVERSE_EVENT:
            yield "adverse_event", row.tick
        elif row.kind == Kind.SERIOUS:
            yield "serious_adverse_event", row.tick
        elif row.kind == Kind.LOOK and row.part == 0:
            yield "look", row.tick


def _spans(trial: ReferenceTrial, end: int) -> Iterator[tuple[str, int, int]]:
    """Yield each span of time that is paid for by month: from when until when."""
    closed = {row.id: row.tick for row in trial.rows if row.kind == Kind.SITE_CLOSED}
    for row in trial.rows:
        if row.kind == Kind.SITE:
            yield "site_month", row.tick, closed.get(row.id, end)
    world = trial.plan.world
    for patient in trial.patients:
        left = patient.ended if world.life is not None else _left(patient, len(world.outcomes))
        yield "patient_month", patient.entry, end if left is None else left
    yield "trial_month", 0, end


def _left(patient: Patient, endpoints: int) -> int | None:
    """Return when a patient was lost or had given everything, None where neither has happened."""
    if patient.lost is not None:
        return patient.lost
    given = [*patient.event.values(), *patient.readout.values()]
    return max(given) if len(given) == endpoints else None
