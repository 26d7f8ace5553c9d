"""How compiled loops of the fast engine read an array ``[replicate, patient]`` that all replicates may share."""

# Compiled functions take arrays that the type checker cannot see into.
# mypy: disallow-untyped-defs=False

from __future__ import annotations

from trialsim.compiled import inline


@inline
def row_of(array, replicate):
    """Return the row of a possibly shared array."""
    return replicate if array.shape[0] > 1 else 0
