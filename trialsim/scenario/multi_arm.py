"""What a multi-arm multi-stage design says beyond its looks: which arms go on, how stages and arms are tested together."""

from __future__ import annotations

from typing import Annotated, Any, get_args

from pydantic import ConfigDict, Field, GetJsonSchemaHandler, model_validator
from pydantic_core import CoreSchema

from trialsim.scenario.units import PositiveDuration
from trialsim.scenario.values import (
    ONE_KEY,
    Count,
    Finite,
    Model,
    Name,
    NotNegative,
    NumberAtom,
    OpenProbability,
    WordAtom,
    exactly_one,
    or_short,
)
from trialsim.scenario.wording import listed, refuse, shown, unknown

SELECTIONS = ("keep_all", "select_best", "drop_the_losers", "within_epsilon", "all_promising")
COMBINATIONS = ("inverse_normal", "fisher")
INTERSECTION_TESTS = ("dunnett", "simes", "bonferroni")
FISHER_METHODS = ("equal_levels", "full_last_level", "no_interaction")
_MEASURES = ("effect", "z")

_Measure = Annotated[str, WordAtom(_MEASURES)]
_Kept = Annotated[int, NumberAtom(least=1, most=19, whole=True)]
_FutilityP = Annotated[float, NumberAtom(above=0, most=1)]


class OneOf(Model):
    """A choice among several, each with or without parameters; a name alone takes the defaults."""

    model_config = ConfigDict(json_schema_extra=ONE_KEY)

    @model_validator(mode="before")
    @classmethod
    def _name_alone(cls, data: Any) -> Any:
        """Read a name alone as the choice with its defaults."""
        if isinstance(data, str):
            if data not in cls.written_keys():
                raise refuse(unknown(f"the {cls.__name__.lower()}", data, cls.written_keys()))
            needed = cls._needed_by(data)
            if needed:
                raise refuse(
                    f"{data} needs {listed(needed)}: write {data}: {{{', '.join(f'{key}: ...' for key in needed)}}}"
                )
            return {data: {}}
        if not isinstance(data, (dict, cls)):
            names = listed(cls.written_keys())
            raise refuse(
                f"the name of a {cls.__name__.lower()} is expected, found {shown(data)}; allowed: {names}"
            )
        return data

    @classmethod
    def _needed_by(cls, choice: str) -> list[str]:
        """Return the keys that a choice cannot be without."""
        chosen: Any = get_args(cls.model_fields[choice].annotation)[0]
        return [key for key, field in chosen.model_fields.items() if field.is_required()]

    @model_validator(mode="after")
    def _is_one(self) -> OneOf:
        """Refuse none and several."""
        keys = self.written_keys()
        exactly_one(
            (key for key in keys if getattr(self, key) is not None), keys, f"a {type(self).__name__.lower()}"
        )
        return self

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """Return the JSON Schema of a name alone or a mapping."""
        return or_short(
            {"enum": [key for key in cls.written_keys() if not cls._needed_by(key)]}, schema, handler
        )

    @property
    def kind(self) -> str:
        """The choice's name."""
        return next(key for key in self.written_keys() if getattr(self, key) is not None)


class By(Model):
    """Another endpoint than that of the tests, by which arms are compared with control when some are chosen."""

    endpoint: Name
    direction: Annotated[str, WordAtom(("higher", "lower"))]


class KeepAll(Model):
    """Every arm goes on that is neither shown nor given up."""


class SelectBest(Model):
    """The best arm goes on."""

    measure: _Measure = "effect"
    by: By | None = None


class _ListOrNumber:
    """The JSON Schema of a list for which a number may stand."""

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """Return the JSON Schema of the number or the list."""
        return or_short({"type": "integer", "minimum": 1, "maximum": 19}, schema, handler)


class DropTheLosers(Model):
    """So many of the best arms go on after each look, the last number after all looks that follow."""

    keep: Annotated[tuple[_Kept, ...], Field(min_length=1, max_length=50), _ListOrNumber()]
    measure: _Measure = "effect"
    by: By | None = None

    @model_validator(mode="before")
    @classmethod
    def _number_alone(cls, data: Any) -> Any:
        """Read a number alone as a list of one."""
        if isinstance(data, dict) and "keep" in data and not isinstance(data["keep"], (list, tuple)):
            return {**data, "keep": [data["keep"]]}
        return data

    @model_validator(mode="after")
    def _falls(self) -> DropTheLosers:
        """Refuse a number above that before it."""
        for before, after in zip(self.keep, self.keep[1:], strict=False):
            if after > before:
                raise refuse(
                    f"keep rises from {before} to {after}; an arm that was dropped does not come back"
                )
        return self


class WithinEpsilon(Model):
    """Arms go on that are no further than epsilon from the best."""

    epsilon: NotNegative
    measure: _Measure = "effect"
    by: By | None = None


class AllPromising(Model):
    """Arms go on that reach a threshold; the trial stops where none does."""

    threshold: Finite
    measure: _Measure = "effect"
    by: By | None = None


class Selection(OneOf):
    """Which arms go on after an interim look."""

    keep_all: KeepAll | None = None
    select_best: SelectBest | None = None
    drop_the_losers: DropTheLosers | None = None
    within_epsilon: WithinEpsilon | None = None
    all_promising: AllPromising | None = None

    @property
    def by(self) -> By | None:
        """The endpoint that arms are chosen by, where it is not that of the tests."""
        return getattr(getattr(self, self.kind), "by", None)


class InverseNormal(Model):
    """Weighted sums of the stages' statistics, the weights from the planned information."""


class Fisher(Model):
    """Products of the stages' p values; a hypothesis is retained for good where one of them is above ``futility_p``."""

    futility_p: _FutilityP = 1.0
    method: Annotated[str, WordAtom(FISHER_METHODS)] = "equal_levels"


class Combination(OneOf):
    """How the stages are tested together."""

    inverse_normal: InverseNormal | None = None
    fisher: Fisher | None = None


class Increments(Model):
    """A stage is what became known since the look before."""


class PatientWise(Model):
    """A stage is the patients randomised since the look before, followed to an end that is fixed in advance.

    With ``interim_information`` its patients are tested at their own look too, which may then reject.
    """

    model_config = ConfigDict(
        json_schema_extra={"oneOf": [{"required": ["events"]}, {"required": ["calendar"]}]}
    )

    events: Annotated[tuple[Count, ...], Field(min_length=1, max_length=50)] | None = None
    calendar: Annotated[tuple[PositiveDuration, ...], Field(min_length=1, max_length=50)] | None = None
    interim_information: Annotated[tuple[OpenProbability, ...], Field(min_length=1, max_length=49)] | None = (
        None
    )

    @model_validator(mode="after")
    def _is_one(self) -> PatientWise:
        """Refuse none and both."""
        keys = ("events", "calendar")
        exactly_one((key for key in keys if getattr(self, key) is not None), keys, "the end of each stage")
        return self

    @property
    def ends(self) -> int:
        """How many stages have an end."""
        return len(self.events or self.calendar or ())


class Split(OneOf):
    """How the data are split into the stages that a combination test combines."""

    increments: Increments | None = None
    patient_wise: PatientWise | None = None

    @classmethod
    def _needed_by(cls, choice: str) -> list[str]:
        """Return what a choice cannot be without: the ends of stages, here by events."""
        return ["events"] if choice == "patient_wise" else []
