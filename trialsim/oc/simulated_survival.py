"""The power of a log-rank test, weighted or not, by simulation: the check of a formula, trial by trial.

The question is written as a scenario and run like any other: patients enter evenly spaced at the rates of the plan, hazards
and dropout are as they are, analyses come at the calendar times that the formula expects.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from trialsim.engines.runner import run
from trialsim.errors import UsageError
from trialsim.oc.montecarlo import MonteCarlo, proportion
from trialsim.scenario.load import scenario_from
from trialsim.stats.sample_size.piecewise_events import Steps, SurvivalPlan
from trialsim.stats.sample_size.smallest import split_whole
from trialsim.stats.sample_size.survival_question import SurvivalQuestion

FEWEST, MOST = 100, 10_000_000
_LARGEST_SHARE = 20


def simulated_power(
    question: SurvivalQuestion, plan: SurvivalPlan, time: float, trials: int, seed: int
) -> MonteCarlo:
    """Return the share of simulated trials that reject, with its Monte Carlo standard error.

    Parameters
    ----------
    question
        The test, its level and its bounds.
    plan
        The trial.
    time
        Days from the start of accrual to the last analysis.
    trials, seed
        Of the simulation.

    Raises
    ------
    UsageError
        Where the test or the plan cannot be simulated.
    """
    if not FEWEST <= trials <= MOST:
        raise UsageError(f"--simulate: {trials} is out of range; it must be {FEWEST:,} to {MOST:,} trials.")
    if question.design.null != 1.0:
        raise UsageError(
            "--simulate: simulated log-rank tests are of equality; leave it out where --null is another."
        )
    scenario = scenario_from(scenario_of(question, plan, time))
    rejected = 0

    def count(tables: Mapping[str, Any]) -> None:
        nonlocal rejected
        rejected += int(tables["trials"]["reject:benefit"].to_numpy().sum())

    run(scenario, None, None, trials, seed, "fast", 1, count)
    return proportion(rejected, trials)


def scenario_of(question: SurvivalQuestion, plan: SurvivalPlan, time: float) -> dict[str, Any]:
    """Return the question as a scenario of one design and one truth, as plain data."""
    n = sum(split_whole(round(plan.patients), plan.ratio))
    endpoint = {
        "kind": "survival",
        "baseline": {"piecewise": _hazards(plan.control_hazard)},
        "effect": {"treatment": _ratios(plan.hazard_ratio)},
    }
    tree: dict[str, Any] = {
        "name": "power_of_a_test",
        "horizon": _days(max(time, plan.accrual_duration) + 1.0),
        "accrual": _accrual(plan),
        "arms": ["control", "treatment"],
        "endpoints": {"outcome": endpoint},
        "hypotheses": {
            "benefit": {
                "endpoint": "outcome",
                "arms": ["treatment", "control"],
                "analysis": _analysis(question),
                "direction": "higher" if question.higher else "lower",
            }
        },
        "truths": {"assumed": {}},
        "designs": {"design": _design(question, plan, time, n)},
    }
    return tree | _dropout(plan)


def _design(question: SurvivalQuestion, plan: SurvivalPlan, time: float, n: int) -> dict[str, Any]:
    """Return the design: analyses at the times that the formula expects, with its bounds."""
    looks = [{"when": {"calendar": _days(day)}} for day in question.look_times(plan, time)]
    design = {
        "kind": "fixed", "n": n, "allocation": {"alternating": _shares(plan.ratio)}, "looks": looks,
        "tests": {"benefit": {"alpha": question.design.alpha}},
    }  # fmt: skip
    if question.bounds is None:
        return design
    bounds = question.bounds
    futility = [*(_bound(z) for z in bounds.futility[:-1]), None]
    written = {"efficacy_z": [_bound(z) for z in bounds.efficacy], "futility_z": futility}
    return design | {"kind": "group_sequential", "bounds": written}


def _analysis(question: SurvivalQuestion) -> Any:
    """Return the analysis."""
    weight = question.weight
    if weight.plain:
        return "logrank"
    if weight.kind != "fh":
        raise UsageError(
            f"--simulate: the weight {weight.kind} is not among the analyses that can be simulated; use logrank or fh."
        )
    return {"fleming_harrington": {"rho": weight.rho, "gamma": weight.gamma}}


def _accrual(plan: SurvivalPlan) -> dict[str, Any]:
    """Return accrual at the rates of the plan, patients evenly spaced."""
    if plan.accrual_rate.constant:
        return {"evenly_spaced": {"over": _days(plan.accrual_duration)}}
    rates = [
        {"from": _days(start), "rate": f"{value!r} per day"}
        for start, value in zip(plan.accrual_rate.starts, plan.accrual_rate.values, strict=True)
    ]
    return {"piecewise": {"rates": rates, "arrivals": "evenly_spaced"}}


def _dropout(plan: SurvivalPlan) -> dict[str, Any]:
    """Return loss to follow-up, where there is any."""
    control, treatment = plan.control_dropout, plan.treatment_dropout
    if not any(control.values) and not any(treatment.values):
        return {}
    if control == treatment:
        return {"dropout": {"baseline": {"piecewise": _hazards(control)}}}
    if not (control.constant and treatment.constant) or not control.values[0] or not treatment.values[0]:
        raise UsageError(
            "--simulate: dropout that differs between the arms is simulated where both hazards are constant and above 0."
        )
    ratio = treatment.values[0] / control.values[0]
    return {"dropout": {"baseline": {"piecewise": _hazards(control)}, "effect": {"treatment": ratio}}}


def _shares(ratio: float) -> dict[str, Any]:
    """Return allocation in turn by whole shares."""
    share = Fraction(ratio).limit_denominator(_LARGEST_SHARE)
    if not math.isclose(share, ratio, rel_tol=1e-9) or share.numerator > 100:
        raise UsageError(
            f"--simulate: the ratio {ratio:g} is not one of small whole numbers, such as 1.5 or 2."
        )
    return {"ratio": {"control": share.denominator, "treatment": share.numerator}}


def _hazards(steps: Steps) -> list[dict[str, str]]:
    """Return hazards by time since randomisation."""
    pairs = zip(steps.starts, steps.values, strict=True)
    return [{"from": _days(start), "hazard": f"{value!r} per day"} for start, value in pairs]


def _ratios(steps: Steps) -> Any:
    """Return a hazard ratio, in pieces where it changes."""
    if steps.constant:
        return steps.values[0]
    pairs = zip(steps.starts, steps.values, strict=True)
    return [{"from": _days(start), "hazard_ratio": value} for start, value in pairs]


def _bound(z: float) -> float | None:
    """Return a bound as a scenario writes it."""
    return z if math.isfinite(z) else None


def _days(days: float) -> str:
    """Return a duration as a scenario writes it."""
    return f"{float(days)!r} days"
