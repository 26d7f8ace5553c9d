"""True values of the estimands of analyses, and whether they are a benefit."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trialsim.analyses.bayesian.as_analysis import UNKNOWN_ESTIMAND
from trialsim.contracts import Bools, Floats, Ints, TestPlan
from trialsim.engines import adverse_event_effects, potential_outcomes
from trialsim.engines.plan import Plan
from trialsim.population.estimands import adjusted_cox_log_ratio, population_survival, time_grid
from trialsim.stats.kaplan_meier import kaplan_meier
from trialsim.stats.logistic import fit_logistic
from trialsim.timegrid import TICKS_PER_DAY

Pair = tuple[int, int]
Sample = tuple[NDArray[Any], Bools]
"""Times and whether they are those of events, or expected read-outs and whether they count, ``[patient]`` each."""

_GROWING = ("difference_in_restricted_means", "difference_in_survival")
"""Estimands of survival that grow as the hazard falls."""

_BATCHES = 20
"""Parts of the keyed patients whose values, compared with each other, tell the Monte Carlo error of the whole."""

_LARGEST_SAMPLE = 4000
"""Patients over which a model with covariates is averaged: the model is fitted, so that many more would take long."""


def estimand_of(test: TestPlan) -> str:
    """Return the name of what a test estimates; given covariates, log ratios of hazards and of odds are other numbers."""
    name = test.analysis.estimand
    return f"conditional_{name}" if test.covariates and name.startswith("log_") else name


def true_value(plan: Plan, test: TestPlan, treatment: int, control: int) -> float:
    """Return what an ideal trial would find of a test's estimand.

    Parameters
    ----------
    plan
        The design under a truth.
    test
        Its endpoint, analysis, follow-up and strategy are read.
    treatment, control
        Indices of the arms.

    Returns
    -------
    float
        In the unit of the estimand; NaN where it is not computed: a weighted log hazard ratio, which depends on who is
        followed for how long, and a conditional log ratio where what becomes of patients, or their site, changes their
        outcomes.
    """
    estimand, pair = estimand_of(test), (treatment, control)
    if test.adverse_events is not None:
        return adverse_event_effects.true_value(plan, test, treatment, control)
    if test.options.get("rate") is not None:
        return plan.world.mean_responses(test.endpoint, (treatment, treatment))[0] - float(
            test.options["rate"]
        )
    if estimand in ("weighted_log_hazard_ratio", UNKNOWN_ESTIMAND):
        return math.nan
    if estimand == "difference_in_event_rates":
        return -_difference_of_curves(plan, test, pair)
    if estimand in _GROWING:
        return _difference_of_curves(plan, test, pair)
    if estimand == "log_odds_ratio":
        return _log_odds_ratio(plan, test, pair)
    if estimand.startswith("conditional_"):
        if not potential_outcomes.is_solved(plan, test) or plan.world.outcomes[test.endpoint].by_site:
            return math.nan
        odds = estimand == "conditional_log_odds_ratio"
        return _conditional_odds(plan, test, pair) if odds else _conditional_hazards(plan, test, pair)
    return potential_outcomes.true_value(plan, test, treatment, control)


def true_value_with_error(plan: Plan, test: TestPlan, treatment: int, control: int) -> tuple[float, float]:
    """Return a true value and its Monte Carlo standard error; parameters as :func:`true_value`.

    Where the value comes from the potential outcomes of keyed patients, the error comes of the values of 20 parts of them
    (batch means); each part holds its patients under both arms. It is NaN where the laws alone give the value, or none is
    known.
    """
    estimand, pair = estimand_of(test), (treatment, control)
    if test.adverse_events is not None:
        return adverse_event_effects.true_value_with_error(plan, test, treatment, control)
    unknown = estimand in ("weighted_log_hazard_ratio", UNKNOWN_ESTIMAND) or estimand.startswith(
        "conditional_"
    )
    if unknown or test.options.get("rate") is not None or potential_outcomes.is_solved(plan, test):
        return true_value(plan, test, treatment, control), math.nan
    samples, compared = _sampled(plan, test, pair)
    return compared(*samples), _error_of(samples, compared)


def error_of_all(plan: Plan, test: TestPlan) -> float:
    """Return the Monte Carlo standard error of what :func:`benefit` goes by where a test's estimand has no known value."""
    return _error_of(*_sampled(plan, test, (test.treatment, test.control)))


def _error_of(samples: tuple[Sample, Sample], compared: Callable[[Sample, Sample], float]) -> float:
    """Return the standard error of an estimand of keyed patients, by parts of them that have a value."""
    found = [compared(*part) for part in zip(*(_cut(*sample) for sample in samples), strict=True)]
    parts = [value for value in found if not math.isnan(value)]
    return float(np.std(parts, ddof=1)) / math.sqrt(len(parts)) if len(parts) > 1 else math.nan


def undisturbed(plan: Plan) -> Plan:
    """Return the plan in which nothing happens to patients after randomisation but their outcomes and loss to follow-up.

    What is true there is what the effects say as they are written: nobody discontinues, crosses over, takes rescue
    treatment or has adverse events.
    """
    return replace(plan, world=replace(plan.world, life=None), monitoring=None)


def benefit(plan: Plan, test: TestPlan, treatment: int, control: int, value: float | None = None) -> float:
    """Return the true effect of two arms, positive where it is a benefit; parameters as :func:`true_value`.

    Where the estimand has no known value, that of the endpoint decides: the hazard or odds ratio of all patients. ``value``
    is the true value where it has been worked out already.
    """
    if value is None:
        value = true_value(plan, test, treatment, control)
    lower = test.lower_is_better
    if math.isnan(value) and test.adverse_events is None:
        value = potential_outcomes.true_value(plan, test, treatment, control)
    elif estimand_of(test) in _GROWING:
        lower = not lower
    return -value if lower else value


def benefits_of_arms(plan: Plan) -> Floats:
    """Return the true benefit of each arm over the first one in the endpoint of the first test, ``[arm]``."""
    others = (benefit(plan, plan.tests[0], arm, 0) for arm in range(1, len(plan.arms)))
    return np.array([0.0, *others])


def benefits_of_tests(plan: Plan) -> Floats:
    """Return by how much the true effect of each test is better than its null hypothesis allows, ``[test]``."""
    return np.array([benefit_beyond_margin(plan, test) for test in plan.tests])


def benefit_beyond_margin(plan: Plan, test: TestPlan, value: float | None = None) -> float:
    """Return by how much the true effect is better than what a test's null hypothesis allows; above 0 it is false.

    The null hypothesis is no benefit, or, where the analysis has a margin, an effect that is no better than the margin.
    ``value`` is the true value where it has been worked out already.
    """
    margin = float(test.options.get("margin", 0.0))
    if "margin_ratio" in test.options:
        margin = math.log(test.options["margin_ratio"])
    falls = test.lower_is_better != (estimand_of(test) in _GROWING)
    return benefit(plan, test, test.treatment, test.control, value) - (-margin if falls else margin)


def _difference_of_curves(plan: Plan, test: TestPlan, pair: Pair) -> float:
    """Return the difference of restricted means, or of survival at a milestone."""
    mean = "up_to" in test.options
    until = float(test.options["up_to" if mean else "at"])
    if not potential_outcomes.is_solved(plan, test):
        found = [
            _kaplan_meier(times, until) for times in potential_outcomes.times_under(plan, test, pair, until)
        ]
        return found[0][mean] - found[1][mean]
    law = plan.world.outcomes[test.endpoint].hazard
    assert law is not None
    factors, weights = plan.world.truth_factors(test.endpoint, pair)
    days = time_grid(law, pair, factors, until, weights)
    treated, untreated = (
        population_survival(law, arm, f, days, w) for arm, f, w in zip(pair, factors, weights, strict=True)
    )
    apart = treated - untreated
    return float(np.trapezoid(apart, days)) if mean else float(apart[-1])


def _kaplan_meier(times: tuple[Ints, Bools], until: float) -> tuple[float, float]:
    """Return survival at a time and mean survival time up to it."""
    days, event = times[0] / TICKS_PER_DAY, times[1].astype(np.int8)
    n, longest = np.zeros((1, 2), dtype=np.int64), np.zeros((1, 2))
    survival, greenwood, mean, variance = (np.zeros((1, 2)) for _ in range(4))
    kaplan_meier(
        np.array([0, len(days)]), np.ones(len(days), dtype=np.int8), days, event, until, n, longest, survival, greenwood,
        mean, variance,
    )  # fmt: skip
    return float(survival[0, 1]), float(mean[0, 1])


def _sampled(
    plan: Plan, test: TestPlan, pair: Pair
) -> tuple[tuple[Sample, Sample], Callable[[Sample, Sample], float]]:
    """Return what becomes of keyed patients under each of two arms, and what compares them: the estimand."""
    estimand = estimand_of(test)
    if plan.world.outcomes[test.endpoint].kind != "survival":
        odds = estimand == "log_odds_ratio"
        return potential_outcomes.readouts_under(plan, test, pair), _odds_of_two if odds else _means_of_two
    if estimand not in (*_GROWING, "difference_in_event_rates"):
        found = potential_outcomes.times_under(plan, test, pair, test.follow_up)
        return found, lambda treated, untreated: potential_outcomes.cox_of_two(*treated, *untreated)
    mean = "up_to" in test.options
    until = float(test.options["up_to" if mean else "at"])
    sign = 1.0 if estimand in _GROWING else -1.0

    def curves(treated: Sample, untreated: Sample) -> float:
        return sign * (_kaplan_meier(treated, until)[mean] - _kaplan_meier(untreated, until)[mean])

    return potential_outcomes.times_under(plan, test, pair, until), curves


def _means_of_two(treated: Sample, untreated: Sample) -> float:
    """Return the difference of mean expected read-outs of those who count."""
    return _mean_of(*treated) - _mean_of(*untreated)


def _odds_of_two(treated: Sample, untreated: Sample) -> float:
    """Return the log odds ratio of mean probabilities of those who count."""
    return _log_odds_of(_mean_of(*treated), _mean_of(*untreated))


def _mean_of(value: Floats, counts: Bools) -> float:
    """Return the mean expected read-out of those who count; NaN of nobody."""
    return float(value[counts].mean()) if counts.any() else math.nan


def _cut(values: NDArray[Any], flags: Bools) -> list[Sample]:
    """Return values and flags of keyed patients by part."""
    return list(zip(np.array_split(values, _BATCHES), np.array_split(flags, _BATCHES), strict=True))


def _log_odds_ratio(plan: Plan, test: TestPlan, pair: Pair) -> float:
    """Return the log odds ratio of the arms' probabilities, which is that of all patients."""
    if potential_outcomes.is_solved(plan, test):
        rates = plan.world.mean_responses(test.endpoint, pair)
    else:
        rates = potential_outcomes.expected_under(plan, test, pair)
    return _log_odds_of(*rates)


def _log_odds_of(treated: float, untreated: float) -> float:
    """Return the log odds ratio of two probabilities, NaN where one of them is 0 or 1."""
    if any(rate <= 0.0 or rate >= 1.0 for rate in (treated, untreated)):
        return math.nan
    return math.log(treated / (1.0 - treated)) - math.log(untreated / (1.0 - untreated))


def _sample(plan: Plan, test: TestPlan, pair: Pair) -> tuple[Floats, tuple[Floats, Floats]]:
    """Return what the analysis adjusts for, and the outcome's parameters under both arms, of a sample of patients."""
    records, parts = plan.world.truth_sample(test.endpoint)
    every = slice(None, None, max(1, -(-len(records) // _LARGEST_SAMPLE)))
    main, modifier, drift = (part[every] for part in parts)
    law = plan.world.outcomes[test.endpoint]
    chosen = law.parameters_of(main, modifier, drift).astype(np.float64)
    return plan.adjustment(test).of(records[every]), (chosen[:, pair[0]], chosen[:, pair[1]])


def _conditional_odds(plan: Plan, test: TestPlan, pair: Pair) -> float:
    """Return the log odds ratio that logistic regression on the covariates finds, half of the patients on each arm."""
    covariates, parameters = _sample(plan, test, pair)
    spread = covariates.std(axis=0)
    columns = (covariates - covariates.mean(axis=0))[:, spread > 0.0] / spread[spread > 0.0]
    n = len(columns)
    design = np.ones((2 * n, columns.shape[1] + 2))
    design[:, 1:-1] = np.tile(columns, (2, 1))
    design[n:, -1] = 0.0
    beta = np.zeros(design.shape[1])
    rates = np.concatenate(parameters) * 2.0**-52
    fitted = fit_logistic(design, rates, beta, np.zeros((len(beta), len(beta))))
    return float(beta[-1]) if fitted else math.nan


def _conditional_hazards(plan: Plan, test: TestPlan, pair: Pair) -> float:
    """Return the log hazard ratio that a Cox model with the covariates finds; NaN where it has strata, too."""
    law = plan.world.outcomes[test.endpoint].hazard
    assert law is not None
    if test.strata or test.by_site:
        return math.nan
    covariates, factors = _sample(plan, test, pair)
    return adjusted_cox_log_ratio(law, pair, factors, covariates, test.follow_up)
