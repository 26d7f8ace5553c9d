"""Options that make a sizing question group sequential: the looks and the families of their bounds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from trialsim.errors import UsageError

if TYPE_CHECKING:
    from trialsim.stats.sample_size.sequential import SequentialBounds

Information = Annotated[
    str | None,
    typer.Option(
        help="For a group sequential design: information at each look over the maximum, such as 1/3,2/3,1.",
        metavar="RATE,...",
    ),
]
Efficacy = Annotated[str, typer.Option(help="Family of the bounds; see trialsim boundaries --help.")]
EfficacyParameter = Annotated[str | None, typer.Option(help="The family's number, or numbers.")]
Futility = Annotated[str | None, typer.Option(help="Family of the futility bounds; default none.")]
FutilityParameter = Annotated[str | None, typer.Option(help="The family's number, or numbers.")]
FutilityBinding = Annotated[
    bool,
    typer.Option(
        "--futility-binding/--futility-non-binding",
        help="Whether alpha counts on futility bounds being obeyed.",
    ),
]
PlannedPower = Annotated[
    float, typer.Option(help="Power that futility bounds of a group sequential design are planned for.")
]

DEFAULT_FAMILY = "lan_demets_obrien_fleming"


@dataclass(frozen=True)
class SequentialOptions:
    """The options as they are given."""

    information: str | None
    efficacy: str
    efficacy_parameter: str | None
    futility: str | None
    futility_parameter: str | None
    binding: bool


def bounds_of(options: SequentialOptions, level: float, power: float) -> SequentialBounds | None:
    """Return the bounds asked for; None for a single analysis.

    Parameters
    ----------
    options
        As given.
    level
        One-sided error.
    power
        That the futility bounds are planned for.

    Raises
    ------
    ScenarioError
        With everything that is wrong with the bounds.
    UsageError
        When bounds are given without looks, or a number cannot be read.
    """
    if options.information is None:
        given = (options.efficacy_parameter, options.futility, options.futility_parameter)
        if options.efficacy != DEFAULT_FAMILY or options.binding or any(each is not None for each in given):
            raise UsageError(
                "--efficacy and --futility belong to a group sequential design, and so does what goes with them: give "
                "--information too."
            )
        return None
    from trialsim.cli.numbers_written import numbers_written, parameter_written
    from trialsim.designs.boundaries import group_sequential
    from trialsim.stats.sample_size.sequential import SequentialBounds

    information = numbers_written("--information", options.information)
    if information[-1] != 1.0:
        raise UsageError(
            f"--information: the last look has all the information: write 1, not {information[-1]:g}."
        )
    found = group_sequential(
        information,
        alpha=level,
        power=power,
        efficacy=options.efficacy,
        efficacy_parameter=parameter_written("--efficacy-parameter", options.efficacy_parameter),
        futility=options.futility,
        futility_parameter=parameter_written("--futility-parameter", options.futility_parameter),
        futility_binding=options.binding,
    )
    name = (
        options.efficacy if options.futility is None else f"{options.efficacy}; futility {options.futility}"
    )
    return SequentialBounds(
        rates=tuple(found.information_rates.tolist()),
        efficacy=tuple(found.efficacy_z.tolist()),
        futility=tuple(found.futility_z.tolist()),
        alpha_spent=tuple(found.alpha_spent.tolist()),
        inflation=max(found.inflation_factor, 1.0),  # but for rounding it is never below
        level=level,
        name=name,
    )
