"""A candidate's way from first contact to randomisation, as data."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator, model_validator

from trialsim.scenario.delays import Delay
from trialsim.scenario.endpoints import MOST_TERMS, Coefficients, LatentCoefficients, Values
from trialsim.scenario.units import PositiveDuration
from trialsim.scenario.values import (
    Coefficient,
    Label,
    Model,
    Name,
    NotNegative,
    NumberAtom,
    Positive,
    Probability,
    WordAtom,
)
from trialsim.scenario.wording import refuse

WINDOW = "window"
Attempts = Annotated[int, NumberAtom(least=1, most=5, whole=True)]


class Interaction(Model):
    """What two covariates add together: the coefficient times their product, each less its centre."""

    of: Annotated[tuple[Label, ...], Field(min_length=2, max_length=2)]
    coefficient: Coefficient


class Chance(Model):
    """A probability that may depend on traits: on the logit scale around the probability of the centred candidate."""

    probability: Probability
    covariates: Coefficients = {}
    centre: Values = {}
    latent: LatentCoefficients = {}
    interactions: Annotated[tuple[Interaction, ...], Field(min_length=1, max_length=MOST_TERMS)] | None = None

    @model_validator(mode="after")
    def _is_inside(self) -> Chance:
        """Refuse traits around a probability that has no log odds."""
        if (self.covariates or self.latent or self.interactions) and not 0 < self.probability < 1:
            raise refuse("with covariates or latent traits the probability must be above 0 and below 1")
        return self


class Consent(Chance):
    """How many of those asked consent, and how long the talk takes; a refusal takes as long."""

    duration: Delay | None = None


class Rescreening(Model):
    """Candidates who failed and come again: how many, when, and how many of them are eligible by then."""

    probability: Probability
    after: Delay
    eligible: Probability
    attempts: Attempts = 1


class Records(Model):
    """What the records of a candidate lack or have wrong at first contact, when candidates are ranked."""

    missing: Annotated[dict[Label, Probability], Field(max_length=MOST_TERMS)] = {}
    site_sd: Annotated[dict[Label, NotNegative], Field(max_length=MOST_TERMS)] = {}


class Screening(Model):
    """What happens between a candidate's first contact and randomisation."""

    prescreen: Chance | None = None
    patience: Delay | None = None
    consent: Consent | None = None
    eligible: Chance | None = None
    duration: Delay | None = None
    window: PositiveDuration | None = None
    reasons: Annotated[dict[Name, Positive], Field(max_length=50)] = {}
    wrongly_randomised: Probability = 0.0
    rescreening: Rescreening | None = None
    lag: Delay | None = None
    stratum_errors: Probability = 0.0
    when_enrolment_closes: Annotated[str, WordAtom(("release", "keep"))] = "release"
    subgroup: Label | None = None
    records: Records | None = None

    @field_validator("reasons")
    @classmethod
    def _in_order(cls, reasons: dict[str, float]) -> dict[str, float]:
        """Keep reasons sorted, so that the order in which they are written moves no candidate."""
        if WINDOW in reasons:
            raise refuse(
                "'window' is the reason of those whose screening ran out of its window; give this another name"
            )
        return dict(sorted(reasons.items()))
