"""Probabilities about arms whose posteriors are independent, by quadrature.

P(T > C + d) is the integral of one density times the other's distribution function. After a change of variable that
makes both tails exponential, the trapezoidal rule converges geometrically (Trefethen and Weideman, SIAM Review 56,
2014, 385-458); points are doubled until the sum stays as it is, and the last change is reported as the error.
"""

# Compiled functions take arrays that the type checker cannot see into.
# mypy: disallow-untyped-defs=False

from __future__ import annotations

import math
from typing import Final

import numpy as np

from trialsim.compiled import kernel
from trialsim.contracts import Floats
from trialsim.stats.bayes.families import Family, distribution, log_constant, log_density
from trialsim.stats.bayes.special import THIN, normal_cdf, regularised_beta

_NORMAL: Final = int(Family.NORMAL)
_STUDENT: Final = int(Family.STUDENT)
_GAMMA: Final = int(Family.GAMMA)
_BETA: Final = int(Family.BETA)

_DEPTH = 40.0
"""The integrand is followed until its density has fallen by this much on the log scale: e**-40 = 4e-18."""
_FARTHEST = 700.0
_FIRST_POINTS = 32
_MOST_POINTS = 16_384
_ENOUGH = 1e-10


@kernel
def _at(family, p, low, high, v):
    """Return the point of the support that stands at ``v``, and for a beta variable one less it."""
    if family == _NORMAL:
        return p[0] + p[1] * v, 0.0
    if family == _STUDENT:
        return p[0] + p[1] * math.sinh(v), 0.0
    if family == _GAMMA:
        return low + math.exp(v), 0.0
    if v < 0.0:
        share = math.exp(v) / (1.0 + math.exp(v))
        other = 1.0 / (1.0 + math.exp(v))
    else:
        share = 1.0 / (1.0 + math.exp(-v))
        other = math.exp(-v) / (1.0 + math.exp(-v))
    width = high - low
    return low + width * share, (1.0 - high) + width * other


@kernel
def _log_integrand(family, p, low, high, v):
    """Return the log density at ``v`` of the changed variable, without its constant."""
    if family == _GAMMA and low == 0.0 and p[0] < THIN:
        return p[0] * v - p[1] * math.exp(v)
    if family == _BETA and min(p[0], p[1]) < THIN:
        return _log_integrand_of_thin(p, low, high, v)
    x, upper = _at(family, p, low, high, v)
    found = log_density(family, p, x, upper)
    if family == _NORMAL:
        return found + math.log(p[1])
    if family == _STUDENT:
        return found + math.log(p[1]) + math.log(math.cosh(v))
    if family == _GAMMA:
        return found + v
    return found + math.log(high - low) - abs(v) - 2.0 * math.log1p(math.exp(-abs(v)))


@kernel
def _log_integrand_of_thin(p, low, high, v):
    """Return the same of a thin beta law, which reaches beyond the smallest number that is not 0, from logarithms."""
    tail = math.log1p(math.exp(-abs(v)))
    share, other, width = min(v, 0.0) - tail, min(-v, 0.0) - tail, math.log(high - low)
    x = width + share if low == 0.0 else math.log(low + math.exp(width + share))
    upper = width + other if high == 1.0 else math.log((1.0 - high) + math.exp(width + other))
    return (p[0] - 1.0) * x + (p[1] - 1.0) * upper + width + share + other


@kernel
def _window(family, p, low, high):
    """Return where the density of the changed variable begins and ends to matter."""
    peak = 0.0
    if family >= _GAMMA:
        # Golden-section search: the density of the changed variable has one peak.
        golden = 0.5 * (math.sqrt(5.0) - 1.0)
        a, b = -_FARTHEST, _FARTHEST
        c, d = b - golden * (b - a), a + golden * (b - a)
        at_c, at_d = _log_integrand(family, p, low, high, c), _log_integrand(family, p, low, high, d)
        for _ in range(60):
            if at_c > at_d:
                b, d, at_d = d, c, at_c
                c = b - golden * (b - a)
                at_c = _log_integrand(family, p, low, high, c)
            else:
                a, c, at_c = c, d, at_d
                d = a + golden * (b - a)
                at_d = _log_integrand(family, p, low, high, d)
        peak = 0.5 * (a + b)
    floor = _log_integrand(family, p, low, high, peak) - _DEPTH
    return _edge(family, p, low, high, peak, -1.0, floor), _edge(family, p, low, high, peak, 1.0, floor)


@kernel
def _edge(family, p, low, high, peak, side, floor):
    """Return a point on one side of the peak, not much farther than where the density falls below ``floor``."""
    near, far = 0.0, 1e-6
    while far < 2.0 * _FARTHEST and _log_integrand(family, p, low, high, peak + side * far) > floor:
        near = far
        far *= 2.0
    for _ in range(6):
        middle = 0.5 * (near + far)
        if _log_integrand(family, p, low, high, peak + side * middle) > floor:
            near = middle
        else:
            far = middle
    return peak + side * far


@kernel
def _is_thin(family, p):
    """Return whether much of a law lies at an end of its support, so that its window is wide."""
    return (family == _GAMMA and p[0] < THIN) or (family == _BETA and min(p[0], p[1]) < THIN)


@kernel
def _points_at_first(family, p, points, window):
    """Return how many points to begin with: of a thin law so many that none of what it is compared with is missed."""
    if _is_thin(family, p):
        while points < _MOST_POINTS // 2 and window > 0.5 * points:
            points *= 2
    return points


@kernel
def _below(family, p, x, upper, shift):
    """Return the distribution function at ``x - shift``; of a beta law with a thin shape by its distance from 1."""
    if family == _BETA and shift == 0.0 and x > 0.5 and min(p[0], p[1]) < THIN:
        return 1.0 - regularised_beta(p[1], p[0], upper)
    return distribution(family, p, x - shift)


@kernel
def _over_density(family, p, shift, other):
    """Return the integral of the density of ``p`` at x times the distribution function of ``other`` at x - shift."""
    low, high, beyond = 0.0, 1.0, 0.0
    if family == _BETA:
        if shift >= 1.0:
            return 0.0, 0.0
        if shift <= -1.0:
            return 1.0, 0.0
        low, high = max(0.0, shift), min(1.0, 1.0 + shift)
        if high < 1.0:
            beyond = 1.0 - distribution(family, p, high)
    elif family == _GAMMA:
        low = max(0.0, shift)
    begin, end = _window(family, p, low, high)
    constant = log_constant(family, p)
    points = _points_at_first(family, p, _FIRST_POINTS, end - begin)
    step = (end - begin) / points
    total = 0.0
    for k in range(points + 1):
        v = begin + k * step
        x, upper = _at(family, p, low, high, v)
        total += math.exp(_log_integrand(family, p, low, high, v) + constant) * _below(
            family, other, x, upper, shift
        )
    found, change = total * step, 1.0
    while points < _MOST_POINTS and change > _ENOUGH:
        for k in range(points):
            v = begin + (k + 0.5) * step
            x, upper = _at(family, p, low, high, v)
            total += math.exp(_log_integrand(family, p, low, high, v) + constant) * _below(
                family, other, x, upper, shift
            )
        points *= 2
        step *= 0.5
        change = abs(total * step - found)
        found = total * step
    return min(found + beyond, 1.0), change


@kernel
def _spread(family, p):
    """Return a measure of how wide a posterior is."""
    if family == _GAMMA:
        return math.sqrt(p[0]) / p[1]
    if family == _BETA:
        whole = p[0] + p[1]
        return math.sqrt(p[0] * p[1] / (whole + 1.0)) / whole
    return p[1]


@kernel
def exceeds(family, treatment, control, margin):
    """Return P(T > C + margin) of one pair, and what doubling the points last changed."""
    if family == _NORMAL:
        spread = math.sqrt(treatment[1] * treatment[1] + control[1] * control[1])
        return normal_cdf((treatment[0] - control[0] - margin) / spread), 0.0
    # The narrower density is integrated over, as the other's distribution function is then the smoother.
    if _spread(family, treatment) <= _spread(family, control):
        return _over_density(family, treatment, margin, control)
    found, change = _over_density(family, control, -margin, treatment)
    return 1.0 - found, change


@kernel
def _exceed_all(family, treatment, control, margin, probability, error):
    for r in range(len(probability)):
        probability[r], error[r] = exceeds(family, treatment[r], control[r], margin[r])


@kernel
def _best_of_one(family, parameters, arm, higher, counted):
    """Return the probability that an arm's parameter is the largest, or the smallest, of those that count."""
    p = parameters[arm]
    begin, end = _window(family, p, 0.0, 1.0)
    constant = log_constant(family, p)
    points = _points_at_first(family, p, 2 * _FIRST_POINTS, end - begin)
    step = (end - begin) / points
    total, found, change, first = 0.0, 0.0, 1.0, True
    while points <= _MOST_POINTS and change > _ENOUGH:
        every, offset = (points + 1, 0.0) if first else (points // 2, 0.5)
        stride = step if first else 2.0 * step
        for k in range(every):
            v = begin + (k + offset) * stride
            x, upper = _at(family, p, 0.0, 1.0, v)
            value = math.exp(_log_integrand(family, p, 0.0, 1.0, v) + constant)
            for other in range(len(parameters)):
                if other != arm and counted[other]:
                    below = _below(family, parameters[other], x, upper, 0.0)
                    value *= below if higher else 1.0 - below
            total += value
        change = 1.0 if first else abs(total * step - found)
        found, first = total * step, False
        points *= 2
        step *= 0.5
    return min(found, 1.0), change


@kernel
def _best_of_all(family, parameters, higher, counted, probability, error):
    for r in range(len(parameters)):
        error[r] = 0.0
        for arm in range(parameters.shape[1]):
            probability[r, arm] = 0.0
            if counted[r, arm]:
                probability[r, arm], change = _best_of_one(family, parameters[r], arm, higher, counted[r])
                error[r] = max(error[r], change)


@kernel
def _edge_above(x, width, ratio):
    """Return the far end of what is close to ``x``: so much more of it, or so many times it."""
    return x * width if ratio else x + width


@kernel
def _close_of_one(family, parameters, arm, width, ratio, counted):
    """Return the probability that an arm's parameter is the smallest, and all others that count are close to it."""
    p = parameters[arm]
    begin, end = _window(family, p, 0.0, 1.0)
    constant = log_constant(family, p)
    points = _points_at_first(family, p, 2 * _FIRST_POINTS, end - begin)
    step = (end - begin) / points
    total, found, change, first = 0.0, 0.0, 1.0, True
    while points <= _MOST_POINTS and change > _ENOUGH:
        every, offset = (points + 1, 0.0) if first else (points // 2, 0.5)
        stride = step if first else 2.0 * step
        for k in range(every):
            v = begin + (k + offset) * stride
            x, upper = _at(family, p, 0.0, 1.0, v)
            value = math.exp(_log_integrand(family, p, 0.0, 1.0, v) + constant)
            far = _edge_above(x, width, ratio)
            if family == _BETA:
                far = min(far, 1.0)
            for other in range(len(parameters)):
                if other != arm and counted[other]:
                    q = parameters[other]
                    value *= max(distribution(family, q, far) - _below(family, q, x, upper, 0.0), 0.0)
            total += value
        change = 1.0 if first else abs(total * step - found)
        found, first = total * step, False
        points *= 2
        step *= 0.5
    return found, change


@kernel
def _close_of_all(family, parameters, width, ratio, counted, probability, error):
    for r in range(len(parameters)):
        probability[r], error[r] = 0.0, 0.0
        for arm in range(parameters.shape[1]):
            if counted[r, arm]:
                found, change = _close_of_one(family, parameters[r], arm, width, ratio, counted[r])
                probability[r] += found
                error[r] += change
        probability[r] = min(probability[r], 1.0)


def probability_close(
    family: Family, parameters: Floats, width: float, ratio: bool = False, counted: np.ndarray | None = None
) -> tuple[Floats, Floats]:
    """Return the probability that the parameters of all arms lie close together.

    It is the sum over arms of the probability that the arm's parameter is the smallest and no other is farther above it
    than the width.

    Parameters
    ----------
    family
        Family of the posteriors.
    parameters
        In the order that :class:`~trialsim.stats.bayes.families.Family` names, ``[replicate, arm, 3]``.
    width
        The largest less the smallest may be so much; where ``ratio`` holds, over it, above 1.
    ratio
        Whether parameters are compared by their ratio.
    counted
        Arms that count, bool ``[replicate, arm]``; without it all.

    Returns
    -------
    tuple of numpy.ndarray
        Probabilities and what the last doubling of points changed, ``[replicate]``.

    Examples
    --------
    Two uniform rates lie within 0.2 of each other with probability 1 less 0.8 squared.

    >>> uniform = np.ones((1, 2, 3))
    >>> found, _ = probability_close(Family.BETA, uniform, 0.2)
    >>> round(float(found[0]), 6)
    0.36
    """
    shape = parameters.shape[:2]
    taken = np.ones(shape, dtype=bool) if counted is None else np.ascontiguousarray(counted)
    probability, error = np.empty(shape[0]), np.empty(shape[0])
    _close_of_all(int(family), np.ascontiguousarray(parameters), width, ratio, taken, probability, error)
    return probability, error


def probability_exceeds(
    family: Family, treatment: Floats, control: Floats, margin: float | Floats = 0.0
) -> tuple[Floats, Floats]:
    """Return P(treatment > control + margin) for independent posteriors of one family.

    Parameters
    ----------
    family
        Family of both posteriors.
    treatment, control
        Their parameters in the order that :class:`~trialsim.stats.bayes.families.Family` names, ``[replicate, 3]``.
    margin
        On the parameter's own scale, one or ``[replicate]``.

    Returns
    -------
    tuple of numpy.ndarray
        Probabilities and the change that the last doubling of points made, ``[replicate]``; a normal pair is in closed
        form.

    Examples
    --------
    Two uniform rates: the one exceeds the other by 0.2 with probability 0.8 squared over 2.

    >>> uniform = np.array([[1.0, 1.0, 0.0]])
    >>> found, _ = probability_exceeds(Family.BETA, uniform, uniform, 0.2)
    >>> round(float(found[0]), 9)
    0.32
    """
    size = len(treatment)
    probability, error = np.empty(size), np.empty(size)
    margins = np.ascontiguousarray(np.broadcast_to(np.asarray(margin, dtype=np.float64), size))
    _exceed_all(int(family), treatment, control, margins, probability, error)
    return probability, error


def probability_best(
    family: Family, parameters: Floats, higher: bool = True, counted: np.ndarray | None = None
) -> tuple[Floats, Floats]:
    """Return the probability that each arm's parameter is the best of all.

    Parameters
    ----------
    family
        Family of the posteriors.
    parameters
        In the order that :class:`~trialsim.stats.bayes.families.Family` names, ``[replicate, arm, 3]``.
    higher
        Whether the largest is the best.
    counted
        Arms among which the best is sought, bool ``[replicate, arm]``; without it all. The others have probability 0.

    Returns
    -------
    tuple of numpy.ndarray
        Probabilities ``[replicate, arm]`` and the largest change that a last doubling of points made ``[replicate]``.
    """
    shape = parameters.shape[:2]
    taken = np.ones(shape, dtype=bool) if counted is None else np.ascontiguousarray(counted)
    probability, error = np.empty(shape), np.empty(shape[0])
    _best_of_all(int(family), parameters, higher, taken, probability, error)
    return probability, error
