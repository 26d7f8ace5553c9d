"""What policies remember is the same in both engines: of a trial between reviews, of a patient between visits."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.twins.lives import SCENARIOS as LIVES
from tests.twins.test_people import world
from tests.twins.tie_rich import FOLDER
from tests.twins.tie_rich_reviews import REVIEW_SCENARIOS
from trialsim.conformance import check_policy
from trialsim.conformance.twins import twin_difference
from trialsim.contracts import (
    NOTHING,
    REDUCE,
    WEIGHT_GRID,
    AllocationView,
    CandidateView,
    Decision,
    Ints,
    Kind,
    Memory,
    SiteDecision,
    SiteView,
    VisitView,
)
from trialsim.engines.conduct import conduct
from trialsim.engines.plan import Plan, build_plan
from trialsim.engines.runner import start_engine
from trialsim.scenario.load import scenario_from


class CountsScreenings:
    """Scores by the number of the candidate times what was learnt; at reviews those who wait are turned round.

    Who was scored at a review is told from who came since, who came again among them, by the score alone.
    """

    name, reference, decides_on, as_they_come, at_reviews = "mine", "", "candidate", False, True

    def decide(self, view: CandidateView, memory: Memory) -> tuple[Ints, Memory]:
        number = view.candidate & 0xFFFF
        seen = view.screenings
        if seen is not None:
            ends = np.concatenate([[0], np.cumsum(seen.randomised)])
            found = np.diff(ends[seen.offsets])
            memory = {
                "reviews": memory["reviews"] + 1 if memory else np.ones(len(found), dtype=np.int64),
                "passed": memory["passed"] + found if memory else found,
            }
        if not memory:
            return number % 3, memory
        learnt = (memory["passed"] * 7 + memory["reviews"])[view.rows]
        scores = number * learnt % 11
        return scores if seen is None else 20 - scores, memory


class KeepsWhatIs:
    """Gives weights at its second review, and at each later one that is even or of an even trial; otherwise NaN."""

    name, reference, decides_on, adaptive = "mine", "", "allocation", True

    def decide(self, view: AllocationView, memory: Memory) -> tuple[Decision, Memory]:
        asked = memory["asked"] if memory else np.zeros(len(view.replicate), dtype=np.int64)
        gives = (asked == 1) | (asked > 1) & (((asked % 2) == 0) | (view.replicate % 2 == 0))
        weights = view.open_arms * (1.0 + np.arange(view.open_arms.shape[1])[None, :] * asked[:, None])
        return Decision(weights=np.where(gives[:, None], weights, np.nan)), {"asked": asked + 1}


class TakesTurns:
    """Opens the first of the list; at reviews closes sites by the number of reviews that it remembers, opens the next."""

    name, reference, decides_on, at_reviews, open_sites = "mine", "", "site", True, 4

    def decide(self, view: SiteView, memory: Memory) -> tuple[SiteDecision, Memory]:
        now, size = view.so_far, len(view.replicate)
        if now is None:
            score = np.tile(-np.arange(len(view.names), dtype=np.float64), (size, 1))
            return SiteDecision(score=score), {"turn": view.history_patients.sum(axis=1) % 3}
        turn = memory["turn"] + now.came.sum(axis=1)
        place = np.arange(now.open.shape[1])[None, :]
        closes = now.open & (place == turn[:, None] % now.open.shape[1])
        opens = now.reserve & (place % 3 == turn[:, None] % 3)
        return SiteDecision(close=closes, open=opens), {"turn": turn}


class EveryOtherVisit:
    """Lowers the dose at every second visit to which a patient comes, whoever missed one before."""

    name, reference, decides_on = "mine", "", "visit"

    def decide(self, view: VisitView, memory: Memory) -> tuple[Ints, Memory]:
        visits = memory["visits"] + 1 if memory else np.ones(len(view.patient), dtype=np.int64)
        return np.where(visits % 2 == 0, REDUCE, NOTHING), {"visits": visits}


def of_reviews(name: str, **policies: Any) -> Plan:
    """Return the plan of a small scenario with reviews, with policies of one's own."""
    tree, grid = REVIEW_SCENARIOS[name]
    scenario = scenario_from(tree, FOLDER)
    design, truth = next(iter(scenario.designs)), next(iter(scenario.truths))
    return replace(build_plan(scenario, design, truth, 3, grid), **policies)


@pytest.mark.parametrize("policy", [CountsScreenings(), TakesTurns(), EveryOtherVisit()])
def test_they_keep_the_rules(policy: Any) -> None:
    faults = check_policy(policy)
    assert not [fault for fault in faults if "batch" in fault or "memory" in fault or "determin" in fault]


_BOTH = pytest.param("learnt_while_sites_are_chosen_again", marks=pytest.mark.slow)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["learnt_from_screenings", _BOTH])
def test_what_a_ranking_remembers_is_the_same_in_both_engines(name: str) -> None:
    plan = of_reviews(name, recruitment=CountsScreenings())
    assert twin_difference(plan, range(24)) is None


@pytest.mark.parametrize("design", ["allocation_at_reviews", "allocation_at_looks"])
def test_weights_that_are_none_keep_what_is(design: str) -> None:
    """Until the first are given, allocation is the design's own, in its blocks."""
    assert not check_policy(KeepsWhatIs())
    plan = replace(build_plan(world("looks"), design, "expected", 3), randomisation=KeepsWhatIs())
    assert twin_difference(plan, range(24)) is None
    chunk = conduct(start_engine(plan, "fast").start(np.arange(24))).chunk
    for row in range(24):
        given = [entry.value for entry in chunk.log(row) if entry.kind == Kind.WEIGHT]
        assert np.isfinite(given).all()
        weights = np.array(given).reshape(-1, 3)
        if design == "allocation_at_reviews" and row % 2 and len(weights) > 1:
            # Reviews 2 and 3: 1, 2, 3 and 1, 3, 5 on the grid of weights; one in between is left out.
            expected = np.array([[1, 2, 3], [1, 3, 5]]) / np.array([[6], [9]])
            assert (weights[:2] == np.rint(expected * WEIGHT_GRID) / WEIGHT_GRID).all()


@pytest.mark.parametrize("name", ["sites_chosen_again", _BOTH])
def test_what_a_policy_of_sites_remembers_is_the_same_in_both_engines(name: str) -> None:
    policy = TakesTurns()
    plan = of_reviews(name, site_policy=policy)
    assert twin_difference(plan, range(24)) is None
    chunk = conduct(start_engine(plan, "fast").start(np.arange(24))).chunk
    assert any(each.closed.any() for each in chunk.sites_reviewed())
    assert any(each.called.any() for each in chunk.sites_reviewed())


@pytest.mark.slow
def test_what_is_remembered_of_a_patient_is_the_same_in_both_engines() -> None:
    tree, grid = LIVES["monitored"]
    scenario = scenario_from(tree)
    plan = build_plan(scenario, next(iter(scenario.designs)), next(iter(scenario.truths)), 3, grid)
    plan = replace(plan, monitoring=EveryOtherVisit())
    assert twin_difference(plan, range(24)) is None
    decided = conduct(start_engine(plan, "fast").start(np.arange(24))).chunk.visits_decided()
    assert decided is not None
    met: dict[tuple[int, int], list[int]] = {}
    order = np.lexsort((decided.view.visit, decided.view.patient, decided.view.replicate))
    for k in order.tolist():
        key = int(decided.view.replicate[k]), int(decided.view.patient[k])
        met.setdefault(key, []).append(int(decided.done[k]))
    # Every patient's second visit is one with a dose lowered, also where the first or another was missed.
    assert all(
        answers == [NOTHING, REDUCE] * (len(answers) // 2) + [NOTHING] * (len(answers) % 2)
        for answers in met.values()
    )
    assert max(map(len, met.values())) > 2
    first = decided.view.visit[order][
        np.unique(
            np.stack([decided.view.replicate, decided.view.patient], 1)[order], axis=0, return_index=True
        )[1]
    ]
    assert (first > 0).any(), "nobody missed the first visit"
