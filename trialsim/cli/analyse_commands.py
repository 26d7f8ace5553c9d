"""``trialsim analyse``: a look at the data of a real trial."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trialsim.errors import UsageError

if TYPE_CHECKING:
    from trialsim.interim.data_file import TrialData
    from trialsim.interim.design import InterimDesign
    from trialsim.interim.result import InterimAnalysis


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command("analyse")(analyse_command)


def analyse_command(
    data: Annotated[Path, typer.Argument(help="Data, a line a patient (CSV).", metavar="DATA")],
    design: Annotated[
        Path,
        typer.Option(
            help="How the trial is analysed, its bounds and the looks so far (YAML): see docs/inference.md."
        ),
    ],
    json: Annotated[bool, typer.Option("--json", help="Print JSON on stdout and nothing else.")] = False,
    picture: Annotated[
        Path | None, typer.Option(help="Draw the statistic between its bounds to a .png or .svg file.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that exists.")] = False,
) -> None:
    """Analyse the data of a real trial at a look: test, bounds for the information seen, inference, what may come."""
    from trialsim.cli.picture_file import check_picture_file, write_picture_file
    from trialsim.interim.document import document
    from trialsim.interim.look import analyse_look
    from trialsim.oc.run_writer import json_text

    if picture is not None:
        check_picture_file(picture, force)
    found = analyse_look(*_read(data, design))
    if picture is not None:
        from trialsim.report.interim_picture import draw_interim

        write_picture_file(picture, draw_interim(found, picture.suffix.lower().lstrip(".")), force)
    if json:
        typer.echo(json_text(document(found)), nl=False)
    else:
        _print(found)
    if picture is not None:
        typer.echo(f"Picture: {picture}", err=json)


def _read(data: Path, design: Path) -> tuple[InterimDesign, TrialData]:
    """Return both files' contents; the data are read by the names that the design gives their columns."""
    from trialsim.interim.data_file import load_trial_data
    from trialsim.interim.design_file import load_interim_design

    if data.is_dir():
        raise UsageError(f"{data} is a folder; name a CSV file.")
    read = load_interim_design(design)
    return read, load_trial_data(data, read)


def _print(found: InterimAnalysis) -> None:
    from rich.console import Console

    from trialsim.report.interim_tables import interim_sentences, interim_tables
    from trialsim.report.tables import rich_table

    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(width=max(console.width, 140), highlight=False)
    for table in interim_tables(found):
        console.print(rich_table(table))
    for line in interim_sentences(found):
        console.print(line, markup=False, soft_wrap=True)
