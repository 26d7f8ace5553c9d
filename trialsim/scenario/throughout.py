"""Every problem of a scenario that cannot be read: of its form, and of all that is meant by it whatever stands there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from trialsim.errors import Problem
from trialsim.scenario.computing import take_computed
from trialsim.scenario.grids import expand_grids
from trialsim.scenario.planned_looks import lay_out_looks, to_be_solved
from trialsim.scenario.resampled import resampled_table
from trialsim.scenario.resolve import merged, resolve_designs
from trialsim.scenario.schema import Scenario
from trialsim.scenario.sentences import is_inherited, problems_from
from trialsim.scenario.spelling import respelt
from trialsim.scenario.validate import Further, problems_throughout

_OF_WHAT_IS_BELOW = ("is required", "exactly one of")
"""Words of problems that may be none in a design whose part is laid over the one that it extends."""


def problems_of_unreadable(
    tree: dict[str, Any],
    folder: Path | None,
    form: Sequence[Problem],
    ancestors: dict[str, tuple[str, ...]],
    further: Further | None = None,
) -> list[Problem]:
    """Return every problem of a scenario that cannot be read, at its path in the file.

    Misspelt keys are read as they were probably meant, and what cannot be read is filled.

    Parameters
    ----------
    tree
        The scenario as it stands in the file, before designs are merged.
    folder
        Where its files lie.
    form
        Problems of its form as it is written; those are told that are misspelt keys or follow from them, and not those
        that are none where the keys are read as they were meant.
    ancestors
        The designs that each one extends are put here.
    further
        Yields more problems, where the world can be read and is right.
    """
    written, meant = tree, respelt(tree)
    tree, problems = dict(meant.tree), list[Problem]()
    ancestors |= resolve_designs(tree, problems)
    take_computed(tree)
    expand_grids(tree, problems)
    table = resampled_table(tree, folder, problems)
    lay_out_looks(tree, {}, problems)
    own = _of_their_own(written, tree)
    problems += _of_their_own(meant.tree, tree)
    problems += problems_throughout(tree, folder, table, to_be_solved(tree), ancestors, further)
    said = {*problems}
    misspelt = {*meant.written.values()}
    misspelt |= {path.rpartition(".")[0] for path in misspelt}
    return [
        *(problem for problem in (*own, *form) if problem.path in misspelt or problem.follows),
        *(meant.as_written(each) for each in problems if not is_inherited(each, said, ancestors)),
    ]


def _of_their_own(written: Mapping[str, Any], tree: Mapping[str, Any]) -> list[Problem]:
    """Return what is wrong with the form of designs that extend none that there is, in what they say themselves.

    Parameters
    ----------
    written
        The scenario before its designs are merged.
    tree
        The scenario with those designs that could be merged.
    """
    merged_ones, every = tree.get("designs"), written.get("designs")
    if not isinstance(merged_ones, dict) or not isinstance(every, dict):
        return []
    known = {name: design for name, design in merged_ones.items() if isinstance(design, dict)}
    alone = {name: each for name, each in every.items() if isinstance(each, dict) and name not in merged_ones}
    if not known or not alone:
        return []
    stand_in = next(iter(known))
    laid = {
        "designs": known
        | {
            name: merged(known[stand_in], {key: value for key, value in each.items() if key != "extends"})
            for name, each in alone.items()
        }
    }
    whole = {**tree, **laid}
    lay_out_looks(whole, {}, [])
    keys: dict[int, tuple[str, ...]] = {}
    try:
        Scenario.model_validate(whole, context=keys)
    except ValidationError as error:
        found = problems_from(error, whole, keys)
    else:
        return []
    said = {problem for problem in found if problem.path.startswith(f"designs.{stand_in}.")}
    own = []
    for problem in found:
        _, _, rest = problem.path.partition(".")
        name, _, place = rest.partition(".")
        key = place.partition(".")[0].partition("[")[0]
        below = Problem(f"designs.{stand_in}.{place}", problem.message)
        if name in alone and key in alone[name] and below not in said and not _may_be_inherited(problem):
            own.append(problem)
    return own


def _may_be_inherited(problem: Problem) -> bool:
    """Return whether a problem says that something is lacking, or one of several; lists are not laid over others."""
    return "[" not in problem.path and any(words in problem.message for words in _OF_WHAT_IS_BELOW)
