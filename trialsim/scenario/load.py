"""Read a scenario: from a file to a checked scenario, or to all its problems."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from trialsim.errors import Problem, ScenarioError
from trialsim.scenario.checkpoints import checkpoint_problems
from trialsim.scenario.computing import solved_sizes, take_computed, with_computed_bounds
from trialsim.scenario.grids import expand_grids
from trialsim.scenario.lines import with_lines
from trialsim.scenario.planned_looks import lay_out_looks, to_be_solved
from trialsim.scenario.reading import parse_yaml
from trialsim.scenario.resolve import inside, read_extended, resolve_designs
from trialsim.scenario.schema import Scenario
from trialsim.scenario.sentences import causes_first, problems_from
from trialsim.scenario.table import Column, Table, read_table
from trialsim.scenario.validate import (
    parts_of,
    readable_parts,
    readable_population,
    rule_problems,
    truth_path_problems,
    truth_problems,
    unknown_truths,
)
from trialsim.scenario.wording import printable

Further = Callable[[Scenario, Sequence[str]], Iterable[Problem]]


def load_scenario(path: str | Path, further: Further | None = None) -> Scenario:
    """Return the scenario in a YAML file.

    Parameters
    ----------
    path
        The file; what it extends and the patients it resamples lie in the same folder.
    further
        Yields more problems of a scenario and of truths in whose world nothing else is wrong, to be told with the others.

    Raises
    ------
    ScenarioError
        With every problem that was found, in the order of the file; what has no line comes first, and what follows from
        a misspelt key right after it.
    """
    path, found = Path(path), list[Problem]()
    try:
        return _scenario(read_extended(path, found), path.parent, found, further)
    except ScenarioError as error:
        problems = with_lines(list(map(_on_one_line, error.problems)), path)
        raise ScenarioError(
            causes_first(sorted(problems, key=lambda each: each.line or 0)), str(path)
        ) from None


def scenario_from_text(text: str, folder: Path | None = None) -> Scenario:
    """Return the scenario in a YAML text.

    Parameters
    ----------
    text
        One YAML document, which extends no other file.
    folder
        Where the table of patients lies, for a scenario that resamples one.

    Raises
    ------
    ScenarioError
        With every problem that was found.
    """
    found: list[Problem] = []
    tree = parse_yaml(text, problems=found)
    if isinstance(tree, dict) and "extends" in tree:
        raise ScenarioError(
            [Problem("extends", "a text of its own cannot extend a file; load the file instead")]
        )
    return _scenario(tree, folder, found)


def scenario_from(tree: Any, folder: Path | None = None, further: Further | None = None) -> Scenario:
    """Return the scenario of plain data, such as :meth:`Scenario.dump` gives.

    Parameters
    ----------
    tree
        Mappings, lists, texts and numbers as YAML gives them.
    folder
        Where the table of patients lies, for a scenario that resamples one.
    further
        As for :func:`load_scenario`.

    Raises
    ------
    ScenarioError
        With every problem that was found.
    """
    return _scenario(tree, folder, [], further)


def _scenario(
    tree: Any, folder: Path | None, found: Sequence[Problem], further: Further | None = None
) -> Scenario:
    """Return the scenario of plain data; ``found`` is what its text is blamed for already."""
    if not isinstance(tree, dict):
        raise ScenarioError(
            [*found, Problem("", "a scenario is a mapping with keys such as name, arms and designs")]
        )
    problems = list(found)
    tree = dict(tree)
    ancestors = resolve_designs(tree, problems)
    blamed = {problem.path for problem in found if problem.path}
    resolved = take_computed(tree)
    expand_grids(tree, problems)
    table = _table(tree, folder, problems)
    scenario = _checked(tree, {}, folder, table, problems, ancestors, blamed, further)
    solved = solved_sizes(scenario, to_be_solved(tree))
    if solved:
        scenario = _checked(tree, solved, folder, table, problems, ancestors, blamed)
    return with_computed_bounds(scenario, solved, resolved)


def _checked(
    tree: dict[str, Any],
    solved: Mapping[str, int],
    folder: Path | None,
    table: Table | None,
    problems: list[Problem],
    ancestors: Mapping[str, tuple[str, ...]],
    blamed: Collection[str],
    further: Further | None = None,
) -> Scenario:
    """Return the scenario of a tree, checked; bounds are still to be computed.

    Parameters
    ----------
    solved
        Sizes by design, where they were solved.
    blamed
        Paths whose values the text did not give; what follows from that is not said.
    further
        Yields more problems, where the scenario's world is right.

    Raises
    ------
    ScenarioError
        With every problem that was found.
    """
    tree = dict(tree)
    lay_out_looks(tree, solved, problems)
    keys: dict[int, tuple[str, ...]] = {}
    scenario: Scenario | None = None
    try:
        scenario = Scenario.model_validate(tree, context=keys).located(folder, table)
        parts = parts_of(scenario)
    except ValidationError as error:
        problems += problems_from(error, tree, keys)
        parts = readable_parts(tree, table)
    problems += rule_problems(parts, tree)
    if scenario is not None:
        # What is wrong with the world is said once, not again under every truth; paths that lead nowhere are said always.
        found = [*truth_path_problems(scenario)] if problems else [*truth_problems(scenario)]
        if further is not None and all(_is_of_a_plan(problem) for problem in problems):
            found += further(
                scenario, _sound_truths(scenario, truth_problems(scenario) if problems else found)
            )
        problems += [*found, *unknown_truths(scenario), *checkpoint_problems(scenario)]
    if problems or scenario is None:
        raise ScenarioError(map(_on_one_line, _said_once(problems, ancestors, blamed)))
    return scenario


def patient_table(scenario: Scenario) -> Mapping[str, Column] | None:
    """Return the resampled patients by trait, each as values and levels, or None where there are none."""
    return scenario.table.columns if scenario.table is not None else None


def _table(tree: dict[str, Any], folder: Path | None, problems: list[Problem]) -> Table | None:
    """Return the table of patients that the population resamples, where it can be read."""
    population = readable_population(tree)
    if population is None or population.resample is None:
        return None
    if folder is None:
        problems.append(Problem("population.resample", "a table can only be read beside a scenario file"))
        return None
    try:
        path = inside(folder, population.resample, "population.resample")
        return read_table(path, population.columns, population.resample)
    except ScenarioError as error:
        problems += error.problems
        return None


def _is_of_a_plan(problem: Problem) -> bool:
    """Return whether a problem leaves the world of a scenario as it is."""
    return problem.path.partition(".")[0] in ("designs", "hypotheses")


def _sound_truths(scenario: Scenario, found: Iterable[Problem]) -> list[str]:
    """Return the truths in whose world, or in whose grid, nothing was found to be wrong."""
    wrong = {re.split(r"[.\[]", problem.path)[1] for problem in found}
    return [truth for truth in scenario.truths if truth.partition("[")[0] not in wrong]


def _on_one_line(problem: Problem) -> Problem:
    """Return a problem without characters of the file that a terminal might obey, and not too long."""
    path, message = printable(problem.path, 300), printable(problem.message, 1500)
    return replace(problem, path=path, message=message, follows=printable(problem.follows, 300))


def _said_once(
    problems: list[Problem], ancestors: Mapping[str, tuple[str, ...]], blamed: Collection[str]
) -> list[Problem]:
    """Return the problems without repeats: what a design inherits is said where it comes from.

    Of a path that is blamed, only the first problem is returned, and none of what lies in it.
    """
    said = dict.fromkeys(problems)
    heads: set[str] = set()
    cells: set[tuple[str, str]] = set()
    kept = []
    for problem in said:
        path = problem.path.split(".")
        above_it = {".".join(path[:length]) for length in range(1, len(path) + 1)} & {*blamed}
        if above_it and (above_it != {problem.path} or problem.path in heads):
            continue
        heads |= above_it
        if len(path) > 1 and path[0] == "designs":
            above = (".".join(["designs", one, *path[2:]]) for one in ancestors.get(path[1], ()))
            if any(Problem(other, problem.message) in said for other in above):
                continue
        if path[0] == "truths":
            # The cells of a grid repeat what is wrong with the whole of it.
            family, _, rest = problem.path.partition("[")
            once = (family, rest.rpartition("].")[2] + problem.message)
            if rest and once in cells:
                continue
            cells.add(once)
        kept.append(problem)
    return kept
