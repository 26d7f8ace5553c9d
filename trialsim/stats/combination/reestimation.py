"""Sizes from conditional power, for stages that are tested by their weighted combination, and from a blinded variance.

Cui, Hung and Wang (1999, Biometrics 55, 853-857); Mehta and Pocock (2011, Statistics in Medicine 30, 3267-3284), eq. (7);
Kieser and Friede (2003, Statistics in Medicine 22, 995-1007). Information is counted in units in which the standard
deviation of one outcome is 1: ``n_c n_t / (n_c + n_t)``.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, ndtri

Floats = NDArray[np.float64]


def needed_of_next_stage(
    combined_z: ArrayLike, rate: ArrayLike, next_rate: ArrayLike, bound: ArrayLike
) -> Floats:
    """Return the statistic that the next stage must reach for the combination to reach its bound.

    Parameters
    ----------
    combined_z
        The weighted statistic of the stages so far.
    rate, next_rate
        Planned information rates at this look and the next.
    bound
        Bound of the combination at the next look.
    """
    t, u = np.asarray(rate, dtype=np.float64), np.asarray(next_rate, dtype=np.float64)
    so_far = np.sqrt(t) * np.asarray(combined_z, dtype=np.float64)
    return np.asarray((np.asarray(bound) * np.sqrt(u) - so_far) / np.sqrt(u - t))


def stage_power(needed: ArrayLike, effect: ArrayLike, information: ArrayLike) -> Floats:
    """Return the conditional power: the chance that a stage reaches what it must, under a standardised effect."""
    return np.asarray(ndtr(np.asarray(effect) * np.sqrt(np.asarray(information)) - np.asarray(needed)))


def stage_information(needed: ArrayLike, effect: ArrayLike, power: float) -> Floats:
    """Return the information with which a stage has a conditional power, infinite where no size has it.

    Mehta and Pocock (2011), eq. (7): ``((needed + Phi^-1(power)) / effect)^2``.
    """
    wanted = np.maximum(np.asarray(needed, dtype=np.float64) + ndtri(power), 0.0)
    assumed = np.asarray(effect, dtype=np.float64)
    helps = assumed > 0.0
    ratio = wanted / np.where(helps, assumed, 1.0)
    return np.where(wanted == 0.0, 0.0, np.where(helps, ratio * ratio, np.inf))


def blinded_variance(n: ArrayLike, mean: ArrayLike, squares: ArrayLike) -> Floats:
    """Return the variance of two arms' outcomes taken as one sample (Kieser and Friede 2003).

    Parameters
    ----------
    n, mean, squares
        Number, mean and sum of squared deviations by arm, ``[..., 2]``. Which arm is which makes no difference.
    """
    number = np.asarray(n, dtype=np.float64)
    total = number.sum(axis=-1)
    gap = np.asarray(mean)[..., 1] - np.asarray(mean)[..., 0]
    between = number[..., 0] * number[..., 1] / np.maximum(total, 1.0) * gap * gap
    return np.asarray((np.asarray(squares).sum(axis=-1) + between) / np.maximum(total - 1.0, 1.0))


def information_for_power(effect: float, variance: ArrayLike, alpha: float, power: float) -> Floats:
    """Return ``n_c n_t / (n_c + n_t)`` of the fixed design: ``variance ((z_alpha + z_beta) / effect)^2``."""
    return np.asarray(np.asarray(variance) * ((ndtri(1.0 - alpha) + ndtri(power)) / effect) ** 2)


def stage_statistic(
    z: ArrayLike, information: ArrayLike, score_before: ArrayLike, information_before: ArrayLike
) -> tuple[Floats, Floats]:
    """Return the statistic of what a stage added, and the score of all data: the next stage's ``score_before``.

    Parameters
    ----------
    z, information
        Statistic of all data and its information.
    score_before, information_before
        The same of the data up to the stage before, the statistic times the root of its information; 0 at first.
    """
    info, before = np.asarray(information, dtype=np.float64), np.asarray(information_before, dtype=np.float64)
    score = np.asarray(z, dtype=np.float64) * np.sqrt(info)
    return np.asarray((score - np.asarray(score_before)) / np.sqrt(info - before)), score


def with_stage(combined_z: ArrayLike, rate: ArrayLike, stage_z: ArrayLike, next_rate: ArrayLike) -> Floats:
    """Return the weighted statistic once a stage is added (Cui, Hung and Wang 1999).

    Parameters
    ----------
    combined_z, rate
        The statistic so far and the planned information rate up to which it has weights; 0 and 0 at first.
    stage_z, next_rate
        Statistic of the stage and the planned rate at its end.
    """
    t, u = np.asarray(rate, dtype=np.float64), np.asarray(next_rate, dtype=np.float64)
    weighted = np.sqrt(t) * np.asarray(combined_z) + np.sqrt(u - t) * np.asarray(stage_z)
    return np.where(t == 0.0, np.asarray(stage_z, dtype=np.float64), weighted / np.sqrt(u))
