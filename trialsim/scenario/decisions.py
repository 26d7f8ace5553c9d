"""Decision rules of a Bayesian design: what is done at a look when probabilities pass thresholds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import ConfigDict, Field, GetJsonSchemaHandler, model_validator
from pydantic_core import core_schema

from trialsim.scenario.values import ONE_KEY, Finite, Model, Name, NumberAtom, WordAtom, exactly_one
from trialsim.scenario.wording import refuse

ACTIONS = (
    "stop_for_success",
    "stop_for_futility",
    "stop_for_safety",
    "stop_accrual",
    "stop_for_superiority",
    "stop_for_equivalence",
    "drop_arms",
)
OF_ARMS = ("stop_for_superiority", "drop_arms")
"""Actions whose conditions are asked of each open arm."""

CONDITIONS = ("posterior", "predictive", "best", "equivalent", "utility", "all", "any")
BY_LAW = ("normal_known_variance", "normal_unknown_variance")
"""Models whose predictive probability follows from the arms' posteriors and the numbers still to be read out."""

COMPLETED = ("gamma_exponential", "piecewise_exponential")
"""Models whose success is predicted by completing each patient's follow-up, up to the time ``followed_for``."""

IMPUTED = ("event_rate", *COMPLETED)
"""Models whose success is predicted from each patient's own follow-up."""

PREDICTED = ("beta_binomial", "robust_beta_binomial", *BY_LAW, *IMPUTED)
"""Analyses whose success can be predicted."""

COMPARED = ("beta_binomial", *BY_LAW, "gamma_exponential")
"""Analyses by which all arms can be compared: each arm's own parameter has a posterior of a known family."""

WITHOUT_MARGINS = ("event_rate", "basket", "logistic_nuts", "weibull_nuts")
"""Models that are not asked about effects beyond other margins than their own: they are sampled, or have none."""


def asked_of(analysis: str, sampled: bool) -> tuple[str, ...]:
    """Return what decision rules may ask of a test analysed by a Bayesian model.

    Parameters
    ----------
    analysis
        Its name; one that is not among the models here is a model of another package.
    sampled
        Whether its posterior is sampled.
    """
    found = ["posterior"]
    if analysis not in WITHOUT_MARGINS and not sampled:
        found += ["beyond", "within"]
    if analysis in COMPARED:
        found += ["best", "equivalent"]
    if analysis in PREDICTED:
        found.append("predictive")
    return tuple(found)


MOST_RULES = 20
MOST_LOOKS = 50

Threshold = float | tuple[float, ...] | None
_PROBABILITY = NumberAtom(least=0, most=1)
_NUMBER = NumberAtom(least=-1e9, most=1e9)


@dataclass(frozen=True)
class ThresholdAtom:
    """A threshold: one for all looks, or one for each look; of a probability, or any number."""

    any_number: bool = False

    def parse(self, value: Any) -> Threshold:
        """Return the threshold or thresholds, or refuse them."""
        if isinstance(value, (list, tuple)):
            if not 1 <= len(value) <= MOST_LOOKS:
                raise refuse(
                    f"1 to {MOST_LOOKS} thresholds are allowed, one for each look, found {len(value)}"
                )
            return tuple(float(self._atom.parse(each)) for each in value)
        return float(self._atom.parse(value))

    @property
    def _atom(self) -> NumberAtom:
        return _NUMBER if self.any_number else _PROBABILITY

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        """Tell pydantic to use :meth:`parse`."""
        return core_schema.no_info_plain_validator_function(self.parse)

    def __get_pydantic_json_schema__(self, schema: Any, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """Return the JSON Schema of a number or a list of them."""
        number: dict[str, Any] = {"type": "number"} | (
            {} if self.any_number else {"minimum": 0, "maximum": 1}
        )
        return {"anyOf": [number, {"type": "array", "items": number, "minItems": 1, "maxItems": MOST_LOOKS}]}


Limit = Annotated[Threshold, ThresholdAtom()]
Beyond = Annotated[float, NumberAtom(least=-1e9, most=1e9)]
Width = Annotated[float, NumberAtom(above=0, most=1e9)]
Tests = Annotated[tuple[Name, ...], Field(min_length=1, max_length=50)]
LookNumber = Annotated[int, NumberAtom(least=1, most=MOST_LOOKS, whole=True)]


class Limited(Model):
    """A probability that must lie above or below a threshold."""

    above: Limit | None = None
    below: Limit | None = None

    @model_validator(mode="after")
    def _is_one(self) -> Limited:
        """Refuse none and both."""
        sides = ("above", "below")
        exactly_one((side for side in sides if getattr(self, side) is not None), sides, "a threshold")
        return self


class Posterior(Limited):
    """The posterior probability that a test's treatment is better than its margin, or than ``beyond`` in its place.

    With ``within`` it is the probability of equivalence: that the arms differ by less.
    """

    test: Name | None = None
    beyond: Beyond | None = None
    within: Width | None = None

    @model_validator(mode="after")
    def _asks_one(self) -> Posterior:
        """Refuse ``beyond`` and ``within`` together."""
        if self.beyond is not None and self.within is not None:
            raise refuse("beyond asks for a benefit, within for equivalence; leave one out")
        return self


class Predictive(Limited):
    """The predictive probability that all named tests will succeed at the last look."""

    tests: Tests | None = None
    at: Annotated[str, WordAtom(("current", "maximum"))] = "current"


class Best(Limited):
    """The posterior probability that an arm has the best rate of all open arms."""

    arm: Name | None = None


class Equivalent(Limited):
    """The posterior probability that the rates of all open arms lie within a width of each other."""

    within: Width


class Utility(Limited):
    """The posterior expected utility: each test's mean benefit, in the direction of its hypothesis, by its weight."""

    above: Annotated[Threshold, ThresholdAtom(any_number=True)] | None = None
    below: Annotated[Threshold, ThresholdAtom(any_number=True)] | None = None
    weights: Annotated[dict[Name, Finite], Field(min_length=1, max_length=50)]


Leaf = Posterior | Predictive | Best | Equivalent | Utility


class Condition(Model):
    """One condition, or all or any of several."""

    model_config = ConfigDict(json_schema_extra=ONE_KEY)

    posterior: Posterior | None = None
    predictive: Predictive | None = None
    best: Best | None = None
    equivalent: Equivalent | None = None
    utility: Utility | None = None
    all_of: Annotated[tuple[Condition, ...], Field(min_length=1, max_length=10)] | None = Field(
        default=None, alias="all"
    )
    any_of: Annotated[tuple[Condition, ...], Field(min_length=1, max_length=10)] | None = Field(
        default=None, alias="any"
    )

    @model_validator(mode="after")
    def _is_one(self) -> Condition:
        """Refuse none and several."""
        given = (
            self.posterior,
            self.predictive,
            self.best,
            self.equivalent,
            self.utility,
            self.all_of,
            self.any_of,
        )
        exactly_one(
            (name for name, part in zip(CONDITIONS, given, strict=True) if part is not None),
            CONDITIONS,
            "a condition",
        )
        return self

    @property
    def children(self) -> tuple[Condition, ...]:
        """The conditions joined by ``all`` or ``any``."""
        return self.all_of or self.any_of or ()

    @property
    def leaf(self) -> Leaf | None:
        """What is compared, where the condition is not a junction."""
        return self.posterior or self.predictive or self.best or self.equivalent or self.utility


class DecisionRule(Model):
    """What is done, and when."""

    do: Annotated[str, WordAtom(ACTIONS)]
    when: Condition
    looks: Annotated[tuple[LookNumber, ...], Field(min_length=1, max_length=MOST_LOOKS)] | None = None
    tests: Tests | None = None


def leaves(condition: Condition) -> list[Leaf]:
    """Return what a condition compares, in the order in which it is written."""
    if condition.leaf is not None:
        return [condition.leaf]
    return [leaf for child in condition.children for leaf in leaves(child)]
