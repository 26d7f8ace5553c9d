"""From probabilities and moments to a posterior with a status: what every Bayesian analysis ends with."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from trialsim.contracts import Floats, Posterior, Status

_STEPS = 60
_CLOSE = 1e-7


def posterior_of(
    kind: str,
    probability: Floats,
    mean: Floats,
    sd: Floats,
    interval: tuple[Floats, Floats],
    error: Floats | float,
    failures: list[tuple[Status, object]],
) -> Posterior:
    """Return a posterior in which a failed replicate has a status and no number.

    Parameters
    ----------
    kind, probability, mean, sd, interval, error
        As in :class:`~trialsim.contracts.Posterior`, possibly not finite where a failure is named.
    failures
        Statuses with the boolean array of replicates they hold for; the first that holds is kept.
    """
    status = np.zeros(len(probability), dtype=np.int8)
    for code, holds in failures:
        status[(status == int(Status.OK)) & np.asarray(holds, dtype=bool)] = code
    good = status == int(Status.OK)

    def kept(values: Floats | float) -> Floats:
        return np.where(good, values, np.nan)

    return Posterior(
        kept(np.clip(probability, 0.0, 1.0)),
        kept(mean),
        kept(sd),
        kept(interval[0]),
        kept(interval[1]),
        kept(error),
        status,
        kind,
    )


def no_interval(size: int) -> tuple[Floats, Floats]:
    """Return the ends of an interval that nobody asked for."""
    return np.full(size, np.nan), np.full(size, np.nan)


def equal_tailed(
    exceeds: Callable[[Floats], Floats], centre: Floats, spread: Floats, level: float | None
) -> tuple[Floats, Floats]:
    """Return the equal-tailed interval of an effect whose upper probabilities are known.

    Parameters
    ----------
    exceeds
        The probability, for each replicate, that its effect exceeds a value of its own.
    centre, spread
        Where to begin and how far to step, ``[replicate]``.
    level
        Probability of the interval; None gives NaN.

    Returns
    -------
    tuple of numpy.ndarray
        Ends, by bisection in steps of the probit scale, ``[replicate]``.
    """
    if level is None:
        return no_interval(len(centre))
    tail = 0.5 * (1.0 - level)
    return _point(exceeds, centre, spread, 1.0 - tail), _point(exceeds, centre, spread, tail)


def _point(exceeds: Callable[[Floats], Floats], centre: Floats, spread: Floats, wanted: float) -> Floats:
    """Return the value that each effect exceeds with a probability: false position on the probit scale, bracketed."""
    from scipy.special import ndtri

    def probit(at: Floats) -> Floats:
        return np.asarray(ndtri(np.clip(exceeds(at), 1e-15, 1.0 - 1e-15)) - ndtri(wanted))

    known = np.isfinite(centre) & np.isfinite(spread)
    middle, width = np.where(known, centre, 0.0), np.where(known, spread, 1.0)
    low, high = middle - 4.0 * width, middle + 4.0 * width
    at_low, at_high = probit(low), probit(high)
    for _ in range(_STEPS):
        outside = (at_low < 0.0) | (at_high > 0.0)
        if not outside.any():
            break
        width = 2.0 * width
        low, high = np.where(at_low < 0.0, low - width, low), np.where(at_high > 0.0, high + width, high)
        at_low, at_high = probit(low), probit(high)
    for step in range(_STEPS):
        share = np.where(at_low > at_high, at_low / np.maximum(at_low - at_high, 1e-300), 0.5)
        # Every third step halves the bracket, whose other end false position may leave where it is.
        share = np.full_like(share, 0.5) if step % 3 == 2 else share
        at = low + np.clip(share, 1e-3, 1.0 - 1e-3) * (high - low)
        value = probit(at)
        above = value > 0.0
        low, at_low = np.where(above, at, low), np.where(above, value, at_low)
        high, at_high = np.where(above, high, at), np.where(above, at_high, value)
        if (np.minimum(high - low, np.abs(value) * width) <= _CLOSE * width).all():
            return at
    return 0.5 * (low + high)
