"""The options of each Bayesian model, as a hypothesis writes them.

``margin`` and ``margin_ratio`` are the effect that has to be bettered, treatment less control, or over it: of failures
whose low rate is a benefit, ``margin: 0.1`` is non-inferiority by 10 percentage points.
"""

from __future__ import annotations

import itertools
import math
from typing import Annotated, Any

from pydantic import ConfigDict, Field, model_validator

from trialsim.scenario.analysis_options import Covariates, KnownSd, Margin, Shape, Shapes
from trialsim.scenario.severity import Level
from trialsim.scenario.units import Duration, PositiveDuration, Rate
from trialsim.scenario.values import Finite, Flag, Model, Name, NumberAtom, Positive
from trialsim.scenario.wording import refuse

Ratio = Annotated[float, NumberAtom(least=1e-4, most=1e4)]
Share = Annotated[float, NumberAtom(above=0, below=1)]
Starts = Annotated[tuple[Duration, ...], Field(min_length=1, max_length=20)]
Pieces = Annotated[tuple[Shape, ...], Field(min_length=1, max_length=20)]
Terms = Annotated[tuple[Name, ...], Field(min_length=1, max_length=100)]
Categories = Annotated[tuple[Shape, ...], Field(min_length=4, max_length=6)]
Draws = Annotated[int, NumberAtom(least=50, most=100_000, whole=True)]
Exposures = Annotated[tuple[PositiveDuration, ...], Field(min_length=1, max_length=20)]


class RobustBetaBinomial(Model):
    """Response rates, control's prior a mixture of what earlier trials say and a vague part."""

    control_a: Shape
    control_b: Shape
    robust_weight: Share = 0.2
    vague_a: Shape = 1.0
    vague_b: Shape = 1.0
    margin: Margin = 0.0


class NormalKnownVariance(Model):
    """Means with normal priors, the standard deviation of an outcome known."""

    sd: KnownSd
    prior_mean: Finite = 0.0
    prior_sd: Positive
    margin: Finite = 0.0


class NormalUnknownVariance(Model):
    """Means with priors, each arm's variance unknown and its own."""

    prior_mean: Finite = 0.0
    prior_worth: Annotated[float, NumberAtom(least=0, most=1e6)] = 0.0
    variance_shape_parameter: Annotated[float, NumberAtom(least=-0.5, most=1e6)] = -0.5
    variance_scale_parameter: Annotated[float, NumberAtom(least=0, most=1e12)] = 0.0
    margin: Finite = 0.0


class RobustNormal(Model):
    """Means of known variance, control's prior a mixture of what earlier trials say and a vague part."""

    sd: KnownSd
    control_mean: Finite
    control_sd: Positive
    robust_weight: Share = 0.2
    vague_mean: Finite
    vague_sd: Positive
    margin: Finite = 0.0


class GammaExponential(Model):
    """Constant hazards with gamma priors."""

    prior_shape: Shape = 0.5
    prior_rate: PositiveDuration
    margin_ratio: Ratio = 1.0
    followed_for: PositiveDuration | None = None
    draws: Draws | None = None


class GammaPoisson(Model):
    """Rates of adverse events with gamma priors; a single arm is compared with a rate."""

    terms: Terms | None = None
    at_least: Level | None = None
    serious: Flag = False
    prior_shape: Shape = 0.5
    prior_rate: PositiveDuration
    margin_ratio: Ratio = 1.0
    rate: Rate | None = None


class DirichletMultinomial(Model):
    """Probabilities of a grade of the worst adverse event or a higher one; a single arm is compared with a rate."""

    terms: Terms | None = None
    at_least: Level
    within: PositiveDuration | None = None
    prior_alpha: Categories | None = None
    margin: Margin = 0.0
    rate: Share | None = None


class PiecewiseExponential(Model):
    """Survival at a time, hazards constant in pieces with gamma priors."""

    at: PositiveDuration
    starts: Starts = (0.0,)
    prior_shape: Shape = 0.5
    prior_rate: PositiveDuration
    margin: Margin = 0.0
    followed_for: PositiveDuration | None = None
    draws: Draws | None = None

    @model_validator(mode="after")
    def _rises(self) -> PiecewiseExponential:
        """Refuse pieces that do not begin at 0 and rise, and survival at a time that nobody is followed to."""
        _rising(self.starts)
        if self.followed_for is not None and self.at > self.followed_for:
            raise refuse(
                f"at: survival at {self.at:g} days is compared, and followed_for ends at {self.followed_for:g} days"
            )
        return self


class LaplaceRegression(Model):
    """A log ratio with a normal prior, given covariates."""

    covariates: Covariates = ()
    prior_mean: Finite = 0.0
    prior_sd: Positive = 2.5
    covariate_sd: Positive = 2.5
    margin_ratio: Ratio = 1.0


class LogisticRegression(LaplaceRegression):
    """A log odds ratio with a normal prior, given covariates."""

    intercept_mean: Finite = 0.0
    intercept_sd: Positive = 2.5


class WeibullRegression(LogisticRegression):
    """A log hazard ratio with a normal prior in a Weibull model, given covariates."""

    log_shape_sd: Positive = 0.5
    time_unit: PositiveDuration = 365.25


class EventRate(Model):
    """Rates of an event by a time with beta priors; what is not known yet is imputed from each patient's follow-up."""

    at: PositiveDuration
    prior: Shapes = (1.0, 1.0)
    control_prior: Shapes | None = None
    margin: Margin = 0.0
    starts: Starts = (0.0,)
    hazard_shape: Pieces = (0.5,)
    hazard_exposure: Exposures
    final_hazard_shape: Pieces | None = None
    final_hazard_exposure: Exposures | None = None
    draws: Draws = 500

    @model_validator(mode="after")
    def _fits(self) -> EventRate:
        """Refuse pieces that do not rise, and priors that are neither one nor one for each piece."""
        _rising(self.starts)
        for name in ("hazard_shape", "hazard_exposure", "final_hazard_shape", "final_hazard_exposure"):
            given = getattr(self, name)
            if given is not None and len(given) not in (1, len(self.starts)):
                raise refuse(
                    f"{name} has {len(given)} entries for {len(self.starts)} pieces; give one, or one for each piece"
                )
        return self


class Basket(Model):
    """A basket's response rate against a rate; every arm of the design is a basket, which may borrow from the others."""

    rate: Share
    mean: Finite = 0.0
    mean_sd: Positive = 2.0
    between_scale: Positive = 1.0
    exchangeable: Annotated[float, NumberAtom(above=0, most=1)] = 1.0
    own_mean: Finite = 0.0
    own_sd: Positive = 2.0


class OwnModel(Model):
    """A Bayesian model of another package, by the name under which it is registered, with its options."""

    model_config = ConfigDict(protected_namespaces=())

    name: Name
    covariates: Covariates = ()
    margin: Finite = 0.0
    options: Annotated[dict[Name, Any], Field(max_length=50)] = {}

    @model_validator(mode="after")
    def _are_numbers(self) -> OwnModel:
        """Refuse options that are no numbers."""
        for name, value in self.options.items():
            several = value if isinstance(value, (list, tuple)) else [value]
            if not several or not all(_is_number(each) for each in several):
                raise refuse(f"options.{name} takes a finite number, or a list of them, found {value!r}")
            if name == "margin":
                raise refuse("options.margin stands outside options: model: {name: ..., margin: ...}")
        return self


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _rising(starts: tuple[float, ...]) -> None:
    if starts[0] != 0.0 or any(later <= former for former, later in itertools.pairwise(starts)):
        raise refuse("starts begin at 0 days and rise: [0 days, 90 days, 180 days]")
