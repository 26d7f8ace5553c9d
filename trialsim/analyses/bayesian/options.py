"""Options of Bayesian analyses: those given, over the values left out, checked all at once."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

from trialsim.errors import Problem, ScenarioError

_ABOVE_ZERO = ("shape", "rate", "sd", "scale", "alpha", "a", "b", "n")
"""Last words of the names of options that have to be above 0."""


def options_of(
    analysis: str, meaning: Mapping[str, str], defaults: Mapping[str, Any], given: Mapping[str, Any]
) -> dict[str, Any]:
    """Return every option of an analysis by name.

    Parameters
    ----------
    analysis
        Name of the analysis whose options they are.
    meaning
        What each option is.
    defaults
        Values of those left out; None has to be given.
    given
        Those given.

    Raises
    ------
    ScenarioError
        With a sentence for each option that is unknown, missing or out of range.
    """
    problems = []
    for name, value in given.items():
        if name not in defaults:
            close = difflib.get_close_matches(name, defaults, n=1)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            allowed = ", ".join(defaults)
            problems.append(Problem(name, f"{analysis} has no such option{hint} Allowed: {allowed}"))
        elif (wrong := _wrong(name, value)) is not None:
            problems.append(Problem(name, wrong))
    found = {**defaults, **given}
    problems += [
        Problem(name, f"{analysis} needs it: {meaning[name]}")
        for name, value in found.items()
        if value is None
    ]
    if problems:
        raise ScenarioError(problems, f"The options of {analysis}")
    return found


def _wrong(name: str, value: Any) -> str | None:
    """Return what is wrong with a value, or None."""
    values = list(value) if isinstance(value, Sequence) and not isinstance(value, str) else [value]
    if not values or not all(
        isinstance(each, (int, float)) and not isinstance(each, bool) for each in values
    ):
        return f"a number, or a list of numbers, is expected, found {value!r}"
    if not all(-1e100 < each < 1e100 for each in values):
        return f"{value!r} is not finite"
    if name.rsplit("_", 1)[-1] in _ABOVE_ZERO and not all(each > 0 for each in values):
        return f"{value!r} is not above 0"
    return None
