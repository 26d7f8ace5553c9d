"""On which line of a file a problem stands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from trialsim.errors import Problem, ScenarioError
from trialsim.scenario.reading import lines_of, read_text


def with_lines(problems: Sequence[Problem], path: Path) -> list[Problem]:
    """Return problems with the lines on which they stand in a file.

    A key that is wanting stands where its mapping begins. What a design inherits stands in that design; what
    comes from a file that this one extends has no line here.

    Parameters
    ----------
    problems
        Found in the file at ``path``.
    path
        A scenario file.
    """
    try:
        lines = lines_of(read_text(path))
    except ScenarioError:  # the text cannot be read at all, and its problems name their lines
        return list(problems)
    return [
        replace(problem, line=_line(problem.path, lines, exactly="extends" in lines)) for problem in problems
    ]


@contextmanager
def told_of(path: Path) -> Iterator[None]:
    """Name the file and the lines of problems that show only when a scenario, loaded from it already, is used.

    Parameters
    ----------
    path
        A scenario file.

    Raises
    ------
    ScenarioError
        What is raised within, with file and lines.
    """
    try:
        yield
    except ScenarioError as error:
        if error.source:
            raise
        raise ScenarioError(with_lines(error.problems, path), str(path)) from None


def _line(path: str, lines: Mapping[str, int], exactly: bool) -> int | None:
    """Return the line of a path, or of the nearest that it lies in."""
    while path not in lines and path and not exactly:
        path = path[: max(path.rfind("."), path.rfind("["), 0)]
    return lines.get(path)
