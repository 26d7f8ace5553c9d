"""Durations and rates with their units, in days and per day.

A month is 30.4375 days and a year 365.25 days, so that twelve months are a year.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

from trialsim.scenario.wording import did_you_mean, refuse, shown

DAYS_PER_UNIT = {"hour": 1 / 24, "day": 1.0, "week": 7.0, "month": 30.4375, "year": 365.25}
_SPELLINGS = {
    "hour": ("h", "hr", "hrs", "hour", "hours"),
    "day": ("d", "day", "days"),
    "week": ("w", "wk", "wks", "week", "weeks"),
    "month": ("mo", "mos", "month", "months"),
    "year": ("y", "yr", "yrs", "year", "years"),
}
_UNITS = {spelling: unit for unit, spellings in _SPELLINGS.items() for spelling in spellings}

LONGEST_DAYS = 1000 * 365.25
SHORTEST_DAYS = 2.0**-20
GREATEST_RATE = 1e6

_NUMBER = r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
_UNIT_CHOICE = "(?:" + "|".join(sorted(_UNITS)) + ")"
_DURATION = re.compile(rf"\s*({_NUMBER})\s*([A-Za-z]+)\s*\Z")
_RATE = re.compile(rf"\s*({_NUMBER})\s*(?:per\s+|/\s*)([A-Za-z]+)\s*\Z")
_PERCENT_RATE = re.compile(rf"\s*({_NUMBER})\s*%\s*((?:per\s+|/\s*)[A-Za-z]+)\s*\Z")
_UNSIGNED = _NUMBER.removeprefix("[+-]?")
DURATION_PATTERN = rf"^\s*\+?{_UNSIGNED}\s*{_UNIT_CHOICE}\s*$"
RATE_PATTERN = rf"^\s*\+?{_UNSIGNED}\s*(?:per\s+|/\s*){_UNIT_CHOICE}\s*$"
PERCENT_RATE_PATTERN = rf"^\s*\+?{_UNSIGNED}\s*%\s*(?:per\s+|/\s*){_UNIT_CHOICE}\s*$"


def is_quantity(value: object) -> bool:
    """Return whether a value is text with a number and a unit: a duration or a rate."""
    return isinstance(value, str) and len(value) < 100 and bool(_DURATION.match(value) or _RATE.match(value))


def is_duration(value: object) -> bool:
    """Return whether a value is text with a number and a unit of time."""
    return isinstance(value, str) and len(value) < 100 and bool(_DURATION.match(value))


def parse_duration(value: Any, *, zero: bool = True) -> float:
    """Return a written duration in days.

    Parameters
    ----------
    value
        Such as ``90 days``, ``12 weeks``, ``6 months``, ``2 years``, ``36 hours``.
    zero
        Whether a duration of zero is allowed.
    """
    example = "write a number with its unit, such as 90 days, 12 weeks, 6 months or 2 years"
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        raise refuse(f"a duration needs a unit, found the bare number {shown(value)}; {example}")
    match = _DURATION.match(value) if isinstance(value, str) and len(value) < 100 else None
    if match is None:
        raise refuse(f"a duration is expected, found {shown(value)}; {example}")
    days = float(match[1]) * _unit(match[2])
    if not math.isfinite(days) or days > LONGEST_DAYS:
        raise refuse(f"{shown(value)} is too long; a duration is at most 1000 years")
    if days < 0 or (days == 0 and not zero):
        raise refuse(
            f"{shown(value)} is not allowed; the duration must be {'zero or more' if zero else 'above zero'}"
        )
    if 0 < days < SHORTEST_DAYS:
        raise refuse(f"{shown(value)} is too short; times are kept on a grid of 0.08 seconds")
    return days + 0.0


def parse_rate(value: Any, *, zero: bool = False) -> float:
    """Return a written rate or hazard per day.

    Parameters
    ----------
    value
        Such as ``2.1 per month`` or ``33.3/month``.
    zero
        Whether a rate of zero is allowed.
    """
    example = "write a number and its time unit, such as 2.1 per month"
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        raise refuse(f"a rate needs a time unit, found the bare number {shown(value)}; {example}")
    match = _RATE.match(value) if isinstance(value, str) and len(value) < 100 else None
    if match is None:
        raise refuse(f"a rate is expected, found {shown(value)}; {example}")
    rate = float(match[1]) / _unit(match[2])
    if not math.isfinite(rate) or rate > GREATEST_RATE:
        raise refuse(f"{shown(value)} is too high; a rate is at most 1,000,000 per day")
    if rate < 0 or (rate == 0 and not zero):
        raise refuse(
            f"{shown(value)} is not allowed; the rate must be {'zero or more' if zero else 'above zero'}"
        )
    return rate + 0.0


def plain_rate(value: Any) -> Any:
    """Return a rate that is written as a percentage without the sign: ``3% per year`` is ``0.03 per year``.

    Anything else is returned as it is.
    """
    match = _PERCENT_RATE.match(value) if isinstance(value, str) and len(value) < 100 else None
    return f"{Decimal(match[1]) / 100} {match[2]}" if match else value


def _unit(word: str) -> float:
    """Return the days in a unit, or refuse the word."""
    unit = _UNITS.get(word)
    if unit is None:
        hint = " Write mo for months." if word in ("m", "M") else did_you_mean(word.lower(), _UNITS)
        raise refuse(
            f"the time unit {shown(word)} is unknown; allowed: hours, days, weeks, months, years.{hint}"
        )
    return DAYS_PER_UNIT[unit]


def write_duration(days: float) -> str:
    """Return a duration as text that reads back to the same number of days."""
    return f"{days!r} days"


def readable_duration(days: float) -> str:
    """Return a duration in the largest unit in which it is a whole number, otherwise in days."""
    for unit in ("year", "month", "week", "day"):
        count = days / DAYS_PER_UNIT[unit]
        if count >= 1 and count == int(count):
            return f"{int(count)} {unit}{'' if count == 1 else 's'}"
    return f"{days!r} days"


def write_rate(per_day: float) -> str:
    """Return a rate as text that reads back to the same number per day."""
    return f"{per_day!r} per day"


@dataclass(frozen=True)
class DurationAtom:
    """A duration with its unit, kept in days."""

    zero: bool = True

    def parse(self, value: Any) -> float:
        """Return the days, or refuse the value."""
        return parse_duration(value, zero=self.zero)

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Tell pydantic to use :meth:`parse`, and to write text."""
        return core_schema.no_info_plain_validator_function(
            self.parse, serialization=core_schema.plain_serializer_function_ser_schema(write_duration)
        )

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """Return the JSON Schema of a written duration."""
        return {"type": "string", "pattern": DURATION_PATTERN}


@dataclass(frozen=True)
class RateAtom:
    """A rate or hazard with its time unit, kept per day."""

    zero: bool = False

    def parse(self, value: Any) -> float:
        """Return the rate per day, or refuse the value."""
        return parse_rate(value, zero=self.zero)

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Tell pydantic to use :meth:`parse`, and to write text."""
        return core_schema.no_info_plain_validator_function(
            self.parse, serialization=core_schema.plain_serializer_function_ser_schema(write_rate)
        )

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """Return the JSON Schema of a written rate."""
        return {"type": "string", "pattern": RATE_PATTERN}


Duration = Annotated[float, DurationAtom()]
PositiveDuration = Annotated[float, DurationAtom(zero=False)]
Rate = Annotated[float, RateAtom()]
RateOrZero = Annotated[float, RateAtom(zero=True)]
