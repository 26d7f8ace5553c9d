"""Analysis of covariance of two arms by least squares."""

# Compiled functions take arrays that the type checker cannot see into.
# mypy: disallow-untyped-defs=False

from __future__ import annotations

import numpy as np

from trialsim.compiled import kernel
from trialsim.stats.cholesky import independent_columns


@kernel
def adjusted_difference(offsets, treated, value, covariates, difference, variance, freedom, empty):
    """Fill the difference of means adjusted for covariates, its variance and degrees of freedom, of each replicate.

    The least squares fit of an intercept, treatment and the covariates (Fisher, Statistical Methods for Research Workers,
    4th ed., 1932). Treatment and outcome are cleared of the covariates by modified Gram-Schmidt; covariates that others
    make up count once.

    Parameters
    ----------
    offsets, treated, value, covariates
        Of :class:`~trialsim.contracts.PatientRows`.
    difference, variance, freedom
        Results, ``[replicate]``: NaN and 0 where covariates make up the arm or leave no residual.
    empty
        Whether an arm has nobody, ``[replicate]``.
    """
    for r in range(len(offsets) - 1):
        first, last = offsets[r], offsets[r + 1]
        n = last - first
        difference[r], variance[r], freedom[r] = np.nan, 0.0, 0.0
        sizes = np.zeros(2, np.int64)
        for i in range(first, last):
            sizes[treated[i]] += 1
        empty[r] = sizes[0] == 0 or sizes[1] == 0
        if empty[r]:
            continue
        columns = covariates[first:last].copy()
        kept = independent_columns(columns)
        # The columns that are left, made orthogonal one after the other, then treatment, then the outcome.
        work = np.empty((n, kept + 2))
        centre = 0.0
        for i in range(n):
            centre += value[first + i]
        centre /= n
        treated_share = float(sizes[1]) / n
        squares = 0.0
        for i in range(n):
            for c in range(kept):
                work[i, c] = columns[i, c]
            work[i, kept] = float(treated[first + i]) - treated_share
            work[i, kept + 1] = value[first + i] - centre
            squares += work[i, kept + 1] ** 2
        for c in range(kept + 1):
            size = 0.0
            for i in range(n):
                size += work[i, c] * work[i, c]
            if c == kept and not size > 1e-10 * n * treated_share * (1.0 - treated_share):
                break
            for later in range(c + 1, kept + 2):
                share = 0.0
                for i in range(n):
                    share += work[i, c] * work[i, later]
                share /= size
                for i in range(n):
                    work[i, later] -= share * work[i, c]
                if c == kept:
                    difference[r] = share
            if c == kept:
                rest = 0.0
                for i in range(n):
                    rest += work[i, kept + 1] ** 2
                freedom[r] = float(n - 2 - kept)
                # Less than rounding leaves of a perfect fit is no variance.
                if freedom[r] >= 1.0 and rest > 1e-22 * squares:
                    variance[r] = rest / freedom[r] / size
