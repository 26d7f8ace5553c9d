"""Marks of patients, 64 in a word: comparisons of neighbours in an array, made side by side and kept as bits.

What is counted, skipped or looked up by such marks is read off whole words, where a number or a byte a patient would have
to be gone through one by one.
"""

# Intrinsics are handed types and builders of the compiler, and inside words of the machine.
# mypy: disallow-untyped-defs=False

from __future__ import annotations

import numpy as np
from llvmlite import ir
from numba import types
from numba.core.errors import TypingError
from numba.extending import intrinsic

from trialsim.compiled import kernel

_BITS = 64


def words_for(n: int) -> int:
    """Return how many words hold the marks of ``n`` patients."""
    return -(-n // _BITS)


def _compared(predicate):
    """Return an instruction that compares 64 neighbours in an array with a value, and returns a bit for each."""

    @intrinsic
    def compare(typingctx, values, first, value):
        if values.layout != "C" or values.ndim != 1:
            raise TypingError("what is compared side by side must be contiguous")
        kind = values.dtype

        def codegen(context, builder, signature, arguments):
            array = context.make_array(signature.args[0])(context, builder, arguments[0])
            element = context.get_value_type(kind)
            vector = ir.VectorType(element, _BITS)
            place = builder.gep(array.data, [arguments[1]])
            theirs = builder.load(builder.bitcast(place, vector.as_pointer()), align=kind.bitwidth // 8)
            undefined = ir.Constant(vector, ir.Undefined)
            one = builder.insert_element(undefined, arguments[2], ir.Constant(ir.IntType(32), 0))
            lanes = ir.Constant(ir.VectorType(ir.IntType(32), _BITS), [0] * _BITS)
            every = builder.shuffle_vector(one, undefined, lanes)
            return builder.bitcast(builder.icmp_signed(predicate, theirs, every), ir.IntType(_BITS))

        return types.uint64(values, types.intp, kind), codegen

    return compare


_up_to, _above, _same = _compared("<="), _compared(">"), _compared("==")


@kernel
def _rest(n, word):
    """Return how far the last 64 of ``n`` patients have to be moved to become the word that ends with them."""
    return np.uint64(_BITS * (word + 1) - n)


@kernel
def up_to(times, word, limit):
    """Return which of the 64 patients of a word have a time that is at most ``limit``; none beyond the last patient.

    Parameters
    ----------
    times
        int64 ``[patient]``, contiguous.
    word
        Patients from ``64 * word`` on.
    limit
        In the units of the times.

    Returns
    -------
    int
        64 bits, that of the first patient lowest.
    """
    n = len(times)
    if _BITS * (word + 1) <= n:
        return _up_to(times, _BITS * word, limit)
    if n >= _BITS:
        return _up_to(times, n - _BITS, limit) >> _rest(n, word)
    bits = np.uint64(0)
    for i in range(n):
        bits |= np.uint64(times[i] <= limit) << np.uint64(i)
    return bits


@kernel
def above(times, word, limit):
    """Return which of the 64 patients of a word have a time later than ``limit``; see :func:`up_to`."""
    n = len(times)
    if _BITS * (word + 1) <= n:
        return _above(times, _BITS * word, limit)
    if n >= _BITS:
        return _above(times, n - _BITS, limit) >> _rest(n, word)
    bits = np.uint64(0)
    for i in range(n):
        bits |= np.uint64(times[i] > limit) << np.uint64(i)
    return bits


@kernel
def same(codes, word, code):
    """Return which of the 64 patients of a word have this code, int8 ``[patient]``; see :func:`up_to`."""
    n = len(codes)
    if _BITS * (word + 1) <= n:
        return _same(codes, _BITS * word, code)
    if n >= _BITS:
        return _same(codes, n - _BITS, code) >> _rest(n, word)
    bits = np.uint64(0)
    for i in range(n):
        bits |= np.uint64(codes[i] == code) << np.uint64(i)
    return bits
