"""What happens to a patient from randomisation on, as data: treatment, adverse events, ending early, visits."""

from __future__ import annotations

import itertools
from typing import Annotated, Any

from pydantic import AfterValidator, Field, model_validator

from trialsim.scenario.delays import Delay
from trialsim.scenario.endpoints import (
    MOST_EFFECTS,
    After,
    Coefficients,
    LatentCoefficients,
    OutcomeCoefficients,
    Values,
)
from trialsim.scenario.hazards import Baseline, HazardRatio, Ratio
from trialsim.scenario.severity import GRADES, SEVERITIES, ByLevel, Level, by_level
from trialsim.scenario.units import Duration, PositiveDuration
from trialsim.scenario.values import Flag, Model, Name, NumberAtom, Probability, exactly_one
from trialsim.scenario.wording import refuse, shown

MOST_TERMS = 100
MOST_REASONS = 40
MOST_DOSES = 20
DEFAULT_WINDOW = 30.0

Dose = Annotated[float, NumberAtom(above=0, most=1)]
Exponent = Annotated[float, NumberAtom(least=0, most=10)]


class Waning(Model):
    """How the effect fades after the last dose."""

    half_life: PositiveDuration


class Rescue(Model):
    """Rescue treatment after treatment has been discontinued."""

    probability: Probability
    delay: Delay
    hazard_ratio: Annotated[dict[Name, HazardRatio], Field(min_length=1, max_length=50)]


class Crossover(Model):
    """A change to the treatment of another arm."""

    start: Annotated[tuple[Name, ...], Field(min_length=1, max_length=MOST_EFFECTS, alias="from")]
    to: Name
    probability: Probability
    on: Name
    delay: Delay


class Treatment(Model):
    """Doses, how long they are given, and what becomes of the effect after the last one."""

    doses: Annotated[tuple[Dose, ...], Field(min_length=1, max_length=MOST_DOSES)] | None = None
    duration: PositiveDuration | None = None
    effect_stops: Flag = False
    waning: Waning | None = None
    rescue: Rescue | None = None
    crossover: Crossover | None = None

    @model_validator(mode="after")
    def _fits(self) -> Treatment:
        """Refuse doses that do not fall, and an effect that both stops and fades."""
        if self.levels[0] != 1.0:
            raise refuse(f"doses are relative to the first, which is 1; found {shown(self.levels[0])}")
        if any(later >= earlier for earlier, later in itertools.pairwise(self.levels)):
            raise refuse("doses must fall from level to level, such as [1, 0.75, 0.5]")
        if self.effect_stops and self.waning is not None:
            raise refuse("either the effect stops with the last dose (effect_stops) or it fades (waning)")
        return self

    @property
    def levels(self) -> tuple[float, ...]:
        """The dose levels, of which there is at least one."""
        return self.doses or (1.0,)


class Departure(Model):
    """A hazard of stopping treatment for one reason, or of withdrawing consent."""

    baseline: Baseline
    effect: Annotated[dict[Name, Ratio], Field(max_length=MOST_EFFECTS)] = {}
    covariates: Coefficients = {}
    centre: Values = {}
    latent: LatentCoefficients = {}
    modifiers: Coefficients = {}
    after: After | None = None
    outcome: OutcomeCoefficients | None = None


class Actions(Model):
    """What is done about an adverse event: at most one of three things, each with its probability."""

    discontinue: Probability | None = None
    reduce: Probability | None = None
    interrupt: Probability | None = None

    @model_validator(mode="after")
    def _at_most_one(self) -> Actions:
        """Refuse probabilities that sum to more than one."""
        total = (self.discontinue or 0.0) + (self.reduce or 0.0) + (self.interrupt or 0.0)
        if total > 1.0 + 1e-9:
            raise refuse(
                f"the probabilities of the actions must sum to at most 1; they sum to {shown(total)}"
            )
        return self


def _sums_to_one(shares: dict[str, float] | None) -> dict[str, float] | None:
    """Refuse shares of severity that do not sum to one."""
    if shares is not None and abs(sum(shares.values()) - 1.0) > 1e-9:
        raise refuse(f"the shares must sum to 1; they sum to {shown(sum(shares.values()))}")
    return shares


class AdverseEvent(Model):
    """One term or class of adverse events, which may come again and again."""

    baseline: Baseline
    effect: Annotated[dict[Name, Ratio], Field(max_length=MOST_EFFECTS)] = {}
    covariates: Coefficients = {}
    centre: Values = {}
    latent: LatentCoefficients = {}
    modifiers: Coefficients = {}
    dose_exponent: Exponent | None = None
    severity: Annotated[ByLevel, AfterValidator(_sums_to_one)] | None = None
    grades: Annotated[ByLevel, AfterValidator(_sums_to_one)] | None = None
    serious: ByLevel = {}
    fatal: ByLevel = {}
    duration: Delay | None = None
    window: Duration = DEFAULT_WINDOW
    actions: Annotated[dict[Level, Actions], AfterValidator(by_level)] = {}
    interruption: Delay | None = None

    @model_validator(mode="after")
    def _one_scale(self) -> AdverseEvent:
        """Refuse none and both scales, and levels of the other scale."""
        forms = ("severity", "grades")
        chosen = exactly_one(
            (name for name in forms if getattr(self, name) is not None), forms, "how severe it is"
        )
        allowed = SEVERITIES if chosen == "severity" else GRADES
        for part in (chosen, "serious", "fatal", "actions"):
            for level in getattr(self, part):
                if level not in allowed:
                    raise refuse(f"{part}: {level} is no level of {chosen}; allowed: {', '.join(allowed)}")
        if self.grades is not None and any(level == "5" for level in self.fatal):
            raise refuse("fatal: grade 5 is fatal by definition; leave it out")
        if self.interruption is None and any(
            (action.interrupt or 0.0) > 0 for action in self.actions.values()
        ):
            raise refuse("interruption is required where an action interrupts: how long no dose is given")
        return self

    @property
    def levels(self) -> tuple[str, ...]:
        """The levels of the scale on which this term is graded."""
        return SEVERITIES if self.severity is not None else GRADES

    @property
    def shares(self) -> tuple[float, ...]:
        """The share of each level."""
        given = self.severity if self.severity is not None else self.grades or {}
        return tuple(given.get(level, 0.0) for level in self.levels)


def sorted_by_name(named: dict[str, Any] | None) -> dict[str, Any] | None:
    """Keep names sorted, so that the order in which they are written moves nothing."""
    return None if named is None else dict(sorted(named.items()))


Reasons = Annotated[
    dict[Name, Departure], Field(min_length=1, max_length=MOST_REASONS), AfterValidator(sorted_by_name)
]
Terms = Annotated[
    dict[Name, AdverseEvent], Field(min_length=1, max_length=MOST_TERMS), AfterValidator(sorted_by_name)
]
