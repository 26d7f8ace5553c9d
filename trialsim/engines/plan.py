"""A plan: one design under one truth with all names resolved and numbers in arrays, checked to fit together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trialsim import registry
from trialsim.analyses.bayesian.as_analysis import PosteriorAnalysis
from trialsim.contracts import (
    Analysis,
    MonitoringPolicy,
    RandomisationPolicy,
    RecruitmentPolicy,
    Resizing,
    SitePolicy,
    StoppingPolicy,
    TestPlan,
)
from trialsim.engines.adjustment import Adjustment, build_adjustment
from trialsim.engines.adverse_event_tests import counted_by, options_of_model
from trialsim.engines.balance import Balance, build_balance
from trialsim.engines.candidate_views import prepared
from trialsim.engines.enrolment_plan import enrolment_dates, planned_enrolment
from trialsim.engines.laws import build_world
from trialsim.engines.unattainable import unattainable_in
from trialsim.engines.world import World
from trialsim.errors import ScenarioError, UsageError
from trialsim.operations import allocation as rules
from trialsim.population.patients import PatientSource
from trialsim.scenario.design import SITE, Design
from trialsim.scenario.inner_policies import recommending
from trialsim.scenario.multi_arm import By
from trialsim.scenario.policies import located_parameters
from trialsim.scenario.reestimation import EarlyEndpoint
from trialsim.scenario.rules_life import BY_PROTOCOL
from trialsim.scenario.schema import Scenario
from trialsim.stats.combination.closed_stages import ClosedPlan
from trialsim.timegrid import NEVER, TICKS_PER_DAY, to_ticks

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Trigger:
    """What brings about a look.

    Parameters
    ----------
    kind
        ``events``, ``enrolled``, ``readouts``, ``calendar``, ``gap``, ``all`` or ``any``; ``stages`` waits for the end of
        every stage, where stages are split by patients.
    count
        Number to be reached, for the kinds that count.
    endpoint
        Index of the endpoint whose events or read-outs count.
    arms
        Indices of the arms that count, or None for all.
    ticks
        Calendar time or gap.
    children
        Triggers joined by ``all`` or ``any``.
    open_arms
        ``each`` where every open arm must have as many, ``together`` where open arms alone count, None for all arms.
    """

    kind: str
    count: int = 0
    endpoint: int = 0
    arms: tuple[int, ...] | None = None
    ticks: int = 0
    children: tuple[Trigger, ...] = ()
    open_arms: str | None = None


@dataclass(frozen=True)
class LookPlan:
    """When one look is taken and how long it takes, in ticks."""

    trigger: Trigger
    no_later_than: int
    cleaning: int
    decision: int


@dataclass(frozen=True)
class StageEnds:
    """Up to when the patients of each stage are followed, where stages are split by patients.

    Parameters
    ----------
    endpoint
        Index of the endpoint tested.
    events
        Events of each stage's patients with which it ends, ``[stage]``; None where stages end by the calendar.
    ticks
        Calendar time at which each stage ends, ``[stage]``; None where stages end with events.
    tested_at_looks
        Whether each stage's patients are tested at their own look too, which may reject.
    """

    endpoint: int
    events: tuple[int, ...] | None = None
    ticks: tuple[int, ...] | None = None
    tested_at_looks: bool = False

    @property
    def trigger(self) -> Trigger:
        """What the last look waits for: the end of every stage."""
        if self.ticks is not None:
            return Trigger("calendar", ticks=max(self.ticks))
        return Trigger("stages", endpoint=self.endpoint)


@dataclass(frozen=True)
class ChosenBy:
    """Another endpoint than that of the tests, by which arms are chosen, or events re-estimated.

    Parameters
    ----------
    tests
        The comparisons of each arm with control, in the order of the design's tests.
    measure
        ``effect`` or ``z``.
    """

    tests: tuple[TestPlan, ...]
    measure: str


@dataclass(frozen=True)
class AllocationPlan:
    """How patients are allocated by design.

    Parameters
    ----------
    rule
        ``ALTERNATING``, ``SIMPLE``, ``BLOCKS``, ``MINIMISATION`` or ``BIASED_COIN`` of
        :mod:`trialsim.operations.allocation`.
    ratio
        Shares by arm, ``[arm]``.
    places
        Places by arm in one block, ``[arm]``.
    strata
        Covariates that make the strata.
    balance
        What minimisation or a biased coin keeps in balance; None under the other rules.
    by_site
        Whether each site has blocks of its own, in each stratum.
    """

    rule: int
    ratio: Ints
    places: Ints
    strata: tuple[str, ...]
    balance: Balance | None = None
    by_site: bool = False


@dataclass(frozen=True)
class Strata:
    """How records are sorted into strata.

    Parameters
    ----------
    columns
        Index of each stratifying column.
    levels
        Its values in order.
    """

    columns: tuple[int, ...]
    levels: tuple[NDArray[np.float64], ...]

    @cached_property
    def count(self) -> int:
        """Number of strata: the product of the numbers of levels."""
        return int(np.prod([len(levels) for levels in self.levels])) if self.levels else 1

    def of(self, records: NDArray[np.float64]) -> Ints:
        """Return the stratum of each record, ``[patient]``."""
        stratum = np.zeros(len(records), dtype=np.int64)
        for column, levels in zip(self.columns, self.levels, strict=True):
            stratum = stratum * len(levels) + np.searchsorted(levels, records[:, column])
        return stratum


@dataclass(frozen=True)
class Plan:
    """Everything an engine needs to run one design under one truth.

    Parameters
    ----------
    scenario, design, truth
        Names.
    seed
        Seed of the run.
    grid
        Step of the time grid in ticks.
    world
        The laws.
    tests
        What is tested.
    looks
        When.
    allocation
        How patients are allocated.
    reviews
        ``("enrolled", count)``, ``("calendar", ticks)`` or None: randomisation is then reconsidered at the looks, sites and
        scores of candidates are not.
    stopping, randomisation, recruitment
        The policies.
    horizon
        Tick at which the trial ends whatever happens.
    primary
        Index of the endpoint whose events and read-outs are counted in the records: that of the first test.
    closed
        What a closed combination test fixes in advance, where the tests of the design are one.
    resizing
        How the size is re-estimated; None where it is not.
    shows_size, shows_events_awaited
        Whether a design of the scenario re-estimates its size in patients, or in events, so that records hold those of all.
    overrunning, shows_overrun
        Whether data that arrive after a stop are analysed, and whether they are in a design of the scenario.
    futility_binding
        Whether futility bounds are counted on.
    site_policy
        What chooses the sites that open; None without sites.
    monitoring
        What decides at visits; None where everything is done by the protocol.
    shows_closed_sites
        Whether a design of the scenario closes sites at reviews, so that records hold how many closed.
    shows_stages
        Whether stages are split by patients in a design of the scenario.
    shows_chains
        Whether the model of a test is sampled in a design of the scenario, so that records hold what chains are judged by.
    stage_ends
        Up to when the patients of each stage are followed; None where stages are not split by patients.
    chosen_by
        By what arms are chosen, or events re-estimated, where it is not the endpoint of the tests.
    """

    scenario: str
    design: str
    truth: str
    seed: int
    grid: int
    world: World
    tests: tuple[TestPlan, ...]
    looks: tuple[LookPlan, ...]
    allocation: AllocationPlan
    reviews: tuple[str, int] | None
    stopping: StoppingPolicy
    randomisation: RandomisationPolicy
    recruitment: RecruitmentPolicy
    horizon: int
    primary: int
    closed: ClosedPlan | None = None
    resizing: Resizing | None = None
    shows_size: bool = False
    shows_events_awaited: bool = False
    overrunning: bool = False
    shows_overrun: bool = False
    futility_binding: bool = False
    site_policy: SitePolicy | None = None
    monitoring: MonitoringPolicy | None = None
    shows_closed_sites: bool = False
    shows_stages: bool = False
    stage_ends: StageEnds | None = None
    chosen_by: ChosenBy | None = None
    shows_chains: bool = False

    @property
    def samples(self) -> bool:
        """Whether the model of a test of this design is sampled."""
        return any(getattr(test.analysis, "sampled", False) for test in self.tests)

    @property
    def n(self) -> int:
        """Patients to randomise, as first planned."""
        return self.world.n

    @property
    def most(self) -> int:
        """Patients to randomise at most."""
        return self.world.most

    def size_after(self, further: Ints) -> Ints:
        """Return the patients to randomise once the looks wait for some counts more than first planned, ``[replicate]``.

        Patients are in proportion to the read-outs of the last look, so that whoever plans for losses goes on to. They are
        as planned where looks wait for events.
        """
        assert self.resizing is not None
        if self.resizing.by_events:
            return np.full(len(further), self.n)
        last = self.resizing.counts[-1]
        return np.asarray(-(-self.n * (last + further) // last))

    @property
    def events_awaited(self) -> int:
        """Events that the last look waits for, as first planned; 0 where it waits for anything else."""
        last = self.looks[-1].trigger
        if self.stage_ends is not None and last.kind == "all":  # the stages' ends beside it
            last = last.children[0]
        return last.count if last.kind == "events" else 0

    @property
    def arms(self) -> tuple[str, ...]:
        """Names of the arms."""
        return self.world.arms

    @property
    def adaptive(self) -> bool:
        """Whether a decision may change how later patients are allocated."""
        both_ways = any(test.treatment == 0 for test in self.tests)
        return self.randomisation.adaptive or len(self.arms) > 2 or both_ways

    @cached_property
    def uses_spread(self) -> bool:
        """Whether any test needs to know how much outcomes spread."""
        compared = (*self.tests, *(() if self.chosen_by is None else self.chosen_by.tests))
        return any(getattr(test.analysis, "uses_spread", True) for test in compared)

    @property
    def reselects_sites(self) -> bool:
        """Whether reviews may close sites and open others."""
        return self.reviews is not None and bool(getattr(self.site_policy, "at_reviews", False))

    @property
    def rescores_candidates(self) -> bool:
        """Whether the recruitment policy learns, and scores candidates anew, at reviews."""
        with_sites = self.reviews is not None and self.world.sites is not None
        return with_sites and bool(getattr(self.recruitment, "at_reviews", False))

    @property
    def may_close_early(self) -> bool:
        """Whether a decision may end enrolment before all patients have come."""
        return bool(getattr(self.stopping, "closes_enrolment", False))

    @property
    def quantities(self) -> tuple[str, ...]:
        """Names of the probabilities that the stopping policy weighs, in the order of its trace."""
        return tuple(getattr(self.stopping, "quantities", ()))

    @cached_property
    def test_arms(self) -> Ints:
        """Treatment and control of each test, ``[test, 2]``."""
        return np.array([(test.treatment, test.control) for test in self.tests], dtype=np.int64)

    @cached_property
    def efficacy_z(self) -> NDArray[np.float64]:
        """Efficacy bounds ``[look, test]``."""
        return np.array([test.efficacy_z for test in self.tests], dtype=np.float64).T

    @cached_property
    def futility_z(self) -> NDArray[np.float64]:
        """Futility bounds ``[look, test]``."""
        return np.array([test.futility_z for test in self.tests], dtype=np.float64).T

    def adjustment(self, test: TestPlan) -> Adjustment:
        """Return what a test's analysis adjusts for."""
        return build_adjustment(self.world.source, test.covariates, test.score)

    def strata(self, names: tuple[str, ...]) -> Strata:
        """Return how records fall into the strata of some covariates."""
        return build_strata(self.world.source, names)

    @cached_property
    def enrolment_dates(self) -> Ints:
        """Ticks at which a run with sites counts its patients, ``[date]``; see :func:`enrolment_dates`."""
        return enrolment_dates(self.world.accrual.over or 0.0, self.horizon, self.grid)

    @cached_property
    def planned_enrolment(self) -> NDArray[np.float64]:
        """Patients that a plan would expect by those times, ``[group of sites, date]``; see :func:`planned_enrolment`."""
        return planned_enrolment(self.world, self.enrolment_dates / float(TICKS_PER_DAY))

    @cached_property
    def planned_at_sites(self) -> NDArray[np.float64]:
        """The same by single site, ``[site, date]``."""
        return planned_enrolment(self.world, self.enrolment_dates / float(TICKS_PER_DAY), single=True)

    @cached_property
    def response_lower_is_better(self) -> bool:
        """Whether low read-outs of that endpoint are a benefit, as the first test of it says."""
        own = [test for test in self.tests if test.endpoint == self.response_endpoint]
        return bool(own) and own[0].lower_is_better

    @cached_property
    def response_endpoint(self) -> int:
        """Index of the endpoint whose read-outs a randomisation policy learns from: the first that has any.

        Of those tested the binary one comes first, from which policies that learn from rates do.
        """
        tested = [test.endpoint for test in self.tests]
        rates = [e for e in tested if self.world.outcomes[e].kind == "binary"]
        order = [*rates, self.primary, *range(len(self.world.outcomes))]
        return next((e for e in order if self.world.outcomes[e].kind != "survival"), -1)


def _with_and_without_site(strata: tuple[str, ...], with_sites: bool) -> tuple[tuple[str, ...], bool]:
    """Return the covariates that make strata, and whether the patients' sites do, too."""
    by_site = with_sites and SITE in strata
    return tuple(name for name in strata if not (by_site and name == SITE)), by_site


def build_strata(source: PatientSource, names: tuple[str, ...]) -> Strata:
    """Return the strata that covariates make: levels of categorical ones, distinct values of a real table's others."""
    columns = tuple(source.columns.index(name) for name in names)
    levels = []
    for name, column in zip(names, columns, strict=True):
        if name in source.categories:
            levels.append(np.arange(len(source.categories[name]), dtype=np.float64))
        else:
            levels.append(np.unique(source.rows[:, column]))
    return Strata(columns, tuple(levels))


def build_plan(
    scenario: Scenario,
    design: str,
    truth: str,
    seed: int,
    grid: int = 1,
    table: Mapping[str, Any] | None = None,
) -> Plan:
    """Return the plan of one design under one truth.

    Parameters
    ----------
    scenario
        A loaded scenario.
    design, truth
        Names in it.
    seed
        Seed of the run.
    grid
        Step of the time grid in ticks; more than one only to force ties.
    table
        Covariates of real patients as :func:`trialsim.scenario.load.patient_table` returns them, or None.

    Raises
    ------
    ScenarioError, UsageError
        If the parts do not fit together.
    """
    world_scenario = scenario.world(truth)
    problems = list(unattainable_in(scenario, truth, world_scenario))
    if problems:
        raise ScenarioError(problems)
    chosen = world_scenario.designs[design]
    world = build_world(world_scenario, design, table, grid)
    endpoints = list(world_scenario.endpoints)
    arms = world.arms

    def index_of_arms(names: tuple[str, ...] | None) -> tuple[int, ...] | None:
        return None if names is None else tuple(arms.index(name) for name in names)

    tests: list[TestPlan] = []
    kind = registry.get("designs", chosen.kind)()
    for name, test in chosen.tests.items():
        hypothesis = world_scenario.hypotheses[name]
        analysis: Analysis = (
            registry.get("analyses", hypothesis.analysis)()
            if hypothesis.posterior is None
            else PosteriorAnalysis(hypothesis.posterior)
        )
        treatment, control = hypothesis.arms[0], hypothesis.arms[-1]
        options, counted = hypothesis.analysis_options, None
        if hypothesis.endpoint not in endpoints:
            assert world.life is not None
            counted = counted_by(hypothesis, world.life, grid)
            options = options_of_model(hypothesis, counted, len(world.life.levels))
        efficacy, futility = kind.bounds(chosen, name)
        tests.append(
            TestPlan(
                name,
                endpoints.index(hypothesis.endpoint) if counted is None else tests[0].endpoint,
                arms.index(treatment),
                arms.index(control),
                analysis,
                options,
                hypothesis.direction == "lower",
                efficacy,
                futility,
                test.alpha,
                *_with_and_without_site(hypothesis.strata, world.sites is not None),
                hypothesis.follow_up or scenario.horizon,
                hypothesis.strategy,
                to_ticks(hypothesis.window or 0.0, grid),
                hypothesis.covariates,
                hypothesis.score,
                kind.follower(scenario, design, name),
                counted,
            )
        )
    primary = tests[0].endpoint

    def counted_endpoint(name: str | None, survival: bool) -> int:
        if name is not None:
            return endpoints.index(name)
        order: list[int] = [*(test.endpoint for test in tests), *range(len(endpoints))]
        return next(e for e in order if (world.outcomes[e].kind == "survival") == survival)

    def trigger(when: Any) -> Trigger:
        kind = when.kind
        if kind in ("all", "any"):
            return Trigger(kind, children=tuple(trigger(child) for child in when.children))
        if kind in ("events", "readouts"):
            endpoint = counted_endpoint(when.endpoint, kind == "events")
            return Trigger(kind, when.count, endpoint, index_of_arms(when.arms), open_arms=when.open_arms)
        if kind == "enrolled":
            return Trigger(kind, when.count)
        return Trigger(kind, ticks=max(to_ticks(when.duration, grid), grid))

    looks = tuple(
        LookPlan(
            trigger(look.when),
            NEVER if look.no_later_than is None else max(to_ticks(look.no_later_than, grid), grid),
            to_ticks(look.cleaning_lag, grid),
            to_ticks(look.decision_lag, grid),
        )
        for look in chosen.looks
    )
    stage_ends = _stage_ends(chosen, primary, grid)
    if stage_ends is not None:
        last = looks[-1]
        looks = (
            *looks[:-1],
            replace(last, trigger=Trigger("all", children=(last.trigger, stage_ends.trigger))),
        )
    rule = chosen.allocation
    ratio = np.array([(rule.ratio or {}).get(arm, 1) for arm in arms], dtype=np.int64)
    blocks = (rule.size or int(ratio.sum())) // int(ratio.sum())
    codes = {
        "alternating": rules.ALTERNATING,
        "simple": rules.SIMPLE,
        "minimisation": rules.MINIMISATION,
        "biased_coin": rules.BIASED_COIN,
    }
    # Where there are sites, no covariate of a stratum has that name.
    strata, by_site = _with_and_without_site(rule.strata, world.sites is not None)
    allocation = AllocationPlan(
        codes.get(rule.kind, rules.BLOCKS),
        ratio,
        ratio * blocks,
        strata,
        build_balance(rule, ratio),
        by_site,
    )
    reviews = None
    if chosen.reviews is not None:
        every, size = chosen.reviews
        reviews = (every, int(size) if every == "enrolled" else max(to_ticks(size, grid), grid))
    policies = {
        slot: registry.get("policies", f"{slot}.{name}")(**located_parameters(parameters, scenario.folder))
        for slot, (name, parameters) in chosen.policies.items()
    }
    stopping = policies["stopping"]
    if chosen.kind == "bayesian":
        stopping = kind.stopping(chosen, tests, allocation)
    elif hasattr(kind, "stopping"):
        stopping = kind.stopping(world_scenario, design)
    frozen = getattr(stopping, "frozen_bounds", None)
    if frozen is not None:
        tests = [_with_frozen_bounds(tests[0], frozen, len(looks), f"{scenario.name}, {design}")]
    return Plan(
        scenario.name,
        design,
        truth,
        seed,
        grid,
        world,
        tuple(tests),
        looks,
        allocation,
        reviews,
        stopping,
        policies["randomisation"],
        prepared(world, policies["recruitment"]),
        max(to_ticks(scenario.horizon, grid), grid),
        primary,
        kind.closed_plan(world_scenario, design) if hasattr(kind, "closed_plan") else None,
        None if chosen.reestimation is None else kind.resizing(world_scenario, design),
        any(each.reestimation is not None and not each.counts_events for each in scenario.designs.values()),
        any(each.reestimation is not None and each.counts_events for each in scenario.designs.values()),
        bool(chosen.overrunning),
        any(bool(each.overrunning) for each in scenario.designs.values()),
        chosen.futility_binding or frozen is not None,
        policies["sites"] if world.sites is not None else None,
        None if chosen.policies["monitoring"][0] == BY_PROTOCOL else policies["monitoring"],
        world.sites is not None and any(_closes_sites(each) for each in scenario.designs.values()),
        any(each.patient_wise is not None for each in scenario.designs.values()),
        stage_ends,
        _chosen_by(chosen, tests, world, endpoints),
        any(_is_sampled(world_scenario, name) for each in scenario.designs.values() for name in each.tests),
    )


def _is_sampled(scenario: Scenario, hypothesis: str) -> bool:
    """Return whether a hypothesis is tested by a model that is sampled."""
    posterior = scenario.hypotheses[hypothesis].posterior
    return posterior is not None and getattr(registry.get("posteriors", posterior), "kind", "") == "sampled"


def _with_frozen_bounds(test: TestPlan, frozen: Any, looks: int, at: str) -> TestPlan:
    """Return a test with the bounds of a checkpoint."""
    if len(frozen.efficacy_z) != looks:
        raise UsageError(
            f"{at}: {frozen.path.name} holds bounds for {len(frozen.efficacy_z)} looks, and the design has {looks}; train "
            "one for this design"
        )
    if frozen.alpha != test.alpha:
        raise UsageError(
            f"{at}: {frozen.path.name} holds bounds for an error of {frozen.alpha:g}, and alpha is {test.alpha:g}; "
            "train one for this design"
        )
    return replace(test, efficacy_z=frozen.efficacy_z, futility_z=frozen.futility_z)


def _stage_ends(design: Design, endpoint: int, grid: int) -> StageEnds | None:
    """Return up to when the patients of each stage are followed, where a design splits its stages by patients."""
    split = design.patient_wise
    if split is None:
        return None
    ticks = None if split.calendar is None else tuple(max(to_ticks(t, grid), grid) for t in split.calendar)
    return StageEnds(endpoint, split.events, ticks, split.interim_information is not None)


_COMPARED_BY = {"survival": "logrank", "binary": "score_test", "continuous": "welch"}


def _chosen_by(design: Design, tests: list[TestPlan], world: World, endpoints: list[str]) -> ChosenBy | None:
    """Return by what arms are chosen, or events re-estimated, where it is another endpoint than that of the tests."""
    selection = design.selection
    early = None if design.reestimation is None else design.reestimation.early_endpoint
    if early is not None:
        by: By | EarlyEndpoint = early
        measure = "z"
    elif selection is not None and selection.by is not None:
        by, measure = selection.by, getattr(selection, selection.kind).measure
    else:
        return None
    endpoint = endpoints.index(by.endpoint)
    analysis: Analysis = registry.get("analyses", _COMPARED_BY[world.outcomes[endpoint].kind])()
    lower = by.direction == "lower"
    compared = (
        TestPlan(by.endpoint, endpoint, test.treatment, test.control, analysis, {}, lower, (), (), test.alpha)
        for test in tests
    )
    return ChosenBy(tuple(compared), measure)


def _closes_sites(design: Design) -> bool:
    """Return whether a design's policy for sites may close some at reviews."""
    name, _ = recommending(design.policies["sites"])
    policy = registry.get("policies", f"sites.{name}")
    return bool(getattr(policy, "at_reviews", False))
