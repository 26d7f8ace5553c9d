"""How long something takes, as a person writes it: a duration, or a distribution of durations."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import ConfigDict, Field, GetJsonSchemaHandler, model_validator
from pydantic_core import CoreSchema

from trialsim.scenario.units import DURATION_PATTERN, Duration, PositiveDuration
from trialsim.scenario.values import ONE_KEY, Model, NumberAtom, exactly_one, or_short
from trialsim.scenario.wording import refuse, shown

Spread = Annotated[float, NumberAtom(above=0, most=10)]


class UniformDelay(Model):
    """Any duration between two, equally likely."""

    least: Duration = Field(alias="from")
    most: PositiveDuration = Field(alias="to")

    @model_validator(mode="after")
    def _in_order(self) -> UniformDelay:
        """Refuse an empty range."""
        if self.most <= self.least:
            raise refuse(f"from ({self.least:g} days) must be shorter than to ({self.most:g} days)")
        return self


class ExponentialDelay(Model):
    """An exponential duration by its mean."""

    mean: PositiveDuration


class LogNormalDelay(Model):
    """A log-normal duration by its median and the standard deviation of its logarithm."""

    median: PositiveDuration
    sd_log: Spread


class WeibullDelay(Model):
    """A Weibull duration by its shape and scale."""

    shape: Spread
    scale: PositiveDuration


class Delay(Model):
    """How long something takes, as exactly one of the forms; a duration alone is taken as fixed."""

    model_config = ConfigDict(json_schema_extra=ONE_KEY)

    fixed: Duration | None = None
    uniform: UniformDelay | None = None
    exponential: ExponentialDelay | None = None
    log_normal: LogNormalDelay | None = None
    weibull: WeibullDelay | None = None

    @model_validator(mode="before")
    @classmethod
    def _duration_alone(cls, data: Any) -> Any:
        """Read a duration alone as a fixed one."""
        if isinstance(data, (dict, Delay)):
            return data
        if isinstance(data, str):
            return {"fixed": data}
        raise refuse(
            f"a duration such as 14 days, or a distribution such as {{exponential: {{mean: 14 days}}}}, is expected, "
            f"found {shown(data)}"
        )

    @model_validator(mode="after")
    def _is_one(self) -> Delay:
        """Refuse none and several forms."""
        forms = type(self).model_fields
        exactly_one((name for name in forms if getattr(self, name) is not None), forms, "how long it takes")
        return self

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """Return the JSON Schema of a duration alone or a mapping."""
        return or_short({"type": "string", "pattern": DURATION_PATTERN}, schema, handler)
