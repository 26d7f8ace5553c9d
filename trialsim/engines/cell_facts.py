"""What is true in each cell, a design under a truth: the table of cells of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from trialsim.contracts import TestPlan
from trialsim.engines.adverse_event_effects import smallest
from trialsim.engines.plan import Plan
from trialsim.engines.potential_outcomes import is_solved
from trialsim.engines.strategies import estimator_of
from trialsim.engines.true_values import (
    benefit,
    benefit_beyond_margin,
    estimand_of,
    true_value,
    true_value_with_error,
    undisturbed,
)


def cell_table(plans: Sequence[Plan]) -> pa.Table:
    """Return what is true in each cell: a row a design, truth and hypothesis."""
    rows: list[Mapping[str, Any]] = []
    for plan in plans:
        best = ""
        for place, test in enumerate(plan.tests):
            pair = (test.treatment, test.control)
            disturbed = test.adverse_events is None and not is_solved(plan, test)
            calm = undisturbed(plan) if disturbed else plan
            value, error = true_value_with_error(plan, test, *pair)
            if place == 0:
                best = _best_arm(plan, {test.treatment: value} if test.control == 0 else {})
            calm_value = true_value(calm, test, *pair) if disturbed else value
            null = is_null(plan, test, value)
            rows.append(
                {
                    "design": plan.design,
                    "truth": plan.truth,
                    "hypothesis": test.name,
                    "estimand": estimand_of(test),
                    "estimator": estimator_of(test),
                    "true_value": value,
                    "null": null,
                    "best_arm": best,
                    "alpha": test.alpha,
                    "unit": _unit(plan, test),
                    "endpoint": _endpoint_of(plan, test),
                    "analysis": test.analysis.name,
                    "strategy": test.strategy,
                    "true_value_mcse": error,
                    "undisturbed_value": calm_value,
                    "undisturbed_null": is_null(calm, test, calm_value) if disturbed else null,
                }
                | ({} if plan.world.costs is None else {"currency": plan.world.costs.currency})
            )
    table = pa.Table.from_pylist(rows)
    # Where no true value is known in any cell, the column has no type of its own.
    for name in ("true_value", "true_value_mcse", "undisturbed_value"):
        at = table.column_names.index(name)
        table = table.set_column(at, name, table[name].cast(pa.float64()))
    return table


def is_null(plan: Plan, test: TestPlan, value: float | None = None) -> bool:
    """Return whether a test's null hypothesis is true; ``value`` is the true value where it is known already."""
    return benefit_beyond_margin(plan, test, value) <= _smallest_of(plan, test)


def _endpoint_of(plan: Plan, test: TestPlan) -> str:
    """Return what a test is about: its endpoint, or adverse events."""
    return "adverse events" if test.adverse_events is not None else plan.world.outcomes[test.endpoint].name


def _smallest(plan: Plan, endpoint: int) -> float:
    """Return the effect below which there is none: what is left where a marginal effect is solved for is far less."""
    return 1e-9 * (plan.world.outcomes[endpoint].sd or 1.0)


def _smallest_of(plan: Plan, test: TestPlan) -> float:
    """Return the effect of a test below which there is none."""
    return _smallest(plan, test.endpoint) if test.adverse_events is None else smallest(plan, test)


def _unit(plan: Plan, test: TestPlan) -> str:
    """Return the unit of a test's estimand."""
    units = {
        "log_hazard_ratio": "log hazard ratio",
        "weighted_log_hazard_ratio": "log hazard ratio",
        "log_odds_ratio": "log odds ratio",
        "log_rate_ratio": "log rate ratio",
        "risk_difference": "probability",
        "difference_in_survival": "probability",
        "difference_in_event_rates": "probability",
        "difference_in_restricted_means": "days",
    }
    return units.get(test.analysis.estimand, f"unit of {plan.world.outcomes[test.endpoint].name}")


def _best_arm(plan: Plan, known: Mapping[int, float]) -> str:
    """Return the arm with the best true value of the first test's endpoint; empty where several share it.

    ``known`` are true values of that test against the first arm that have been worked out already, by arm.
    """
    test = plan.tests[0]
    values = [0.0] + [benefit(plan, test, a, 0, known.get(a)) for a in range(1, len(plan.arms))]
    best, near = max(values), _smallest(plan, plan.primary)
    holders = [arm for arm, value in zip(plan.arms, values, strict=True) if value >= best - near]
    return holders[0] if len(holders) == 1 < len(plan.arms) else ""
