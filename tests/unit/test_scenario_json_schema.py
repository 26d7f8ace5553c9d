"""The JSON Schema that editors use agrees with what the loader takes."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from trialsim.scenario.json_schema import scenario_json_schema
from trialsim.scenario.load import load_scenario, scenario_from
from trialsim.scenario.reading import parse_yaml
from trialsim.scenario.starter import starter_text
from trialsim.scenario.writing import canonical_yaml

RICH = Path(__file__).with_name("scenario_rich.yaml")
SHIPPED = sorted(
    path for path in Path(__file__).parents[2].glob("scenarios/**/*.yaml") if path.name != "expected.yaml"
)


@pytest.fixture(scope="module")
def validator() -> jsonschema.Draft202012Validator:
    schema = scenario_json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


@pytest.mark.slow
@pytest.mark.parametrize("path", [RICH, *SHIPPED], ids=lambda path: path.name)
def test_shipped_scenarios_and_their_canonical_forms_validate(
    validator: jsonschema.Draft202012Validator, path: Path
) -> None:
    validator.validate(parse_yaml(path.read_text(encoding="utf-8")))
    validator.validate(parse_yaml(canonical_yaml(load_scenario(path))))


def test_the_starter_validates(validator: jsonschema.Draft202012Validator) -> None:
    validator.validate(parse_yaml(starter_text("trial")))


def test_a_file_that_extends_another_may_leave_out_and_delete(
    validator: jsonschema.Draft202012Validator,
) -> None:
    validator.validate(
        {"extends": "base.yaml", "dropout": None, "endpoints": {"progression": {"effect": {"low": 0.5}}}}
    )
    validator.validate({"extends": "base.yaml", "designs": {"fixed": {"bounds": {"futility_z": None}}}})
    assert not validator.is_valid({"extends": "base.yaml", "desings": {}})
    assert not validator.is_valid(
        {"extends": "base.yaml", "endpoints": {"progression": {"efect": {"low": 0.5}}}}
    )


@pytest.mark.parametrize(
    ("where", "value"),
    [
        (("name",), "Bad Name"),
        (("horizon",), 20),
        (("horizon",), "20 fortnights"),
        (("accrual",), {}),
        (("accrual", "piecewise", "rates", 0, "rate"), 5),
        (("arms",), []),
        (("endpoints", "cd4", "kind"), "cont"),
        (("endpoints", "cd4", "sd"), -1),
        (("endpoints", "cd4", "typo"), 1),
        (("endpoints", "progression", "effect", "low"), 0),
        (("hypotheses", "high", "analysis"), "log_rank"),
        (("hypotheses", "high", "arms"), []),
        (("truths", "as_written"), {"designs.fixed.n": 3}),
        (("truths", "as_written"), {"endpoints.cd4.sd": "wide"}),
        (("truths", "as_written"), {"grid": {"endpoints.cd4.sd": 3}}),
        (("truths", "Bad"), {}),
        (("designs", "fixed", "n"), 1.5),
        (("designs", "fixed", "allocation"), "alternate"),
        (("designs", "fixed", "allocation"), "minimisation"),
        (("designs", "fixed", "allocation"), {"minimisation": {}}),
        (("designs", "fixed", "allocation"), {"minimisation": {"factors": ["sex"] * 9}}),
        (("designs", "fixed", "allocation"), {"minimisation": {"factors": ["sex"], "measure": "spread"}}),
        (("designs", "fixed", "allocation"), {"minimisation": {"factors": ["sex"], "weights": {"sex": 0.5}}}),
        (("designs", "fixed", "allocation"), {"biased_coin": {"probability": 1.5}}),
        (("designs", "fixed", "looks"), []),
        (("designs", "fixed", "tests", "high", "alpha"), 0.7),
        (("designs", "sequential", "kind"), "adaptive"),
    ],
)
def test_what_the_loader_refuses_for_its_form_the_schema_refuses(
    validator: jsonschema.Draft202012Validator, where: tuple[Any, ...], value: Any
) -> None:
    tree = copy.deepcopy(parse_yaml(RICH.read_text(encoding="utf-8")))
    here = tree
    for key in where[:-1]:
        here = here[key]
    here[where[-1]] = value
    assert not validator.is_valid(tree)


@pytest.mark.parametrize(
    "allocation",
    [
        "biased_coin",
        {"biased_coin": {"probability": 0.7, "strata": ["sex"]}},
        {"minimisation": {"factors": []}},
        {"minimisation": {"factors": ["sex"], "measure": "sd", "weights": {"sex": 3}, "probability": 1}},
    ],
)
def test_allocations_that_favour_arms_validate_as_written_and_as_dumped(
    validator: jsonschema.Draft202012Validator, allocation: Any
) -> None:
    tree = parse_yaml(RICH.read_text(encoding="utf-8"))
    tree["designs"]["fixed"]["allocation"] = allocation
    tree["designs"]["fixed"]["arms"] = ["control", "high"]
    tree["designs"]["fixed"]["tests"] = {"high": {"alpha": 0.025}}
    tree["designs"] = {"fixed": tree["designs"]["fixed"]}
    validator.validate(tree)
    scenario = scenario_from(tree)
    validator.validate(parse_yaml(canonical_yaml(scenario)))
    assert scenario_from(scenario.dump()).digest() == scenario.digest()
