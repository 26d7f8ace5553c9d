"""What stopping and randomisation policies see at a look or review of either engine: nothing later than the cut."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import ndtr

from trialsim.contracts import (
    AllocationView,
    Bools,
    Floats,
    Ints,
    LookView,
    OutcomesSeen,
    PatientRows,
    Status,
    TestPlan,
)
from trialsim.engines.candidate_views import seed_for_policies
from trialsim.engines.points import Chunk, CutCounts, Point
from trialsim.stats.bayes.who_is_best import BestArms
from trialsim.timegrid import TICKS_PER_DAY

if TYPE_CHECKING:
    from trialsim.engines.conduct import LookRecord

_OK = int(Status.OK)


def look_view(
    chunk: Chunk,
    record: LookRecord,
    rejected: Bools,
    futile: Bools,
    best_arms: BestArms,
    true_benefits: Floats,
) -> LookView:
    """Return what a stopping policy sees."""
    plan, point = chunk.plan, record.point
    return LookView(
        replicate=chunk.replicates[point.rows],
        look=point.number,
        is_last=point.number == len(plan.looks) - 1,
        cut_days=point.tick / TICKS_PER_DAY,
        z=record.z,
        effect=record.effect,
        se=record.se,
        information=record.information,
        status=record.status,
        efficacy_z=record.efficacy_z,
        futility_z=record.futility_z,
        test_arms=plan.test_arms,
        rejected=rejected,
        futile=futile,
        open_arms=chunk.open_arms(point.rows),
        arm_enrolled=record.counts.enrolled,
        arm_events=record.counts.events,
        arm_readouts=record.counts.readouts,
        own_z=record.own_z,
        lost=record.lost,
        worth=record.worth,
        seen=_outcomes_seen(chunk, point) if getattr(plan.stopping, "sees_outcomes", False) else None,
        best_arms=best_arms,
        seed=seed_for_policies(plan.seed),
        error=record.error,
        chains=record.chains,
        beyond={
            (test, margin): _beyond(chunk, point, test, margin, record.status[:, test] == _OK)
            for test, margin in getattr(plan.stopping, "further_margins", ())
        },
        benefit=true_benefits,
    )


def _beyond(chunk: Chunk, point: Point, t: int, margin: float, usable: Bools) -> Floats:
    """Return the posterior probability of a benefit beyond a margin that is not the test's own, ``[k]``."""
    test = chunk.plan.tests[t]
    key = "margin_ratio" if "margin_ratio" in test.options else "margin"
    options = {**test.options, key: margin}
    found = test.analysis.estimate(chunk.cut(point, t), test.lower_is_better, options)
    return np.asarray(np.where(usable, ndtr(found.z), np.nan))


def _outcomes_seen(chunk: Chunk, point: Point) -> OutcomesSeen:
    """Return the outcomes of each test's endpoint that are visible at a point; of a survival endpoint no read-outs."""
    plan = chunk.plan
    endpoints = [test.endpoint for test in plan.tests]
    nothing = np.zeros((len(point.rows), len(plan.arms)), dtype=np.int64)
    found = {
        endpoint: (nothing, nothing.astype(np.float64), nothing)
        if plan.world.outcomes[endpoint].kind == "survival"
        else chunk.seen(point, endpoint)
        for endpoint in dict.fromkeys(endpoints)
    }
    imputed: tuple[int, ...] = getattr(plan.stopping, "imputed_tests", ())
    return OutcomesSeen(
        np.stack([found[endpoint][0] for endpoint in endpoints], axis=1),
        np.stack([found[endpoint][1] for endpoint in endpoints], axis=1),
        np.stack([found[endpoint][2] for endpoint in endpoints], axis=1),
        {test: _completed_of(chunk, point, test) for test in imputed},
        {
            test: _laws(chunk, point, plan.tests[test])[1]
            for test in getattr(plan.stopping, "predicted_by_law", ())
        },
        _arm_laws(chunk, point) if getattr(plan.stopping, "compares_arm_laws", False) else None,
    )


def _completed_of(chunk: Chunk, point: Point, t: int) -> Callable[[Ints], Any]:
    """Return what completes the data of a test by imputation, with the draws of the run at the address of the look."""
    plan, test, rows = chunk.plan, chunk.plan.tests[t], chunk.cut(point, t).patients()
    at = (chunk.replicates[point.rows], point.number)

    def completed(to_come: Ints) -> Any:
        patients = (_not_reported(chunk, point, test, rows), to_come)
        return test.analysis.completed(  # type: ignore[attr-defined]
            rows, test.lower_is_better, test.options, plan.seed, at, patients
        )

    return completed


def _not_reported(chunk: Chunk, point: Point, test: TestPlan, rows: PatientRows) -> Ints:
    """Return how many enrolled patients on control and on treatment the data of a test do not hold, ``[k, 2]``."""
    size = len(rows.offsets) - 1
    place = 2 * np.repeat(np.arange(size), np.diff(rows.offsets)) + rows.treated
    reported = np.bincount(place, minlength=2 * size).reshape(size, 2)
    enrolled = chunk.counts(point.rows, point.tick).enrolled[:, [test.control, test.treatment]]
    unseen: Ints = np.maximum(enrolled - reported, 0).astype(np.int64)
    return unseen


def _laws(chunk: Chunk, point: Point, test: TestPlan) -> tuple[int, Floats]:
    """Return family and parameters of the posteriors of a test's arms, ``[k, 2, 3]``: control, treatment."""
    found: tuple[int, Floats] = test.analysis.arm_laws(  # type: ignore[attr-defined]
        chunk.cut(point, test), test.lower_is_better, test.options
    )
    return found


def _arm_laws(chunk: Chunk, point: Point) -> tuple[int, Floats]:
    """Return family and parameters of the posteriors of every arm on the first test's endpoint, ``[k, arm, 3]``."""
    plan = chunk.plan
    pairs = [replace(plan.tests[0], treatment=arm, control=0) for arm in range(1, len(plan.arms))]
    found = [_laws(chunk, point, pair) for pair in pairs]
    return found[0][0], np.stack([found[0][1][:, 0], *(each[1][:, 1] for each in found)], axis=1)


def allocation_view(
    chunk: Chunk, point: Point, counts: CutCounts, open_arms: Bools, best_arms: BestArms, hidden: Floats
) -> AllocationView:
    """Return what a randomisation policy sees."""
    readouts, total = chunk.totals(point)
    return AllocationView(
        replicate=chunk.replicates[point.rows],
        cut_days=point.tick / TICKS_PER_DAY,
        arm_enrolled=counts.enrolled,
        arm_events=counts.events,
        arm_readouts=readouts,
        arm_total=total,
        open_arms=open_arms,
        ratio=chunk.plan.allocation.ratio,
        lower_is_better=chunk.plan.response_lower_is_better,
        n_max=chunk.plan.n,
        best_arms=best_arms,
        benefit=hidden,
        seed=seed_for_policies(chunk.plan.seed),
    )
