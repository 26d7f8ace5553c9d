"""Compiled loops that put what looks found into the order of a table."""

# Compiled functions take arrays that the type checker cannot see into.
# mypy: disallow-untyped-defs=False

from __future__ import annotations

import numpy as np

from trialsim.compiled import kernel


@kernel
def places_of_looks(rows, size, place):
    """Fill where each look stands among all, in order of replicate and, of a replicate, in the order in which they come.

    Parameters
    ----------
    rows
        The replicate of each look, those of later rounds of looks after those of earlier ones.
    size
        Number of replicates.
    place
        Filled, ``[look]``.
    """
    following = np.zeros(size + 1, np.int64)
    for k in range(len(rows)):
        following[rows[k] + 1] += 1
    for r in range(size):
        following[r + 1] += following[r]
    for k in range(len(rows)):
        place[k] = following[rows[k]]
        following[rows[k]] += 1


@kernel
def put_rows(values, rows, out):
    """Put ``values``, ``[k, few]``, at ``rows`` of ``out``, ``[replicate, few]``; one row of values goes to all of them."""
    alike = values.shape[0] == 1
    for k in range(len(rows)):
        for a in range(out.shape[1]):
            out[rows[k], a] = values[0 if alike else k, a]


@kernel
def put_in_place(values, place, width, out):
    """Fill ``width`` neighbours in ``out`` for each look: ``values[:, k]`` at ``place[k]``, or the one value there is.

    Parameters
    ----------
    values
        ``[width, k]``, or ``[1, k]`` to be repeated.
    place
        Which look of the table each is.
    width
        Values of a look.
    out
        Filled, ``[look * width]``.
    """
    alike = values.shape[0] == 1
    for k in range(len(place)):
        at = place[k] * width
        for t in range(width):
            out[at + t] = values[0 if alike else t, k]
