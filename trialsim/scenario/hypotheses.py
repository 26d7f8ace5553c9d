"""What is tested, named once and used by every design."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import ConfigDict, Field, GetJsonSchemaHandler, model_validator
from pydantic_core import CoreSchema

from trialsim.scenario.units import PositiveDuration
from trialsim.scenario.values import ONE_KEY, Label, Model, Name, Positive, WordAtom, exactly_one, or_short
from trialsim.scenario.wording import listed, refuse, shown, unknown

ANALYSES = ("logrank", "cox", "t_test", "z_test", "score_test")
ANALYSES_OF_KIND = {
    "survival": ("logrank", "cox"),
    "continuous": ("t_test", "z_test"),
    "binary": ("score_test",),
}


STRATEGIES = ("treatment_policy", "hypothetical", "composite", "while_on_treatment", "principal_stratum")


class LogRank(Model):
    """The log-rank test, stratified where strata are named."""

    strata: Annotated[tuple[Label, ...], Field(max_length=5)] = ()


class Plain(Model):
    """An analysis without options."""


class ZTest(Model):
    """The z test of a difference in means with a known standard deviation."""

    sd: Positive


class Analysis(Model):
    """One registered analysis with its options; a name alone stands for the analysis without options."""

    model_config = ConfigDict(json_schema_extra=ONE_KEY)

    logrank: LogRank | None = None
    cox: Plain | None = None
    t_test: Plain | None = None
    z_test: ZTest | None = None
    score_test: Plain | None = None

    @model_validator(mode="before")
    @classmethod
    def _name_alone(cls, data: Any) -> Any:
        """Read a name alone as the analysis without options."""
        if isinstance(data, str):
            if data not in ANALYSES:
                raise refuse(unknown("the analysis", data, ANALYSES))
            if data == "z_test":
                raise refuse("z_test needs the known standard deviation: {z_test: {sd: 100}}")
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
        return or_short({"enum": [name for name in ANALYSES if name != "z_test"]}, schema, handler)

    @property
    def name(self) -> str:
        """The name of the analysis."""
        return next(name for name in ANALYSES if getattr(self, name) is not None)


class Hypothesis(Model):
    """Two arms compared on one endpoint by one analysis, with the direction that means benefit.

    ``follow_up`` is the time since entry to which a true hazard ratio refers; without it, the scenario's
    horizon. ``window`` is how long after the last dose ``while_on_treatment`` goes on.
    """

    endpoint: Name
    arms: Annotated[tuple[Name, ...], Field(min_length=2, max_length=2)]
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
        """The options of the analysis by name."""
        return dict(getattr(self.analysed_by, self.analysis).model_dump())

    @property
    def strata(self) -> tuple[str, ...]:
        """The covariates by which the analysis is stratified."""
        return self.analysed_by.logrank.strata if self.analysed_by.logrank else ()
