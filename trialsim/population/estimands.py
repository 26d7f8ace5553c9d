"""True values: what an ideal trial of everybody under every arm would find.

Each is computed from both potential outcomes of the same patients, averaging each patient's own law instead of one draw
from it, so that the only error left is that of the sample of patients (none for rows of a table or identical patients).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trialsim.population.endpoints.survival import HazardLaw

Floats = NDArray[np.float64]

_STEPS = 600
_FEWER_STEPS = 300
_PATIENTS_AT_A_TIME = 512  # their sums are added up, which is part of the result to the last bit
_NUMBERS_AT_HAND = 1 << 14  # which a processor holds near
_AT_ONCE = 1e-300  # a factor of zero would leave open who is free of the event at time zero


def population_survival(
    law: HazardLaw, arm: int, factors: Floats, days: Floats, weights: Floats | None = None
) -> Floats:
    """Return the survival function of the whole population under one arm.

    Parameters
    ----------
    law
        The law of the event.
    arm
        Index of the arm.
    factors
        exp(-linear predictor) of each patient in that arm, ``[patient]``.
    days
        Times since entry in days, ``[time]``.
    weights
        Share of each patient in the population, ``[patient]``; without them all are alike.

    Returns
    -------
    numpy.ndarray
        ``[time]``: the mean over patients of exp(-cumulative hazard).
    """
    hazard = law.cumulative_hazard(arm, days)
    distinct, counts = np.unique(factors, return_counts=True) if weights is None else (factors, weights)
    total = np.zeros_like(hazard)
    for chunk in range(0, len(distinct), _PATIENTS_AT_A_TIME):
        part = slice(chunk, chunk + _PATIENTS_AT_A_TIME)
        later = np.maximum(distinct[part], _AT_ONCE)
        total += _weighed_survival(-hazard, later, np.asarray(counts[part], dtype=np.float64))
    survival: Floats = total / counts.sum()
    return survival


def _weighed_survival(exponent: Floats, factors: Floats, weights: Floats) -> Floats:
    """Return the sum over patients of their weight times exp(exponent / factor), ``[time]``, added from first to last.

    All patients at once would be written to memory and read again four times: a few rows stand below what is summed so far.
    """
    rows = min(_PATIENTS_AT_A_TIME, max(16, _NUMBERS_AT_HAND // max(len(exponent), 1)))
    room = np.empty((rows + 1, len(exponent)))
    for begin in range(0, len(factors), rows):
        part = slice(begin, begin + rows)
        here = room[1 : len(factors[part]) + 1]
        with np.errstate(over="ignore"):  # who has the event at once
            np.divide(exponent, factors[part, None], out=here)
        np.exp(here, out=here)
        here *= weights[part, None]
        room[0] = room[: len(here) + 1].sum(axis=0) if begin else here.sum(axis=0)
    total: Floats = room[0]
    return total


def time_grid(
    law: HazardLaw,
    arms: tuple[int, int],
    factors: tuple[Floats, Floats],
    follow_up: float,
    weights: tuple[Floats, Floats] | tuple[None, None] = (None, None),
) -> Floats:
    """Return times in days that follow both survival curves closely up to the end of follow-up."""
    coarse = np.unique(np.concatenate([[0.0], np.geomspace(follow_up * 1e-6, follow_up, 2000)]))
    inside = law.pieces.starts[np.isfinite(law.pieces.starts)]
    if law.exponent != 1.0:
        inside = law.scale * np.power(inside, law.exponent)
    mean = sum(
        population_survival(law, arm, f[:: _few(f)], coarse, None if w is None else w[:: _few(f)])
        for arm, f, w in zip(arms, factors, weights, strict=True)
    )
    highest, lowest = float(np.max(mean)), max(float(np.min(mean)), 1e-7)
    levels = np.unique([np.linspace(highest, lowest, _STEPS), np.geomspace(highest, lowest, _STEPS)])[::-1]
    times = np.interp(-levels, -np.asarray(mean), coarse)
    return np.unique(np.concatenate([times, inside[inside < follow_up], [0.0, follow_up]]))


def _few(factors: Floats) -> int:
    """Return the step that takes about 200 of some patients."""
    return max(1, len(factors) // 200)


def cox_log_ratio(
    law: HazardLaw,
    arms: tuple[int, int],
    factors: tuple[Floats, Floats],
    follow_up: float,
    weights: tuple[Floats, Floats] | tuple[None, None] = (None, None),
) -> float:
    """Return the log hazard ratio to which a Cox model of treatment alone converges in an ideal trial.

    Half of the population is on each arm, everyone is followed for ``follow_up`` days and nobody is lost (Struthers and
    Kalbfleisch, Biometrika 73, 1986, 363-369). With proportional hazards and no covariates it is the log of that ratio.

    Parameters
    ----------
    law
        The law of the event.
    arms
        Treatment and control.
    factors
        exp(-linear predictor) of each patient under treatment and under control, ``[patient]`` each.
    follow_up
        Days.
    weights
        Share of each patient of both in the population; without them all are alike.

    Returns
    -------
    float
        Log hazard ratio of treatment against control.
    """
    days = time_grid(law, arms, factors, follow_up, weights)
    treated, control = (
        population_survival(law, arm, f, days, w) for arm, f, w in zip(arms, factors, weights, strict=True)
    )
    events_treated, events_control = -np.diff(treated), -np.diff(control)
    at_risk_treated = 0.5 * (treated[1:] + treated[:-1])
    at_risk_control = 0.5 * (control[1:] + control[:-1])
    beta = 0.0
    for _ in range(100):
        weight = np.exp(beta) * at_risk_treated
        share = weight / np.maximum(weight + at_risk_control, 1e-300)
        both = events_treated + events_control
        step = float(
            (events_treated - both * share).sum() / max(float((both * share * (1.0 - share)).sum()), 1e-300)
        )
        beta += min(max(step, -1.0), 1.0)
        if abs(step) < 1e-13:
            break
    return beta


def adjusted_cox_log_ratio(
    law: HazardLaw,
    arms: tuple[int, int],
    factors: tuple[Floats, Floats],
    covariates: Floats,
    follow_up: float,
) -> float:
    """Return the log hazard ratio to which a Cox model of treatment and covariates converges in an ideal trial.

    As :func:`cox_log_ratio`, with every patient on both arms (Struthers and Kalbfleisch 1986). Where the model is that of
    the law it is the log of the conditional ratio.

    Parameters
    ----------
    law, arms, factors, follow_up
        As :func:`cox_log_ratio`.
    covariates
        ``[patient, covariate]``.

    Returns
    -------
    float
        Log hazard ratio of treatment against control, NaN where the model has no maximum.
    """
    days = time_grid(law, arms, factors, follow_up)
    days = days[:: max(1, len(days) // _FEWER_STEPS)]
    days = days if days[-1] == follow_up else np.append(days, follow_up)
    spread = covariates.std(axis=0)
    columns = (covariates - covariates.mean(axis=0))[:, spread > 0.0] / spread[spread > 0.0]
    n = len(columns)
    design = np.ones((2 * n, columns.shape[1] + 1))
    design[:, :-1] = np.tile(columns, (2, 1))
    design[n:, -1] = 0.0
    hazard = np.concatenate(
        [law.cumulative_hazard(arm, days)[None, :] / f[:, None] for arm, f in zip(arms, factors, strict=True)]
    )
    survival = np.exp(-hazard)
    events, growth = survival[:, :-1] - survival[:, 1:], np.diff(hazard, axis=1)
    # Events over the hazard spent are the person-time at risk in units in which the hazard is constant.
    at_risk = np.where(growth > 1e-12, events / np.maximum(growth, 1e-300), survival[:, 1:])
    beta = np.zeros(design.shape[1])
    for _ in range(50):
        weight = np.exp(np.minimum(design @ beta, 500.0))[:, None] * at_risk
        total = np.maximum(weight.sum(axis=0), 1e-300)
        mean = (weight.T @ design) / total[:, None]
        count = events.sum(axis=0)
        score = events.sum(axis=1) @ design - count @ mean
        second = design.T @ (design * (weight @ (count / total))[:, None])
        information = second - mean.T @ (mean * count[:, None])
        if not np.linalg.eigvalsh(information)[0] > 1e-12 * max(np.trace(information), 1e-300):
            return float("nan")
        step = np.linalg.solve(information, score)
        beta += np.clip(step, -1.0, 1.0)
        if np.abs(step).max() < 1e-11:
            return float(beta[-1])
    return float("nan")
