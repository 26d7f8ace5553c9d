"""Maximum likelihood of a few parameters, to an accuracy that does not depend on where the search began."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

Floats = NDArray[np.float64]
_STEP = 1e-3
_SETTLED = 1e-9


def derivatives(function: Callable[[Floats], float], at: Floats) -> tuple[Floats, Floats]:
    """Return gradient and Hessian by central differences of fourth order.

    Parameters
    ----------
    function
        Smooth near ``at``, its parameters on a scale on which 0.001 is small (logarithms of positive ones).
    at
        Where, ``[parameter]``.
    """
    size, shifts, weights = len(at), (-2.0, -1.0, 1.0, 2.0), (1.0, -8.0, 8.0, -1.0)
    unit = np.eye(size) * _STEP

    def slope(point: Floats) -> Floats:
        return np.array(
            [
                sum(w * function(point + s * unit[j]) for s, w in zip(shifts, weights, strict=True))
                for j in range(size)
            ]
        ) / (12 * _STEP)

    rows = [
        sum(w * slope(at + s * unit[j]) for s, w in zip(shifts, weights, strict=True)) for j in range(size)
    ]
    hessian = np.array(rows) / (12 * _STEP)
    return slope(at), (hessian + hessian.T) / 2


def maximise(log_likelihood: Callable[[Floats], float], start: Floats) -> tuple[Floats, Floats, float]:
    """Return the estimate, its covariance matrix (inverse observed information) and the maximum.

    A quasi-Newton search is finished by Newton steps, so that the last digits are those of the maximum and not of
    the search's stopping rule.

    Raises
    ------
    ArithmeticError
        Where the Newton steps do not settle or the information is not positive definite.
    """
    at = minimize(lambda x: -log_likelihood(x), start, method="BFGS", options={"gtol": 1e-5}).x
    for _ in range(20):
        gradient, hessian = derivatives(log_likelihood, at)
        try:
            step = np.linalg.solve(-hessian, gradient)
        except np.linalg.LinAlgError:
            raise ArithmeticError("the likelihood is flat") from None
        at = at + step
        if np.max(np.abs(step)) < _SETTLED:
            break
    else:
        raise ArithmeticError("the maximum of the likelihood was not found")
    covariance = np.linalg.inv(-hessian)
    if np.any(np.linalg.eigvalsh(covariance) <= 0):
        raise ArithmeticError("the likelihood is flat or not at a maximum")
    return at, covariance, log_likelihood(at)


def poisson_regression(events: Floats, design: Floats, exposure: Floats) -> tuple[Floats, Floats, float]:
    """Return coefficients, covariance and log-likelihood of a log-linear Poisson model of rates.

    Parameters
    ----------
    events, exposure
        Counts and time at risk, ``[row]``; the likelihood leaves out terms without the coefficients.
    design
        Covariates, ``[row, coefficient]``, without a column that is all zero.

    Notes
    -----
    Newton's method. With rows split at changes of covariates this is the likelihood of a hazard that is constant
    within rows (Holford, Biometrics 1980;36:299).
    """
    beta, *_ = np.linalg.lstsq(
        design, np.full(len(events), np.log(events.sum() / exposure.sum())), rcond=None
    )
    for _ in range(50):
        mean = exposure * np.exp(design @ beta)
        information = design.T @ (mean[:, None] * design)
        step = np.linalg.solve(information, design.T @ (events - mean))
        beta = beta + step
        if np.max(np.abs(step)) < 1e-12:
            return beta, np.linalg.inv(information), float(events @ (design @ beta) - mean.sum())
    raise ArithmeticError("the Poisson regression did not settle")
