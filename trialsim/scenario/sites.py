"""Where candidates come from, as data: groups of sites, how they open, how fast they find candidates, when they close."""

from __future__ import annotations

import itertools
from typing import Annotated

from pydantic import Field, field_validator

from trialsim.scenario.delays import Delay
from trialsim.scenario.units import Duration, PositiveDuration, RateOrZero
from trialsim.scenario.values import Coefficient, Count, Label, Model, Name, NumberAtom, Probability
from trialsim.scenario.wording import refuse

MOST_SITES = 2000
MOST_BACKLOG = 100_000
MOST_CANDIDATES = 2_000_000
"""Screenings of one trial that may be expected before its horizon, should enrolment never close."""

SiteCount = Annotated[int, NumberAtom(least=1, most=MOST_SITES, whole=True)]
Backlog = Annotated[int, NumberAtom(least=0, most=MOST_BACKLOG, whole=True)]
Shape = Annotated[float, NumberAtom(least=0.01, most=1e6)]
Coordinators = Annotated[int, NumberAtom(least=1, most=1000, whole=True)]


class RampUp(Model):
    """A site's rate just after it opens, and how long it takes to reach its full rate, linearly."""

    start: Probability = Field(alias="from")
    over: PositiveDuration


class SiteDrift(Model):
    """How a site's rate changes after its ramp-up, linearly, as a share of its full rate; it never falls below zero."""

    per_year: Coefficient


class Competition(Model):
    """The share of arriving candidates that other trials take from a calendar time on."""

    start: Duration = Field(alias="from")
    share: Probability


class SiteRecord(Model):
    """An earlier trial at a site: for how long it enrolled, and how much its rate differed from the one of this trial."""

    over: PositiveDuration
    spread: Annotated[float, NumberAtom(least=0, most=3)] = 0.0


class Feasibility(Model):
    """What a site promises in a questionnaire, as a multiple of its true rate, and how much promises differ."""

    optimism: Annotated[float, NumberAtom(above=0, most=100)] = 1.0
    spread: Annotated[float, NumberAtom(least=0, most=3)] = 0.0
    answered: Probability | None = None


class SiteGroup(Model):
    """Sites that share their laws; each draws its own rate and its own time of opening."""

    count: SiteCount = 1
    rate: RateOrZero
    rate_shape: Shape | None = None
    activation: Delay = Field(default_factory=lambda: Delay.model_validate("0 days"))
    never_opens: Probability = 0.0
    ramp_up: RampUp | None = None
    drift: SiteDrift | None = None
    competing: Annotated[tuple[Competition, ...], Field(max_length=100)] = ()
    backlog: Backlog = 0
    coordinators: Coordinators | None = None
    cap: Count | None = None
    closes: PositiveDuration | None = None
    history: SiteRecord | None = None
    feasibility: Feasibility | None = None
    mix: Annotated[dict[Label, dict[Label, Probability]], Field(min_length=1, max_length=50)] | None = None

    @field_validator("competing")
    @classmethod
    def _in_order(cls, pieces: tuple[Competition, ...]) -> tuple[Competition, ...]:
        """Refuse times out of order."""
        starts = [piece.start for piece in pieces]
        if any(later <= earlier for earlier, later in itertools.pairwise(starts)):
            raise refuse("the pieces must be in order of time, each beginning later than the one before")
        return pieces


Sites = Annotated[dict[Name, SiteGroup], Field(min_length=1, max_length=MOST_SITES)]
