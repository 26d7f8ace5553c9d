"""``trialsim explain``: any single trial as a story, an event log, a picture and an analysis data set."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trialsim.errors import UsageError

if TYPE_CHECKING:
    from trialsim.report.story import Story
    from trialsim.report.story_part import Part


_CONTENTS = {"--csv": "Event log", "--picture": "Picture", "--patients": "Patients"}


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command("explain")(explain_command)


def explain_command(
    scenario: Annotated[Path, typer.Argument(help="Scenario file (YAML).", metavar="SCENARIO")],
    design: Annotated[str | None, typer.Option(help="Design; default the first.")] = None,
    truth: Annotated[str | None, typer.Option(help="Truth; default the first.")] = None,
    replicate: Annotated[int, typer.Option(help="Number of the trial, from 0.")] = 0,
    seed: Annotated[int, typer.Option(help="Seed of the run that the trial belongs to.")] = 1,
    against: Annotated[
        str | None, typer.Option(help="Another design: the same patients under it, and where the two part.")
    ] = None,
    candidate: Annotated[
        str | None,
        typer.Option(help="One candidate's way: SITE:NUMBER, or the number of a patient.", metavar="WHO"),
    ] = None,
    site: Annotated[str | None, typer.Option(help="One site's log.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Print every entry of a long event log.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON on stdout and nothing else.")] = False,
    csv: Annotated[Path | None, typer.Option(help="Write the event log to a CSV file.")] = None,
    picture: Annotated[Path | None, typer.Option(help="Draw the trial to a .png or .svg file.")] = None,
    patients: Annotated[
        Path | None,
        typer.Option(help="Write the analysis data set at the deciding cut, a row a patient (CSV)."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace files that exist.")] = False,
) -> None:
    """Replay one trial and tell it: who came, what each look saw, what was decided."""
    from trialsim.oc.run_writer import json_text
    from trialsim.report.story import check_part, check_picture_path, explain
    from trialsim.scenario.lines import told_of
    from trialsim.scenario.load import load_scenario

    targets = {"--csv": csv, "--picture": picture, "--patients": patients}
    if picture is not None:
        check_picture_path(picture)
    _check_targets(targets, force)
    _check_one_part(candidate, site, against)
    loaded = load_scenario(scenario)
    with told_of(scenario):
        if candidate is not None or site is not None:
            check_part(loaded, design, truth, seed, candidate, site)
        story = explain(loaded, design, truth, replicate, seed, against)
    part = None
    if candidate is not None:
        part = story.candidate(candidate)
    elif site is not None:
        part = story.site(site)
    events = story.events if part is None else story.events_of(part)
    contents = {
        "--csv": lambda: events.to_csv(index=False, lineterminator="\n").encode(),
        "--picture": lambda: story.picture_bytes("" if picture is None else picture.suffix.lower()),
        "--patients": lambda: story.patients.to_csv(index=False, lineterminator="\n").encode(),
    }
    written = []
    for option, path in targets.items():
        if path is not None:
            _write(option, path, contents[option](), force)
            written.append(f"{_CONTENTS[option]}: {path}")
    if json:
        typer.echo(json_text(story.document(part)), nl=False)
    else:
        _print(story, part, everything)
    for line in written:
        typer.echo(line, err=json)


def _check_one_part(candidate: str | None, site: str | None, against: str | None) -> None:
    """Refuse options that ask for several parts of a story at once."""
    if candidate is not None and site is not None:
        raise UsageError("--candidate and --site each tell a part of the story; give one of them.")
    if against is not None and (candidate is not None or site is not None):
        option = "--candidate" if candidate is not None else "--site"
        raise UsageError(
            f"{option} tells a part of one design's story; leave out --against, or choose with --design."
        )


def _check_targets(targets: dict[str, Path | None], force: bool) -> None:
    """Refuse files that cannot be written, before any work is done."""
    seen: dict[Path, str] = {}
    for option, path in targets.items():
        if path is None:
            continue
        place = path.resolve()
        if place in seen:
            raise UsageError(f"{option}: {path} is named by {seen[place]} too; name another file.")
        seen[place] = option
        if path.is_dir():
            raise UsageError(f"{option}: {path} is a folder; name a file.")
        if not path.parent.is_dir():
            raise UsageError(f"{option}: there is no folder {path.parent}; make it, or name another place.")
        if path.exists() and not force:
            raise _exists(option, path)


def _exists(option: str, path: Path) -> UsageError:
    return UsageError(f"{option}: {path} exists already; name another file, or replace it with --force.")


def _write(option: str, path: Path, content: bytes, force: bool) -> None:
    from trialsim.report.whole_file import write_whole

    try:
        write_whole(path, content, force)
    except FileExistsError:
        raise _exists(option, path) from None


def _print(story: Story, part: Part | None, everything: bool) -> None:
    from rich.console import Console

    from trialsim.report.story_tables import event_tables, part_table, summary_table
    from trialsim.report.tables import rich_table

    console = Console()
    if not console.is_terminal:
        console = Console(width=max(console.width, 140), highlight=False)
    for line in (story if part is None else part).text().splitlines():
        console.print(line, soft_wrap=not console.is_terminal, highlight=False, markup=False)
    if part is not None:
        console.print(part_table(story, part, everything))
        return
    summary = summary_table(story)
    if summary is not None:
        console.print(rich_table(summary))
    for table in event_tables(story, everything):
        console.print(table)
