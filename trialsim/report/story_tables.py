"""A story's tables for a terminal: the event log, shortened where long, and two designs side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from trialsim.contracts import Kind, LogRow
from trialsim.report.numbers import DAYS_PER_MONTH, plain
from trialsim.report.story import Story
from trialsim.report.story_candidates import OF_CANDIDATES, OF_SITES
from trialsim.report.story_lives import KINDS
from trialsim.report.story_part import Part
from trialsim.report.story_parting import shown
from trialsim.report.story_replay import Replay
from trialsim.report.story_words import happening, named
from trialsim.report.tables import TextTable
from trialsim.timegrid import to_days

if TYPE_CHECKING:
    from rich.table import Table

ENDS_SHOWN = 12
_OF_PATIENTS = (
    Kind.EVENT, Kind.READOUT, Kind.DROPOUT, Kind.RANDOMISATION, *OF_CANDIDATES, *OF_SITES, *KINDS,
)  # fmt: skip
_SHORT = 4 * ENDS_SHOWN


def event_tables(story: Story, everything: bool) -> list[Table]:
    """Return the event log, and that of the other design if there is one.

    Parameters
    ----------
    story
        The story.
    everything
        Whether a long log is shown in full; otherwise its first and last entries and all that is no patient's
        own, candidate's or site's: looks, decisions, reviews, arms closed, the end.
    """
    stories = [story] if story.against is None else [story, story.against]
    return [_event_table(each.replay, everything) for each in stories]


def part_table(story: Story, part: Part, everything: bool) -> Table:
    """Return the event log of a part of a story.

    Parameters
    ----------
    story, part
        The story and the part.
    everything
        Whether a long log is shown in full.
    """
    return _event_table(story.replay, everything, part.log, f" for {part.title}")


def _event_table(
    replay: Replay, everything: bool, entries: Sequence[LogRow] | None = None, whose: str = ""
) -> Table:
    """Return one event log; names are shown as they are, never as markup."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    log = replay.log if entries is None else entries
    title = Text(
        f"event log of {replay.plan.design}{whose}, {len(log):,} {'entry' if len(log) == 1 else 'entries'}"
    )
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    for heading, side in (("day", "right"), ("month", "right"), ("event", "left"), ("what happened", "left")):
        table.add_column(heading, justify="right" if side == "right" else "left")
    skipped = 0
    for place, row in enumerate(log):
        if everything or len(log) <= _SHORT or _kept(log, place):
            if skipped:
                noun = "entry" if skipped == 1 else "entries"
                table.add_row("…", "", "", Text(f"{skipped:,} more {noun} (--all shows them)"))
            skipped = 0
            days, entry = to_days(row.tick), named(replay, row)
            times = (plain(days, 2), plain(days / DAYS_PER_MONTH, 2))
            table.add_row(*times, Text(entry["kind"].replace("_", " ")), Text(happening(entry)))
        else:
            skipped += 1
    return table


def _kept(log: Sequence[LogRow], place: int) -> bool:
    """Return whether an entry of a long log is shown."""
    return place < ENDS_SHOWN or place >= len(log) - ENDS_SHOWN or log[place].kind not in _OF_PATIENTS


def summary_table(story: Story) -> TextTable | None:
    """Return the two designs side by side, or None without another."""
    if story.against is None or story.parting is None:
        return None
    rows = []
    for row in story.parting.summary:
        name, _, test = row.measure.partition(":")
        heading = name.replace("_", " ") + (f" ({test})" if test else "")
        rows.append(((heading,), (shown(row, row.first),), (shown(row, row.second),)))
    return TextTable("side by side, times in days", ("", story.design, story.against.design), tuple(rows))
