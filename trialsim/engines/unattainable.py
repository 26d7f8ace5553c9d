"""Marginal hazard ratios that no conditional ones give, told of every truth, endpoint and arm at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from pydantic import ValidationError

from trialsim.engines.laws import marginal_ratios
from trialsim.errors import Problem, ScenarioError
from trialsim.scenario.endpoints import has_marginal_ratios
from trialsim.scenario.schema import Scenario
from trialsim.scenario.truths import MOST_FAILED


def unattainable_ratios(scenario: Scenario, truths: Iterable[str]) -> Iterator[Problem]:
    """Yield the marginal hazard ratios that cannot be had; of a grid of truths, those of its first cell that has some.

    What truths leave as it is in the scenario is told there, once; what they change is told at the truth.

    Parameters
    ----------
    scenario
        A loaded scenario.
    truths
        Names in it.
    """
    solved = [name for name, part in scenario.endpoints.items() if has_marginal_ratios(part)]
    failed, said = set[str](), set[Problem]()
    for truth in truths if solved else ():
        family = truth.partition("[")[0]
        if family in failed:
            continue
        if len(failed) >= MOST_FAILED:
            break
        try:
            world = scenario.world(truth)
        except (ValidationError, ScenarioError):
            continue  # what is wrong with the world is told elsewhere
        for problem in unattainable_in(scenario, truth, world):
            if problem not in said:
                yield problem
            if problem.path.startswith("truths."):
                failed.add(family)
            said.add(problem)


def unattainable_in(scenario: Scenario, truth: str, world: Scenario) -> Iterator[Problem]:
    """Yield the marginal hazard ratios that cannot be had under one truth.

    Parameters
    ----------
    scenario
        A loaded scenario.
    truth
        The name of a truth in it.
    world
        The scenario with the overlay of that truth applied.
    """
    for name, part in world.endpoints.items():
        if not has_marginal_ratios(part):
            continue
        known = marginal_ratios(world, name)
        effect: dict[str, Any] = part.effect
        for arm, stated in effect.items():
            why = known.refusal(stated)
            if not why:
                continue
            place = f"endpoints.{name}.effect.{arm}"
            as_written = (marginal_ratios(scenario, name), scenario.endpoints[name].effect[arm])
            if (known, stated) == as_written:
                yield Problem(place, why)
            else:
                yield Problem(f"truths.{truth}", f"{place}: {why}")
