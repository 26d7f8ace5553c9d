"""``trialsim samplesize proportions`` and ``trialsim power proportions``."""

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
from trialsim.errors import UsageError

if TYPE_CHECKING:
    from trialsim.stats.sample_size.proportions import ProportionsDesign

TreatmentRate = Annotated[float, typer.Option(help="Probability of the outcome on treatment, as assumed.")]
ControlRate = Annotated[float | None, typer.Option(help="The same on control; none with --samples 1.")]
Null = Annotated[
    float | None,
    typer.Option(
        help="Difference or ratio to be ruled out, such as a margin; default 0, of a ratio 1; of one sample the rate."
    ),
]
Samples = Annotated[int, typer.Option(help="1 or 2.")]
Scale = Annotated[str, typer.Option(help="difference or ratio.")]
Test = Annotated[
    str, typer.Option(help="score (Farrington-Manning), or exact (Fisher; of one sample binomial).")
]
Patients = Annotated[int, typer.Option(help="Patients in all.")]


def register(size: typer.Typer, power: typer.Typer) -> None:
    """Add the commands of this module."""
    size.command("proportions")(proportions_size)
    power.command("proportions")(proportions_power)


def proportions_size(
    treatment_rate: TreatmentRate,
    control_rate: ControlRate = None,
    power: Power = 0.9,
    alpha: Alpha = 0.025,
    sides: Sides = 1,
    null: Null = None,
    samples: Samples = 2,
    scale: Scale = "difference",
    test: Test = "score",
    ratio: Ratio = 1.0,
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
    """Patients for a test of proportions."""
    from trialsim.stats.sample_size.answer import Answer
    from trialsim.stats.sample_size.answer_proportions import proportions_size_answer

    design = _design(treatment_rate, control_rate, alpha, sides, null, samples, scale, ratio)
    options = SequentialOptions(
        information, efficacy, efficacy_parameter, futility, futility_parameter, futility_binding
    )

    def answer() -> Answer:
        bounds = bounds_of(options, design.alpha, power)
        return proportions_size_answer(design, power, test, bounds, unrounded)

    tell("samplesize proportions", answer, json, picture, force)


def proportions_power(
    treatment_rate: TreatmentRate,
    patients: Patients,
    control_rate: ControlRate = None,
    alpha: Alpha = 0.025,
    sides: Sides = 1,
    null: Null = None,
    samples: Samples = 2,
    scale: Scale = "difference",
    test: Test = "score",
    ratio: Ratio = 1.0,
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
    """Power of a test of proportions."""
    from trialsim.stats.sample_size.answer import Answer
    from trialsim.stats.sample_size.answer_proportions import proportions_power_answer

    design = _design(treatment_rate, control_rate, alpha, sides, null, samples, scale, ratio)
    options = SequentialOptions(
        information, efficacy, efficacy_parameter, futility, futility_parameter, futility_binding
    )

    def answer() -> Answer:
        bounds = bounds_of(options, design.alpha, planned_power)
        return proportions_power_answer(design, patients, test, bounds)

    tell("power proportions", answer, json, picture, force)


def _design(
    treatment_rate: float,
    control_rate: float | None,
    alpha: float,
    sides: int,
    null: float | None,
    samples: int,
    scale: str,
    ratio: float,
) -> ProportionsDesign:
    from trialsim.stats.sample_size.proportions import ProportionsDesign

    error = one_sided(alpha, sides)
    if samples == 1:
        if null is None or control_rate is not None:
            raise UsageError("--samples 1 takes the rate to be ruled out as --null, and no --control-rate.")
        return ProportionsDesign(treatment_rate, null, 0.0, 1, scale, error, 1.0)
    if control_rate is None:
        raise UsageError("--control-rate is missing; give it, or --samples 1 and --null for one sample.")
    ruled_out = null if null is not None else 1.0 if scale == "ratio" else 0.0
    return ProportionsDesign(treatment_rate, control_rate, ruled_out, samples, scale, error, ratio)
