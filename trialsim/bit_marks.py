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

from trialsim.compiled import inline, kernel

PATIENTS_A_WORD = 64


@kernel
def words_for(n):
    """Return how many words hold the marks of ``n`` patients."""
    return -(-n // PATIENTS_A_WORD)


@inline
def bits_before(patient):
    """Return the bits of those before a patient in the same word."""
    return (np.uint64(1) << np.uint64(patient % PATIENTS_A_WORD)) - np.uint64(1)


@intrinsic
def _up_to(typingctx, values, first, limit):
    """Compare 64 neighbours in an array with a limit, and return a bit for each: whether it is at most that."""
    if values.layout != "C" or values.ndim != 1:
        raise TypingError("what is compared side by side must be contiguous")
    kind = values.dtype

    def codegen(context, builder, signature, arguments):
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        vector = ir.VectorType(context.get_value_type(kind), PATIENTS_A_WORD)
        place = builder.gep(array.data, [arguments[1]])
        theirs = builder.load(builder.bitcast(place, vector.as_pointer()), align=kind.bitwidth // 8)
        undefined = ir.Constant(vector, ir.Undefined)
        one = builder.insert_element(undefined, arguments[2], ir.Constant(ir.IntType(32), 0))
        lanes = ir.Constant(ir.VectorType(ir.IntType(32), PATIENTS_A_WORD), [0] * PATIENTS_A_WORD)
        every = builder.shuffle_vector(one, undefined, lanes)
        return builder.bitcast(builder.icmp_signed("<=", theirs, every), ir.IntType(PATIENTS_A_WORD))

    return types.uint64(values, types.intp, kind), codegen


@kernel
def _moved(n, word):
    """Return how far the bits of the last 64 of ``n`` patients have to be moved for those of a last word to be left."""
    return np.uint64(PATIENTS_A_WORD * (word + 1) - n)


@kernel
def up_to(values, word, limit):
    """Return which of the 64 patients of a word have a value that is at most ``limit``; none beyond the last patient.

    Parameters
    ----------
    values
        Whole numbers, ``[patient]``, contiguous.
    word
        Patients from ``64 * word`` on.
    limit
        Of the same type and in the same units.

    Returns
    -------
    int
        64 bits, that of the first patient lowest.
    """
    n = len(values)
    if PATIENTS_A_WORD * (word + 1) <= n:
        return _up_to(values, PATIENTS_A_WORD * word, limit)
    if n >= PATIENTS_A_WORD:
        return _up_to(values, n - PATIENTS_A_WORD, limit) >> _moved(n, word)
    bits = np.uint64(0)
    for i in range(n):
        bits |= np.uint64(values[i] <= limit) << np.uint64(i)
    return bits


@kernel
def above(values, word, limit):
    """Return which of the 64 patients of a word have a value greater than ``limit``; see :func:`up_to`."""
    n = len(values)
    everybody = bits_before(n) if PATIENTS_A_WORD * (word + 1) > n else ~np.uint64(0)
    return everybody & ~up_to(values, word, limit)


@kernel
def same(codes, word, code):
    """Return which of the 64 patients of a word have this code, int8 ``[patient]`` above -128; see :func:`up_to`."""
    return up_to(codes, word, np.int8(code)) & ~up_to(codes, word, np.int8(code - 1))
