"""True values from potential outcomes: the same keyed patients live under both arms, and the outcomes are compared.

Where what becomes of patients changes their hazards, no formula gives the effect that an ideal trial would find. It is then
the average over :data:`SAMPLE` patients at addresses that no trial reaches, each of them put under both arms with the same
draws, followed to the end and never lost. The error of a log hazard ratio is at most about 2 / sqrt(events).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trialsim.contracts import Bools, Floats, Ints, MonitoringPolicy, TestPlan
from trialsim.draws import TRUTH_REPLICATE, TRUTH_SEED, block_count, patient_table
from trialsim.engines import fast_life_kernels as kernels
from trialsim.engines.candidate_views import standardised
from trialsim.engines.fast_monitoring import Hidden, decide_at_visits, no_orders
from trialsim.engines.fast_straight_kernels import DEAD
from trialsim.engines.life import LifeLaw, LifeNumbers
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
from trialsim.operations.sites import SITE_BITS
from trialsim.policies.scores import reads_latent
from trialsim.population.clocks import with_whole_effect
from trialsim.population.endpoints.binary import PATIENTS_A_WORD
from trialsim.timegrid import NEVER, to_ticks

SAMPLE = 100_000
"""Patients whose potential outcomes are compared."""


@dataclass(frozen=True)
class Lives:
    """What becomes of patients under one arm, in ticks since randomisation.

    Events and exits of survival endpoints are ``[endpoint, patient]``, the rest ``[patient]``; ``left`` is death, or having
    nothing more to give.
    """

    event: Ints
    exit: Ints
    last_dose: Ints
    quit: Ints
    crossed: Ints
    died: Ints
    left: Ints


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
    found = []
    for lives, arm in zip(both, pair, strict=True):
        value, counts = _expected(world, test.endpoint, _truth_records(world), lives, arm, until), stays
        before = np.minimum(later(lives.quit, test.window), lives.died) < until
        if strategy == COMPOSITE:
            value = np.where(before, 1.0 if test.lower_is_better else 0.0, value)
        elif strategy == WHILE_ON_TREATMENT:
            counts = ~before & (lives.crossed >= until)
        found.append((value, counts))
    return found[0], found[1]


def journal_under(plan: Plan, arm: int, until: int) -> tuple[Lives, tuple[Ints, Ints, Ints]]:
    """Return what becomes of keyed patients under an arm by a time, and their journal; nobody is lost."""
    world = plan.world
    assert world.life is not None
    return _led(world, world.life, _truth_records(world), arm, until, False, plan.monitoring)


def _truth_records(world: World) -> Floats:
    """Return the records of the patients whose potential outcomes are compared."""
    return world.source.records(TRUTH_SEED, TRUTH_REPLICATE, SAMPLE)


def _both_lives(plan: Plan, test: TestPlan, pair: tuple[int, int], until: int) -> tuple[list[Lives], Bools]:
    """Return what becomes of keyed patients under each of two arms, and who stays under both."""
    world = plan.world
    assert world.life is not None
    records = _truth_records(world)
    stay = test.strategy == HYPOTHETICAL
    lives = [lives_of(world, world.life, records, arm, until, stay, plan.monitoring) for arm in pair]
    stays = np.ones(SAMPLE, dtype=bool)
    if test.strategy == PRINCIPAL_STRATUM:
        stays = np.minimum(lives[0].quit, lives[1].quit) > until
    return lives, stays


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


def _ideal(numbers: LifeNumbers, nobody_quits: bool, monitored: bool) -> LifeNumbers:
    """Return the numbers of an ideal trial: nobody is lost, events are seen at once, and perhaps nobody discontinues."""
    present = numbers.clock.present.copy()
    ends = len(numbers.survival.endpoints)
    present[ends : ends + 2] = False
    survival = numbers.survival
    at_once = survival._replace(
        detected=np.zeros_like(survival.detected),
        report=np.zeros_like(survival.report),
        report_law=np.full_like(survival.report_law, -1.0),
        verdict_law=np.full_like(survival.verdict_law, -1.0),
    )
    visiting = (
        numbers.visiting if monitored else numbers.visiting._replace(visits=np.zeros(0, dtype=np.int64))
    )
    ideal = numbers._replace(
        clock=numbers.clock._replace(present=present),
        survival=at_once,
        reading=numbers.reading._replace(at_visit=np.zeros_like(numbers.reading.at_visit)),
        visiting=visiting,
    )
    if not nobody_quits:
        return ideal
    present[ends + 2 + len(numbers.term.address) :] = False
    kept_on = ideal.treatment._replace(reason_of_action=-1, reason_of_monitoring=-1, crossover_on=-2)
    return ideal._replace(treatment=kept_on)


def lives_of(
    world: World,
    life: LifeLaw,
    records: Floats,
    arm: int,
    until: int,
    nobody_quits: bool,
    monitoring: MonitoringPolicy | None = None,
) -> Lives:
    """Return what becomes of keyed patients under one arm by a time.

    Parameters
    ----------
    world, life
        The laws.
    records
        Of the patients, ``[patient, column]``.
    arm
        Index of the arm that all of them are on.
    until
        Ticks of follow-up.
    nobody_quits
        Whether to ask what would be if nobody discontinued or crossed over.
    monitoring
        What decides at visits, if anything does.
    """
    return _led(world, life, records, arm, until, nobody_quits, monitoring)[0]


def _led(
    world: World,
    life: LifeLaw,
    records: Floats,
    arm: int,
    until: int,
    nobody_quits: bool,
    monitoring: MonitoringPolicy | None,
) -> tuple[Lives, tuple[Ints, Ints, Ints]]:
    """Return what becomes of keyed patients, and the journal that tells it; parameters as :func:`lives_of`."""
    n = len(records)
    numbers = _ideal(life.numbers, nobody_quits, monitoring is not None)
    ends, reads = len(numbers.survival.endpoints), len(numbers.reading.readouts)
    shape = (n, len(world.arms))
    factors = np.stack(
        [
            np.ones(shape) if i < 0 else world.laws[i].parameters_of(*_parts(world, i, records))
            for i in life.laws
        ]
    )
    blocks = block_count(n)
    tables = np.stack(
        [
            patient_table(blocks, int(purpose), int(draw), TRUTH_SEED)
            for purpose, draw in zip(numbers.clock.purpose, numbers.clock.draw, strict=True)
        ]
    )
    starts = with_whole_effect(life.clocks, numbers.treatment.weights)
    outcomes, parts = np.zeros((0, 0, 0)), np.zeros((0, 3, 0, 0))
    if numbers.clock.hear.any():
        outcomes = np.stack([_drawn(world, int(e), records, arm)[None, :] for e in numbers.reading.readouts])
        if numbers.outcomes_change:
            parts = np.stack(
                [np.stack(_parts(world, int(e), records))[:, None, :] for e in numbers.reading.readouts]
            )
    event, exit_ = (np.empty((ends, 1, n), dtype=np.int64) for _ in range(2))
    read = np.empty((reads, 1, n), dtype=np.int64)
    dropout, complete, last_dose, quit_, crossed = (np.empty((1, n), dtype=np.int64) for _ in range(5))
    left, full = np.empty((1, n), dtype=np.int8), np.zeros(1, dtype=np.bool_)
    offsets = np.zeros((1, n + 1), dtype=np.int64)
    one, replicate = np.zeros(1, dtype=np.int64), np.array([TRUTH_REPLICATE])
    nobody, entry = np.empty((0, n), dtype=np.int64), np.zeros((1, n), dtype=np.int64)
    orders, as_drawn = no_orders(life, monitoring, 1, n), outcomes.copy()
    journal = [np.empty((1, 8 * n), dtype=np.int64) for _ in range(2)]

    def live(_: Ints) -> None:
        outcomes[:] = as_drawn
        while True:
            kernels.live(
                TRUTH_SEED, replicate, one, one, np.array([until]), tables, nobody, *numbers, life.clocks, starts,
                factors, np.arange(n).reshape(1, n), entry, np.full((1, n), arm, dtype=np.int8), outcomes, parts, orders,
                event, exit_, np.empty((3, 0, 0, 0), dtype=np.int64), read, dropout, complete, last_dose, quit_, crossed,
                left, journal[0], journal[1], offsets, full,
            )  # fmt: skip
            if not full[0]:
                return
            journal[:] = [np.empty((1, 2 * journal[0].shape[1]), dtype=np.int64) for _ in range(2)]

    live(one)
    if monitoring is not None:
        people = (replicate, nobody, entry)
        source = world.source
        hidden: Hidden | None = None
        if reads_latent(monitoring):
            latent = standardised(world, records[:, source.covariate_count :])
            hidden = (source.columns[source.covariate_count :], lambda _, i: latent[i])
        decide_at_visits(
            life,
            monitoring,
            TRUTH_SEED,
            one,
            one,
            people,
            orders,
            lambda: (journal[0], journal[1], offsets),
            live,
            hidden,
        )
    died = np.where(left[0] == DEAD, complete[0], NEVER)
    found = Lives(event[:, 0], exit_[:, 0], last_dose[0], quit_[0], crossed[0], died, complete[0])
    return found, (journal[0], journal[1], offsets)


def _parts(world: World, index: int, records: Floats) -> tuple[Floats, Floats, Floats]:
    """Return what each patient adds to the linear predictor of a law; every one of them has a site of their own."""
    law, n = world.laws[index], len(records)
    keys = np.arange(n, dtype=np.int64) << SITE_BITS
    effects = law.site_effects(TRUTH_SEED, np.full(n, TRUTH_REPLICATE, dtype=np.int64), keys)
    return law.linear_parts(records, np.resize(world.truth_entry_days, n), effects)


def _expected(world: World, endpoint: int, records: Floats, lives: Lives, arm: int, until: int) -> Floats:
    """Return the expected outcome of each patient under an arm, by what has become of its treatment by the read-out."""
    assert world.life is not None
    law, numbers, parts = world.outcomes[endpoint], world.life.numbers, _parts(world, endpoint, records)

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


def _drawn(world: World, endpoint: int, records: Floats, arm: int) -> NDArray[np.float64]:
    """Return the outcomes of an endpoint under one arm, at the addresses at which trials find theirs."""
    from trialsim.engines import fast_outcome_kernels

    law, n = world.outcomes[endpoint], len(records)
    table = patient_table(block_count(n), law.purpose, law.draw, TRUTH_SEED)
    one = np.zeros(1, dtype=np.int64)
    shared = (
        TRUTH_SEED, np.array([TRUTH_REPLICATE]), one, one, np.array([n]), table, np.empty((0, n), dtype=np.int64),
        law.purpose, law.draw, law.parameters_of(*_parts(world, endpoint, records)), np.arange(n).reshape(1, n),
        np.full((1, n), arm, dtype=np.int8),
    )  # fmt: skip
    if law.kind == "binary":
        answers = np.zeros((1, -(-n // PATIENTS_A_WORD)), dtype=np.uint64)
        fast_outcome_kernels.responses(*shared, answers)
        bits = np.unpackbits(answers[0].view(np.uint8), count=n, bitorder="little")
        return np.asarray(bits, dtype=np.float64)
    values = np.empty((1, n))
    fast_outcome_kernels.values(*shared, law.sd, values)
    return np.asarray(values[0], dtype=np.float64)


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
