"""Events that a design's patients are expected to have by the horizon, where formulae tell."""

from __future__ import annotations

from collections.abc import Mapping

from trialsim.scenario.design import Design
from trialsim.scenario.hazards import Baseline, PiecewiseRatio
from trialsim.scenario.schema import Scenario
from trialsim.stats.sample_size.piecewise_events import Steps, SurvivalPlan, constant, expected_course


def events_by_the_horizon(world: Scenario, design: Design) -> float | None:
    """Return the expected events of the first test's two arms, or None where sites or other laws leave it open.

    Parameters
    ----------
    world
        A scenario in one truth.
    design
        A design with two arms, tested on a survival endpoint with a constant hazard ratio.
    """
    hypothesis = world.hypotheses[next(iter(design.tests))]
    endpoint = world.endpoints[hypothesis.endpoint]
    if endpoint.kind != "survival":
        return None
    hazard = _steps(endpoint.baseline)
    leaving = constant(0.0) if world.dropout is None else _steps(world.dropout.baseline)
    rates = _accrual(world, design.n)
    if hazard is None or leaving is None or rates is None:
        return None
    first, other = design.arms
    shares = design.allocation.ratio or {}
    leaving_ratios: Mapping[str, float] = {} if world.dropout is None else world.dropout.effect
    plan = SurvivalPlan(
        control_hazard=hazard.times(_ratio(endpoint.effect, first)),
        hazard_ratio=constant(_ratio(endpoint.effect, other) / _ratio(endpoint.effect, first)),
        accrual_rate=rates[0],
        accrual_duration=min(rates[1], world.horizon),
        control_dropout=leaving.times(_ratio(leaving_ratios, first)),
        treatment_dropout=leaving.times(_ratio(leaving_ratios, other)),
        ratio=shares.get(other, 1) / shares.get(first, 1),
    )
    return expected_course(plan, world.horizon).events


def _ratio(effect: Mapping[str, float | PiecewiseRatio], arm: str) -> float:
    """Return the hazard ratio of an arm, that of its first piece where it has several equal ones."""
    ratio = effect.get(arm, 1.0)
    return ratio[0][1] if isinstance(ratio, tuple) else ratio


def _steps(baseline: Baseline) -> Steps | None:
    """Return a piecewise constant hazard; None for a Weibull law."""
    starts, hazards = baseline.segments()
    return Steps(starts, hazards) if starts else None


def _accrual(world: Scenario, n: int) -> tuple[Steps, float] | None:
    """Return accrual rates and the days until all patients are expected; None with sites."""
    accrual = world.accrual
    if accrual.sites is not None:
        return None
    if accrual.over is not None:
        return constant(n / accrual.over), accrual.over
    pieces = accrual.rates or (((0.0, accrual.rate),) if accrual.rate is not None else ())
    if not pieces:
        return None
    starts, values = zip(*pieces, strict=True)
    left = float(n)
    for start, rate, end in zip(starts, values, (*starts[1:], float("inf")), strict=True):
        if rate > 0.0 and rate * (end - start) >= left:
            return Steps(tuple(starts), tuple(values)), start + left / rate
        left -= rate * (end - start) if rate > 0.0 else 0.0
    return None
