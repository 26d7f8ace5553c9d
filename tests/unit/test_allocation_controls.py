"""Controls of allocation favour whom they say, as often as they say, and read nothing that they do not declare."""

from __future__ import annotations

from dataclasses import replace
from math import sqrt

import numpy as np
import pytest

from trialsim import registry
from trialsim.conformance import check_twins
from trialsim.conformance.sample_views import allocation_view
from trialsim.errors import ScenarioError
from trialsim.oc.in_memory import collect
from trialsim.scenario.load import scenario_from_text

WORLD = """
name: controls
accrual: {evenly_spaced: {rate: 10 per month}}
arms: [control, low, high]
endpoints:
  response: {kind: binary, readout: 1 week, rate: 0.4, effect: {low: 0.2, high: 0.6}, effect_measure: rate}
hypotheses:
  low: {endpoint: response, arms: [low, control], analysis: score_test, direction: higher}
  high: {endpoint: response, arms: [high, control], analysis: score_test, direction: higher}
truths: {expected: {}, none: {endpoints.response.effect.*: 0.4}}
designs:
"""
DESIGN = """
  %s: {kind: fixed, n: 60, allocation: simple, reviews: {every: {enrolled: 15}}, looks: [{when: {readouts: 60}}],
    tests: {low: {alpha: 0.025}, high: {alpha: 0.025}}, policies: {randomisation: %s}}
"""
CONTROLS = {
    "oracle": "oracle",
    "adversarial": "adversarial",
    "null": "random",
    "emulated": "{emulated: {auc: 0.8}}",
}
TRIALS = 200


@pytest.fixture(scope="module")
def scenario():  # type: ignore[no-untyped-def]
    return scenario_from_text(WORLD + "".join(DESIGN % each for each in CONTROLS.items()))


def test_both_engines_allocate_alike(scenario) -> None:  # type: ignore[no-untyped-def]
    assert check_twins(scenario, None, None, range(3), seed=5) == []


def test_who_is_favoured_in_trials(scenario) -> None:  # type: ignore[no-untyped-def]
    """15 patients at random, then the best arm, or the worst, has 0.8; without an effect all arms are alike."""
    arms = collect(scenario, list(CONTROLS), ["expected", "none"], TRIALS, 1).arms.to_pandas()
    shares = arms.groupby(["truth", "design", "arm"], observed=True)["enrolled"].mean().unstack() / 60
    favoured, other = (15 / 3 + 45 * 0.8) / 60, (15 / 3 + 45 * 0.1) / 60
    error = sqrt(0.25 / 60 / TRIALS)  # of a share; at most, as patients are drawn one by one
    for design, arm in (("oracle", "high"), ("adversarial", "low")):
        for each in ("control", "low", "high"):
            expected = favoured if each == arm else other
            assert abs(shares.loc[("expected", design), each] - expected) < 5 * error, (design, each)
            assert abs(shares.loc[("none", design), each] - 1 / 3) < 5 * error
    # Of the null control whole stretches go to one arm: a block of 15 adds a variance of its own.
    wide = sqrt(0.25 / 60 / TRIALS + 3 * (15 / 60) ** 2 * 0.49 * 2 / 9 / TRIALS)
    for each in ("control", "low", "high"):
        assert abs(shares.loc[("expected", "null"), each] - 1 / 3) < 5 * wide
    assert shares.loc[("expected", "emulated"), "high"] > 0.5


@pytest.mark.parametrize("auc", [0.2, 0.5, 0.8, 0.95])
def test_an_emulated_score_has_the_area_that_is_stated(auc: float) -> None:
    """Of two arms the better one is favoured with that probability, and in the same trials at every review."""
    n = 4000
    view = replace(
        allocation_view(n), open_arms=np.array([[True, True, False]] * n), benefit=np.array([0.0, 0.3, 0.1])
    )
    rule = registry.get("policies", "randomisation.emulated")(auc=auc, minimum=0.1)
    weights = rule.decide(view, {})[0].weights
    right = weights[:, 1] > 0.5
    assert abs(right.mean() - auc) < 5 * sqrt(auc * (1 - auc) / n)
    assert set(np.round(weights.ravel(), 12)) == {0.0, 0.1, 0.9}
    later = rule.decide(replace(view, arm_enrolled=view.arm_enrolled + 7), {})[0].weights
    assert np.array_equal(weights, later)


def test_scores_that_say_nothing_change_from_review_to_review() -> None:
    n = 3000
    view = replace(allocation_view(n), open_arms=np.ones((n, 3), dtype=bool))
    rule = registry.get("policies", "randomisation.random")(minimum=0.0)
    first = rule.decide(view, {})[0].weights.argmax(axis=1)
    second = rule.decide(replace(view, arm_enrolled=view.arm_enrolled + 1), {})[0].weights.argmax(axis=1)
    for found in (first, second):
        assert (np.abs(np.bincount(found, minlength=3) / n - 1 / 3) < 5 * sqrt(2 / 9 / n)).all()
    assert abs((first == second).mean() - 1 / 3) < 5 * sqrt(2 / 9 / n)


def test_smallest_shares_leave_room() -> None:
    """Where arms could not all have the smallest share, all are alike."""
    view = replace(allocation_view(5), open_arms=np.ones((5, 3), dtype=bool))
    weights = registry.get("policies", "randomisation.oracle")(minimum=0.5).decide(view, {})[0].weights
    assert np.allclose(weights, 1 / 3)


def test_a_control_is_not_run_again_by_a_rerandomisation_test() -> None:
    text = WORLD.replace("low: 0.2, high: 0.6", "high: 0.6").replace(
        "[control, low, high]", "[control, high]"
    )
    text = text.replace(
        "  low: {endpoint: response, arms: [low, control], analysis: score_test, direction: higher}\n", ""
    )
    text = text.replace("analysis: score_test", "analysis: rerandomised_proportions")
    design = (DESIGN % ("control", "oracle")).replace("low: {alpha: 0.025}, ", "")
    with pytest.raises(ScenarioError, match="oracle does not look at them"):
        scenario_from_text(text + design)
