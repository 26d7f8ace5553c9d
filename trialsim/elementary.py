"""Elementary functions with one answer each, wherever they are evaluated.

A library's logarithm may return another last bit in a vectorised loop than in a scalar call. These are plain arithmetic:
the same bits in both engines, on every machine, in any loop.
"""

from __future__ import annotations

import math

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from trialsim.compiled import inline, kernel

WHOLE = 0x4330000000000000
WHOLE_FROM = 2.0**52
"""Doubles from 2**52 to 2**53 are whole and hold ``x - 2**52`` in their lower 52 bits, above which stands ``WHOLE``.

So a whole number of fewer bits becomes a double, and the other way round, by an addition that is exact. It vectorises
where the processor's own conversion of 64 bits does not.
"""


@intrinsic
def bits_of(typingctx, x):  # type: ignore[no-untyped-def]
    """Return the bit pattern of a double as an int64."""

    def codegen(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        return builder.bitcast(arguments[0], ir.IntType(64))

    return types.int64(types.float64), codegen


@intrinsic
def double_of(typingctx, bits):  # type: ignore[no-untyped-def]
    """Return the double with a bit pattern."""

    def codegen(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        return builder.bitcast(arguments[0], ir.DoubleType())

    return types.float64(types.int64), codegen


@intrinsic
def ones_in(typingctx, bits):  # type: ignore[no-untyped-def]
    """Return how many bits of a uint64 are set."""

    def codegen(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        return builder.ctpop(arguments[0])

    return types.int64(types.uint64), codegen


@intrinsic
def lowest_one(typingctx, bits):  # type: ignore[no-untyped-def]
    """Return the place of the lowest bit that is set in a uint64, which is not 0."""

    def codegen(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return types.uint64(types.uint64), codegen


@inline
def natural_log(x: float) -> float:
    """Return log(x) of a positive normal double, within one unit in the last place, without branches.

    The argument is reduced to [sqrt(1/2), sqrt(2)) and the series of fdlibm's ``e_log.c`` (Sun Microsystems, 1993)
    summed. It exists because ``math.log`` in a loop does not vectorise and differs from ``np.log`` in the last bit.
    """
    shifted = bits_of(x) + 0x00095F6400000000
    exponent = double_of(((shifted >> 52) & 0x7FF) | WHOLE) - (WHOLE_FROM + 1023.0)
    f = double_of((shifted & 0x000FFFFFFFFFFFFF) + 0x3FE6A09C00000000) - 1.0
    s = f / (2.0 + f)
    z = s * s
    w = z * z
    even = w * (3.999999999940941908e-01 + w * (2.222219843214978396e-01 + w * 1.531383769920937332e-01))
    odd = z * (
        6.666666666666735130e-01
        + w * (2.857142874366239149e-01 + w * (1.818357216161805012e-01 + w * 1.479819860511658591e-01))
    )
    half_square = 0.5 * f * f
    return (
        s * (half_square + (even + odd))
        + exponent * 1.90821492927058770002e-10
        - half_square
        + f
        + exponent * 6.93147180369123816490e-01
    )


@inline
def natural_exp(x: float) -> float:
    """Return exp(x) for ``x`` cut to [-700, 700], within about one unit in the last place, without branches.

    Reduction by a multiple of log 2 and the rational form of fdlibm's ``e_exp.c`` (Sun Microsystems, 1993).
    """
    bounded = min(max(x, -700.0), 700.0)
    count = np.floor(bounded * 1.44269504088896338700 + 0.5)
    high = bounded - count * 6.93147180369123816490e-01
    low = count * 1.90821492927058770002e-10
    r = high - low
    t = r * r
    c = r - t * (
        1.66666666666666019037e-01
        + t
        * (
            -2.77777777770155933842e-03
            + t
            * (
                6.61375632143793436117e-05
                + t * (-1.65339022054652515390e-06 + t * 4.13813679705723846039e-08)
            )
        )
    )
    y = 1.0 - ((low - (r * c) / (2.0 - c)) - high)
    return y * double_of(bits_of(count + (WHOLE_FROM + 1023.0)) << 52)


@inline
def power(x: float, exponent: float) -> float:
    """Return ``x ** exponent`` of a positive ``x``."""
    return natural_exp(exponent * natural_log(x))


CENTRAL = 0.425
"""Distance from one half up to which :func:`central_normal` gives the normal quantile."""


@inline
def central_normal(q: float) -> float:
    """Return the standard normal quantile of ``q + 1/2`` for ``abs(q) <= CENTRAL``: the central branch of AS 241."""
    r = 0.180625 - q * q
    numerator = (
        ((((((r * 2509.0809287301226727 + 33430.575583588128105) * r + 67265.770927008700853) * r
            + 45921.953931549871457) * r + 13731.693765509461125) * r + 1971.5909503065514427) * r
            + 133.14166789178437745) * r + 3.387132872796366608
    )  # fmt: skip
    denominator = (
        ((((((r * 5226.495278852545925 + 28729.085735721942674) * r + 39307.89580009271061) * r
            + 21213.794301586595867) * r + 5394.1960214247511077) * r + 687.1870074920579083) * r
            + 42.313330701600911252) * r + 1.0
    )  # fmt: skip
    return q * numerator / denominator


NEAR_TAIL = 5.0
"""Largest :func:`depth` at which :func:`near_tail_normal` gives the quantile; of 36 thousand million one is deeper."""


@inline
def depth(u: float) -> float:
    """Return how deep in a tail ``u`` in (0, 1) lies: the square root of minus the log of its distance from 0 or 1."""
    return math.sqrt(-natural_log(u if u - 0.5 < 0.0 else 1.0 - u))


@inline
def near_tail_normal(u: float, depth: float) -> float:
    """Return the standard normal quantile of ``u`` at a depth up to ``NEAR_TAIL``: the near tails of AS 241."""
    r = depth - 1.6
    numerator = (
        ((((((r * 7.7454501427834140764e-4 + 0.0227238449892691845833) * r + 0.24178072517745061177) * r
            + 1.27045825245236838258) * r + 3.64784832476320460504) * r + 5.7694972214606914055) * r
            + 4.6303378461565452959) * r + 1.42343711074968357734
    )  # fmt: skip
    denominator = (
        ((((((r * 1.05075007164441684324e-9 + 5.475938084995344946e-4) * r + 0.0151986665636164571966) * r
            + 0.14810397642748007459) * r + 0.68976733498510000455) * r + 1.6763848301838038494) * r
            + 2.05319162663775882187) * r + 1.0
    )  # fmt: skip
    value = numerator / denominator
    return -value if u - 0.5 < 0.0 else value


@kernel
def tail_normal(u: float) -> float:
    """Return the standard normal quantile of ``u`` further from one half than ``CENTRAL``: the tails of AS 241."""
    r = depth(u)
    if r <= NEAR_TAIL:
        return near_tail_normal(u, r)
    r -= 5.0
    numerator = (
        ((((((r * 2.01033439929228813265e-7 + 2.71155556874348757815e-5) * r + 0.0012426609473880784386) * r
            + 0.026532189526576123093) * r + 0.29656057182850489123) * r + 1.7848265399172913358) * r
            + 5.4637849111641143699) * r + 6.6579046435011037772
    )  # fmt: skip
    denominator = (
        ((((((r * 2.04426310338993978564e-15 + 1.4215117583164458887e-7) * r + 1.8463183175100546818e-5) * r
            + 7.868691311456132591e-4) * r + 0.0148753612908506148525) * r + 0.13692988092273580531) * r
            + 0.59983220655588793769) * r + 1.0
    )  # fmt: skip
    value = numerator / denominator
    return -value if u - 0.5 < 0.0 else value


@kernel
def standard_normal(u: float) -> float:
    """Return the standard normal quantile of ``u`` in (0, 1), relative error about 1e-15.

    Algorithm AS 241, routine PPND16 (Wichura, Applied Statistics 37, 1988, 477-484).
    """
    q = u - 0.5
    if abs(q) <= CENTRAL:
        return central_normal(q)
    return tail_normal(u)


@kernel
def standard_normals(u: np.ndarray, out: np.ndarray) -> None:
    """Fill the standard normal quantiles of an array, one by one.

    Parameters
    ----------
    u
        Float64 in (0, 1), of one dimension.
    out
        Of the same length.
    """
    for i in range(len(u)):
        out[i] = standard_normal(u[i])


@kernel
def fill_standard_normal(u, tails, held, out):  # type: ignore[no-untyped-def]
    """Fill :func:`standard_normal` of many uniforms.

    The central branch is taken for all, which vectorises, and the tails are then put right side by side.

    Parameters
    ----------
    u
        In (0, 1).
    tails, held
        Scratch, int64 one longer than ``u``, and float64 ``[2, at least as long as u]``.
    out
        Results.
    """
    beyond = np.uint64(0)
    for i in range(len(u)):
        out[i] = central_normal(u[i] - 0.5)
    for begin in range(0, len(u), 64):
        some = u[begin : begin + 64]
        bits = np.uint64(0)
        for j in range(len(some)):
            bits |= np.uint64(abs(some[j] - 0.5) > CENTRAL) << np.uint64(j)
        while bits:
            tails[beyond] = begin + lowest_one(bits)
            beyond += np.uint64(1)
            bits &= bits - np.uint64(1)
    # Loops of their own, as only so each of them vectorises.
    at, deep = held[0], held[1]
    deeper = 0
    for k in range(beyond):
        at[k] = u[np.uint64(tails[k])]
    for k in range(beyond):
        deep[k] = depth(at[k])
    for k in range(beyond):
        at[k] = near_tail_normal(at[k], deep[k])
        deeper += np.int64(deep[k] > NEAR_TAIL)
    for k in range(beyond):
        out[np.uint64(tails[k])] = at[k]
    if deeper > 0:
        for k in range(beyond):
            i = np.uint64(tails[k])
            out[i] = tail_normal(u[i])
