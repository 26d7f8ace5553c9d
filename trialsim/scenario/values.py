"""The atoms of a written scenario: names, words, numbers and counts, each refused with a sentence.

Every atom is a marker for ``typing.Annotated``: the static type is the plain Python type, the marker tells
pydantic how a person may write it and the JSON Schema how an editor may check it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    ConfigDict,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    ValidationInfo,
    model_validator,
)
from pydantic.config import JsonDict
from pydantic_core import CoreSchema, core_schema

from trialsim.scenario.wording import did_you_mean, listed, refuse, shown

NAME_PATTERN = "^[a-z][a-z0-9_]*$"
NAME_LENGTH = 64
_NAME = re.compile(r"[a-z][a-z0-9_]*\Z")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")


@dataclass(frozen=True)
class NameAtom:
    """A name: a lower-case letter, then lower-case letters, digits and underscores."""

    def parse(self, value: Any) -> str:
        """Return the name as it is, or refuse it."""
        if value is None:
            raise refuse(
                'a name is expected, found nothing (null); to use the word null as a name write "null"'
            )
        if not isinstance(value, str) or not _NAME.match(value):
            rule = "lower-case letters, digits and underscores, beginning with a letter"
            raise refuse(f"{shown(value)} cannot be a name; names are {rule}")
        if len(value) > NAME_LENGTH:
            raise refuse(f"{shown(value)} has {len(value)} characters; a name has at most {NAME_LENGTH}")
        return value

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Tell pydantic to use :meth:`parse`."""
        return core_schema.no_info_plain_validator_function(self.parse)

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """Return the JSON Schema of a name."""
        return {"type": "string", "pattern": NAME_PATTERN, "maxLength": NAME_LENGTH}


@dataclass(frozen=True)
class TextAtom:
    """Free text on one or several lines; a whole number is taken as the text it is written as."""

    most: int = 2000
    empty: bool = False

    def parse(self, value: Any) -> str:
        """Return the text as it is, or refuse it."""
        if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**18:
            value = str(value)
        if not isinstance(value, str):
            raise refuse(f"text is expected, found {shown(value)}")
        if not value and not self.empty:
            raise refuse("text is expected, found an empty string")
        if len(value) > self.most:
            raise refuse(f"the text has {len(value)} characters; at most {self.most} are allowed")
        if _CONTROL.search(value):
            raise refuse("the text holds control characters; write plain text")
        return value

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Tell pydantic to use :meth:`parse`."""
        return core_schema.no_info_plain_validator_function(self.parse)

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """Return the JSON Schema of the text."""
        return {"type": ["string", "integer"], "maxLength": self.most} | (
            {} if self.empty else {"minLength": 1}
        )


@dataclass(frozen=True)
class WordAtom:
    """One word out of a few."""

    words: tuple[str, ...]

    def parse(self, value: Any) -> str:
        """Return the word, or refuse it with the words allowed."""
        if not isinstance(value, str) or value not in self.words:
            hint = did_you_mean(value, self.words) if isinstance(value, str) else ""
            raise refuse(f"{shown(value)} is not one of {listed(self.words)}.{hint}")
        return value

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Tell pydantic to use :meth:`parse`."""
        return core_schema.no_info_plain_validator_function(self.parse)

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """Return the JSON Schema of the choice."""
        return {"type": "string", "enum": list(self.words)}


@dataclass(frozen=True)
class NumberAtom:
    """A finite number inside limits.

    Parameters
    ----------
    above, below
        Limits that the number itself may not reach.
    least, most
        Limits that it may reach.
    whole
        Whether it must be a whole number.
    """

    above: float | None = None
    least: float | None = None
    below: float | None = None
    most: float | None = None
    whole: bool = False

    def parse(self, value: Any) -> float | int:
        """Return the number, or refuse it with its limits."""
        expected = "a whole number" if self.whole else "a number"
        if isinstance(value, str) and _looks_numeric(value):
            plain = value.replace("_", "")
            if any(sign.isdecimal() and not sign.isascii() for sign in value):
                how = "write it with the digits 0 to 9"  # Python reads those of other scripts, YAML does not
            elif not value.isascii():
                how = f"it holds a space that is not a plain one; write {plain.strip()}"
            else:
                how = "write it without quotes" if plain == value else f"write {plain}"
            raise refuse(f"{expected} is expected, found the text {shown(value)}; {how}")
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise refuse(f"{expected}{self._limits(' ')} is expected, found {shown(value)}")
        if isinstance(value, int) and abs(value) > 10**18:
            raise refuse(f"{expected}{self._limits(' ')} is expected, found {shown(value)}")
        if not math.isfinite(value):
            raise refuse(f"{expected} must be finite, found {shown(value)}")
        if self.whole and value != int(value):
            raise refuse(f"a whole number is expected, found {shown(value)}")
        inside = (
            (self.above is None or value > self.above)
            and (self.least is None or value >= self.least)
            and (self.below is None or value < self.below)
            and (self.most is None or value <= self.most)
        )
        if not inside:
            raise refuse(f"{shown(value)} is out of range; it must be {self._limits('')}")
        return int(value) if self.whole else float(value) + 0.0

    def _limits(self, lead: str) -> str:
        """Return the limits in words."""
        parts = [
            f"{word} {limit:g}" if abs(limit) < 1e6 else f"{word} {limit:,.0f}"
            for word, limit in (
                ("above", self.above),
                ("at least", self.least),
                ("below", self.below),
                ("at most", self.most),
            )
            if limit is not None
        ]
        return lead + " and ".join(parts) if parts else ""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Tell pydantic to use :meth:`parse`."""
        return core_schema.no_info_plain_validator_function(self.parse)

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """Return the JSON Schema of the number."""
        limits = {
            "exclusiveMinimum": self.above,
            "minimum": self.least,
            "exclusiveMaximum": self.below,
            "maximum": self.most,
        }
        kept = {key: limit for key, limit in limits.items() if limit is not None}
        return {"type": "integer" if self.whole else "number"} | kept


def _looks_numeric(text: str) -> bool:
    """Return whether Python reads the text as a finite number."""
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


@dataclass(frozen=True)
class FlagAtom:
    """A yes or a no; ``yes``, ``no``, ``on`` and ``off`` mean here what they say."""

    def parse(self, value: Any) -> bool:
        """Return the truth value, or refuse it."""
        if isinstance(value, bool):
            return value
        word = value.lower() if isinstance(value, str) else ""
        if word in ("yes", "on", "true"):
            return True
        if word in ("no", "off", "false"):
            return False
        raise refuse(f"true or false is expected, found {shown(value)}")

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Tell pydantic to use :meth:`parse`."""
        return core_schema.no_info_plain_validator_function(self.parse)

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """Return the JSON Schema of the flag."""
        return {"anyOf": [{"type": "boolean"}, {"enum": ["yes", "no", "on", "off"]}]}


@dataclass(frozen=True)
class WrittenAs:
    """A value that a person writes in one shape and the engines read in another.

    Parameters
    ----------
    written
        The annotation of the written shape.
    read
        From the written shape to the one kept.
    write
        Back again, for the canonical dump.
    """

    written: Any
    read: Callable[[Any], Any]
    write: Callable[[Any], Any]

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Validate the written shape, then convert it."""
        return core_schema.no_info_after_validator_function(
            self.read,
            handler.generate_schema(self.written),
            serialization=core_schema.plain_serializer_function_ser_schema(self.write),
        )


Name = Annotated[str, NameAtom()]
Text = Annotated[str, TextAtom()]
Label = Annotated[str, TextAtom(most=200)]
Flag = Annotated[bool, FlagAtom()]
Finite = Annotated[float, NumberAtom(least=-1e9, most=1e9)]
Positive = Annotated[float, NumberAtom(above=0, most=1e9)]
NotNegative = Annotated[float, NumberAtom(least=0, most=1e9)]
Coefficient = Annotated[float, NumberAtom(least=-1e3, most=1e3)]
OpenProbability = Annotated[float, NumberAtom(above=0, below=1)]
Probability = Annotated[float, NumberAtom(least=0, most=1)]
Count = Annotated[int, NumberAtom(least=1, most=1_000_000, whole=True)]


ONE_KEY: JsonDict = {"minProperties": 1, "maxProperties": 1}
"""The JSON Schema of a mapping that holds exactly one of its keys."""


def or_short(short: Mapping[str, Any], schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
    """Return the JSON Schema of a mapping that may also be written in a short form.

    Parameters
    ----------
    short
        The JSON Schema of the short form.
    schema, handler
        As pydantic gives them for the mapping.
    """
    return {"anyOf": [dict(short), dict(handler.resolve_ref_schema(handler(schema)))]}


class Model(BaseModel):
    """A frozen part of a scenario that refuses keys it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _note_allowed_keys(cls, data: Any, info: ValidationInfo) -> Any:
        """Note which keys this mapping may have, so that an unknown one can be answered with them."""
        if isinstance(info.context, dict) and isinstance(data, dict):
            info.context[id(data)] = cls.written_keys()
        return data

    @classmethod
    def written_keys(cls) -> tuple[str, ...]:
        """Return the keys as a person writes them."""
        return tuple(field.alias or name for name, field in cls.model_fields.items())


def exactly_one(found: Iterable[str], allowed: Iterable[str], what: str) -> str:
    """Return the one key that was found, or refuse none and several."""
    found = list(found)
    if len(found) == 1:
        return found[0]
    if not found:
        raise refuse(f"{what} is expected as exactly one of {listed(allowed)}; none is given")
    raise refuse(
        f"{what} is expected as exactly one of {listed(allowed)}; {listed(found)} are given together; "
        "keep one (null takes away what `extends` brings)"
    )
