"""Read a scenario: from a file to a checked scenario, or to all its problems."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from trialsim.errors import Problem, ScenarioError
from trialsim.scenario.computing import computing_problems, solved_sizes, take_computed, with_computed_bounds
from trialsim.scenario.grids import expand_grids
from trialsim.scenario.lines import with_lines
from trialsim.scenario.plain_data import as_from_yaml
from trialsim.scenario.planned_looks import lay_out_looks, to_be_solved
from trialsim.scenario.reading import parse_yaml
from trialsim.scenario.resampled import resampled_table
from trialsim.scenario.resolve import read_extended, resolve_designs
from trialsim.scenario.schema import Scenario
from trialsim.scenario.sentences import at_most, causes_first, is_inherited, problems_from
from trialsim.scenario.table import Column, Table
from trialsim.scenario.throughout import problems_of_unreadable
from trialsim.scenario.validate import Further, further_problems, problems_of
from trialsim.scenario.wording import printable


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
    found: list[Problem] = []
    return _scenario(as_from_yaml(tree, found), folder, found, further)


def _scenario(
    tree: Any, folder: Path | None, found: Sequence[Problem], further: Further | None = None
) -> Scenario:
    """Return the scenario of plain data; ``found`` is what its text is blamed for already."""
    if not isinstance(tree, dict):
        raise ScenarioError(
            [*found, Problem("", "a scenario is a mapping with keys such as name, arms and designs")]
        )
    written, problems = tree, list(found)
    tree = dict(tree)
    ancestors = resolve_designs(tree, problems)
    blamed = {problem.path for problem in found if problem.path}
    resolved = take_computed(tree)
    expand_grids(tree, problems)
    table = resampled_table(tree, folder, problems)

    def checked(solved: Mapping[str, int]) -> Scenario:
        try:
            return _checked(tree, solved, folder, table, problems, None if solved else further)
        except _Unreadable as unreadable:
            lines = dict(ancestors)
            found_there = problems_of_unreadable(written, folder, unreadable.problems, lines, further)
            said = [*problems, *found_there]
        except _Refused as error:
            told, lines = {problem.path for problem in error.problems}, ancestors
            unsolved = computing_problems(error.scenario, to_be_solved(tree), told, ancestors)
            said = [*error.problems, *unsolved]
            if len(tree["designs"]) < len(written["designs"]):
                # Designs that extend none that there is are not among those that were read.
                said += problems_of_unreadable(written, folder, (), dict(ancestors))
        raise ScenarioError(map(_on_one_line, at_most(_said_once(said, lines, blamed))))

    scenario = checked({})
    try:
        solved = solved_sizes(scenario, to_be_solved(tree))
    except ScenarioError as error:
        others = [name for name in scenario.designs if name not in to_be_solved(tree)]
        raise ScenarioError([*error.problems, *computing_problems(scenario, (), (), {}, others)]) from None
    if solved:
        scenario = checked(solved)
    return with_computed_bounds(scenario, solved, resolved)


class _Unreadable(Exception):
    """A scenario that does not have the form of one, with every problem of the form."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems


class _Refused(Exception):
    """A scenario that breaks rules, with every problem."""

    def __init__(self, problems: list[Problem], scenario: Scenario) -> None:
        self.problems, self.scenario = problems, scenario


def _checked(
    tree: dict[str, Any],
    solved: Mapping[str, int],
    folder: Path | None,
    table: Table | None,
    problems: Sequence[Problem],
    further: Further | None,
) -> Scenario:
    """Return the scenario of a tree, checked; bounds are still to be computed.

    Parameters
    ----------
    solved
        Sizes by design, where they were solved.
    problems
        What was found already.
    further
        Yields more problems, where the scenario's world is right.

    Raises
    ------
    _Refused
        With every problem that was found.
    _Unreadable
        With every problem of the form, where that is not the one of a scenario.
    """
    tree, problems = dict(tree), list(problems)
    lay_out_looks(tree, solved, problems)
    keys: dict[int, tuple[str, ...]] = {}
    try:
        scenario = Scenario.model_validate(tree, context=keys).located(folder, table)
    except ValidationError as error:
        raise _Unreadable(problems_from(error, tree, keys)) from None
    problems += problems_of(scenario, tree)
    problems += further_problems(scenario, problems, further)
    if problems:
        raise _Refused(problems, scenario)
    return scenario


def patient_table(scenario: Scenario) -> Mapping[str, Column] | None:
    """Return the resampled patients by trait, each as values and levels, or None where there are none."""
    return scenario.table.columns if scenario.table is not None else None


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
        if is_inherited(problem, said, ancestors):
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
