"""When the data are looked at: triggers, lags and reviews."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, GetJsonSchemaHandler, model_validator
from pydantic_core import CoreSchema

from trialsim.scenario.units import Duration, PositiveDuration
from trialsim.scenario.values import ONE_KEY, Count, Model, Name, WordAtom, exactly_one, or_short
from trialsim.scenario.wording import refuse

KINDS = ("events", "enrolled", "readouts", "calendar", "gap", "all", "any")


class Counted(Model):
    """A number of events or readouts, of one endpoint and in some arms where these are named.

    ``open_arms`` leaves arms out that are closed: ``each`` of those open must have so many, or they ``together``.
    """

    count: Count
    endpoint: Name | None = None
    arms: Annotated[tuple[Name, ...], Field(min_length=1, max_length=20)] | None = None
    open_arms: Annotated[Literal["each", "together"], WordAtom(("each", "together"))] | None = None

    @model_validator(mode="before")
    @classmethod
    def _count_alone(cls, data: Any) -> Any:
        """Read a number alone as the count."""
        return data if isinstance(data, (dict, Counted)) else {"count": data}

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """Return the JSON Schema of a count alone or a mapping."""
        return or_short({"type": "integer", "minimum": 1}, schema, handler)


class When(Model):
    """What brings about a look: one trigger, or all or any of several."""

    events: Counted | None = None
    enrolled: Count | None = None
    readouts: Counted | None = None
    calendar: PositiveDuration | None = None
    gap: PositiveDuration | None = None
    all_of: Annotated[tuple[When, ...], Field(min_length=1, max_length=10)] | None = Field(
        default=None, alias="all"
    )
    any_of: Annotated[tuple[When, ...], Field(min_length=1, max_length=10)] | None = Field(
        default=None, alias="any"
    )
    no_later_than: PositiveDuration | None = None

    @model_validator(mode="after")
    def _is_one_trigger(self) -> When:
        """Refuse none and several triggers, and ``no_later_than`` anywhere but beside the outermost."""
        given = (self.events, self.enrolled, self.readouts, self.calendar, self.gap, self.all_of, self.any_of)
        exactly_one(
            (name for name, part in zip(KINDS, given, strict=True) if part is not None), KINDS, "a trigger"
        )
        if any(child.no_later_than is not None for child in self.children):
            raise refuse(
                "no_later_than stands beside the outermost trigger of the look, not inside all or any"
            )
        return self

    @property
    def kind(self) -> Literal["events", "enrolled", "readouts", "calendar", "gap", "all", "any"]:
        """Which trigger it is."""
        if self.events is not None:
            return "events"
        if self.enrolled is not None:
            return "enrolled"
        if self.readouts is not None:
            return "readouts"
        if self.calendar is not None:
            return "calendar"
        if self.gap is not None:
            return "gap"
        return "all" if self.all_of is not None else "any"

    @property
    def count(self) -> int | None:
        """The number of events, readouts or patients, where it counts."""
        counted = self.events or self.readouts
        return counted.count if counted is not None else self.enrolled

    @property
    def endpoint(self) -> str | None:
        """The endpoint that is counted, where one is named."""
        counted = self.events or self.readouts
        return counted.endpoint if counted is not None else None

    @property
    def arms(self) -> tuple[str, ...] | None:
        """The arms that are counted, where they are named."""
        counted = self.events or self.readouts
        return counted.arms if counted is not None else None

    @property
    def open_arms(self) -> Literal["each", "together"] | None:
        """Whether only open arms count, each of them or together."""
        counted = self.events or self.readouts
        return counted.open_arms if counted is not None else None

    @property
    def duration(self) -> float | None:
        """The calendar time or the gap in days, where it is one."""
        return self.calendar if self.calendar is not None else self.gap

    @property
    def children(self) -> tuple[When, ...]:
        """The triggers joined by ``all`` or ``any``."""
        return self.all_of or self.any_of or ()


class Look(Model):
    """One look: what brings it about, and how long the data and the decision take."""

    when: When
    cleaning_lag: Duration = 0.0
    decision_lag: Duration = 0.0

    @property
    def no_later_than(self) -> float | None:
        """The calendar time in days at which the look is taken whatever happens, where there is one."""
        return self.when.no_later_than


class Every(Model):
    """The step between reviews: a number of patients or a time."""

    model_config = ConfigDict(json_schema_extra=ONE_KEY)

    enrolled: Count | None = None
    calendar: PositiveDuration | None = None

    @model_validator(mode="after")
    def _is_one(self) -> Every:
        """Refuse none and both."""
        steps = ("enrolled", "calendar")
        exactly_one(
            (name for name in steps if getattr(self, name) is not None), steps, "the step between reviews"
        )
        return self


class Reviews(Model):
    """When policies decide anew between looks."""

    every: Every


def read_reviews(reviews: Reviews) -> tuple[str, float]:
    """Return the kind of step and its size: patients, or days."""
    if reviews.every.enrolled is not None:
        return "enrolled", reviews.every.enrolled
    return "calendar", reviews.every.calendar or 0.0


def write_reviews(reviews: tuple[str, float]) -> dict[str, Any]:
    """Return reviews as they are written."""
    kind, size = reviews
    return {"every": {kind: size if kind == "enrolled" else f"{size!r} days"}}
