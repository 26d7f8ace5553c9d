"""What becomes of keyed patients all of whom are on one arm, followed to the end and never lost."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trialsim.bit_marks import words_for
from trialsim.contracts import Floats, Ints, MonitoringPolicy
from trialsim.draws import TRUTH_REPLICATE, block_count, patient_table
from trialsim.engines.candidate_views import standardised
from trialsim.engines.fast_again import LifeArrays, live, live_again
from trialsim.engines.fast_monitoring import Hidden, decide_at_visits, no_orders
from trialsim.engines.fast_straight_kernels import DEAD
from trialsim.engines.life import LifeNumbers
from trialsim.engines.world import World
from trialsim.operations.sites import SITE_BITS
from trialsim.policies.scores import reads_latent
from trialsim.population.clocks import with_whole_effect
from trialsim.timegrid import NEVER

_LIVES_KEPT = 8
"""So many are kept: the tests of a design compare the same arms, and a true value is asked for more than once."""
_JOURNALS_KEPT = 2
"""Longer than lives are; enough for the two arms of a test."""


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


@dataclass(frozen=True, eq=False)
class Asked:
    """Whose lives are asked for; worlds and policies are told apart as objects.

    Parameters
    ----------
    world, monitoring
        The laws, and what decides at visits, if anything does.
    arm
        Index of the arm that all patients are on.
    until
        Ticks of follow-up.
    nobody_quits
        Whether to ask what would be if nobody discontinued or crossed over.
    nobody_dies
        Whether to ask what would be if nobody died.
    sample, seed
        How many patients, and the seed of their draws.
    """

    world: World
    monitoring: MonitoringPolicy | None
    arm: int
    until: int
    nobody_quits: bool
    nobody_dies: bool
    sample: int
    seed: int

    def _numbers(self) -> tuple[int, ...]:
        """Return what two that are the same have in common."""
        same = (id(self.world), id(self.monitoring))
        return (*same, self.arm, self.until, self.nobody_quits, self.nobody_dies, self.sample, self.seed)

    def __eq__(self, other: object) -> bool:
        """Return whether the same lives are asked for."""
        return isinstance(other, Asked) and self._numbers() == other._numbers()

    def __hash__(self) -> int:
        """Return a hash of what is asked for."""
        return hash(self._numbers())


@functools.lru_cache(maxsize=_LIVES_KEPT)
def lives_of(asked: Asked) -> Lives:
    """Return what becomes of keyed patients; the arrays are not to be written, as others may be given the same."""
    return _led(asked)[0]


@functools.lru_cache(maxsize=_JOURNALS_KEPT)
def journal_of(asked: Asked) -> tuple[Lives, tuple[Ints, Ints, Ints]]:
    """Return what becomes of keyed patients, and the journal that tells it; see :func:`lives_of`."""
    return _led(asked)


def _ideal(numbers: LifeNumbers, asked: Asked) -> LifeNumbers:
    """Return the numbers of an ideal trial: nobody is lost, events are seen at once, perhaps nobody quits or dies."""
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
        numbers.visiting
        if asked.monitoring is not None
        else numbers.visiting._replace(visits=np.zeros(0, dtype=np.int64))
    )
    ideal = numbers._replace(
        clock=numbers.clock._replace(present=present),
        survival=at_once,
        reading=numbers.reading._replace(at_visit=np.zeros_like(numbers.reading.at_visit)),
        visiting=visiting,
    )
    if asked.nobody_dies:
        if survival.terminal >= 0:
            present[survival.terminal] = False
        ideal = ideal._replace(term=ideal.term._replace(fatal=np.zeros_like(ideal.term.fatal)))
    if not asked.nobody_quits:
        return ideal
    present[ends + 2 + len(numbers.term.address) :] = False
    kept_on = ideal.treatment._replace(reason_of_action=-1, reason_of_monitoring=-1, crossover_on=-2)
    return ideal._replace(treatment=kept_on)


def _led(asked: Asked) -> tuple[Lives, tuple[Ints, Ints, Ints]]:
    """Return what becomes of keyed patients, and the journal that tells it."""
    world, life, monitoring = asked.world, asked.world.life, asked.monitoring
    assert life is not None
    seed, arm, n = asked.seed, asked.arm, asked.sample
    records = world.source.records(seed, TRUTH_REPLICATE, n)
    numbers = _ideal(life.numbers, asked)
    ends, reads = len(numbers.survival.endpoints), len(numbers.reading.readouts)
    shape = (n, len(world.arms))
    factors = np.stack(
        [
            np.ones(shape) if i < 0 else world.laws[i].parameters_of(*parts_of(world, i, records, seed))
            for i in life.laws
        ]
    )
    blocks = block_count(n)
    tables = np.stack(
        [
            patient_table(blocks, int(purpose), int(draw), seed)
            for purpose, draw in zip(numbers.clock.purpose, numbers.clock.draw, strict=True)
        ]
    )
    starts = with_whole_effect(life.clocks, numbers.treatment.weights)
    outcomes, parts = np.zeros((0, 0, 0)), np.zeros((0, 3, 0, 0))
    if numbers.clock.hear.any():
        outcomes = np.stack(
            [drawn_outcomes(world, int(e), records, arm, seed)[None, :] for e in numbers.reading.readouts]
        )
        if numbers.outcomes_change:
            parts = np.stack(
                [
                    np.stack(parts_of(world, int(e), records, seed))[:, None, :]
                    for e in numbers.reading.readouts
                ]
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

    def arrays() -> LifeArrays:
        return LifeArrays(
            np.array([asked.until]), tables, nobody, numbers, life.clocks, starts, factors, np.arange(n).reshape(1, n),
            entry, np.full((1, n), arm, dtype=np.int8), outcomes, parts, orders, event, exit_,
            np.empty((3, 0, 0, 0), dtype=np.int64), read, dropout, complete, last_dose, quit_, crossed, left, journal[0],
            journal[1], offsets, full,
        )  # fmt: skip

    def again(r: Ints, i: Ints) -> None:
        journal[:] = live_again(seed, replicate, arrays(), as_drawn, r, i)

    live(seed, replicate, one, one, arrays())
    while full[0]:
        journal[:] = [np.empty((1, 2 * journal[0].shape[1]), dtype=np.int64) for _ in range(2)]
        outcomes[:] = as_drawn
        live(seed, replicate, one, one, arrays())
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
            seed,
            one,
            one,
            people,
            orders,
            lambda: (journal[0], journal[1], offsets),
            again,
            hidden,
        )
    died = np.where(left[0] == DEAD, complete[0], NEVER)
    found = Lives(event[:, 0], exit_[:, 0], last_dose[0], quit_[0], crossed[0], died, complete[0])
    return found, (journal[0], journal[1], offsets)


def parts_of(world: World, index: int, records: Floats, seed: int) -> tuple[Floats, Floats, Floats]:
    """Return what each patient adds to the linear predictor of a law; every one of them has a site of their own."""
    law, n = world.laws[index], len(records)
    keys = np.arange(n, dtype=np.int64) << SITE_BITS
    effects = law.site_effects(seed, np.full(n, TRUTH_REPLICATE, dtype=np.int64), keys)
    return law.linear_parts(records, world.truth_entry_days(law, n), effects)


def drawn_outcomes(world: World, endpoint: int, records: Floats, arm: int, seed: int) -> NDArray[np.float64]:
    """Return the outcomes of an endpoint under one arm, at the addresses at which trials find theirs."""
    from trialsim.engines import fast_outcome_kernels

    law, n = world.outcomes[endpoint], len(records)
    table = patient_table(block_count(n), law.purpose, law.draw, seed)
    one = np.zeros(1, dtype=np.int64)
    shared = (
        seed, np.array([TRUTH_REPLICATE]), one, one, np.array([n]), table, np.empty((0, n), dtype=np.int64),
        law.purpose, law.draw, law.parameters_of(*parts_of(world, endpoint, records, seed)), np.arange(n).reshape(1, n),
        np.full((1, n), arm, dtype=np.int8),
    )  # fmt: skip
    if law.kind == "binary":
        answers = np.zeros((1, words_for(n)), dtype=np.uint64)
        fast_outcome_kernels.responses(*shared, answers)
        bits = np.unpackbits(answers[0].view(np.uint8), count=n, bitorder="little")
        return np.asarray(bits, dtype=np.float64)
    values = np.empty((1, n))
    fast_outcome_kernels.values(*shared, law.sd, values)
    return np.asarray(values[0], dtype=np.float64)
