"""True values from potential outcomes: the same keyed patients live under both arms, and the outcomes are compared.

Where what becomes of patients changes their hazards, no formula gives the effect that an ideal trial would find. It is then
the average over :data:`SAMPLE` patients at addresses that no trial reaches, each of them put under both arms with the same
draws, followed to the end and never lost. The error of a log hazard ratio is at most about 2 / sqrt(events).
"""

from __future__ import annotations

import numpy as np

from trialsim.contracts import Bools, Floats, Ints, TestPlan
from trialsim.draws import TRUTH_REPLICATE, TRUTH_SEED
from trialsim.engines.keyed_lives import Asked, Lives, journal_of, lives_of, parts_of
from trialsim.engines.life import LifeLaw
from trialsim.engines.plan import Plan
from trialsim.engines.strategies import (
    COMPOSITE,
    HYPOTHETICAL,
    PRINCIPAL_STRATUM,
    TREATMENT_POLICY,
    WHILE_ON_TREATMENT,
    ends_by_strategy,
    later,
)
from trialsim.engines.world import World
from trialsim.errors import Problem, ScenarioError
from trialsim.timegrid import to_ticks

SAMPLE = 100_000
"""Patients whose potential outcomes are compared."""
_PASSING_OVER_DEATH = (TREATMENT_POLICY, HYPOTHETICAL, PRINCIPAL_STRATUM)
"""Strategies under which a read-out is what it would be if nobody died before it."""


def true_value(plan: Plan, test: TestPlan, treatment: int, control: int) -> float:
    """Return the true effect of two arms on a test's endpoint under its strategy for intercurrent events.

    Parameters
    ----------
    plan
        The design under a truth.
    test
        Its endpoint, follow-up and strategy are read.
    treatment, control
        Indices of the arms.

    Returns
    -------
    float
        Log hazard ratio, difference of probabilities, or difference of means.
    """
    if is_solved(plan, test):
        return plan.world.true_value(test.endpoint, treatment, control, test.follow_up)
    if plan.world.outcomes[test.endpoint].kind == "survival":
        treated, untreated = times_under(plan, test, (treatment, control), test.follow_up)
        return cox_of_two(*treated, *untreated)
    values = expected_under(plan, test, (treatment, control))
    return values[0] - values[1]


def is_solved(plan: Plan, test: TestPlan) -> bool:
    """Return whether the world's laws alone give the effect on a test's endpoint under its strategy."""
    life = plan.world.life
    return life is None or _is_solved(plan.world, life, test.endpoint, test.strategy)


def times_under(
    plan: Plan, test: TestPlan, pair: tuple[int, int], follow_up: float
) -> tuple[tuple[Ints, Bools], tuple[Ints, Bools]]:
    """Return times, and whether they are those of events, of keyed patients under each of two arms.

    Parameters
    ----------
    plan, test
        The design under a truth, and the test whose endpoint and strategy are read.
    pair
        Indices of the arms.
    follow_up
        Days.

    Returns
    -------
    tuple
        For each arm ticks and events, ``[patient]``, of those who stay as the strategy has it.
    """
    life = plan.world.life
    assert life is not None
    until = max(to_ticks(follow_up), 1)
    lives, stays = _both_lives(plan, test, pair, until)
    e = list(life.numbers.survival.endpoints).index(test.endpoint)
    found = [_followed(each, e, until, test, stays) for each in lives]
    return found[0], found[1]


def expected_under(plan: Plan, test: TestPlan, pair: tuple[int, int]) -> tuple[float, float]:
    """Return the mean expected read-out of keyed patients under each of two arms; parameters as :func:`times_under`."""
    first, second = (float(value[counts].mean()) for value, counts in readouts_under(plan, test, pair))
    return first, second


def readouts_under(
    plan: Plan, test: TestPlan, pair: tuple[int, int]
) -> tuple[tuple[Floats, Bools], tuple[Floats, Bools]]:
    """Return each keyed patient's expected read-out under each of two arms, and whether the strategy counts it."""
    world, strategy = plan.world, test.strategy
    until = max(to_ticks(world.outcomes[test.endpoint].readout_ticks / (1 << 20)), 1)
    both, stays = _both_lives(plan, test, pair, until)
    records = world.source.records(TRUTH_SEED, TRUTH_REPLICATE, SAMPLE)
    found = []
    for lives, arm in zip(both, pair, strict=True):
        value, counts = _expected(world, test.endpoint, records, lives, arm, until), stays
        before = np.minimum(later(lives.quit, test.window), lives.died) < until
        if strategy == COMPOSITE:
            value = np.where(before, 1.0 if test.lower_is_better else 0.0, value)
        elif strategy == WHILE_ON_TREATMENT:
            counts = ~before & (lives.crossed >= until)
        _require_some(plan, test, counts)
        found.append((value, counts))
    return found[0], found[1]


def journal_under(plan: Plan, arm: int, until: int) -> tuple[Lives, tuple[Ints, Ints, Ints]]:
    """Return what becomes of keyed patients under an arm by a time, and their journal; nobody is lost."""
    return journal_of(_asked(plan, arm, until))


def _asked(plan: Plan, arm: int, until: int, nobody_quits: bool = False, nobody_dies: bool = False) -> Asked:
    """Return whose lives are asked for."""
    return Asked(plan.world, plan.monitoring, arm, until, nobody_quits, nobody_dies, SAMPLE, TRUTH_SEED)


def _both_lives(plan: Plan, test: TestPlan, pair: tuple[int, int], until: int) -> tuple[list[Lives], Bools]:
    """Return what becomes of keyed patients under each of two arms, and who stays under both."""
    stay = test.strategy == HYPOTHETICAL
    # Whoever is dead at a read-out has no outcome. A strategy that makes nothing of death asks for the one that would have
    # been, with all that would have become of treatment; what treatment was at death would stand still otherwise.
    survive = plan.world.outcomes[test.endpoint].kind != "survival" and test.strategy in _PASSING_OVER_DEATH
    lives = [lives_of(_asked(plan, arm, until, stay, survive)) for arm in pair]
    stays = np.ones(SAMPLE, dtype=bool)
    if test.strategy == PRINCIPAL_STRATUM:
        stays = np.minimum(lives[0].quit, lives[1].quit) > until
        _require_some(plan, test, stays)
    return lives, stays


def _require_some(plan: Plan, test: TestPlan, counts: Bools) -> None:
    """Refuse an estimand about patients of whom there are none.

    Raises
    ------
    ScenarioError
        Where none of the keyed patients counts, so that no effect is defined.
    """
    if not counts.any():
        why = (
            f"under the truth {plan.truth} none of {SAMPLE:,} patients counts as {test.strategy} has it: all have stopped "
            "treatment before the outcome; choose another strategy, an earlier outcome, or less discontinuation"
        )
        raise ScenarioError([Problem(f"hypotheses.{test.name}.strategy", why)])


def _is_solved(world: World, life: LifeLaw, endpoint: int, strategy: str) -> bool:
    """Return whether what becomes of patients leaves the effect on an endpoint as the world's laws have it."""
    numbers, law = life.numbers, world.outcomes[endpoint]
    if strategy != TREATMENT_POLICY:
        return False
    if law.kind != "survival":
        return not numbers.outcomes_change
    changed = (
        numbers.treatment.weights > 1
        or numbers.treatment.rescue[0] > 0.0
        or numbers.treatment.crossover_on > -2
    )
    e = list(numbers.survival.endpoints).index(endpoint)
    if changed or (e == numbers.survival.terminal and bool(numbers.term.fatal.any())):
        return False
    return numbers.survival.terminal in (-1, e) or (law.predictor.empty and not law.by_site)


def _expected(world: World, endpoint: int, records: Floats, lives: Lives, arm: int, until: int) -> Floats:
    """Return the expected outcome of each patient under an arm, by what has become of its treatment by the read-out."""
    assert world.life is not None
    law, numbers, parts = (
        world.outcomes[endpoint],
        world.life.numbers,
        parts_of(world, endpoint, records, TRUTH_SEED),
    )

    def under(left: float) -> Floats:
        found = law.parameters_of(*parts, left)
        return np.asarray(found.astype(np.float64) * 2.0**-52 if law.kind == "binary" else found)

    whole = under(1.0)
    value = whole[:, arm].copy()
    # At the tick of a read-out the read-out comes first.
    if numbers.treatment.weights > 1:
        off = lives.last_dose < until
        steps = np.where(
            off, (until - 1 - np.minimum(lives.last_dose, until)) // numbers.treatment.step + 1, 0
        )
        place = np.minimum(steps, numbers.treatment.weights - 1)
        for step in np.unique(place[off]):
            here = off & (place == step)
            value[here] = under(float(numbers.treatment.left[step]))[here, arm]
    crossed = lives.crossed < until
    value[crossed] = whole[crossed, numbers.treatment.crossover_to]
    return value


def _followed(lives: Lives, e: int, until: int, test: TestPlan, stays: Bools) -> tuple[Ints, Bools]:
    """Return time and whether it is that of an event, of those who stay, as a strategy has it."""
    event, exit_ = lives.event[e], np.minimum(lives.exit[e], until)
    exit_ = np.where(lives.event[e] <= until, lives.event[e], exit_)
    event, exit_, _ = ends_by_strategy(
        test.strategy,
        event,
        exit_,
        exit_,
        lives.last_dose,
        lives.quit,
        lives.crossed,
        lives.died,
        test.window,
    )
    return exit_[stays], (event == exit_)[stays]


def cox_of_two(time: Ints, event: Bools, control_time: Ints, control_event: Bools) -> float:
    """Return the log hazard ratio of a Cox model of treatment alone, ties by Breslow's likelihood.

    Parameters
    ----------
    time, event
        Of those on treatment, ``[patient]``.
    control_time, control_event
        Of those on control.
    """
    both = np.concatenate([time[event], control_time[control_event]])
    if not len(both):
        return 0.0
    at, count = np.unique(both, return_counts=True)
    treated = np.zeros(len(at))
    np.add.at(treated, np.searchsorted(at, time[event]), 1.0)
    risk, control_risk = (len(t) - np.searchsorted(np.sort(t), at) for t in (time, control_time))
    beta = 0.0
    for _ in range(100):
        share = np.exp(beta) * risk / (np.exp(beta) * risk + control_risk)
        slope = float(np.sum(treated - count * share))
        information = float(np.sum(count * share * (1.0 - share)))
        if information <= 0.0:
            return beta
        step = slope / information
        beta += min(max(step, -1.0), 1.0)
        if abs(step) < 1e-12:
            break
    return beta
