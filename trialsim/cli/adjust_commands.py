"""``trialsim adjust``: p values of several hypotheses, at one familywise level."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from trialsim.interim.adjust import Adjusted


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command("adjust")(adjust_command)


def adjust_command(
    p: Annotated[str, typer.Argument(help="One-sided p values, such as 0.004,0.02,0.03.", metavar="P,...")],
    method: Annotated[
        str,
        typer.Option(
            help="bonferroni, holm, hochberg, hommel, fixed_sequence (in the order given), graph, or dunnett (arms against "
            "one control)."
        ),
    ] = "holm",
    alpha: Annotated[float, typer.Option(help="Familywise level, one-sided.")] = 0.025,
    names: Annotated[
        str | None, typer.Option(help="Names of the hypotheses; by default H1,H2,....", metavar="NAME,...")
    ] = None,
    weights: Annotated[
        str | None, typer.Option(help="graph: shares of the level, such as 0.5,0.5,0.", metavar="SHARE,...")
    ] = None,
    transitions: Annotated[
        str | None,
        typer.Option(
            help="graph: what a rejected hypothesis passes on to each, a row for each, such as '0,1,0;0.5,0,0.5;0,0,0'.",
            metavar="ROW;...",
        ),
    ] = None,
    patients: Annotated[
        str | None,
        typer.Option(
            help="dunnett: patients of control and of each arm; by default as many in each.",
            metavar="NUMBER,...",
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON on stdout and nothing else.")] = False,
) -> None:
    """Adjust p values of several hypotheses, so that the familywise error holds."""
    from trialsim.cli.numbers_written import numbers_written
    from trialsim.interim.adjust import adjust
    from trialsim.oc.run_writer import json_text

    found = adjust(
        numbers_written("P", p),
        method,
        alpha,
        None if names is None else [name.strip() for name in names.split(",")],
        None if weights is None else numbers_written("--weights", weights),
        None
        if transitions is None
        else [numbers_written("--transitions", row) for row in transitions.split(";")],
        None if patients is None else numbers_written("--patients", patients),
    )
    if json:
        typer.echo(json_text(found.document()), nl=False)
    else:
        _print(found)


def _print(found: Adjusted) -> None:
    from rich.console import Console

    from trialsim.interim.adjust import SOURCES
    from trialsim.report.tables import TextTable, rich_table

    columns = [found.names, [f"{p:.6g}" for p in found.p], [f"{p:.6g}" for p in found.adjusted_p]]
    columns.append(["rejected" if each else "–" for each in found.rejected])
    headings = ["hypothesis", "p", "adjusted p", f"at {found.alpha:g}"]
    if found.weights is not None:
        columns.append([f"{share:.6g}" for share in found.weights])
        headings.append("share of the level left")
    rows = tuple(tuple((cell,) for cell in cells) for cells in zip(*columns, strict=True))
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(width=max(console.width, 140), highlight=False)
    console.print(rich_table(TextTable(f"Adjusted by {found.method}", tuple(headings), rows)))
    console.print(f"{SOURCES[found.method]}.", soft_wrap=True, markup=False)
