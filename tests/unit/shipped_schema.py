"""What `--json` printed, against the schema that ships."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

import jsonschema


def check_document(name: str, document: Any) -> None:
    """Refuse a document that the schema of a command does not allow, and a schema that is none."""
    schema = json.loads(files("trialsim").joinpath("schemas", f"{name}.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema).validate(document)
