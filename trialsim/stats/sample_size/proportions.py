"""Sample size and power of tests of proportions by the normal approximation: difference and ratio, any margin.

The test is the score test: its variance is estimated under the null, by the rates that fit best (maximum likelihood)
among those that meet the null exactly. At the margin of equality this is the pooled z test.

References
----------
Farrington and Manning, Statistics in Medicine 9, 1990, 1447-1454, equations (1), (4) and appendix; Miettinen and
Nurminen, Statistics in Medicine 4, 1985, 213-226; one sample: Fleiss, Levin and Paik (2003), section 2.5.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trialsim.stats.normal import upper_quantile, upper_tail

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ProportionsDesign:
    """A comparison of a rate with a number, or of two rates.

    Parameters
    ----------
    treatment_rate
        Probability of the outcome on treatment, as assumed.
    control_rate
        On control; of one sample it is the null rate.
    null
        Difference or ratio (treatment to control) to be ruled out; one sample: not used.
    samples
        1 or 2.
    scale
        ``difference`` or ``ratio``.
    alpha
        One-sided.
    ratio
        Treatment patients for each control patient.
    """

    treatment_rate: float
    control_rate: float
    null: float = 0.0
    samples: int = 2
    scale: str = "difference"
    alpha: float = 0.025
    ratio: float = 1.0

    @property
    def multiplier(self) -> float:
        """What the control rate is multiplied by in the contrast: 1, or the ratio under the null."""
        return self.null if self.scale == "ratio" and self.samples == 2 else 1.0

    @property
    def margin(self) -> float:
        """What is subtracted in the contrast: the difference under the null, or 0."""
        return self.null if self.scale == "difference" and self.samples == 2 else 0.0

    @property
    def contrast(self) -> float:
        """Distance of the assumed rates from the null; its sign is the side of the benefit."""
        return self.treatment_rate - self.multiplier * self.control_rate - self.margin

    def split(self, total: float) -> tuple[float, float]:
        """Return the patients of treatment and control; of one sample all are in the first."""
        if self.samples == 1:
            return total, 0.0
        return total * self.ratio / (1.0 + self.ratio), total / (1.0 + self.ratio)

    def variance(self, treatment_rate: float, control_rate: float, treatment: float, control: float) -> float:
        """Return the variance of the estimated contrast at given rates."""
        of_treatment = treatment_rate * (1.0 - treatment_rate) / treatment
        if self.samples == 1:
            return of_treatment
        return of_treatment + self.multiplier**2 * control_rate * (1.0 - control_rate) / control

    def null_rates(self, treatment: float, control: float) -> tuple[float, float]:
        """Return the rates under the null that lie closest to the assumed ones."""
        if self.samples == 1:
            return self.control_rate, self.control_rate
        constrained = constrained_rates(
            np.array(self.treatment_rate),
            np.array(self.control_rate),
            treatment,
            control,
            self.scale,
            self.null,
        )
        return float(constrained[0]), float(constrained[1])


def proportions_power(design: ProportionsDesign, treatment: float, control: float = 0.0) -> float:
    """Return the approximate probability to reject the null at the assumed rates.

    Parameters
    ----------
    design
        The comparison.
    treatment, control
        Patients of each arm, fractions allowed; ``control`` is not used with one sample.
    """
    null_error = math.sqrt(design.variance(*design.null_rates(treatment, control), treatment, control))
    error = math.sqrt(design.variance(design.treatment_rate, design.control_rate, treatment, control))
    distance = abs(design.contrast) - upper_quantile(design.alpha) * null_error
    if error == 0.0:
        return 1.0 if distance > 0.0 else 0.0
    return upper_tail(-distance / error)


def proportions_sample_size(design: ProportionsDesign, power: float) -> float:
    """Return the total number of patients, as a fraction, at which the approximate power is reached exactly.

    Farrington and Manning (1990), equation (4): the sum of the two quantiles, each times its standard deviation per
    patient, over the distance from the null, squared.
    """
    parts = design.split(1.0)
    null_deviation = math.sqrt(design.variance(*design.null_rates(*parts), *parts))
    deviation = math.sqrt(design.variance(design.treatment_rate, design.control_rate, *parts))
    reach = upper_quantile(design.alpha) * null_deviation + upper_quantile(1.0 - power) * deviation
    return (reach / design.contrast) ** 2


def critical_effect(design: ProportionsDesign, treatment: float, control: float = 0.0) -> float | None:
    """Return the smallest effect that rejects if the control rate is estimated as assumed; None if there is none."""
    from scipy.optimize import brentq

    side = math.copysign(1.0, design.contrast)
    bound = upper_quantile(design.alpha)
    if design.samples == 1:
        return design.control_rate + side * bound * math.sqrt(
            design.control_rate * (1.0 - design.control_rate) / treatment
        )

    def excess(rate: float) -> float:
        z = score_z(
            np.array(rate), np.array(design.control_rate), treatment, control, design.scale, design.null
        )
        return side * float(z) - bound

    start = min(max(design.multiplier * design.control_rate + design.margin, 0.0), 1.0)
    end = 1.0 if side > 0 else 0.0
    if not excess(end) > 0.0 or not excess(start) < 0.0:
        return None
    rate = float(brentq(excess, start, end, xtol=1e-14))
    return rate / design.control_rate if design.scale == "ratio" else rate - design.control_rate


def score_z(
    treatment_rate: Floats, control_rate: Floats, treatment: float, control: float, scale: str, null: float
) -> Floats:
    """Return the score statistic of two observed rates against a difference or ratio; nan where not defined.

    Farrington and Manning (1990), equations (1) and (6), without a correction; positive when treatment lies above.
    """
    multiplier, margin = (null, 0.0) if scale == "ratio" else (1.0, null)
    a, b = constrained_rates(treatment_rate, control_rate, treatment, control, scale, null)
    variance = a * (1.0 - a) / treatment + multiplier**2 * b * (1.0 - b) / control
    distance = treatment_rate - multiplier * control_rate - margin
    defined = variance > 1e-15
    undefined = np.where(np.abs(distance) < 1e-12, np.nan, np.copysign(np.inf, distance))
    return np.where(defined, distance / np.sqrt(np.where(defined, variance, 1.0)), undefined)


def constrained_rates(
    treatment_rate: Floats, control_rate: Floats, treatment: float, control: float, scale: str, null: float
) -> tuple[Floats, Floats]:
    """Return the maximum likelihood rates among those with the given difference or ratio.

    Farrington and Manning (1990), appendix: root of a cubic for a difference, of a quadratic for a ratio.
    """
    theta = control / treatment
    p1, p2 = np.asarray(treatment_rate, dtype=np.float64), np.asarray(control_rate, dtype=np.float64)
    if scale == "ratio":
        a = 1.0 + theta
        b = -(null * (1.0 + theta * p2) + theta + p1)
        c = null * (p1 + theta * p2)
        first = (-b - np.sqrt(np.maximum(b * b - 4.0 * a * c, 0.0))) / (2.0 * a)
        first = np.clip(first, 0.0, min(1.0, null))
        return first, np.clip(first / null, 0.0, 1.0)
    if null == 0.0:
        pooled = (p1 + theta * p2) / (1.0 + theta)
        return pooled, pooled
    a = 1.0 + theta
    b = -(1.0 + theta + p1 + theta * p2 + null * (theta + 2.0))
    c = null * null + null * (2.0 * p1 + theta + 1.0) + p1 + theta * p2
    d = -p1 * null * (1.0 + null)
    v = (b / (3.0 * a)) ** 3 - b * c / (6.0 * a * a) + d / (2.0 * a)
    u = np.copysign(
        np.sqrt(np.maximum((b / (3.0 * a)) ** 2 - c / (3.0 * a), 0.0)), np.where(v == 0.0, 1.0, v)
    )
    cosine = np.where(u == 0.0, 1.0, v / np.where(u == 0.0, 1.0, u) ** 3)
    angle = (math.pi + np.arccos(np.clip(cosine, -1.0, 1.0))) / 3.0
    first = 2.0 * u * np.cos(angle) - b / (3.0 * a)
    first = np.clip(first, max(0.0, null), min(1.0, 1.0 + null))
    return first, np.clip(first - null, 0.0, 1.0)
