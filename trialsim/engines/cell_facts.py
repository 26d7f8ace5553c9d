"""What is true in each cell, a design under a truth: the table of cells of a run."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from trialsim.contracts import TestPlan
from trialsim.engines.plan import Plan
from trialsim.engines.potential_outcomes import is_solved
from trialsim.engines.strategies import estimator_of
from trialsim.engines.true_values import (
    benefit,
    benefit_beyond_margin,
    error_of_all,
    estimand_of,
    true_value,
    true_value_with_error,
    undisturbed,
)

_TOLD_APART = 4.0
"""Standard errors by which a drawn true value has to differ from the null hypothesis' limit for this to be false."""


@dataclass(frozen=True)
class Truth:
    """What is true of a hypothesis in a cell.

    Parameters
    ----------
    value, error
        The true value of the estimand and its Monte Carlo standard error, NaN where the laws alone give the value or none
        is known.
    null
        Whether the null hypothesis is true, or not told from true by keyed patients: within four standard errors.
    """

    value: float
    error: float
    null: bool


def truth_of(plan: Plan, test: TestPlan) -> Truth:
    """Return what is true of a test's hypothesis."""
    value, error = true_value_with_error(plan, test, test.treatment, test.control)
    if math.isnan(value) and test.adverse_events is None and not is_solved(plan, test):
        return Truth(value, error, _is_null(plan, test, value, error_of_all(plan, test)))
    return Truth(value, error, _is_null(plan, test, value, error))


def cell_table(plans: Sequence[Plan]) -> pa.Table:
    """Return what is true in each cell: a row a design, truth and hypothesis."""
    rows: list[Mapping[str, Any]] = []
    for plan in plans:
        best = ""
        for place, test in enumerate(plan.tests):
            pair = (test.treatment, test.control)
            disturbed = test.adverse_events is None and not is_solved(plan, test)
            calm = undisturbed(plan) if disturbed else plan
            truth = truth_of(plan, test)
            if place == 0:
                best = _best_arm(
                    plan, {test.treatment: truth.value} if test.control == 0 else {}, truth.error
                )
            calm_value = true_value(calm, test, *pair) if disturbed else truth.value
            rows.append(
                {
                    "design": plan.design,
                    "truth": plan.truth,
                    "hypothesis": test.name,
                    "estimand": estimand_of(test),
                    "estimator": estimator_of(test, plan.world.outcomes[test.endpoint].kind),
                    "true_value": truth.value,
                    "null": truth.null,
                    "best_arm": best,
                    "alpha": test.alpha,
                    "unit": _unit(plan, test),
                    "endpoint": _endpoint_of(plan, test),
                    "analysis": test.analysis.name,
                    "strategy": test.strategy,
                    "true_value_mcse": truth.error,
                    "undisturbed_value": calm_value,
                    "undisturbed_null": _is_null(calm, test, calm_value, math.nan)
                    if disturbed
                    else truth.null,
                }
                | ({} if plan.world.costs is None else {"currency": plan.world.costs.currency})
            )
    table = pa.Table.from_pylist(rows)
    # Where no true value is known in any cell, the column has no type of its own.
    for name in ("true_value", "true_value_mcse", "undisturbed_value"):
        at = table.column_names.index(name)
        table = table.set_column(at, name, table[name].cast(pa.float64()))
    return table


def _is_null(plan: Plan, test: TestPlan, value: float, error: float) -> bool:
    """Return whether a test's null hypothesis is true, or not told from true, given the true value and its error."""
    return benefit_beyond_margin(plan, test, value) <= _smallest(plan, test.endpoint, error)


def _endpoint_of(plan: Plan, test: TestPlan) -> str:
    """Return what a test is about: its endpoint, or adverse events."""
    return "adverse events" if test.adverse_events is not None else plan.world.outcomes[test.endpoint].name


def _smallest(plan: Plan, endpoint: int, error: float) -> float:
    """Return the effect below which there is none.

    What is left where a marginal effect is solved for is far less; of what keyed patients show it is what they tell apart.
    """
    solved = 1e-9 * (plan.world.outcomes[endpoint].sd or 1.0)
    return solved if math.isnan(error) else max(solved, _TOLD_APART * error)


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


def _best_arm(plan: Plan, known: Mapping[int, float], error: float) -> str:
    """Return the arm with the best true value of the first test's endpoint; empty where several share it.

    ``known`` are true values of that test against the first arm that have been worked out already, by arm; ``error`` is the
    standard error of that test's.
    """
    test = plan.tests[0]
    values = [0.0] + [benefit(plan, test, a, 0, known.get(a)) for a in range(1, len(plan.arms))]
    best, near = max(values), _smallest(plan, plan.primary, error)
    holders = [arm for arm, value in zip(plan.arms, values, strict=True) if value >= best - near]
    return holders[0] if len(holders) == 1 < len(plan.arms) else ""
