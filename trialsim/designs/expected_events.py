"""Events that a design's patients can be expected to have by the horizon, by closed forms and quadrature."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from trialsim.operations.delays import FIXED, delay_law, drawn_delay
from trialsim.scenario.design import Design
from trialsim.scenario.hazards import Baseline
from trialsim.scenario.schema import Scenario
from trialsim.stats.sample_size.piecewise_events import (
    Steps,
    SurvivalPlan,
    added,
    constant,
    expected_course,
    product,
)
from trialsim.timegrid import TICKS_PER_DAY

_NODES = 128
_PIECES = 200
_MOVED_BY = ("covariates", "latent", "modifiers", "drift", "site", "after", "outcome")
_AT_ONCE = 1.0 / TICKS_PER_DAY


def events_by_the_horizon(world: Scenario, design: Design) -> float | None:
    """Return the events of the first test's two arms that are expected to be known by the horizon; None without any.

    Loss, deaths of another endpoint and read-outs or reports that come later lower them. Whatever goes by patients' traits
    or outcomes is taken not to happen, and patients of sites to enter at once: the events are then at most as many.

    Parameters
    ----------
    world
        A scenario in one truth.
    design
        A design with two arms, tested on a survival endpoint whose hazard goes by the arm alone.
    """
    tested = world.hypotheses[next(iter(design.tests))].endpoint
    endpoint = world.endpoints[tested]
    if endpoint.kind != "survival":
        return None
    first, other = design.arms
    until = world.horizon
    baseline = _steps(endpoint.baseline, until)
    ratios = [_ratio(endpoint.effect, arm) for arm in (first, other)]
    leaving = [constant(0.0), constant(0.0)]
    for part in _what_ends_follow_up(world, tested):
        hazard = _steps(part.baseline, until)
        hazards = (product(hazard, _ratio(part.effect, arm)) for arm in (first, other))
        leaving = [added(*both) for both in zip(leaving, hazards, strict=True)]
    rates, over = _accrual(world, design.n)
    shares = design.allocation.ratio or {}
    plan = SurvivalPlan(
        control_hazard=product(baseline, ratios[0]),
        hazard_ratio=product(
            ratios[1], Steps(ratios[0].starts, tuple(1.0 / value for value in ratios[0].values))
        ),
        accrual_rate=rates,
        accrual_duration=min(over, until),
        control_dropout=leaving[0],
        treatment_dropout=leaving[1],
        ratio=shares.get(other, 1) / shares.get(first, 1),
    )
    return sum(
        weight * expected_course(plan, until - later).events
        for later, weight in _delays(endpoint)
        if later < until
    )


def _what_ends_follow_up(world: Scenario, tested: str) -> Iterator[Any]:
    """Yield what has a hazard by arm and ends follow-up beside the tested event: loss, and death of its own endpoint."""
    deaths = (
        part for name, part in world.endpoints.items() if name != tested and getattr(part, "terminal", None)
    )
    for part in (world.dropout, *deaths):
        if part is not None and not any(getattr(part, key, None) for key in _MOVED_BY):
            yield part


def _delays(endpoint: Any) -> list[tuple[float, float]]:
    """Return the days from an event to when it is known, and their weights (Gauss and Legendre over their distribution)."""
    if endpoint.report_delay is None:
        return [(endpoint.readout, 1.0)]
    kind, first, second = delay_law(endpoint.report_delay, 1).parameters
    nodes, weights = np.polynomial.legendre.leggauss(1 if kind == FIXED else _NODES)
    return [
        (drawn_delay(0.5 * (1.0 + float(node)), kind, first, second, 1) / TICKS_PER_DAY, 0.5 * float(weight))
        for node, weight in zip(nodes, weights, strict=True)
    ]


def _ratio(effect: Any, arm: str) -> Steps:
    """Return the hazard ratio of an arm."""
    ratio = effect.get(arm, 1.0)
    if not isinstance(ratio, tuple):
        return constant(ratio)
    starts, values = zip(*ratio, strict=True)
    return Steps(starts, values)


def _steps(baseline: Baseline, until: float) -> Steps:
    """Return a hazard in pieces; up to some days that of a Weibull law, as its means over many of them."""
    if baseline.weibull is None:
        return Steps(*baseline.segments())
    shape, scale = baseline.weibull
    share = np.arange(_PIECES) / _PIECES
    days = np.unique([until * share, np.minimum(scale * (-np.log1p(-share)) ** (1.0 / shape), until)])
    days = np.append(days[days < until], until)
    values = np.diff((days / scale) ** shape) / np.diff(days)
    return Steps(tuple(days[:-1].tolist()), tuple(values.tolist()))


def _accrual(world: Scenario, n: int) -> tuple[Steps, float]:
    """Return accrual rates and the days until all patients are expected."""
    accrual = world.accrual
    if accrual.over is not None:
        return constant(n / accrual.over), accrual.over
    pieces = accrual.rates or (((0.0, accrual.rate),) if accrual.rate is not None else ())
    if not pieces:  # sites
        return constant(n / _AT_ONCE), _AT_ONCE
    starts, values = zip(*pieces, strict=True)
    left = float(n)
    for start, rate, end in zip(starts, values, (*starts[1:], float("inf")), strict=True):
        if rate > 0.0 and rate * (end - start) >= left:
            break
        left -= rate * (end - start)
    return Steps(tuple(starts), tuple(values)), start + left / rate
