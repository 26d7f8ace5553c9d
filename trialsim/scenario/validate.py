"""All rules across fields, over a scenario or all that may be meant by one that cannot be read, and under each truth."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from trialsim.errors import Problem
from trialsim.scenario.checkpoints import checkpoint_problems
from trialsim.scenario.computing import computing_problems
from trialsim.scenario.mending import Mended, lies_in, mended
from trialsim.scenario.rules_designs import trial_findings
from trialsim.scenario.rules_life import life_findings
from trialsim.scenario.rules_rerandomised import arm_changes
from trialsim.scenario.rules_strategies import strategy_findings
from trialsim.scenario.rules_world import Finding, WorldParts, world_findings
from trialsim.scenario.schema import Scenario, World
from trialsim.scenario.sentences import problems_from, written_path
from trialsim.scenario.table import Table
from trialsim.scenario.trial_parts import TrialParts
from trialsim.scenario.truths import MOST_FAILED, Overlay, leads_into, overlaid
from trialsim.scenario.wording import unknown

MOST_PATHS = 200
"""Paths of a truth that are looked at one by one where it cannot be read whole."""

_ALONE = (
    "arms", "population", "accrual", "dropout", "screening", "costs", "treatment", "withdrawal", "visits",
)  # fmt: skip
"""Parts of the world that stand alone."""

_MOST_OF = {
    "accrual": ("accrual.sites",),
    "population": ("population.marginals", "population.columns", "population.traits"),
}
"""What there is little left of a part without."""

_NAMED = ("endpoints", "discontinuation", "adverse_events")
"""Parts of the world that are mappings of names."""

_JUDGED_WHOLE = ("population.correlation",)
"""Places whose entries are judged together."""

_OVERLAY: TypeAdapter[dict[str, Any]] = TypeAdapter(Overlay)

Further = Callable[[Scenario, Sequence[str]], Iterable[Problem]]
"""What yields more problems of a scenario and of some of its truths."""


def problems_throughout(
    tree: dict[str, Any],
    folder: Path | None,
    table: Table | None,
    sought: Collection[str],
    ancestors: Mapping[str, Sequence[str]],
    further: Further | None = None,
) -> list[Problem]:
    """Return every problem of a scenario that cannot be read.

    Besides what is wrong with its form this is what the rules say of all readable scenarios that are tried in its place.

    Parameters
    ----------
    tree
        The scenario as plain data, designs merged and looks laid out.
    folder, table
        Where its files lie, and the patients that it resamples.
    sought
        The designs whose size is to be solved.
    ancestors
        The designs that each one extends.
    further
        Yields more problems, where the world can be read and is right.
    """
    keys: dict[int, tuple[str, ...]] = {}
    form: list[Problem] = []
    try:
        Scenario.model_validate(tree, context=keys)
    except ValidationError as error:
        form = problems_from(error, tree, keys)
    truths = _readable_truths(tree)
    certain: dict[tuple[str, str], Problem] | None = None
    first: Mended | None = None
    for each in mended(tree | {"truths": {"as_written": {}}}):
        sizes = [design.under for design in each.scenario.designs.values() if design.under is not None]
        known = truths or {key: {} for key in sizes}
        scenario = each.scenario.model_copy(update={"truths": known}).located(folder, table)
        among = None if certain is None else {path for path, _ in certain}
        rules = problems_of(scenario, each.tree, each.filled, among)
        own = each.filled | {
            place for place in _JUDGED_WHOLE if any(lies_in(one, {place}) for one in each.filled)
        }
        judged = (problem for problem in rules if not lies_in(problem.path, own))
        claims = {_claim(problem): problem for problem in (*each.problems, *judged)}
        certain = claims if certain is None else {one: certain[one] for one in certain if one in claims}
        first = first or replace(each, scenario=scenario)
        if not certain:
            break
    found = [*form, *(certain or {}).values()]
    if first is not None:
        told = {problem.path for problem in found} | first.filled
        found += computing_problems(first.scenario, sought, told, ancestors)
        found += further_problems(first.scenario, found, further, first.filled)
    return found


def further_problems(
    scenario: Scenario,
    found: Sequence[Problem],
    further: Further | None,
    filled: Collection[str] = (),
) -> list[Problem]:
    """Return what else is wrong with a scenario whose world is right, under those truths in which nothing else is.

    Parameters
    ----------
    scenario
        The scenario, beside its table.
    found
        What is known to be wrong.
    further
        Yields more problems.
    filled
        Paths of what is not as it is written.
    """
    world = {"", "arms", "horizon", *World.model_fields}
    places = {*filled, *(problem.path for problem in found)}
    if further is None or any(re.split(r"[.\[]", place)[0] in world for place in places):
        return []
    wrong = {re.split(r"[.\[]", place)[1] for place in places if place.startswith("truths.")}
    if len(wrong) >= MOST_FAILED:  # after so many, rules look at no other truth
        return []
    sound = [truth for truth in scenario.truths if truth.partition("[")[0] not in wrong]
    return [*further(scenario, sound)]


def _claim(problem: Problem) -> tuple[str, str]:
    """Return what a problem says, without the numbers that a path into the world might lead to instead."""
    return problem.path, problem.message.partition("; numbers there are ")[0]


def _readable_truths(tree: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return what can be read of the truths: every name, and of each the paths and values that can be."""
    written = tree.get("truths")
    found: dict[str, dict[str, Any]] = {}
    for name, overlay in written.items() if isinstance(written, dict) else ():
        read = _read(_OVERLAY, overlay)
        if read is None and isinstance(overlay, dict):
            read = {}
            for path, value in itertools.islice(overlay.items(), MOST_PATHS):
                read |= _read(_OVERLAY, {path: value}) or {}
        found[name] = read or {}
    return found


def _read(adapter: TypeAdapter[Any], written: Any) -> Any:
    """Return a part of a scenario, or None where it cannot be read."""
    try:
        return adapter.validate_python(written)
    except ValidationError:
        return None


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


def problems_of(
    scenario: Scenario,
    tree: Mapping[str, Any],
    filled: frozenset[str] = frozenset(),
    among: Collection[str] | None = None,
) -> list[Problem]:
    """Return what the rules across fields find in a scenario, under its truths, and in the files that it names.

    Parameters
    ----------
    scenario
        The scenario, beside its table.
    tree
        The scenario as it is written.
    filled
        Paths of what is not as it is written.
    among
        Paths of problems, where no others are asked for.
    """
    found = rule_problems(_without(parts_of(scenario), filled), tree)
    told = {problem.path for problem in found} | {problem.message for problem in found}
    return [
        *found,
        *_truth_problems(scenario, told, among, filled),
        *_unknown_truths(scenario),
        *checkpoint_problems(scenario),
    ]


def _truth_problems(
    scenario: Scenario, told: Collection[str], among: Collection[str] | None, filled: frozenset[str]
) -> Iterator[Problem]:
    """Yield what is wrong with the world of each truth; of a grid, its first cell that fails.

    What is wrong with the world as it is written is told already, and not again under every truth.
    """
    written = scenario.dump_world()
    failed: set[str] = set()
    for name, overlay in scenario.truths.items():
        family, at = name.partition("[")[0], f"truths.{name}"
        if not overlay or family in failed or (among is not None and at not in among):
            continue
        if len(failed) >= MOST_FAILED:
            break
        sound = {
            path: value for path, value in overlay.items() if not any(leads_into(path, one) for one in filled)
        }
        for problem in _world_problems(scenario, written, sound, filled):
            if problem.path not in told and problem.message not in told:
                failed.add(family)
                yield Problem(at, str(problem))


def _without(parts: TrialParts, filled: frozenset[str]) -> TrialParts:
    """Return parts without those that stand for what could not be read at all; what follows from them is not said."""
    return replace(
        parts,
        world=_world_without(parts.world, filled),
        hypotheses=_kept("hypotheses", parts.hypotheses, filled),
        designs=_kept("designs", parts.designs, filled),
    )


def _world_without(world: WorldParts, filled: frozenset[str]) -> WorldParts:
    """Return the parts of a world without those that stand for what could not be read at all."""
    alone: dict[str, Any] = {key: None for key in _ALONE if filled & {key, *_MOST_OF.get(key, ())}}
    named: dict[str, Any] = {key: _kept(key, getattr(world, key), filled) for key in _NAMED}
    unread = filled & {*_ALONE}
    for place in filled:
        key = place.partition(".")[0]
        if key in _NAMED and place.count(".") < 2:
            unread |= {key, place}
    return replace(world, **alone, **named, unread=frozenset(unread))


def _kept(key: str, entries: Mapping[str, Any], filled: frozenset[str]) -> dict[str, Any]:
    """Return the entries of a mapping that were not put in as a whole."""
    return {name: entry for name, entry in entries.items() if not lies_in(f"{key}.{name}", filled)}


def _unknown_truths(scenario: Scenario) -> Iterator[Problem]:
    """Yield the truths under which a size is to be solved and that do not exist."""
    for name, design in scenario.designs.items():
        if design.under is not None and design.under not in scenario.truths:
            yield Problem(f"designs.{name}.under", unknown("the truth", design.under, scenario.truths))


def _world_problems(
    scenario: Scenario, written: dict[str, Any], overlay: dict[str, Any], filled: frozenset[str]
) -> list[Problem]:
    """Return what is wrong with one world."""
    changed, found = overlaid(written, overlay)
    keys: dict[int, tuple[str, ...]] = {}
    try:
        world = World.model_validate(changed, context=keys)
    except ValidationError as error:
        return [*found, *problems_from(error, changed, keys)]
    parts = _world_without(_world_parts(world, scenario), filled)
    findings = [*world_findings(parts), *life_findings(parts)]
    found += [_problem(finding, lambda location: written_path(changed, location)) for finding in findings]
    for name, design in scenario.designs.items():
        for test in design.tests:
            if test not in scenario.hypotheses:
                continue
            moved = arm_changes(("designs", name, "tests", test), scenario.hypotheses[test], design, parts)
            found += [_problem(finding, lambda location: ".".join(map(str, location))) for finding in moved]
    return found
