"""Which truths are null is told as cells of a run have it, without solving where the number that is tested is stated."""

from __future__ import annotations

from typing import Any

import pytest

import trialsim.engines.laws
from tests.unit.test_unattainable_ratios import counted, few_patients, written
from trialsim.engines.cell_facts import cell_table
from trialsim.engines.plan import build_plan
from trialsim.errors import ScenarioError, UsageError
from trialsim.oc import null_truths
from trialsim.oc.certificate import certify
from trialsim.oc.null_truths import is_null_throughout, null_hypotheses
from trialsim.scenario.load import scenario_from
from trialsim.scenario.reading import parse_yaml
from trialsim.scenario.schema import Scenario

__all__ = ["counted", "few_patients"]

RATIO = "endpoints.death.effect.high"
TRUTHS = {
    "better": {}, "null": {RATIO: 1.0}, "worse": {RATIO: 1.3}, "hardly": {RATIO: 0.999}, "far": {RATIO: 0.01},
    "far_worse": {RATIO: 90},
}  # fmt: skip
ATTAINABLE = ["better", "null", "worse", "hardly"]


def scenario(**changes: Any) -> Scenario:
    """Return the world with other hypotheses' keys, parts or endpoint's keys."""
    tree = parse_yaml(written(sd=2.0, truths=TRUTHS))
    tree["hypotheses"]["primary"] |= changes.pop("hypothesis", {})
    tree["endpoints"]["death"] |= changes.pop("death", {})
    tree["designs"]["small"] |= changes.pop("design", {})
    return scenario_from(tree | changes)


BOTH = {
    "arms": ["control", "low", "high"],
    "tests": {"primary": {"alpha": 0.0125}, "second": {"alpha": 0.0125}},
}
AS_STATED: dict[str, dict[str, Any]] = {
    "log-rank": {},
    "modifier": {"death": {"modifiers": {"x": -0.8}}},
    "harm": {"hypothesis": {"direction": "higher"}},
    "two tests": {"design": BOTH},
    "cox": {"hypothesis": {"analysis": "cox"}},
}
SOLVED: dict[str, dict[str, Any]] = {
    "two treatments": {"hypothesis": {"arms": ["high", "low"]}, "design": {"arms": ["control", "low", "high"]}},
    "restricted mean": {"hypothesis": {"analysis": {"restricted_mean": {"up_to": "1 year"}}, "direction": "higher"}},
    "drift": {"death": {"drift": {"per_year": 0.3}}},
    "covariates": {"hypothesis": {"analysis": {"cox": {"covariates": ["x"]}}}},
    "follow-up of another": {
        "design": {"tests": {"third": {"alpha": 0.025}}},
        "hypotheses": {
            "primary": {"endpoint": "death", "arms": ["high", "control"], "analysis": "logrank", "direction": "lower"},
            "third": {
                "endpoint": "death", "arms": ["high", "control"], "analysis": "logrank", "direction": "lower",
                "follow_up": "6 months",
            },
        },
    },
    "life": {
        "discontinuation": {"any": {"baseline": {"median": "2 years"}}}, "treatment": {"effect_stops": True},
    },
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", [*AS_STATED, *SOLVED])
def test_nulls_are_those_of_the_table_of_cells(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    changed = scenario(**(AS_STATED | SOLVED)[name])
    cells = cell_table([build_plan(changed, "small", truth, 1) for truth in ATTAINABLE]).to_pylist()
    expected = {
        truth: [cell["hypothesis"] for cell in cells if cell["truth"] == truth and cell["null"]]
        for truth in ATTAINABLE
    }
    built = []

    def building(*arguments: Any) -> Any:
        built.append(arguments[2])
        return build_plan(*arguments)

    monkeypatch.setattr(null_truths, "build_plan", building)
    assert {truth: null_hypotheses(changed, "small", truth) for truth in ATTAINABLE} == expected
    assert built == ([] if name in AS_STATED else ATTAINABLE)
    whole = [truth for truth in ATTAINABLE if is_null_throughout(changed, "small", truth)]
    assert whole == [
        truth for truth in ATTAINABLE if len(expected[truth]) == len(changed.designs["small"].tests)
    ]


def test_a_certificate_asks_nothing_of_truths_that_are_not_named(counted: list[int]) -> None:
    """One is null and left out; two have ratios that cannot be had, which only those who name them are told."""
    changed = scenario()
    found = certify(changed, "small", ["null"], 0.03, 100)
    assert [point.truth for point in found.points] == ["null"]
    assert found.left_out == ("worse",)
    with pytest.raises(ScenarioError, match="far_worse"):
        certify(changed, "small", ["null", "far_worse"], 0.03, 100)
    with pytest.raises(ScenarioError, match="far_worse"):
        certify(changed, "small", None, 0.03, 100)
    with pytest.raises(UsageError, match="no tested hypothesis is null under better"):
        certify(changed, "small", ["better"], 0.03, 100)
    tried = {"null": TRUTHS["null"], "worse": TRUTHS["worse"]}
    tree = changed.dump() | {"truths": tried | {"far": TRUTHS["far"]}}
    every = certify(scenario_from(tree), "small", None, 0.03, 100)
    assert [point.truth for point in every.points] == ["null", "worse"] and every.left_out == ()


def test_no_ratio_is_solved_for_where_what_is_stated_tells(
    counted: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def solving(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(trialsim.engines.laws, "_conditional_ratios", solving)
    changed = scenario()
    told = [truth for truth in ATTAINABLE if is_null_throughout(changed, "small", truth)]
    assert told == ["null", "worse"]
    assert set(counted) <= {64}  # whether those that are null can be had at all
