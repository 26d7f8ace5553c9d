"""What a person is told when input cannot be used: where, what, what is allowed, what to do."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from numbers import Integral


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with an input.

    Parameters
    ----------
    path
        Where it stands, as a dotted path in the file (``designs.fixed.looks[0].when``); empty for the whole.
    message
        A sentence: what is wrong, what is allowed, what to do.
    line
        Line of the file, from 1; None where it is not known.
    follows
        Path of the problem that this one follows from, and after which it is told; empty where there is none.
    """

    path: str
    message: str
    line: int | None = None
    follows: str = field(default="", compare=False)

    def __str__(self) -> str:
        """Return ``line 7, path: message``, without what there is not."""
        line = "" if self.line is None else f"line {self.line}"
        where = ", ".join(part for part in (line, self.path) if part)
        return f"{where}: {self.message}" if where else self.message


class ScenarioError(Exception):
    """A scenario that cannot be used, with every problem found in it.

    Parameters
    ----------
    problems
        At least one :class:`Problem`.
    source
        The file or other origin, for the message.
    """

    def __init__(self, problems: Iterable[Problem], source: str = "") -> None:
        self.problems: list[Problem] = list(problems)
        self.source = source
        super().__init__("\n".join(str(problem) for problem in self.problems))


class UsageError(Exception):
    """A request that cannot be met, as one sentence."""


_NUMBER_IN_TEXT = re.compile(r"\[errno (\d+)\]", re.IGNORECASE)


def error_number(error: OSError) -> int | None:
    """Return the system's number of an error; Arrow writes it into its text only."""
    if error.errno is not None:
        return error.errno
    found = _NUMBER_IN_TEXT.search(str(error))
    return None if found is None else int(found[1])


def system_reason(error: OSError) -> str:
    """Return in the system's words, beginning in lower case, why it refuses something."""
    number = error_number(error)
    words = error.strerror or (os.strerror(number) if number is not None else str(error))
    words = words or type(error).__name__
    return words[:1].lower() + words[1:]


def require_whole(name: str, value: object, least: int, most: int) -> None:
    """Refuse what is no whole number within limits.

    Parameters
    ----------
    name, value
        What it is called, and what was given.
    least, most
        The limits.

    Raises
    ------
    UsageError
        With what is allowed.
    """
    whole = isinstance(value, Integral) and not isinstance(value, bool)
    if not whole or not least <= value <= most:  # type: ignore[operator]
        shown = repr(value) if isinstance(value, int | float | str | None) else f"a {type(value).__name__}"
        power = most + 1
        upto = f"2**{power.bit_length() - 1} - 1" if power >= 1 << 40 and power & most == 0 else f"{most:,}"
        raise UsageError(f"{name} is {shown[:80]}; it must be a whole number from {least} to {upto}.")


def names_given(name: str, given: object) -> list[str] | None:
    """Return names as a list: a text is one name, None stands for all.

    Raises
    ------
    UsageError
        Where it is something else, or an empty list.
    """
    if given is None:
        return None
    if isinstance(given, str):
        return [given]
    names = list(given) if isinstance(given, Iterable) and not isinstance(given, bytes) else None
    if not names or not all(isinstance(each, str) for each in names):
        found = "an empty list" if names == [] else f"of type {type(given).__name__}"
        raise UsageError(f"{name} is {found}; it must be a name or a list of names, or None for all.")
    return names
