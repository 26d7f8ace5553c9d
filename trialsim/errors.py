"""What a person is told when input cannot be used: where, what, what is allowed, what to do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with an input.

    Parameters
    ----------
    path
        Where it stands, as a dotted path in the file (``designs.fixed.looks[0].when``); empty for the whole.
    message
        A sentence: what is wrong, what is allowed, what to do.
    """

    path: str
    message: str

    def __str__(self) -> str:
        """Return ``path: message``, or the message alone where there is no path."""
        return f"{self.path}: {self.message}" if self.path else self.message


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
