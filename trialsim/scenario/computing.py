"""What is worked out of a design that is asked in a few lines: its size and its bounds.

How they are worked out is the business of the design's own class, which stands above the scenario and is found by name
through the registry, as an analysis or a policy is. So whoever loads a scenario, by whatever way, gets it complete.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from trialsim import registry
from trialsim.errors import Problem, ScenarioError
from trialsim.scenario.design import Computed
from trialsim.scenario.planned_looks import as_asked
from trialsim.scenario.schema import Scenario
from trialsim.scenario.truths import MOST_FAILED, leads_into

CLOSE = 1e-6
"""Most by which a computed number that was saved may differ from the one computed now."""


def take_computed(tree: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Take out of a written scenario, in place, what was worked out of its designs; return those designs as they were."""
    designs = tree.get("designs")
    if not isinstance(designs, dict):
        return {}
    resolved = {
        name: design
        for name, design in designs.items()
        if isinstance(design, dict)
        and isinstance(design.get("computed"), dict)
        and not {"efficacy", "combination", "stages"}.isdisjoint(design)
    }
    tree["designs"] = {
        name: as_asked(design) if name in resolved else design for name, design in designs.items()
    }
    return resolved


def solved_sizes(scenario: Scenario, names: tuple[str, ...]) -> dict[str, int]:
    """Return the events or patients of the designs whose size is to be solved.

    Raises
    ------
    ScenarioError
        With every problem that was found.
    """
    sizes, problems = {}, []
    for name in names:
        try:
            sizes[name] = _class_of(scenario, name).size(scenario, name)
        except ScenarioError as error:
            problems += error.problems
    if problems:
        raise ScenarioError(problems)
    return sizes


def computing_problems(
    scenario: Scenario,
    sought: Collection[str],
    told: Collection[str],
    ancestors: Mapping[str, Sequence[str]],
    among: Collection[str] | None = None,
) -> list[Problem]:
    """Return what keeps sizes and bounds from being worked out, of designs that no other problem touches.

    Parameters
    ----------
    scenario
        A scenario in which there are problems.
    sought
        The designs whose size is to be solved.
    told
        Paths of what is wrong, or not as it is written.
    ancestors
        The designs that each one extends.
    among
        Names of designs, where no others are asked for.
    """
    problems = []
    for name, design in scenario.designs.items():
        if among is not None and name not in among:
            continue
        if not (design.names_family or name in sought) or any(
            _touches(path, scenario, name, ancestors.get(name, ()), name in sought) for path in told
        ):
            continue
        if name in sought and not _has_its_world(scenario, design.under, told):
            continue
        try:
            if name in sought:
                _class_of(scenario, name).size(scenario, name)
            else:
                _class_of(scenario, name).computed(scenario, name, None)
        except ScenarioError as error:
            problems += error.problems
    return problems


_BESIDE = ("name", "source", "description", "assumed", "costs")
"""Parts of a scenario that move no size and no bounds."""


def _has_its_world(scenario: Scenario, under: str | None, told: Collection[str]) -> bool:
    """Return whether there is a world under a truth, with nothing set where something is wrong.

    What is wrong with the truth itself is told elsewhere; after so many wrong ones, no rule has looked at the others.
    """
    overlay = scenario.truths.get(under or "")
    wrong = {place.partition("[")[0] for place in told if place.startswith("truths.")}
    if overlay is None or (overlay and len(wrong) >= MOST_FAILED):
        return False
    if any(leads_into(path, place) for path in overlay for place in told):
        return False
    try:
        scenario.world(str(under))
    except (ScenarioError, ValidationError):
        return False
    return True


def _touches(path: str, scenario: Scenario, name: str, ancestors: Sequence[str], sized: bool) -> bool:
    """Return whether something at a path may move the size or the bounds of a design.

    A size that is solved may be moved by any endpoint, as a death ends the time in which another event can come.
    """
    design = scenario.designs[name]
    part, _, rest = path.partition(".")
    entry = rest.partition(".")[0].partition("[")[0]
    tested = [scenario.hypotheses[test].endpoint for test in design.tests if test in scenario.hypotheses]
    needed: dict[str, Sequence[str]] = {
        "designs": [name, *ancestors],
        "hypotheses": [*design.tests],
        "truths": [] if design.under is None else [design.under.partition("[")[0]],
    }
    if not sized:
        needed["endpoints"] = tested
    return part not in _BESIDE and (not entry or part not in needed or entry in needed[part])


def with_computed_bounds(
    scenario: Scenario, solved: Mapping[str, int], resolved: Mapping[str, dict[str, Any]]
) -> Scenario:
    """Return the scenario with the bounds of the designs that name a family.

    Parameters
    ----------
    scenario
        With all sizes known.
    solved
        The sizes that were solved.
    resolved
        Designs as a resolved scenario held them; they must agree with what is worked out now.

    Raises
    ------
    ScenarioError
        With every problem that was found.
    """
    designs, problems = dict(scenario.designs), []
    for name, design in scenario.designs.items():
        if not design.names_family:
            continue
        try:
            computed = _class_of(scenario, name).computed(scenario, name, solved.get(name))
        except ScenarioError as error:
            problems += error.problems
            continue
        designs[name] = design.model_copy(update={"computed": computed})
        if name in resolved:
            try:
                designs[name] = _as_saved(name, designs[name], resolved[name])
            except ScenarioError as error:
                problems += error.problems
    if problems:
        raise ScenarioError(problems)
    copy = scenario.model_copy()
    object.__setattr__(copy, "designs", designs)
    return copy


def _class_of(scenario: Scenario, name: str) -> Any:
    """Return the class that works out a design."""
    return registry.get("designs", scenario.designs[name].kind)()


def _as_saved(name: str, design: Any, saved: dict[str, Any]) -> Any:
    """Return a design with the computed numbers that were saved; refuse those that do not follow from it."""
    now = design.model_dump(mode="json", by_alias=True, exclude_none=True)
    for key in ("n", "events", "looks", "computed"):
        place = _difference(now.get(key), saved.get(key), key)
        if place is not None:
            sentence = (
                "does not follow from the other numbers of the design; take out computed (and what was solved: n, events, "
                "the list of looks), so that it is worked out anew"
            )
            raise ScenarioError([Problem(f"designs.{name}.{place}", sentence)])
    try:
        return design.model_copy(update={"computed": Computed.model_validate(saved["computed"])})
    except ValidationError:  # pragma: no cover - what agrees with a computed part can be read
        return design


def _difference(now: Any, saved: Any, place: str) -> str | None:
    """Return where two written parts differ by more than rounding, or None."""
    if isinstance(now, dict) and isinstance(saved, dict) and now.keys() == saved.keys():
        found = (_difference(now[key], saved[key], f"{place}.{key}") for key in now)
    elif isinstance(now, list) and isinstance(saved, list) and len(now) == len(saved):
        found = (_difference(a, b, f"{place}[{k}]") for k, (a, b) in enumerate(zip(now, saved, strict=True)))
    elif isinstance(now, float) and isinstance(saved, (int, float)) and not isinstance(saved, bool):
        return None if math.isclose(now, saved, rel_tol=CLOSE, abs_tol=CLOSE) else place
    else:
        return None if now == saved else place
    return next((each for each in found if each is not None), None)
