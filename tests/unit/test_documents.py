"""The pages on the scenario language and on measures say what the code says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import TypeAdapter

import trialsim.scenario.schema  # noqa: F401 - so that every model is known
from trialsim import registry
from trialsim.oc.measures import definitions
from trialsim.scenario.load import load_scenario, scenario_from_text
from trialsim.scenario.reading import parse_yaml
from trialsim.scenario.units import readable_duration
from trialsim.scenario.values import Model, NumberAtom

DOCS = Path(__file__).resolve().parents[2] / "docs"
SCENARIO = (DOCS / "scenario.md").read_text(encoding="utf-8")
UNWRITTEN = {"World"}  # the parts of a scenario that a truth may change; nobody writes it


def models(base: type[Model] = Model) -> dict[str, type[Model]]:
    found = {}
    for model in base.__subclasses__():
        place = model.__module__.removeprefix("trialsim.scenario.")
        found[f"{place}.{model.__name__}"] = model
        found |= models(model)
    return found


WRITTEN = {
    name: model
    for name, model in models().items()
    if model.__module__.startswith("trialsim.") and model.model_fields and model.__name__ not in UNWRITTEN
}


def rows(table: str) -> list[list[str]]:
    lines = [line for line in table.strip().splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines[2:]]


def tables() -> dict[str, list[list[str]]]:
    """Return the rows of each table that a comment assigns to a model."""
    found = re.findall(r"<!-- keys: ([\w., ]+) -->\n\n((?:\|.*\n)+)", SCENARIO)
    return {name.strip(): rows(table) for names, table in found for name in names.split(",")}


TABLES = tables()


def plain(cell: str) -> str:
    return cell.strip("`").replace("\\|", "|")


def default_of(field: Any) -> str:
    """Return a default as the page gives it."""
    value = field.get_default(call_default_factory=True)
    if field.is_required():
        return "required"
    if value is None or value == {} or value == () or isinstance(value, (Model, dict)):
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if any(isinstance(part, NumberAtom) for part in field.metadata):
        return f"{value:.4g}"
    if isinstance(value, float):
        return "0 days" if value == 0 else readable_duration(value)
    return str(value)


def test_every_model_has_its_table() -> None:
    assert sorted(TABLES) == sorted(WRITTEN)


@pytest.mark.parametrize("name", sorted(WRITTEN))
def test_a_table_holds_every_key_with_its_default(name: str) -> None:
    fields = {field.alias or key: field for key, field in WRITTEN[name].model_fields.items()}
    listed = {plain(row[0]): row for row in TABLES[name]}
    assert list(listed) == list(fields)
    said = {key: re.sub(r"`", "", row[2]).partition(" (")[0] for key, row in listed.items()}
    assert said == {key: default_of(field) for key, field in fields.items()}


@pytest.mark.parametrize("name", sorted(WRITTEN))
def test_every_example_is_allowed(name: str) -> None:
    for key, field in WRITTEN[name].model_fields.items():
        written = field.alias or key
        (row,) = [row for row in TABLES[name] if plain(row[0]) == written]
        example = parse_yaml(plain(row[3]))
        assert list(example) == [written]
        if (name, written) == ("schema.Scenario", "truths"):
            continue  # grids are expanded before models are built; the whole examples below hold one
        kind = Annotated[(field.annotation, *field.metadata)] if field.metadata else field.annotation
        TypeAdapter(kind).validate_python(example[written], context={})


def test_whole_examples_load() -> None:
    examples = [text for text in re.findall(r"```yaml\n(.*?)```", SCENARIO, re.S) if text.startswith("name:")]
    assert examples
    for text in examples:
        assert scenario_from_text(text).truths


def test_units_are_those_of_the_reader() -> None:
    assert "a month is 30.4375 days and a year 365.25 days" in SCENARIO


def test_the_page_on_measures_is_what_list_measures_prints() -> None:
    page = (DOCS / "measures.md").read_text(encoding="utf-8")
    listed = [[plain(row[0]), row[1], row[2]] for row in rows(page.partition("## Every measure")[2])]
    assert listed == [[entry.name, entry.unit, entry.sentence] for entry in definitions()]


def test_the_page_on_analyses_says_what_they_say() -> None:
    page = (DOCS / "analyses.md").read_text(encoding="utf-8")
    listed = [
        [plain(row[0]), *row[1:]] for row in rows(page.partition("## Every analysis")[2].partition("##")[0])
    ]
    parts = [registry.get("analyses", name) for name in registry.names("analyses")]
    assert listed == [
        [part.name, ", ".join(part.endpoint_kinds), part.estimator.replace("_", " "), part.information, part.increments,
         part.reference]
        for part in parts
    ]  # fmt: skip


def test_the_page_on_bayesian_models_says_what_they_say() -> None:
    page = (DOCS / "bayes.md").read_text(encoding="utf-8")
    listed = [
        [plain(row[0]), *row[1:]] for row in rows(page.partition("## Every model")[2].partition("##")[0])
    ]
    parts = [registry.get("posteriors", name) for name in registry.names("posteriors")]
    assert listed == [
        [part.name, ", ".join(part.endpoint_kinds), part.estimand.replace("_", " "), part.kind, part.accuracy,
         part.reference]
        for part in parts
    ]  # fmt: skip


def test_the_examples_of_the_page_on_bayesian_models_run() -> None:
    page = (DOCS / "bayes.md").read_text(encoding="utf-8")
    examples = re.findall(r"```python\n(.*?)```", page, re.S)
    assert len(examples) == 3
    for text in examples:
        if "import pymc" not in text:
            exec(compile(text, "docs/bayes.md", "exec"), {})


def test_the_page_on_actg175_says_what_is_assumed() -> None:
    page = (DOCS / "actg175.md").read_text(encoding="utf-8")
    scenario = load_scenario(DOCS.parent / "scenarios" / "actg175" / "actg175.yaml")
    assert [
        plain(row[0]) for row in rows(page.partition("## What is assumed")[2].partition("##")[0])
    ] == list(scenario.assumed)
