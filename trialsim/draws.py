"""Random numbers as a function of an address, not as a stream.

``uniform(seed, replicate, patient, purpose, draw)`` is lane ``patient & 3`` of the Philox 4x64-10 block with counter
``(patient >> 2, replicate, purpose, draw)`` and key ``(seed, 0)`` (Salmon, Moraes, Dror and Shaw, SC11, 2011; the same
words as ``numpy.random.Philox``). Nothing else defines a number in trialsim: adding an arm, a look or a purpose moves
no other draw, and neither the size of a chunk nor the number of workers can.

Normal and exponential variates come from the inverse distribution function of one uniform, so they are monotone in it.
"""

from __future__ import annotations

import enum
import functools
import hashlib

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from trialsim.compiled import inline, kernel
from trialsim.elementary import double_of, natural_log


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

_M0 = np.uint64(0xD2E7470EE14C6C93)
_M1 = np.uint64(0xCA5A826395121157)
_W0 = np.uint64(0x9E3779B97F4A7C15)
_W1 = np.uint64(0xBB67AE8584CAA73B)
_M0_LOW, _M0_HIGH = np.uint64(0xE14C6C93), np.uint64(0xD2E7470E)
_M1_LOW, _M1_HIGH = np.uint64(0x95121157), np.uint64(0xCA5A8263)
_LOW32, _SHIFT32, _SHIFT12 = np.uint64(0xFFFFFFFF), np.uint64(32), np.uint64(12)
_TWO, _THREE = np.uint64(2), np.uint64(3)
_EXPONENT_OF_ONE = np.uint64(0x3FF0000000000000)
_ONE_LESS_HALF_A_STEP = 1.0 - 2.0**-53


@intrinsic
def _high_product(typingctx, a, b):  # type: ignore[no-untyped-def]
    """Return the upper 64 bits of a 64 x 64 bit product."""

    def codegen(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        wide = ir.IntType(128)
        product = builder.mul(builder.zext(arguments[0], wide), builder.zext(arguments[1], wide))
        return builder.trunc(builder.lshr(product, ir.Constant(wide, 64)), ir.IntType(64))

    return types.uint64(types.uint64, types.uint64), codegen


@inline
def philox(c0: int, c1: int, c2: int, c3: int, key: int) -> tuple[int, int, int, int]:
    """Return the four words of one Philox 4x64-10 block with key ``(key, 0)``."""
    k0 = key
    k1 = np.uint64(0)
    for _ in range(10):
        high0 = _high_product(_M0, c0)
        low0 = _M0 * c0
        high1 = _high_product(_M1, c2)
        low1 = _M1 * c2
        c0 = high1 ^ c1 ^ k0
        c1 = low1
        c2 = high0 ^ c3 ^ k1
        c3 = low0
        k0 = k0 + _W0
        k1 = k1 + _W1
    return c0, c1, c2, c3


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
    low_purpose = _M1 * np.uint64(purpose)
    for i in range(blocks):
        c2 = _high_product(_M0, np.uint64(i)) ^ np.uint64(draw)
        c0 = _high_product(_M1, c2) ^ low_purpose ^ (s0 + _W0)
        table[0, i] = _high_product(_M0, c0)
        table[1, i] = _M0 * c0
        table[2, i] = _M1 * c2
        table[3, i] = _M0 * np.uint64(i)
    return table


_LANES = 8


@intrinsic
def _fill_eight_blocks(typingctx, out, table, block, high, low, key):  # type: ignore[no-untyped-def]
    """Fill the words of eight blocks from ``block`` on: the loop of :func:`fill_words`, on vectors of eight.

    Compilers turn that loop into vectors of four, one after the other, and a round waits for the one before it. Eight
    are two of four side by side.
    """

    def codegen(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        word = ir.IntType(64)
        vector = ir.VectorType(word, _LANES)
        out_array, table_array = (
            context.make_array(kind)(context, builder, value)
            for kind, value in zip(signature.args[:2], arguments[:2], strict=True)
        )
        at = arguments[2]

        def every(value):  # type: ignore[no-untyped-def]
            if not isinstance(value, ir.Value):
                return ir.Constant(vector, [int(value)] * _LANES)
            one = builder.insert_element(
                ir.Constant(vector, ir.Undefined), value, ir.Constant(ir.IntType(32), 0)
            )
            first = ir.Constant(ir.VectorType(ir.IntType(32), _LANES), [0] * _LANES)
            return builder.shuffle_vector(one, ir.Constant(vector, ir.Undefined), first)

        def place(array, index, kind):  # type: ignore[no-untyped-def]
            return builder.bitcast(builder.gep(array.data, [index]), kind.as_pointer())

        def row(number):  # type: ignore[no-untyped-def]
            blocks = builder.extract_value(table_array.shape, 1)
            index = builder.add(builder.mul(blocks, ir.Constant(blocks.type, number)), at)
            return builder.load(place(table_array, index, vector), align=8)

        def xor(*values):  # type: ignore[no-untyped-def]
            return functools.reduce(builder.xor, values)

        def product(a, factor_low, factor_high):  # type: ignore[no-untyped-def]
            half, lower = every(_SHIFT32), every(_LOW32)
            a_low, a_high = builder.and_(a, lower), builder.lshr(a, half)
            low_by, high_by = every(factor_low), every(factor_high)
            p0 = builder.mul(a_low, low_by)
            t = builder.add(builder.mul(a_low, high_by), builder.lshr(p0, half))
            t2 = builder.add(builder.mul(a_high, low_by), builder.and_(t, lower))
            upper = builder.add(builder.mul(a_high, high_by), builder.lshr(t, half))
            return builder.add(upper, builder.lshr(t2, half)), builder.or_(
                builder.shl(t2, half), builder.and_(p0, lower)
            )

        def round_keys(number):  # type: ignore[no-untyped-def]
            added = ir.Constant(word, number * int(_W0) % 2**64)
            return every(builder.add(arguments[5], added)), every(number * int(_W1) % 2**64)

        k0, k1 = round_keys(2)
        h1, l1 = product(builder.xor(every(arguments[3]), row(3)), _M1_LOW, _M1_HIGH)
        c0, c1, c2, c3 = xor(h1, row(2), k0), l1, xor(row(0), every(arguments[4]), k1), row(1)
        for number in range(3, 10):
            k0, k1 = round_keys(number)
            h0, l0 = product(c0, _M0_LOW, _M0_HIGH)
            h1, l1 = product(c2, _M1_LOW, _M1_HIGH)
            c0, c1, c2, c3 = xor(h1, c1, k0), l1, xor(h0, c3, k1), l0

        def side_by_side(a, b, order):  # type: ignore[no-untyped-def]
            return builder.shuffle_vector(
                a, b, ir.Constant(ir.VectorType(ir.IntType(32), len(order)), list(order))
            )

        firsts = side_by_side(c0, c1, range(2 * _LANES))
        others = side_by_side(c2, c3, range(2 * _LANES))
        ordered = side_by_side(
            firsts, others, [lane * _LANES + i for i in range(_LANES) for lane in range(4)]
        )
        start = builder.mul(at, ir.Constant(at.type, 4))
        builder.store(ordered, place(out_array, start, ordered.type), align=8)
        return context.get_dummy_value()

    word_type = types.uint64
    return types.void(out, table, types.intp, word_type, word_type, word_type), codegen


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
    c0r = _high_product(_M1, np.uint64(purpose)) ^ np.uint64(replicate) ^ s0
    high = _high_product(_M0, c0r) ^ _W1
    low = _M0 * c0r
    whole = first + (last - first) // _LANES * _LANES
    for i in range(first, whole, _LANES):
        _fill_eight_blocks(out, table, i, high, low, s0)
    for i in range(whole, last):
        k0 = s0 + _W0 + _W0
        k1 = _W1 + _W1
        c2 = high ^ table[3, i]
        c0 = _high_product(_M1, c2) ^ table[2, i] ^ k0
        c1 = _M1 * c2
        c2 = table[0, i] ^ low ^ k1
        c3 = table[1, i]
        for _ in range(7):
            k0 = k0 + _W0
            k1 = k1 + _W1
            h0, l0 = _high_product(_M0, c0), _M0 * c0
            h1, l1 = _high_product(_M1, c2), _M1 * c2
            c0, c1, c2, c3 = h1 ^ c1 ^ k0, l1, h0 ^ c3 ^ k1, l0
        out[4 * i] = c0
        out[4 * i + 1] = c1
        out[4 * i + 2] = c2
        out[4 * i + 3] = c3


@kernel
def calibration_sum(blocks: int) -> float:
    """Return the sum of ``4 * blocks`` Philox doubles by the plain scalar generator, for benchmarks to time."""
    total = 0.0
    for i in range(blocks):
        a, b, c, d = philox(np.uint64(i), np.uint64(1), np.uint64(0), np.uint64(0), np.uint64(7))
        total += unit(a) + unit(b) + unit(c) + unit(d)
    return total
