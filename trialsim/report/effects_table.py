"""The table of effects: what the scenario states, and the conditional and the marginal value of each."""

from __future__ import annotations

import math
from collections.abc import Sequence

from trialsim.engines.effects import Effect
from trialsim.report.tables import TextTable
from trialsim.scenario.units import readable_duration

EXPLANATION = (
    "Conditional: for a patient at the centre of the covariates. Marginal: averages over the population compared; for "
    "a hazard ratio what a Cox model of treatment alone finds in an unlimited trial of the follow-up given. The one "
    "that is not stated is worked out from the one that is. Calendar drift is left out of both, and so is what becomes "
    "of patients after randomisation: nobody discontinues, crosses over or takes rescue treatment. The estimands' true "
    "values, which take that in, stand beside the estimates in the report of a run."
)
_HEADINGS = ("endpoint", "arm", "stated", "conditional", "marginal")


def effects_tables(found: Sequence[Effect]) -> tuple[TextTable, ...]:
    """Return one table per truth, in the order of the effects."""
    truths = dict.fromkeys(effect.truth for effect in found)
    return tuple(
        TextTable(
            f"effects under the truth: {truth}",
            _HEADINGS,
            tuple(_row(effect) for effect in found if effect.truth == truth),
        )
        for truth in truths
    )


def _row(effect: Effect) -> tuple[tuple[str, ...], ...]:
    conditional = effect.pieces.split(", ") if effect.pieces else [_number(effect.conditional)]
    marginal = [_number(effect.marginal)]
    if not math.isnan(effect.conditional_control):
        conditional.append(f"{_number(effect.conditional_arm)} vs {_number(effect.conditional_control)}")
        marginal.append(f"{_number(effect.marginal_arm)} vs {_number(effect.marginal_control)}")
    if not math.isnan(effect.follow_up):
        marginal.append(f"over {readable_duration(effect.follow_up)}")
    return (
        (effect.endpoint, effect.measure.replace("_", " ")),
        (effect.arm, f"vs {effect.control}"),
        ("conditional = marginal", "no covariates") if effect.stated == "either" else (effect.stated,),
        tuple(conditional),
        tuple(marginal),
    )


def _number(value: float) -> str:
    """Return four significant digits with a true minus sign, a dash for what is none; mere rounding is 0."""
    if math.isnan(value):
        return "–"
    return "0" if abs(value) < 1e-12 else f"{value:.4g}".replace("-", "−")
