"""Philox 4x64-10 (Salmon, Moraes, Dror and Shaw, SC11, 2011): one block plainly, and many blocks side by side."""

# Intrinsics are handed types and builders of the compiler, and inside words of the machine.
# mypy: disallow-untyped-defs=False

from __future__ import annotations

import functools

import numpy as np
from llvmlite import ir
from numba import types
from numba.core.errors import TypingError
from numba.extending import intrinsic

from trialsim.compiled import inline

M0 = np.uint64(0xD2E7470EE14C6C93)
M1 = np.uint64(0xCA5A826395121157)
W0 = np.uint64(0x9E3779B97F4A7C15)
W1 = np.uint64(0xBB67AE8584CAA73B)
_M0_LOW, _M0_HIGH = np.uint64(0xE14C6C93), np.uint64(0xD2E7470E)
_M1_LOW, _M1_HIGH = np.uint64(0x95121157), np.uint64(0xCA5A8263)
_LOW32, _SHIFT32 = np.uint64(0xFFFFFFFF), np.uint64(32)

LANES, MORE_LANES = 8, 16
"""Blocks that :func:`fill_eight_blocks` and :func:`fill_sixteen_blocks` fill at once."""


@intrinsic
def high_product(typingctx, a, b):
    """Return the upper 64 bits of a 64 x 64 bit product."""

    def codegen(context, builder, signature, arguments):
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
        high0 = high_product(M0, c0)
        low0 = M0 * c0
        high1 = high_product(M1, c2)
        low1 = M1 * c2
        c0 = high1 ^ c1 ^ k0
        c1 = low1
        c2 = high0 ^ c3 ^ k1
        c3 = low0
        k0 = k0 + W0
        k1 = k1 + W1
    return c0, c1, c2, c3


def _fill(context, builder, signature, arguments, lanes):
    """Write the instructions that fill the words of some blocks side by side.

    A compiler turns the loop of :func:`~trialsim.draws.fill_words` into vectors of four, one after the other, and each
    round waits for the one before it. Of longer vectors it makes several of those that the processor has and works on
    them side by side. Products are made of four of 32 bits, as processors have none of 64 on vectors.
    """
    word = ir.IntType(64)
    vector = ir.VectorType(word, lanes)
    out_array, table_array = (
        context.make_array(kind)(context, builder, value)
        for kind, value in zip(signature.args[:2], arguments[:2], strict=True)
    )
    at = arguments[2]

    def every(value):
        if not isinstance(value, ir.Value):
            return ir.Constant(vector, [int(value)] * lanes)
        one = builder.insert_element(ir.Constant(vector, ir.Undefined), value, ir.Constant(ir.IntType(32), 0))
        first = ir.Constant(ir.VectorType(ir.IntType(32), lanes), [0] * lanes)
        return builder.shuffle_vector(one, ir.Constant(vector, ir.Undefined), first)

    def place(array, index, kind):
        return builder.bitcast(builder.gep(array.data, [index]), kind.as_pointer())

    def row(number):
        blocks = builder.extract_value(table_array.shape, 1)
        index = builder.add(builder.mul(blocks, ir.Constant(blocks.type, number)), at)
        return builder.load(place(table_array, index, vector), align=8)

    def xor(*values):
        return functools.reduce(builder.xor, values)

    def product(a, factor_low, factor_high):
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

    def round_keys(number):
        added = ir.Constant(word, number * int(W0) % 2**64)
        return every(builder.add(arguments[5], added)), every(number * int(W1) % 2**64)

    k0, k1 = round_keys(2)
    h1, l1 = product(builder.xor(every(arguments[3]), row(3)), _M1_LOW, _M1_HIGH)
    c0, c1, c2, c3 = xor(h1, row(2), k0), l1, xor(row(0), every(arguments[4]), k1), row(1)
    for number in range(3, 10):
        k0, k1 = round_keys(number)
        h0, l0 = product(c0, _M0_LOW, _M0_HIGH)
        h1, l1 = product(c2, _M1_LOW, _M1_HIGH)
        c0, c1, c2, c3 = xor(h1, c1, k0), l1, xor(h0, c3, k1), l0

    def side_by_side(a, b, order):
        return builder.shuffle_vector(
            a, b, ir.Constant(ir.VectorType(ir.IntType(32), len(order)), list(order))
        )

    firsts = side_by_side(c0, c1, range(2 * lanes))
    others = side_by_side(c2, c3, range(2 * lanes))
    ordered = side_by_side(firsts, others, [lane * lanes + i for i in range(lanes) for lane in range(4)])
    start = builder.mul(at, ir.Constant(at.type, 4))
    builder.store(ordered, place(out_array, start, ordered.type), align=8)
    return context.get_dummy_value()


def _signature(out, table):
    """Return the signature of a filler, or refuse its arrays."""
    if out.layout != "C" or table.layout != "C":
        raise TypingError("words and their table must be contiguous")
    return types.void(out, table, types.intp, types.uint64, types.uint64, types.uint64)


@intrinsic
def fill_eight_blocks(typingctx, out, table, block, high, low, key):
    """Fill the words of eight blocks from ``block`` on.

    Parameters
    ----------
    out
        uint64 ``[4 * blocks]``, contiguous.
    table
        uint64 ``[4, blocks]``, contiguous, from :func:`~trialsim.draws.patient_table`.
    block
        The first of them.
    high, low
        The product of the second round's word that depends on the replicate alone; ``high`` with the key already.
    key
        The seed.
    """

    def codegen(context, builder, signature, arguments):
        return _fill(context, builder, signature, arguments, LANES)

    return _signature(out, table), codegen


@intrinsic
def fill_sixteen_blocks(typingctx, out, table, block, high, low, key):
    """Fill the words of sixteen blocks from ``block`` on; see :func:`fill_eight_blocks`."""

    def codegen(context, builder, signature, arguments):
        return _fill(context, builder, signature, arguments, MORE_LANES)

    return _signature(out, table), codegen
