"""How a design re-estimates its size: blinded, by the outcomes' variance; by conditional power; by an early endpoint."""

from __future__ import annotations

import itertools
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, model_validator

from trialsim.scenario.values import (
    ONE_KEY,
    Count,
    Finite,
    Model,
    Name,
    NumberAtom,
    OpenProbability,
    Positive,
    Probability,
    WordAtom,
    exactly_one,
)
from trialsim.scenario.wording import refuse, shown

RULES = ("conditional_power", "blinded_variance", "early_endpoint")
MAXIMA = ("maximum", "maximum_events")
_INSTEAD = {
    "minimum": "minimum_events",
    "effect": "hazard_ratio",
    "minimum_events": "minimum",
    "hazard_ratio": "effect",
}

_LookNumber = Annotated[int, NumberAtom(least=1, most=49, whole=True)]
_Patients = Annotated[int, NumberAtom(least=2, most=1_000_000, whole=True)]
_Events = Annotated[int, NumberAtom(least=2, most=1_000_000, whole=True)]
_Looks = Annotated[tuple[_LookNumber, ...], Field(min_length=1, max_length=49)]


def _check_limits(minimum: int | None, maximum: int, looks: tuple[int, ...] | None) -> None:
    """Refuse a minimum above the maximum, and looks out of order."""
    if minimum is not None and minimum > maximum:
        raise refuse(f"the minimum {minimum} is above the maximum {maximum}")
    if any(later <= earlier for earlier, later in itertools.pairwise(looks or ())):
        raise refuse(f"looks are numbers in order, each once, found {shown(list(looks or ()))}")


class ConditionalPower(Model):
    """The next stage is given the size at which the conditional power is the target."""

    target: OpenProbability
    maximum: _Patients | None = None
    minimum: Count | None = None
    maximum_events: _Events | None = None
    minimum_events: Count | None = None
    looks: _Looks | None = None
    zone: Annotated[tuple[Probability, ...], Field(min_length=2, max_length=2)] | None = None
    effect: Positive | None = None
    hazard_ratio: Positive | None = None
    stage_minimum: Count | None = None
    stage_maximum: Count | None = None

    @model_validator(mode="after")
    def _makes_sense(self) -> ConditionalPower:
        """Refuse limits that are out of order."""
        exactly_one((name for name in MAXIMA if getattr(self, name) is not None), MAXIMA, "the limit")
        if self.maximum_events is not None:
            self._is_of("events", minimum=self.minimum, effect=self.effect)
            _check_limits(self.minimum_events, self.maximum_events, self.looks)
        elif self.maximum is not None:
            self._is_of("patients", minimum_events=self.minimum_events, hazard_ratio=self.hazard_ratio)
            _check_limits(self.minimum, self.maximum, self.looks)
        if self.zone is not None and self.zone[0] >= self.zone[1]:
            raise refuse(
                f"the zone's lower limit {self.zone[0]:g} is not below its upper one {self.zone[1]:g}"
            )
        least, most = self.stage_minimum, self.stage_maximum
        if least is not None and most is not None and least > most:
            raise refuse(f"the stage_minimum {least} is above the stage_maximum {most}")
        return self

    def _is_of(self, what: str, **others: float | None) -> None:
        """Refuse what belongs to the other kind of size."""
        for name, value in others.items():
            if value is not None:
                raise refuse(f"{name} does not go with a maximum of {what}; write {_INSTEAD[name]}")


class BlindedVariance(Model):
    """The size is that of the fixed design with the variance that is seen without knowing the arms."""

    effect: Positive
    power: OpenProbability
    maximum: _Patients
    minimum: Count | None = None
    looks: _Looks | None = None

    @model_validator(mode="after")
    def _makes_sense(self) -> BlindedVariance:
        """Refuse limits that are out of order."""
        _check_limits(self.minimum, self.maximum, self.looks)
        return self


class EarlyEndpoint(Model):
    """More events are waited for where another endpoint of the patients seen so far is promising."""

    endpoint: Name
    direction: Annotated[str, WordAtom(("higher", "lower"))]
    zone: Annotated[tuple[Finite, ...], Field(min_length=2, max_length=2)]
    maximum_events: _Events

    @model_validator(mode="after")
    def _makes_sense(self) -> EarlyEndpoint:
        """Refuse a zone that is empty."""
        if self.zone[0] >= self.zone[1]:
            raise refuse(
                f"the zone's lower limit {self.zone[0]:g} is not below its upper one {self.zone[1]:g}"
            )
        return self


class Reestimation(Model):
    """How the size is re-estimated, as exactly one of the rules."""

    model_config = ConfigDict(json_schema_extra=ONE_KEY)

    conditional_power: ConditionalPower | None = None
    blinded_variance: BlindedVariance | None = None
    early_endpoint: EarlyEndpoint | None = None

    @model_validator(mode="after")
    def _is_one(self) -> Reestimation:
        """Refuse none and both rules."""
        exactly_one((name for name in RULES if getattr(self, name) is not None), RULES, "the rule")
        return self

    @property
    def rule(self) -> ConditionalPower | BlindedVariance | EarlyEndpoint:
        """The rule."""
        found = self.conditional_power or self.blinded_variance or self.early_endpoint
        assert found is not None
        return found

    @property
    def kind(self) -> Literal["conditional_power", "blinded_variance", "early_endpoint"]:
        """Which rule it is."""
        if self.early_endpoint is not None:
            return "early_endpoint"
        return "conditional_power" if self.conditional_power is not None else "blinded_variance"

    @property
    def maximum(self) -> int | None:
        """The most patients that the design may enrol; None where its events are re-estimated."""
        return None if isinstance(self.rule, EarlyEndpoint) else self.rule.maximum

    @property
    def maximum_events(self) -> int | None:
        """The most events that it may wait for; None where its patients are re-estimated."""
        return None if isinstance(self.rule, BlindedVariance) else self.rule.maximum_events

    @property
    def looks(self) -> tuple[int, ...] | None:
        """The interim looks at which it is re-estimated; None: at all."""
        return None if isinstance(self.rule, EarlyEndpoint) else self.rule.looks
