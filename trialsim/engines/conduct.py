"""The loop that runs a chunk of trials in either engine: to a decision, ask the policies, apply, until all have ended."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trialsim.contracts import (
    JUDGED_BY,
    Bools,
    Decision,
    Estimates,
    Floats,
    Ints,
    Status,
)
from trialsim.engines.bounds_in_force import BoundsInForce
from trialsim.engines.cohort_stages import Cohorts, CohortStages
from trialsim.engines.decision_log import Journal
from trialsim.engines.decision_views import allocation_view, look_view
from trialsim.engines.overrunning import Overrunning, analyse_overrunning
from trialsim.engines.plan import Plan
from trialsim.engines.points import Chunk, CutCounts, Ends, Point, SiteTallies
from trialsim.engines.reestimation import Reestimation
from trialsim.engines.remembered import Remembered
from trialsim.engines.stages import Stages, part_of
from trialsim.engines.true_values import benefits_of_arms, benefits_of_tests
from trialsim.policies.scores import reads_latent
from trialsim.stats.bayes.who_is_best import BestArms
from trialsim.stats.combination.closed_stages import ClosedPlan

_OK = int(Status.OK)
_NOTHING: Floats = np.zeros(0)


@dataclass
class LookRecord:
    """What was found and decided at one round of looks; arrays ``[k]``, ``[k, test]`` or, for counts, ``[k, arm]``.

    ``carried_out`` tells which decisions came before the horizon. ``own_z`` and ``lost`` are those of closed tests,
    ``cohorts`` their stages where these are split by patients, ``worth`` what arms are chosen by, or events re-estimated,
    where that is another endpoint, ``conditional_power`` ``[k]`` is there where the size is re-estimated, ``error`` where
    an analysis is a Bayesian model, ``chains`` ``[k, test, 4]`` where one is sampled.
    """

    point: Point
    counts: CutCounts
    z: Floats
    effect: Floats
    se: Floats
    information: Floats
    status: NDArray[np.int8]
    efficacy_z: Floats
    futility_z: Floats
    decision: Decision
    carried_out: Bools
    own_z: Floats | None = None
    lost: Bools | None = None
    conditional_power: Floats | None = None
    error: Floats | None = None
    chains: Floats | None = None
    cohorts: Cohorts | None = None
    worth: Floats | None = None


@dataclass
class ChunkResult:
    """What came out of a chunk.

    Parameters
    ----------
    rejected
        Tests rejected in the end, ``[replicate, test]``.
    reject_look
        Look (from 1) at which each was rejected, 0 if not.
    effect, se, z, status
        Of each test at the last look that analysed it while undecided, ``[replicate, test]``.
    looks
        Every round of looks.
    ends
        How the trials ended.
    tallies
        What happened before randomisation, in a world with sites.
    amounts
        What has to be paid for, ``[replicate, item]``, where the world has costs.
    overrunning
        What is concluded once everything has arrived, where the design asks for it.
    log
        The tables of the decision log, where one was kept.
    """

    chunk: Chunk
    rejected: Bools
    reject_look: Ints
    effect: Floats
    se: Floats
    z: Floats
    status: NDArray[np.int8]
    looks: list[LookRecord]
    ends: Ends
    tallies: SiteTallies | None = None
    amounts: Ints | None = None
    overrunning: Overrunning | None = None
    log: Mapping[str, dict[str, NDArray[Any]]] = field(default_factory=dict)


@dataclass(frozen=True)
class Asked:
    """A question to a policy: whose slot it is, what may be seen, and the positions of the replicates in the chunk."""

    slot: str
    view: Any
    rows: Ints


class Minds:
    """Asks the policies of a plan, and keeps what they remember, by replicate."""

    def __init__(self, plan: Plan, size: int) -> None:
        self._size = size
        self._policies: dict[str, Any] = {"randomisation": plan.randomisation, "stopping": plan.stopping}
        self._kept: dict[str, Remembered] = {}

    def answer(self, asked: Asked) -> Decision:
        """Return the canonical decision of a policy, given what it remembers of these replicates: of all, or of none."""
        kept = self._kept.setdefault(asked.slot, Remembered(self._size))
        decision: Decision
        decision, memory = self._policies[asked.slot].decide(asked.view, kept.of(asked.rows))
        if memory:
            kept.keep(asked.rows, memory)
        return decision.canonical()


def conduct(chunk: Chunk, journal: Journal | None = None) -> ChunkResult:
    """Run a chunk to its end.

    Parameters
    ----------
    chunk
        Trials at the start of accrual, of either engine.
    journal
        Keeps the decision log, if one is wanted.

    Returns
    -------
    ChunkResult
        The decisions, estimates and ends of all its trials.
    """
    minds, course = Minds(chunk.plan, len(chunk.replicates)), conducted(chunk)
    try:
        asked = next(course)
        while True:
            decision = minds.answer(asked)
            if journal is not None:
                journal.note(asked, decision)
            asked = course.send(decision)
    except StopIteration as ended:
        result: ChunkResult = ended.value
        if journal is not None:
            result.log = journal.tables(result)
        return result


def conducted(chunk: Chunk) -> Generator[Asked, Decision, ChunkResult]:
    """Run a chunk, yielding each question to a policy and taking the canonical decision; return what came out.

    Parameters
    ----------
    chunk
        Trials at the start of accrual, of either engine.
    """
    plan = chunk.plan
    size, tests = len(chunk.replicates), len(plan.tests)
    # Test by test in memory, as are all arrays [k, test] here: NumPy goes along them in vectors.
    rejected, futile = (np.zeros((tests, size), dtype=bool).T for _ in range(2))
    reject_look = np.zeros((tests, size), dtype=np.int64).T
    effect, se, z = (np.full((tests, size), np.nan) for _ in range(3))
    status = np.full((tests, size), Status.NOT_ANALYSED, dtype=np.int8)
    bounds, best_arms = BoundsInForce(plan, size), BestArms()
    stages = None if plan.closed is None else _stages(plan, plan.closed, size)
    sizes = None if plan.resizing is None else Reestimation(plan, size)
    hidden = benefits_of_arms(plan) if reads_latent(plan.randomisation) else _NOTHING
    true_benefits = benefits_of_tests(plan) if reads_latent(plan.stopping) else _NOTHING
    lag = np.array([look.cleaning + look.decision for look in plan.looks], dtype=np.int64)
    looks: list[LookRecord] = []
    while (point := chunk.advance()) is not None:
        rows = point.rows
        if point.kind == "review":
            # Of trials that were asked equally often all remember something, or none does: others are asked about apart.
            for number in np.unique(point.number):
                part = part_of(point, np.flatnonzero(point.number == number))
                counts, arms = chunk.counts(part.rows, part.tick), chunk.open_arms(part.rows)
                view = allocation_view(chunk, part, counts, arms, best_arms, hidden)
                asked = Asked("randomisation", view, part.rows)
                chunk.apply(part, (yield asked), np.zeros((len(part.rows), 0)))
            continue
        # All replicates are in order, so that they need no list of indices.
        whole = len(rows) == size
        at = slice(None) if whole else rows
        now_rejected, now_futile = (
            each.T.copy().T if whole else each.T.take(rows, axis=1).T for each in (rejected, futile)
        )
        undecided = ~(now_rejected | now_futile)
        record = _analyse(chunk, point, bounds, stages, undecided)
        if sizes is not None:
            all_data = (record.z[:, 0].copy(), record.se[:, 0])
            if stages is None:
                record.z[:, 0] = sizes.tested(
                    point, record.z[:, 0], record.status[:, 0], record.information[:, 0], record.counts
                )
            early = None if record.worth is None else record.worth[:, 0]
        seen = look_view(chunk, record, now_rejected, now_futile, best_arms, true_benefits)
        decision = yield Asked("stopping", seen, rows)
        if plan.randomisation.adaptive and plan.reviews is None:
            decision = yield from _with_weights(chunk, record, decision, best_arms, hidden)
        if sizes is not None:
            usable = record.status[:, 0] == _OK
            decision, record.conditional_power = sizes.decided(
                chunk, point, decision, all_data, record.z[:, 0], usable, record.counts, early
            )
        record.decision = decision
        looks.append(record)
        assert decision.reject is not None and decision.futile is not None
        found = (effect, record.effect), (se, record.se), (z, record.z), (status, record.status)
        for t in range(tests):  # a test at a time: NumPy places single columns much faster
            if undecided[:, t].all():
                for kept, now in found:
                    kept[t][at] = now[:, t]
                continue
            some = np.flatnonzero(undecided[:, t])
            there = rows.take(some)
            for kept, now in found:
                kept[t][there] = now[:, t].take(some)
        # What would be decided after the horizon is never carried out.
        record.carried_out = point.tick + lag[point.number] <= plan.horizon
        for t in range(tests):
            hit = np.flatnonzero(decision.reject[:, t] & record.carried_out)
            there = rows.take(hit)
            reject_look[there, t] = point.number.take(hit) + 1
            rejected[there, t] = True
        if decision.futile.any():
            futile[at] |= decision.futile
        failed = record.status != _OK
        marks = np.where(failed, -1000.0 - record.status, record.z) if failed.any() else record.z
        chunk.apply(point, decision, marks)
    ends = chunk.ends()
    tallies = chunk.tallies()
    amounts = None if plan.world.costs is None else chunk.cost_amounts()
    overrun = analyse_overrunning(chunk, looks, ends) if plan.overrunning else None
    return ChunkResult(
        chunk, rejected, reject_look, effect.T, se.T, z.T, status.T, looks, ends, tallies, amounts, overrun
    )


def _stages(plan: Plan, closed: ClosedPlan, size: int) -> Stages | CohortStages:
    """Return the stages of a closed combination test: by what becomes known, or by patients."""
    kind = Stages if plan.stage_ends is None else CohortStages
    return kind(plan, closed, size)


def _analyse(
    chunk: Chunk, point: Point, bounds: BoundsInForce, stages: Stages | CohortStages | None, undecided: Bools
) -> LookRecord:
    """Return the estimates of every test at a point."""
    plan = chunk.plan
    if stages is not None:
        counts = chunk.counts(point.rows, point.tick)
        staged = stages.analyse(chunk, point, counts, undecided)
        return LookRecord(
            point, counts, staged.z, staged.effect, staged.se, staged.information, staged.status,
            *bounds.at(point, counts), Decision(), np.ones(len(staged.z), dtype=bool), staged.own_z, staged.lost,
            cohorts=staged.cohorts, worth=_worth(chunk, point, undecided),
        )  # fmt: skip
    shape = (len(plan.tests), len(point.rows))
    z, effect, se, information = (np.empty(shape).T for _ in range(4))
    status, error = np.empty(shape, dtype=np.int8).T, None
    chains = np.full((*z.shape, len(JUDGED_BY)), np.nan) if plan.samples else None
    for t in range(len(plan.tests)):
        some: Any = slice(None)
        there = point
        if (wanted := _wanted_looks(plan, t)) is not None:
            some = np.flatnonzero(wanted[point.number])
            there = Point(point.kind, point.rows[some], point.number[some], point.tick[some])
            z[:, t] = effect[:, t] = se[:, t] = np.nan
            information[:, t], status[:, t] = 0.0, Status.NOT_ANALYSED
            if not len(some):
                continue
        found = _estimates(chunk, there, t)
        z[some, t], effect[some, t], se[some, t] = found.z, found.effect, found.se
        information[some, t], status[some, t] = found.information, found.status
        if found.error is not None:
            error = np.full(shape, np.nan).T if error is None else error
            error[some, t] = found.error
        if found.chains is not None and chains is not None:
            chains[some, t] = found.chains
    counts = chunk.counts(point.rows, point.tick)
    return LookRecord(
        point,
        counts,
        z,
        effect,
        se,
        information,
        status,
        *bounds.at(point, counts),
        Decision(),
        np.ones(len(z), dtype=bool),
        error=error,
        chains=chains,
        worth=_worth(chunk, point, np.ones((len(z), 1), dtype=bool)),
    )


def _worth(chunk: Chunk, point: Point, undecided: Bools) -> Floats | None:
    """Return what arms are chosen by, or events re-estimated, ``[k, test]``, where it is another endpoint than the tests'.

    Higher is better.

    Of tests that are decided it is not a number.
    """
    chosen_by = chunk.plan.chosen_by
    if chosen_by is None:
        return None
    found = np.empty((len(point.rows), len(chosen_by.tests)))
    for t, test in enumerate(chosen_by.tests):
        seen = test.analysis.estimate(chunk.cut(point, test), test.lower_is_better, test.options)
        sign = -1.0 if test.lower_is_better else 1.0
        value = seen.z if chosen_by.measure == "z" else sign * seen.effect
        found[:, t] = np.where((seen.status == _OK) & undecided[:, t], value, np.nan)
    return found


def _estimates(chunk: Chunk, point: Point, t: int) -> Estimates:
    """Return the estimates of a test at a point; those of a model with draws of its own at the address of the look."""
    plan = chunk.plan
    test = plan.tests[t]
    given = (chunk.cut(point, t), test.lower_is_better, test.options)
    if not getattr(test.analysis, "keyed", False):
        return test.analysis.estimate(*given)
    replicates, last = chunk.replicates[point.rows], len(plan.looks) - 1
    found: Estimates = test.analysis.estimate_at(*given, plan.seed, replicates, point.number, last)  # type: ignore[attr-defined]
    return found


def _wanted_looks(plan: Plan, test: int) -> Bools | None:
    """Return at which looks a test that costs much is analysed, where nothing depends on it at others; None: at all."""
    chosen = plan.tests[test]
    if not getattr(chosen.analysis, "costly", False):
        return None
    if plan.stopping.name == "decision_rules":
        weighed: Bools = plan.stopping.weighs(len(plan.looks))[:, test]  # type: ignore[attr-defined]
        return None if weighed.all() else weighed
    if plan.stopping.name != "bounds" or chosen.follower is not None:
        return None
    bounded: Bools = np.isfinite(plan.efficacy_z[:, test]) | np.isfinite(plan.futility_z[:, test])
    bounded[-1] = True
    return None if bounded.all() else bounded


def _with_weights(
    chunk: Chunk, record: LookRecord, decision: Decision, best_arms: BestArms, hidden: Floats
) -> Generator[Asked, Decision, Decision]:
    """Return a stopping decision with the weights that the randomisation policy gives the trials that go on."""
    plan: Plan = chunk.plan
    assert decision.stop is not None and decision.open_arms is not None
    going = np.flatnonzero(~decision.stop)
    weights = np.full((len(decision.stop), len(plan.arms)), np.nan)
    if len(going):
        point = record.point
        part = Point("look", point.rows[going], point.number[going], point.tick[going])
        counts = CutCounts(*(array[going] for array in vars(record.counts).values()))
        view = allocation_view(chunk, part, counts, decision.open_arms[going], best_arms, hidden)
        given = yield Asked("randomisation", view, part.rows)
        if given.weights is not None:
            weights[going] = given.weights
    return replace(decision, weights=weights)
