"""Small symmetric systems, solved the same way wherever they occur."""

# Compiled functions take arrays that the type checker cannot see into.
# mypy: disallow-untyped-defs=False

from __future__ import annotations

import math

import numpy as np

from trialsim.compiled import kernel

_SINGULAR = 1e-11


@kernel
def factorise(matrix, lower):
    """Fill the lower Cholesky factor of a symmetric matrix; return whether it is positive definite, to rounding."""
    for i in range(len(matrix)):
        for j in range(i + 1):
            rest = matrix[i, j]
            for k in range(j):
                rest -= lower[i, k] * lower[j, k]
            if i > j:
                lower[i, j] = rest / lower[j, j]
            elif not rest > _SINGULAR * matrix[i, i]:
                return False
            else:
                lower[i, i] = math.sqrt(rest)
    return True


@kernel
def solve(lower, right, out):
    """Fill the solution of a system whose Cholesky factor is given."""
    size = len(right)
    for i in range(size):
        rest = right[i]
        for k in range(i):
            rest -= lower[i, k] * out[k]
        out[i] = rest / lower[i, i]
    for i in range(size - 1, -1, -1):
        rest = out[i]
        for k in range(i + 1, size):
            rest -= lower[k, i] * out[k]
        out[i] = rest / lower[i, i]


@kernel
def independent_columns(columns):
    """Centre and scale columns in place, set aside those that others make up, and return how many are left.

    What is left stands first, in its order. A column is set aside where less than 1e-5 of its spread is its own.

    Parameters
    ----------
    columns
        ``[row, column]``.
    """
    n, count = columns.shape
    kept = 0
    basis = np.empty((n, count))
    for c in range(count):
        mean = 0.0
        for i in range(n):
            mean += columns[i, c]
        mean /= max(n, 1)
        size = largest = 0.0
        for i in range(n):
            largest = max(largest, abs(columns[i, c]))
            columns[i, c] -= mean
            size += columns[i, c] * columns[i, c]
        if not size > n * (1e-12 * largest) ** 2:
            continue
        scale = math.sqrt(size / n)
        for i in range(n):
            columns[i, kept] = columns[i, c] / scale
            basis[i, kept] = columns[i, kept]
        for b in range(kept):
            share = 0.0
            for i in range(n):
                share += basis[i, kept] * basis[i, b]
            for i in range(n):
                basis[i, kept] -= share * basis[i, b]
        own = 0.0
        for i in range(n):
            own += basis[i, kept] * basis[i, kept]
        if not own > n * 1e-10:
            continue
        own = math.sqrt(own)
        for i in range(n):
            basis[i, kept] /= own
        kept += 1
    return kept
