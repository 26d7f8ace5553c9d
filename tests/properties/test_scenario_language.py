"""Properties of the scenario language: whatever is written ends in a scenario or in sentences."""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic_core import PydanticCustomError

from trialsim.errors import Problem, ScenarioError
from trialsim.scenario import reading
from trialsim.scenario.load import load_scenario, scenario_from, scenario_from_text
from trialsim.scenario.reading import parse_yaml
from trialsim.scenario.resolve import merged
from trialsim.scenario.units import parse_duration, parse_rate, readable_duration, write_duration, write_rate
from trialsim.scenario.writing import canonical_yaml

RICH = Path(__file__).parents[1] / "unit/scenario_rich.yaml"

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from(
        ["control", "primary", "survival", "90 days", "2 per month", "logrank", "fixed", "*", "extends"]
    ),
)
KEYS = st.one_of(
    st.text(max_size=10),
    st.sampled_from(
        ["name", "arms", "endpoints", "designs", "truths", "kind", "looks", "when", "extends", "grid", "n"]
    ),
)
TREES = st.recursive(
    SCALARS, lambda part: st.lists(part, max_size=4) | st.dictionaries(KEYS, part, max_size=4), max_leaves=20
)
TOP = st.dictionaries(
    st.sampled_from(
        [
            "name",
            "population",
            "accrual",
            "arms",
            "endpoints",
            "dropout",
            "hypotheses",
            "truths",
            "designs",
            "horizon",
        ]
    ),
    TREES,
)


def attempt(read: Callable[[Any], Any], written: Any) -> Any:
    """Return what is read, after a look at the sentences where it is refused."""
    problems: list[Problem] | None = None
    result: Any = None
    try:
        result = read(written)
    except ScenarioError as error:
        problems = error.problems
    assert problems is None or (problems and all(problem.message for problem in problems))
    return "refused" if problems else result


@pytest.mark.slow
@given(st.text())
def test_any_text_ends_well(text: str) -> None:
    attempt(scenario_from_text, text)


@given(st.text(alphabet="ab:,[]{}&*!|>'\"%#-? \n\t~.0e<", max_size=60))
def test_any_text_of_yaml_characters_ends_well(text: str) -> None:
    attempt(parse_yaml, text)


@given(st.binary(max_size=200))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_file_ends_well(tmp_path: Path, data: bytes) -> None:
    file = tmp_path / "any.yaml"
    file.write_bytes(data)
    with pytest.raises(ScenarioError):
        load_scenario(file)


@pytest.mark.slow
@given(TREES)
def test_any_tree_ends_well(tree: Any) -> None:
    attempt(scenario_from, tree)


@pytest.mark.slow
@given(TOP)
def test_any_tree_of_known_keys_ends_well(tree: dict[str, Any]) -> None:
    attempt(scenario_from, tree)


@pytest.mark.slow
@given(TOP, st.integers(min_value=0, max_value=2**32))
@settings(max_examples=40)
def test_any_part_of_a_good_scenario_may_be_replaced(parts: dict[str, Any], seed: int) -> None:
    tree = parse_yaml(RICH.read_text(encoding="utf-8"))
    attempt(scenario_from, tree | parts)
    section = random.Random(seed).choice(["endpoints", "hypotheses", "truths", "designs"])
    for part in parts.values():
        attempt(scenario_from, tree | {section: tree[section] | {"added": part}})


@given(TREES)
def test_yaml_reads_json_as_json_does(tree: Any) -> None:
    try:
        text = json.dumps(tree, allow_nan=False)
    except ValueError:
        return
    if len(text) > 200 or '"<<"' in text:
        return
    read = attempt(parse_yaml, text)
    # Long numbers, and what YAML does not allow in quotes, are the only reasons to refuse.
    assert read == json.loads(text) or any(character in text for character in "\\0123456789")


@given(st.text(alphabet="ab:,[]{}&*'\"#-? \n~.0e", max_size=40))
def test_both_parsers_read_alike(text: str) -> None:
    """The parser in C and the one in Python differ in messages alone."""
    answers = []
    for parser in (yaml.CSafeLoader, yaml.SafeLoader):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(reading, "_PARSER", parser)
            answers.append(repr(attempt(parse_yaml, text)))
    if "'refused'" not in answers:
        assert answers[0] == answers[1]


@given(st.floats(min_value=1e-5, max_value=365_000))
def test_durations_are_written_and_read_exactly(days: float) -> None:
    assert parse_duration(write_duration(days)) == days
    assert parse_duration(readable_duration(days)) == pytest.approx(days, rel=1e-15)


@given(st.floats(min_value=1e-12, max_value=1e6))
def test_rates_are_written_and_read_exactly(rate: float) -> None:
    assert parse_rate(write_rate(rate)) == rate


@given(SCALARS)
def test_any_quantity_ends_in_a_number_or_a_sentence(value: Any) -> None:
    for parse in (parse_duration, parse_rate):
        try:
            quantity = parse(value)
        except PydanticCustomError as refusal:
            sentence = str(refusal)
        else:
            sentence = "a number that is not negative" if quantity >= 0 else ""
        assert len(sentence) > 10


@given(TREES, TREES)
def test_what_is_laid_over_wins(base: Any, over: Any) -> None:
    result = merged(base, over)
    if isinstance(base, dict) and isinstance(over, dict):
        for key in over:
            assert (over[key] is not None) or key not in base or key not in result
        assert all(key in result for key in base if key not in over)
    else:
        assert result == over or result is over


def shuffled(tree: Any, rng: random.Random) -> Any:
    """Return a tree with the keys of its mappings in another order, where the order of tests is kept."""
    if isinstance(tree, list):
        return [shuffled(part, rng) for part in tree]
    if not isinstance(tree, dict):
        return tree
    keys = list(tree)
    rng.shuffle(keys)
    return {key: tree[key] if key == "tests" else shuffled(tree[key], rng) for key in keys}


@given(st.integers(min_value=0, max_value=2**32))
@settings(max_examples=25)
def test_the_order_of_keys_is_no_part_of_the_identity(seed: int) -> None:
    tree = parse_yaml(RICH.read_text(encoding="utf-8"))
    original = scenario_from(tree)
    other = scenario_from(shuffled(tree, random.Random(seed)))
    assert other.digest() == original.digest()
    assert other == original
    assert list(other.endpoints) == list(original.endpoints)
    for name, endpoint in original.endpoints.items():
        assert list(other.endpoints[name].covariates.items()) == list(endpoint.covariates.items())


@pytest.mark.slow
@given(st.integers(min_value=0, max_value=2**32))
@settings(max_examples=25)
def test_the_canonical_form_reads_back_to_the_same_scenario(seed: int) -> None:
    rng = random.Random(seed)
    tree = parse_yaml(RICH.read_text(encoding="utf-8"))
    tree["horizon"] = f"{rng.uniform(8, 900)!r} years"
    tree["source"] = "".join(
        rng.choice("1e3.: -#'\"\n{}[]&*!|>%@`~nulo\u00e9\u2028") for _ in range(rng.randrange(1, 12))
    )
    tree["endpoints"]["progression"]["baseline"] = {"median": f"{rng.expovariate(0.01)!r} weeks"}
    scenario = scenario_from(tree)
    for again in (scenario_from(scenario.dump()), scenario_from_text(canonical_yaml(scenario))):
        assert again == scenario
        assert again.dump() == scenario.dump()
        assert again.digest() == scenario.digest()


def test_every_truth_of_a_product_is_there() -> None:
    scenario = load_scenario(RICH)
    cells = [name for name in scenario.truths if name.startswith("ladder[")]
    assert len(cells) == 6
    found = {
        (
            scenario.world(name).endpoints["progression"].effect["low"],
            scenario.world(name).endpoints["cd4"].effect["low"],
        )
        for name in cells
    }
    assert found == set(itertools.product([1.0, 0.8, 0.6], [0.0, 10.0]))
