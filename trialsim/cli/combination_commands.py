"""``trialsim combination``: stages that may be changed in between, tested together by a rule fixed in advance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from trialsim.interim.combine import Combined

_SENTENCES = {
    "reject": "The trial rejects.",
    "give_up": "The trial is given up.",
    "not_rejected": "The trial ends without rejecting.",
    "go_on": "The trial goes on.",
}


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command("combination")(combination_command)


def combination_command(
    combination: Annotated[
        str, typer.Option(help="inverse_normal, or fisher (the product of the p values).")
    ] = "inverse_normal",
    alpha: Annotated[float, typer.Option(help="One-sided level.")] = 0.025,
    p: Annotated[
        str | None,
        typer.Option(
            "--p", help="One-sided p values of the stages seen, each from its own data.", metavar="P,..."
        ),
    ] = None,
    information: Annotated[
        str | None,
        typer.Option(
            help="inverse_normal: planned information rates, from which weights and bounds follow.",
            metavar="RATE,...",
        ),
    ] = None,
    efficacy: Annotated[
        str | None,
        typer.Option(
            help="inverse_normal: family of the bounds, as of trialsim boundaries; lan_demets_obrien_fleming by default."
        ),
    ] = None,
    efficacy_parameter: Annotated[
        str | None, typer.Option(help="inverse_normal: the family's number.")
    ] = None,
    stages: Annotated[int | None, typer.Option(help="fisher: how many stages, 1 to 12.")] = None,
    futility_p: Annotated[
        str | None,
        typer.Option(
            help="fisher: p value of a stage above which the trial is given up, one for all but the last or one for each.",
            metavar="P,...",
        ),
    ] = None,
    method: Annotated[
        str | None,
        typer.Option(
            help="fisher: how critical values share the level: equal_levels (by default), full_last_level (Bauer and "
            "Köhne's), no_interaction."
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON on stdout and nothing else.")] = False,
) -> None:
    """Combine the p values of stages that may be changed in between: bounds, decision, overall p, conditional error."""
    from trialsim.cli.numbers_written import numbers_written, parameter_written
    from trialsim.interim.combine import combine
    from trialsim.oc.run_writer import json_text

    found = combine(
        combination,
        alpha,
        stages,
        None if futility_p is None else numbers_written("--futility-p", futility_p),
        method,
        None if information is None else numbers_written("--information", information),
        efficacy,
        parameter_written("--efficacy-parameter", efficacy_parameter),
        [] if p is None else numbers_written("--p", p),
    )
    if json:
        typer.echo(json_text(found.document()), nl=False)
    else:
        _print(found)


def _print(found: Combined) -> None:
    from rich.console import Console

    from trialsim.interim.combine import SOURCES
    from trialsim.report.tables import TextTable, rich_table

    fisher = found.combination == "fisher"
    rows = []
    for stage, bound in enumerate(found.critical):
        seen = stage < len(found.p)
        cells = [str(stage + 1), f"{bound:.6g}" if bound < 1e300 else "–", f"{found.alpha_spent[stage]:.6g}"]
        if fisher:
            gone = found.futility_p or ()
            cells.insert(2, f"{gone[stage]:.6g}" if stage < len(gone) and gone[stage] < 1.0 else "–")
        cells += [f"{found.p[stage]:.6g}", f"{found.combined[stage]:.6g}"] if seen else ["–", "–"]
        rows.append(tuple((cell,) for cell in cells))
    headings = ["stage", "critical product" if fisher else "bound (z)", "alpha spent", "p", "combined"]
    if fisher:
        headings.insert(2, "given up above p")
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(width=max(console.width, 140), highlight=False)
    console.print(rich_table(TextTable(f"Combination: {found.combination}", tuple(headings), tuple(rows))))
    told = [f"{SOURCES[found.combination]}. One-sided level {found.alpha:g}."]
    if found.decision is not None:
        told.append(_SENTENCES[found.decision])
    if found.overall_p is not None:
        told.append(f"Overall p value by the stage-wise ordering: {found.overall_p:.6g}.")
    if found.conditional_error is not None:
        told.append(
            f"Conditional error, the level of what may be planned anew: {found.conditional_error:.6g}."
        )
    for line in told:
        console.print(line, soft_wrap=True, markup=False)
