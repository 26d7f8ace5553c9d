"""The predictive probability that two normal means will be shown to differ once those still to come are read out.

With a known variance it is in closed form (Spiegelhalter, Freedman and Blackburn, Controlled Clinical Trials 7, 1986,
8-17). With unknown variances it is an integral over what is still to come of each arm: the scale of its posterior grows
by a factor that is the inverse of a beta variable, and given that, the mean moves by a coordinate of a point on a sphere,
so that three Gauss-Jacobi rules and one distribution function do.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trialsim.contracts import Floats, Ints
from trialsim.stats.bayes.families import Family
from trialsim.stats.bayes.independent import probability_exceeds

ERROR = 1e-4
"""Largest error that was measured with unknown variances where the arms are still to have two patients or more."""

_SCALES, _MOVES, _ANGLES, _AT_ONCE = 12, 16, 16, 128
_NEAR = 1e-11


def predictive_known_variance(
    laws: Floats, further: Ints, sd: float, margin: float, threshold: float
) -> Floats:
    """Return the probability that P(treatment > control + margin) will pass a threshold, ``[replicate]``.

    Parameters
    ----------
    laws
        Mean and standard deviation of the means' posteriors now, control first, ``[replicate, 2, 3]``.
    further
        Patients still to be read out, ``[replicate, 2]``.
    sd
        Standard deviation of an outcome.
    margin
        By how much treatment has to be greater.
    threshold
        Posterior probability that has to be passed.

    Examples
    --------
    A flat prior, half of the patients read out, a difference of 0 so far, and 0.5 to be passed: even chances.

    >>> now = np.array([[[0.0, 1.0, 0.0], [0.0, 1.0, 0.0]]])
    >>> predictive_known_variance(now, np.array([[10, 10]]), 3.0, 0.0, 0.5).tolist()
    [0.5]
    """
    from scipy.special import ndtr, ndtri

    now = laws[..., 1] ** 2
    after = 1.0 / (1.0 / now + further / sd**2)
    apart = laws[:, 1, 0] - laws[:, 0, 0] - margin
    short = apart - ndtri(threshold) * np.sqrt(after.sum(axis=1))
    moves = np.maximum((now - after).sum(axis=1), 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        found = np.where(moves > 0.0, ndtr(short / np.sqrt(moves)), (short >= 0.0).astype(np.float64))
    return np.asarray(np.where(np.isfinite(apart), found, np.nan))


class UnknownVariances:
    """Predictive probabilities with unknown variances; it remembers what has to be passed for the sizes that came up.

    Parameters
    ----------
    worth
        Outcomes that the priors of the means are worth.
    margin, threshold
        As of :func:`predictive_known_variance`.
    """

    def __init__(self, worth: float, margin: float, threshold: float) -> None:
        self._worth, self._margin, self._threshold = worth, margin, threshold
        self._quantiles: dict[tuple[float, float], Floats] = {}

    def __call__(self, laws: Floats, n: Ints, further: Ints) -> Floats:
        """Return the probability of success, ``[replicate]``; NaN where a posterior is improper.

        Parameters
        ----------
        laws
            Location, scale and degrees of freedom of the means' posteriors now, control first, ``[replicate, 2, 3]``.
        n, further
            Patients read out, and still to be, ``[replicate, 2]``.
        """
        found = np.full(len(laws), np.nan)
        usable = np.flatnonzero(np.isfinite(laws).all(axis=(1, 2)))
        sizes = np.concatenate([n, further], axis=1)[usable]
        freedom = laws[usable, :, 2]
        for key in np.unique(np.concatenate([sizes, freedom], axis=1), axis=0):
            same = usable[(sizes == key[:4]).all(axis=1) & (freedom == key[4:]).all(axis=1)]
            for first in range(0, len(same), _AT_ONCE):
                here = same[first : first + _AT_ONCE]
                found[here] = self._of_sizes(laws[here], key[:2] + self._worth, key[2:4].astype(np.int64))
        return found

    def _of_sizes(self, laws: Floats, worth: Floats, further: Ints) -> Floats:
        """Return the probabilities of replicates whose arms have the same sizes."""
        from scipy.special import betainc

        freedom = laws[0, :, 2]
        apart = laws[:, 1, 0] - laws[:, 0, 0] - self._margin
        # Of the arm that has more to come the distribution function is taken: it is the smoother.
        smooth = int(further[1] >= further[0])
        scales, reaches, weights = zip(
            *(_growth(laws[:, arm], worth[arm], int(further[arm])) for arm in (0, 1)), strict=True
        )
        # [replicate, growth of control's scale, growth of treatment's]
        both = np.hypot(scales[0][:, :, None], scales[1][:, None, :])
        angle = np.arctan2(scales[0][:, :, None], scales[1][:, None, :])
        wanted = both * self._quantile(angle, freedom + further)
        share = weights[0][:, None] * weights[1][None, :]
        if not further.any():
            return np.asarray((apart[:, None, None] >= wanted)[:, 0, 0].astype(np.float64))
        moves, chances = _on_sphere(int(further[1 - smooth]))
        other = np.expand_dims(reaches[1 - smooth], axis=2 if smooth else 1)[..., None] * moves
        # Success where the smooth arm moves farther in its own direction than this.
        needed = wanted[..., None] - apart[:, None, None, None] + (other if smooth else -other)
        reach = np.expand_dims(reaches[smooth], axis=1 if smooth else 2)[..., None]
        with np.errstate(divide="ignore", invalid="ignore"):
            at = needed / reach
        if further[smooth] == 1:
            above = np.where(at > 1.0, 0.0, np.where(at > -1.0, 0.5, 1.0))
        else:
            inside = betainc(0.5, 0.5 * (further[smooth] - 1), np.minimum(at * at, 1.0))
            above = 0.5 * (1.0 - np.sign(at) * inside)
        return np.asarray((above * chances * share[..., None]).sum(axis=(1, 2, 3)))

    def _quantile(self, angle: Floats, freedom: Floats) -> Floats:
        """Return the difference, of scale 1, that has to be passed; control's share of the scale is the angle's sine."""
        key = (float(freedom[0]), float(freedom[1]))
        nodes = np.cos((2 * np.arange(_ANGLES) + 1) * np.pi / (2 * _ANGLES))
        if key not in self._quantiles:
            at = 0.25 * np.pi * (nodes + 1.0)
            found = np.polynomial.chebyshev.chebfit(
                nodes, _to_be_passed(at, freedom, self._threshold), _ANGLES - 1
            )
            self._quantiles[key] = np.asarray(found, dtype=np.float64)
        return np.asarray(
            np.polynomial.chebyshev.chebval(4.0 * angle / np.pi - 1.0, self._quantiles[key]), dtype=np.float64
        )


def _growth(law: Floats, worth: float, further: int) -> tuple[Floats, Floats, Floats]:
    """Return scales of an arm's final posterior, how far its location may move, ``[replicate, node]``, and weights."""
    freedom = float(law[0, 2])
    if further == 0:
        return law[:, 1:2].copy(), np.zeros((len(law), 1)), np.ones(1)
    share, weights = _beta_rule(0.5 * freedom, 0.5 * further)
    now = law[:, 1:2] ** 2 * 0.5 * freedom * worth  # the inverse-gamma scale of the variance
    total = worth + further
    after = now / share
    scales = np.sqrt(after / ((0.5 * freedom + 0.5 * further) * total))
    reaches = np.sqrt(2.0 * (after - now) * further / (worth * total))
    return scales, reaches, weights


def _beta_rule(a: float, b: float) -> tuple[Floats, Floats]:
    """Return nodes and weights of Gauss's rule for a beta variable."""
    from scipy.special import roots_jacobi

    nodes, weights = roots_jacobi(_SCALES, b - 1.0, a - 1.0)
    return np.asarray(0.5 * (nodes + 1.0)), np.asarray(weights / weights.sum())


def _on_sphere(dimension: int) -> tuple[Floats, Floats]:
    """Return nodes and weights for a coordinate of a uniform point on a sphere of radius 1."""
    from scipy.special import roots_jacobi

    if dimension == 0:
        return np.zeros(1), np.ones(1)
    if dimension == 1:
        return np.array([-1.0, 1.0]), np.array([0.5, 0.5])
    nodes, weights = roots_jacobi(_MOVES, 0.5 * (dimension - 3), 0.5 * (dimension - 3))
    return np.asarray(nodes), np.asarray(weights / weights.sum())


def _to_be_passed(angle: Floats, freedom: Floats, threshold: float) -> NDArray[np.float64]:
    """Return quantiles of sin(angle) T0 - cos(angle) T1 by secants on the probit scale."""
    from scipy.special import ndtri

    control = np.stack([np.zeros_like(angle), np.sin(angle), np.full_like(angle, freedom[0])], axis=1)
    treatment = np.stack([np.zeros_like(angle), np.cos(angle), np.full_like(angle, freedom[1])], axis=1)
    goal = ndtri(threshold)
    if not np.isfinite(goal):
        return np.full_like(angle, goal)

    def probit(at: Floats) -> Floats:
        return np.asarray(ndtri(probability_exceeds(Family.STUDENT, treatment, control, -at)[0]))

    before, at = np.full_like(angle, goal), np.full_like(angle, 1.2 * goal + 0.01)
    value_before = probit(before)
    for _ in range(40):
        value = probit(at)
        if (np.abs(value - goal) < _NEAR).all():
            break
        with np.errstate(divide="ignore", invalid="ignore"):
            step = (goal - value) * (at - before) / (value - value_before)
        step = np.where(np.isfinite(step), np.clip(step, -5.0, 5.0), 0.0)
        before, value_before, at = at, value, at + step
    return at
