"""The effects of a truth, each as conditional and as marginal: whichever the scenario states, the other is worked out.

A conditional effect is that of a patient at the centre of all covariates, with latent traits of zero; a marginal one
compares averages over the population. Where no trait matters they are the same. Where traits matter they differ even
without any interaction, because neither odds ratios nor hazard ratios of a mixed population are averages of its
patients' (Gail, Wieand and Piantadosi, Biometrika 71, 1984, 431-444). Calendar drift is left out of both.
"""

from __future__ import annotations

import itertools
import math
import operator
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import numpy as np
import pyarrow as pa

from trialsim.engines.laws import build_world, follow_up_of
from trialsim.engines.log_odds import inverse_logit
from trialsim.engines.unattainable import unattainable_ratios
from trialsim.engines.world import Drift, OutcomeLaw, World
from trialsim.errors import ScenarioError
from trialsim.population.estimands import cox_log_ratio
from trialsim.scenario.load import patient_table
from trialsim.scenario.schema import Scenario
from trialsim.scenario.units import readable_duration
from trialsim.timegrid import DAYS_PER_MONTH

NONE = math.nan


@dataclass(frozen=True)
class Effect:
    """The effect of one arm against control on one endpoint under one truth.

    Parameters
    ----------
    truth, endpoint, arm, control
        Names.
    measure
        ``hazard_ratio``, ``risk_difference``, ``odds_ratio`` or ``mean_difference``.
    stated
        ``conditional`` or ``marginal``, as the scenario states it; ``either`` where no trait matters.
    conditional
        For the patient at the centre; NaN for a hazard ratio that changes in time.
    pieces
        That ratio in words, otherwise empty.
    marginal
        Over the population.
    conditional_control, conditional_arm, marginal_control, marginal_arm
        The two probabilities or means that are compared; NaN for hazard ratios.
    follow_up
        Days of follow-up to which a marginal hazard ratio refers; NaN for all else.
    """

    truth: str
    endpoint: str
    arm: str
    control: str
    measure: str
    stated: str
    conditional: float
    pieces: str
    marginal: float
    conditional_control: float
    conditional_arm: float
    marginal_control: float
    marginal_arm: float
    follow_up: float


def effects(scenario: Scenario, truths: Sequence[str]) -> tuple[Effect, ...]:
    """Return every effect of some truths, in the order of truths, endpoints and arms.

    Parameters
    ----------
    scenario
        A loaded scenario.
    truths
        Names in it.

    Raises
    ------
    ScenarioError
        With every marginal effect that cannot be solved for.
    """
    problems = list(unattainable_ratios(scenario, truths))
    if problems:
        raise ScenarioError(problems)
    return tuple(effect for truth in truths for effect in _of_truth(scenario, truth))


def effect_table(found: Iterable[Effect]) -> pa.Table:
    """Return effects as a table, a row each."""
    kinds = {"str": pa.string(), "float": pa.float64()}
    schema = pa.schema([(field.name, kinds[str(field.type)]) for field in fields(Effect)])
    return pa.Table.from_pylist([asdict(effect) for effect in found], schema=schema)


def effects_in(table: pa.Table) -> tuple[Effect, ...]:
    """Return the effects of a table that :func:`effect_table` made."""
    return tuple(Effect(**row) for row in table.to_pylist())


def _of_truth(scenario: Scenario, truth: str) -> Iterable[Effect]:
    """Yield the effects of one truth, of all arms of the scenario, whichever designs use them."""
    told = scenario.world(truth)
    name, design = next(iter(told.designs.items()))
    whole = told.model_copy(update={"designs": {name: design.model_copy(update={"arms": told.arms})}})
    world = build_world(whole, name, patient_table(scenario))
    for law in world.outcomes:
        part = told.endpoints[law.name]
        steady = replace(law, drift=Drift())
        stated = "either" if law.predictor.empty else str(part.effect_kind)
        for arm in range(1, len(told.arms)):
            names = (truth, law.name, told.arms[arm], told.arms[0])
            if law.hazard is not None:
                yield _hazard_ratio(names, stated, steady, world, arm, part, follow_up_of(told, law.name))
            else:
                yield from _differences(names, stated, steady, world, arm)


def _hazard_ratio(
    names: tuple[str, str, str, str],
    stated: str,
    law: OutcomeLaw,
    world: World,
    arm: int,
    part: Any,
    follow_up: float,
) -> Effect:
    """Return a hazard ratio; the marginal one is what a Cox model of treatment alone would converge to."""
    assert law.hazard is not None
    factors = law.parameters(world.sample, np.zeros(len(world.sample)))
    pair = (factors[:, arm], factors[:, 0])
    marginal = math.exp(cox_log_ratio(law.hazard, (arm, 0), pair, follow_up))
    written = part.effect[names[2]]
    conditional, pieces = NONE, ""
    if isinstance(written, tuple):
        pieces = pieces_in_words(written)
    elif stated == "marginal":
        # Solved for: a constant ratio, so that any time at which there is hazard shows it.
        to_date = [float(law.hazard.cumulative_hazard(a, np.array([follow_up]))[0]) for a in (arm, 0)]
        conditional = to_date[0] / to_date[1]
    else:
        conditional = float(written)
    return Effect(
        *names, "hazard_ratio", stated, conditional, pieces, marginal, NONE, NONE, NONE, NONE, follow_up
    )


def _differences(
    names: tuple[str, str, str, str], stated: str, law: OutcomeLaw, world: World, arm: int
) -> Iterable[Effect]:
    """Yield the difference of two probabilities or means, and the odds ratio of two probabilities."""
    values = law.parameters(world.sample, np.zeros(len(world.sample)))
    if law.kind == "binary":
        average = (values.astype(np.float64) * 2.0**-52).mean(axis=0)
        centred = inverse_logit(law.intercepts)
        measures = {"risk_difference": operator.sub, "odds_ratio": odds_ratio}
    else:
        average, centred = values.mean(axis=0), law.intercepts
        measures = {"mean_difference": operator.sub}
    c0, c1, m0, m1 = (float(value) for value in (centred[0], centred[arm], average[0], average[arm]))
    for measure, of in measures.items():
        conditional = of(c1, c0)
        if measure == "odds_ratio":
            # The same for every patient, so that it need not be had from rates, which far out are 0 or 1 to the last bit.
            with np.errstate(over="ignore"):
                conditional = float(np.exp(law.intercepts[arm] - law.intercepts[0]))
        yield Effect(*names, measure, stated, conditional, "", of(m1, m0), c0, c1, m0, m1, NONE)


def odds_ratio(treated: float, control: float) -> float:
    """Return the odds ratio of two probabilities; NaN where it has none, as beside a probability of 0 or 1."""
    if treated == 1.0 or control in (0.0, 1.0):
        return NONE
    return (treated / (1.0 - treated)) / (control / (1.0 - control))


def pieces_in_words(pieces: Sequence[tuple[float, float]]) -> str:
    """Return hazard ratios by time since entry, such as ``0.35 until 12 mo, then 0.48``."""
    said = [f"{ratio:.4g} until {_time(end)}" for (_, ratio), (end, _) in itertools.pairwise(pieces)]
    return ", ".join([*said, f"{'then ' if said else ''}{pieces[-1][1]:.4g}"])


def _time(days: float) -> str:
    """Return a time since entry in months where it is a whole number of them."""
    months = days / DAYS_PER_MONTH
    return f"{round(months)} mo" if months == round(months) else readable_duration(days)
