"""The bounds of a design that names their families, for the information that it plans."""

from __future__ import annotations

import math
from collections.abc import Sequence

from trialsim.designs.boundaries import Boundaries, group_sequential
from trialsim.designs.planned_information import planned_information
from trialsim.errors import Problem, ScenarioError
from trialsim.scenario.design import Bounds, Computed, Design
from trialsim.scenario.schema import Scenario

DIGITS = 12
"""Decimals of computed bounds that are kept: the integration is good to ten."""

_USUAL_POWER = 0.9
"""The power of the alternative where nothing depends on it."""


def computed_bounds(
    scenario: Scenario, name: str, solved: int | None, rates: Sequence[float] | None = None
) -> Computed:
    """Return the bounds of every test of a design.

    Parameters
    ----------
    scenario
        With the looks of its designs written out.
    name
        The design.
    solved
        The events or patients that were solved for, where they were.
    rates
        The information of the looks, where it is not that of what they wait for.

    Raises
    ------
    ScenarioError
        With every problem found, where no bounds are as asked.
    """
    design = scenario.designs[name]
    problems: list[Problem] = []
    information, bounds, inflation = {}, {}, {}
    for test in design.tests:
        try:
            planned = tuple(rates) if rates is not None else planned_information(scenario, name, test)
            found = bounds_for(name, design, test, planned)
        except ScenarioError as error:
            problems += error.problems
            continue
        information[test] = planned
        bounds[test] = _kept(found)
        inflation[test] = round(found.inflation_factor, DIGITS)
    if problems:
        raise ScenarioError(dict.fromkeys(problems))
    first = scenario.hypotheses[next(iter(design.tests))].endpoint
    survival = scenario.endpoints[first].kind == "survival"
    return Computed(
        information=information,
        bounds=bounds,
        inflation_factor=None if design.power is None else inflation,
        events=solved if survival else None,
        n=None if survival else solved,
    )


def bounds_for(name: str, design: Design, test: str, information: Sequence[float]) -> Boundaries:
    """Return the bounds of one test for some information fractions.

    Raises
    ------
    ScenarioError
        With every problem found, each at its place in the design.
    """
    assert design.efficacy is not None
    futility = design.futility or (None, None)
    try:
        return group_sequential(
            information,
            alpha=design.tests[test].alpha,
            power=_USUAL_POWER if design.power is None else design.power,
            efficacy=design.efficacy[0],
            efficacy_parameter=design.efficacy[1],
            futility=futility[0],
            futility_parameter=futility[1],
            futility_binding=design.futility_binding,
        )
    except ScenarioError as error:
        raise ScenarioError([_placed(name, test, problem) for problem in error.problems]) from None


def _placed(name: str, test: str, problem: Problem) -> Problem:
    """Return a problem with bounds at its place in the scenario."""
    at = f"designs.{name}"
    where = {"": f"{at}.efficacy", "alpha": f"{at}.tests.{test}.alpha"}.get(
        problem.path, f"{at}.{problem.path}"
    )
    return Problem(where, problem.message.removesuffix("."))


def _kept(found: Boundaries) -> Bounds:
    """Return bounds as a scenario holds them: none where they are infinite, and no futility at the last look."""
    efficacy = tuple(round(float(z), DIGITS) if math.isfinite(z) else None for z in found.efficacy_z)
    if found.request.futility is None:
        return Bounds(efficacy_z=efficacy)
    interim = tuple(round(float(z), DIGITS) if math.isfinite(z) else None for z in found.futility_z[:-1])
    return Bounds(efficacy_z=efficacy, futility_z=(*interim, None))
