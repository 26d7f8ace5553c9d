"""A compiled loop that puts what looks found into the order of a table."""

# Compiled functions take arrays that the type checker cannot see into.
# mypy: disallow-untyped-defs=False

from __future__ import annotations

from trialsim.compiled import kernel


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
