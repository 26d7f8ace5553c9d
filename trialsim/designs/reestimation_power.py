"""Power and size of a two-stage design whose second stage is resized by conditional power, by integration.

Given the interim statistic the second stage's own is normal whatever its size, and the two are combined with weights fixed
in advance, so that one integral over the interim statistic is left (Mehta and Pocock 2011, sec. 3). For log-rank tests it
holds in large samples and for hazard ratios not far from 1 (Schoenfeld 1981, Biometrika 68, 316-319).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from trialsim.contracts import Resizing, SizeView
from trialsim.designs.reestimation_rules import ByConditionalPower
from trialsim.scenario.endpoints import ContinuousEndpoint, Endpoint, SurvivalEndpoint
from trialsim.scenario.hypotheses import Hypothesis
from trialsim.scenario.schema import Scenario
from trialsim.stats.combination.reestimation import needed_of_next_stage

_WIDE = 9.0
_POINTS = 1_000_000
_MOVED_BY = ("covariates", "latent", "modifiers", "drift", "site")
_DISTURBED_BY = ("treatment", "discontinuation", "withdrawal", "adverse_events", "visits")


@dataclass(frozen=True)
class TwoStages:
    """What a design does under one effect.

    Parameters
    ----------
    power
        Chance to reject.
    size
        Mean read-outs, or events, at the last analysis.
    raised, lowered
        Chances that the size changes.
    """

    power: float
    size: float
    raised: float
    lowered: float


def two_stage_power(
    resizing: Resizing,
    bounds: tuple[float, float],
    futility: float,
    effect: float,
    sd: float,
    counted_per_information: float,
) -> TwoStages:
    """Return what a design of two stages does, its rule being asked at every interim statistic of a fine grid.

    The size is a step function of the statistic; with a million points power is good to about 1e-6 and the mean size to
    about 0.002.

    Parameters
    ----------
    resizing
        How the size is re-estimated, by conditional power.
    bounds, futility
        Efficacy bounds of the two looks, and the futility bound of the first.
    effect
        Difference of means, or log hazard ratio, positive in favour of treatment.
    sd
        Standard deviation of one outcome; 1 for events.
    counted_per_information
        Read-outs or events for one unit of ``n_c n_t / (n_c + n_t)``: 4 for equal arms.
    """
    first, last = resizing.counts
    half = first / counted_per_information
    drift = effect / sd
    mean = drift * np.sqrt(half)
    step = 2.0 * _WIDE / _POINTS
    z = mean - _WIDE + step * (np.arange(_POINTS) + 0.5)
    weight = np.exp(-0.5 * (z - mean) ** 2) / np.sqrt(2.0 * np.pi) * step
    same = np.zeros(_POINTS, dtype=np.int64)
    view = SizeView(same, same + first, same, z, z, np.full(_POINTS, half), np.full(_POINTS, sd))
    further, _ = resizing.rule.further_counts(view)
    on = (z < bounds[0]) & (z > futility)
    stage = (last + further - first) / counted_per_information
    needed = needed_of_next_stage(z, resizing.rates[0], resizing.rates[1], bounds[1])
    rejects = np.where(on, ndtr(drift * np.sqrt(stage) - needed), z >= bounds[0])
    return TwoStages(
        float(weight @ rejects),
        float(weight @ np.where(on, last + further, first)),
        float(weight @ (on & (further > 0))),
        float(weight @ (on & (further < 0))),
    )


def power_by_truth(scenario: Scenario, name: str, most: int = 6) -> dict[str, TwoStages]:
    """Return what a design does under those truths for which the integral holds; empty where it does for none.

    It holds for two looks, a re-estimation by conditional power, and a continuous outcome with the variance known to the
    test, moved by nothing but the arm; nearly so for a log-rank test where nothing but the arm moves the hazard, and
    that for good.

    Parameters
    ----------
    scenario
        A loaded scenario.
    name
        One of its designs.
    most
        Truths looked at: the first so many.
    """
    from trialsim.designs.reestimation_design import SampleSizeReestimation

    design = scenario.designs[name]
    test = next(iter(design.tests))
    if design.reestimation is None or len(design.looks) != 2:
        return {}
    resizing = SampleSizeReestimation().resizing(scenario, name)
    found = {}
    for truth in list(scenario.truths)[:most]:
        world = scenario.world(truth)
        hypothesis = world.hypotheses[test]
        endpoint = world.endpoints[hypothesis.endpoint]
        moved = any(getattr(endpoint, key, None) for key in _MOVED_BY)
        disturbed = any(getattr(world, key, None) for key in _DISTURBED_BY)
        if not isinstance(resizing.rule, ByConditionalPower) or moved or disturbed:
            continue
        known = _effect_and_sd(endpoint, hypothesis, world.dropout is not None)
        if known is None:
            continue
        effect, sd = known
        sign = -1.0 if hypothesis.direction == "lower" else 1.0
        efficacy, futility = design.efficacy_z(test), design.futility_z(test)
        found[truth] = two_stage_power(
            resizing, (efficacy[0], efficacy[1]), futility[0], sign * effect, sd,
            resizing.rule.sizes.counted_per_information,
        )  # fmt: skip
    return found


def _effect_and_sd(endpoint: Endpoint, hypothesis: Hypothesis, losses: bool) -> tuple[float, float] | None:
    """Return the effect and the standard deviation of one outcome; None where they are not as the integral has them.

    Losses thin out read-outs; events are waited for all the same.
    """
    if isinstance(endpoint, SurvivalEndpoint):
        told_late = endpoint.detected or endpoint.report_delay or endpoint.adjudication or endpoint.readout
        whole = hypothesis.analysis == "logrank" and not hypothesis.strata
        ratios = [endpoint.effect.get(arm, 1.0) for arm in hypothesis.arms]
        if told_late or not whole or not all(isinstance(ratio, float | int) for ratio in ratios):
            return None
        treatment, control = (math.log(float(ratio)) for ratio in ratios)  # type: ignore[arg-type]
        return treatment - control, 1.0
    if not isinstance(endpoint, ContinuousEndpoint) or losses:
        return None
    if hypothesis.analysis != "z_test" or hypothesis.analysis_options.get("sd") != endpoint.sd:
        return None
    treatment, control = (endpoint.effect.get(arm, 0.0) for arm in hypothesis.arms)
    return treatment - control, endpoint.sd
