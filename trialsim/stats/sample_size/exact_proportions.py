"""Tests of proportions by enumeration: Fisher's exact test, the exact binomial test, and the true error of the z tests.

Everything is a sum over all pairs of success counts, without a normal approximation.

References
----------
Fisher, The Design of Experiments (1935), chapter 2 (the test); Bennett and Hsu, Biometrika 47, 1960, 393-398 (its power
over both binomials); Chernick and Liu, The American Statistician 56, 2002, 149-155 (its saw teeth); Casagrande, Pike and
Smith, Biometrics 34, 1978, 483-486 (where the search begins); Suissa and Shuster, JRSS A 148, 1985, 317-327 (the largest
error over the rate that both arms share).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from trialsim.errors import UsageError
from trialsim.stats.normal import upper_quantile
from trialsim.stats.sample_size.proportions import (
    ProportionsDesign,
    proportions_sample_size,
    score_z,
)
from trialsim.stats.sample_size.smallest import whole_patients

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

MOST_ENUMERATED = 2_000  # patients of an arm
_RATES_SEARCHED = 199
_PEAKS = 3
_STAYS_FOR = 20  # control patients beyond which a power that has stayed above its target is taken to stay
_TIE = 1e-7  # relative: tables as probable as the observed one, but for rounding, count as observed


def binomial_probabilities(n: int, rate: float) -> Floats:
    """Return the probabilities of 0 to ``n`` successes."""
    from scipy.special import gammaln, xlog1py, xlogy

    k = np.arange(n + 1, dtype=np.float64)
    ways = gammaln(n + 1.0) - gammaln(k + 1.0) - gammaln(n - k + 1.0)
    return np.asarray(np.exp(ways + xlogy(k, rate) + xlog1py(n - k, -rate)))


def fisher_rejects(treatment: int, control: int, alpha: float, higher: bool) -> Flags:
    """Return for every pair of counts whether Fisher's one-sided test rejects, ``[treatment count, control count]``.

    Parameters
    ----------
    treatment, control
        Patients.
    alpha
        One-sided.
    higher
        Whether a higher rate on treatment is the benefit.
    """
    from scipy.special import gammaln

    rejects = np.zeros((treatment + 1, control + 1), dtype=bool)
    ways = gammaln(np.arange(max(treatment, control) + 1.0) + 1.0)
    of_arm = [
        ways[n] - ways[: n + 1] - ways[n::-1] for n in (treatment, control)
    ]  # log of the tables of one arm
    for successes in range(treatment + control + 1):
        low, high = max(0, successes - control), min(treatment, successes)
        of_treatment = np.arange(low, high + 1)
        log = of_arm[0][low : high + 1] + of_arm[1][successes - of_treatment]
        chance = np.exp(log - log.max())
        chance /= chance.sum()
        tail = np.cumsum(chance[::-1])[::-1] if higher else np.cumsum(chance)
        rejects[of_treatment, successes - of_treatment] = tail <= alpha * (1.0 + _TIE)
    return rejects


def score_rejects(design: ProportionsDesign, treatment: int, control: int) -> Flags:
    """Return for every pair of counts whether the score z test rejects, ``[treatment count, control count]``."""
    of_treatment, of_control = np.broadcast_arrays(
        np.arange(treatment + 1)[:, None] / treatment, np.arange(control + 1)[None, :] / control
    )
    z = score_z(of_treatment, of_control, treatment, control, design.scale, design.null)
    side = math.copysign(1.0, design.contrast)
    return np.asarray(
        side * z >= upper_quantile(design.alpha)
    )  # nan, where z is not defined, does not reject


def rejection_probability(rejects: Flags, treatment_rate: float, control_rate: float) -> float:
    """Return the probability of the counts that reject, at given rates."""
    treatment, control = (size - 1 for size in rejects.shape)
    chance = binomial_probabilities(treatment, treatment_rate) @ rejects
    return min(1.0, float(chance @ binomial_probabilities(control, control_rate)))


def error_on_the_null(design: ProportionsDesign, rejects: Flags, control_rate: float) -> float:
    """Return the type I error when the null holds exactly and control has the given rate."""
    rate = min(max(design.multiplier * control_rate + design.margin, 0.0), 1.0)
    return rejection_probability(rejects, rate, control_rate)


def largest_error(design: ProportionsDesign, rejects: Flags) -> tuple[float, float]:
    """Return the largest type I error over the control rate, and the rate at which it is found."""
    return largest_over_rates(
        lambda rate: error_on_the_null(design, rejects, rate), *control_rates(design), _RATES_SEARCHED
    )


def largest_over_rates(
    error: Callable[[float], float], lower: float, upper: float, searched: int
) -> tuple[float, float]:
    """Return the largest value of an error over the control rate, and where it is found.

    A grid, closer towards both ends where errors of few events rise and fall, then golden-section search about its three
    highest peaks.

    Parameters
    ----------
    error
        Of a control rate.
    lower, upper
        Limits of the rate.
    searched
        Points of the grid between them.
    """
    from scipy.optimize import minimize_scalar

    grid = lower + (upper - lower) * np.sin(np.linspace(0.0, 0.5 * math.pi, searched + 2)) ** 2
    errors = np.array([error(float(rate)) for rate in grid])
    beside = np.concatenate([[-math.inf], errors, [-math.inf]])
    peaks = np.flatnonzero((errors >= beside[:-2]) & (errors >= beside[2:]))
    found = [(float(errors[peak]), float(grid[peak])) for peak in peaks]
    for peak in peaks[np.argsort(-errors[peaks], kind="stable")][:_PEAKS]:
        around = float(grid[max(peak - 1, 0)]), float(grid[min(peak + 1, len(grid) - 1)])
        best = minimize_scalar(
            lambda rate: -error(float(rate)),
            bounds=around,
            method="bounded",
            options={"xatol": 1e-4 * (around[1] - around[0])},
        )
        found.append((-float(best.fun), float(best.x)))
    return max(found, key=lambda each: each[0])


def fisher_power(design: ProportionsDesign, treatment: int, control: int) -> float:
    """Return the exact unconditional power of Fisher's one-sided test at the assumed rates."""
    rejects = _fisher_rejects(treatment, control, design.alpha, design.contrast > 0.0)
    return rejection_probability(rejects, design.treatment_rate, design.control_rate)


def binomial_bound(design: ProportionsDesign, n: int) -> int | None:
    """Return the count from which on (or down to which) the one-sample exact test rejects; None if none does."""
    chance = binomial_probabilities(n, design.control_rate)
    if design.contrast > 0.0:
        counts = np.flatnonzero(np.cumsum(chance[::-1])[::-1] <= design.alpha)
        return int(counts[0]) if len(counts) else None
    counts = np.flatnonzero(np.cumsum(chance) <= design.alpha)
    return int(counts[-1]) if len(counts) else None


def binomial_rejects(design: ProportionsDesign, n: int) -> Flags:
    """Return for each count of one sample whether the exact binomial test rejects, ``[count, 1]``."""
    bound, counts = binomial_bound(design, n), np.arange(n + 1)
    if bound is None:
        return np.zeros((n + 1, 1), dtype=bool)
    return (counts >= bound if design.contrast > 0.0 else counts <= bound)[:, None]


def one_sample_z_rejects(design: ProportionsDesign, n: int) -> Flags:
    """Return for each count of one sample whether the z test rejects, ``[count, 1]``."""
    counts, null = np.arange(n + 1), design.control_rate
    z = math.copysign(1.0, design.contrast) * (counts / n - null) / math.sqrt(null * (1.0 - null) / n)
    return (z >= upper_quantile(design.alpha))[:, None]


def one_sample_probability(rejects: Flags, rate: float) -> float:
    """Return the probability of the counts of one sample that reject."""
    return min(1.0, float(binomial_probabilities(rejects.shape[0] - 1, rate) @ rejects[:, 0]))


def binomial_power(design: ProportionsDesign, n: int) -> float:
    """Return the power of the one-sample exact binomial test."""
    return one_sample_probability(binomial_rejects(design, n), design.treatment_rate)


def exact_sample_size(design: ProportionsDesign, power: float) -> tuple[int, int]:
    """Return the smallest arms (treatment, control) at which the exact power reaches its target.

    Exact power rises and falls as patients are added. The size returned is the smallest from which on it stays at or
    above the target for the next 20 patients of control (of the one sample).
    """
    return _smallest_that_stays(design, power, fisher_power_of_total if design.samples == 2 else _binomial_of)


def fisher_power_of_total(design: ProportionsDesign, base: int) -> float:
    """Return the exact power with ``base`` patients in the control arm, the ratio kept by rounding up."""
    return fisher_power(design, *sizes_of_base(design, base))


def sizes_of_base(design: ProportionsDesign, base: int) -> tuple[int, int]:
    """Return treatment and control patients of a number of control patients (of one sample: of all)."""
    if design.samples == 1:
        return base, 0
    return whole_patients(design.ratio * base, float(base))


def _binomial_of(design: ProportionsDesign, base: int) -> float:
    return binomial_power(design, base)


def _smallest_that_stays(
    design: ProportionsDesign, power: float, power_of: Callable[[ProportionsDesign, int], float]
) -> tuple[int, int]:
    base = _start(design, power)
    _refuse_too_many(design, base)
    while base > 1 and any(power_of(design, max(1, base - k)) >= power for k in range(_STAYS_FOR)):
        base = max(1, base - _STAYS_FOR)
    reached = None
    while reached is None or base - reached < _STAYS_FOR:
        _refuse_too_many(design, base)
        if power_of(design, base) < power:
            reached = None
        elif reached is None:
            reached = base
        base += 1
    return sizes_of_base(design, reached)


def _start(design: ProportionsDesign, power: float) -> int:
    """Return a size somewhat below that of the exact test: the corrected one of Casagrande, Pike and Smith (1978)."""
    total = proportions_sample_size(design, power)
    treatment, control = design.split(total)
    if design.samples == 1:
        return max(1, int(treatment))
    step = 2.0 * (design.ratio + 1.0) / (control * design.ratio * abs(design.contrast))
    corrected = control / 4.0 * (1.0 + math.sqrt(1.0 + step)) ** 2
    return max(1, int(corrected) - _STAYS_FOR // 2)


def _refuse_too_many(design: ProportionsDesign, base: int) -> None:
    if max(sizes_of_base(design, base)) > MOST_ENUMERATED:
        raise UsageError(
            f"the exact test needs more than {MOST_ENUMERATED:,} patients in an arm, which is not enumerated; "
            "use the score test, whose normal approximation is close at such sizes."
        )


@functools.lru_cache(maxsize=64)
def _fisher_rejects(treatment: int, control: int, alpha: float, higher: bool) -> Flags:
    return fisher_rejects(treatment, control, alpha, higher)


def control_rates(design: ProportionsDesign) -> tuple[float, float]:
    """Return the control rates for which the null rate of treatment is a probability."""
    if design.scale == "ratio":
        return 0.0, min(1.0, 1.0 / design.null)
    return max(0.0, -design.margin), min(1.0, 1.0 - design.margin)
