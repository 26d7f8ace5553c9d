"""Reviews of recruitment: what is decided and learnt there, from what, and what does not move by it."""

from __future__ import annotations

import copy
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.optimize import minimize

from tests.twins.tie_rich import FOLDER
from tests.twins.tie_rich_reviews import REVIEW_SCENARIOS
from tests.unit.shipped_schema import check_document
from trialsim.conformance import check_twins
from trialsim.conformance.sample_views import site_view
from trialsim.contracts import Kind, LogRow
from trialsim.engines.conduct import conduct
from trialsim.engines.runner import chunk_of
from trialsim.errors import ScenarioError
from trialsim.policies.site_reselection import Reselection
from trialsim.report.story import explain
from trialsim.scenario.load import load_scenario, scenario_from
from trialsim.stats.bayes.sequential_logistic import update_by_answers
from trialsim.timegrid import TICKS_PER_DAY

SHIPPED = Path(__file__).parents[2] / "scenarios" / "recruitment_reviews"
AGAIN, BY_DRAWS, LEARNT = "sites_chosen_again", "sites_chosen_again_by_draws", "learnt_from_screenings"


def tree_of(name: str, **changes: Any) -> dict[str, Any]:
    """Return one of the small scenarios, with other groups of sites where they are given."""
    tree: dict[str, Any] = copy.deepcopy(REVIEW_SCENARIOS[name][0])
    for group, changed in changes.items():
        tree["accrual"]["sites"][group] |= changed
    return tree


def logs(tree: dict[str, Any], count: int, design: str, engine: str = "fast") -> list[list[LogRow]]:
    """Return the event logs of some trials on a grid of a day."""
    scenario = scenario_from(tree, FOLDER)
    found = []
    for part in [range(count)] if engine == "fast" else [[r] for r in range(count)]:
        chunk = chunk_of(scenario, design, "world", part, 1, engine, TICKS_PER_DAY)
        conduct(chunk)
        found += [chunk.log(row) for row in range(len(part))]
    return found


def test_a_batch_updates_the_posterior_as_an_optimiser_finds_it() -> None:
    """Mode and curvature of two batches in turn, the first's posterior being the second's prior, against SciPy's BFGS."""
    rng = np.random.default_rng(5)
    design = np.column_stack([np.ones(90), rng.normal(size=(90, 3))])
    answers = (rng.random(90) < 1 / (1 + np.exp(-design @ np.array([-1.0, 1.5, -0.5, 0.0])))).astype(float)
    mean, precision = np.array([[0.3, 0.0, -1.0, 0.2]]), np.diag([0.01, 1.0, 4.0, 1.0])[None]
    for first, last in ((0, 40), (40, 90)):
        x, y, m, p = design[first:last], answers[first:last], mean[0].copy(), precision[0].copy()

        def loss(beta: np.ndarray, x: Any = x, y: Any = y, m: Any = m, p: Any = p) -> float:
            eta = x @ beta
            return float(np.logaddexp(0.0, eta).sum() - y @ eta + 0.5 * (beta - m) @ p @ (beta - m))

        update_by_answers(np.array([0, last - first]), x, y, mean, precision)
        assert mean[0] == pytest.approx(minimize(loss, m, options={"gtol": 1e-9}).x, abs=1e-5)
        rate = 1 / (1 + np.exp(-x @ mean[0]))
        assert precision[0] == pytest.approx(p + x.T * (rate * (1 - rate)) @ x, rel=1e-9)


def test_no_answers_teach_nothing() -> None:
    mean, precision = np.array([[0.1, 0.2], [0.3, 0.4]]), np.tile(np.eye(2), (2, 1, 1))
    before = mean.copy(), precision.copy()
    update_by_answers(np.array([0, 0, 0]), np.zeros((0, 2)), np.zeros(0), mean, precision)
    assert np.array_equal(mean, before[0]) and np.array_equal(precision, before[1])


@pytest.mark.parametrize("judged_by", ["patients", "candidates", "posterior"])
def test_who_closes_and_who_opens_by_hand(judged_by: str) -> None:
    view = site_view(20)
    decision, _ = Reselection(3, "0.08 per day", judged_by, "30 days", shape=2.0).decide(view, {})
    now = view.so_far
    assert now is not None
    for k in range(20):
        mean = (view.history_patients[k].sum() + now.came[k].sum()) / (
            view.history_days.sum() + now.open_days[k].sum()
        )
        worth = [
            (2 + view.history_patients[k, s] + now.came[k, s])
            / (2 / mean + view.history_days[s] + now.open_days[k, s])
            for s in range(6)
        ]
        seen = {"patients": now.randomised, "candidates": now.came}.get(judged_by)
        slow = [
            s
            for s in range(6)
            if now.open[k, s]
            and now.open_days[k, s] >= 30
            and (worth[s] if seen is None else seen[k, s] / now.open_days[k, s]) < 0.08
        ]
        assert np.flatnonzero(decision.close[k]).tolist() == slow
        reserves = sorted(np.flatnonzero(now.reserve[k]), key=lambda s, worth=worth: -worth[s])
        assert np.flatnonzero(decision.open[k]).tolist() == sorted(reserves[: len(slow)])


def test_reserves_may_stay_closed_or_be_drawn() -> None:
    view = site_view(200)
    closes = Reselection(3, "0.08 per day", after="30 days", reserves="none")
    assert not closes.decide(view, {})[0].open.any()
    drawn, best = (
        Reselection(3, "0.08 per day", after="30 days", reserves=how).decide(view, {})[0].open
        for how in ("thompson", "posterior")
    )
    assert drawn.sum() == best.sum() and (drawn != best).any()


def test_sites_close_for_what_the_log_says_of_them() -> None:
    """Sites closed at a review had randomised fewer than 0.2 a day over six days or more; no other such site stayed."""
    for log in logs(tree_of(AGAIN), 30, "as_they_come"):
        opened: dict[int, int] = {}
        patients: Counter[int] = Counter()
        closed: set[int] = set()
        slow: set[int] = set()
        told: set[int] = set()
        for row in [*log, LogRow(10**18, Kind.END, 0)]:
            if row.kind != Kind.SITE_CLOSED and slow != told:
                assert row.kind in (Kind.SITE_CLOSED,), "a site was closed or left open against the rule"
            if row.kind == Kind.SITE:
                opened[row.id] = row.tick
            elif row.kind == Kind.CANDIDATE:
                patients[int(row.value) >> 32] += 1
            elif row.kind == Kind.SITE_CLOSED:
                closed.add(row.id)
                told |= {row.id} if row.value == 3 else set()
            elif row.kind == Kind.REVIEW:
                days = {s: (row.tick - at) / TICKS_PER_DAY for s, at in opened.items() if s not in closed}
                slow = {
                    s for s, open_days in days.items() if open_days >= 6 and patients[s] / open_days < 0.2
                }
                told = set()


@pytest.mark.parametrize("name", [AGAIN, BY_DRAWS])
def test_closing_a_site_moves_nobody_of_another(name: str) -> None:
    """Until enrolment closes, candidates of sites that no review touches come and are called as without reviews."""
    tree = tree_of(name)
    still = copy.deepcopy(tree)
    for design in still["designs"].values():
        design["policies"]["sites"]["reselection"] |= {"after": "50 days"}
    compared = 0
    for ours, theirs in zip(logs(tree, 30, "as_they_come"), logs(still, 30, "as_they_come"), strict=True):
        touched = {row.id for row in ours if row.kind in (Kind.SITE_CALLED, Kind.SITE_CLOSED)}
        until = min(max(row.tick for row in log if row.kind == Kind.ARRIVAL) for log in (ours, theirs))

        def of_others(log: list[LogRow], touched: Any = touched, until: int = until) -> list[LogRow]:
            kinds = (Kind.ARRIVAL, Kind.DISPATCH, Kind.SCREENING, Kind.RENEGING)
            return [r for r in log if r.kind in kinds and r.id >> 32 not in touched and r.tick < until]

        compared += len(of_others(ours))
        assert of_others(ours) == of_others(theirs)
    assert compared > 40


@pytest.mark.parametrize("engine", ["fast", "reference"])
@pytest.mark.parametrize("name", [AGAIN, LEARNT])
def test_reviews_do_not_peek(name: str, engine: str) -> None:
    """Another trial that takes candidates from day 9 on changes nothing before day 9, decisions and scores included."""
    design = "learns" if name == LEARNT else "as_they_come"
    group = "crowded" if name == LEARNT else "known"
    plain = tree_of(name, **{group: {"competing": []}})
    later = tree_of(name, **{group: {"competing": [{"from": "9 days", "share": 0.95}]}})
    count = 20 if engine == "fast" else 4

    def before(log: list[LogRow]) -> list[LogRow]:
        return [row for row in log if row.tick < 9 * TICKS_PER_DAY]

    first, second = (logs(tree, count, design, engine) for tree in (plain, later))
    assert [before(log) for log in first] == [before(log) for log in second]
    assert first != second
    assert any(row.kind in (Kind.SITE_CALLED, Kind.RESCORED) for log in first for row in before(log))


@pytest.mark.slow
def test_chunks_change_nothing() -> None:
    scenario = load_scenario(SHIPPED / "relearning.yaml")
    for design, file in (("relearned", scenario), ("by_draws", load_scenario(SHIPPED / "sites_again.yaml"))):

        def found(parts: list[range], design: str = design, file: Any = file) -> list[list[LogRow]]:
            logged = []
            for part in parts:
                chunk = chunk_of(file, design, "expected", part, 4, "fast")
                conduct(chunk)
                logged += [chunk.log(row) for row in range(len(part))]
            return logged

        assert found([range(9)]) == found([range(2), range(2, 9)])


def test_reviews_are_told() -> None:
    """A site that a review closed, a reserve that it called, and a candidate who was scored anew, in plain sentences."""
    scenario = scenario_from(tree_of("learnt_while_sites_are_chosen_again"), FOLDER)
    story = explain(scenario, "learns", "world", 13, 1)
    check_document("explain", story.document())
    log = story.replay.log
    names = story.replay.plan.world.sites.names  # type: ignore[union-attr]
    text = " ".join(story.sentences)
    reviews = sum(row.kind == Kind.REVIEW for row in log)
    assert f"Recruitment was reviewed {reviews} times" in text
    closed = next(row.id for row in log if row.kind == Kind.SITE_CLOSED and row.value == 3)
    assert "as a review decided" in story.site(names[closed]).text()
    called = next(row.id for row in log if row.kind == Kind.SITE_CALLED)
    assert "was asked on" in story.site(names[called]).text()
    scored = next(row.id for row in log if row.kind == Kind.RESCORED)
    part = story.candidate(f"{names[scored >> 32]}:{(scored & 0xFFFFFFFF) + 1}")
    assert "was scored anew on" in part.text()


@pytest.mark.parametrize(
    ("policies", "reviews", "sentence"),
    [
        ({"sites": {"reselection": {"open": 4, "close_below": "1 per month"}}}, None, "decides at reviews"),
        ({"recruitment": "relearned"}, None, "learns at reviews, and the design has none"),
        (
            {"recruitment": {"human_in_the_loop": {"ranking": "relearned"}}},
            {"enrolled": 3},
            "cannot stand inside human_in_the_loop",
        ),
        ({"recruitment": {"relearned": {"checkpoint": "m.safetensors"}}}, {"enrolled": 3}, "belong together"),
        (
            {"sites": {"reselection": {"open": 40, "close_below": "1 per month"}}},
            {"enrolled": 3},
            "opens 40 sites, and there are 8",
        ),
        (
            {"sites": {"reselection": {"open": 4, "close_below": "1 per month", "judged_by": "taste"}}},
            {"enrolled": 3},
            "is not one of",
        ),
    ],
)
def test_what_does_not_fit_is_refused(
    policies: dict[str, Any], reviews: dict[str, Any] | None, sentence: str
) -> None:
    tree = tree_of(AGAIN)
    design = tree["designs"].pop("ranked") and tree["designs"]["as_they_come"]
    design["policies"] = policies
    del design["reviews"]
    if reviews:
        design["reviews"] = {"every": reviews}
    with pytest.raises(ScenarioError, match=sentence):
        scenario_from(tree, FOLDER)


def test_a_ranking_that_learns_needs_something_to_learn_from() -> None:
    tree = tree_of(LEARNT)
    del tree["population"]
    with pytest.raises(ScenarioError, match="learns from covariates, and the population has none"):
        scenario_from(tree, FOLDER)


def test_two_reviews_of_one_instant_are_logged_one_after_the_other() -> None:
    scenario = load_scenario(SHIPPED / "relearning.yaml")
    # Patients 9 to 12 come at once in this trial, and a review is due after each third.
    assert not check_twins(scenario, ["relearned_often"], ["expected"], [46])


def test_reviews_after_the_end_of_every_trial_leave_no_entry() -> None:
    """Recruitment is worked out ahead: the only look ends a trial on day 5, its reviews would go on until it is full."""
    tree = tree_of(AGAIN)
    for design in tree["designs"].values():
        design |= {"looks": [{"when": {"calendar": "5 days"}}], "bounds": {"efficacy_z": [1.9]}}
    assert not check_twins(scenario_from(tree, FOLDER), ["as_they_come"], replicates=[3], grid=TICKS_PER_DAY)
