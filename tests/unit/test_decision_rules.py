"""What decision rules decide on views worked out by hand, and what is said of rules that cannot be."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest

from tests.twins.bayesian import FOUR_ARMS, TWO_ARMS
from tests.twins.posteriors import compared
from tests.unit.test_policies import facts, view
from trialsim.cli.run_commands import list_command
from trialsim.contracts import LookView, OutcomesSeen, Stop
from trialsim.engines.plan import build_plan
from trialsim.errors import ScenarioError
from trialsim.policies.decision_rules import DecisionRules
from trialsim.report.story import explain
from trialsim.scenario.load import scenario_from
from trialsim.stats.bayes.beta_binomial import difference_above

FUTILE = {"do": "stop_for_futility", "when": {"posterior": {"above": 0.9}}}


def rules(
    decisions: list[dict[str, Any]], tree: dict[str, Any] = FOUR_ARMS, design: str = "adaptive"
) -> DecisionRules:
    changed = copy.deepcopy(tree)
    changed["designs"] = {design: changed["designs"][design] | {"decisions": decisions}}
    return build_plan(scenario_from(changed), design, "world", 1).stopping  # type: ignore[return-value]


def seen(n: list[list[int]], good: list[list[int]], **changes: Any) -> LookView:
    """Return a view of four arms, the tests comparing the last with the first, harm always one in five."""
    readouts = np.array(n)
    size, arms = readouts.shape
    both = OutcomesSeen(
        np.stack([readouts, readouts], axis=1),
        np.stack([np.array(good, dtype=float), readouts // 5], axis=1),
        np.zeros((size, 2, arms), dtype=np.int64),
    )
    parts = {"seen": both, "test_arms": np.array([[3, 0], [3, 0]]), "arm_enrolled": readouts} | changes
    z = parts.pop("z", [[0.0, 0.0]] * size)
    return view(z, arms=4, **parts)


def test_the_first_rule_that_holds_decides() -> None:
    policy = rules([
        {"do": "stop_for_futility", "when": {"posterior": {"below": 0.05}}},
        {"do": "stop_for_success", "tests": ["gain"], "when": {"posterior": {"above": 0.95}}},
    ])  # fmt: skip
    decision, _ = policy.decide(seen([[40] * 4] * 3, [[20, 0, 0, 5], [5, 0, 0, 20], [10, 0, 0, 11]]), {})
    stop, reason, reject, futile, _ = facts(decision)
    assert stop == [True, True, False]
    assert reason == [Stop.FUTILITY, Stop.EFFICACY, Stop.CONTINUE]
    assert reject == [[False, False], [True, False], [False, False]]
    assert futile == [[True, True], [False, False], [False, False]]
    assert decision.rule is not None and decision.rule.tolist() == [1, 2, 0]
    assert decision.trace is not None
    expected = difference_above(0.0, 0.5 + 11, 0.5 + 29, 0.5 + 10, 0.5 + 30)
    assert decision.trace[2, policy.quantities.index("posterior gain")] == pytest.approx(expected, abs=1e-12)


def test_all_and_any_join_conditions() -> None:
    high, low = {"posterior": {"above": 0.9}}, {"posterior": {"test": "safety", "above": 0.999}}
    here = seen([[40] * 4], [[5, 0, 0, 20]])
    for join, holds in (("all", False), ("any", True)):
        decision, _ = rules([{"do": "stop_for_success", "when": {join: [high, low]}}]).decide(here, {})
        assert facts(decision)[0] == [holds]


def test_arms_are_dropped_until_nothing_changes_and_the_last_is_superior() -> None:
    policy = rules([
        {"do": "stop_for_superiority", "when": {"best": {"above": 0.99}}},
        {"do": "drop_arms", "when": {"best": {"below": 0.3}}},
    ])  # fmt: skip
    decision, _ = policy.decide(seen([[50] * 4] * 2, [[10, 20, 18, 16], [20, 20, 20, 20]]), {})
    stop, reason, _, _, open_arms = facts(decision)
    # In the first trial no arm is far ahead, but one after the other falls below 0.3 of those that are left.
    assert stop == [True, False]
    assert reason == [Stop.SUPERIORITY, Stop.CONTINUE]
    assert open_arms[1] == [True] * 4


def test_an_arm_is_dropped_by_its_own_test() -> None:
    policy = rules([{"do": "drop_arms", "when": {"posterior": {"below": 0.1}}}])
    decision, _ = policy.decide(seen([[50] * 4] * 2, [[25, 0, 0, 10], [10, 0, 0, 25]]), {})
    _, _, _, futile, open_arms = facts(decision)
    assert open_arms == [[True, True, True, False], [True] * 4]
    assert futile == [[True, True], [False, False]]


def test_equivalence_stops_where_all_rates_lie_together() -> None:
    policy = rules([{"do": "stop_for_equivalence", "when": {"equivalent": {"within": 0.1, "above": 0.9}}}])
    decision, _ = policy.decide(
        seen([[900] * 4, [900] * 4], [[300, 301, 299, 300], [300, 301, 299, 200]]), {}
    )
    assert facts(decision)[1] == [Stop.EQUIVALENCE, Stop.CONTINUE]


def test_thresholds_and_looks_are_those_of_the_look() -> None:
    policy = rules([
        {"do": "stop_for_success", "when": {"posterior": {"above": [0.999, 0.6, 0.6, 0.6]}}},
        {"do": "stop_for_futility", "when": {"posterior": {"above": 0.5}}, "looks": [3]},
    ])  # fmt: skip
    decision, _ = policy.decide(seen([[40] * 4] * 3, [[10, 0, 0, 14]] * 3, look=np.array([0, 1, 2])), {})
    assert decision.rule is not None and decision.rule.tolist() == [0, 1, 1]


def test_at_the_last_look_every_test_is_judged() -> None:
    last = {"is_last": np.ones(2, dtype=bool), "z": np.array([[2.6, 1.0], [1.0, 1.0]])}
    decision, _ = rules([]).decide(seen([[40] * 4] * 2, [[10] * 4] * 2, **last), {})
    assert facts(decision)[1:3] == ([Stop.EFFICACY, Stop.FINAL], [[True, False], [False, False]])


def test_the_largest_trial_that_can_be_is_predicted_from_the_plan() -> None:
    policy = rules(
        [
            {
                "do": "stop_for_futility",
                "when": {"predictive": {"tests": ["gain"], "at": "maximum", "below": 0.2}},
            }
        ],
        TWO_ARMS,
        "goldilocks",
    )
    readouts = np.array([[10, 10]])
    both = OutcomesSeen(
        np.stack([readouts, readouts], axis=1),
        np.array([[[6.0, 3.0], [2.0, 2.0]]]),
        np.array([[[2, 1], [0, 0]]]),
    )
    here = view(
        [[0.0, 0.0]], arms=2, seen=both, test_arms=np.array([[1, 0]] * 2), arm_enrolled=np.array([[12, 11]])
    )
    decision, _ = policy.decide(here, {})
    assert decision.trace is not None
    # By hand: 2 + 18 more on control, 1 + 19 on treatment, all outcomes that can come.
    from scipy.stats import betabinom

    expected = 0.0
    for i in range(21):
        for j in range(21):
            shapes = (0.5 + 3 + j, 0.5 + 27 - j, 0.5 + 6 + i, 0.5 + 24 - i)
            if difference_above(0.0, *shapes) > 0.8:
                expected += betabinom(20, 6.5, 4.5).pmf(i) * betabinom(20, 3.5, 7.5).pmf(j)
    assert decision.trace[0, 0] == pytest.approx(expected, abs=1e-10)


@pytest.mark.parametrize(
    ("change", "where", "words"),
    [
        ({"kind": "group_sequential"}, "decisions", "use kind: bayesian"),
        ({"bounds": {"efficacy_z": [2, 2, 2, 2]}}, "bounds", "decisions, not bounds"),
        ({"decisions": [FUTILE | {"when": {"posterior": {"test": "gian", "above": 0.9}}}]}, "test", "gain"),
        ({"decisions": [{"do": "stop_for_success", "when": {"best": {"arm": "hihg", "above": 0.9}}}]}, "arm", "high"),
        ({"decisions": [FUTILE | {"when": {"posterior": {"above": [0.9, 0.8]}}}]}, "above", "2 thresholds"),
        ({"decisions": [FUTILE | {"looks": [9]}]}, "looks", "look 9"),
        ({"decisions": [FUTILE | {"when": {"posterior": {"above": 0.9, "below": 0.1}}}]}, "when", "above"),
        ({"decisions": [{"do": "stop_for_futility", "when": {}}]}, "when", "a condition is expected"),
        ({"policies": {"stopping": {"drop_arms": {"look": 1, "keep": 1}}}}, "stopping", "its decisions decide"),
    ],
)  # fmt: skip
def test_rules_that_cannot_be_are_refused_with_a_sentence(
    change: dict[str, Any], where: str, words: str
) -> None:
    tree = copy.deepcopy(FOUR_ARMS)
    tree["designs"]["adaptive"] |= change
    with pytest.raises(ScenarioError) as refused:
        scenario_from(tree)
    assert any(where in str(problem) and words in str(problem) for problem in refused.value.problems), (
        refused.value
    )


def test_one_arm_needs_a_rate_and_two_arms_none() -> None:
    tree = copy.deepcopy(TWO_ARMS)
    tree["hypotheses"]["gain"]["arms"] = ["treatment"]
    tree["hypotheses"]["safety"]["analysis"]["beta_binomial"]["rate"] = 0.3
    with pytest.raises(ScenarioError) as refused:
        scenario_from(tree)
    text = str(refused.value)
    assert "one arm alone is compared with a rate" in text
    assert "two arms are compared with each other" in text


def test_patients_to_come_go_to_the_open_arms_alone() -> None:
    from trialsim.policies.probabilities import Probabilities

    plan = build_plan(scenario_from(FOUR_ARMS), "adaptive", "world", 1)
    asked = Probabilities(plan.tests, [0.9, 0.9], 80, plan.allocation.ratio, balanced=True)
    every, some = np.ones((1, 4), dtype=bool), np.array([[True, False, False, True]])
    here = {"arm_enrolled": np.array([[10, 9, 9, 11]])}
    n = [[8] * 4]
    assert asked._to_come(seen(n, n, **here, open_arms=every), 0).tolist() == [[10, 9]]
    assert asked._to_come(seen(n, n, **here, open_arms=some), 0).sum() == 80 - 39


def test_equivalence_utility_and_safety_are_weighed_as_defined() -> None:
    policy = rules([
        {"do": "stop_for_safety", "when": {"posterior": {"test": "safety", "below": 0.5}}},
        {"do": "stop_for_equivalence", "when": {"posterior": {"within": 0.2, "above": 0.9}}},
        {"do": "stop_for_success", "when": {"utility": {"weights": {"gain": 2, "safety": 1}, "above": 0.3}}},
    ])  # fmt: skip
    effect = np.array([[0.1, 0.2], [0.2, 0.02], [0.2, -0.1]])
    # Harm is equally frequent in both arms, and 0.1 more of it is allowed.
    here = seen([[60] * 4] * 3, [[20, 0, 0, 50], [20, 0, 0, 21], [20, 0, 0, 40]], effect=effect)
    decision, _ = policy.decide(here, {})
    assert decision.trace is not None and decision.rule is not None
    within = decision.trace[1, policy.quantities.index("posterior gain within 0.2")]
    shapes = (0.5 + 21, 0.5 + 39, 0.5 + 20, 0.5 + 40)
    assert within == pytest.approx(
        difference_above(-0.2, *shapes) - difference_above(0.2, *shapes), abs=1e-12
    )
    utility = decision.trace[:, policy.quantities.index("utility 2 gain + 1 safety")]
    # Less harm is the benefit: its effect counts with the other sign.
    assert utility == pytest.approx([2 * 0.1 - 0.2, np.nan, 2 * 0.2 + 0.1], nan_ok=True)
    assert decision.rule.tolist() == [0, 2, 3]
    worse = rules([{"do": "stop_for_safety", "when": {"posterior": {"test": "safety", "below": 0.9999}}}])
    stop, reason, reject, futile, _ = facts(worse.decide(here, {})[0])
    assert stop == [True] * 3
    assert reason == [Stop.SAFETY] * 3
    assert not np.any(reject)
    assert np.all(futile)


def test_what_is_not_two_arms_has_no_equivalence() -> None:
    with pytest.raises(ScenarioError, match="beyond asks for a benefit, within for equivalence"):
        rules(
            [
                {
                    "do": "stop_for_equivalence",
                    "when": {"posterior": {"within": 0.1, "beyond": 0.1, "above": 0.9}},
                }
            ]
        )
    with pytest.raises(ScenarioError, match="the test 'gian' is unknown"):
        rules([{"do": "stop_for_success", "when": {"utility": {"weights": {"gian": 1}, "above": 0.9}}}])


def test_models_with_a_prior_are_for_designs_that_know_of_it() -> None:
    changed = copy.deepcopy(TWO_ARMS)
    changed["hypotheses"]["gain"]["analysis"] = {"logistic_laplace": {}}
    changed["designs"] = {"bigger": {
        "kind": "multi_arm_multi_stage", "n": 60, "looks": _two_looks(), "tests": {"gain": {"alpha": 0.025}},
        "allocation": {"permuted_blocks": {"size": 4}},
    }}  # fmt: skip
    with pytest.raises(
        ScenarioError, match="logistic_laplace has a prior, which the tests of this design know nothing of"
    ):
        scenario_from(changed)
    adaptive = copy.deepcopy(TWO_ARMS)
    adaptive["hypotheses"]["gain"]["analysis"] = {"logistic_laplace": {}}
    with pytest.raises(ScenarioError) as refused:
        scenario_from(adaptive)
    assert "success of gain, analysed by logistic_laplace, cannot be predicted" in str(refused.value)
    assert "0.2 is not above 1; logistic_laplace compares arms by their ratio" in str(refused.value)
    assert "0.05 is no ratio" not in str(refused.value)
    adaptive["hypotheses"]["gain"]["analysis"] = {"logistic_nuts": {}}
    with pytest.raises(ScenarioError) as refused:
        scenario_from(adaptive)
    asked = "is not for logistic_nuts, by which gain is analysed; name other hypotheses whose margins are those effects"
    assert asked in str(refused.value)
    far = copy.deepcopy(TWO_ARMS)
    far["designs"]["weighed"]["decisions"][1]["when"]["posterior"]["within"] = 1.2
    with pytest.raises(
        ScenarioError, match=r"1\.2 is no difference of probabilities; give one between -1 and 1"
    ):
        scenario_from(far)
    compared = copy.deepcopy(FOUR_ARMS)
    compared["hypotheses"]["gain"]["analysis"] = {"logistic_laplace": {}}
    with pytest.raises(
        ScenarioError, match="compares the arms on the first test, gain, which is analysed by"
    ):
        scenario_from(compared)


def test_success_of_hazards_is_predicted_where_follow_up_is_told() -> None:
    tree = compared("survival")
    for hypothesis in tree["hypotheses"].values():
        hypothesis["analysis"] = {"gamma_exponential": {"prior_rate": "5 days"}}
    with pytest.raises(ScenarioError) as refused:
        scenario_from(tree)
    for name in tree["hypotheses"]:
        wanted = f"hypotheses.{name}.analysis.gamma_exponential.followed_for: 12 months"
        assert (wanted in str(refused.value)) == (name == "treatment_better")
    short = {"at": "9 days", "prior_rate": "5 days", "followed_for": "5 days"}
    tree["hypotheses"]["treatment_better"]["analysis"] = {"piecewise_exponential": short}
    with pytest.raises(
        ScenarioError, match="at: survival at 9 days is compared, and followed_for ends at 5 days"
    ):
        scenario_from(tree)


def test_it_is_listed_what_rules_may_ask_of_a_model(capsys: pytest.CaptureFixture[str]) -> None:
    list_command("posteriors")
    lines = capsys.readouterr().out.splitlines()
    told = dict(zip(lines[::2], lines[1::2], strict=True))
    for name, asked in {
        "beta_binomial": "posterior, beyond, within, best, equivalent, predictive",
        "piecewise_exponential": "posterior, beyond, within, predictive",
        "cox_laplace": "posterior, beyond, within",
        "event_rate": "posterior, predictive",
        "weibull_nuts": "posterior",
    }.items():
        assert told[name].endswith(f" Decision rules may ask for: {asked}.")


def _two_looks() -> list[dict[str, Any]]:
    return [{"when": {"readouts": {"count": count, "endpoint": "response"}}} for count in (30, 60)]


def test_a_trial_whose_accrual_ended_and_one_that_was_refused_are_told() -> None:
    scenario = scenario_from(TWO_ARMS)
    told = [explain(scenario, "goldilocks", "world", replicate).sentences for replicate in range(6)]
    # After an end of accrual the last look, the fourth, follows whichever look decided on it.
    ended = [
        text for text in told if any("stop accrual: " in each and each.endswith(": done.") for each in text)
    ]
    assert ended
    for text in ended:
        looks = [each for each in text if each.startswith("Look ")]
        assert looks[-1].startswith("Look 4, due at 60 readouts of response")
    refused = copy.deepcopy(TWO_ARMS)
    refused["hypotheses"]["gain"]["analysis"] = {"logistic_laplace": {}}
    rule = {"do": "stop_for_success", "when": {"posterior": {"test": "gain", "above": 0.99}}}
    refused["designs"] = {"goldilocks": refused["designs"]["goldilocks"] | {
        "decisions": [rule], "looks": [{"when": {"enrolled": 8}}, {"when": {"enrolled": 60}}],
    }}  # fmt: skip
    text = " ".join(explain(scenario_from(refused), "goldilocks", "world", 1).sentences)
    assert "too few patients or events for the approximation" in text
    assert "because an analysis could not be had on which to decide at look 1" in text
