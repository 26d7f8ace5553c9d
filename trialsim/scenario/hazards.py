"""Baseline hazards of events and dropout, and hazard ratios that may change with time since entry."""

from __future__ import annotations

import math
from typing import Annotated, Any

from pydantic import Discriminator, Field, Tag, model_validator

from trialsim.scenario.accrual import MOST_PIECES, check_starts
from trialsim.scenario.units import Duration, PositiveDuration, Rate, RateOrZero
from trialsim.scenario.values import Model, NumberAtom, OpenProbability, WrittenAs, exactly_one
from trialsim.scenario.wording import refuse

HazardRatio = Annotated[float, NumberAtom(above=0, most=1e4)]
PiecewiseRatio = tuple[tuple[float, float], ...]


class HazardPiece(Model):
    """A hazard that holds from a time since entry on."""

    start: Duration = Field(alias="from")
    hazard: RateOrZero


class Weibull(Model):
    """A Weibull law by its shape and either its median or its scale."""

    shape: Annotated[float, NumberAtom(least=0.05, most=50)]
    median: PositiveDuration | None = None
    scale: PositiveDuration | None = None

    @model_validator(mode="after")
    def _has_one_size(self) -> Weibull:
        """Refuse none and both of median and scale."""
        sizes = ("median", "scale")
        exactly_one(
            (name for name in sizes if getattr(self, name) is not None), sizes, "the size of the Weibull law"
        )
        return self


class Baseline(Model):
    """The hazard in the control arm, as exactly one of its forms."""

    median: PositiveDuration | None = None
    survival: OpenProbability | None = None
    at: PositiveDuration | None = None
    hazard: Rate | None = None
    piecewise: Annotated[tuple[HazardPiece, ...], Field(min_length=1, max_length=MOST_PIECES)] | None = None
    weibull_law: Weibull | None = Field(default=None, alias="weibull")

    @model_validator(mode="after")
    def _is_one_form(self) -> Baseline:
        """Refuse none and several forms, and pieces out of order."""
        forms = ("median", "survival", "hazard", "piecewise", "weibull")
        given = (self.median, self.survival, self.hazard, self.piecewise, self.weibull_law)
        exactly_one(
            (name for name, form in zip(forms, given, strict=True) if form is not None), forms, "a hazard"
        )
        if (self.survival is None) != (self.at is None):
            raise refuse("survival and at belong together: survival: 0.8, at: 1 year")
        if self.piecewise is not None:
            check_starts([piece.start for piece in self.piecewise])
            if all(piece.hazard == 0 for piece in self.piecewise):
                raise refuse("all hazards are zero; at least one must be above zero")
        return self

    def segments(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Return the starts (days since entry) and hazards (per day) of a piecewise exponential baseline.

        A Weibull baseline has none: both tuples are empty.
        """
        if self.median is not None:
            return (0.0,), (math.log(2.0) / self.median,)
        if self.survival is not None and self.at is not None:
            return (0.0,), (-math.log(self.survival) / self.at,)
        if self.hazard is not None:
            return (0.0,), (self.hazard,)
        pieces = self.piecewise or ()
        return tuple(piece.start for piece in pieces), tuple(piece.hazard for piece in pieces)

    @property
    def weibull(self) -> tuple[float, float] | None:
        """The shape and the scale (days) of a Weibull baseline, otherwise None."""
        law = self.weibull_law
        if law is None:
            return None
        if law.scale is not None:
            return law.shape, law.scale
        return law.shape, (law.median or 0.0) / math.log(2.0) ** (1.0 / law.shape)


class RatioPiece(Model):
    """A hazard ratio that holds from a time since entry on."""

    start: Duration = Field(alias="from")
    hazard_ratio: HazardRatio


def _read_ratio(written: Any) -> float | PiecewiseRatio:
    """Return a number as it is, and pieces as pairs of start (days) and ratio."""
    if isinstance(written, float):
        return written
    check_starts([piece.start for piece in written])
    return tuple((piece.start, piece.hazard_ratio) for piece in written)


def _write_ratio(ratio: float | PiecewiseRatio) -> Any:
    """Return a ratio as it is written."""
    if isinstance(ratio, tuple):
        return [{"from": f"{start!r} days", "hazard_ratio": value} for start, value in ratio]
    return ratio


_WrittenRatio = Annotated[
    Annotated[HazardRatio, Tag("<number>")]
    | Annotated[tuple[RatioPiece, ...], Field(min_length=1, max_length=MOST_PIECES), Tag("<pieces>")],
    Discriminator(lambda value: "<pieces>" if isinstance(value, (list, tuple)) else "<number>"),
]
Ratio = Annotated[float | PiecewiseRatio, WrittenAs(_WrittenRatio, _read_ratio, _write_ratio)]
