"""When patients come: evenly spaced, uniform, at piecewise constant rates, as a Poisson process, or from sites."""

from __future__ import annotations

import itertools
from typing import Annotated

from pydantic import ConfigDict, Field, model_validator

from trialsim.scenario.sites import Sites
from trialsim.scenario.units import Duration, PositiveDuration, Rate, RateOrZero
from trialsim.scenario.values import ONE_KEY, Model, WordAtom, exactly_one
from trialsim.scenario.wording import refuse

MOST_PIECES = 100


class EvenlySpaced(Model):
    """Patient ``i`` of ``n`` enters at ``i / n`` of the accrual period, or at ``i`` over the rate."""

    model_config = ConfigDict(json_schema_extra=ONE_KEY)

    over: PositiveDuration | None = None
    rate: Rate | None = None

    @model_validator(mode="after")
    def _is_one(self) -> EvenlySpaced:
        """Refuse none and both."""
        exactly_one(
            (name for name in ("over", "rate") if getattr(self, name) is not None),
            ("over", "rate"),
            "the pace",
        )
        return self


class Uniform(Model):
    """Entry times independent and uniform over the accrual period."""

    over: PositiveDuration


class Poisson(Model):
    """A Poisson process of one rate."""

    rate: Rate


class RatePiece(Model):
    """A rate that holds from a time on."""

    start: Duration = Field(alias="from")
    rate: RateOrZero


class Piecewise(Model):
    """Rates that change at stated times."""

    rates: Annotated[tuple[RatePiece, ...], Field(min_length=1, max_length=MOST_PIECES)]
    arrivals: Annotated[str, WordAtom(("poisson", "evenly_spaced"))] = "poisson"

    @model_validator(mode="after")
    def _covers_all_time(self) -> Piecewise:
        """Refuse pieces that do not begin at zero, do not increase, or never let the trial fill."""
        starts = [piece.start for piece in self.rates]
        check_starts(starts)
        if self.rates[-1].rate == 0:
            raise refuse(
                "the last rate is zero, so that accrual might never complete; end with a rate above zero"
            )
        return self


class Accrual(Model):
    """The accrual of the trial, as exactly one of its forms."""

    model_config = ConfigDict(json_schema_extra=ONE_KEY)

    evenly_spaced: EvenlySpaced | None = None
    uniform: Uniform | None = None
    piecewise: Piecewise | None = None
    poisson: Poisson | None = None
    sites: Sites | None = None

    @model_validator(mode="after")
    def _is_one(self) -> Accrual:
        """Refuse none and several forms."""
        forms = type(self).model_fields
        exactly_one((name for name in forms if getattr(self, name) is not None), forms, "accrual")
        return self

    @property
    def kind(self) -> str:
        """The form's name."""
        return next(name for name in type(self).model_fields if getattr(self, name) is not None)

    @property
    def over(self) -> float | None:
        """The accrual period in days, where the form has one."""
        form = self.evenly_spaced or self.uniform
        return form.over if form is not None else None

    @property
    def rate(self) -> float | None:
        """The rate per day, where the form has one."""
        form = self.evenly_spaced or self.poisson
        return form.rate if form is not None else None

    @property
    def rates(self) -> tuple[tuple[float, float], ...]:
        """Starts in days and rates per day, for piecewise accrual."""
        return tuple((piece.start, piece.rate) for piece in self.piecewise.rates) if self.piecewise else ()

    @property
    def arrivals(self) -> str | None:
        """How patients arrive under a piecewise rate: ``poisson`` or ``evenly_spaced``."""
        return self.piecewise.arrivals if self.piecewise else None


def check_starts(starts: list[float]) -> None:
    """Refuse piece starts (days) that do not begin at zero or do not increase."""
    if starts[0] != 0:
        raise refuse("the first piece must begin at zero: from: 0 days")
    if any(later <= earlier for earlier, later in itertools.pairwise(starts)):
        raise refuse("the pieces must be in order of time, each beginning later than the one before")
