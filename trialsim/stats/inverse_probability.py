"""Means weighted by the inverse of the probability of the treatment that was given."""

# Compiled functions take arrays that the type checker cannot see into.
# mypy: disallow-untyped-defs=False

from __future__ import annotations

import numpy as np

from trialsim.compiled import kernel


@kernel
def weighted_difference(offsets, treated, value, chance, difference, variance, empty):
    """Fill the difference of inverse-probability weighted means and its variance of each replicate.

    Each mean is sum(w y) / sum(w) with w = 1 / probability (Hajek 1971), its variance the sum of (w (y - mean))^2 over
    (sum w)^2, that of its influence function (Lunceford and Davidian, Stat. Med. 23, 2004, 2937-2960).

    Parameters
    ----------
    offsets, treated, value
        Of :class:`~trialsim.contracts.PatientRows`.
    chance
        Probability with which each patient was given the arm that was given, above 0, ``[row]``.
    difference, variance, empty
        Results, ``[replicate]``; ``empty`` where an arm has no patients.
    """
    for r in range(len(offsets) - 1):
        weight, total, spread = np.zeros(2), np.zeros(2), np.zeros(2)
        for i in range(offsets[r], offsets[r + 1]):
            weight[treated[i]] += 1.0 / chance[i]
            total[treated[i]] += value[i] / chance[i]
        empty[r] = weight[0] == 0.0 or weight[1] == 0.0
        if empty[r]:
            continue
        for i in range(offsets[r], offsets[r + 1]):
            side = treated[i]
            residual = (value[i] - total[side] / weight[side]) / chance[i]
            spread[side] += residual * residual
        difference[r] = total[1] / weight[1] - total[0] / weight[0]
        variance[r] = spread[0] / (weight[0] * weight[0]) + spread[1] / (weight[1] * weight[1])
