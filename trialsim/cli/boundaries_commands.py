"""``trialsim boundaries``: a group sequential design from theory, without simulation."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trialsim.errors import UsageError

if TYPE_CHECKING:
    from trialsim.designs.boundaries import Boundaries
    from trialsim.designs.boundary_request import Parameter

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
    from trialsim.cli.picture_file import check_picture_file, write_picture_file
    from trialsim.designs.boundaries import group_sequential
    from trialsim.oc.run_writer import json_text

    if picture is not None:
        check_picture_file(picture, force)
    if observed is None and observed_spending_times is not None:
        raise UsageError("--observed-spending-times goes with --observed; give that too, or leave it out.")
    found = group_sequential(
        _numbers("--information", information),
        alpha=alpha,
        sides=sides,
        power=power,
        efficacy=efficacy,
        efficacy_parameter=_parameter("--efficacy-parameter", efficacy_parameter),
        futility=futility,
        futility_parameter=_parameter("--futility-parameter", futility_parameter),
        futility_binding=futility_binding,
        spending_times=None if spending_times is None else _numbers("--spending-times", spending_times),
        effect=effect,
    )
    if observed is not None:
        times = observed_spending_times
        found = found.monitored(
            _numbers("--observed", observed),
            None if times is None else _numbers("--observed-spending-times", times),
        )
    if picture is not None:
        from trialsim.report.boundaries_picture import draw_boundaries

        write_picture_file(picture, draw_boundaries(found, picture.suffix.lower().lstrip(".")), force)
    if json:
        typer.echo(json_text(found.document()), nl=False)
    else:
        _print(found)
    if picture is not None:
        typer.echo(f"Picture: {picture}", err=json)


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


def _number(option: str, text: str) -> float:
    """Return a number or a ratio of two, such as 1/3."""
    try:
        return float(text) if "/" not in text else float(Fraction(text.replace(" ", "")))
    except (ValueError, ZeroDivisionError):
        raise UsageError(
            f"{option}: {text.strip()!r} is not a number; write numbers such as 0.5 or 1/3, separated by commas."
        ) from None


def _numbers(option: str, text: str) -> list[float]:
    """Return the numbers of a list separated by commas."""
    return [_number(option, part) for part in text.split(",")]


def _parameter(option: str, text: str | None) -> Parameter:
    """Return a parameter as Python takes it: a number, several, or pairs."""
    if text is None:
        return None
    if ":" in text:
        pairs = [part.split(":") for part in text.split(",")]
        if any(len(pair) != 2 for pair in pairs):
            raise UsageError(
                f"{option}: {text!r} mixes pairs and numbers; write pairs such as 0.5:0.2,0.8:0.6."
            )
        return [(_number(option, at), _number(option, share)) for at, share in pairs]
    numbers = _numbers(option, text)
    return numbers[0] if len(numbers) == 1 else numbers
