"""When one of a design's patients enters, over all trials: quantiles of entry times, from the law of accrual alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import pdtr, pdtrc

from trialsim.operations.accrual import AccrualLaw

Floats = NDArray[np.float64]

_GRID = 1 << 12


def entry_quantiles(law: AccrualLaw, n: int, shares: Floats) -> Floats:
    """Return quantiles of the entry time of a patient drawn at random from the first ``n`` of a trial.

    Parameters
    ----------
    law
        Law of accrual.
    n
        Patients of the design.
    shares
        Probabilities, above 0 and below 1.

    Returns
    -------
    numpy.ndarray
        Days since the start of accrual, as many as there are shares.
    """
    places = np.floor(shares * n) + 1.0
    if law.over is not None:
        return np.asarray(shares if law.random else places / (law.paced_for or n)) * law.over
    pieces = law.pieces
    if pieces is None:
        raise ValueError("a law of accrual has a period or a rate")
    amounts = (_poisson_amounts(n, shares) if law.random else places)[:, None]
    spent = np.clip(amounts - pieces.begin[0], 0.0, pieces.width[0]) * pieces.slope[0]
    return np.asarray((spent + np.where(amounts > pieces.begin[0], pieces.jump[0], 0.0)).sum(axis=1))


def _poisson_amounts(n: int, shares: Floats) -> Floats:
    """Return the cumulative rates by which these shares of the first ``n`` arrivals of a Poisson process are expected.

    By the cumulative rate c, E min(N, n) = c P(N <= n - 2) + n P(N >= n) of them have come, N being Poisson with mean c.
    """

    def come(rates: Floats) -> Floats:
        before = rates * pdtr(n - 2, rates) if n > 1 else 0.0
        return np.asarray(before + n * pdtrc(n - 1, rates))

    grid = np.linspace(0.0, n + 10.0 * np.sqrt(n) + 50.0, _GRID)
    near = np.interp(shares * n, come(grid), grid)
    return np.asarray(
        near + (shares * n - come(near)) / pdtr(n - 1, near)
    )  # Newton: the derivative is P(N < n)
