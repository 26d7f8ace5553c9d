"""Bayesian designs in both engines, and that every rule of theirs comes into play."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.twins.bayesian import FOUR_ARMS, SCENARIOS, TWO_ARMS
from trialsim.conformance import check_twins
from trialsim.engines.conduct import conduct
from trialsim.engines.plan import build_plan
from trialsim.engines.records import columns_of
from trialsim.engines.runner import start_engine
from trialsim.scenario.load import scenario_from


@pytest.mark.slow
@pytest.mark.parametrize("name", SCENARIOS)
def test_the_engines_agree(name: str) -> None:
    tree, grid = SCENARIOS[name]
    found = check_twins(scenario_from(tree), None, None, range(12), grid=grid)
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("tree", "design"),
    [
        (TWO_ARMS, "goldilocks"),
        (TWO_ARMS, "weighed"),
        (TWO_ARMS, "by_enrolment"),
        (FOUR_ARMS, "adaptive"),
    ],
)
def test_every_rule_decides_some_trials_and_none_decides_others(tree: dict[str, Any], design: str) -> None:
    scenario = scenario_from(tree)
    plan = build_plan(scenario, design, "world", 1)
    tables = columns_of(conduct(start_engine(plan, "fast").start(np.arange(400))))
    rules = set(range(len(scenario.designs[design].decisions) + 1))
    assert set(tables["decisions"]["rule"]) == rules
    if plan.may_close_early:
        # The last look of a trial that was closed sees everybody who came, but for those lost.
        closed = (tables["trials"]["enrolled"] < plan.n) & (tables["trials"]["stop_look"] == len(plan.looks))
        assert closed.sum() > 5
        assert (tables["trials"]["pipeline"][closed] == 0).all()
