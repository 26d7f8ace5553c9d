"""``trialsim samplesize survival`` and ``trialsim power survival``."""

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
    from trialsim.stats.sample_size.answer import Answer
    from trialsim.stats.sample_size.answer_survival import Wanted
    from trialsim.stats.sample_size.survival_question import SurvivalQuestion

Text = str | None
Control = Annotated[
    Text,
    typer.Option(
        help='Survival on control: a median ("8 months"), a hazard ("0.087 per month") or a mapping of the scenario '
        'language ("{survival: 0.4, at: 12 months}", "{piecewise: [{from: 0 months, hazard: 0.06 per month}]}").'
    ),
]
Treatment = Annotated[Text, typer.Option(help="The same on treatment, in place of --hazard-ratio.")]
HazardRatio = Annotated[
    Text,
    typer.Option(
        help='A number, or pieces: "[{from: 0 months, hazard_ratio: 1}, {from: 4 months, hazard_ratio: 0.6}]".'
    ),
]
Delay = Annotated[Text, typer.Option(help='Time before which there is no effect, such as "4 months".')]
Null = Annotated[float, typer.Option(help="Hazard ratio to be ruled out, such as a margin.")]
Accrual = Annotated[Text, typer.Option(help='How long patients are recruited, such as "12 months".')]
AccrualRate = Annotated[
    Text,
    typer.Option(
        help='Patients a time unit: "20 per month", or pieces "[{from: 0 months, rate: 10 per month}, ...]".'
    ),
]
Patients = Annotated[int | None, typer.Option(help="Patients in all.")]
FollowUp = Annotated[Text, typer.Option(help='Time from the last patient to the analysis ("12 months").')]
Dropout = Annotated[
    Text, typer.Option(help='As a hazard ("5% per year") or a mapping ("{survival: 0.95, at: 12 months}").')
]
TreatmentDropout = Annotated[Text, typer.Option(help="The same on treatment, where it differs.")]
Test = Annotated[str, typer.Option(help='logrank, "fh(0,1)", gehan or "modest(6 months)".')]
Method = Annotated[
    Text,
    typer.Option(
        help="schoenfeld, freedman, hsieh-freedman, lachin-foulkes or nonproportional; by default schoenfeld, and "
        "nonproportional where the hazard ratio changes or events are weighed."
    ),
]
Direction = Annotated[
    Text,
    typer.Option(
        help="lower where fewer events are the benefit, higher where more are; by default the side of a constant hazard "
        "ratio, and lower where it changes."
    ),
]
At = Annotated[Text, typer.Option(help='Further analyses to describe, such as "12 months, 18 months".')]


def register(size: typer.Typer, power: typer.Typer) -> None:
    """Add the commands of this module."""
    size.command("survival")(survival_size)
    power.command("survival")(survival_power)


def survival_size(
    hazard_ratio: HazardRatio = None,
    control: Control = None,
    treatment: Treatment = None,
    delay: Delay = None,
    null: Null = 1.0,
    accrual: Accrual = None,
    accrual_rate: AccrualRate = None,
    patients: Patients = None,
    follow_up: FollowUp = None,
    dropout: Dropout = None,
    treatment_dropout: TreatmentDropout = None,
    test: Test = "logrank",
    method: Method = None,
    direction: Direction = None,
    at: At = None,
    power: Power = 0.9,
    alpha: Alpha = 0.025,
    sides: Sides = 1,
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
    """Events, patients and time for a log-rank test; what is not given is worked out.

    Without --control only the events. With --accrual and --follow-up the patients (accrual rates, if given, are
    a pattern); with --patients, or rate and duration of accrual, the follow-up; with --accrual-rate and
    --follow-up how long accrual stays open.
    """
    from trialsim.stats.sample_size.answer_survival import survival_size_answer
    from trialsim.stats.sample_size.survival_written import WrittenSurvival, survival_question

    written = WrittenSurvival(
        control, treatment, hazard_ratio, delay, null, accrual, accrual_rate, patients, follow_up, dropout,
        treatment_dropout, test, method, direction, at, one_sided(alpha, sides), ratio,
    )  # fmt: skip

    options = SequentialOptions(
        information, efficacy, efficacy_parameter, futility, futility_parameter, futility_binding
    )

    def answer() -> Answer:
        bounds = bounds_of(options, written.alpha, power)
        question, wanted = survival_question(written, asks_power=False, bounds=bounds)
        return survival_size_answer(question, wanted, power, unrounded)

    tell("samplesize survival", answer, json, picture, force)


def survival_power(
    hazard_ratio: HazardRatio = None,
    control: Control = None,
    treatment: Treatment = None,
    delay: Delay = None,
    null: Null = 1.0,
    accrual: Accrual = None,
    accrual_rate: AccrualRate = None,
    patients: Patients = None,
    follow_up: FollowUp = None,
    events: Annotated[
        float | None,
        typer.Option(
            help="Events at the analysis: without --control alone, with it in place of --follow-up."
        ),
    ] = None,
    dropout: Dropout = None,
    treatment_dropout: TreatmentDropout = None,
    test: Test = "logrank",
    method: Method = None,
    direction: Direction = None,
    at: At = None,
    alpha: Alpha = 0.025,
    sides: Sides = 1,
    ratio: Ratio = 1.0,
    information: Information = None,
    efficacy: Efficacy = DEFAULT_FAMILY,
    efficacy_parameter: EfficacyParameter = None,
    futility: Futility = None,
    futility_parameter: FutilityParameter = None,
    futility_binding: FutilityBinding = False,
    planned_power: PlannedPower = 0.9,
    simulate: Annotated[int | None, typer.Option(help="Simulate so many trials beside the formula.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of the simulation.")] = 1,
    json: Json = False,
    picture: Picture = None,
    force: Force = False,
) -> None:
    """Power of a log-rank test, weighted or not, under any piecewise constant hazards."""
    from trialsim.stats.sample_size.answer_survival import survival_power_answer
    from trialsim.stats.sample_size.survival_written import WrittenSurvival, survival_question

    written = WrittenSurvival(
        control, treatment, hazard_ratio, delay, null, accrual, accrual_rate, patients, follow_up, dropout,
        treatment_dropout, test, method, direction, at, one_sided(alpha, sides), ratio,
    )  # fmt: skip

    options = SequentialOptions(
        information, efficacy, efficacy_parameter, futility, futility_parameter, futility_binding
    )

    def answer() -> Answer:
        bounds = bounds_of(options, written.alpha, planned_power)
        question, wanted = survival_question(
            written, asks_power=True, events=events is not None, bounds=bounds
        )
        found = survival_power_answer(question, wanted, events)
        return found if simulate is None else _with_simulation(found, question, wanted, simulate, seed)

    tell("power survival", answer, json, picture, force)


def _with_simulation(
    answer: Answer, question: SurvivalQuestion, wanted: Wanted, trials: int, seed: int
) -> Answer:
    """Return an answer with the simulated power beside that of the formula."""
    from dataclasses import replace

    from trialsim.errors import UsageError
    from trialsim.oc.simulated_survival import simulated_power

    if wanted.plan is None:
        raise UsageError(
            "--simulate: without --control there are no trials to simulate, only a number of events."
        )
    found = simulated_power(question, wanted.plan, float(str(answer.results["study_duration"])), trials, seed)
    simulated = {"power_simulated": found.value, "power_simulated_mcse": found.mcse}
    return replace(answer, results=dict(answer.results) | simulated)
