"""Survival with a hazard that is constant in pieces of follow-up, each with a gamma prior of its own.

The cumulative hazard at a time is a sum of gamma variables, one a piece, so that survival at that time is known in
distribution by a contour integral (:mod:`trialsim.stats.bayes.gamma_sums`).
"""

# Compiled functions take arrays that the type checker cannot see into.
# mypy: disallow-untyped-defs=False

from __future__ import annotations

import math

import numpy as np

from trialsim.compiled import kernel
from trialsim.contracts import Floats
from trialsim.stats.bayes.gamma_sums import probability_positive, sum_below, sum_density

_NEGLIGIBLE = 1e-12
_POINTS = 128


def widths_until(starts: Floats, days: float) -> Floats:
    """Return how much of each piece lies before a time, ``[piece]``.

    Parameters
    ----------
    starts
        Days at which the pieces begin, the first 0.
    days
        The time.
    """
    ends = np.append(starts[1:], np.inf)
    return np.asarray(np.clip(np.minimum(ends, days) - starts, 0.0, None))


def survival_moments(shape: Floats, rate: Floats, widths: Floats) -> tuple[Floats, Floats]:
    """Return mean and standard deviation of survival, by the moment generating function of the cumulative hazard.

    Parameters
    ----------
    shape, rate
        Of the hazards' gamma posteriors, ``[..., piece]``.
    widths
        From :func:`widths_until`.
    """
    log_mean = -(shape * np.log1p(widths / rate)).sum(axis=-1)
    log_square = -(shape * np.log1p(2.0 * widths / rate)).sum(axis=-1)
    mean = np.exp(log_mean)
    return mean, np.sqrt(np.maximum(np.exp(log_square) - mean * mean, 0.0))


@kernel
def _exceed(shape, rate, widths, survival, out):
    used = widths > 0.0
    for r in range(len(out)):
        out[r] = sum_below(widths[used] / rate[r][used], shape[r][used], -math.log(survival))


def probability_survival_exceeds(shape: Floats, rate: Floats, widths: Floats, survival: float) -> Floats:
    """Return the probability that survival at a time exceeds a value in (0, 1), ``[replicate]``.

    Parameters
    ----------
    shape, rate
        Of the hazards' gamma posteriors, ``[replicate, piece]``.
    widths
        From :func:`widths_until`, some above 0.
    survival
        The value.
    """
    found = np.empty(len(shape))
    _exceed(shape, rate, widths, float(survival), found)
    return found


@kernel
def _reach(factors, shapes):
    """Return cumulative hazards below and above which next to nothing of the posterior lies, on the log scale."""
    mean = 0.0
    for k in range(len(factors)):
        mean += factors[k] * shapes[k]
    low = high = math.log(mean)
    step = 0.25
    while sum_below(factors, shapes, math.exp(low)) > _NEGLIGIBLE and low > -600.0:
        low -= step
        step *= 1.3
    step = 0.25
    while sum_below(factors, shapes, math.exp(high)) < 1.0 - _NEGLIGIBLE and high < 600.0:
        high += step
        step *= 1.3
    return low, high


@kernel
def _differences(treatment_shape, treatment_rate, control_shape, control_rate, widths, margin, out):
    used = widths > 0.0
    for r in range(len(out)):
        ours, theirs = widths[used] / treatment_rate[r][used], widths[used] / control_rate[r][used]
        if margin == 0.0:
            factors = np.concatenate((theirs, -ours))
            shapes = np.concatenate((control_shape[r][used], treatment_shape[r][used]))
            out[r] = probability_positive(factors, shapes)
            continue
        low, high = _reach(theirs, control_shape[r][used])
        step = (high - low) / _POINTS
        total = 0.0
        for k in range(_POINTS + 1):
            hazard = math.exp(low + k * step)
            wanted = math.exp(-hazard) + margin
            if wanted >= 1.0:
                continue
            value = hazard * sum_density(theirs, control_shape[r][used], hazard)
            if wanted > 0.0:
                value *= sum_below(ours, treatment_shape[r][used], -math.log(wanted))
            total += value
        out[r] = total * step


def probability_survival_better(
    treatment: tuple[Floats, Floats], control: tuple[Floats, Floats], widths: Floats, margin: float = 0.0
) -> Floats:
    """Return the probability that survival on treatment exceeds that on control by more than a margin.

    Parameters
    ----------
    treatment, control
        Shapes and rates of the hazards' gamma posteriors, each ``[replicate, piece]``.
    widths
        From :func:`widths_until`, some above 0.
    margin
        Difference of survival probabilities; 0 takes one integral, anything else a second one around it.

    Returns
    -------
    numpy.ndarray
        ``[replicate]``.
    """
    found = np.empty(len(treatment[0]))
    _differences(*treatment, *control, widths, float(margin), found)
    return found
