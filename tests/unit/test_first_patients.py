"""What the first so many patients of a trial amount to, from cut to cut, against counting them anew."""

from __future__ import annotations

import numpy as np
import pytest

from tests.statistical.big_trial import plan_of
from trialsim.draws import TRUTH_REPLICATE, TRUTH_SEED, unit, word
from trialsim.engines import fast_first_kernels as kernels
from trialsim.engines.fast_first import FirstPatients
from trialsim.engines.fast_patients import entry_index
from trialsim.engines.keyed_lives import drawn_outcomes
from trialsim.operations.allocation import arm_in_turn, draw_by_weight, fill_by_weight, fill_in_turn
from trialsim.population.endpoints.binary import responds

ARMS, N, TRIALS = 3, 150, 4
CUTS = ([0, 5, 63, 64], [10, 70, 64, 128], [10, 150, 149, 129], [3, 150, 20, 150])
"""How many patients are known at each cut, by trial; the last cut of the first and third lies before others."""


@pytest.mark.parametrize("binary", [True, False])
def test_each_cut_adds_to_the_one_before(binary: bool) -> None:
    g = np.random.default_rng(1)
    arm = g.integers(0, ARMS, (TRIALS, N)).astype(np.int8)
    value = g.integers(0, 2, (TRIALS, N)).astype(float) if binary else g.normal(3, 2, (TRIALS, N))
    octets = np.packbits(value.astype(bool), axis=1, bitorder="little")
    bits = np.pad(octets, ((0, 0), (0, 24 - octets.shape[1]))).view(np.uint64)
    first, stage, rows = FirstPatients(TRIALS, ARMS), FirstPatients(TRIALS, ARMS), np.arange(TRIALS)
    before = np.zeros(TRIALS, dtype=np.int64)
    for cut in CUTS:
        upto = np.array(cut)
        nobody = np.minimum(before, upto)
        first.read(rows, upto, arm, bits if binary else value)
        stage.leave_out(rows, nobody, upto)
        stage.read(rows, upto, arm, bits if binary else value)
        for found, begin in ((first, np.zeros(TRIALS, dtype=int)), (stage, nobody)):
            pair = found.moments(rows, (2, 0), binary)
            for r in rows:
                for side, a in enumerate((2, 0)):
                    here = slice(begin[r], upto[r])
                    mine = value[r, here][arm[r, here] == a].tolist()
                    total = 0.0
                    for v in mine:
                        total += v
                    assert pair.n[r, side] == len(mine)
                    assert pair.mean[r, side] == (total / len(mine) if mine else 0.0)
        before = upto
    first.forget(rows, np.array([0, 151, 19, 0]))
    assert first.n.sum(axis=1).tolist() == [0, 150, 0, 0]


@pytest.mark.parametrize("shared", [True, False])
def test_who_has_entered_by_a_time(shared: bool) -> None:
    g = np.random.default_rng(2)
    entry = np.sort(g.integers(1, 40, (1 if shared else TRIALS, N)), axis=1)
    coming, found = np.array([N, 20, N, 0]), np.empty(3, dtype=np.int64)
    for until in (-1, 0, 7, 39, 60):
        kernels.first_entered(
            np.array([3, 1, 2]), np.full(3, until), entry, *entry_index(entry), coming, found
        )
        for k, r in enumerate((3, 1, 2)):
            assert found[k] == min((entry[0 if shared else r] <= until).sum(), coming[r])


@pytest.mark.parametrize(
    "weights",
    [[0.25, 0.5, 0.25], [0.0, 0.3, 0.0, 0.7], [1.0], [0.0, 0.0, 2.0], [1 / 3, 1 / 3, 1 / 3, 0.0], [5, 1]],
)
def test_arms_drawn_side_by_side_are_those_of_one_patient_each(weights: list[float]) -> None:
    g = np.random.default_rng(3)
    words = g.integers(0, 2**64, N, dtype=np.uint64)
    words[:3] = 0, 2**64 - 1, 2**63
    shares = np.array(weights, dtype=np.float64)
    # Words at which a uniform lies as near as can be to where one arm ends.
    edges = np.cumsum(shares)[:-1] / shares.sum()
    for place, edge in enumerate(edges):
        for step in range(-2, 3):
            cell = min(max(int(edge * 2**52) + step, 0), 2**52 - 1)
            words[10 + 5 * place + step + 2] = cell << 12
    arm = np.full(N, -1, dtype=np.int8)
    fill_by_weight(words, shares, 2, N - 1, np.empty(N), arm)
    assert arm[0] == arm[1] == arm[-1] == -1
    for i in range(2, N - 1):
        assert arm[i] == draw_by_weight(unit(words[i]), shares), i


def test_turns_of_many_are_those_of_one_patient_each() -> None:
    for ratio in ([1, 1, 1, 1], [2, 0, 3], [40]):
        arm, shares = np.empty(20, dtype=np.int8), np.array(ratio)
        fill_in_turn(shares, arm)
        assert arm.tolist() == [arm_in_turn(i, shares) for i in range(20)]


def test_potential_binary_outcomes_are_those_of_their_words() -> None:
    endpoint = {"kind": "binary", "readout": "1 day", "rate": 0.3, "effect_measure": "rate"}
    world = plan_of(endpoint | {"effect": {"treatment": 0.6}}, n=10).world
    law = world.outcomes[0]
    records = np.zeros((100, len(world.source.columns)))
    found = drawn_outcomes(world, 0, records, 1, TRUTH_SEED)
    threshold = law.parameters_of(np.zeros(1), np.zeros(1), np.zeros(1))[0, 1]
    for i in range(100):
        drawn = np.uint64(word(TRUTH_SEED, TRUTH_REPLICATE, i, law.purpose, law.draw))
        assert found[i] == float(responds(drawn, threshold))
