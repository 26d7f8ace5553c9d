"""The checker of policies passes those that keep the rules and tells those that do not by what they break."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from trialsim import registry
from trialsim.conformance import check_policy
from trialsim.conformance.sample_views import candidate_view
from trialsim.contracts import (
    INTERRUPT,
    NOTHING,
    REDUCE,
    AllocationView,
    CandidateView,
    Decision,
    LookView,
    VisitView,
)  # fmt: skip
from trialsim.policies.scores import on_grid

BY_AGE = {"by_covariate": {"covariate": "age"}}
EMULATED = {"auc": 0.8, "prevalence": 0.4, "subgroup": "group", "auc_by_level": {"B": 0.6}}
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
    "sites.reselection": {"open": 3, "close_below": 0.1, "judged_by": "posterior", "reserves": "thompson"},
}
LEARNED = (
    "recruitment.logistic",
    "recruitment.gradient_boosting",
    "recruitment.mlp",
    "randomisation.learned",
    "sites.learned",
    "stopping.learned",
)  # test_learned_rankings.py, test_learned_allocation.py, test_learned_sites.py, test_learned_stopping.py
DOES_NOTHING = ("monitoring.by_protocol",)
SHIPPED = [name for name in registry.names("policies") if name not in (*LEARNED, *DOES_NOTHING)]


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_policies_keep_the_rules(name: str) -> None:
    given = {"open": 3} if name.startswith("sites.") and name != "sites.all_open" else {}
    assert check_policy(registry.get("policies", name)(**PARAMETERS.get(name, given))) == []


class Ranks:
    name, reference, as_they_come, reads_latent = "mine", "", False, False

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
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_a_ranking_breaks_is_told(policy: Any, said: str) -> None:
    assert check_policy(Ranks()) == []
    assert any(said in fault for fault in check_policy(policy, candidate_view(120)))


class Stops:
    name, reference = "mine", ""

    def decide(self, view: LookView, memory: Any) -> tuple[Decision, Any]:
        # The trial with the best result so far stops, which is for nobody to know.
        return Decision(stop=view.z[:, 0] >= view.z[:, 0].max()), memory


class FeedsClosedArms:
    name, reference, adaptive = "mine", "", True

    def decide(self, view: AllocationView, memory: Any) -> tuple[Decision, Any]:
        return Decision(weights=np.ones(view.open_arms.shape)), memory


class SaysNothing(Stops):
    def decide(self, view: LookView, memory: Any) -> tuple[Decision, Any]:
        return Decision(), memory


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        (Stops(), "not batch invariant"),
        (FeedsClosedArms(), "an arm that is closed"),
        (SaysNothing(), "must say of each replicate"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_a_decision_breaks_is_told(policy: Any, said: str) -> None:
    assert any(said in fault for fault in check_policy(policy))


class CountsTheOthers:
    name, reference = "mine", ""

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
