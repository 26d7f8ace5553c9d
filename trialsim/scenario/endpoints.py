"""What is measured in a patient, as data: survival, binary and continuous endpoints, and dropout."""

from __future__ import annotations

import itertools
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag, model_validator

from trialsim.scenario.accrual import MOST_PIECES
from trialsim.scenario.delays import Delay
from trialsim.scenario.hazards import Baseline, HazardRatio, Ratio
from trialsim.scenario.population import TraitName
from trialsim.scenario.severity import Level, by_level
from trialsim.scenario.units import Duration, PositiveDuration
from trialsim.scenario.values import (
    Coefficient,
    Finite,
    Flag,
    Label,
    Model,
    Name,
    NotNegative,
    OpenProbability,
    Positive,
    Probability,
    WordAtom,
    exactly_one,
)
from trialsim.scenario.wording import closest, listed, refuse, shown, unknown

EffectKind = Annotated[Literal["conditional", "marginal"], WordAtom(("conditional", "marginal"))]
EffectMeasure = Annotated[
    Literal["rate", "odds_ratio", "risk_difference"], WordAtom(("rate", "odds_ratio", "risk_difference"))
]
MOST_TERMS = 200
MOST_EFFECTS = 50
LINEAR, PROBABILITY = "linear_predictor", "probability"


class SiteEffect(Model):
    """How much sites differ on the linear predictor: in every arm, and in the effect of treatment."""

    sd: NotNegative = 0.0
    treatment_sd: NotNegative = 0.0


class DriftStep(Model):
    """A change that holds from a calendar time on and replaces the one before."""

    start: Duration = Field(alias="from")
    change: Coefficient


class Drift(Model):
    """How an endpoint drifts with the calendar time of entry: linearly or in steps."""

    per_year: Coefficient | None = None
    steps: Annotated[tuple[DriftStep, ...], Field(min_length=1, max_length=MOST_PIECES)] | None = None
    scale: Annotated[str, WordAtom((LINEAR, PROBABILITY))] = LINEAR

    @model_validator(mode="after")
    def _is_one_form(self) -> Drift:
        """Refuse none and both forms, and steps out of order."""
        forms = ("per_year", "steps")
        exactly_one((name for name in forms if getattr(self, name) is not None), forms, "a drift")
        starts = [step.start for step in self.steps or ()]
        if any(later <= earlier for earlier, later in itertools.pairwise(starts)):
            raise refuse("the steps must be in order of time, each beginning later than the one before")
        return self


def _sorted(coefficients: dict[str, float]) -> dict[str, float]:
    """Keep coefficients sorted, so that the order in which they are written moves no sum."""
    return dict(sorted(coefficients.items()))


Coefficients = Annotated[dict[Label, Coefficient], Field(max_length=MOST_TERMS), AfterValidator(_sorted)]
Values = Annotated[dict[Label, Finite], Field(max_length=MOST_TERMS), AfterValidator(_sorted)]
LatentCoefficients = Annotated[dict[TraitName, Coefficient], AfterValidator(_sorted)]
LatentValues = Annotated[dict[TraitName, Finite], AfterValidator(_sorted)]
OutcomeCoefficients = Annotated[
    dict[Name, Coefficient], Field(max_length=MOST_EFFECTS), AfterValidator(_sorted)
]
After = Annotated[dict[Level, HazardRatio], AfterValidator(by_level)]


Detected = Annotated[str, WordAtom(("visits",))]


class Adjudication(Model):
    """A committee that confirms reported events, or does not."""

    delay: Delay
    confirmed: Probability


class SurvivalEndpoint(Model):
    """A time to an event on the cumulative-hazard scale."""

    kind: Literal["survival"]
    baseline: Baseline
    effect: Annotated[dict[Name, Ratio], Field(max_length=MOST_EFFECTS)]
    effect_kind: EffectKind = "conditional"
    covariates: Coefficients = {}
    centre: Values = {}
    latent: LatentCoefficients = {}
    modifiers: Coefficients = {}
    drift: Drift | None = None
    site: SiteEffect | None = None
    readout: Duration = 0.0
    terminal: Flag | None = None
    detected: Detected | None = None
    report_delay: Delay | None = None
    adjudication: Adjudication | None = None


class BinaryEndpoint(Model):
    """A yes or no, known some time after entry; logistic in its covariates."""

    kind: Literal["binary"]
    readout: PositiveDuration
    rate: OpenProbability
    effect: Annotated[dict[Name, Finite], Field(max_length=MOST_EFFECTS)]
    effect_measure: EffectMeasure
    effect_kind: EffectKind = "conditional"
    covariates: Coefficients = {}
    centre: Values = {}
    latent: LatentCoefficients = {}
    modifiers: Coefficients = {}
    drift: Drift | None = None
    site: SiteEffect | None = None
    detected: Detected | None = None


class ContinuousEndpoint(Model):
    """A measurement, known some time after entry; linear in its covariates, with normal residuals."""

    kind: Literal["continuous"]
    readout: PositiveDuration
    mean: Finite
    sd: Positive
    effect: Annotated[dict[Name, Finite], Field(max_length=MOST_EFFECTS)]
    effect_kind: EffectKind = "conditional"
    covariates: Values = {}
    centre: Values = {}
    latent: LatentValues = {}
    modifiers: Values = {}
    drift: Drift | None = None
    site: SiteEffect | None = None
    detected: Detected | None = None


ENDPOINT_KINDS = ("survival", "binary", "continuous")


def has_marginal_ratios(endpoint: Any) -> bool:
    """Return whether conditional hazard ratios have to be found that give an endpoint's marginal ones, if any do.

    Marginal rates and means always have a conditional one.
    """
    matters = endpoint.covariates or endpoint.latent or endpoint.modifiers
    solved = endpoint.kind == "survival" and endpoint.effect_kind == "marginal"
    return bool(solved and matters and endpoint.effect)


def _kind_of(endpoint: Any) -> Any:
    """Return the kind of an endpoint, written or built."""
    return endpoint.get("kind") if isinstance(endpoint, dict) else getattr(endpoint, "kind", None)


def _has_kind(endpoint: Any) -> Any:
    """Return an endpoint as it is, or refuse its kind."""
    if not isinstance(endpoint, (dict, Model)):
        raise refuse(
            f"a mapping with kind: survival, binary or continuous is expected, found {shown(endpoint)}"
        )
    kind = _kind_of(endpoint)
    if kind is None:
        misspelt = closest("kind", endpoint) if isinstance(endpoint, dict) else None
        hint = "" if misspelt is None else f"; {shown(misspelt)} is not known here. Did you mean 'kind'?"
        raise refuse(f"kind is required; allowed: {listed(ENDPOINT_KINDS)}{hint}")
    if kind not in ENDPOINT_KINDS:
        raise refuse(unknown("the kind", kind, ENDPOINT_KINDS))
    return endpoint


Endpoint = Annotated[
    Annotated[SurvivalEndpoint, Tag("<survival>")]
    | Annotated[BinaryEndpoint, Tag("<binary>")]
    | Annotated[ContinuousEndpoint, Tag("<continuous>")],
    Discriminator(lambda endpoint: f"<{_kind_of(endpoint)}>"),
    BeforeValidator(_has_kind),
]


class Dropout(Model):
    """Loss to follow-up by a hazard of its own."""

    baseline: Baseline
    effect: Annotated[dict[Name, HazardRatio], Field(max_length=MOST_EFFECTS)] = {}
    covariates: Coefficients = {}
    centre: Values = {}
    latent: LatentCoefficients = {}
    after: After | None = None
    outcome: OutcomeCoefficients | None = None
