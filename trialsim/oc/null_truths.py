"""Which hypotheses of a design are null under a truth; read off where a scenario states the very number that is tested."""

from __future__ import annotations

import math
from typing import Any

from trialsim import registry
from trialsim.engines.cell_facts import truth_of
from trialsim.engines.laws import follow_up_of
from trialsim.engines.life_laws import has_life
from trialsim.engines.plan import build_plan
from trialsim.engines.unattainable import unattainable_in
from trialsim.errors import ScenarioError
from trialsim.scenario.endpoints import has_marginal_ratios
from trialsim.scenario.load import patient_table
from trialsim.scenario.schema import Scenario

_SMALLEST = 1e-9
"""Log hazard ratio below which there is no effect, as in the table of cells."""


def null_hypotheses(scenario: Scenario, design: str, truth: str) -> list[str]:
    """Return the hypotheses of a design that are null under a truth, as the table of cells of a run has them.

    Parameters
    ----------
    scenario
        A loaded scenario.
    design, truth
        Names in it.

    Raises
    ------
    ScenarioError
        If a marginal effect cannot be solved for.
    """
    world = scenario.world(truth)
    problems = list(unattainable_in(scenario, truth, world))
    if problems:
        raise ScenarioError(problems)
    told = {test: _as_stated(world, test) for test in scenario.designs[design].tests}
    if None in told.values():
        plan = build_plan(scenario, design, truth, 1, 1, patient_table(scenario))
        told |= {test.name: truth_of(plan, test).null for test in plan.tests if told[test.name] is None}
    return [test for test, null in told.items() if null]


def is_null_throughout(scenario: Scenario, design: str, truth: str) -> bool:
    """Return whether all hypotheses of a design are null under a truth; parameters as :func:`null_hypotheses`.

    Raises
    ------
    ScenarioError
        If a marginal effect cannot be solved for, unless what is stated tells that a hypothesis is not null.
    """
    tests, world = scenario.designs[design].tests, scenario.world(truth)
    if any(_as_stated(world, test) is False for test in tests):
        return False
    return len(null_hypotheses(scenario, design, truth)) == len(tests)


def _as_stated(world: Scenario, test: str) -> bool | None:
    """Return whether a hypothesis is null by the marginal hazard ratio that is stated; None where that does not tell.

    The ratio is solved for so that a Cox model of treatment alone converges to it. It is what a test is about that
    estimates this, without a margin, over the same follow-up, where nothing else changes it: what becomes of patients
    after randomisation, calendar drift or sites.
    """
    hypothesis = world.hypotheses[test]
    part = world.endpoints.get(hypothesis.endpoint)
    if part is None or not has_marginal_ratios(part) or part.drift is not None or part.site is not None:
        return None
    treatment, control = hypothesis.arms[0], hypothesis.arms[-1]
    follow_up = hypothesis.follow_up or world.horizon
    if (
        hypothesis.posterior is not None
        or registry.get("analyses", hypothesis.analysis)().estimand != "log_hazard_ratio"
        or hypothesis.covariates
        or not {"margin", "margin_ratio", "rate"}.isdisjoint(hypothesis.analysis_options)
        or has_life(world)
        or control != world.arms[0]
        or treatment not in part.effect
        or follow_up != follow_up_of(world, hypothesis.endpoint)
    ):
        return None
    stated: Any = part.effect[treatment]
    benefit = math.log(stated) * (-1.0 if hypothesis.direction == "lower" else 1.0)
    return benefit <= _SMALLEST
