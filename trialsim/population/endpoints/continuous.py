"""Continuous outcomes: a linear model with normal residuals."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np

from trialsim.compiled import inline, kernel
from trialsim.draws import unit
from trialsim.elementary import (
    CENTRAL,
    NEAR_TAIL,
    central_normal,
    depth,
    lowest_one,
    near_tail_normal,
    tail_normal,
)

_LEAST_CENTRAL = math.ceil((Fraction(1, 2) - Fraction(CENTRAL)) * 2**52 - Fraction(1, 2))
_FIRST_CENTRAL = np.uint64(_LEAST_CENTRAL << 12)
_CENTRAL_WORDS = np.uint64((2**52 - 2 * _LEAST_CENTRAL) << 12)
"""Words from the first on, and how many, whose uniforms are no further from one half than ``CENTRAL``."""


@kernel
def expected_values(main, modifier, drift, intercepts, out):  # type: ignore[no-untyped-def]
    """Fill ``out[row, arm]`` with the expected value of each patient in each arm."""
    for i in range(len(main)):
        for a in range(len(intercepts)):
            value = intercepts[a] + (main[i] + drift[i])
            if a > 0:
                value += modifier[i]
            out[i, a] = value


@inline
def measured_value(normal: float, expected: float, sd: float) -> float:
    """Return the measurement of a patient with a standard normal residual."""
    return expected + sd * normal


@kernel
def fill_values(words, expected, sd, first, last, tails, held, out):  # type: ignore[no-untyped-def]
    """Fill ``out`` with the measurements of patients ``first`` to ``last - 1``.

    ``expected`` is that of each patient in the own arm, ``[patient]``. The central branch of the normal quantile is taken
    for all, which vectorises, and the tails are then put right side by side. ``tails`` and ``held`` are scratch.
    """
    words = words[first:last]
    expected = expected[first:last]
    out = out[first:last]
    count = last - first
    beyond = np.uint64(0)
    for i in range(count):
        out[i] = measured_value(central_normal(unit(words[i]) - 0.5), expected[i], sd)
    for begin in range(0, count, 64):
        # Which of 64 lie in a tail, as bits: found in vectors, and few of them are set.
        some = words[begin : begin + 64]
        bits = np.uint64(0)
        for j in range(len(some)):
            bits |= np.uint64(some[j] - _FIRST_CENTRAL >= _CENTRAL_WORDS) << np.uint64(j)
        while bits:
            tails[beyond] = begin + lowest_one(bits)
            beyond += np.uint64(1)
            bits &= bits - np.uint64(1)
    # Loops of their own, as only so each of them vectorises.
    at, deep = held[0], held[1]
    deeper = 0
    for k in range(beyond):
        at[k] = unit(words[np.uint64(tails[k])])
    for k in range(beyond):
        deep[k] = depth(at[k])
    for k in range(beyond):
        at[k] = near_tail_normal(at[k], deep[k])
        deeper += np.int64(deep[k] > NEAR_TAIL)
    if deeper > 0:
        for k in range(beyond):
            at[k] = tail_normal(unit(words[np.uint64(tails[k])]))
    for k in range(beyond):
        i = np.uint64(tails[k])
        out[i] = measured_value(at[k], expected[i], sd)
