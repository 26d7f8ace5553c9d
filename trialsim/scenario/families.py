"""Families of group sequential bounds as a scenario names them: a name alone, or a name with its parameter."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

from trialsim.scenario.wording import listed, refuse, shown, unknown

EFFICACY = (
    "obrien_fleming",
    "pocock",
    "wang_tsiatis",
    "haybittle_peto",
    "lan_demets_obrien_fleming",
    "lan_demets_pocock",
    "hwang_shih_decani",
    "kim_demets",
    "exponential",
    "piecewise_linear",
    "user_defined",
)
FUTILITY = (*EFFICACY, "z", "conditional_power", "conditional_power_trend")
MOST_PARAMETERS = 50
GREATEST_Z = 100
"""Bounds on the z scale lie within it."""

Parameter = float | tuple[float, ...] | tuple[tuple[float, float], ...] | None
Family = tuple[str, Parameter]
"""A family of bounds: its name and its parameter, None where it has none or its default."""


@dataclass(frozen=True)
class FamilyAtom:
    """A family of bounds, ``pocock`` or ``{wang_tsiatis: 0.25}``; what parameters it takes is checked with the bounds.

    Parameters
    ----------
    names
        The families allowed.
    """

    names: tuple[str, ...]

    def parse(self, value: Any) -> Family:
        """Return the name and the parameter, or refuse them."""
        if isinstance(value, tuple) and len(value) == 2:
            return value
        name, parameter = value, None
        if isinstance(value, dict):
            if len(value) != 1:
                raise refuse(
                    f"one family with its parameter is expected, such as {{wang_tsiatis: 0.25}}, found {shown(value)}"
                )
            name, parameter = next(iter(value.items()))
        if not isinstance(name, str):
            raise refuse(
                f"the name of a family of bounds is expected, found {shown(name)}; allowed: {listed(self.names)}"
            )
        if name not in self.names:
            raise refuse(unknown("the family of bounds", name, self.names))
        return name, _parameter(name, parameter)

    def write(self, family: Family) -> Any:
        """Return a family as it is written."""
        name, parameter = family
        if parameter is None:
            return name
        if isinstance(parameter, tuple):
            return {name: [list(each) if isinstance(each, tuple) else each for each in parameter]}
        return {name: parameter}

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Tell pydantic to use :meth:`parse` and :meth:`write`."""
        write: Callable[[Family], Any] = self.write
        return core_schema.no_info_plain_validator_function(
            self.parse,
            serialization=core_schema.plain_serializer_function_ser_schema(write),
        )

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """Return the JSON Schema of a name alone or with its parameter."""
        number = {"type": "number"}
        pair = {"type": "array", "items": number, "minItems": 2, "maxItems": 2}
        parameter = {
            "anyOf": [
                number,
                {"type": "array", "items": {"anyOf": [number, pair]}, "maxItems": MOST_PARAMETERS},
                {"type": "null"},
            ]
        }
        with_parameter = {
            "type": "object",
            "properties": dict.fromkeys(self.names, parameter),
            "additionalProperties": False,
            "minProperties": 1,
            "maxProperties": 1,
        }
        return {"anyOf": [{"enum": list(self.names)}, with_parameter]}


def _parameter(name: str, written: Any) -> Parameter:
    """Return the parameter of a family: a number, numbers, or pairs of numbers."""
    if written is None:
        return None
    if isinstance(written, (list, tuple)):
        if not 1 <= len(written) <= MOST_PARAMETERS:
            raise refuse(
                f"{name} takes 1 to {MOST_PARAMETERS} numbers as its parameter, found {len(written)}"
            )
        if all(isinstance(each, (list, tuple)) and len(each) == 2 for each in written):
            return tuple((_number(name, at), _number(name, share)) for at, share in written)
        return tuple(_number(name, each) for each in written)
    return _number(name, written)


def _number(name: str, written: Any) -> float:
    """Return a finite number, or refuse it."""
    if isinstance(written, bool) or not isinstance(written, (int, float)) or not math.isfinite(written):
        raise refuse(f"the parameter of {name} is a number or a list of numbers, found {shown(written)}")
    if name == "z" and abs(written) > GREATEST_Z:
        raise refuse(f"{shown(written)} is out of range; it must be at least -100 and at most 100")
    return float(written)
