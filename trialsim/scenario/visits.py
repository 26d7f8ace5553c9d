"""Scheduled visits, as data: when, how exactly, and how often they are missed."""

from __future__ import annotations

import itertools
from typing import Annotated

from pydantic import ConfigDict, Field, model_validator

from trialsim.scenario.delays import Delay
from trialsim.scenario.units import PositiveDuration
from trialsim.scenario.values import ONE_KEY, Model, Probability, exactly_one
from trialsim.scenario.wording import refuse

MOST_VISITS = 500


class Jitter(Model):
    """By how much visits miss their day, as exactly one of the forms."""

    model_config = ConfigDict(json_schema_extra=ONE_KEY)

    sd: PositiveDuration | None = None
    uniform: PositiveDuration | None = None

    @model_validator(mode="after")
    def _is_one(self) -> Jitter:
        """Refuse none and both forms."""
        forms = ("sd", "uniform")
        exactly_one((name for name in forms if getattr(self, name) is not None), forms, "a jitter")
        return self


class Late(Model):
    """Visits that are held late."""

    probability: Probability
    delay: Delay


class Visits(Model):
    """The schedule of visits in time since randomisation."""

    every: PositiveDuration | None = None
    at: Annotated[tuple[PositiveDuration, ...], Field(min_length=1, max_length=MOST_VISITS)] | None = None
    until: PositiveDuration | None = None
    jitter: Jitter | None = None
    missed: Probability | None = None
    late: Late | None = None

    @model_validator(mode="after")
    def _is_one_schedule(self) -> Visits:
        """Refuse none and both schedules, times out of order, and too many visits."""
        forms = ("every", "at")
        exactly_one((name for name in forms if getattr(self, name) is not None), forms, "a schedule")
        if self.every is None:
            if self.until is not None:
                raise refuse("until goes with every; the last time of at is the last visit")
            if any(later <= earlier for earlier, later in itertools.pairwise(self.at or ())):
                raise refuse("the times of at must be in order, each later than the one before")
            return self
        if self.until is None:
            raise refuse("until is required with every: when the last visit is due")
        if self.until < self.every:
            raise refuse(f"until ({self.until:g} days) comes before the first visit ({self.every:g} days)")
        if self.until / self.every > MOST_VISITS + 0.5:
            raise refuse(f"these are more than {MOST_VISITS} visits")
        return self

    @property
    def times(self) -> tuple[float, ...]:
        """The scheduled times in days since randomisation."""
        if self.every is None:
            return self.at or ()
        count = int((self.until or 0.0) / self.every + 1e-9)
        return tuple(self.every * (k + 1) for k in range(count))
