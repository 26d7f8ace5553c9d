"""What has become of the patients of the reference engine by a time, counted the plain way."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from trialsim.analyses.bayesian.array_cut import ArrayCut
from trialsim.contracts import Ints, Kind, LogRow, TestPlan
from trialsim.engines.adverse_event_tests import cut_of_counts
from trialsim.engines.life import LifeLaw
from trialsim.engines.life_tally import LifeTally, tally_columns
from trialsim.engines.missing_records import REASONS, MissingOutcomes
from trialsim.timegrid import NEVER

if TYPE_CHECKING:
    from trialsim.engines.reference import ReferenceTrial
    from trialsim.engines.reference_cut import Patient


def tally_of(trial: ReferenceTrial, law: LifeLaw, tick: int) -> LifeTally:
    """Return what has become of the patients of a trial by a time, counted the plain way."""
    columns = tally_columns(law)
    arms = len(trial.plan.arms)
    counts = np.zeros((1, arms, len(columns.names)), dtype=np.int64)
    persons = np.zeros((1, arms, 2), dtype=np.int64)
    exposure = np.zeros((1, arms, 2 + len(law.terms)), dtype=np.int64)
    for p in trial.patients:
        if p.entry > tick:
            continue
        seen = [row for row in p.log if row.tick <= tick]
        for row in seen:
            if columns.base[row.kind] >= 0:
                counts[0, p.arm, _column(columns.base[row.kind], columns.width[row.kind], row)] += 1
        for place, kind in enumerate((Kind.ADVERSE_EVENT, Kind.SERIOUS)):
            persons[0, p.arm, place] += any(row.kind == kind for row in seen)
        stay = (tick if p.ended is None else min(tick, p.ended)) - p.entry
        dosed = NEVER if p.off is None else p.off - p.entry
        risks = [stay, min(stay, dosed), *(min(stay, dosed + int(w)) for w in law.numbers.term.window)]
        exposure[0, p.arm] += np.array(risks)
    return LifeTally(counts, persons, exposure)


def missing_of(trial: ReferenceTrial, tick: int) -> MissingOutcomes:
    """Return whose outcome of the primary endpoint is missing at a time, counted the plain way."""
    e, arms = trial.plan.primary, len(trial.plan.arms)
    law = trial.plan.world.outcomes[e]
    survival = law.kind == "survival"
    missing = np.zeros((1, arms, len(REASONS)), dtype=np.int64)
    due, due_missing = (np.zeros((1, arms), dtype=np.int64) for _ in range(2))
    for p in trial.patients:
        if p.entry > tick:
            continue
        why = p.without(e, tick, law.readout_ticks, survival)
        is_missing = why is not None and not _has_failed(trial, p, tick)
        if is_missing:
            missing[0, p.arm, why] += 1
        if survival or (p.entry + law.readout_ticks <= tick and not p.awaits(e, tick, law.readout_ticks)):
            due[0, p.arm] += 1
            due_missing[0, p.arm] += is_missing
    return MissingOutcomes(missing, due, due_missing)


def _has_failed(trial: ReferenceTrial, p: Patient, tick: int) -> bool:
    """Return whether the first test's composite strategy counts a patient without the outcome as a failure by a time."""
    test, life = trial.plan.tests[0], trial.plan.world.life
    if test.strategy != "composite" or life is None:
        return False
    law, survival = trial.plan.world.outcomes[test.endpoint], life.numbers.survival
    itself = survival.terminal >= 0 and survival.endpoints[survival.terminal] == test.endpoint
    until = tick if law.kind == "survival" else min(tick, p.entry + law.readout_ticks - 1)
    # Of death itself, what is told counts.
    return any(at is not None and at <= until for at in (p.quit, None if itself else p.died))


def adverse_events_known(trial: ReferenceTrial, tick: int, test: TestPlan) -> ArrayCut:
    """Return what is known of a test's adverse events at a cut, counted the plain way."""
    counted, law = test.adverse_events, trial.plan.world.life
    assert counted is not None
    assert law is not None
    rows: list[tuple[bool, int, int, int]] = []
    for p in trial.patients:
        if p.arm not in (test.treatment, test.control) or p.entry > tick:
            continue
        followed = (tick if p.ended is None else min(tick, p.ended)) - p.entry
        has_left = p.ended is not None and p.ended <= tick
        until = tick
        if counted.within is not None:
            if not has_left and followed < counted.within:
                continue
            until, followed = min(tick, p.entry + counted.within), min(followed, counted.within)
        kind = Kind.SERIOUS if counted.serious else Kind.ADVERSE_EVENT
        levels = [
            int(row.value)
            for row in p.log
            if row.kind == kind
            and row.tick <= until
            and row.part in counted.terms
            and row.value >= counted.least
        ]
        dosed = NEVER if p.off is None else p.off - p.entry
        risk = min(followed, dosed + max(int(law.numbers.term.window[term]) for term in counted.terms))
        rows.append((p.arm == test.treatment, len(levels), max(levels, default=0), risk))
    table = np.array(rows, dtype=np.int64).reshape(-1, 4)
    return cut_of_counts(test, np.array([0, len(rows)]), *table.T)


def _column(base: int, width: int, row: LogRow) -> int:
    """Return the column in which a row of the log is counted."""
    if width == 0:
        return int(base)
    return int(base) + row.part * int(width) + (int(row.value) - 1 if width > 1 else 0)


def adverse_events_by_period(trial: ReferenceTrial, law: LifeLaw, ends: Ints, cut: int) -> Ints:
    """Return adverse events, serious ones and ticks at risk by arm, term and period, ``[1, arm, term, period, 3]``."""
    found = np.zeros((1, len(trial.plan.arms), len(law.terms), len(ends), 3), dtype=np.int64)
    periods = list(zip([0, *(int(end) for end in ends[:-1])], [int(end) for end in ends], strict=True))
    for p in trial.patients:
        if p.entry > cut:
            continue
        mine = found[0, p.arm]
        stay = (cut if p.ended is None else min(cut, p.ended)) - p.entry
        off = NEVER if p.off is None else p.off - p.entry
        for number, (begin, end) in enumerate(periods):
            for place, kind in enumerate((Kind.ADVERSE_EVENT, Kind.SERIOUS)):
                for row in p.log:
                    if row.kind == kind and row.tick <= cut and begin < row.tick - p.entry <= end:
                        mine[row.part, number, place] += 1
            for term, window in enumerate(law.numbers.term.window):
                until = min(stay, off + int(window), end)
                mine[term, number, 2] += max(until - begin, 0)
    return found
