"""A design as data: how many patients, how they are allocated, when the data are read, what is tested."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist
from typing import Annotated, Any, Literal

from pydantic import (
    ConfigDict,
    Discriminator,
    Field,
    GetJsonSchemaHandler,
    Tag,
    field_validator,
    model_validator,
)
from pydantic_core import CoreSchema, core_schema

from trialsim.scenario.decisions import MOST_RULES, DecisionRule
from trialsim.scenario.families import EFFICACY, FUTILITY, Family, FamilyAtom
from trialsim.scenario.looks import Look, Reviews, read_reviews, write_reviews
from trialsim.scenario.multi_arm import INTERSECTION_TESTS, Combination, PatientWise, Selection, Split
from trialsim.scenario.multiplicity import Multiplicity
from trialsim.scenario.policies import Policies, Slots, read_policies, write_policies
from trialsim.scenario.reestimation import Reestimation
from trialsim.scenario.truths import TruthName
from trialsim.scenario.values import (
    ONE_KEY,
    Count,
    Flag,
    Label,
    Model,
    Name,
    NumberAtom,
    Positive,
    WordAtom,
    WrittenAs,
    exactly_one,
    or_short,
)
from trialsim.scenario.wording import listed, refuse, shown, unknown

KINDS = ("fixed", "group_sequential", "multi_arm_multi_stage", "sample_size_reestimation", "bayesian")
MOST_PATIENTS = 1_000_000
MOST_LOOKS = 50
NO_BOUND = float("inf")
ALLOCATIONS = (
    "alternating",
    "simple",
    "permuted_blocks",
    "stratified_permuted_blocks",
    "minimisation",
    "biased_coin",
)
_ALONE = ("alternating", "simple", "biased_coin")
"""Allocations that may be named without options."""

SITE = "site"
"""Among the strata of blocks, the site of a patient."""

MEASURES = ("range", "variance", "sd")

Share = Annotated[int, NumberAtom(least=1, most=100, whole=True)]
BlockSize = Annotated[int, NumberAtom(least=2, most=2000, whole=True)]
Strata = Annotated[tuple[Label, ...], Field(min_length=1, max_length=5)]
Factors = Annotated[tuple[Label, ...], Field(max_length=8)]
FactorWeight = Annotated[int, NumberAtom(least=1, most=100, whole=True)]
Bias = Annotated[float, NumberAtom(above=0, most=1)]
Alpha = Annotated[float, NumberAtom(above=0, most=0.5)]


class Ratio(Model):
    """An allocation that needs nothing but a ratio."""

    ratio: Annotated[dict[Name, Share], Field(max_length=20)] | None = None


class Blocks(Model):
    """Permuted blocks of one size."""

    size: BlockSize
    ratio: Annotated[dict[Name, Share], Field(max_length=20)] | None = None


class StratifiedBlocks(Model):
    """Permuted blocks within each stratum."""

    size: BlockSize
    strata: Strata
    ratio: Annotated[dict[Name, Share], Field(max_length=20)] | None = None


class Minimisation(Model):
    """Minimisation of the imbalance over the levels of several factors; without factors, of the arms' totals."""

    factors: Factors
    probability: Bias = 0.8
    weights: Annotated[dict[Label, FactorWeight], Field(max_length=8)] = Field(default_factory=dict)
    measure: Annotated[str, WordAtom(MEASURES)] = "range"
    ratio: Annotated[dict[Name, Share], Field(max_length=20)] | None = None


class BiasedCoin(Model):
    """A coin that favours the arm behind, one in each stratum."""

    probability: Bias = 2 / 3
    strata: Annotated[tuple[Label, ...], Field(max_length=5)] = ()
    ratio: Annotated[dict[Name, Share], Field(max_length=20)] | None = None


class Allocation(Model):
    """How arms are given to patients, as exactly one of the rules."""

    model_config = ConfigDict(json_schema_extra=ONE_KEY)

    alternating: Ratio | None = None
    simple: Ratio | None = None
    permuted_blocks: Blocks | None = None
    stratified_permuted_blocks: StratifiedBlocks | None = None
    minimisation: Minimisation | None = None
    biased_coin: BiasedCoin | None = None

    @model_validator(mode="before")
    @classmethod
    def _name_alone(cls, data: Any) -> Any:
        """Read a name alone as the rule with equal shares."""
        if isinstance(data, str):
            if data not in ALLOCATIONS:
                raise refuse(unknown("the allocation", data, ALLOCATIONS))
            if data == "minimisation":
                raise refuse("minimisation needs its factors: {minimisation: {factors: [sex]}}")
            if data not in _ALONE:
                raise refuse(f"{data} needs a block size: {{{data}: {{size: 4}}}}")
            return {data: {}}
        if not isinstance(data, (dict, Allocation)):
            raise refuse(f"an allocation is expected, found {shown(data)}; allowed: {listed(ALLOCATIONS)}")
        return data

    @model_validator(mode="after")
    def _is_one(self) -> Allocation:
        """Refuse none and several rules."""
        exactly_one(
            (name for name in ALLOCATIONS if getattr(self, name) is not None), ALLOCATIONS, "an allocation"
        )
        return self

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """Return the JSON Schema of a name alone or a mapping."""
        return or_short({"enum": list(_ALONE)}, schema, handler)

    @property
    def kind(self) -> str:
        """The rule's name."""
        return next(name for name in ALLOCATIONS if getattr(self, name) is not None)

    @property
    def size(self) -> int | None:
        """The block size, where there are blocks."""
        blocks = self.permuted_blocks or self.stratified_permuted_blocks
        return blocks.size if blocks is not None else None

    @property
    def strata(self) -> tuple[str, ...]:
        """The covariates that make the strata; in a world with sites ``site`` is that of the patient."""
        stratified = self.stratified_permuted_blocks or self.biased_coin
        return stratified.strata if stratified is not None else ()

    @property
    def factors(self) -> tuple[str, ...]:
        """The covariates over whose levels imbalance is minimised."""
        return self.minimisation.factors if self.minimisation is not None else ()

    @property
    def probability(self) -> float | None:
        """The probability of the favoured arm, where one is favoured."""
        biased = self.minimisation or self.biased_coin
        return biased.probability if biased is not None else None

    @property
    def ratio(self) -> dict[str, int] | None:
        """The shares by arm, where they are not all one."""
        return getattr(self, self.kind).ratio  # type: ignore[no-any-return]


class Test(Model):
    """The one-sided level at which a hypothesis is tested; in a Bayesian design, what success at the last look takes."""

    __test__ = False

    alpha: Alpha
    posterior: Annotated[float, NumberAtom(above=0, most=1)] | None = None


_ZValue = NumberAtom(least=-100, most=100)


@dataclass(frozen=True)
class BoundAtom:
    """A bound on the z scale, or None where there is none at that look.

    Parameters
    ----------
    none
        The infinite bound that nothing crosses, which may be written for null.
    """

    none: float

    def parse(self, value: Any) -> float | None:
        """Return the bound, or refuse it."""
        if value is None or value == self.none:
            return None
        if value == -self.none:
            always, never = ("-.inf", ".inf") if self.none > 0 else (".inf", "-.inf")
            raise refuse(
                f"{always} would be crossed whatever the data; null or {never} is no bound at that look"
            )
        return _ZValue.parse(value)

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        """Tell pydantic how to read a bound."""
        return core_schema.no_info_plain_validator_function(self.parse)

    def __get_pydantic_json_schema__(self, schema: Any, handler: Any) -> dict[str, Any]:
        """Return the JSON Schema of a bound (an infinite one has no JSON form)."""
        return {"type": ["number", "null"]}


EfficacyBound = Annotated[float | None, BoundAtom(none=NO_BOUND)]
FutilityBound = Annotated[float | None, BoundAtom(none=-NO_BOUND)]


class Bounds(Model):
    """Bounds on the z scale, one for each look."""

    efficacy_z: Annotated[tuple[EfficacyBound, ...], Field(min_length=1, max_length=MOST_LOOKS)]
    futility_z: Annotated[tuple[FutilityBound, ...], Field(min_length=1, max_length=MOST_LOOKS)] | None = None

    @field_validator("futility_z", mode="before")
    @classmethod
    def _last_has_no_effect(cls, bounds: Any) -> Any:
        """Take an infinite bound of the last look for none: whatever stands there, nothing is given up any more."""
        if isinstance(bounds, (list, tuple)) and bounds and bounds[-1] == NO_BOUND:
            return (*bounds[:-1], None)
        return bounds


_WrittenBounds = Annotated[
    Annotated[Bounds, Tag("<common>")]
    | Annotated[dict[Name, Bounds], Field(max_length=50), Tag("<per test>")],
    Discriminator(
        lambda value: (
            "<per test>"
            if isinstance(value, dict)
            and value
            and all(isinstance(part, (dict, Bounds)) for part in value.values())
            else "<common>"
        )
    ),
]


Rate = Annotated[float, NumberAtom(least=1e-4, most=1)]
Power = Annotated[float, NumberAtom(above=0, below=1)]
Information = Annotated[tuple[Rate, ...], Field(min_length=1, max_length=MOST_LOOKS)]


class Computed(Model):
    """What was worked out of a design that names its families of bounds; nobody writes it by hand.

    It stands in the resolved scenario, so that what a run did can be read from what it saved. A scenario that holds it
    is read by working it out again.
    """

    information: dict[Name, Information]
    bounds: Annotated[dict[Name, Bounds], Field(min_length=1, max_length=50)]
    inflation_factor: dict[Name, Positive] | None = None
    events: Count | None = None
    n: Count | None = None


class ListOrNumber:
    """The JSON Schema of a list for which a number may stand."""

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """Return the JSON Schema of the number or the list."""
        return or_short({"type": "integer", "minimum": 1, "maximum": MOST_LOOKS}, schema, handler)


def _size_may_be_solved(schema: dict[str, Any]) -> None:
    """Let editors accept a design whose size is solved, or whose looks follow from its information."""
    schema["required"] = [key for key in schema["required"] if key not in ("n", "looks")]


class Design(Model):
    """One design of the trial."""

    model_config = ConfigDict(json_schema_extra=_size_may_be_solved)

    kind: Annotated[
        Literal["fixed", "group_sequential", "multi_arm_multi_stage", "sample_size_reestimation", "bayesian"],
        WordAtom(KINDS),
    ]
    n: Annotated[int, NumberAtom(least=2, most=MOST_PATIENTS, whole=True)]
    arms: Annotated[tuple[Name, ...], Field(min_length=1, max_length=20)] = ()
    allocation: Allocation
    looks: Annotated[tuple[Look, ...], Field(min_length=1, max_length=MOST_LOOKS), ListOrNumber()]
    events: Count | None = None
    information: Information | None = None
    tests: Annotated[dict[Name, Test], Field(min_length=1, max_length=50)]
    decisions: Annotated[tuple[DecisionRule, ...], Field(max_length=MOST_RULES)] | None = None
    bounds: _WrittenBounds | None = None
    efficacy: Annotated[Family, FamilyAtom(EFFICACY)] | None = None
    futility: Annotated[Family, FamilyAtom(FUTILITY)] | None = None
    power: Power | None = None
    under: TruthName | None = None
    computed: Computed | None = None
    futility_binding: Flag = False
    multiplicity: Multiplicity | None = None
    selection: Selection | None = None
    combination: Combination | None = None
    stages: Split | None = None
    intersection_test: Annotated[str, WordAtom(INTERSECTION_TESTS)] | None = None
    overrunning: Flag | None = None
    reestimation: Reestimation | None = None
    reviews: Annotated[tuple[str, float], WrittenAs(Reviews, read_reviews, write_reviews)] | None = None
    policies: Annotated[Policies, WrittenAs(Slots, read_policies, write_policies)] = Field(
        default_factory=lambda: read_policies(Slots())
    )

    @classmethod
    def written_keys(cls) -> tuple[str, ...]:
        """Return the keys as a person writes them, that of the design below among them."""
        return (*super().written_keys(), "extends")

    @property
    def names_family(self) -> bool:
        """Whether bounds are computed when the scenario is loaded: from a family, or for a combination at one look."""
        fisher = self.combination is not None and self.combination.fisher is not None
        split = self.patient_wise
        at_the_end = split is not None and split.interim_information is None and self.bounds is None
        stages = self.kind == "multi_arm_multi_stage" and (fisher or at_the_end)
        return self.efficacy is not None or stages

    @property
    def patient_wise(self) -> PatientWise | None:
        """The ends of the stages, where these are split by patients."""
        return None if self.stages is None else self.stages.patient_wise

    @property
    def most(self) -> int:
        """The most patients that may be enrolled: ``n``, or what re-estimation may raise it to."""
        return self.n if self.reestimation is None else max(self.n, self.reestimation.maximum or 0)

    @property
    def counts_events(self) -> bool:
        """Whether a re-estimation sets anew how many events looks wait for, and not how many patients come."""
        return self.reestimation is not None and self.reestimation.maximum_events is not None

    def bounds_of(self, test: str) -> Bounds | None:
        """Return the bounds of a test, written or computed, where there are any."""
        if self.computed is not None:
            return self.computed.bounds.get(test)
        return self.bounds.get(test) if isinstance(self.bounds, dict) else self.bounds

    def efficacy_z(self, test: str) -> tuple[float, ...]:
        """Return the efficacy bound of a test at each look; infinite where there is none."""
        bounds = self.bounds_of(test)
        if bounds is None:
            # With one look and no bounds written, the bound is the normal quantile of the one-sided level.
            return (*(NO_BOUND,) * (len(self.looks) - 1), -NormalDist().inv_cdf(self.tests[test].alpha))
        return tuple(NO_BOUND if bound is None else bound for bound in bounds.efficacy_z)

    def futility_z(self, test: str) -> tuple[float, ...]:
        """Return the futility bound of a test at each look; minus infinity where there is none."""
        bounds = self.bounds_of(test)
        if bounds is None or bounds.futility_z is None:
            return (-NO_BOUND,) * len(self.looks)
        return tuple(-NO_BOUND if bound is None else bound for bound in bounds.futility_z)
