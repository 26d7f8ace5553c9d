"""Data that arrive after a trial has stopped: the final analysis with what was in the pipeline.

Two methods. The *deletion method* (Whitehead 1992; Sooriyarachchi, Whitehead, Whitehead, Bolland and Smith 2003,
Biometrics 59, 701-709) leaves out the look that stopped the trial and puts the analysis of all data in its place, in the
stage-wise ordering; it is simple, and approximate because the time of that analysis depended on the look left out. The
*combination method* (Hall and Ding 2008, IMS Collections 3, 33-45) adds the stage-wise p value at the stop and that of
the data that came later as weighted normal deviates; it is exact where the weights do not depend on the data.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, ndtri

from trialsim.stats.group_sequential.rooting import root_of_decreasing
from trialsim.stats.inference.stagewise import AdjustedInference, adjusted_inference, p_above

Floats = NDArray[np.float64]

_SMALLEST, _LARGEST = 1e-300, 1.0 - 1e-16
_FARTHEST = 12.0  # standard errors from the plain estimate within which limits are sought


@dataclass(frozen=True)
class Stopped:
    """A trial that stopped, and what came after.

    Parameters
    ----------
    information
        Information at each look taken, the last being the one that stopped the trial, ``[look]``.
    lower, upper
        Bounds that were obeyed, ``[look]``.
    z
        The statistic at the stop.
    final_information, final_z
        Information and statistic of all data, those that came later included.
    two_sided_bounds
        Whether the bounds are those of the absolute value.
    """

    information: ArrayLike
    lower: ArrayLike
    upper: ArrayLike
    z: float
    final_information: float
    final_z: float
    two_sided_bounds: bool = False


def deletion_method(trial: Stopped, confidence: float = 0.95) -> AdjustedInference:
    """Return the stage-wise inference with the stopping look replaced by the analysis of all data.

    Whitehead (1992); Sooriyarachchi et al. (2003); arrays of length 1.
    """
    info = np.array(trial.information, dtype=np.float64)
    info[-1] = trial.final_information
    return adjusted_inference(
        info, trial.lower, trial.upper, len(info) - 1, trial.final_z, confidence, trial.two_sided_bounds
    )


def combination_method(
    trial: Stopped, confidence: float = 0.95, weight: float | None = None
) -> AdjustedInference:
    """Return the inference from the weighted sum of the normal deviates of the two p values.

    Hall and Ding (2008): ``Phi^-1(1 - p) = sqrt(w) Phi^-1(1 - p_stop) + sqrt(1 - w) z_later`` under any effect;
    estimate and limits are the effects at which it is 0 and the quantiles of the confidence.

    Parameters
    ----------
    trial
        What was seen; with no information after the stop the result is the stage-wise one.
    confidence
        Of the two-sided interval.
    weight
        Weight of the stop, in (0, 1]; None for its share of the information, which is exact only where that share was
        fixed beforehand.
    """
    info = np.array(trial.information, dtype=np.float64)
    lower, upper = np.array(trial.lower, dtype=np.float64), np.array(trial.upper, dtype=np.float64)
    last = len(info) - 1
    later = trial.final_information - info[-1]
    share = info[-1] / trial.final_information if weight is None else weight
    if later < 0.0 or not 0.0 < share <= 1.0:
        raise ValueError("the final information is at least that at the stop, and the weight lies in (0, 1].")
    score = trial.final_z * math.sqrt(trial.final_information) - trial.z * math.sqrt(info[-1])

    def deviate(effect: float) -> float:
        p = p_above(info, lower, upper, trial.two_sided_bounds, last, trial.z, effect)
        stop = -float(ndtri(min(max(p, _SMALLEST), _LARGEST)))
        if later <= 0.0:
            return stop
        return math.sqrt(share) * stop + math.sqrt(1.0 - share) * (
            score / math.sqrt(later) - effect * math.sqrt(later)
        )

    root = math.sqrt(trial.final_information)
    plain = trial.final_z / root
    quantile = -float(ndtri(0.5 * (1.0 - confidence)))

    def effect_at(wanted: float) -> float:
        """Return the effect with a deviate, sought in standard errors so that the unit of the effect is no matter."""
        start = plain * root - wanted
        reach = _FARTHEST * root / math.sqrt(info[0])
        found = root_of_decreasing(
            lambda errors: deviate(errors / root) - wanted, start, start - reach, start + reach
        )
        return found / root

    found = (float(ndtr(-deviate(0.0))), effect_at(0.0), effect_at(quantile), effect_at(-quantile))
    return AdjustedInference(*(np.array([each]) for each in found))
