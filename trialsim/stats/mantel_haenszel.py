"""Two proportions within strata: the Cochran-Mantel-Haenszel test and the Mantel-Haenszel risk difference."""

# Compiled functions take arrays that the type checker cannot see into.
# mypy: disallow-untyped-defs=False

from __future__ import annotations

import numpy as np

from trialsim.compiled import kernel


@kernel
def mantel_haenszel(
    offsets, treated, stratum, value, score, score_variance, difference, difference_variance, weight
):
    """Fill the test's score and variance, and the risk difference and its variance, of each replicate.

    Cochran, Biometrics 10, 1954, 417-451; Mantel and Haenszel, JNCI 22, 1959, 719-748 (the score with its hypergeometric
    variance, without continuity correction); Greenland and Robins, Biometrics 41, 1985, 55-68 (the difference); Sato,
    Greenland and Robins, Biometrics 45, 1989, 1323-1324 (its variance, for few large and for many small strata alike).

    Parameters
    ----------
    offsets, treated, stratum, value
        Of :class:`~trialsim.contracts.PatientRows`, ``value`` 0 or 1.
    score, score_variance, difference, difference_variance
        Results, ``[replicate]``.
    weight
        The sum of the weights n1 n0 / n, 0 where no stratum has patients on both arms, ``[replicate]``.
    """
    for r in range(len(offsets) - 1):
        first, last = offsets[r], offsets[r + 1]
        strata = 0
        for i in range(first, last):
            strata = max(strata, stratum[i] + 1)
        counts = np.zeros((strata, 4))  # patients and successes on control, then on treatment
        for i in range(first, last):
            side = 2 * treated[i]
            counts[stratum[i], side] += 1.0
            counts[stratum[i], side + 1] += value[i]
        over = spread = total = whole = p_sum = q_sum = 0.0
        for s in range(strata):
            n0, x0, n1, x1 = counts[s, 0], counts[s, 1], counts[s, 2], counts[s, 3]
            if n0 == 0.0 or n1 == 0.0:
                continue
            n, x = n0 + n1, x0 + x1
            w = n1 * n0 / n
            over += x1 - n1 * x / n
            spread += n1 * n0 * x * (n - x) / (n * n * (n - 1.0))
            total += x1 * n0 / n - x0 * n1 / n
            whole += w
            p_sum += (n1 * n1 * x0 - n0 * n0 * x1 + n1 * n0 * (n0 - n1) / 2.0) / (n * n)
            q_sum += (x1 * (n0 - x0) + x0 * (n1 - x1)) / (2.0 * n)
        score[r], score_variance[r], weight[r] = over, spread, whole
        difference[r] = total / whole if whole > 0.0 else np.nan
        difference_variance[r] = (difference[r] * p_sum + q_sum) / (whole * whole) if whole > 0.0 else np.nan
