"""Counts of two proportions, and what every analysis of their difference reports of it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from trialsim.contracts import Bools, DataCut, Floats, any_of


class Proportions(NamedTuple):
    """Counts, the difference, its Wald standard error, the pooled variance, and what keeps them apart, ``[replicate]``."""

    successes: Floats
    n: Floats
    successes_control: Floats
    n_control: Floats
    difference: Floats
    se: Floats
    pooled_variance: Floats
    empty: Bools


def proportions_of(cut: DataCut) -> Proportions:
    """Return the counts of treatment and control, sizes of empty arms taken as 1."""
    m = cut.moments()
    n0, n1 = np.maximum(m.n[:, 0], 1).astype(np.float64), np.maximum(m.n[:, 1], 1).astype(np.float64)
    x0, x1 = np.rint(m.mean[:, 0] * n0), np.rint(m.mean[:, 1] * n1)
    p0, p1 = m.mean[:, 0], m.mean[:, 1]
    pooled = (x0 + x1) / (n0 + n1)
    return Proportions(
        x1,
        n1,
        x0,
        n0,
        p1 - p0,
        np.sqrt(p0 * (1.0 - p0) / n0 + p1 * (1.0 - p1) / n1),
        pooled * (1.0 - pooled) * (1.0 / n0 + 1.0 / n1),
        any_of(m.n == 0),
    )
