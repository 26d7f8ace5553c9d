"""Compiled loops of the fast engine over how patients were allocated."""

# Compiled functions take arrays that the type checker cannot see into.
# mypy: disallow-untyped-defs=False

from __future__ import annotations

from trialsim.compiled import kernel
from trialsim.engines.fast_rows import row_of


@kernel
def fill_allocations(chosen, arm, at_start, changes, first, shares, period, chance):
    """Fill how often allocation had changed before each patient came, and the probability of their arm.

    Parameters
    ----------
    chosen
        Replicates asked about, ``[k]``.
    arm
        ``[replicate or 1, patient]``.
    at_start
        Probability of each arm before any change, ``[arm]``.
    changes
        How often allocation changed, ``[replicate]``.
    first, shares
        The first patient after each change, ``[replicate, change]``, and the probabilities then, ``[.., arm]``.
    period, chance
        Results, ``[k, patient]``.
    """
    for k in range(len(chosen)):
        r = chosen[k]
        a = arm[row_of(arm, r)]
        for i in range(len(a)):
            period[k, i] = 0
            chance[k, i] = at_start[a[i]]
        for c in range(changes[r]):
            for i in range(first[r, c], len(a)):
                period[k, i] += 1
                chance[k, i] = shares[r, c, a[i]]
