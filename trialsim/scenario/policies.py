"""Which policy fills each slot of a design, with its parameters."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    ValidationError,
    model_validator,
)
from pydantic_core import CoreSchema

from trialsim.errors import ScenarioError
from trialsim.scenario.allocation_policies import (
    AllocationControl,
    DoublyAdaptive,
    EmulatedAllocation,
    ProtectedControl,
    Thompson,
)
from trialsim.scenario.completion_ranking import ExpectedCompletion
from trialsim.scenario.inner_policies import inner_policies
from trialsim.scenario.learned_policies import Learned, LearnedSites, Relearned
from trialsim.scenario.monitoring_policies import (
    DoseModification,
    EmulatedMonitoring,
    MonitoringControl,
    RandomMonitoring,
)
from trialsim.scenario.ranking_policies import ByCovariate, Control, Emulated, PrescreenRules
from trialsim.scenario.resolve import inside
from trialsim.scenario.sentences import problems_from
from trialsim.scenario.site_policies import (
    OpenBalancedSites,
    OpenEmulatedSites,
    OpenSites,
    OpenSitesByPosterior,
    Reselection,
)
from trialsim.scenario.stopping_policies import (
    Bounds,
    DropArms,
    EmulatedStopping,
    RandomStopping,
    StoppingControl,
)
from trialsim.scenario.values import (
    Label,
    Model,
    OpenProbability,
    Probability,
    exactly_one,
    or_short,
)
from trialsim.scenario.wording import listed, refuse, shown, unknown

SLOTS = ("recruitment", "sites", "randomisation", "monitoring", "stopping")
Policies = dict[str, tuple[str, dict[str, Any]]]


class Parameterless(Model):
    """A policy without parameters."""


class WithinGroup(Model):
    """Rank by the percentile within the own group."""

    covariate: Label
    ranking: Recruitment


class Exposure(Model):
    """Rank so that each group has a stated share of those called."""

    covariate: Label
    shares: Annotated[dict[Label, OpenProbability], Field(min_length=1, max_length=50)]
    ranking: Recruitment


def _no_likelier_than_certain(people: Any) -> Any:
    """Refuse what people do with recommendations where it adds up to more than 1."""
    if people.delay + people.override > 1:
        raise refuse(f"delay and override add up to {people.delay + people.override:g}; at most 1 is allowed")
    return people


class HumanInTheLoop(Model):
    """Accept, delay or override what a ranking recommends."""

    ranking: Recruitment
    delay: Probability = 0.0
    override: Probability = 0.0
    _is_a_probability = model_validator(mode="after")(_no_likelier_than_certain)


class SiteCommittee(Model):
    """Accept, delay or override which sites a policy recommends."""

    policy: Sites
    delay: Probability = 0.0
    override: Probability = 0.0
    _is_a_probability = model_validator(mode="after")(_no_likelier_than_certain)


class AllocationCommittee(Model):
    """Accept, delay or override the allocation that a policy recommends."""

    policy: Randomisation
    delay: Probability = 0.0
    override: Probability = 0.0
    _is_a_probability = model_validator(mode="after")(_no_likelier_than_certain)


class Investigator(Model):
    """Accept, delay or override what a policy recommends at a visit."""

    policy: Monitoring
    delay: Probability = 0.0
    override: Probability = 0.0
    _is_a_probability = model_validator(mode="after")(_no_likelier_than_certain)


class DataMonitoringCommittee(Model):
    """Accept, delay or override what a policy recommends at looks."""

    policy: Stopping
    delay: Probability = 0.0
    override: Probability = 0.0
    _is_a_probability = model_validator(mode="after")(_no_likelier_than_certain)


class Slot(Model):
    """One slot: a policy's name alone, or the name with parameters.

    The shipped policies are fields, so that their parameters are checked here. Policies that other packages
    register are taken by name, with parameters that are numbers, words or truth values.
    """

    model_config = ConfigDict(extra="allow")

    @model_validator(mode="before")
    @classmethod
    def _name_alone(cls, data: Any) -> Any:
        """Read a name alone as the policy with its defaults, and refuse names that nobody registered."""
        if isinstance(data, str):
            data = {data: {}}
        if not isinstance(data, (dict, Slot)):
            names = listed(cls.written_keys())
            raise refuse(f"the name of a policy is expected, found {shown(data)}; allowed: {names}")
        for name in data if isinstance(data, dict) else ():
            if name not in cls.written_keys():
                known = _registered(cls.__name__.lower())
                if name not in known:
                    raise refuse(unknown("the policy", name, known or cls.written_keys()))
        return data

    @model_validator(mode="after")
    def _is_one(self) -> Slot:
        """Refuse none and several policies in a slot, and parameters that are not plain."""
        given = [name for name in self.written_keys() if getattr(self, name) is not None]
        exactly_one([*given, *self._outside()], self.written_keys(), "a policy")
        for name, parameters in self._outside().items():
            if not isinstance(parameters, dict) or any(not _is_plain(value) for value in parameters.values()):
                raise refuse(
                    f"the parameters of {name} are a mapping of names to numbers, words or truth values"
                )
        return self

    def _outside(self) -> dict[str, Any]:
        """Return the policies of other packages in this slot."""
        return self.__pydantic_extra__ or {}

    def chosen(self) -> tuple[str, dict[str, Any]]:
        """Return the policy's name and its parameters, defaults filled in."""
        for name, parameters in self._outside().items():
            return name, dict(parameters)
        name = next(name for name in self.written_keys() if getattr(self, name) is not None)
        return name, _parameters(getattr(self, name))

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """Return the JSON Schema of a name alone or a mapping."""
        return or_short({"type": "string"}, schema, handler)


def _parameters(model: Model) -> dict[str, Any]:
    """Return the parameters of a policy, those of policies inside it by name, without what is not stated."""
    found: dict[str, Any] = model.model_dump(exclude_none=True)
    for key in type(model).model_fields:
        if isinstance(inner := getattr(model, key), Slot):
            name, parameters = inner.chosen()
            found[key] = {name: parameters}
    return found


def _registered(slot: str) -> list[str]:
    """Return the names of the policies of a slot that are registered, those of other packages included."""
    from trialsim import registry

    names = registry.names("policies")
    return [name.removeprefix(f"{slot}.") for name in names if name.startswith(f"{slot}.")]


def _is_plain(value: Any) -> bool:
    """Return whether a parameter is a finite number, a word or a truth value."""
    return isinstance(value, (str, bool, int)) or (isinstance(value, float) and math.isfinite(value))


class Recruitment(Slot):
    """Policies for whom to screen next."""

    first_come_first_served: Parameterless | None = None
    random: Parameterless | None = None
    by_covariate: ByCovariate | None = None
    oracle: Control | None = None
    adversarial: Control | None = None
    emulated: Emulated | None = None
    prescreen_rules: PrescreenRules | None = None
    expected_completion: ExpectedCompletion | None = None
    within_group: WithinGroup | None = None
    exposure: Exposure | None = None
    human_in_the_loop: HumanInTheLoop | None = None
    logistic: Learned | None = None
    gradient_boosting: Learned | None = None
    mlp: Learned | None = None
    relearned: Relearned | None = None


class Sites(Slot):
    """Policies for which sites to open."""

    all_open: Parameterless | None = None
    random: OpenSites | None = None
    historical_mean: OpenSites | None = None
    questionnaire: OpenSites | None = None
    gamma_poisson: OpenSitesByPosterior | None = None
    thompson: OpenSitesByPosterior | None = None
    record_and_promise: OpenSitesByPosterior | None = None
    balanced: OpenBalancedSites | None = None
    learned: LearnedSites | None = None
    oracle: OpenSites | None = None
    adversarial: OpenSites | None = None
    emulated: OpenEmulatedSites | None = None
    reselection: Reselection | None = None
    human_in_the_loop: SiteCommittee | None = None


class Randomisation(Slot):
    """Policies for the allocation weights."""

    by_design: Parameterless | None = None
    rosenberger: Parameterless | None = None
    thompson: Thompson | None = None
    protected_control: ProtectedControl | None = None
    doubly_adaptive: DoublyAdaptive | None = None
    learned: Learned | None = None
    oracle: AllocationControl | None = None
    adversarial: AllocationControl | None = None
    random: AllocationControl | None = None
    emulated: EmulatedAllocation | None = None
    human_in_the_loop: AllocationCommittee | None = None


class Monitoring(Slot):
    """Policies for what is done at a visit."""

    by_protocol: Parameterless | None = None
    dose_modification: DoseModification | None = None
    oracle: MonitoringControl | None = None
    adversarial: MonitoringControl | None = None
    random: RandomMonitoring | None = None
    emulated: EmulatedMonitoring | None = None
    human_in_the_loop: Investigator | None = None


class Stopping(Slot):
    """Policies for stopping and adaptation at a look."""

    bounds: Bounds | None = None
    drop_arms: DropArms | None = None
    learned: Learned | None = None
    oracle: StoppingControl | None = None
    adversarial: StoppingControl | None = None
    random: RandomStopping | None = None
    emulated: EmulatedStopping | None = None
    human_in_the_loop: DataMonitoringCommittee | None = None


# Policies inside policies: only now is there what they refer to.
for _model in (
    WithinGroup,
    Exposure,
    HumanInTheLoop,
    SiteCommittee,
    AllocationCommittee,
    Investigator,
    DataMonitoringCommittee,
):
    _model.model_rebuild()


class Slots(Model):
    """The five slots with the traditional rule in each."""

    recruitment: Recruitment = Field(default=Recruitment(first_come_first_served=Parameterless()))
    sites: Sites = Field(default=Sites(all_open=Parameterless()))
    randomisation: Randomisation = Field(default=Randomisation(by_design=Parameterless()))
    monitoring: Monitoring = Field(default=Monitoring(by_protocol=Parameterless()))
    stopping: Stopping = Field(default=Stopping(bounds=Bounds()))


def read_policy(slot: str, written: Any, source: str) -> dict[str, dict[str, Any]]:
    """Return a policy of a slot, ``{name: parameters}``, from a name alone or a mapping.

    Parameters
    ----------
    slot
        One of the five.
    written
        As in the slot of a scenario.
    source
        Where it stands, for the message.

    Raises
    ------
    ScenarioError
        With every problem of its parameters.
    """
    model: type[Slot] = Slots.model_fields[slot].annotation  # type: ignore[assignment]
    try:
        name, parameters = model.model_validate(written, context={}).chosen()
    except ValidationError as error:
        raise ScenarioError(problems_from(error, written, {}), source) from None
    return {name: parameters}


def read_policies(slots: Slots) -> Policies:
    """Return the policy and its parameters by slot."""
    return {slot: getattr(slots, slot).chosen() for slot in SLOTS}


def located_parameters(parameters: dict[str, Any], folder: Path | None) -> dict[str, Any]:
    """Return parameters of a policy whose checkpoints, those of policies inside it included, are paths.

    Parameters
    ----------
    parameters
        As the scenario states them.
    folder
        Of the scenario, in which checkpoints lie.

    Raises
    ------
    ScenarioError
        If the name of a checkpoint leads elsewhere.
    """
    found = dict(parameters)
    if isinstance(name := found.get("checkpoint"), str):
        found["checkpoint"] = str(inside(folder or Path(), name, "checkpoint"))
    for key, inner, own in inner_policies(parameters):
        found[key] = {inner: located_parameters(dict(own), folder)}
    return found


def write_policies(policies: Policies) -> dict[str, Any]:
    """Return the slots as they are written."""
    return {slot: {name: dict(parameters)} for slot, (name, parameters) in policies.items()}
