"""What a trial costs, as data: a price for each thing that is paid for, in one currency, and a discount."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, model_validator
from pydantic_core import CoreSchema, core_schema

from trialsim.scenario.units import (
    DAYS_PER_UNIT,
    PERCENT_RATE_PATTERN,
    RATE_PATTERN,
    parse_rate,
    plain_rate,
    write_rate,
)
from trialsim.scenario.values import Model, NotNegative
from trialsim.scenario.wording import refuse, shown

MOST_DISCOUNT = 1.0 / DAYS_PER_UNIT["year"]
"""Highest discount per day: 100% per year."""

LONGEST_CURRENCY = 12
_UNITS_OF_MEASURES = (
    "probability", "share", "patients", "events", "days", "months", "candidates", "screenings", "sites",
)  # fmt: skip


@dataclass(frozen=True)
class CurrencyAtom:
    """One short word or sign, which stands in tables beside amounts of money."""

    def parse(self, value: Any) -> str:
        """Return the word, or refuse it."""
        if not isinstance(value, str) or not value:
            raise refuse(f"the currency is a word, such as EUR; found {shown(value)}")
        if len(value) > LONGEST_CURRENCY or not value.isprintable() or " " in value:
            raise refuse(
                f"{shown(value)} cannot be a currency; write one word of at most {LONGEST_CURRENCY} characters, such as EUR"
            )
        if value in _UNITS_OF_MEASURES:
            raise refuse(f"{shown(value)} is the unit of other measures; write the currency, such as EUR")
        return value

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Tell pydantic to use :meth:`parse`."""
        return core_schema.no_info_plain_validator_function(self.parse)

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """Return the JSON Schema of the word."""
        allowed = {"type": "string", "minLength": 1, "maxLength": LONGEST_CURRENCY, "pattern": r"^\S+$"}
        return allowed | {"not": {"enum": list(_UNITS_OF_MEASURES)}}


@dataclass(frozen=True)
class DiscountAtom:
    """A share per unit of time, ``3% per year`` or ``0.03 per year``, kept per day."""

    def parse(self, value: Any) -> float:
        """Return the discount per day, or refuse the value."""
        example = "write a share per unit of time, such as 3% per year or 0.03 per year"
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            raise refuse(f"a discount needs a time unit, found the bare number {shown(value)}; {example}")
        if isinstance(value, str) and value.strip().endswith("%"):
            raise refuse(f"a discount needs a time unit, found {shown(value)}; {example}")
        if not isinstance(value, str):
            raise refuse(f"a discount is expected, found {shown(value)}; {example}")
        discount = parse_rate(plain_rate(value), zero=True)
        if discount > MOST_DISCOUNT:
            raise refuse(f"{shown(value)} is too high; a discount is at most 100% per year")
        return discount

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Tell pydantic to use :meth:`parse`, and to write text."""
        return core_schema.no_info_plain_validator_function(
            self.parse, serialization=core_schema.plain_serializer_function_ser_schema(write_rate)
        )

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """Return the JSON Schema of a written discount."""
        return {
            "anyOf": [
                {"type": "string", "pattern": RATE_PATTERN},
                {"type": "string", "pattern": PERCENT_RATE_PATTERN},
            ]
        }


class Costs(Model):
    """Prices in one currency; what has none costs nothing."""

    currency: Annotated[str, CurrencyAtom()] = "units"
    site_activation: NotNegative = 0.0
    site_month: NotNegative = 0.0
    prescreen: NotNegative = 0.0
    consent: NotNegative = 0.0
    screen: NotNegative = 0.0
    patient: NotNegative = 0.0
    patient_month: NotNegative = 0.0
    visit: NotNegative = 0.0
    adverse_event: NotNegative = 0.0
    serious_adverse_event: NotNegative = 0.0
    look: NotNegative = 0.0
    trial_month: NotNegative = 0.0
    discount: Annotated[float, DiscountAtom()] | None = None

    @classmethod
    def prices(cls) -> tuple[str, ...]:
        """Return the keys that hold a price."""
        return tuple(name for name in cls.model_fields if name not in ("currency", "discount"))

    @model_validator(mode="after")
    def _costs_something(self) -> Costs:
        """Refuse costs without a price."""
        if not any(getattr(self, name) for name in self.prices()):
            raise refuse("no price above 0 is given; give one, or leave costs out")
        return self
