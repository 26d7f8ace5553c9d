"""Expected events, sizes and power of log-rank tests against numerical integration, closed forms and simulation."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from lifelines.statistics import power_under_cph
from scipy import integrate, stats

from trialsim.errors import ScenarioError, UsageError
from trialsim.stats.sample_size.answer_survival import Wanted, survival_power_answer, survival_size_answer
from trialsim.stats.sample_size.piecewise_events import (
    Steps,
    SurvivalPlan,
    constant,
    events_in_the_end,
    expected_course,
)
from trialsim.stats.sample_size.sparse_events import sparse_event_alpha
from trialsim.stats.sample_size.survival import (
    LogrankDesign,
    lachin_foulkes_power,
    power_of_events,
    required_events,
    solve_follow_up,
    solve_patients,
    time_of_events,
)
from trialsim.stats.sample_size.survival_question import SurvivalQuestion
from trialsim.stats.sample_size.weighted_logrank import Weight, increments, weighted_analyses

HAZARD = math.log(2) / 8
RICH = SurvivalPlan(
    control_hazard=Steps((0.0, 3.0, 9.0), (0.05, 0.12, 0.03)),
    hazard_ratio=Steps((0.0, 4.0), (1.0, 0.6)),
    accrual_rate=Steps((0.0, 2.0, 5.0), (4.0, 0.0, 20.0)),
    accrual_duration=13.0,
    control_dropout=Steps((0.0, 6.0), (0.01, 0.02)),
    treatment_dropout=constant(0.03),
    ratio=2.0,
)


def integrated(plan: SurvivalPlan, time: float) -> tuple[float, float, float]:
    """Return events of control, of treatment and dropouts by brute numerical integration."""
    grid = np.linspace(0.0, time, 400_001)
    middle = (grid[:-1] + grid[1:]) / 2
    step = grid[1] - grid[0]
    entered = plan.enrolled(time - middle)
    found = []
    dropouts = 0.0
    arms = ((1 - plan.share, plan.control_hazard, plan.control_dropout),)
    arms += ((plan.share, plan.treatment_hazard, plan.treatment_dropout),)
    for share, hazard, dropout in arms:
        rates, leaves = hazard.at(middle), dropout.at(middle)
        total = np.cumsum((rates + leaves) * step)
        free = np.exp(-(total - (rates + leaves) * step / 2))
        found.append(share * float(np.sum(rates * free * entered) * step))
        dropouts += share * float(np.sum(leaves * free * entered) * step)
    return found[0], found[1], dropouts


@pytest.mark.parametrize("time", [1.5, 5.0, 13.0, 20.0, 60.0])
def test_expected_events_are_the_integral(time: float) -> None:
    course = expected_course(RICH, time)
    control, treatment, dropouts = integrated(RICH, time)
    assert course.control_events == pytest.approx(control, rel=2e-6, abs=1e-6)
    assert course.treatment_events == pytest.approx(treatment, rel=2e-6, abs=1e-6)
    assert course.control_dropouts + course.treatment_dropouts == pytest.approx(dropouts, rel=2e-6, abs=1e-6)


def test_a_tiny_hazard_loses_no_digit() -> None:
    for hazard in (1e-12, 1e-6, 4.9e-3, 5.1e-3):
        plan = SurvivalPlan(constant(hazard), constant(1.0), constant(1.0), 10.0)
        # Uniform entry over [0, 10], all followed to 20: closed form by expm1, to first orders for the smallest.
        mean = (math.expm1(-20 * hazard) - math.expm1(-10 * hazard)) / hazard / 10 if hazard > 1e-5 else None
        events = expected_course(plan, 20.0).events
        expected = (
            10 * (1 + mean) if mean is not None else 10 * (15 * hazard - (20**3 - 10**3) / 60 * hazard**2)
        )
        assert events == pytest.approx(expected, rel=1e-9)


def test_all_events_in_the_end_are_the_limit() -> None:
    assert expected_course(RICH, 2000.0).events == pytest.approx(events_in_the_end(RICH), rel=1e-12)
    cured = SurvivalPlan(Steps((0.0, 5.0), (0.1, 0.0)), constant(1.0), constant(1.0), 12.0)
    assert events_in_the_end(cured) == pytest.approx(12.0 * -math.expm1(-0.5), rel=1e-14)


def test_the_plan_is_that_of_simulated_trials() -> None:
    rng = np.random.default_rng(2)
    n, time = 400_000, 18.0
    # Entries by the inverse of the cumulative rate: 8 patients by month 2, none until 5, then 20 a month.
    u = rng.random(n) * RICH.patients
    entry = np.where(u < 8.0, u / 4.0, 5.0 + (u - 8.0) / 20.0)
    treated = rng.random(n) < RICH.share
    cumulative = rng.exponential(size=n)

    def inverse(steps: Steps, amount: np.ndarray) -> np.ndarray:  # type: ignore[type-arg]
        days, left = np.full(n, np.inf), amount.copy()
        ends = (*steps.starts[1:], np.inf)
        for start, end, value in zip(steps.starts, ends, steps.values, strict=True):
            here = np.isinf(days) & (left <= value * (end - start))
            days[here] = start + left[here] / value
            left = left - value * (end - start if np.isfinite(end) else 0.0)
        return days

    event = np.where(
        treated, inverse(RICH.treatment_hazard, cumulative), inverse(RICH.control_hazard, cumulative)
    )
    leave = rng.exponential(size=n)
    dropout = np.where(treated, inverse(RICH.treatment_dropout, leave), inverse(RICH.control_dropout, leave))
    seen = (event <= dropout) & (entry + event <= time)
    share = expected_course(RICH, time).events / RICH.patients
    assert seen.mean() == pytest.approx(share, abs=5 * math.sqrt(share * (1 - share) / n))


def test_events_of_the_formulae() -> None:
    z = stats.norm.isf(0.025) + stats.norm.isf(0.1)
    # Schoenfeld (1981) and Freedman (1982) for equal arms, by hand; equal allocation makes Hsieh's figure Freedman's.
    assert required_events(LogrankDesign(0.7), 0.9) == pytest.approx(4 * z**2 / math.log(0.7) ** 2, rel=1e-12)
    freedman = (z * 1.7 / 0.3) ** 2
    for method in ("freedman", "hsieh-freedman"):
        assert required_events(LogrankDesign(0.7, method=method), 0.9) == pytest.approx(freedman, rel=1e-12)
    unequal = LogrankDesign(0.7, ratio=2.0, method="freedman")
    assert required_events(unequal, 0.9) == pytest.approx((z * 2.4 / 0.3) ** 2 / 2, rel=1e-12)
    margin = LogrankDesign(1.0, null=1.3)
    assert required_events(margin, 0.9) == pytest.approx(4 * z**2 / math.log(1.3) ** 2, rel=1e-12)
    assert power_of_events(margin, required_events(margin, 0.9)) == pytest.approx(0.9, rel=1e-12)


@pytest.mark.parametrize("ratio", [0.5, 1.0, 3.0])
def test_freedman_is_that_of_lifelines(ratio: float) -> None:
    # lifelines calls it a Cox model; its formula is Freedman's (1982), two-sided, of events that come with a probability.
    control, of_treatment, of_control = 80, 0.45, 0.6
    theirs = power_under_cph(int(ratio * control), control, of_treatment, of_control, 0.6, alpha=0.05)
    events = ratio * control * of_treatment + control * of_control
    design = LogrankDesign(0.6, ratio=ratio, method="freedman")
    assert power_of_events(design, events) == pytest.approx(theirs, rel=1e-12)


def test_follow_up_accrual_and_patients_agree() -> None:
    for method in ("schoenfeld", "lachin-foulkes"):
        design = LogrankDesign(0.7, method=method)
        plan = SurvivalPlan(
            constant(HAZARD), constant(0.7), constant(1.0), 12.0, constant(0.01), constant(0.02)
        )
        solved = solve_patients(design, plan, 9.0, 0.9)
        assert solve_follow_up(design, solved, 0.9) == pytest.approx(9.0, rel=1e-8)
        question = SurvivalQuestion(design)
        assert question.with_accrual(solved, 9.0, 0.9).accrual_duration == pytest.approx(12.0, rel=1e-8)
        assert question.power(solved, 21.0) == pytest.approx(0.9, rel=1e-9)
    assert lachin_foulkes_power(design, solved, 21.0) == pytest.approx(0.9, rel=1e-9)
    assert time_of_events(RICH, expected_course(RICH, 17.0).events) == pytest.approx(17.0, rel=1e-9)


def test_weights_are_integrated_exactly() -> None:
    # Equal dropout: the pooled survival is the mixture of the arms', so that adaptive quadrature serves as a check.
    plan = SurvivalPlan(
        constant(0.08),
        Steps((0.0, 3.0), (1.3, 0.5)),
        constant(10.0),
        12.0,
        constant(0.02),
        constant(0.02),
        1.5,
    )
    time = 26.0
    p1 = plan.share

    def terms(t: float) -> tuple[float, float, float]:
        s0 = math.exp(-0.08 * t)
        s1 = math.exp(-0.08 * (1.3 * min(t, 3.0) + 0.5 * max(t - 3.0, 0.0)))
        still = math.exp(-0.02 * t) * float(plan.enrolled(np.array(time - t)))
        return (1 - p1) * s0, p1 * s1, still

    def score(t: float) -> float:
        a, b, still = terms(t)
        w = (a + b) ** 0.5 * (1 - a - b) ** 0.7
        return w * still * a * b / (a + b) * 0.08 * (1 - (1.3 if t < 3.0 else 0.5))

    def information(t: float) -> float:
        a, b, still = terms(t)
        w = (a + b) ** 0.5 * (1 - a - b) ** 0.7
        hazard = 0.08 * (a + b * (1.3 if t < 3.0 else 0.5)) / (a + b)
        return w * w * still * a * b / (a + b) * hazard

    found = weighted_analyses(plan, [time], Weight("fh", 0.5, 0.7))[0]
    for ours, function in ((found.score, score), (found.information, information)):
        whole = sum(
            integrate.quad(function, a, b, epsabs=1e-12, epsrel=1e-12, limit=400)[0]
            for a, b in ((0.0, 3.0), (3.0, 14.0), (14.0, 26.0))
        )
        assert ours == pytest.approx(whole, rel=1e-9)


def simulated(
    plan: SurvivalPlan, time: float, patients: int, weights: dict[str, Weight], replicates: int
) -> dict[str, float]:
    """Return the share of simulated trials in which each weighted log-rank test rejects, by plain arrays."""
    rng = np.random.default_rng(17)
    rejected = dict.fromkeys(weights, 0)
    arm = np.arange(patients) % 2
    for _ in range(replicates):
        entry = rng.random(patients) * plan.accrual_duration
        amount = rng.exponential(size=patients)
        event = np.empty(patients)
        for which, steps in ((0, plan.control_hazard), (1, plan.treatment_hazard)):
            ends = (
                np.cumsum(np.diff(steps.starts) * np.array(steps.values[:-1]))
                if len(steps.starts) > 1
                else []
            )
            mine = arm == which
            place = np.searchsorted(ends, amount[mine])
            before = np.concatenate(([0.0], ends))[place]
            event[mine] = (
                np.array(steps.starts)[place] + (amount[mine] - before) / np.array(steps.values)[place]
            )
        until = np.minimum(event, time - entry)
        order = np.argsort(until)
        died, treated = (event <= time - entry)[order], arm[order]
        at_risk = np.arange(patients, 0, -1)
        treated_at_risk = treated[::-1].cumsum()[::-1]
        share = treated_at_risk / at_risk
        survival = np.concatenate(([1.0], np.cumprod(1 - died / at_risk)[:-1]))
        for name, weight in weights.items():
            w = _weight(weight, survival, at_risk / patients, until[order])
            score = np.sum(w * died * (share - treated))
            rejected[name] += (
                score / math.sqrt(np.sum(w * w * died * share * (1 - share))) > 1.959963984540054
            )
    return {name: count / replicates for name, count in rejected.items()}


def _weight(weight: Weight, survival: np.ndarray, at_risk: np.ndarray, times: np.ndarray) -> np.ndarray:  # type: ignore[type-arg]
    if weight.kind == "gehan":
        return at_risk
    if weight.kind == "modest":
        return 1 / np.maximum(survival, survival[np.searchsorted(times, weight.delay)])
    return np.asarray(survival**weight.rho * (1 - survival) ** weight.gamma)


@pytest.mark.slow
def test_power_of_weighted_tests_is_that_of_simulated_trials() -> None:
    plan = SurvivalPlan(constant(0.08), Steps((0.0, 3.0), (1.0, 0.6)), constant(25.0), 12.0)
    weights = {
        "logrank": Weight(),
        "fh01": Weight("fh", 0.0, 1.0),
        "gehan": Weight("gehan"),
        "modest": Weight("modest", delay=6.0),
    }
    replicates = 4000
    found = simulated(plan, 26.0, 300, weights, replicates)
    for name, weight in weights.items():
        power = weighted_analyses(plan, [26.0], weight)[0].power(0.025)
        # 0.007 for the normal approximation, as far as it is off against the references (tests/reference/nph.csv).
        assert found[name] == pytest.approx(
            power, abs=0.007 + 5 * math.sqrt(power * (1 - power) / replicates)
        ), name


HARMFUL_EARLY = SurvivalPlan(
    # Treatment triples the hazard for three months and halves it for twelve: survival is worse until month 15, then equal.
    constant(HAZARD),
    Steps((0.0, 3.0, 15.0), (3.0, 0.5, 1.0)),
    constant(400 / 12),
    12.0,
)


@pytest.mark.slow
def test_fh01_rejects_too_often_where_treatment_is_never_better() -> None:
    days = np.linspace(0.0, 30.0, 301)
    excess = 2.0 * np.minimum(days, 3.0) - 0.5 * np.clip(
        days - 3.0, 0.0, 12.0
    )  # of the cumulative hazard, over HAZARD
    assert np.all(excess >= -1e-12), "survival under treatment would be better somewhere"
    weights = {"fh01": Weight("fh", 0.0, 1.0), "logrank": Weight()}
    analytic = {
        name: weighted_analyses(HARMFUL_EARLY, [30.0], each)[0].power(0.025) for name, each in weights.items()
    }
    assert analytic["fh01"] > 0.13
    assert analytic["logrank"] < 0.001
    replicates = 4000
    found = simulated(HARMFUL_EARLY, 30.0, 400, weights, replicates)
    error = 5 * math.sqrt(analytic["fh01"] * (1 - analytic["fh01"]) / replicates)
    assert found["fh01"] == pytest.approx(analytic["fh01"], abs=0.02 + error)
    assert found["fh01"] > 0.1


@pytest.mark.parametrize(
    ("hazard_ratio", "null", "ratio"), [(1.0, 1.4, 1.0), (1.3, 1.6, 2.0), (1.5, 1.2, 0.5)]
)
def test_a_margin_is_tested_by_the_score_at_it(hazard_ratio: float, null: float, ratio: float) -> None:
    plan = SurvivalPlan(
        constant(HAZARD),
        constant(hazard_ratio),
        constant(400 / 12),
        12.0,
        constant(0.01),
        constant(0.01),
        ratio,
    )
    expected = weighted_analyses(plan, [24.0], null=null)[0]
    rng = np.random.default_rng(11)
    trials, n = 2000, 400
    treated = rng.random((trials, n)) < plan.share
    life = rng.exponential(1 / (HAZARD * np.where(treated, hazard_ratio, 1.0)))
    censored = np.minimum(rng.exponential(100.0, (trials, n)), 24.0 - rng.uniform(0.0, 12.0, (trials, n)))
    order = np.argsort(np.minimum(life, censored), axis=1)
    on, event = np.take_along_axis(treated, order, 1), np.take_along_axis(life <= censored, order, 1)
    left = np.cumsum(on[:, ::-1], axis=1)[:, ::-1]  # on treatment and at risk, at each patient's own time
    chance = null * left / (null * left + (np.arange(n, 0, -1) - left))
    score = np.where(event, chance - on, 0.0).sum(axis=1)
    variance = np.where(event, chance * (1 - chance), 0.0).sum(axis=1)
    z = score / np.sqrt(variance)
    error = z.std() / math.sqrt(trials)
    assert abs(z.mean() - expected.drift) < 5 * error
    assert variance.mean() == pytest.approx(
        expected.information, abs=5 * variance.std() / math.sqrt(trials) + 0.5
    )


def test_analyses_against_a_margin_agree_with_the_power() -> None:
    months = 365.25 / 12
    plan = SurvivalPlan(constant(HAZARD / months), constant(1.3), constant(400 / 12 / months), 12 * months)
    question = SurvivalQuestion(LogrankDesign(1.3, null=1.6))
    answer = survival_power_answer(question, Wanted(plan=plan, follow_up=18 * months))
    # Schoenfeld's formula and the score at the margin are two approximations of one power.
    assert answer.analyses[0]["power"] == pytest.approx(answer.results["power"], abs=0.02)
    assert 0.4 < float(str(answer.results["power"])) < 0.6


def test_increments_are_independent_where_the_weight_stays() -> None:
    same = SurvivalPlan(constant(HAZARD), constant(0.7), constant(1.0), 12.0, constant(0.01), constant(0.01))
    other = SurvivalPlan(constant(HAZARD), constant(0.7), constant(1.0), 12.0, constant(0.01), constant(0.05))
    late = Weight("fh", 0.0, 1.0)
    assert increments(same, late)[0]
    assert not increments(other, late)[0]
    assert increments(other, Weight())[0]
    assert not increments(same, Weight("gehan"))[0]
    rows = weighted_analyses(same, [12.0, 24.0], late)
    information = rows[0].information / rows[1].information
    events = rows[0].events / rows[1].events
    assert information < events - 0.1


def test_the_error_under_few_events_is_binomial() -> None:
    # 20 events, one to one: rejecting with at most 5 on treatment (z = 2.236), P = 21700 / 2^20.
    assert sparse_event_alpha([20], [1.96], 0.5) == pytest.approx(21700 / 2**20, rel=1e-12)
    two = sparse_event_alpha([10, 20], [2.797, 1.977], 0.5)
    by_hand = 0.0
    for first in range(11):
        chance = math.comb(10, first) / 2**10
        if (5 - first) / math.sqrt(2.5) >= 2.797:
            by_hand += chance
            continue
        by_hand += chance * sum(
            math.comb(10, second) / 2**10
            for second in range(11)
            if (10 - first - second) / math.sqrt(5) >= 1.977
        )
    assert two == pytest.approx(by_hand, rel=1e-12)


def test_few_events_are_warned_of_where_the_error_exceeds() -> None:
    plan = SurvivalPlan(constant(0.002), constant(0.3), constant(100.0), 12.0)
    answer = survival_power_answer(SurvivalQuestion(LogrankDesign(0.3)), Wanted(plan, True, True, 12.0))
    attained = answer.attained_alpha.attained
    assert attained is not None
    events = round(expected_course(plan, 24.0).events)
    assert events < 0.2 * 1200
    k = np.arange(events + 1)
    rejects = (events / 2 - k) / math.sqrt(events / 4) >= 1.959963984540054
    assert attained == pytest.approx(stats.binom.pmf(k, events, 0.5)[rejects].sum(), rel=1e-10)
    assert any("above the nominal" in each for each in answer.warnings) == (attained > 0.025)


def test_events_alone_have_the_binomial_error_on_either_side() -> None:
    for ratio, k_from, k_to in ((0.4, 0, 5), (2.5, 15, 20)):
        answer = survival_power_answer(SurvivalQuestion(LogrankDesign(ratio)), Wanted(None), events=20)
        expected = sum(math.comb(20, k) for k in range(k_from, k_to + 1)) / 2**20
        assert answer.attained_alpha.attained == pytest.approx(expected, rel=1e-12)
    two_to_one = SurvivalQuestion(LogrankDesign(2.5, ratio=2.0))
    attained = survival_power_answer(two_to_one, Wanted(None), events=30).attained_alpha.attained
    # Rejects where treatment has 20 + 1.96 sqrt(30 * 2 / 9) = 25.06 events or more.
    assert attained == pytest.approx(float(stats.binom.sf(25, 30, 2 / 3)), rel=1e-10)


@pytest.mark.slow
def test_a_delayed_effect_is_warned_of() -> None:
    plan = SurvivalPlan(constant(HAZARD), Steps((0.0, 4.0), (1.0, 0.6)), constant(1.0), 12.0)
    sized = survival_size_answer(SurvivalQuestion(LogrankDesign(0.6)), Wanted(plan, follow_up=12.0), 0.9)
    assert any("assumes proportional hazards" in each for each in sized.warnings)
    honest = survival_size_answer(
        SurvivalQuestion(LogrankDesign(0.6), nonproportional=True), Wanted(plan, follow_up=12.0), 0.9
    )
    assert honest.warnings == ()
    assert float(str(honest.results["n_exact"])) > 2 * float(str(sized.results["n_exact"]))


def test_more_events_than_patients_can_give_are_told() -> None:
    plan = SurvivalPlan(constant(HAZARD), constant(0.7), constant(10.0), 12.0, constant(0.05), constant(0.05))
    question = SurvivalQuestion(LogrankDesign(0.7))
    with pytest.raises(UsageError, match=r"330\.4 events are needed, but 120 patients can give only"):
        survival_size_answer(question, Wanted(plan, patients=True), 0.9)
    answer = survival_power_answer(question, Wanted(plan, True), events=500)
    assert "More events than the patients can give" in answer.warnings[0]
    assert float(str(answer.results["events"])) <= 120


def test_a_test_without_a_benefit_has_no_size() -> None:
    plan = SurvivalPlan(constant(HAZARD), Steps((0.0, 2.0), (2.5, 1.0)), constant(1.0), 12.0)
    with pytest.raises(UsageError, match="expects no benefit"):
        survival_size_answer(
            SurvivalQuestion(LogrankDesign(2.5), nonproportional=True), Wanted(plan, follow_up=6.0), 0.9
        )


def test_patients_and_time_trade_off_at_the_same_power() -> None:
    plan = SurvivalPlan(constant(HAZARD), constant(0.7), constant(1.0), 12.0)
    answer = survival_size_answer(SurvivalQuestion(LogrankDesign(0.7)), Wanted(plan, follow_up=12.0), 0.9)
    rows = [{name: float(str(value)) for name, value in row.items()} for row in answer.trade_off]
    assert len(rows) > 5
    assert [row["n_total"] for row in rows] == sorted(row["n_total"] for row in rows)
    durations = [row["study_duration"] for row in rows]
    assert durations == sorted(durations, reverse=True)
    assert all(row["events"] == pytest.approx(330.37791396381, rel=1e-9) for row in rows)


def test_everything_wrong_is_told_at_once() -> None:
    with pytest.raises(ScenarioError) as refused:
        survival_size_answer(SurvivalQuestion(LogrankDesign(1.0, alpha=0.6, ratio=-1.0)), Wanted(None), 1.0)
    assert [problem.path for problem in refused.value.problems] == ["alpha", "ratio", "power", "hazard_ratio"]


def test_unequal_dropout_moves_the_weight_as_the_differential_equation_says() -> None:
    # The pooled survival solves S' = -S (n1 hazard1 + n0 hazard0) / (n1 + n0); score and information ride along.
    weight, time = Weight("fh", 0.5, 2.0), 20.0
    plan = RICH

    def slope(t: float, state: np.ndarray) -> list[float]:  # type: ignore[type-arg]
        log_control, log_treated, cumulative = state[:3]
        at = np.array(t)
        hazards = [float(each.at(at)) for each in (plan.control_hazard, plan.treatment_hazard)]
        leaves = [float(each.at(at)) for each in (plan.control_dropout, plan.treatment_dropout)]
        entered = float(plan.enrolled(np.array(time - t)))
        n0 = (1 - plan.share) * entered * math.exp(-log_control)
        n1 = plan.share * entered * math.exp(-log_treated)
        pooled = (n0 * hazards[0] + n1 * hazards[1]) / (n0 + n1)
        w = math.exp(-weight.rho * cumulative) * (-math.expm1(-cumulative)) ** weight.gamma
        product = n0 * n1 / (n0 + n1)
        return [
            hazards[0] + leaves[0],
            hazards[1] + leaves[1],
            pooled,
            w * product * (hazards[0] - hazards[1]),
            w * w * product * pooled,
        ]

    state = np.zeros(5)
    # Pieces between which everything is smooth; the last patients entered at month 13, the first at 0.
    breaks = [0.0, 3.0, 4.0, 6.0, 7.0, 9.0, 15.0, 18.0, 20.0 - 1e-12]
    for begin, end in itertools.pairwise(breaks):
        found = integrate.solve_ivp(
            slope, (begin, end - 1e-13), state, rtol=1e-11, atol=1e-13, method="DOP853"
        )
        state = found.y[:, -1]
    (analysis,) = weighted_analyses(plan, [time], weight)
    assert analysis.score == pytest.approx(state[3], rel=1e-8)
    assert analysis.information == pytest.approx(state[4], rel=1e-8)
