"""The checker of policies passes those that keep the rules and tells those that do not by what they break."""

from __future__ import annotations

import inspect
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.packages import write_package
from tests.twins.tie_rich import FOLDER
from tests.twins.tie_rich_reviews import REVIEW_SCENARIOS
from trialsim import registry
from trialsim.conformance import check_policy
from trialsim.conformance.sample_views import candidate_view
from trialsim.conformance.twins import twin_difference
from trialsim.contracts import (
    INTERRUPT,
    NOTHING,
    REDUCE,
    AllocationView,
    CandidateView,
    Decision,
    Kind,
    LookView,
    VisitView,
)  # fmt: skip
from trialsim.engines.conduct import conduct
from trialsim.engines.plan import build_plan
from trialsim.engines.runner import start_engine
from trialsim.policies.scores import on_grid
from trialsim.scenario.load import scenario_from

BY_AGE = {"by_covariate": {"covariate": "age"}}
EMULATED = {"auc": 0.8, "prevalence": 0.4, "subgroup": "group", "auc_by_level": {"B": 0.6}}
RESELECTION = {"open": 3, "close_below": 0.1, "judged_by": "posterior", "reserves": "thompson"}
PARAMETERS: dict[str, dict[str, Any]] = {
    "recruitment.by_covariate": {"covariate": "group.B"},
    "recruitment.emulated": EMULATED,
    "recruitment.prescreen_rules": {"require": {"age": {"most": 70}, "group": {"levels": ["A"]}}},
    "recruitment.expected_completion": {
        "eligible": {"probability": 0.3, "covariates": {"age": -0.05, "group.B": 0.4}, "centre": {"age": 60}},
        "stays": {"probability": 0.9},
    },
    "recruitment.within_group": {"covariate": "group", "ranking": BY_AGE},
    "recruitment.exposure": {"covariate": "group", "shares": {"B": 0.5}, "ranking": {"emulated": EMULATED}},
    "recruitment.human_in_the_loop": {"ranking": BY_AGE, "delay": 0.2, "override": 0.2},
    "monitoring.dose_modification": {"level": "moderate", "reduce_after": 2, "discontinue_after": 4},
    "monitoring.emulated": {"auc": 0.8},
    "randomisation.emulated": {"auc": 0.8},
    "sites.emulated": {"open": 3, "rank_correlation": 0.6},
    "stopping.emulated": {"auc": 0.8},
    "monitoring.human_in_the_loop": {
        "policy": {"dose_modification": {"level": "moderate", "reduce_after": 1}},
        "delay": 0.2,
        "override": 0.3,
    },
    "sites.human_in_the_loop": {"policy": {"reselection": RESELECTION}, "delay": 0.2, "override": 0.3},
    "randomisation.human_in_the_loop": {"policy": {"thompson": {}}, "delay": 0.2, "override": 0.3},
    "stopping.human_in_the_loop": {"policy": {"bounds": {}}, "delay": 0.2, "override": 0.3},
    "sites.reselection": RESELECTION,
}
LEARNED = (
    "recruitment.logistic",
    "recruitment.gradient_boosting",
    "recruitment.mlp",
    "randomisation.learned",
    "sites.learned",
    "stopping.learned",
)  # test_learned_rankings.py, test_learned_allocation.py, test_learned_sites.py, test_learned_stopping.py
SHIPPED = [name for name in registry.names("policies") if name not in LEARNED]
POINTS = {
    "recruitment": "candidate",
    "sites": "site",
    "randomisation": "allocation",
    "monitoring": "visit",
    "stopping": "look",
}


@pytest.mark.slow
@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_policies_keep_the_rules(name: str) -> None:
    given = {"open": 3} if name.startswith("sites.") and name != "sites.all_open" else {}
    assert check_policy(registry.get("policies", name)(**PARAMETERS.get(name, given))) == []


@pytest.mark.parametrize("name", registry.names("policies"))
def test_every_policy_says_what_it_decides_on_and_has_the_one_method(name: str) -> None:
    kind = registry.get("policies", name)
    assert kind.decides_on == POINTS[name.partition(".")[0]]
    assert list(inspect.signature(kind.decide).parameters) == ["self", "view", "memory"]
    assert not [old for old in ("learn", "score_by", "review", "at_visit") if hasattr(kind, old)]


class Ranks:
    name, reference, as_they_come, reads_latent = "mine", "", False, False
    decides_on = "candidate"

    def decide(self, view: CandidateView, memory: Any) -> Any:
        return self.score(view), memory

    def score(self, view: CandidateView) -> Any:
        return on_grid(view.covariates[:, 1])


class Peeks(Ranks):
    def score(self, view: CandidateView) -> Any:
        hidden = view.chances[:, 2] if view.chances.size else view.covariates[:, 1]
        return on_grid(hidden)


class NeedsHidden(Ranks):
    def score(self, view: CandidateView) -> Any:
        return on_grid(view.latent[:, 0])


class LooksAtOthers(Ranks):
    def score(self, view: CandidateView) -> Any:
        return on_grid(view.covariates[:, 1] - np.nanmean(view.covariates[:, 1]))


class TossesACoin(Ranks):
    def __init__(self) -> None:
        self.rng = np.random.default_rng(1)

    def score(self, view: CandidateView) -> Any:
        return self.rng.integers(0, 1 << 40, len(view.candidate))


class Floats(Ranks):
    def score(self, view: CandidateView) -> Any:
        return view.covariates[:, 1]


class OneTooFew(Ranks):
    def score(self, view: CandidateView) -> Any:
        return on_grid(view.covariates[1:, 1])


class RemembersThoseWhoCome(Ranks):
    def decide(self, view: CandidateView, memory: Any) -> Any:
        return self.score(view), {"met": np.ones(len(view.candidate))}


class Learns(Ranks):
    """Scores by age and by the share of the screened who were randomised, when any have been."""

    at_reviews = True

    def decide(self, view: CandidateView, memory: Any) -> Any:
        if view.screenings is not None:
            memory = self.learnt(view, memory)
        share = memory["share"][view.rows] if memory else 0.0
        return on_grid(view.covariates[:, 1] + share), memory

    def learnt(self, view: CandidateView, memory: Any) -> Any:
        seen = view.screenings
        assert seen is not None
        ends = np.concatenate([[0], np.cumsum(seen.randomised)])
        return {"share": np.diff(ends[seen.offsets]) / np.maximum(np.diff(seen.offsets), 1)}


class LearnsOfOtherTrials(Learns):
    def learnt(self, view: CandidateView, memory: Any) -> Any:
        assert view.screenings is not None
        return {"share": np.full(len(view.screenings.review), view.screenings.randomised.mean())}


class LearnsByCandidate(Learns):
    def learnt(self, view: CandidateView, memory: Any) -> Any:
        return {"share": np.zeros(len(view.candidate))}


class WritesOverItsMemory(Learns):
    def learnt(self, view: CandidateView, memory: Any) -> Any:
        if memory:
            memory["share"][:] += 1.0
            return memory
        return super().learnt(view, memory)


class RemembersOtherThings(Learns):
    def learnt(self, view: CandidateView, memory: Any) -> Any:
        learnt = super().learnt(view, memory)
        return learnt if not memory else learnt | {"reviews": np.ones(len(learnt["share"]))}


class ChangesAtFirstContact(Learns):
    def decide(self, view: CandidateView, memory: Any) -> Any:
        scores, memory = super().decide(view, memory)
        return scores, {name: array + 1.0 for name, array in memory.items()}


class ScoresOthersAtReviews(Learns):
    def decide(self, view: CandidateView, memory: Any) -> Any:
        scores, memory = super().decide(view, memory)
        return (scores if view.screenings is None else scores - scores.min()), memory


class Overwrites(Ranks):
    def score(self, view: CandidateView) -> Any:
        view.covariates[:, 1] = np.nan_to_num(view.covariates[:, 1])
        return on_grid(view.covariates[:, 1])


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        (Peeks(), "peeking"),
        (NeedsHidden(), "declares reads_latent"),
        (LooksAtOthers(), "not batch invariant"),
        (TossesACoin(), "not deterministic"),
        (Floats(), "int64 array"),
        (OneTooFew(), "int64 array"),
        (Overwrites(), "the view is changed"),
        (RemembersThoseWhoCome(), "must stay as it is at first contact"),
        (LearnsOfOtherTrials(), "not batch invariant: what is learnt in one replicate"),
        (LearnsByCandidate(), "memory must be arrays whose first axis is that of the replicates, 4 here"),
        (WritesOverItsMemory(), "what was remembered is changed"),
        (RemembersOtherThings(), "the same names, types and shapes"),
        (ChangesAtFirstContact(), "must stay as it is at first contact"),
        (ScoresOthersAtReviews(), "not batch invariant: what is learnt in one replicate, or scored by it"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_a_ranking_breaks_is_told(policy: Any, said: str) -> None:
    assert check_policy(Ranks()) == check_policy(Learns()) == []
    assert any(said in fault for fault in check_policy(policy, candidate_view(120)))


class Stops:
    name, reference, decides_on = "mine", "", "look"

    def decide(self, view: LookView, memory: Any) -> tuple[Decision, Any]:
        # The trial with the best result so far stops, which is for nobody to know.
        return Decision(stop=view.z[:, 0] >= view.z[:, 0].max()), memory


class FeedsClosedArms:
    name, reference, decides_on, adaptive = "mine", "", "allocation", True

    def decide(self, view: AllocationView, memory: Any) -> tuple[Decision, Any]:
        return Decision(weights=np.ones(view.open_arms.shape)), memory


class SaysNothing(Stops):
    def decide(self, view: LookView, memory: Any) -> tuple[Decision, Any]:
        return Decision(), memory


class CountsTrials(SaysNothing):
    """Goes on, and remembers how many trials it is asked about, which is for nobody to know."""

    def decide(self, view: LookView, memory: Any) -> tuple[Decision, Any]:
        return Decision(stop=view.is_last), {"trials": np.full(len(view.look), len(view.look))}


class StopsByOthersMemories(SaysNothing):
    """Remembers a result, and stops where it was above the mean of all that it remembers."""

    def decide(self, view: LookView, memory: Any) -> tuple[Decision, Any]:
        stop = memory["z"] > memory["z"].mean() if memory else view.is_last
        return Decision(stop=stop), {"z": view.z[:, 0].copy()}


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        (Stops(), "not batch invariant"),
        (FeedsClosedArms(), "an arm that is closed"),
        (SaysNothing(), "must say of each replicate"),
        (CountsTrials(), "not batch invariant"),
        (StopsByOthersMemories(), "not batch invariant"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_a_decision_breaks_is_told(policy: Any, said: str) -> None:
    assert any(said in fault for fault in check_policy(policy))


class CountsTheOthers:
    name, reference, decides_on = "mine", "", "visit"

    def decide(self, view: VisitView, memory: Any) -> Any:
        return self.at_visit(view), memory

    def at_visit(self, view: VisitView) -> Any:
        return np.where(view.serious > view.serious.mean(), REDUCE, NOTHING)


class Interrupts(CountsTheOthers):
    def at_visit(self, view: VisitView) -> Any:
        return np.where(view.serious > 0, INTERRUPT, NOTHING)


class SaysYes(CountsTheOthers):
    def at_visit(self, view: VisitView) -> Any:
        return view.serious > 0


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        (CountsTheOthers(), "not batch invariant: some patients"),
        (Interrupts(), "something other than NOTHING, REDUCE or DISCONTINUE"),
        (SaysYes(), "a whole number for each of 120 rows"),
    ],
)
def test_monitoring_that_breaks_a_rule_is_told(policy: Any, words: str) -> None:
    assert any(words in sentence for sentence in check_policy(policy))


class Undecided:
    name, reference = "mine", ""

    def decide(self, view: Any, memory: Any) -> Any:
        return None, memory


def test_a_policy_says_what_it_decides_on_and_has_one_method() -> None:
    assert (
        "decides_on must be one of candidate, site, allocation, visit, look" in check_policy(Undecided())[0]
    )

    class Silent:
        decides_on = "look"

    assert "decide(view, memory)" in check_policy(Silent())[0]


def own_policy(root: Path) -> Any:
    """Return the ranking that the documents show."""
    (text,) = re.findall(
        r"```python\n(.*?)```", (root / "docs" / "policies.md").read_text(encoding="utf-8"), re.S
    )
    names: dict[str, Any] = {}
    exec(compile(text, "docs/policies.md", "exec"), names)
    return names["BySite"]


def test_the_ranking_of_the_documents_keeps_the_rules_and_learns_in_both_engines(root: Path) -> None:
    ranking = own_policy(root)
    assert check_policy(ranking(5)) == []
    tree, grid = REVIEW_SCENARIOS["learnt_from_screenings"]
    plan = build_plan(scenario_from(tree, FOLDER), "learns", next(iter(tree["truths"])), 3, grid)
    plan = replace(plan, recruitment=ranking(12))
    assert twin_difference(plan, range(8)) is None
    chunk = conduct(start_engine(plan, "fast").start(np.arange(8))).chunk
    assert any(row.kind == Kind.RESCORED and row.value != 500 for k in range(8) for row in chunk.log(k))


def test_the_ranking_of_the_documents_stands_in_a_scenario_once_its_package_registers_it(
    root: Path, packages: Path
) -> None:
    documents = (root / "docs" / "policies.md").read_text(encoding="utf-8")
    (text,) = re.findall(r"```python\n(.*?)```", documents, re.S)
    ((group, name, module, value),) = re.findall(
        r'entry-points\."(trialsim\.\w+)"\] "([\w.]+)" = "(\w+):(\w+)"', documents
    )
    write_package(packages, module, text, group, name, value)
    assert name in registry.names("policies")
    tree, grid = REVIEW_SCENARIOS["learnt_from_screenings"]
    design = tree["designs"]["learns"] | {"policies": {"recruitment": {"by_site": {"sites": 12}}}}
    named = scenario_from(tree | {"designs": {"learns": design}}, FOLDER)
    plan = build_plan(named, "learns", next(iter(tree["truths"])), 3, grid)
    assert plan.recruitment.name == "by_site"
    assert twin_difference(plan, range(2)) is None
