"""``trialsim samplesize means`` and ``trialsim power means``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from trialsim.cli.sequential_options import (
    DEFAULT_FAMILY,
    Efficacy,
    EfficacyParameter,
    Futility,
    FutilityBinding,
    FutilityParameter,
    Information,
    PlannedPower,
    SequentialOptions,
    bounds_of,
)
from trialsim.cli.sizing import Alpha, Force, Json, Picture, Power, Ratio, Sides, Unrounded, one_sided, tell

if TYPE_CHECKING:
    from trialsim.stats.sample_size.means import MeansDesign

Effect = Annotated[float, typer.Option(help="Difference, ratio or, of one sample, mean that is assumed.")]
Sd = Annotated[float, typer.Option(help="Standard deviation; of a ratio as a share of the control mean.")]
Null = Annotated[
    float | None, typer.Option(help="Value to be ruled out, such as a margin; default 0, of a ratio 1.")
]
ControlSd = Annotated[float | None, typer.Option(help="Standard deviation on control, where it differs.")]
Samples = Annotated[int, typer.Option(help="1 or 2.")]
Scale = Annotated[str, typer.Option(help="difference or ratio.")]
Test = Annotated[str, typer.Option(help="t, or z for a known standard deviation.")]
Patients = Annotated[int, typer.Option(help="Patients in all.")]


def register(size: typer.Typer, power: typer.Typer) -> None:
    """Add the commands of this module."""
    size.command("means")(means_size)
    power.command("means")(means_power)


def means_size(
    effect: Effect,
    sd: Sd,
    power: Power = 0.9,
    alpha: Alpha = 0.025,
    sides: Sides = 1,
    null: Null = None,
    samples: Samples = 2,
    scale: Scale = "difference",
    test: Test = "t",
    ratio: Ratio = 1.0,
    control_sd: ControlSd = None,
    information: Information = None,
    efficacy: Efficacy = DEFAULT_FAMILY,
    efficacy_parameter: EfficacyParameter = None,
    futility: Futility = None,
    futility_parameter: FutilityParameter = None,
    futility_binding: FutilityBinding = False,
    unrounded: Unrounded = False,
    json: Json = False,
    picture: Picture = None,
    force: Force = False,
) -> None:
    """Patients for a test of means."""
    from trialsim.stats.sample_size.answer import Answer
    from trialsim.stats.sample_size.answer_means import means_size_answer

    design = _design(effect, sd, alpha, sides, null, samples, scale, test, ratio, control_sd)
    options = SequentialOptions(
        information, efficacy, efficacy_parameter, futility, futility_parameter, futility_binding
    )

    def answer() -> Answer:
        return means_size_answer(design, power, bounds_of(options, design.alpha, power), unrounded)

    tell("samplesize means", answer, json, picture, force)


def means_power(
    effect: Effect,
    sd: Sd,
    patients: Patients,
    alpha: Alpha = 0.025,
    sides: Sides = 1,
    null: Null = None,
    samples: Samples = 2,
    scale: Scale = "difference",
    test: Test = "t",
    ratio: Ratio = 1.0,
    control_sd: ControlSd = None,
    information: Information = None,
    efficacy: Efficacy = DEFAULT_FAMILY,
    efficacy_parameter: EfficacyParameter = None,
    futility: Futility = None,
    futility_parameter: FutilityParameter = None,
    futility_binding: FutilityBinding = False,
    planned_power: PlannedPower = 0.9,
    json: Json = False,
    picture: Picture = None,
    force: Force = False,
) -> None:
    """Power of a test of means."""
    from trialsim.stats.sample_size.answer import Answer
    from trialsim.stats.sample_size.answer_means import means_power_answer

    design = _design(effect, sd, alpha, sides, null, samples, scale, test, ratio, control_sd)
    options = SequentialOptions(
        information, efficacy, efficacy_parameter, futility, futility_parameter, futility_binding
    )

    def answer() -> Answer:
        return means_power_answer(design, patients, bounds_of(options, design.alpha, planned_power))

    tell("power means", answer, json, picture, force)


def _design(
    effect: float,
    sd: float,
    alpha: float,
    sides: int,
    null: float | None,
    samples: int,
    scale: str,
    test: str,
    ratio: float,
    control_sd: float | None,
) -> MeansDesign:
    from trialsim.stats.sample_size.means import MeansDesign

    ruled_out = null if null is not None else 1.0 if scale == "ratio" else 0.0
    error = one_sided(alpha, sides)
    return MeansDesign(effect, sd, ruled_out, samples, scale, test, error, ratio, control_sd)
