"""Draws are a function of their address: the words of NumPy's Philox, at any address, however they are fetched."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from numba.core.errors import TypingError

from trialsim.bit_marks import PATIENTS_A_WORD
from trialsim.draws import (
    TRUTH_REPLICATE,
    Purpose,
    block_count,
    fill_bits,
    fill_words,
    patient_table,
    philox,
    thresholds_in_lanes,
    uniform,
    unit,
    unit_exponential,
    word,
)

_EDGES = [0, 1, 2**31, 2**32 + 5, 2**62, 2**63 - 1]


def numpy_word(seed: int, replicate: int, patient: int, purpose: int, draw: int) -> int:
    """Return the word at an address by NumPy, which counts up before it generates."""
    counter = (patient >> 2) | (replicate << 64) | (purpose << 128) | (draw << 192)
    before = (counter - 1) % (1 << 256)
    lanes = np.array([(before >> (64 * k)) & (2**64 - 1) for k in range(4)], dtype=np.uint64)
    key = np.array([seed, 0], dtype=np.uint64)
    return int(np.random.Philox(counter=lanes, key=key).random_raw(4)[patient & 3])


def as_int64(number: int) -> int:
    """Return a number as the engines hold it: the int64 with the same bits."""
    return int(np.array(number, dtype=np.uint64).astype(np.int64))


def test_words_are_those_of_numpy_at_random_addresses() -> None:
    generator = np.random.default_rng(20260101)
    for _ in range(500):
        seed, replicate = (int(generator.integers(0, 2**63)) for _ in range(2))
        patient, purpose, draw = (
            int(generator.integers(0, 2**40)),
            int(generator.integers(1, 12)),
            int(generator.integers(0, 60)),
        )
        expected = numpy_word(seed, replicate, patient, purpose, draw)
        assert int(np.uint64(word(seed, replicate, patient, purpose, draw))) == expected


@pytest.mark.parametrize("seed", _EDGES)
@pytest.mark.parametrize("replicate", [*_EDGES, TRUTH_REPLICATE])
def test_words_are_those_of_numpy_at_the_edges(seed: int, replicate: int) -> None:
    for patient in (0, 1, 2, 3, 4, 2**32 - 1, 2**32, (7 << 32) | 5, 2**62 + 3):
        for purpose, draw in ((1, 0), (7, 49), (0, 0)):
            found = int(np.uint64(word(seed, replicate, patient, purpose, draw)))
            assert found == numpy_word(seed, replicate, patient, purpose, draw), (patient, purpose, draw)


@pytest.mark.parametrize("seed", [2**63, 2**63 + 1, 2**64 - 1])
def test_seeds_beyond_int64_are_bits_like_any_other(seed: int) -> None:
    assert int(np.uint64(word(np.uint64(seed), 3, 5, 7, 0))) == numpy_word(seed, 3, 5, 7, 0)
    assert int(np.uint64(word(as_int64(seed), 3, 5, 7, 0))) == numpy_word(seed, 3, 5, 7, 0)


def test_a_block_is_a_block_of_numpy() -> None:
    block = philox(*(np.uint64(c) for c in (11, 22, 33, 44)), np.uint64(55))
    key = np.array([55, 0], dtype=np.uint64)
    expected = np.random.Philox(counter=np.array([10, 22, 33, 44], dtype=np.uint64), key=key).random_raw(4)
    assert [int(np.uint64(x)) for x in block] == [int(x) for x in expected]


@pytest.mark.parametrize(
    ("seed", "replicate", "purpose", "draw"),
    [(1, 0, 7, 0), (2**63 - 1, 2**63 - 1, 8, 3), (20260101, TRUTH_REPLICATE, 6, 49), (0, 1, 2, 0)],
)
def test_filling_words_gives_the_word_of_each_address(
    seed: int, replicate: int, purpose: int, draw: int
) -> None:
    patients = 203
    blocks = block_count(patients)
    table = patient_table(blocks, purpose, draw, seed)
    out = np.zeros(4 * blocks, dtype=np.uint64)
    fill_words(out, table, 0, blocks, replicate, purpose, seed)
    single = [int(np.uint64(word(seed, replicate, i, purpose, draw))) for i in range(4 * blocks)]
    assert out.tolist() == single


def test_filling_a_part_leaves_the_rest_alone() -> None:
    table = patient_table(24, 7, 0, 9)
    whole, part = np.zeros(96, dtype=np.uint64), np.zeros(96, dtype=np.uint64)
    fill_words(whole, table, 0, 24, 5, 7, 9)
    fill_words(part, table, 8, 16, 5, 7, 9)
    assert (part[32:64] == whole[32:64]).all()
    assert not part[:32].any()
    assert not part[64:].any()


@pytest.mark.parametrize(("first", "last"), [(0, 3), (0, 11), (5, 24), (7, 8), (4, 4)])
def test_any_number_of_blocks_can_be_filled(first: int, last: int) -> None:
    table = patient_table(24, 7, 0, 9)
    whole, part = np.zeros(96, dtype=np.uint64), np.zeros(96, dtype=np.uint64)
    fill_words(whole, table, 0, 24, 5, 7, 9)
    fill_words(part, table, first, last, 5, 7, 9)
    assert (part[4 * first : 4 * last] == whole[4 * first : 4 * last]).all()
    assert not part[: 4 * first].any()
    assert not part[4 * last :].any()


@pytest.mark.parametrize("patients", [1, 32, 33, 64, 100, 300])
@pytest.mark.parametrize(("replicate", "purpose", "seed"), [(0, 8, 1), (TRUTH_REPLICATE, 3, 2**63 - 1)])
def test_bits_compare_the_word_of_each_patient_with_a_threshold(
    patients: int, replicate: int, purpose: int, seed: int
) -> None:
    blocks, words = block_count(patients), -(-patients // PATIENTS_A_WORD)
    table = patient_table(blocks, purpose, 5, seed)
    drawn = [int(np.uint64(word(seed, replicate, i, purpose, 5))) >> 12 for i in range(4 * blocks)]
    thresholds = np.zeros(PATIENTS_A_WORD * words, dtype=np.uint64)
    given = np.random.default_rng(patients).integers(0, 2**52, 4 * blocks, dtype=np.uint64)
    # Just above and at what is drawn, and what always or never comes.
    given[::5], given[1::5] = np.array(drawn[::5]) + 1, drawn[1::5]
    given[2::10], given[7::10] = 2**52, 0
    thresholds[: 4 * blocks] = given
    in_lanes = np.zeros_like(thresholds)
    thresholds_in_lanes(thresholds, 0, words, in_lanes)
    out = np.zeros(words, dtype=np.uint64)
    fill_bits(out, table, in_lanes, 0, words, replicate, purpose, seed)
    found = np.unpackbits(out.view(np.uint8), bitorder="little")[: 4 * blocks]
    assert found.tolist() == [int(one < limit) for one, limit in zip(drawn, given.tolist(), strict=True)]
    for first in range(words):  # a part of them leaves the others alone
        part = np.full(words, 99, dtype=np.uint64)
        fill_bits(part, table, in_lanes, first, first + 1, replicate, purpose, seed)
        assert part.tolist() == [out[k] if k == first else 99 for k in range(words)]


def test_words_go_into_contiguous_arrays_alone() -> None:
    table = patient_table(8, 7, 0, 9)
    with pytest.raises(TypingError, match="contiguous"):
        fill_words(np.zeros(64, dtype=np.uint64)[::2], table, 0, 8, 5, 7, 9)


@pytest.mark.parametrize(("patients", "blocks"), [(1, 8), (32, 8), (33, 16), (400, 104), (2139, 536)])
def test_blocks_hold_all_patients_in_multiples_of_eight(patients: int, blocks: int) -> None:
    assert block_count(patients) == blocks


# Addresses (seed, replicate, patient, purpose, draw) and their words. They are part of every published result:
# a change here is a change of every number that trialsim has ever printed.
_GOLDEN = [
    ((0, 0, 0, 1, 0), 0x19BF6BE67257DF0B),
    ((1, 0, 0, 7, 0), 0xDF3C8119CF920EAA),
    ((1, 0, 1, 7, 0), 0x7DBFE7757783E583),
    ((1, 0, 2, 7, 0), 0x606F6F33A2FD66A5),
    ((1, 0, 3, 7, 0), 0xA7C2426EBC6DAB17),
    ((1, 1, 0, 7, 0), 0xD0D620881B033D57),
    ((20260101, 4095, 399, 6, 0), 0x4EE3E404E8C8694B),
    ((42, 99999, 2138, 8, 1), 0xCA79595A6FEADB7F),
    ((2**63 - 1, 2**62, (3 << 32) | 17, 4, 5), 0x18019FBE303EAABB),
    ((7, 123456789, 12, 2, 0), 0x5D5F399831E90762),
]


@pytest.mark.parametrize(("address", "expected"), _GOLDEN)
def test_no_one_changes_the_numbers(address: tuple[int, int, int, int, int], expected: int) -> None:
    assert int(np.uint64(word(*address))) == expected
    # The uniform is the middle of the cell that the upper 52 bits name, which is a double.
    middle = (Fraction(expected >> 12) + Fraction(1, 2)) / 2**52
    assert Fraction(float(uniform(*address))) == middle


def test_purposes_keep_their_numbers() -> None:
    assert {purpose.name: purpose.value for purpose in Purpose} == {
        "ARRIVAL": 1, "ALLOCATION": 2, "TABLE_ROW": 3, "COVARIATE": 4, "LATENT": 5, "DROPOUT": 6, "EVENT": 7,
        "READOUT": 8, "SAMPLER": 9, "SITE": 10, "PRESCREEN": 11, "CONSENT": 12, "SCREENING": 13, "PATIENCE": 14,
        "LAG": 15, "COMPETING": 16, "STRATUM": 17, "REDRAWN_ALLOCATION": 18,
        "ADVERSE_EVENT": 20, "DISCONTINUATION": 21, "WITHDRAWAL": 22,
        "VISIT": 23, "REPORT": 24, "ADJUDICATION": 25, "RESCUE": 26, "DOSE": 27,
        "RECORD": 30, "RECORDS_OF_SITE": 31, "SITE_HISTORY": 32,
    }  # fmt: skip


@pytest.mark.parametrize("bits", [0, 1, 2**11 - 1, 2**11, 2**63, 2**64 - 2**11, 2**64 - 1])
def test_a_uniform_is_never_zero_or_one(bits: int) -> None:
    assert 0.0 < unit(np.uint64(bits)) < 1.0
    assert unit(np.uint64(bits)) == (Fraction(bits >> 12) + Fraction(1, 2)) / 2**52


def _uniforms(n: int, **address: int) -> np.ndarray:
    names = ("seed", "replicate", "patient", "purpose", "draw")
    at = {"seed": 4, "replicate": 0, "patient": 0, "purpose": 7, "draw": 0} | address
    moving = next(name for name in names if at[name] < 0)
    return np.array([uniform(*(k if name == moving else at[name] for name in names)) for k in range(n)])


@pytest.mark.parametrize("moving", ["seed", "replicate", "patient", "purpose", "draw"])
def test_uniforms_are_uniform_along_each_part_of_the_address(moving: str) -> None:
    n = 20_000
    u = _uniforms(n, **{moving: -1})
    assert abs(u.mean() - 0.5) < 5 * np.sqrt(1 / 12 / n)
    assert abs((u**2).mean() - 1 / 3) < 5 * np.sqrt((1 / 5 - 1 / 9) / n)
    counts = np.bincount((u * 64).astype(int), minlength=64)
    assert (np.abs(counts - n / 64) < 5 * np.sqrt(n / 64 * 63 / 64)).all()
    # Neighbours along the address are uncorrelated: 12 times the mean product of centred pairs has sd 1/sqrt(n).
    lag = 12 * ((u[1:] - 0.5) * (u[:-1] - 0.5)).mean()
    assert abs(lag) < 5 / np.sqrt(n - 1)


def test_unit_exponentials_fall_with_the_uniform_and_have_mean_one() -> None:
    u = np.linspace(1e-9, 1 - 1e-9, 1001)
    values = np.array([unit_exponential(x) for x in u])
    assert (np.diff(values) < 0).all()
    n = 20_000
    drawn = np.array([unit_exponential(uniform(3, 0, i, 7, 0)) for i in range(n)])
    assert abs(drawn.mean() - 1) < 5 / np.sqrt(n)
