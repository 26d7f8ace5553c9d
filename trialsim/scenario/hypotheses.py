"""What is tested, named once and used by every design."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import ConfigDict, Field, GetJsonSchemaHandler, model_validator
from pydantic_core import CoreSchema

from trialsim.scenario.analysis_options import (
    Ancova,
    BetaBinomial,
    CochranMantelHaenszel,
    Cox,
    FlemingHarrington,
    Logistic,
    LogRank,
    MiettinenNurminen,
    Milestone,
    Plain,
    Procova,
    Rerandomised,
    RestrictedMean,
    ZTest,
)
from trialsim.scenario.posterior_options import (
    Basket,
    DirichletMultinomial,
    EventRate,
    GammaExponential,
    GammaPoisson,
    LaplaceRegression,
    LogisticRegression,
    NormalKnownVariance,
    NormalUnknownVariance,
    OwnModel,
    PiecewiseExponential,
    RobustBetaBinomial,
    RobustNormal,
    WeibullRegression,
)
from trialsim.scenario.units import PositiveDuration
from trialsim.scenario.values import ONE_KEY, Model, Name, WordAtom, exactly_one, or_short
from trialsim.scenario.wording import listed, refuse, shown, unknown

ANALYSES_OF_KIND = {
    "survival": (
        "logrank",
        "fleming_harrington",
        "cox",
        "restricted_mean",
        "milestone",
        "rerandomised_logrank",
    ),
    "continuous": ("t_test", "welch", "z_test", "ancova", "procova", "rerandomised_means"),
    "binary": (
        "score_test",
        "fisher",
        "miettinen_nurminen",
        "cochran_mantel_haenszel",
        "logistic",
        "rerandomised_proportions",
        "cmh_by_period",
        "inverse_probability_weighted",
        "beta_binomial",
    ),
}
POSTERIORS_OF_KIND = {
    "survival": (
        "gamma_exponential",
        "piecewise_exponential",
        "event_rate",
        "cox_laplace",
        "weibull_nuts",
        "model",
    ),
    "continuous": ("normal_known_variance", "normal_unknown_variance", "robust_normal", "model"),
    "binary": ("robust_beta_binomial", "logistic_laplace", "logistic_nuts", "basket", "model"),
    "adverse_events": ("gamma_poisson", "dirichlet_multinomial"),
}
"""Bayesian models by kind of endpoint, ``model`` being one of another package."""

ADVERSE_EVENTS = "adverse_events"
"""What a hypothesis names as its endpoint that is about the scenario's adverse events."""

POSTERIORS = tuple(dict.fromkeys(name for names in POSTERIORS_OF_KIND.values() for name in names))
ANALYSES = (*(name for names in ANALYSES_OF_KIND.values() for name in names), *POSTERIORS)
_WANTED = {
    "fleming_harrington": "the powers of its weights: {fleming_harrington: {rho: 0, gamma: 1}}",
    "restricted_mean": "the time up to which survival is averaged: {restricted_mean: {up_to: 18 months}}",
    "milestone": "the time at which survival is compared: {milestone: {at: 12 months}}",
    "z_test": "the known standard deviation: {z_test: {sd: 100}}",
    "ancova": "covariates to adjust for: {ancova: {covariates: [age]}}",
    "procova": "a score made of covariates: {procova: {score: {age: 0.1}}}",
    "cochran_mantel_haenszel": "strata: {cochran_mantel_haenszel: {strata: [sex]}}",
    "robust_beta_binomial": "what earlier controls say: {robust_beta_binomial: {control_a: 30, control_b: 70}}",
    "normal_known_variance": "standard deviations of outcome and prior: {normal_known_variance: {sd: 10, prior_sd: 20}}",
    "robust_normal": (
        "its priors: {robust_normal: {sd: 10, control_mean: 5, control_sd: 2, vague_mean: 0, vague_sd: 20}}"
    ),
    "gamma_exponential": "days at risk that the prior is worth: {gamma_exponential: {prior_rate: 100 days}}",
    "piecewise_exponential": (
        "the time at which survival is compared, and days that the prior is worth: "
        "{piecewise_exponential: {at: 12 months, prior_rate: 100 days}}"
    ),
    "event_rate": "the time by which events count, and days that the hazards' prior is worth: "
    "{event_rate: {at: 360 days, hazard_exposure: [1000 days]}}",
    "gamma_poisson": "days at risk that the prior is worth: {gamma_poisson: {prior_rate: 100 days}}",
    "dirichlet_multinomial": "the lowest severity that counts: {dirichlet_multinomial: {at_least: 3}}",
    "basket": "the rate that a basket's is compared with: {basket: {rate: 0.15}}",
    "model": "the name under which the model is registered: {model: {name: heavy_tails}}",
}


STRATEGIES = ("treatment_policy", "hypothetical", "composite", "while_on_treatment", "principal_stratum")


class Analysis(Model):
    """One registered analysis with its options; a name alone stands for the analysis without options."""

    model_config = ConfigDict(json_schema_extra=ONE_KEY)

    logrank: LogRank | None = None
    fleming_harrington: FlemingHarrington | None = None
    cox: Cox | None = None
    restricted_mean: RestrictedMean | None = None
    milestone: Milestone | None = None
    rerandomised_logrank: Rerandomised | None = None
    t_test: Plain | None = None
    welch: Plain | None = None
    z_test: ZTest | None = None
    ancova: Ancova | None = None
    procova: Procova | None = None
    rerandomised_means: Rerandomised | None = None
    score_test: Plain | None = None
    fisher: Plain | None = None
    miettinen_nurminen: MiettinenNurminen | None = None
    cochran_mantel_haenszel: CochranMantelHaenszel | None = None
    logistic: Logistic | None = None
    rerandomised_proportions: Rerandomised | None = None
    cmh_by_period: Plain | None = None
    inverse_probability_weighted: Plain | None = None
    beta_binomial: BetaBinomial | None = None
    robust_beta_binomial: RobustBetaBinomial | None = None
    logistic_laplace: LogisticRegression | None = None
    logistic_nuts: LogisticRegression | None = None
    basket: Basket | None = None
    normal_known_variance: NormalKnownVariance | None = None
    normal_unknown_variance: NormalUnknownVariance | None = None
    robust_normal: RobustNormal | None = None
    gamma_exponential: GammaExponential | None = None
    piecewise_exponential: PiecewiseExponential | None = None
    event_rate: EventRate | None = None
    cox_laplace: LaplaceRegression | None = None
    weibull_nuts: WeibullRegression | None = None
    gamma_poisson: GammaPoisson | None = None
    dirichlet_multinomial: DirichletMultinomial | None = None
    model: OwnModel | None = None

    @model_validator(mode="before")
    @classmethod
    def _name_alone(cls, data: Any) -> Any:
        """Read a name alone as the analysis without options."""
        if isinstance(data, str):
            if data not in ANALYSES:
                raise refuse(unknown("the analysis", data, ANALYSES))
            if data in _WANTED:
                raise refuse(f"{data} needs {_WANTED[data]}")
            return {data: {}}
        if not isinstance(data, (dict, Analysis)):
            raise refuse(
                f"the name of an analysis is expected, found {shown(data)}; allowed: {listed(ANALYSES)}"
            )
        return data

    @model_validator(mode="after")
    def _is_one(self) -> Analysis:
        """Refuse none and several analyses."""
        exactly_one((name for name in ANALYSES if getattr(self, name) is not None), ANALYSES, "an analysis")
        return self

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """Return the JSON Schema of a name alone or a mapping."""
        return or_short({"enum": [name for name in ANALYSES if name not in _WANTED]}, schema, handler)

    @property
    def name(self) -> str:
        """The name of the analysis."""
        return next(name for name in ANALYSES if getattr(self, name) is not None)


class Hypothesis(Model):
    """Two arms compared on one endpoint by one analysis, or one arm with a rate; with the direction that means benefit.

    ``follow_up`` is the time since entry to which a true hazard ratio refers; without it, the scenario's
    horizon. ``window`` is how long after the last dose ``while_on_treatment`` goes on.
    """

    endpoint: Name
    arms: Annotated[tuple[Name, ...], Field(min_length=1, max_length=2)]
    analysed_by: Analysis = Field(alias="analysis")
    direction: Annotated[str, WordAtom(("lower", "higher"))]
    strategy: Annotated[str, WordAtom(STRATEGIES)] = "treatment_policy"
    follow_up: PositiveDuration | None = None
    window: PositiveDuration | None = None

    @property
    def analysis(self) -> str:
        """The name of the analysis."""
        return self.analysed_by.name

    @property
    def analysis_options(self) -> dict[str, Any]:
        """The options of the analysis by name; those of another package's model stand among its own."""
        found = {name: getattr(self._options, name) for name in type(self._options).model_fields}
        return found | found.pop("options") if isinstance(self._options, OwnModel) else found

    @property
    def posterior(self) -> str | None:
        """The registered name of the Bayesian model that analyses it; None for a test."""
        if isinstance(self._options, OwnModel):
            return self._options.name
        return self.analysis if self.analysis in POSTERIORS else None

    @property
    def strata(self) -> tuple[str, ...]:
        """The covariates by which the analysis is stratified."""
        return getattr(self._options, "strata", None) or ()

    @property
    def covariates(self) -> tuple[str, ...]:
        """The covariates that the analysis adjusts for."""
        return getattr(self._options, "covariates", ())

    @property
    def score(self) -> dict[str, float]:
        """The coefficients of a prognostic score that the analysis adjusts for; none without one."""
        return getattr(self._options, "score", {})

    @property
    def _options(self) -> Model:
        """The options of the analysis."""
        found: Model = getattr(self.analysed_by, self.analysis)
        return found
