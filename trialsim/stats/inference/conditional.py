"""What may still come, given what has been seen: conditional power, conditional error, predictive power."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr

from trialsim.compiled import kernel
from trialsim.stats.group_sequential.recursion import stage_probabilities

Floats = NDArray[np.float64]

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(96)
_WIDE = 9.0  # standard deviations of a posterior that are integrated over


@kernel
def later_crossings(
    information: Floats, lower: Floats, upper: Floats, two_sided: bool, look: int, z: float, effect: float
) -> Floats:
    """Return the chances to cross the upper bound at each look after ``look``, for a one-sided design.

    Given the statistic now, what is added until a later look is normal with mean ``effect`` times the information added,
    so that the rest of the trial is a trial of its own with shifted bounds (Müller and Schäfer 2001).

    Parameters
    ----------
    information
        Information at each look.
    lower, upper
        Bounds that are obeyed.
    two_sided
        Whether the lower bound to obey is the mirrored upper one, ``lower`` not being read.
    look
        The look that has been taken, from 0.
    z
        The statistic there.
    effect
        The effect from there on.
    """
    rest = len(information) - look - 1
    ahead, below, above = np.empty(rest), np.empty(rest), np.empty(rest)
    score = z * math.sqrt(information[look])
    for j in range(rest):
        k = look + 1 + j
        ahead[j] = information[k] - information[look]
        root, scale = math.sqrt(information[k]), math.sqrt(ahead[j])
        above[j] = (upper[k] * root - score) / scale
        obeyed = -upper[k] if two_sided else lower[k]
        below[j] = min((obeyed * root - score) / scale, above[j])
    _, _, chances = stage_probabilities(ahead, effect, below, above, False)
    return chances


@kernel
def _averaged(information, lower, upper, two_sided, look, z, effects, weights, found):  # type: ignore[no-untyped-def]
    for i in range(len(effects)):
        found += weights[i] * later_crossings(information, lower, upper, two_sided, look, z, effects[i])


def conditional_power(
    information: ArrayLike,
    upper: ArrayLike,
    look: int,
    z: float,
    effect: float,
    lower: ArrayLike | None = None,
    two_sided: bool = False,
) -> Floats:
    """Return the chance to reject at each later look, given the statistic now and an effect from now on.

    Lan, Simon and Halperin (1982); with looks in between Jennison and Turnbull (2000), sec. 10.2. The sum over looks is
    the conditional power; under no effect it is the conditional error (Proschan and Hunsberger 1995; Müller and Schäfer
    2001), with all looks planned in between counted.

    Parameters
    ----------
    information
        Information at each look: seen at those taken, planned at those to come, ``[look]``.
    upper
        Efficacy bounds, ``[look]``.
    look
        The look that has been taken, from 0.
    z
        The statistic there, positive in favour.
    effect
        The effect from here on, in the unit of information; ``z / sqrt(information[look])`` for the trend.
    lower
        Futility bounds that are obeyed; None for none. The last is not read.
    two_sided
        Whether the design also stops at the mirrored efficacy bound, which is no success.

    Returns
    -------
    Floats
        By later look; empty at the last.
    """
    info, above, below = _arrays(information, upper, lower)
    return later_crossings(info, below, above, two_sided, look, z, effect)


def predictive_power(
    information: ArrayLike,
    upper: ArrayLike,
    look: int,
    z: float,
    prior_mean: float = 0.0,
    prior_information: float = 0.0,
    lower: ArrayLike | None = None,
    two_sided: bool = False,
) -> Floats:
    """Return the conditional power averaged over the posterior of the effect, by later look.

    Spiegelhalter, Freedman and Blackburn (1986); Jennison and Turnbull (2000), sec. 10.3. The prior is normal, so is the
    posterior: its precision is that of the prior plus the information seen.

    Parameters
    ----------
    information, upper, look, z, lower, two_sided
        As in :func:`conditional_power`.
    prior_mean
        Mean of the prior.
    prior_information
        1 / variance of the prior, in the unit of information; 0 for a flat one.
    """
    info, above, below = _arrays(information, upper, lower)
    precision = info[look] + prior_information
    mean = (z * math.sqrt(info[look]) + prior_mean * prior_information) / precision
    deviates = _WIDE * _NODES
    weights = _WIDE * _WEIGHTS * np.exp(-0.5 * deviates**2) / math.sqrt(2.0 * math.pi)
    found = np.zeros(len(info) - look - 1)
    _averaged(info, below, above, two_sided, look, z, mean + deviates / math.sqrt(precision), weights, found)
    return found


def combination_power(
    z_so_far: ArrayLike,
    weight_so_far: ArrayLike,
    bound: float,
    effect: ArrayLike,
    information_ahead: ArrayLike,
) -> Floats:
    """Return the chance that the last inverse normal combination reaches its bound, the last stage of any size.

    Cui, Hung and Wang (1999); Lehmacher and Wassmer (1999). Weights are fixed in advance, so that the size of the stage
    ahead may depend on what has been seen.

    Parameters
    ----------
    z_so_far
        The weighted statistic of the stages seen, standard normal under no effect.
    weight_so_far
        Share of the planned information that they had, in (0, 1).
    bound
        Bound of the last combination.
    effect
        The effect from here on.
    information_ahead
        Information of the stage to come, in the unit of the effect.
    """
    share = np.asarray(weight_so_far, dtype=np.float64)
    needed = (bound - np.sqrt(share) * np.asarray(z_so_far, dtype=np.float64)) / np.sqrt(1.0 - share)
    return np.asarray(ndtr(np.asarray(effect) * np.sqrt(np.asarray(information_ahead)) - needed))


def _arrays(
    information: ArrayLike, upper: ArrayLike, lower: ArrayLike | None
) -> tuple[Floats, Floats, Floats]:
    info, above = np.array(information, dtype=np.float64), np.array(upper, dtype=np.float64)
    below = np.full(len(info), -np.inf) if lower is None else np.array(lower, dtype=np.float64)
    below[-1] = -np.inf
    return info, above, below
