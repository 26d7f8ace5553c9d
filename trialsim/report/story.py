"""Any single trial as a story: sentences, event log, analysis data set and picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from trialsim.contracts import LogRow
from trialsim.engines.plan import build_plan
from trialsim.engines.runner import MOST_REPLICATES
from trialsim.errors import UsageError, require_whole
from trialsim.report.story_part import Part, candidate_part, require_part, site_part
from trialsim.report.story_parting import Parting, Split, parting
from trialsim.report.story_patients import analysis_data_set
from trialsim.report.story_replay import Replay, replay
from trialsim.report.story_sentences import story_sentences
from trialsim.report.story_words import event_columns, happening, named
from trialsim.report.whole_file import write_whole
from trialsim.scenario.load import patient_table
from trialsim.scenario.schema import Scenario

LARGEST_SEED = (1 << 63) - 1
_WHOLE = ("patient", "look", "review")
_WHOLE_WITH_SITES = ("candidate", "attempt")
PICTURE_KINDS = (".png", ".svg")


@dataclass(frozen=True, eq=False)
class Story:
    """One replicate of one design under one truth, told.

    Parameters
    ----------
    replay
        The trial as it went.
    sentences
        Its story.
    against
        The same patients under another design, if asked for.
    parting
        Where the two part, if asked for.
    """

    replay: Replay
    sentences: tuple[str, ...]
    against: Story | None = None
    parting: Parting | None = None

    @property
    def design(self) -> str:
        """Name of the design."""
        return self.replay.plan.design

    @cached_property
    def events(self) -> pd.DataFrame:
        """The event log, a row an entry, times in days; patients, looks and reviews are numbered from 1.

        The column ``what`` says the entry in words. With another design beside it, the other's log follows;
        the column ``design`` tells them apart.
        """
        frame = self._frame(self.replay.log)
        if self.against is None:
            return frame
        return pd.concat([frame, self.against.events], ignore_index=True)

    def candidate(self, who: str) -> Part:
        """Return the way of one candidate, ``SITE:NUMBER``, or of one patient, a number; both are counted from 1.

        Raises
        ------
        UsageError
            If there is nobody of that name or number.
        """
        return candidate_part(self.replay, who)

    def site(self, name: str) -> Part:
        """Return what happened at one site.

        Raises
        ------
        UsageError
            If there is no site of that name.
        """
        return site_part(self.replay, name)

    def events_of(self, part: Part) -> pd.DataFrame:
        """Return the entries of the event log that a part of the story is about, as :attr:`events` has them."""
        return self._frame(part.log)

    def _frame(self, log: Sequence[LogRow]) -> pd.DataFrame:
        """Return entries of the event log of this design as a table."""
        own = [
            {"design": self.design, **entry, "what": happening(entry)}
            for entry in (named(self.replay, row) for row in log)
        ]
        frame = pd.DataFrame(own, columns=["design", *event_columns(self.replay), "what"])
        for column in (*_WHOLE, *(_WHOLE_WITH_SITES if self.replay.with_sites else ())):
            frame[column] = frame[column].astype("Int64")
        frame["value"] = frame["value"].astype("Float64")
        return frame

    @cached_property
    def patients(self) -> pd.DataFrame:
        """The analysis data set at the deciding cut, a row a patient; of this design alone."""
        return analysis_data_set(self.replay)

    def text(self) -> str:
        """Return the story line by line; after it that of the other design, and where the two part."""
        parts = list(self.sentences)
        if self.against is not None and self.parting is not None:
            parts += ["", f"The same patients under {self.against.design}:", "", *self.against.sentences]
            parts += ["", "Where the two part:", "", *self.parting.sentences]
        return "\n".join(parts)

    def picture(self, path: str | Path, overwrite: bool = False) -> None:
        """Draw the trial: patients as swimmers, looks as lines, enrolment against plan.

        Parameters
        ----------
        path
            A file that ends in ``.png`` or ``.svg``.
        overwrite
            Whether an existing file may be replaced.

        Raises
        ------
        UsageError
            If the ending is another, or the file exists and may not be replaced.
        """
        path = Path(path)
        check_picture_path(path)
        if path.exists() and not overwrite:
            raise UsageError(f"{path}: exists already and is not overwritten; name another file.")
        write_whole(path, self.picture_bytes(path.suffix.lower()), overwrite)

    def picture_bytes(self, kind: str) -> bytes:
        """Return the picture as the bytes of a ``.png`` or ``.svg`` file."""
        from trialsim.report.story_picture import draw

        return draw(
            self.replay, None if self.against is None else self.against.replay, kind.removeprefix(".")
        )

    def document(self, part: Part | None = None) -> dict[str, Any]:
        """Return the story as plain data for JSON: see ``schemas/explain.json``.

        Parameters
        ----------
        part
            Story and events are then of this part alone, and ``about`` says whom they are about.
        """
        plan = self.replay.plan
        document: dict[str, Any] = {
            "scenario": plan.scenario,
            "digest": self.replay.scenario.digest(),
            "seed": plan.seed,
            "design": plan.design,
            "truth": plan.truth,
            "replicate": self.replay.replicate,
            "story": list((self if part is None else part).sentences),
            "events": [named(self.replay, row) for row in (self.replay if part is None else part).log],
            "against": None,
        }
        if part is not None:
            document["about"] = part.about
        if self.against is not None and self.parting is not None:
            document["against"] = {
                "design": self.against.design,
                "story": list(self.against.sentences),
                "events": [named(self.against.replay, row) for row in self.against.replay.log],
                "parting": {
                    "story": list(self.parting.sentences),
                    "log": _split(self.parting.log),
                    "patients": _split(self.parting.patients),
                },
                "summary": [asdict(row) for row in self.parting.summary],
            }
        return document


def explain(
    scenario: Scenario,
    design: str | None = None,
    truth: str | None = None,
    replicate: int = 0,
    seed: int = 1,
    against: str | None = None,
) -> Story:
    """Replay one trial in the reference engine and tell it.

    Parameters
    ----------
    scenario
        A loaded scenario.
    design, truth
        Names in it; the first of each where none is given.
    replicate
        Number of the trial, from 0.
    seed
        Seed of the run whose trial it is.
    against
        Another design, to see the same patients under.

    Raises
    ------
    UsageError
        If a name or a number cannot be used.
    """
    require_whole("replicate", replicate, 0, MOST_REPLICATES - 1)
    require_whole("seed", seed, 0, LARGEST_SEED)
    chosen = scenario.select_designs([design])[0] if design is not None else next(iter(scenario.designs))
    world = _one_truth(scenario, truth)
    if against is None:
        return _told(scenario, chosen, world, replicate, seed)
    other = scenario.select_designs([against])[0]
    if other == chosen:
        raise UsageError(
            f"against: {other} is the design itself; name another of {', '.join(scenario.designs)}."
        )
    first = _told(scenario, chosen, world, replicate, seed)
    second = _told(scenario, other, world, replicate, seed)
    return Story(first.replay, first.sentences, second, parting(first.replay, second.replay))


def check_part(
    scenario: Scenario,
    design: str | None,
    truth: str | None,
    seed: int,
    candidate: str | None,
    site: str | None,
) -> None:
    """Refuse a candidate or a site that no trial of a design under a truth can have, before one is replayed.

    Raises
    ------
    UsageError
        If a name or a number cannot be used.
    """
    require_whole("seed", seed, 0, LARGEST_SEED)
    chosen = scenario.select_designs([design])[0] if design is not None else next(iter(scenario.designs))
    plan = build_plan(scenario, chosen, _one_truth(scenario, truth), seed, 1, patient_table(scenario))
    require_part(plan, candidate, site)


def check_picture_path(path: Path) -> None:
    """Refuse a picture of a kind that is not drawn.

    Raises
    ------
    UsageError
        If the file's ending is neither ``.png`` nor ``.svg``.
    """
    if path.suffix.lower() not in PICTURE_KINDS:
        raise UsageError(f"{path}: a picture is a file that ends in {' or '.join(PICTURE_KINDS)}.")


def _told(scenario: Scenario, design: str, truth: str, replicate: int, seed: int) -> Story:
    """Return the story of one replicate under one design."""
    found = replay(scenario, design, truth, replicate, seed)
    return Story(found, story_sentences(found))


def _one_truth(scenario: Scenario, truth: str | None) -> str:
    """Return the one truth meant; the name of a grid stands for several and is refused."""
    if truth is None:
        return next(iter(scenario.truths))
    found = scenario.select_truths([truth])
    if len(found) > 1:
        shown = ", ".join(found[:5]) + (", ..." if len(found) > 5 else "")
        raise UsageError(f"truth: {truth} stands for {len(found)} truths; name one of them: {shown}.")
    return found[0]


def _split(split: Split | None) -> dict[str, Any] | None:
    """Return where two logs part as plain data."""
    if split is None:
        return None
    return {"tick": split.tick, "equal_entries": split.equal, "first": split.first, "second": split.second}
