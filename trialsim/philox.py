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
_LOW32, _SHIFT32, _SHIFT12 = np.uint64(0xFFFFFFFF), np.uint64(32), np.uint64(12)

LANES, MORE_LANES = 8, 16
"""Blocks that :func:`fill_eight_blocks` and :func:`fill_sixteen_blocks` fill at once."""

_SPREADING = (
    (24, 0x000000FF000000FF),
    (12, 0x000F000F000F000F),
    (6, 0x0303030303030303),
    (3, 0x1111111111111111),
)
"""Shifts, and the bits to keep after them, that move bit ``i`` of sixteen to place ``4 * i``."""


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


@inline
def of_replicate(key: int, replicate: int, purpose: int) -> tuple[int, int]:
    """Return what the first rounds make of replicate and purpose: the ``high`` and ``low`` of :func:`fill_eight_blocks`."""
    c0 = high_product(M1, np.uint64(purpose)) ^ np.uint64(replicate) ^ key
    return high_product(M0, c0) ^ W1, M0 * c0


class _Lanes:
    """Writes instructions on some blocks side by side.

    A compiler turns the loop of :func:`~trialsim.draws.fill_words` into vectors of four, one after the other, and each
    round waits for the one before it. Of longer vectors it makes several of those that the processor has and works on
    them side by side. Products are made of four of 32 bits, as processors have none of 64 on vectors.
    """

    def __init__(self, context, builder, lanes):
        self._context, self._builder, self._lanes = context, builder, lanes
        self._word = ir.IntType(64)
        self._vector = ir.VectorType(self._word, lanes)

    def array(self, kind, value):
        """Return an array that was handed over."""
        return self._context.make_array(kind)(self._context, self._builder, value)

    def every(self, value):
        """Return one number on all lanes."""
        if not isinstance(value, ir.Value):
            return ir.Constant(self._vector, [int(value)] * self._lanes)
        undefined = ir.Constant(self._vector, ir.Undefined)
        one = self._builder.insert_element(undefined, value, ir.Constant(ir.IntType(32), 0))
        first = ir.Constant(ir.VectorType(ir.IntType(32), self._lanes), [0] * self._lanes)
        return self._builder.shuffle_vector(one, undefined, first)

    def xor(self, *values):
        """Return the bitwise sum of several numbers."""
        return functools.reduce(self._builder.xor, values)

    def product(self, a, factor):
        """Return upper and lower half of the product with one number."""
        b = self._builder
        half, lower = self.every(_SHIFT32), self.every(_LOW32)
        low_by, high_by = self.every(factor & _LOW32), self.every(factor >> _SHIFT32)
        a_low, a_high = b.and_(a, lower), b.lshr(a, half)
        p0 = b.mul(a_low, low_by)
        t = b.add(b.mul(a_low, high_by), b.lshr(p0, half))
        t2 = b.add(b.mul(a_high, low_by), b.and_(t, lower))
        upper = b.add(b.mul(a_high, high_by), b.lshr(t, half))
        return b.add(upper, b.lshr(t2, half)), b.or_(b.shl(t2, half), b.and_(p0, lower))

    def _place(self, array, index, kind):
        return self._builder.bitcast(self._builder.gep(array.data, [index]), kind.as_pointer())

    def load(self, array, index):
        """Return neighbours in an array from an index on."""
        return self._builder.load(self._place(array, index, self._vector), align=8)

    def _side_by_side(self, a, b, order):
        return self._builder.shuffle_vector(
            a, b, ir.Constant(ir.VectorType(ir.IntType(32), len(order)), list(order))
        )

    def _round_keys(self, key, number):
        added = ir.Constant(self._word, number * int(W0) % 2**64)
        return self.every(self._builder.add(key, added)), self.every(number * int(W1) % 2**64)

    def finish(self, rows, high, low, key):
        """Return the four words of each block after the rounds from the third on, of what the first two made of it."""
        b = self._builder
        k0, k1 = self._round_keys(key, 2)
        h1, l1 = self.product(b.xor(self.every(high), rows[3]), M1)
        c0, c1 = self.xor(h1, rows[2], k0), l1
        c2, c3 = self.xor(rows[0], self.every(low), k1), rows[1]
        for number in range(3, 10):
            k0, k1 = self._round_keys(key, number)
            h0, l0 = self.product(c0, M0)
            h1, l1 = self.product(c2, M1)
            c0, c1, c2, c3 = self.xor(h1, c1, k0), l1, self.xor(h0, c3, k1), l0
        return c0, c1, c2, c3

    def at_table(self, table, at, high, low, key):
        """Return the words of blocks from ``at`` on, the first two rounds of which are in a table."""
        b = self._builder
        blocks = b.extract_value(table.shape, 1)
        rows = [
            self.load(table, b.add(b.mul(blocks, ir.Constant(blocks.type, number)), at))
            for number in range(4)
        ]
        return self.finish(rows, high, low, key)

    def below(self, words, thresholds, index):
        """Return one bit a word, in the order of the patients: whether its upper 52 bits are less than a threshold."""
        b, found = self._builder, ir.Constant(self._word, 0)
        for lane, word in enumerate(words):
            threshold = self.load(thresholds, b.add(index, ir.Constant(index.type, lane * MORE_LANES)))
            # Both lie below 2**63, and vector units compare signed numbers.
            less = b.icmp_signed("<", b.lshr(word, self.every(_SHIFT12)), threshold)
            bits = b.zext(b.bitcast(less, ir.IntType(self._lanes)), self._word)
            for shift, kept in _SPREADING:
                moved = b.or_(bits, b.shl(bits, ir.Constant(self._word, shift)))
                bits = b.and_(moved, ir.Constant(self._word, kept))
            found = b.or_(found, b.shl(bits, ir.Constant(self._word, lane)))
        return found

    def store(self, array, index, words):
        """Write the words of each block one after the other, from an index on."""
        lanes = self._lanes
        firsts = self._side_by_side(words[0], words[1], range(2 * lanes))
        others = self._side_by_side(words[2], words[3], range(2 * lanes))
        ordered = self._side_by_side(firsts, others, [k * lanes + i for i in range(lanes) for k in range(4)])
        self._builder.store(ordered, self._place(array, index, ordered.type), align=8)


def _fill(context, builder, signature, arguments, lanes):
    """Write the instructions that fill the words of neighbouring blocks, the first two rounds of which are in a table."""
    on = _Lanes(context, builder, lanes)
    out, table = (
        on.array(kind, value) for kind, value in zip(signature.args[:2], arguments[:2], strict=True)
    )
    at, high, low, key = arguments[2:]
    on.store(out, builder.mul(at, ir.Constant(at.type, 4)), on.at_table(table, at, high, low, key))
    return context.get_dummy_value()


def _bits(context, builder, signature, arguments, lanes):
    """Write the instructions that compare the words of neighbouring blocks with thresholds, and return a bit for each."""
    on = _Lanes(context, builder, lanes)
    table, thresholds = (
        on.array(kind, value) for kind, value in zip(signature.args[:2], arguments[:2], strict=True)
    )
    at, high, low, key = arguments[2:]
    words = on.at_table(table, at, high, low, key)
    return on.below(words, thresholds, builder.mul(at, ir.Constant(at.type, 4)))


def _signature(result, first, second):
    """Return the signature of what goes through a table, or refuse its arrays."""
    if first.layout != "C" or second.layout != "C":
        raise TypingError("the table, and words or thresholds, must be contiguous")
    return result(first, second, types.intp, types.uint64, types.uint64, types.uint64)


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

    return _signature(types.void, out, table), codegen


@intrinsic
def fill_sixteen_blocks(typingctx, out, table, block, high, low, key):
    """Fill the words of sixteen blocks from ``block`` on; see :func:`fill_eight_blocks`."""

    def codegen(context, builder, signature, arguments):
        return _fill(context, builder, signature, arguments, MORE_LANES)

    return _signature(types.void, out, table), codegen


@intrinsic
def bits_of_eight_blocks(typingctx, table, thresholds, block, high, low, key):
    """Return a bit for each patient of eight blocks from a multiple of sixteen on; see :func:`bits_of_sixteen_blocks`."""

    def codegen(context, builder, signature, arguments):
        return _bits(context, builder, signature, arguments, LANES)

    return _signature(types.uint64, table, thresholds), codegen


@intrinsic
def bits_of_sixteen_blocks(typingctx, table, thresholds, block, high, low, key):
    """Return a bit for each patient of sixteen blocks: whether the upper 52 bits of the word are less than a threshold.

    Words are compared as they are made and never written down.

    Parameters
    ----------
    table
        uint64 ``[4, blocks]``, contiguous, from :func:`~trialsim.draws.patient_table`.
    thresholds
        uint64, contiguous, at most 2**52, for whole words of 64 patients: of a word's sixteen blocks all first patients,
        then all second ones, and so on.
    block
        The first of them, a multiple of sixteen.
    high, low, key
        See :func:`fill_eight_blocks`.
    """

    def codegen(context, builder, signature, arguments):
        return _bits(context, builder, signature, arguments, MORE_LANES)

    return _signature(types.uint64, table, thresholds), codegen


@intrinsic
def fill_blocks_at(typingctx, out, blocks, first, low_purpose, draw, high, low, key):
    """Fill the words of sixteen blocks that need not be neighbours.

    Parameters
    ----------
    out
        uint64 ``[64]``, contiguous.
    blocks
        Numbers of blocks, 64 bits each, contiguous.
    first
        Place of the first of them.
    low_purpose
        ``M1`` times the purpose.
    draw, high, low, key
        The rest of the address; see :func:`fill_eight_blocks`.
    """

    def codegen(context, builder, signature, arguments):
        on = _Lanes(context, builder, MORE_LANES)
        out_array, numbers = (
            on.array(kind, value) for kind, value in zip(signature.args[:2], arguments[:2], strict=True)
        )
        at_purpose, at_draw, at_high, at_low, at_key = arguments[3:]
        # The same as patient_table.
        h0, l0 = on.product(on.load(numbers, arguments[2]), M0)
        h1, l1 = on.product(builder.xor(h0, on.every(at_draw)), M1)
        key_of_second = builder.add(at_key, ir.Constant(ir.IntType(64), int(W0)))
        c0 = on.xor(h1, on.every(at_purpose), on.every(key_of_second))
        rows = (*on.product(c0, M0), l1, l0)
        on.store(out_array, ir.Constant(ir.IntType(64), 0), on.finish(rows, at_high, at_low, at_key))
        return context.get_dummy_value()

    if out.layout != "C" or blocks.layout != "C":
        raise TypingError("words and blocks must be contiguous")
    return types.void(out, blocks, types.intp, *(types.uint64,) * 5), codegen
