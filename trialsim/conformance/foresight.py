"""Whether a policy knows the future: in worlds where nothing seen tells of it, decisions must not go with what comes.

Scrambling what is hidden in a view finds a policy that reads it there. It does not find one that works the future out, from
the seed of the run or by any other way. So the policy is asked in real trials, which go on as if it had said nothing,
and what it said is set beside what came about later. Outcomes, and adverse events of disjoint times, are independent here,
so that every correlation is due to chance or to foresight.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np

from trialsim.conformance.chance import LIMIT, beyond_chance, plan_of
from trialsim.conformance.foresight_in_recruitment import of_rankings, of_site_choices
from trialsim.contracts import (
    NOTHING,
    AllocationView,
    Decision,
    Floats,
    Ints,
    LookView,
    Memory,
    Stop,
    VisitView,
)
from trialsim.engines.conduct import conducted
from trialsim.engines.points import Chunk, Point
from trialsim.engines.runner import start_engine
from trialsim.policies.scores import reads_latent
from trialsim.timegrid import TICKS_PER_DAY

TRIALS = 400
_DECIDED = """
name: foresight
accrual: {evenly_spaced: {rate: 10 per month}}
arms: [control, first, second]
endpoints:
  response: {kind: binary, readout: 1 week, rate: 0.4, effect: {first: 0.4, second: 0.4}, effect_measure: rate}
hypotheses:
  first: {endpoint: response, arms: [first, control], analysis: score_test, direction: higher}
  second: {endpoint: response, arms: [second, control], analysis: score_test, direction: higher}
truths: {none: {}}
designs:
  looks:
    kind: group_sequential
    n: 60
    allocation: simple
    looks: [{when: {readouts: 20}}, {when: {readouts: 40}}, {when: {readouts: 60}}]
    tests: {first: {alpha: 0.0125}, second: {alpha: 0.0125}}
    bounds: {efficacy_z: [2.5, 2.3, 2.24], futility_z: [0, 0.5, null]}
  reviews:
    extends: looks
    reviews: {every: {enrolled: 20}}
"""
_MONITORED = """
name: foresight_at_visits
population: {traits: {toxicity: {sd: 1}}}
accrual: {evenly_spaced: {rate: 20 per month}}
arms: [control, treatment]
endpoints:
  response: {kind: binary, readout: 200 days, rate: 0.4, effect: {treatment: 0.4}, effect_measure: rate}
treatment: {doses: [1, 0.75, 0.5]}
adverse_events:
  rash: {baseline: {hazard: 6 per year}, severity: {mild: 0.5, moderate: 0.3, severe: 0.2}}
  fatigue: {baseline: {hazard: 6 per year}, severity: {mild: 0.5, moderate: 0.3, severe: 0.2}}
visits: {every: 30 days, until: 120 days}
hypotheses:
  primary: {endpoint: response, arms: [treatment, control], analysis: score_test, direction: higher}
truths: {none: {}}
designs:
  visits: {kind: fixed, n: 40, allocation: simple, looks: [{when: {readouts: 40}}], tests: {primary: {alpha: 0.025}}}
"""
_MONITORED_TRIALS = 20


def foresight(policy: Any) -> Iterator[str]:
    """Yield that a policy decides as if it knew what comes.

    Parameters
    ----------
    policy
        For three arms and two tests, for adverse events called rash and fatigue, for candidates with a group, an age and a
        marker, or for twelve sites.
    """
    try:
        found = _asked_in_trials(policy)
    except Exception as error:  # noqa: BLE001  a policy of anybody's may fail in any way
        yield f"fails when asked in trials: {type(error).__name__}: {error}"
        return
    worst = max(found, key=lambda each: each[1], default=("", 0.0))
    if worst[1] > LIMIT:
        yield (
            f"peeking: what it decides {worst[0]} goes with what comes later, {worst[1]:.1f} standard errors, in "
            "trials where nothing that is seen tells of it"
        )


def _asked_in_trials(policy: Any) -> list[tuple[str, float]]:
    """Return by how many standard errors decisions of each sort go with what comes later."""
    if policy.decides_on == "site":
        return of_site_choices(policy)
    if policy.decides_on == "candidate":
        return of_rankings(policy)
    return _at_visits(policy) if policy.decides_on == "visit" else _at_decisions(policy)


def _at_decisions(policy: Any) -> list[tuple[str, float]]:
    """Return by how many standard errors decisions go with later outcomes, at each look or review.

    Patients come evenly and nobody is lost, so that all trials are asked at once.
    """
    allocates = policy.decides_on == "allocation"
    given: dict[str, Any] = {"randomisation" if allocates else "stopping": policy}
    plan = replace(plan_of(_DECIDED, "reviews" if allocates else "looks"), **given)
    chunk = start_engine(plan, "fast").start(np.arange(TRIALS))
    course = conducted(chunk)
    memory: Memory = {}
    asked: list[tuple[Floats, Ints, Floats]] = []
    try:
        question = next(course)
        while True:
            view = question.view
            if question.slot in given:
                decision, memory = policy.decide(view, memory)
                asked.append((_columns(decision.canonical()), *_visible(chunk, view)))
            question = course.send(_as_if_nothing_was_said(view))
    except StopIteration as ended:
        n, total, _ = chunk.seen(ended.value.looks[-1].point, 0)
    found = []
    for number, (decided, n_then, total_then) in enumerate(asked):
        left, came = n - n_then, total - total_then
        every = np.concatenate([left, left.sum(axis=1, keepdims=True)], axis=1)
        rates = np.concatenate([came, came.sum(axis=1, keepdims=True)], axis=1) / np.maximum(every, 1)
        found.append((f"at {'review' if allocates else 'look'} {number + 1}", beyond_chance(decided, rates)))
    return found


def _visible(chunk: Chunk, view: LookView | AllocationView) -> tuple[Ints, Floats]:
    """Return read-outs and their sum by arm, as they were visible."""
    if isinstance(view, AllocationView):
        return view.arm_readouts, view.arm_total
    tick = np.rint(view.cut_days * TICKS_PER_DAY).astype(np.int64)
    n, total, _ = chunk.seen(Point("look", np.arange(len(tick)), view.look, tick), 0)
    return n, total


def _as_if_nothing_was_said(view: LookView | AllocationView) -> Decision:
    """Return the decision to go on as planned, whatever the policy said."""
    if isinstance(view, AllocationView):
        return Decision(weights=np.ones(view.open_arms.shape)).canonical()
    stops = view.is_last
    return Decision(
        stop=stops,
        reason=np.where(stops, np.int8(Stop.FINAL), np.int8(Stop.CONTINUE)),
        reject=np.zeros(view.z.shape, dtype=bool),
        futile=np.zeros(view.z.shape, dtype=bool),
        open_arms=view.open_arms,
    ).canonical()


def _columns(decision: Decision) -> Floats:
    """Return all that was decided as numbers, ``[trial, column]``."""
    arrays = [getattr(decision, each.name) for each in fields(Decision) if each.name != "recommended"]
    made = [np.asarray(a, dtype=np.float64).reshape(len(a), -1) for a in arrays if a is not None]
    return np.nan_to_num(np.concatenate(made, axis=1)) if made else np.zeros((TRIALS, 0))


@dataclass
class _Recorder:
    """Does nothing at visits, and keeps what a policy would have done."""

    policy: Any
    answers: dict[tuple[int, int, int], tuple[int, int]] = field(default_factory=dict)
    """Answer, and adverse events so far, by trial, patient and visit."""

    name, reference, decides_on = "recorder", "", "visit"

    @property
    def reads_latent(self) -> bool:
        """Whether the policy does."""
        return reads_latent(self.policy)

    def decide(self, view: VisitView, memory: Memory) -> tuple[Ints, Memory]:
        """Ask the policy, and do nothing."""
        done, memory = self.policy.decide(view, memory)
        so_far = view.events.sum(axis=(1, 2))
        keys = zip(view.replicate.tolist(), view.patient.tolist(), view.visit.tolist(), strict=True)
        told = zip(done.tolist(), so_far.tolist(), strict=True)
        self.answers.update(zip(keys, told, strict=True))
        return np.full(len(view.patient), NOTHING), memory


def _at_visits(policy: Any) -> list[tuple[str, float]]:
    """Return by how many standard errors decisions go with adverse events up to the next visit, at each visit."""
    recorder = _Recorder(policy)
    plan = replace(plan_of(_MONITORED, "visits"), monitoring=recorder)
    chunk = start_engine(plan, "fast").start(np.arange(_MONITORED_TRIALS))
    course = conducted(chunk)
    try:
        question = next(course)
        while True:
            question = course.send(_as_if_nothing_was_said(question.view))
    except StopIteration:
        pass
    found = []
    for visit in sorted({key[2] for key in recorder.answers}):
        rows = [
            (float(answer), float(following[1] - so_far))
            for (trial, patient, at), (answer, so_far) in recorder.answers.items()
            if at == visit and (following := recorder.answers.get((trial, patient, at + 1))) is not None
        ]
        if rows:
            table = np.array(rows)
            found.append((f"at visit {visit + 1}", beyond_chance(table[:, :1], table[:, 1:])))
    return found
