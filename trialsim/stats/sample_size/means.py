"""Sample size and power of tests of means: one and two samples, t and normal, difference and ratio, any margin.

With a null value as margin these are superiority, non-inferiority (null below, or above where low is good) and
super-superiority alike; benefit lies on the side of the alternative.

References
----------
Two-sample and one-sample t: power by the noncentral t law, Owen, Biometrika 52, 1965, 437-446. Unequal standard
deviations: degrees of freedom of Welch, Biometrika 34, 1947, 28-35, and Satterthwaite. Ratio of means:
Kieser and Hauschke, Statistics in Medicine 18, 1999, 1715-1729, for equal standard deviations.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from trialsim.stats.normal import upper_quantile, upper_tail
from trialsim.stats.sample_size.smallest import real_root

FEWEST_DEGREES = 1e-3
_FAR = 30.0  # of the expected z, from which the series of the noncentral t underflow
_PANELS = 200


@dataclass(frozen=True)
class MeansDesign:
    """A comparison of a mean with a number, or of two means.

    Parameters
    ----------
    alternative
        Mean (one sample), difference or ratio of means (treatment to control) to be found.
    sd
        Standard deviation of treatment; of a ratio in units of the control mean.
    null
        The value to be ruled out: 0, or a margin; of a ratio 1, or a margin.
    samples
        1 or 2.
    scale
        ``difference`` or ``ratio``.
    test
        ``t`` or ``z`` (known standard deviation).
    alpha
        One-sided.
    ratio
        Treatment patients for each control patient.
    control_sd
        Where it differs from ``sd``; the t test is then Welch's.
    """

    alternative: float
    sd: float
    null: float = 0.0
    samples: int = 2
    scale: str = "difference"
    test: str = "t"
    alpha: float = 0.025
    ratio: float = 1.0
    control_sd: float | None = None

    def standard_error(self, treatment: float, control: float) -> float:
        """Return the standard error of the estimated effect under known standard deviations."""
        if self.samples == 1:
            return self.sd / math.sqrt(treatment)
        factor = self.null if self.scale == "ratio" else 1.0
        of_control = factor * (self.sd if self.control_sd is None else self.control_sd)
        return math.sqrt(self.sd**2 / treatment + of_control**2 / control)

    def degrees(self, treatment: float, control: float) -> float:
        """Return the degrees of freedom of the t test."""
        if self.samples == 1:
            return treatment - 1.0
        if self.control_sd is None or self.control_sd == self.sd:
            return treatment + control - 2.0
        factor = self.null if self.scale == "ratio" else 1.0
        a, b = self.sd**2 / treatment, (factor * self.control_sd) ** 2 / control
        below = a * a / max(treatment - 1.0, FEWEST_DEGREES) + b * b / max(control - 1.0, FEWEST_DEGREES)
        return (a + b) ** 2 / below

    def split(self, total: float) -> tuple[float, float]:
        """Return the patients of treatment and control; of one sample all are in the first."""
        if self.samples == 1:
            return total, 0.0
        return total * self.ratio / (1.0 + self.ratio), total / (1.0 + self.ratio)


def means_power(design: MeansDesign, treatment: float, control: float = 0.0) -> float:
    """Return the probability to reject the null under the alternative.

    Parameters
    ----------
    design
        The comparison.
    treatment, control
        Patients of each arm, fractions allowed; ``control`` is not used with one sample.
    """
    drift = abs(design.alternative - design.null) / design.standard_error(treatment, control)
    return power_of_drift(design, drift, design.degrees(treatment, control))


def power_of_drift(design: MeansDesign, drift: float, degrees: float) -> float:
    """Return the power of the test at an expected z of ``drift``."""
    if design.test == "z":
        return upper_tail(upper_quantile(design.alpha) - drift)
    if degrees <= FEWEST_DEGREES:
        return 0.0
    return _noncentral_t_upper(critical_value(design, degrees), degrees, drift)


def critical_value(design: MeansDesign, degrees: float) -> float:
    """Return the bound of the test statistic."""
    if design.test == "z":
        return upper_quantile(design.alpha)
    from scipy.special import stdtrit

    return -float(stdtrit(degrees, design.alpha))


def critical_effect(design: MeansDesign, treatment: float, control: float = 0.0) -> float | None:
    """Return the smallest estimated effect that rejects, if the standard deviation is as assumed.

    None where there are too few patients to estimate a deviation.
    """
    if design.test == "t" and design.degrees(treatment, control) <= FEWEST_DEGREES:
        return None
    side = math.copysign(1.0, design.alternative - design.null)
    bound = critical_value(design, design.degrees(treatment, control))
    return design.null + side * bound * design.standard_error(treatment, control)


def means_sample_size(design: MeansDesign, power: float) -> float:
    """Return the total number of patients, as a fraction, at which the power is reached exactly.

    Parameters
    ----------
    design
        The comparison.
    power
        Above alpha and below 1.
    """
    fewest = 1.0 if design.samples == 1 else 2.0 * max(1.0 + design.ratio, 1.0 + 1.0 / design.ratio) / 2.0
    by_z = (upper_quantile(design.alpha) + upper_quantile(1.0 - power)) ** 2
    by_z *= (design.standard_error(*design.split(1.0)) / (design.alternative - design.null)) ** 2
    if design.test == "z":
        return by_z
    return real_root(
        lambda total: means_power(design, *design.split(total)) - power, max(fewest, 1e-6), max(by_z, fewest)
    )


def z_bound_alpha(design: MeansDesign, treatment: float, control: float = 0.0) -> float:
    """Return the one-sided error of the normal bound when the statistic is a t with its estimated deviation."""
    from scipy.special import stdtr

    return float(stdtr(design.degrees(treatment, control), -upper_quantile(design.alpha)))


def _noncentral_t_upper(bound: float, degrees: float, drift: float) -> float:
    """Return the probability that a noncentral t exceeds ``bound``."""
    from scipy.special import nctdtr

    lower = float(nctdtr(degrees, drift, bound)) if drift < _FAR else math.nan
    return 1.0 - lower if math.isfinite(lower) else _upper_by_integration(bound, degrees, drift)


def _upper_by_integration(bound: float, degrees: float, drift: float) -> float:
    """Return the same over the law of the estimated deviation, on the scale of its logarithm."""
    from scipy.special import chdtri, gammaln, ndtr

    ends = [0.5 * math.log(float(chdtri(degrees, tail)) / degrees + 1e-300) for tail in (1.0 - 1e-15, 1e-17)]
    edges = np.linspace(ends[0], ends[1], _PANELS + 1)
    nodes, weights = np.polynomial.legendre.leggauss(16)
    half = np.diff(edges)[:, None] / 2.0
    log = edges[:-1, None] + half * (nodes + 1.0)
    density = math.log(2.0) + degrees / 2.0 * math.log(degrees / 2.0) - float(gammaln(degrees / 2.0))
    chance = np.exp(density + degrees * log - degrees / 2.0 * np.exp(2.0 * log))
    return min(1.0, float(np.sum(half * weights * chance * ndtr(drift - bound * np.exp(log)))))
