"""Hypotheses about adverse events: what is refused, what is true, what a single arm's posterior is."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from scipy import stats

from trialsim import registry
from trialsim.analyses.bayesian.array_cut import cut_of
from trialsim.engines.plan import build_plan
from trialsim.engines.true_values import true_value_with_error
from trialsim.errors import ScenarioError
from trialsim.scenario.load import load_scenario, scenario_from

PATH = Path(__file__).resolve().parents[2] / "scenarios" / "safety_stopping" / "safety_stopping.yaml"


def tree() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(PATH.read_text(encoding="utf-8"))
    return found


@pytest.mark.parametrize("lower", [True, False])
def test_a_single_arm_is_compared_with_a_rate(lower: bool) -> None:
    arm = np.ones(20, dtype=int)
    days, counts = np.linspace(5.0, 30.0, 20), np.arange(20) % 3
    found = registry.get("posteriors", "gamma_poisson")().posterior(
        cut_of(arm, days, counts), lower, {"prior_rate": 10.0, "limit": 0.05, "margin_ratio": 1.2}
    )
    law = stats.gamma(0.5 + counts.sum(), scale=1 / (10.0 + days.sum()))
    assert found.probability[0] == pytest.approx(law.cdf(0.06) if lower else law.sf(0.06))
    assert np.exp([found.lower[0], found.upper[0]]) * 0.05 == pytest.approx(law.ppf([0.025, 0.975]))
    grades = np.arange(20) % 4
    found = registry.get("posteriors", "dirichlet_multinomial")().posterior(
        cut_of(arm, grades), lower, {"prior_alpha": [1.0] * 4, "grade": 2, "limit": 0.4, "margin": 0.1}
    )
    beta = stats.beta(2 + 10, 2 + 10)
    assert found.probability[0] == pytest.approx(beta.cdf(0.3) if lower else beta.sf(0.5))
    assert (found.mean[0], found.sd[0]) == pytest.approx((beta.mean() - 0.4, beta.std()))


@pytest.mark.parametrize("truth", ["harmless", "harmful"])
def test_true_values_are_those_of_constant_intensities(truth: str) -> None:
    plan = build_plan(load_scenario(PATH), "by_counts", truth, 1)
    ratio = {"harmless": 1.0, "harmful": 3.5}[truth]
    test = plan.tests[1]
    value, error = true_value_with_error(plan, test, 1, 0)
    assert value == pytest.approx(math.log(ratio), abs=5 * error)
    assert 0.001 < error < 0.02
    plan = build_plan(load_scenario(PATH), "by_grade", truth, 1)
    severe = 1 - math.exp(-ratio * (3 * 0.3 + 4 * 0.05) * 42 / 365.25)
    test = plan.tests[1]
    value, error = true_value_with_error(plan, test, 1, 1)
    assert value == pytest.approx(severe - 0.25, abs=5 * error)


def _refused(changed: dict[str, Any]) -> str:
    with pytest.raises(ScenarioError) as refused:
        scenario_from(changed)
    return str(refused.value)


def test_what_cannot_be_counted_is_refused_all_at_once() -> None:
    changed = tree()
    hypotheses, designs = changed["hypotheses"], changed["designs"]
    hypotheses["tolerable"]["analysis"] = {
        "dirichlet_multinomial": {"at_least": "severe", "terms": ["hepatics"], "prior_alpha": [1, 1, 1, 1]}
    }
    hypotheses["not_twice_as_many"]["analysis"] = "logrank"
    designs["by_grade"]["kind"] = "group_sequential"
    del designs["by_grade"]["decisions"]
    designs["by_counts"]["tests"] = dict(reversed(designs["by_counts"]["tests"].items()))
    words = _refused(changed)
    for sentence in (
        "the adverse event 'hepatics' is unknown; allowed: hepatic, rash. Did you mean 'hepatic'?",
        "adverse events here have the severities 1, 2, 3, 4, 5",
        "4 numbers are given; give 6: for none, 1, 2, 3, 4, 5",
        "logrank does not suit adverse events; allowed: gamma_poisson, dirichlet_multinomial",
        "is about adverse events, which a group_sequential design does not test; take kind: bayesian",
        "is about adverse events; the first test is of an endpoint, whose patients looks count: name one before it",
    ):
        assert sentence in words
    changed = tree()
    del changed["adverse_events"]
    changed["truths"] = {"harmless": {}}
    assert "there are no adverse events in this scenario (adverse_events)" in _refused(changed)
    changed = tree()
    changed["hypotheses"]["gain"]["analysis"] = {"gamma_poisson": {"prior_rate": "9 days"}}
    assert "gamma_poisson does not suit the binary endpoint 'response'" in _refused(changed)
