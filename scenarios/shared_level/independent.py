"""Power of Holm's procedure by plain NumPy: four normal statistics with one control, tested step down.

Prints the share of trials that reject each hypothesis, and its standard error.
"""

from __future__ import annotations

import numpy as np
from scipy.stats import norm

TRIALS, LEVEL = 400_000, 0.025
MARGINAL = (0.9, 0.8, 0.7, 0.6)


def rejections() -> np.ndarray:
    """Return what is rejected, ``[trial, hypothesis]``: the least p value at a quarter of the level, and so on."""
    generator = np.random.default_rng(20261126)
    own, control = generator.standard_normal((TRIALS, 4)), generator.standard_normal((TRIALS, 1))
    p = norm.sf((own - control) / np.sqrt(2) + norm.isf(LEVEL) + norm.ppf(MARGINAL))
    order = np.argsort(p, axis=1)
    passed = np.take_along_axis(p, order, axis=1) <= LEVEL / np.array([4, 3, 2, 1])
    found = np.zeros(p.shape, dtype=bool)
    np.put_along_axis(found, order, np.cumprod(passed, axis=1).astype(bool), axis=1)
    return found


if __name__ == "__main__":
    shares = rejections().mean(axis=0)
    print(shares, np.sqrt(shares * (1 - shares) / TRIALS))
