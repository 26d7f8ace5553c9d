"""What has become of patients by a time, counted: which columns there are, in both engines and in the records."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trialsim.contracts import Ints, Kind
from trialsim.engines.life import LifeLaw
from trialsim.timegrid import DAYS_PER_YEAR, TICKS_PER_DAY


@dataclass(frozen=True)
class LifeTally:
    """Counts by arm.

    Parameters
    ----------
    counts
        By column of :class:`TallyColumns`, ``[replicate, arm, column]``.
    persons
        Patients with an adverse event, and with a serious one, ``[replicate, arm, 2]``.
    exposure
        Ticks of follow-up, on treatment, and at risk of each term, ``[replicate, arm, 2 + term]``.
    """

    counts: Ints
    persons: Ints
    exposure: Ints


@dataclass(frozen=True)
class TallyColumns:
    """Which rows of a log are counted where.

    Parameters
    ----------
    base
        Column at which a kind's rows begin, -1 for one that is not counted, ``[kind]``.
    width
        Columns of each part of a kind: one for every value from 1; 0 where the part does not matter, ``[kind]``.
    names
        Of the columns.
    """

    base: Ints
    width: Ints
    names: tuple[str, ...]


def tally_columns(life: LifeLaw) -> TallyColumns:
    """Return what is counted of a scenario's patients."""
    terms, levels = life.terms, [f"grade_{level}" if level.isdigit() else level for level in life.levels]
    base, width = np.full(64, -1, dtype=np.int64), np.ones(64, dtype=np.int64)
    names: list[str] = []

    def take(kind: Kind, columns: list[str], each: int = 1) -> None:
        base[kind], width[kind] = len(names), each
        names.extend(columns)

    graded = [f"{term}:{level}" for term in terms for level in levels]
    if terms:
        take(Kind.ADVERSE_EVENT, [f"adverse_events:{name}" for name in graded], len(levels))
        take(Kind.SERIOUS, [f"serious:{name}" for name in graded], len(levels))
        take(Kind.REDUCED, ["dose_reductions"], 0)
        take(Kind.INTERRUPTED, ["dose_interruptions"], 0)
    if life.reasons:
        take(Kind.DISCONTINUED, [f"discontinued:{reason}" for reason in life.reasons])
    take(Kind.TREATMENT_ENDED, ["treatment_ended"], 0)
    if life.numbers.survival.terminal >= 0:
        take(Kind.DEATH, ["deaths:disease", *(f"deaths:{term}" for term in terms)])
    take(Kind.DROPOUT, ["losses", "withdrawals"])
    if life.numbers.treatment.rescue[0] > 0.0:
        take(Kind.RESCUE, ["rescues"], 0)
    if life.numbers.treatment.crossover_on > -2:
        take(Kind.CROSSOVER, ["crossovers"], 0)
    if len(life.numbers.visiting.visits):
        take(Kind.VISIT, ["visits_on_time", "visits_missed", "visits_late"])
    return TallyColumns(base, width, tuple(names))


def life_columns(life: LifeLaw, tally: LifeTally) -> dict[str, NDArray[Any]]:
    """Return a tally as columns of the table of arms, in order of replicate and arm; time in patient-years.

    There is no column of losses, or of withdrawals, where the scenario has none.
    """
    columns: dict[str, NDArray[Any]] = {}
    exposures = ("patient_years", "treatment_years", *(f"risk_years:{term}" for term in life.terms))
    for place, name in enumerate(exposures):
        columns[name] = tally.exposure[:, :, place].ravel() / (TICKS_PER_DAY * DAYS_PER_YEAR)
    if life.terms:
        for place, name in enumerate(("patients_with_adverse_event", "patients_with_serious")):
            columns[name] = tally.persons[:, :, place].ravel().astype(np.int32)
    loss = len(life.numbers.survival.endpoints)
    leaving = zip(("losses", "withdrawals"), life.numbers.clock.present[loss : loss + 2], strict=True)
    absent = {name for name, present in leaving if not present}
    for place, name in enumerate(tally_columns(life).names):
        if name in absent:
            continue
        columns[name] = tally.counts[:, :, place].ravel().astype(np.int32)
    return columns
