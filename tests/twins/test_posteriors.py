"""Every Bayesian model in both engines: their posteriors are the same to the last bit, and decide trials."""

from __future__ import annotations

import numpy as np
import pytest

from tests.twins.posteriors import ENDPOINTS, FIRST, compared, tree
from trialsim.conformance import check_twins
from trialsim.contracts import Status, Stop
from trialsim.engines.conduct import conduct
from trialsim.engines.plan import build_plan
from trialsim.engines.records import columns_of
from trialsim.engines.runner import start_engine
from trialsim.scenario.load import scenario_from
from trialsim.timegrid import TICKS_PER_DAY


@pytest.mark.parametrize("kind", ENDPOINTS)
@pytest.mark.parametrize("grid", [1, TICKS_PER_DAY])
def test_the_engines_agree(kind: str, grid: int) -> None:
    found = check_twins(scenario_from(tree(kind)), None, None, range(4), grid=grid)
    assert not found, "\n".join(found)


@pytest.mark.parametrize("kind", ENDPOINTS)
def test_posteriors_are_had_and_rules_decide(kind: str) -> None:
    plan = build_plan(scenario_from(tree(kind)), "by_posterior", "world", 1)
    result = conduct(start_engine(plan, "fast").start(np.arange(80)))
    good = (result.status == Status.OK) | np.isin(result.status, [Status.OUTSIDE_RANGE])
    assert good.mean() > 0.95
    assert len(set(columns_of(result)["decisions"]["rule"])) > 1


def test_an_analysis_that_may_not_be_decided_on_stops_the_automation() -> None:
    # Three events are needed for each covariate: few trials have as many at the first look of this one.
    changed = tree("survival")
    changed["hypotheses"] = {"cox": changed["hypotheses"]["cox_laplace_1"]}
    changed["endpoints"]["outcome"]["baseline"] = {"median": "90 days"}
    design = changed["designs"]["by_posterior"]
    design |= {"tests": {"cox": {"alpha": 0.05}},
               "decisions": [{"do": "stop_for_success", "when": {"posterior": {"above": 0.99}}}]}  # fmt: skip
    plan = build_plan(scenario_from(changed), "by_posterior", "world", 1)
    result = conduct(start_engine(plan, "fast").start(np.arange(100)))
    refused = result.status[:, 0] == Status.OUTSIDE_RANGE
    assert refused.sum() > 20
    assert (result.ends.reason[refused] == Stop.NO_ANALYSIS).all()
    assert not result.rejected[refused].any()
    assert not check_twins(scenario_from(changed), None, ["world"], range(6))


@pytest.mark.parametrize("name", FIRST)
@pytest.mark.parametrize("grid", [1, TICKS_PER_DAY])
def test_the_engines_agree_on_what_else_is_asked(name: str, grid: int) -> None:
    found = check_twins(scenario_from(compared(name)), None, None, range(4), grid=grid)
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) if name == "unknown" else name for name in FIRST]
)
def test_every_other_rule_decides(name: str) -> None:
    rules = len(compared(name)["designs"]["by_posterior"]["decisions"])
    decided: set[int] = set()
    for truth in ("world", "null"):
        plan = build_plan(scenario_from(compared(name)), "by_posterior", truth, 1)
        found = columns_of(conduct(start_engine(plan, "fast").start(np.arange(150))))["decisions"]
        decided |= set(found["rule"].tolist())
    assert decided == set(range(rules + 1))
