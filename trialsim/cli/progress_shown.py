"""How far a simulation is, on stderr: a bar on a terminal, elsewhere a line at the start and one every half minute."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from trialsim.compiled import cache_folder

Show = Callable[[int, int], None]

SECONDS_BETWEEN_LINES = 30.0
_SECONDS_BETWEEN_VIEWS = 0.1


@contextmanager
def progress_of(what: str, total: int | None) -> Iterator[Show]:
    """Offer a function that is told how many are done, and of how many.

    Parameters
    ----------
    what
        What is counted, such as ``trials``.
    total
        How many there will be; None where that is not known yet.
    """
    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal:
        yield _lines(what, total)
        return
    if not any(cache_folder().rglob("*.nbi")):
        _say("First run on this machine: the engines are compiled now, which takes a minute or more.")
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    # No thread of its own for the bar: the engine may fork its workers while the bar is shown.
    with Progress(*columns, console=console, transient=True, auto_refresh=False) as bar:
        task = bar.add_task(what, total=total)
        shown_at = -math.inf

        def show(done: int, of: int) -> None:
            nonlocal shown_at
            bar.update(task, completed=done, total=of)
            if (now := time.monotonic()) - shown_at >= _SECONDS_BETWEEN_VIEWS or done == of:
                shown_at = now
                bar.refresh()

        yield show


def _lines(what: str, total: int | None) -> Show:
    """Say that the simulation begins, and return what says every half minute how far it is."""
    number = "" if total is None else f"{total:,} "
    _say(f"Simulating {number}{what}; what is not compiled yet is compiled first, which may take minutes.")
    started = said_at = time.monotonic()

    def show(done: int, of: int) -> None:
        nonlocal said_at
        now = time.monotonic()
        if now - said_at >= SECONDS_BETWEEN_LINES and done < of:
            said_at = now
            _say(f"{done:,} of {of:,} {what} after {_duration(now - started)}.")

    return show


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
