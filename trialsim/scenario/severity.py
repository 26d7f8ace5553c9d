"""How severe an adverse event is: mild, moderate, severe, or a CTCAE grade from 1 to 5."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

from trialsim.scenario.values import Probability
from trialsim.scenario.wording import did_you_mean, listed, refuse, shown

SEVERITIES = ("mild", "moderate", "severe")
GRADES = ("1", "2", "3", "4", "5")
Value = TypeVar("Value")


@dataclass(frozen=True)
class LevelAtom:
    """A level of severity: a word, or a grade written as a number."""

    def parse(self, value: Any) -> str:
        """Return the level as text, or refuse it."""
        text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
        if not isinstance(text, str) or text not in (*SEVERITIES, *GRADES):
            hint = did_you_mean(text, SEVERITIES) if isinstance(text, str) else ""
            raise refuse(
                f"{shown(value)} is no severity; allowed: {listed(SEVERITIES)}, or a grade 1 to 5.{hint}"
            )
        return text

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Tell pydantic to use :meth:`parse`."""
        return core_schema.no_info_plain_validator_function(self.parse)

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """Return the JSON Schema of a level."""
        return {"enum": [*SEVERITIES, *GRADES, *(int(grade) for grade in GRADES)]}


def by_level(found: dict[str, Value] | None) -> dict[str, Value] | None:
    """Keep levels in their order, so that the order in which they are written moves nothing."""
    if found is None:
        return None
    return {level: found[level] for level in (*SEVERITIES, *GRADES) if level in found}


Level = Annotated[str, LevelAtom()]
ByLevel = Annotated[dict[Level, Probability], AfterValidator(by_level)]
