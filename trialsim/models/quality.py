"""How well log odds tell positives from negatives, and how well they are calibrated."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


def area_under_curve(score: Floats, label: Bools) -> float:
    """Return the probability that a positive outranks a negative, ties counted half (Mann-Whitney); NaN without both."""
    positive, negative = int(label.sum()), int((~label).sum())
    if positive == 0 or negative == 0:
        return float("nan")
    _, place, count = np.unique(score, return_inverse=True, return_counts=True)
    rank = (np.cumsum(count) - 0.5 * (count - 1))[place]
    return float((rank[label].sum() - positive * (positive + 1) / 2.0) / (positive * negative))


def log_loss(log_odds: Floats, label: Bools) -> float:
    """Return the mean of minus the log likelihood."""
    return float(np.logaddexp(0.0, np.where(label, -log_odds, log_odds)).mean())


def brier_score(log_odds: Floats, label: Bools) -> float:
    """Return the mean squared distance of probability and label (Brier, Mon Weather Rev 78, 1950, 1-3)."""
    return float(np.square(1.0 / (1.0 + np.exp(-log_odds)) - label).mean())
