"""Two proportions: Fisher's exact tail, and the score test and interval of Miettinen and Nurminen."""

# Compiled functions take arrays that the type checker cannot see into.
# mypy: disallow-untyped-defs=False

from __future__ import annotations

import math

import numpy as np

from trialsim.compiled import kernel


@kernel
def _log_choose(n, k):
    """Return the logarithm of a binomial coefficient."""
    return math.lgamma(n + 1.0) - math.lgamma(k + 1.0) - math.lgamma(n - k + 1.0)


@kernel
def fisher_upper_tail(successes, n, successes_control, n_control, tail):
    """Fill the probability of at least as many successes on treatment, all margins given.

    Fisher, JRSS 98, 1935, 39-82.

    Parameters
    ----------
    successes, n, successes_control, n_control
        Counts, int64 ``[replicate]``.
    tail
        Result, ``[replicate]``.
    """
    for r in range(len(tail)):
        n1, n0 = n[r], n_control[r]
        total = successes[r] + successes_control[r]
        low, high = max(0, total - n0), min(n1, total)
        x = successes[r]
        if x <= low:
            tail[r] = 1.0
            continue
        # The tail is added up from its largest term; the other one where that is the shorter way from the centre.
        upper = float(x) * (n1 + n0) >= float(n1) * total
        k = x if upper else x - 1
        term = math.exp(_log_choose(n1, k) + _log_choose(n0, total - k) - _log_choose(n1 + n0, total))
        whole = 0.0
        while term > 0.0:
            whole += term
            if (upper and k >= high) or (not upper and k <= low):
                break
            if upper:
                term *= float(n1 - k) * float(total - k) / (float(k + 1) * float(n0 - total + k + 1))
                k += 1
            else:
                term *= float(k) * float(n0 - total + k) / (float(n1 - k + 1) * float(total - k + 1))
                k -= 1
        tail[r] = min(whole, 1.0) if upper else max(1.0 - whole, 0.0)


@kernel
def _restricted_rate(x1, n1, x0, n0, difference):
    """Return the maximum likelihood rate on control given the difference of rates.

    Miettinen and Nurminen, Statist. Med. 4, 1985, 213-226, appendix I: the root of a cubic in closed form.
    """
    n = n1 + n0
    a = n
    b = difference * (n + n0) - n - (x1 + x0)
    c = (n0 * difference - n - 2.0 * x0) * difference + (x1 + x0)
    d = x0 * difference * (1.0 - difference)
    third = b / (3.0 * a)
    q = third**3 - b * c / (6.0 * a * a) + d / (2.0 * a)
    inside = max(third * third - c / (3.0 * a), 0.0)
    p = math.copysign(math.sqrt(inside), q)
    if p == 0.0:
        return min(max(-third, max(0.0, -difference)), min(1.0, 1.0 - difference))
    angle = (math.pi + math.acos(min(max(q / p**3, -1.0), 1.0))) / 3.0
    rate = 2.0 * p * math.cos(angle) - third
    return min(max(rate, max(0.0, -difference)), min(1.0, 1.0 - difference))


@kernel
def _score_variance(x1, n1, x0, n0, difference):
    """Return the variance of the difference of rates were it the given one, with the factor n / (n - 1)."""
    p0 = _restricted_rate(x1, n1, x0, n0, difference)
    p1 = p0 + difference
    n = n1 + n0
    return (p1 * (1.0 - p1) / n1 + p0 * (1.0 - p0) / n0) * n / (n - 1.0)


@kernel
def miettinen_nurminen_variance(successes, n, successes_control, n_control, difference, variance):
    """Fill the variance of the score test that the difference of rates is a given one.

    Miettinen and Nurminen, Statist. Med. 4, 1985, 213-226, equations 8 and 9.

    Parameters
    ----------
    successes, n, successes_control, n_control
        Counts, float64 ``[replicate]``, both arms with patients.
    difference
        The difference of rates, treatment less control.
    variance
        Result, ``[replicate]``; 0 where the data leave none.
    """
    for r in range(len(variance)):
        variance[r] = _score_variance(successes[r], n[r], successes_control[r], n_control[r], difference)


@kernel
def miettinen_nurminen_limits(successes, n, successes_control, n_control, z, lower, upper):
    """Fill the limits of the interval of differences of rates that the score test does not reject.

    Miettinen and Nurminen, Statist. Med. 4, 1985, 213-226.

    Parameters
    ----------
    successes, n, successes_control, n_control
        Counts, float64 ``[replicate]``, both arms with patients.
    z
        Normal deviate, 1.959964 for 95%.
    lower, upper
        Results, ``[replicate]``.
    """
    for r in range(len(lower)):
        x1, n1, x0, n0 = successes[r], n[r], successes_control[r], n_control[r]
        estimate = x1 / n1 - x0 / n0
        for side in range(2):
            inside, outside = estimate, (-1.0 if side == 0 else 1.0)
            for _ in range(60):
                middle = 0.5 * (inside + outside)
                distance = estimate - middle
                if distance * distance > z * z * _score_variance(x1, n1, x0, n0, middle):
                    outside = middle
                else:
                    inside = middle
            if side == 0:
                lower[r] = 0.5 * (inside + outside)
            else:
                upper[r] = 0.5 * (inside + outside)


def miettinen_nurminen_interval(
    successes: int, n: int, successes_control: int, n_control: int, level: float = 0.95
) -> tuple[float, float]:
    """Return the interval of Miettinen and Nurminen (1985) for the difference of two proportions.

    Parameters
    ----------
    successes, n
        On treatment.
    successes_control, n_control
        On control.
    level
        Confidence level, two-sided.

    Returns
    -------
    tuple of float
        Lower and upper limit of the rate on treatment less that on control.

    Raises
    ------
    ValueError
        If an arm is empty, a count is not in its arm, or the level is not between 0 and 1.
    """
    for x, size in ((successes, n), (successes_control, n_control)):
        if size < 1 or not 0 <= x <= size:
            raise ValueError(f"{x} successes of {size} are not possible; an arm needs at least one patient")
    if not 0.0 < level < 1.0:
        raise ValueError(f"the level {level} is not between 0 and 1")
    from scipy.special import ndtri

    lower, upper = np.empty(1), np.empty(1)
    x1, n1, x0, n0 = (np.array([float(each)]) for each in (successes, n, successes_control, n_control))
    miettinen_nurminen_limits(x1, n1, x0, n0, float(ndtri(0.5 + level / 2.0)), lower, upper)
    return float(lower[0]), float(upper[0])
