"""The JSON Schema of a scenario as people write it, for editors that complete and check while one types."""

from __future__ import annotations

import copy
from typing import Any

from trialsim.scenario.schema import Scenario
from trialsim.scenario.units import DURATION_PATTERN, PERCENT_RATE_PATTERN, RATE_PATTERN

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_PARTIAL = "Partial"
_NUMBER_OR_QUANTITY = {
    "anyOf": [
        {"type": "number"},
        {"type": "string", "pattern": DURATION_PATTERN},
        {"type": "string", "pattern": RATE_PATTERN},
        {"type": "string", "pattern": PERCENT_RATE_PATTERN},
    ]
}


def scenario_json_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a scenario file.

    A file, or a design, that extends another may leave out what the other says, and delete it with null.
    """
    whole = _named(Scenario.model_json_schema(by_alias=True, mode="validation"))
    definitions: dict[str, Any] = whole.pop("$defs")
    whole["properties"]["truths"] = _with_grids(whole["properties"]["truths"])
    for name in ("title", "description"):
        whole.pop(name, None)
    partial = {f"{name}{_PARTIAL}": _relaxed(definition) for name, definition in definitions.items()}
    partial_file = _relaxed(whole)
    designs = {
        "if": {"type": "object", "required": ["extends"]},
        "then": {"$ref": f"#/$defs/ExtendingDesign{_PARTIAL}"},
        "else": {"$ref": "#/$defs/Design"},
    }
    extending = copy.deepcopy(partial[f"Design{_PARTIAL}"])
    extending["properties"]["extends"] = {
        "type": "string",
        "description": "The design that this one is laid over.",
    }
    whole["properties"]["designs"]["additionalProperties"] = designs
    partial_designs = {"anyOf": [{"$ref": f"#/$defs/ExtendingDesign{_PARTIAL}"}, {"type": "null"}]}
    partial_file["properties"]["designs"]["anyOf"][0]["additionalProperties"] = partial_designs
    partial_file["properties"]["extends"] = {"type": "string", "description": "A file in the same folder."}
    return {
        "$schema": DIALECT,
        "title": "trialsim scenario",
        "description": "A clinical trial to simulate: its world, what is tested, and the designs.",
        "if": {"type": "object", "required": ["extends"]},
        "then": {"$ref": f"#/$defs/Scenario{_PARTIAL}"},
        "else": {"$ref": "#/$defs/Scenario"},
        "$defs": definitions
        | partial
        | {
            "Scenario": whole,
            f"Scenario{_PARTIAL}": partial_file,
            f"ExtendingDesign{_PARTIAL}": extending,
        },
    }


def _named(schema: Any) -> Any:
    """Return a schema in which keys of the wrong form are refused, not passed over."""
    if isinstance(schema, list):
        return [_named(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    named = {key: _named(part) for key, part in schema.items()}
    patterns = named.pop("patternProperties", None)
    if patterns is not None:
        ((pattern, value),) = patterns.items()
        named |= {"propertyNames": {"pattern": pattern}, "additionalProperties": value}
    return named


def _with_grids(truths: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of truths in which each may hold a grid beside plain overlays."""
    overlay = truths["additionalProperties"]
    paths, value = overlay.get("propertyNames", {}), overlay["additionalProperties"]
    grid = {
        "type": "object",
        "minProperties": 1,
        "propertyNames": paths,
        "additionalProperties": {"type": "array", "minItems": 1, "items": _NUMBER_OR_QUANTITY},
        "description": "Lists of values by path; every combination is a truth of its own.",
    }
    return truths | {
        "additionalProperties": {
            "type": "object",
            "properties": {"grid": grid},
            "propertyNames": {"anyOf": [{"const": "grid"}, paths]},
            "additionalProperties": value,
        }
    }


def _relaxed(schema: Any) -> Any:
    """Return a schema of what is laid over something: nothing is required, null deletes."""
    if not isinstance(schema, dict):
        return schema
    relaxed: dict[str, Any] = {}
    for key, value in schema.items():
        if key in ("required", "minProperties", "maxProperties", "default"):
            continue
        if key == "properties":
            relaxed[key] = {name: _or_null(_relaxed(part)) for name, part in value.items()}
        elif key == "additionalProperties" and isinstance(value, dict):
            relaxed[key] = _or_null(_relaxed(value))
        elif key in ("anyOf", "oneOf"):
            relaxed["anyOf"] = [_relaxed(part) for part in value]
        elif key == "$ref":
            relaxed[key] = f"{value}{_PARTIAL}"
        else:
            relaxed[key] = value
    return relaxed


def _or_null(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a schema that allows null as well."""
    return {"anyOf": [schema, {"type": "null"}]}
