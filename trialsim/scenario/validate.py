"""All rules across fields, over as much of a scenario as could be read, and over the world of each truth."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from pydantic import TypeAdapter, ValidationError

from trialsim.errors import Problem, ScenarioError
from trialsim.scenario.accrual import Accrual
from trialsim.scenario.costs import Costs
from trialsim.scenario.design import Design
from trialsim.scenario.endpoints import Dropout, Endpoint
from trialsim.scenario.hypotheses import Hypothesis
from trialsim.scenario.life import AdverseEvent, Departure, Treatment
from trialsim.scenario.population import Population
from trialsim.scenario.rules_designs import trial_findings
from trialsim.scenario.rules_life import life_findings
from trialsim.scenario.rules_rerandomised import arm_changes
from trialsim.scenario.rules_strategies import strategy_findings
from trialsim.scenario.rules_world import Finding, WorldParts, world_findings
from trialsim.scenario.schema import DEFAULT_HORIZON, MOST_ARMS, Scenario, World
from trialsim.scenario.screening import Screening
from trialsim.scenario.sentences import problems_from, written_path
from trialsim.scenario.table import Table
from trialsim.scenario.trial_parts import TrialParts
from trialsim.scenario.truths import apply_overlay
from trialsim.scenario.units import PositiveDuration
from trialsim.scenario.values import Name
from trialsim.scenario.visits import Visits
from trialsim.scenario.wording import unknown

MOST_READ = 200
"""Entries of a mapping that are looked at in a scenario that cannot be read whole."""

MOST_FAILED = 100
"""Truths whose problems are told."""

_ARMS: TypeAdapter[tuple[str, ...]] = TypeAdapter(tuple[Name, ...])
_HORIZON: TypeAdapter[float] = TypeAdapter(PositiveDuration)
_POPULATION = TypeAdapter(Population)
_ACCRUAL = TypeAdapter(Accrual)
_ENDPOINT: TypeAdapter[Any] = TypeAdapter(Endpoint)
_DROPOUT = TypeAdapter(Dropout)
_SCREENING = TypeAdapter(Screening)
_COSTS = TypeAdapter(Costs)
_TREATMENT = TypeAdapter(Treatment)
_DEPARTURE = TypeAdapter(Departure)
_ADVERSE_EVENT = TypeAdapter(AdverseEvent)
_VISITS = TypeAdapter(Visits)
_HYPOTHESIS = TypeAdapter(Hypothesis)
_DESIGN = TypeAdapter(Design)


def readable_population(tree: Mapping[str, Any]) -> Population | None:
    """Return the population of a written scenario, or None where it cannot be read."""
    population: Population | None = _read(_POPULATION, tree.get("population", {}))
    return population


def _read(adapter: TypeAdapter[Any], written: Any) -> Any:
    """Return a part of a scenario, or None where it cannot be read."""
    try:
        return adapter.validate_python(written)
    except ValidationError:
        return None


def _read_each(adapter: TypeAdapter[Any], written: Any) -> dict[str, Any]:
    """Return those entries of a mapping that can be read."""
    entries = written.items() if isinstance(written, dict) else ()
    read = {name: _read(adapter, entry) for name, entry in itertools.islice(entries, MOST_READ)}
    return {name: entry for name, entry in read.items() if entry is not None}


def readable_parts(tree: Mapping[str, Any], table: Table | None) -> TrialParts:
    """Return what can be read of a scenario that cannot be read whole."""
    arms = _read(_ARMS, tree.get("arms"))
    world = WorldParts(
        arms=arms if arms and len(arms) <= MOST_ARMS else None,
        population=readable_population(tree),
        accrual=_read(_ACCRUAL, tree.get("accrual")),
        endpoints=_read_each(_ENDPOINT, tree.get("endpoints")),
        dropout=_read(_DROPOUT, tree.get("dropout")),
        screening=_read(_SCREENING, tree.get("screening")),
        costs=_read(_COSTS, tree.get("costs")),
        table=table,
        horizon=_read(_HORIZON, tree.get("horizon")) or DEFAULT_HORIZON,
        treatment=_read(_TREATMENT, tree.get("treatment")),
        discontinuation=_read_each(_DEPARTURE, tree.get("discontinuation")),
        withdrawal=_read(_DEPARTURE, tree.get("withdrawal")),
        adverse_events=_read_each(_ADVERSE_EVENT, tree.get("adverse_events")),
        visits=_read(_VISITS, tree.get("visits")),
    )
    world = replace(world, unread=frozenset(_unread(tree, world)))
    names = {
        key: list(tree[key]) if isinstance(tree.get(key), dict) else [] for key in ("endpoints", "hypotheses")
    }
    return TrialParts(
        world=world,
        hypotheses=_read_each(_HYPOTHESIS, tree.get("hypotheses")),
        designs=_read_each(_DESIGN, tree.get("designs")),
        endpoint_names=names["endpoints"],
        hypothesis_names=names["hypotheses"],
    )


def _unread(tree: Mapping[str, Any], world: WorldParts) -> Iterator[str]:
    """Yield the keys of what is written and could not be read: ``visits``, or ``endpoints`` and ``endpoints.death``."""
    for key in ("screening", "treatment", "visits"):
        if tree.get(key) and getattr(world, key) is None:
            yield key
    for key in ("endpoints", "discontinuation", "adverse_events"):
        written, read = tree.get(key), getattr(world, key)
        if not isinstance(written, dict):
            if written:
                yield key
            continue
        lacking = [name for name in written if name not in read]
        if lacking:
            yield from (key, *(f"{key}.{name}" for name in lacking))


def parts_of(scenario: Scenario) -> TrialParts:
    """Return the parts of a scenario that was read whole."""
    return TrialParts(
        world=_world_parts(scenario, scenario),
        hypotheses=scenario.hypotheses,
        designs=scenario.designs,
        endpoint_names=list(scenario.endpoints),
        hypothesis_names=list(scenario.hypotheses),
    )


def _world_parts(world: Scenario | World, scenario: Scenario) -> WorldParts:
    """Return the parts of one world of a scenario."""
    return WorldParts(
        arms=scenario.arms,
        population=world.population,
        accrual=world.accrual,
        endpoints=world.endpoints,
        dropout=world.dropout,
        screening=world.screening,
        costs=world.costs,
        table=scenario.table,
        horizon=scenario.horizon,
        treatment=world.treatment,
        discontinuation=world.discontinuation or {},
        withdrawal=world.withdrawal,
        adverse_events=world.adverse_events or {},
        visits=world.visits,
    )


def rule_problems(parts: TrialParts, tree: Mapping[str, Any]) -> list[Problem]:
    """Return what the rules across fields find, each at its path in the file.

    Parameters
    ----------
    parts
        What could be read.
    tree
        The scenario as it is written.
    """
    findings = [
        *world_findings(parts.world),
        *life_findings(parts.world),
        *strategy_findings(parts),
        *trial_findings(parts),
    ]
    return [_problem(finding, lambda location: written_path(tree, location)) for finding in findings]


def _problem(finding: Finding, place: Callable[[tuple[str | int, ...]], str]) -> Problem:
    """Return a finding as a problem."""
    location, sentence = finding
    return Problem(place(location), sentence)


def truth_problems(scenario: Scenario) -> Iterator[Problem]:
    """Yield what is wrong with the world of each truth; of a grid, its first cell that fails."""
    written = scenario.dump_world()
    failed: set[str] = set()
    for name, overlay in scenario.truths.items():
        family = name.partition("[")[0]
        if not overlay or family in failed:
            continue
        if len(failed) >= MOST_FAILED:
            break
        for problem in _world_problems(scenario, written, overlay):
            failed.add(family)
            yield Problem(f"truths.{name}", str(problem))


def truth_path_problems(scenario: Scenario) -> Iterator[Problem]:
    """Yield the paths of truths that match nothing in the world; of a grid, those of its first cell that fails."""
    written, failed = scenario.dump_world(), set[str]()
    for name, overlay in scenario.truths.items():
        family = name.partition("[")[0]
        if not overlay or family in failed or len(failed) >= MOST_FAILED:
            continue
        try:
            apply_overlay(written, overlay)
        except ScenarioError as error:
            failed.add(family)
            yield from (Problem(f"truths.{name}", str(problem)) for problem in error.problems)


def unknown_truths(scenario: Scenario) -> Iterator[Problem]:
    """Yield the truths under which a size is to be solved and that do not exist."""
    for name, design in scenario.designs.items():
        if design.under is not None and design.under not in scenario.truths:
            yield Problem(f"designs.{name}.under", unknown("the truth", design.under, scenario.truths))


def _world_problems(scenario: Scenario, written: dict[str, Any], overlay: dict[str, Any]) -> list[Problem]:
    """Return what is wrong with one world."""
    try:
        changed = apply_overlay(written, overlay)
    except ScenarioError as error:
        return error.problems
    keys: dict[int, tuple[str, ...]] = {}
    try:
        world = World.model_validate(changed, context=keys)
    except ValidationError as error:
        return problems_from(error, changed, keys)
    parts = _world_parts(world, scenario)
    findings = [*world_findings(parts), *life_findings(parts)]
    found = [_problem(finding, lambda location: written_path(changed, location)) for finding in findings]
    for name, design in scenario.designs.items():
        for test in design.tests:
            moved = arm_changes(("designs", name, "tests", test), scenario.hypotheses[test], design, parts)
            found += [_problem(finding, lambda location: ".".join(map(str, location))) for finding in moved]
    return found
