"""Repeated score tests of proportions by enumeration: their true error and power.

The joint law of the success counts among the trials that go on is carried from look to look, as in
:mod:`trialsim.stats.exact_binary`, here for any margin, for ratios, and for one sample.

References
----------
Jennison and Turnbull, Group Sequential Methods with Applications to Clinical Trials (2000), chapter 12.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from trialsim.stats.sample_size.exact_proportions import (
    Flags,
    binomial_probabilities,
    control_rates,
    largest_over_rates,
)
from trialsim.stats.sample_size.proportions import ProportionsDesign, score_z
from trialsim.stats.sample_size.sequential import SequentialBounds

Floats = NDArray[np.float64]

MOST_SEQUENTIAL = 600  # patients of an arm up to which all looks are enumerated
_RATES_SEARCHED = 39


def sizes_of_looks(bounds: SequentialBounds, treatment: int, control: int) -> list[tuple[int, int]]:
    """Return treatment and control patients at each look, to the nearest patient, each arm with one at least."""
    found = [
        (max(1, round(rate * treatment)), max(1, round(rate * control)) if control else 0)
        for rate in bounds.rates[:-1]
    ]
    return [*found, (treatment, control)]


def sequential_probability(
    design: ProportionsDesign,
    bounds: SequentialBounds,
    sizes: Sequence[tuple[int, int]],
    rates: tuple[float, float],
    futility: bool,
) -> float:
    """Return the probability to reject at any look.

    Parameters
    ----------
    design
        What is tested.
    bounds
        Of the looks.
    sizes
        Treatment and control patients at each look, cumulative.
    rates
        True rates of treatment and control.
    futility
        Whether futility bounds are obeyed.
    """
    return _probability(_regions(design, bounds, sizes, futility), sizes, rates)


def _regions(
    design: ProportionsDesign, bounds: SequentialBounds, sizes: Sequence[tuple[int, int]], futility: bool
) -> list[tuple[Flags, Flags]]:
    """Return for every pair of counts at each look whether the test rejects there, and whether the trial ends."""
    found = []
    for look, size in enumerate(sizes):
        z = _z(design, size)
        rejects = z >= bounds.efficacy[look]
        found.append((rejects, rejects | (z <= bounds.futility[look]) if futility else rejects))
    return found


def _probability(
    regions: list[tuple[Flags, Flags]], sizes: Sequence[tuple[int, int]], rates: tuple[float, float]
) -> float:
    """Return the probability to reject at any look."""
    running: Floats = np.ones((1, 1))
    before, rejected = (0, 0), 0.0
    for (rejects, ends), size in zip(regions, sizes, strict=True):
        running = _added(running, size[0] - before[0], rates[0], axis=0)
        running = _added(running, size[1] - before[1], rates[1], axis=1)
        before = size
        rejected += float(running[rejects].sum())
        running = np.where(ends, 0.0, running)
    return min(1.0, rejected)


def sequential_errors(
    design: ProportionsDesign, bounds: SequentialBounds, sizes: Sequence[tuple[int, int]]
) -> tuple[float, float | None, float | None]:
    """Return the error at the assumed control rate, the largest over all control rates, and where that is.

    Of one sample the null leaves no rate open: the last two are None.
    """

    def error(control_rate: float) -> float:
        rate = min(max(design.multiplier * control_rate + design.margin, 0.0), 1.0)
        return _probability(regions, sizes, (rate, control_rate))

    regions = _regions(design, bounds, sizes, futility=False)
    attained = error(design.control_rate)
    if design.samples == 1:
        return attained, None, None
    largest, at = largest_over_rates(error, *control_rates(design), _RATES_SEARCHED)
    return attained, *max((largest, at), (attained, design.control_rate))


def _added(running: Floats, patients: int, rate: float, axis: int) -> Floats:
    """Return the law of counts after more patients of one arm."""
    if patients == 0:
        return running
    chance = binomial_probabilities(patients, rate)
    before = running.shape[axis]
    step = np.zeros((before + patients, before))
    for count in range(before):
        step[count : count + patients + 1, count] = chance
    return step @ running if axis == 0 else running @ step.T


def _z(design: ProportionsDesign, size: tuple[int, int]) -> Floats:
    """Return z at every pair of counts, positive on the side of the benefit; nan where not defined."""
    side, treatment, control = math.copysign(1.0, design.contrast), *size
    of_treatment = np.arange(treatment + 1)[:, None] / treatment
    if design.samples == 1:
        null = design.control_rate
        return np.asarray(side * (of_treatment - null) / math.sqrt(null * (1.0 - null) / treatment))
    rates = np.broadcast_arrays(of_treatment, np.arange(control + 1)[None, :] / control)
    return side * score_z(rates[0], rates[1], treatment, control, design.scale, design.null)
