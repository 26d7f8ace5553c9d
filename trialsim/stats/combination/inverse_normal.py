"""The inverse normal combination: weighted sums of the stages' statistics, with weights fixed in advance.

Lehmacher and Wassmer (1999, Biometrics 55, 1286-1290); Cui, Hung and Wang (1999, Biometrics 55, 853-857). The bounds are
those of the group sequential design with the planned information rates, whatever the stages turn out to be.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

from trialsim.errors import UsageError

Floats = NDArray[np.float64]


def stage_weights(planned_rates: ArrayLike) -> Floats:
    """Return the weights ``sqrt(t_k - t_(k-1))`` of the stages of a plan, ``[stage]``."""
    rates = np.asarray(planned_rates, dtype=np.float64)
    steps = np.diff(rates, prepend=0.0)
    if not (steps > 0.0).all():
        raise UsageError("Planned information rates ascend from above 0.")
    return np.sqrt(steps)


def inverse_normal(p: ArrayLike, planned_rates: ArrayLike) -> Floats:
    """Return the combined statistics up to each stage, ``[..., stage]`` (Lehmacher and Wassmer 1999).

    ``Z_k = sum_j w_j Phi^-1(1 - p_j) / sqrt(sum_j w_j^2)``.

    Parameters
    ----------
    p
        One-sided p values of the stages, each from its own data, ``[..., stage]``.
    planned_rates
        Information rates of the plan, of as many stages or more.
    """
    return combined(-ndtri(np.asarray(p, dtype=np.float64)), planned_rates)


def combined(stage_z: ArrayLike, planned_rates: ArrayLike) -> Floats:
    """Return the same from the statistics of the stages."""
    given = np.asarray(stage_z, dtype=np.float64)
    weights = stage_weights(planned_rates)[: given.shape[-1]]
    if len(weights) != given.shape[-1]:
        raise UsageError(
            f"{given.shape[-1]} stages are given, and planned information rates of {len(weights)}."
        )
    return np.asarray(np.cumsum(weights * given, axis=-1) / np.sqrt(np.cumsum(weights**2)))


def stage_statistics(z: ArrayLike, information: ArrayLike) -> Floats:
    """Return the statistics of the data that each stage added, from those of all data so far, ``[..., stage]``.

    ``(z_k sqrt(I_k) - z_(k-1) sqrt(I_(k-1))) / sqrt(I_k - I_(k-1))``: independent increments of the score.

    Parameters
    ----------
    z
        Statistics of all data at each look.
    information
        Information then, ascending, of the same shape or ``[stage]``.
    """
    info = np.asarray(information, dtype=np.float64)
    score = np.asarray(z, dtype=np.float64) * np.sqrt(info)
    added = np.diff(info, prepend=0.0, axis=-1)
    if not (added > 0.0).all():
        raise UsageError("Information ascends from look to look; leave out a look that saw nothing new.")
    return np.asarray(np.diff(score, prepend=0.0, axis=-1) / np.sqrt(added))


def cui_hung_wang(z: ArrayLike, information: ArrayLike, planned_rates: ArrayLike) -> Floats:
    """Return the weighted statistic that keeps the planned weights of the stages (Cui, Hung and Wang 1999).

    Equal to ``z`` where the information seen is in proportion to the plan.

    Parameters
    ----------
    z, information
        As in :func:`stage_statistics`.
    planned_rates
        Information rates of the plan.
    """
    return combined(stage_statistics(z, information), planned_rates)
