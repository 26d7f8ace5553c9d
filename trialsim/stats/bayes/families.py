"""The four families that posteriors of one arm's parameter come from, addressed by a number inside compiled code."""

# Compiled functions take arrays that the type checker cannot see into.
# mypy: disallow-untyped-defs=False

from __future__ import annotations

import enum
import math
from typing import Final

from trialsim.compiled import kernel
from trialsim.stats.bayes.special import (
    log_beta,
    normal_cdf,
    regularised_beta,
    regularised_gamma,
    student_cdf,
)


class Family(enum.IntEnum):
    """A family of distributions and what its three parameters are; those not named are ignored."""

    NORMAL = 0
    """mean, standard deviation"""
    STUDENT = 1
    """location, scale, degrees of freedom"""
    GAMMA = 2
    """shape, rate"""
    BETA = 3
    """the two shapes"""


_NORMAL: Final = int(Family.NORMAL)
_STUDENT: Final = int(Family.STUDENT)
_GAMMA: Final = int(Family.GAMMA)
_HALF_LOG_TWO_PI = 0.5 * math.log(2.0 * math.pi)


@kernel
def distribution(family, p, x):
    """Return the distribution function at ``x`` of a family with parameters ``p[0], p[1], p[2]``."""
    if family == _NORMAL:
        return normal_cdf((x - p[0]) / p[1])
    if family == _STUDENT:
        return student_cdf((x - p[0]) / p[1], p[2])
    if family == _GAMMA:
        return regularised_gamma(p[0], p[1] * x)
    return regularised_beta(p[0], p[1], x)


@kernel
def log_constant(family, p):
    """Return the logarithm of the constant that :func:`log_density` leaves out."""
    if family == _NORMAL:
        return -_HALF_LOG_TWO_PI - math.log(p[1])
    if family == _STUDENT:
        half = 0.5 * p[2]
        return math.lgamma(half + 0.5) - math.lgamma(half) - 0.5 * math.log(p[2] * math.pi) - math.log(p[1])
    if family == _GAMMA:
        return p[0] * math.log(p[1]) - math.lgamma(p[0])
    return -log_beta(p[0], p[1])


@kernel
def log_density(family, p, x, upper):
    """Return the log density at ``x`` without its constant; ``upper`` is the exact ``1 - x`` of a beta variable."""
    if family == _NORMAL:
        z = (x - p[0]) / p[1]
        return -0.5 * z * z
    if family == _STUDENT:
        z = (x - p[0]) / p[1]
        return -0.5 * (p[2] + 1.0) * math.log1p(z * z / p[2])
    if family == _GAMMA:
        return (p[0] - 1.0) * math.log(x) - p[1] * x
    return (p[0] - 1.0) * math.log(x) + (p[1] - 1.0) * math.log(upper)


@kernel
def mean_and_variance(family, p):
    """Return mean and variance; NaN where they do not exist."""
    if family == _NORMAL:
        return p[0], p[1] * p[1]
    if family == _STUDENT:
        mean = p[0] if p[2] > 1.0 else math.nan
        return mean, p[1] * p[1] * p[2] / (p[2] - 2.0) if p[2] > 2.0 else math.nan
    if family == _GAMMA:
        return p[0] / p[1], p[0] / (p[1] * p[1])
    whole = p[0] + p[1]
    return p[0] / whole, p[0] * p[1] / (whole * whole * (whole + 1.0))
