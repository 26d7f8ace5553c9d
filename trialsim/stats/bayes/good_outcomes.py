"""Response rates turned so that high ones are good, whatever the direction of a hypothesis."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray


def as_benefit(
    successes: NDArray[np.int64], n: NDArray[np.int64], lower_is_better: bool
) -> NDArray[np.int64]:
    """Return the number of good outcomes: the successes, or those without one where lower rates are better."""
    return n - successes if lower_is_better else successes


def beta_priors(options: Mapping[str, Any], lower_is_better: bool) -> NDArray[np.float64]:
    """Return the shapes of the beta priors of good outcomes, control first, ``[2, 2]``.

    Parameters
    ----------
    options
        ``prior`` of the arms' rates, and ``control_prior`` where that of control is another.
    lower_is_better
        Whether low rates are a benefit.
    """
    on_treatment = tuple(options["prior"])
    on_control = tuple(options["control_prior"] or on_treatment)
    found = np.array([on_control, on_treatment], dtype=np.float64)
    return np.ascontiguousarray(found[:, ::-1]) if lower_is_better else found


def benefit_margin(options: Mapping[str, Any], lower_is_better: bool) -> float:
    """Return by how much the rate of good outcomes must be better: the option ``margin``, on the rates' scale."""
    margin = float(options["margin"])
    return -margin if lower_is_better else margin


def reference_rate(options: Mapping[str, Any], lower_is_better: bool) -> float:
    """Return the rate of good outcomes that a single arm is compared with: the option ``rate``."""
    rate = float(options["rate"])
    return 1.0 - rate if lower_is_better else rate
