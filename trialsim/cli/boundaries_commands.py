"""``trialsim boundaries``: a group sequential design from theory, without simulation."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trialsim.errors import Problem, ScenarioError, UsageError

if TYPE_CHECKING:
    from trialsim.designs.boundaries import Boundaries

_PARAMETER = "NUMBER, NUMBER,... or AT:SHARE,..."


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command("boundaries")(boundaries_command)


def boundaries_command(
    information: Annotated[
        str,
        typer.Option(
            help="Information at each look over the planned maximum, such as 1/3,2/3,1; up to 20 looks.",
            metavar="RATE,...",
        ),
    ],
    alpha: Annotated[
        float, typer.Option(help="Type I error, of both sides together where there are two.")
    ] = 0.025,
    sides: Annotated[int, typer.Option(help="1, or 2: bounds of the absolute value.")] = 1,
    power: Annotated[float, typer.Option(help="Chance to reject under the effect.")] = 0.9,
    efficacy: Annotated[
        str,
        typer.Option(
            help="obrien_fleming, pocock, wang_tsiatis, haybittle_peto, lan_demets_obrien_fleming, lan_demets_pocock, "
            "hwang_shih_decani, kim_demets, exponential, piecewise_linear or user_defined."
        ),
    ] = "lan_demets_obrien_fleming",
    efficacy_parameter: Annotated[
        str | None,
        typer.Option(
            help="The family's number; for piecewise_linear pairs such as 0.5:0.2,0.8:0.6; for user_defined the "
            "cumulative error at each look.",
            metavar=_PARAMETER,
        ),
    ] = None,
    futility: Annotated[
        str | None,
        typer.Option(
            help="A name as for efficacy (spending 1 - power, or mirrored at the effect), z, conditional_power (under "
            "the effect) or conditional_power_trend; default none."
        ),
    ] = None,
    futility_parameter: Annotated[
        str | None,
        typer.Option(
            help="As for efficacy; for z the bound, or one for each interim look.", metavar=_PARAMETER
        ),
    ] = None,
    futility_binding: Annotated[
        bool,
        typer.Option(
            "--futility-binding/--futility-non-binding",
            help="Whether alpha counts on futility bounds being obeyed.",
        ),
    ] = False,
    spending_times: Annotated[
        str | None,
        typer.Option(
            help="Fractions at which spending is read instead, such as shares of the planned calendar time.",
            metavar="TIME,...",
        ),
    ] = None,
    observed: Annotated[
        str | None,
        typer.Option(
            help="Information seen at the looks taken and planned for those to come, over the planned maximum: the bounds "
            "for it, the maximum staying as planned. The last look spends all that is left.",
            metavar="RATE,...",
        ),
    ] = None,
    observed_spending_times: Annotated[
        str | None, typer.Option(help="With --observed: as --spending-times.", metavar="TIME,...")
    ] = None,
    effect: Annotated[
        float, typer.Option(help="The effect for which the power is meant; it sets the unit of information.")
    ] = 1.0,
    json: Annotated[bool, typer.Option("--json", help="Print JSON on stdout and nothing else.")] = False,
    picture: Annotated[
        Path | None, typer.Option(help="Draw bounds and spent errors to a .png or .svg file.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that exists.")] = False,
) -> None:
    """Work out the bounds of a group sequential design, and what they do, from theory."""
    from trialsim.cli.numbers_written import numbers_written, parameter_written
    from trialsim.cli.picture_file import check_picture_file, write_picture_file
    from trialsim.designs.boundaries import group_sequential
    from trialsim.oc.run_writer import json_text

    if picture is not None:
        check_picture_file(picture, force)
    if observed is None and observed_spending_times is not None:
        raise UsageError("--observed-spending-times goes with --observed; give that too, or leave it out.")
    found = group_sequential(
        numbers_written("--information", information),
        alpha=alpha,
        sides=sides,
        power=power,
        efficacy=efficacy,
        efficacy_parameter=parameter_written("--efficacy-parameter", efficacy_parameter),
        futility=futility,
        futility_parameter=parameter_written("--futility-parameter", futility_parameter),
        futility_binding=futility_binding,
        spending_times=None
        if spending_times is None
        else numbers_written("--spending-times", spending_times),
        effect=effect,
    )
    if observed is not None:
        times = observed_spending_times
        try:
            found = found.monitored(
                numbers_written("--observed", observed),
                None if times is None else numbers_written("--observed-spending-times", times),
            )
        except ScenarioError as error:
            raise _as_observed(error) from None
    if picture is not None:
        from trialsim.report.boundaries_picture import draw_boundaries

        write_picture_file(picture, draw_boundaries(found, picture.suffix.lower().lstrip(".")), force)
    if json:
        typer.echo(json_text(found.document()), nl=False)
    else:
        _print(found)
    if picture is not None:
        typer.echo(f"Picture: {picture}", err=json)


def _as_observed(error: ScenarioError) -> ScenarioError:
    """Return what is wrong with the information seen under the names that the command gives it."""
    names = {"information": "observed", "spending_times": "observed_spending_times"}
    problems = []
    for each in error.problems:
        name, bracket, rest = each.path.partition("[")
        problems.append(Problem(names.get(name, name) + bracket + rest, each.message))
    return ScenarioError(problems, error.source)


def _print(found: Boundaries) -> None:
    from rich.console import Console

    from trialsim.report.boundaries_tables import boundaries_tables, sentences
    from trialsim.report.tables import rich_table

    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(width=max(console.width, 140), highlight=False)
    for table in boundaries_tables(found):
        console.print(rich_table(table))
    for line in sentences(found):
        console.print(line, markup=False, soft_wrap=True)
