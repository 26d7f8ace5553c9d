"""What may stand in a place of a written scenario, from its JSON Schema: examples of it, far apart from each other."""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from trialsim.scenario.schema import Scenario
from trialsim.scenario.units import DURATION_PATTERN, RATE_PATTERN
from trialsim.scenario.values import NAME_PATTERN

MOST_SAMPLES = 6
"""Examples of one part of an example; of a whole one, twice as many."""

_DEEPEST = 4
_OF_PATTERNS = {
    DURATION_PATTERN: ("1 day", "900 years"),
    RATE_PATTERN: ("0.0001 per day", "1000 per day"),
}
_MORE: Mapping[str, Sequence[Mapping[str, Any]]] = {
    "analysis": [{"beta_binomial": {"rate": 0.5}}, {"cmh_by_period": {}}]
}
"""Examples that rules tell apart and a schema does not, by key."""

_NO_LIMIT = 1e6
MOST_NAMES = 100

Schema = Mapping[str, Any]
NAME: Schema = {"type": "string", "pattern": NAME_PATTERN}
Names = Mapping[str, Sequence[str]]
"""Names of the scenario that suit a key, such as those of its arms for ``effect``."""


@functools.cache
def whole_schema() -> Schema:
    """Return the JSON Schema of a scenario whose files and designs are merged and whose looks are laid out."""
    whole = Scenario.model_json_schema()
    design = whole["$defs"]["Design"]["properties"]
    design["looks"] = next(form for form in design["looks"]["anyOf"] if form["type"] == "array")
    del design["computed"]
    return whole


def forms(schema: Schema) -> Iterator[Schema]:
    """Yield the forms in which a place may be written, references followed; nothing (null) is left out."""
    if "$ref" in schema:
        yield from forms(whole_schema()["$defs"][schema["$ref"].rpartition("/")[2]])
    elif "properties" not in schema and (choices := schema.get("anyOf") or schema.get("oneOf")):
        for choice in choices:
            yield from forms(choice)
    elif schema.get("type") != "null":
        yield schema


def schema_at(tree: Any, path: Sequence[str | int]) -> Schema | None:
    """Return the schema of a place in a written scenario, None where there is no such place.

    Parameters
    ----------
    tree
        The scenario.
    path
        Keys and indices that lead to the place.
    """
    found: Schema | None = whole_schema()
    for step in path:
        found = schema_below(found, tree, step) if found is not None else None
        inside = (
            step in tree if isinstance(tree, dict) else isinstance(tree, list) and step in range(len(tree))
        )
        tree = tree[step] if inside else None
    return found


def schema_below(schema: Schema, here: Any, step: str | int) -> Schema | None:
    """Return the schema of what a key or an index leads to from a written part, None where there is no such place."""
    return next(_below(schema, here, step), None)


def _below(schema: Schema, here: Any, step: str | int) -> Iterator[Schema]:
    """Yield the schemas of what a step leads to, those first that suit what is written."""
    choices = [form for form in forms(schema) if of_kind(form, here)]
    for form in choices:
        if isinstance(step, int) and "items" in form:
            yield form["items"]
        elif step in form.get("properties", {}):
            yield form["properties"][step]
    for form in choices:
        if isinstance(step, str) and (entries := entries_of(form)) is not None:
            yield entries


def of_kind(form: Schema, here: Any) -> bool:
    """Return whether a form is of the ``kind`` that a mapping names; any where it names none that is known."""
    kind = form.get("properties", {}).get("kind", {}).get("const")
    return kind is None or not isinstance(here, dict) or here.get("kind") == kind


def has_kinds(schema: Schema) -> bool:
    """Return whether the forms of a place are told apart by ``kind``."""
    return any("const" in form.get("properties", {}).get("kind", {}) for form in forms(schema))


def entries_of(form: Schema) -> Schema | None:
    """Return the schema of the entries of a mapping whose keys are names; None where its keys are its own."""
    patterns = form.get("patternProperties")
    if patterns:
        return next(iter(patterns.values()))  # type: ignore[no-any-return]
    entries = form.get("additionalProperties")
    return entries if isinstance(entries, dict) else None


def keys_of(schema: Schema, here: Any) -> tuple[str, ...]:
    """Return the keys that a mapping may have, none where its keys are names."""
    for form in forms(schema):
        if form.get("additionalProperties") is False and of_kind(form, here):
            return tuple(form.get("properties", ()))
    return ()


def required_of(schema: Schema, here: Any) -> tuple[str, ...]:
    """Return the keys that a mapping must have."""
    for form in forms(schema):
        if form.get("additionalProperties") is False and of_kind(form, here):
            return tuple(form.get("required", ()))
    return ()


def suits(schema: Schema, value: Any) -> bool:
    """Return whether a value is of a form that a place may have, as far as that can be seen from outside."""
    return any(_is_of_form(form, value) for form in forms(schema))


def _is_of_form(form: Schema, value: Any) -> bool:
    """Return whether a value has the type of a form, and the keys or the spelling of it."""
    match _type_of(form):
        case "object":
            own = form.get("properties", {})
            return isinstance(value, dict) and (entries_of(form) is not None or value.keys() <= own.keys())
        case "array":
            return isinstance(value, list) and all(suits(form.get("items", {}), each) for each in value[:3])
        case "boolean":
            return isinstance(value, bool)
        case "integer" | "number":
            return isinstance(value, (int, float)) and not isinstance(value, bool)
        case _ if "enum" in form or "const" in form:
            return value in form.get("enum", [form.get("const")])
        case _:
            return isinstance(value, str) and re.search(form.get("pattern", ""), value) is not None


def samples(schema: Schema, names: Names, key: str = "", depth: int = 0) -> list[Any]:
    """Return examples of what may stand in a place.

    Parameters
    ----------
    schema
        Of the place.
    names
        Of the scenario, by the key under which they stand.
    key
        The key of the place.
    depth
        How deep it lies in another example.
    """
    known = [dict(example) for example in _MORE.get(key, ())]
    choices = list(forms(schema)) if depth < _DEEPEST else []
    told_apart = [form for form in choices if len(choices) == 1 or form != {"type": "string"}]
    each = [_of_form(form, names, key, depth) for form in told_apart]
    found = [sample for one in itertools.zip_longest(*each, fillvalue=_NONE) for sample in one]
    return known + _spread(found, MOST_SAMPLES if depth else 2 * MOST_SAMPLES)


_NONE = object()


def _type_of(form: Schema) -> str:
    """Return the type of a form; of one that may be nothing as well, the other."""
    found = form.get("type", "")
    return found if isinstance(found, str) else next(iter(found), "")


def _spread(found: Sequence[Any], most: int) -> list[Any]:
    """Return at most so many examples, from all over the list."""
    found = [one for one in found if one is not _NONE]
    most = min(len(found), most)
    return [found[k * len(found) // most] for k in range(most)]


def _of_form(form: Schema, names: Names, key: str, depth: int) -> list[Any]:
    """Return examples of one form."""
    if "const" in form:
        return [form["const"]]
    if "enum" in form:
        return list(form["enum"])
    match _type_of(form):
        case "integer" | "number" as kind:
            return _numbers(form, whole=kind == "integer")
        case "boolean":
            return [False, True]
        case "array":
            return _lists(form, names, key, depth)
        case "object":
            return _mappings(form, names, key, depth)
        case _:
            if form.get("pattern") == NAME_PATTERN:
                return [*names.get(key, ()), "unread"]
            return list(_OF_PATTERNS.get(form.get("pattern", ""), ["unread"]))


def _numbers(form: Schema, *, whole: bool) -> list[float]:
    """Return a small and a large number within limits, and one between."""
    above, below = form.get("exclusiveMinimum"), form.get("exclusiveMaximum")
    least = form.get("minimum", -_NO_LIMIT if above is None else above)
    most = form.get("maximum", _NO_LIMIT if below is None else below)
    step = (most - least) * 1e-6
    low, high = least + (step if above is not None else 0), most - (step if below is not None else 0)
    found = [low, high, (low + high) / 2]
    return [int(number) for number in found] if whole else [float(number) for number in found]


def _lists(form: Schema, names: Names, key: str, depth: int) -> list[Any]:
    """Return lists as short as may be, and longer ones; of names, those that are known."""
    if form.get("items", {}).get("pattern") == NAME_PATTERN and names.get(key):
        known = list(names[key])
        if form.get("maxItems") == 2:
            return [*([one, known[0]] for one in known[1:]), known[:1]]
        lists = [known, [*known, "unread"], known[:1], known[:2]]
        allowed = range(form.get("minItems", 0), form.get("maxItems", MOST_NAMES) + 1)
        return [each for each in lists if len(each) in allowed]
    items = samples(form.get("items", {}), names, key, depth + 1)
    least = max(1, form.get("minItems", 0))
    lengths = [length for length in (least, least + 1, least + 2) if length <= form.get("maxItems", length)]
    return [
        [items[(start + k) % len(items)] for k in range(length)]
        for start, length in enumerate(lengths)
        if items
    ]


def _mappings(form: Schema, names: Names, key: str, depth: int) -> list[Any]:
    """Return mappings with the keys that are required, or with one of those of which there must be one."""
    entries = entries_of(form)
    if entries is not None:
        every = list(names.get(key, ())) or form.get("propertyNames", {}).get("enum", ["unread"])
        values = samples(entries, names, "", depth + 1)
        filled = [dict.fromkeys(chosen, value) for value in values for chosen in (every, every[:1])]
        return filled if form.get("minProperties") else [{}, *filled]
    properties = form.get("properties", {})
    if form.get("minProperties") == form.get("maxProperties") == 1:
        each = ((name, samples(part, names, name, depth + 1)) for name, part in properties.items())
        return [{name: found[0]} for name, found in each if found]
    required = {
        name: found
        for name in form.get("required", ())
        if (found := samples(properties[name], names, name, depth + 1))
    }
    most = max(map(len, required.values()), default=1)
    whole = [{name: found[k % len(found)] for name, found in required.items()} for k in range(most)]
    if depth:
        return whole
    optional = {
        name: found[0]
        for name, part in properties.items()
        if name not in required and (found := samples(part, names, name, depth + 1))
    }
    # What is optional may be needed, one part alone or all of it together.
    alone = [whole[0] | {name: value} for name, value in optional.items()]
    return [*_spread([*whole, *alone], 2 * MOST_SAMPLES - 1), whole[0] | optional]
