"""Everything that is wrong with the options of a command, told at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ParamSpec, TypeVar

from trialsim.errors import ScenarioError, UsageError, require_whole

P = ParamSpec("P")
T = TypeVar("T")


class Faults:
    """Collects what is wrong with options one after the other, to be told together."""

    def __init__(self) -> None:
        self._refused: list[UsageError | ScenarioError] = []

    def of(self, read: Callable[P, T], *arguments: P.args, **options: P.kwargs) -> T | None:
        """Return what an option means; None where it is refused, which :meth:`tell` will say.

        Parameters
        ----------
        read
            Reads or checks an option, and raises UsageError or ScenarioError where it cannot be used.
        arguments, options
            What it is called with.
        """
        try:
            return read(*arguments, **options)
        except (UsageError, ScenarioError) as error:
            self._refused.append(error)
            return None

    def note(self, sentence: str) -> None:
        """Note what is wrong in a sentence of its own."""
        self._refused.append(UsageError(sentence))

    def whole(self, name: str, value: int, least: int, most: int) -> None:
        """Note a number that is not within its limits."""
        self.of(require_whole, name, value, least, most)

    def numbers(self, limits: Mapping[str, tuple[int, int, int]]) -> None:
        """Note the numbers that are not within their limits.

        Parameters
        ----------
        limits
            What each option was given, the least and the most that it takes.
        """
        for name, (value, least, most) in limits.items():
            self.whole(name, value, least, most)

    def tell(self) -> None:
        """Say all that was refused.

        Raises
        ------
        UsageError, ScenarioError
            Where something was: the one error, or a sentence of each.
        """
        if len(self._refused) == 1:
            raise self._refused[0]
        if self._refused:
            raise UsageError(
                "\n".join(
                    scenario_sentences(error) if isinstance(error, ScenarioError) else str(error)
                    for error in self._refused
                )
            )


def scenario_sentences(error: ScenarioError) -> str:
    """Return the problems of a scenario, a line each, under its name and their number."""
    count = len(error.problems)
    heading = f"{error.source or 'The scenario'}: {count} problem{'' if count == 1 else 's'}"
    return "\n".join([heading, *(f"  {problem}" for problem in error.problems)])
