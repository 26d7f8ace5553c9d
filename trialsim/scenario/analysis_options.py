"""The options of each registered analysis, as a hypothesis writes them."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from trialsim.scenario.units import PositiveDuration
from trialsim.scenario.values import Coefficient, Label, Model, NumberAtom

Weight = Annotated[float, NumberAtom(least=0, most=10)]
KnownSd = Annotated[float, NumberAtom(least=1e-9, most=1e9)]
Margin = Annotated[float, NumberAtom(above=-1, below=1)]
Draws = Annotated[int, NumberAtom(least=99, most=99_999, whole=True)]
Covariates = Annotated[tuple[Label, ...], Field(max_length=10)]
Strata = Annotated[tuple[Label, ...], Field(max_length=5)]


class Plain(Model):
    """An analysis without options."""


class LogRank(Model):
    """The log-rank test, stratified where strata are named."""

    strata: Strata = ()


class FlemingHarrington(Model):
    """The weighted log-rank test with weights S^rho (1 - S)^gamma of the pooled survival S, within strata where named."""

    rho: Weight
    gamma: Weight
    strata: Annotated[Strata, Field(min_length=1)] | None = None


class Cox(Model):
    """The Cox model of treatment, stratified where strata are named, adjusted where covariates are."""

    strata: Strata = ()
    covariates: Covariates = ()


class RestrictedMean(Model):
    """The difference of restricted mean survival times up to a time since entry."""

    up_to: PositiveDuration


class Milestone(Model):
    """The difference of survival at a time since entry."""

    at: PositiveDuration


class ZTest(Model):
    """The z test of a difference in means with a known standard deviation."""

    sd: KnownSd


class Ancova(Model):
    """Analysis of covariance."""

    covariates: Annotated[Covariates, Field(min_length=1)]


class Procova(Model):
    """Analysis of covariance with a prognostic score: a weighted sum of covariates, fixed before the trial."""

    score: Annotated[dict[Label, Coefficient], Field(min_length=1, max_length=50)]
    covariates: Covariates = ()


class MiettinenNurminen(Model):
    """The score test that the difference of two proportions is at a margin."""

    margin: Margin = 0.0


class CochranMantelHaenszel(Model):
    """The test of two proportions within strata."""

    strata: Annotated[Strata, Field(min_length=1)]


class Logistic(Model):
    """Logistic regression on treatment, adjusted where covariates are named."""

    covariates: Covariates = ()


Shape = Annotated[float, NumberAtom(least=0.05, most=100_000)]
Shapes = Annotated[tuple[Shape, ...], Field(min_length=2, max_length=2)]


class BetaBinomial(Model):
    """Posterior of response rates with beta priors; a single arm is compared with a rate."""

    prior: Shapes = (1.0, 1.0)
    control_prior: Shapes | None = None
    margin: Margin = 0.0
    rate: Annotated[float, NumberAtom(above=0, below=1)] | None = None


class Rerandomised(Model):
    """A test against allocations drawn again by the design's rule."""

    draws: Draws = 999
