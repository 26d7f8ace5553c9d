"""Random numbers as a function of an address, not as a stream.

``uniform(seed, replicate, patient, purpose, draw)`` is lane ``patient & 3`` of the Philox 4x64-10 block with counter
``(patient >> 2, replicate, purpose, draw)`` and key ``(seed, 0)`` (Salmon, Moraes, Dror and Shaw, SC11, 2011; the same
words as ``numpy.random.Philox``). Nothing else defines a number in trialsim: adding an arm, a look or a purpose moves
no other draw, and neither the size of a chunk nor the number of workers can.

A normal comes from the inverse distribution function of one uniform, an exponential from the inverse survival
function: both are monotone in it.
"""

from __future__ import annotations

import enum
import hashlib

import numpy as np

from trialsim.bit_marks import PATIENTS_A_WORD
from trialsim.compiled import inline, kernel
from trialsim.elementary import double_of, natural_log
from trialsim.philox import (
    LANES,
    M0,
    M1,
    MORE_LANES,
    W0,
    W1,
    bits_of_eight_blocks,
    bits_of_sixteen_blocks,
    fill_eight_blocks,
    fill_sixteen_blocks,
    high_product,
    of_replicate,
    philox,
)


class Purpose(enum.IntEnum):
    """What a draw is for. Numbers are part of every published result: never re-used, never changed."""

    ARRIVAL = 1
    ALLOCATION = 2
    TABLE_ROW = 3
    COVARIATE = 4
    LATENT = 5
    DROPOUT = 6
    EVENT = 7
    READOUT = 8
    SAMPLER = 9
    # A candidate's way from first contact to randomisation.
    SITE = 10
    PRESCREEN = 11
    CONSENT = 12
    SCREENING = 13
    PATIENCE = 14
    LAG = 15
    COMPETING = 16
    STRATUM = 17
    REDRAWN_ALLOCATION = 18
    # A patient's way from randomisation on.
    ADVERSE_EVENT = 20
    DISCONTINUATION = 21
    WITHDRAWAL = 22
    VISIT = 23
    REPORT = 24
    ADJUDICATION = 25
    RESCUE = 26
    DOSE = 27
    # What the records of a candidate hold at first contact, and how a site's records differ.
    RECORD = 30
    RECORDS_OF_SITE = 31
    # What is on record of a site before the trial, and what it promises.
    SITE_HISTORY = 32


def name_address(name: str) -> int:
    """Return the number under which draws for a named thing are found, so that another thing beside it moves none.

    Parameters
    ----------
    name
        Of an endpoint or a covariate.

    Returns
    -------
    int
        The first 63 bits of the name's SHA-256.
    """
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") >> 1


# Address of the patients over whom true values are averaged: no run reaches that replicate, and what is true does not
# depend on the seed of a run.
TRUTH_SEED = 0
TRUTH_REPLICATE = 1 << 62

_TWO, _SHIFT12 = np.uint64(2), np.uint64(12)
_EXPONENT_OF_ONE = np.uint64(0x3FF0000000000000)
_ONE_LESS_HALF_A_STEP = 1.0 - 2.0**-53


@kernel
def word(seed: int, replicate: int, patient: int, purpose: int, draw: int) -> int:
    """Return the 64 random bits at an address."""
    block = philox(
        np.uint64(patient) >> _TWO, np.uint64(replicate), np.uint64(purpose), np.uint64(draw), np.uint64(seed)
    )
    lane = patient & 3
    if lane == 0:
        return block[0]
    if lane == 1:
        return block[1]
    if lane == 2:
        return block[2]
    return block[3]


@inline
def unit(bits: int) -> float:
    """Return 64 random bits as a uniform in the open interval (0, 1): (upper 52 bits + 1/2) / 2**52.

    Each value is a double without rounding, so neither 0 nor 1 can come out; with 53 bits the largest would round to 1.
    The 52 bits become the fraction of a double in [1, 2), from which 1 - 2**-53 is taken: exact, and it vectorises.
    """
    return double_of((bits >> _SHIFT12) | _EXPONENT_OF_ONE) - _ONE_LESS_HALF_A_STEP


@kernel
def uniform(seed: int, replicate: int, patient: int, purpose: int, draw: int) -> float:
    """Return the uniform at an address.

    Parameters
    ----------
    seed
        Seed of the run, 0 to 2**64 - 1.
    replicate
        Global number of the replicate, from 0.
    patient
        Candidate's number: site << 32 | arrival number at that site.
    purpose
        A :class:`Purpose`.
    draw
        Which of the purpose's draws, for example the number of the endpoint.

    Returns
    -------
    float
        In the open interval (0, 1).
    """
    return unit(word(seed, replicate, patient, purpose, draw))


@inline
def unit_exponential(u: float) -> float:
    """Return the unit exponential with survival probability ``u``: -log(u), decreasing in ``u``."""
    return -natural_log(u)


def block_count(n: int) -> int:
    """Return the number of Philox blocks for ``n`` patients, padded to a multiple of eight for the vector units."""
    return -(-n // 32) * 8


@kernel
def patient_table(blocks: int, purpose: int, draw: int, seed: int) -> np.ndarray:
    """Return what the first rounds of Philox make of the patient number alone, shared by all replicates.

    Parameters
    ----------
    blocks
        Number of blocks of four patients, from :func:`block_count`.
    purpose, draw, seed
        The rest of the address but for the replicate.

    Returns
    -------
    numpy.ndarray
        uint64 ``[4, blocks]`` for :func:`fill_words`.
    """
    table = np.empty((4, blocks), np.uint64)
    s0 = np.uint64(seed)
    low_purpose = M1 * np.uint64(purpose)
    for i in range(blocks):
        c2 = high_product(M0, np.uint64(i)) ^ np.uint64(draw)
        c0 = high_product(M1, c2) ^ low_purpose ^ (s0 + W0)
        table[0, i] = high_product(M0, c0)
        table[1, i] = M0 * c0
        table[2, i] = M1 * c2
        table[3, i] = M0 * np.uint64(i)
    return table


@kernel
def fill_words(
    out: np.ndarray, table: np.ndarray, first: int, last: int, replicate: int, purpose: int, seed: int
) -> None:
    """Fill the words of patients ``4 * first`` to ``4 * last - 1`` of one replicate.

    Equal, bit for bit, to :func:`word` at each address, at a fifth of its cost.

    Parameters
    ----------
    out
        uint64 ``[4 * blocks]``, in patient order, contiguous.
    table
        From :func:`patient_table` for the same purpose, draw and seed.
    first, last
        Blocks to fill; multiples of eight are fastest.
    replicate, purpose, seed
        The rest of the address.
    """
    s0 = np.uint64(seed)
    high, low = of_replicate(s0, replicate, purpose)
    most = first + (last - first) // MORE_LANES * MORE_LANES
    for i in range(first, most, MORE_LANES):
        fill_sixteen_blocks(out, table, i, high, low, s0)
    whole = most + (last - most) // LANES * LANES
    for i in range(most, whole, LANES):
        fill_eight_blocks(out, table, i, high, low, s0)
    for i in range(whole, last):
        k0 = s0 + W0 + W0
        k1 = W1 + W1
        c2 = high ^ table[3, i]
        c0 = high_product(M1, c2) ^ table[2, i] ^ k0
        c1 = M1 * c2
        c2 = table[0, i] ^ low ^ k1
        c3 = table[1, i]
        for _ in range(7):
            k0 = k0 + W0
            k1 = k1 + W1
            h0, l0 = high_product(M0, c0), M0 * c0
            h1, l1 = high_product(M1, c2), M1 * c2
            c0, c1, c2, c3 = h1 ^ c1 ^ k0, l1, h0 ^ c3 ^ k1, l0
        out[4 * i] = c0
        out[4 * i + 1] = c1
        out[4 * i + 2] = c2
        out[4 * i + 3] = c3


@kernel
def thresholds_in_lanes(thresholds: np.ndarray, first: int, last: int, out: np.ndarray) -> None:
    """Put thresholds of patients in the order in which :func:`fill_bits` compares them.

    Parameters
    ----------
    thresholds
        uint64 ``[patient]``, whole words of patients.
    first, last
        Words of 64 patients to go through.
    out
        uint64 of the same size: of each 64 patients those with the same place in their block of four follow each other.
    """
    for word in range(first, last):
        for lane in range(4):
            for block in range(MORE_LANES):
                begin = word * PATIENTS_A_WORD
                out[begin + lane * MORE_LANES + block] = thresholds[begin + 4 * block + lane]


@kernel
def fill_bits(
    out: np.ndarray,
    table: np.ndarray,
    thresholds: np.ndarray,
    first: int,
    last: int,
    replicate: int,
    purpose: int,
    seed: int,
) -> None:
    """Fill for each patient of one replicate whether the upper 52 bits of the word are less than a threshold.

    The same as comparing what :func:`fill_words` gives.

    Parameters
    ----------
    out
        uint64 ``[patients / 64]``: patient ``i`` is bit ``i % 64`` of word ``i // 64``.
    table
        From :func:`patient_table`.
    thresholds
        uint64 ``[64 * len(out)]``, at most 2**52, from :func:`thresholds_in_lanes`.
    first, last
        Words of ``out`` to fill.
    replicate, purpose, seed
        The rest of the address.
    """
    s0 = np.uint64(seed)
    high, low = of_replicate(s0, replicate, purpose)
    whole = min(last, table.shape[1] // MORE_LANES)
    for k in range(first, whole):
        out[k] = bits_of_sixteen_blocks(table, thresholds, k * MORE_LANES, high, low, s0)
    if whole < last and first <= whole:  # tables are padded to a multiple of eight blocks
        out[whole] = bits_of_eight_blocks(table, thresholds, whole * MORE_LANES, high, low, s0)


@kernel
def uniforms_at(
    seed: int, replicates: np.ndarray, keys: np.ndarray, purpose: int, draw: int, out: np.ndarray
) -> None:
    """Fill the uniforms of candidates of any replicates.

    Parameters
    ----------
    seed, purpose, draw
        The part of the address that they share.
    replicates, keys
        The rest of it, int64 ``[candidate]`` each.
    out
        float64 ``[candidate]``.
    """
    for i in range(len(keys)):
        out[i] = uniform(seed, replicates[i], keys[i], purpose, draw)


@kernel
def calibration_sum(blocks: int) -> float:
    """Return the sum of ``4 * blocks`` Philox doubles by the plain scalar generator, for benchmarks to time."""
    total = 0.0
    for i in range(blocks):
        a, b, c, d = philox(np.uint64(i), np.uint64(1), np.uint64(0), np.uint64(0), np.uint64(7))
        total += unit(a) + unit(b) + unit(c) + unit(d)
    return total
