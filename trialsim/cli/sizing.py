"""``trialsim samplesize`` and ``trialsim power``: what their commands share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trialsim.errors import Problem, ScenarioError, UsageError

if TYPE_CHECKING:
    from trialsim.stats.sample_size.answer import Answer

Alpha = Annotated[float, typer.Option(help="Type I error, of one side unless --sides 2.")]
Sides = Annotated[int, typer.Option(help="1 or 2; with 2, half of alpha on the side of the effect counts.")]
Power = Annotated[float, typer.Option(help="Power asked for.")]
Ratio = Annotated[float, typer.Option(help="Treatment patients for each control patient.")]
Unrounded = Annotated[
    bool,
    typer.Option(
        "--unrounded", help="Show power, looks and effects of the exact solution, not of whole patients."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout and nothing else.")]
Picture = Annotated[Path | None, typer.Option(help="Draw the curve to a .png or .svg file.")]
Force = Annotated[bool, typer.Option("--force", help="Replace a picture that exists.")]


def one_sided(alpha: float, sides: int) -> float:
    """Return the error of the side that counts.

    Raises
    ------
    UsageError
        When there are neither one nor two sides.
    """
    if sides not in (1, 2):
        raise UsageError(f"--sides: {sides} is out of range; it must be 1 or 2.")
    return alpha / sides


@contextmanager
def options_named(command: str) -> Iterator[None]:
    """Let problems name the options they are about."""
    try:
        yield
    except ScenarioError as error:
        named = [Problem(_option(problem.path), problem.message) for problem in error.problems]
        raise ScenarioError(named, f"trialsim {command}") from None


def _option(path: str) -> str:
    ends = [place for place in (path.find("."), path.find("[")) if place >= 0]
    end = min(ends, default=len(path))
    return f"--{path[:end].replace('_', '-')}{path[end:]}" if path else path


def tell(command: str, question: Callable[[], Answer], json: bool, picture: Path | None, force: bool) -> None:
    """Answer a question: print it as a table or as JSON, and draw it where a picture is asked for."""
    from trialsim.cli.picture_file import check_picture_file, write_picture_file

    if picture is not None:
        check_picture_file(picture, force)
    with options_named(command):
        answer = question()
    if picture is not None:
        from trialsim.report.sizing import draw_answer

        write_picture_file(picture, draw_answer(answer, picture.suffix.lower().lstrip(".")), force)
    if json:
        from trialsim.oc.run_writer import json_text

        typer.echo(json_text(answer.document()), nl=False)
        for sentence in answer.warnings:
            typer.echo(f"Warning: {sentence}", err=True)
    else:
        _print(answer)
    if picture is not None:
        typer.echo(f"Picture: {picture}", err=json)


def _print(answer: Answer) -> None:
    from rich.console import Console

    from trialsim.report.sizing import answer_sentences, answer_tables
    from trialsim.report.tables import rich_table

    console = Console()
    if not console.is_terminal:
        console = Console(width=max(console.width, 140), highlight=False)
    for table in answer_tables(answer):
        console.print(rich_table(table))
    for sentence in answer_sentences(answer):
        console.print(sentence, soft_wrap=True, highlight=False, markup=False)
