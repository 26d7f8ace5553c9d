"""Traditional families of bounds at their best: two numbers, one for each error, tuned at a given largest size."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq, minimize_scalar

from trialsim.contracts import Floats
from trialsim.designs.boundaries import Boundaries, group_sequential
from trialsim.learning.stopping_training import StoppingTask

FAMILIES: dict[str, tuple[float, float]] = {"hwang_shih_decani": (-10.0, 4.0), "kim_demets": (0.4, 8.0)}
"""Spending functions of one number, and between which values it is looked for."""

_TRIED = 15


@dataclass(frozen=True)
class Tuned:
    """A family of bounds with the numbers of efficacy and futility spending that suit a largest size best.

    Parameters
    ----------
    efficacy, futility
        The numbers.
    efficacy_z, futility_z
        Bounds by look.
    mean
        Mean expected size over the fixed one at the three effects.
    """

    efficacy: float
    futility: float
    efficacy_z: Floats
    futility_z: Floats
    mean: float


def tuned_family(name: str, task: StoppingTask) -> Tuned:
    """Return the bounds with the smallest mean expected size of a family, among those with the largest size of a task.

    Futility is binding. Of the two numbers one is free where the largest size is given; the best is looked for on a grid
    and then by Brent's method between its neighbours.

    Parameters
    ----------
    name
        One of :data:`FAMILIES`.
    task
        Looks, errors and largest size.

    Raises
    ------
    ValueError
        If the family has no bounds with that largest size.
    """
    low, high = FAMILIES[name]

    def design(efficacy: float, futility: float) -> Boundaries:
        return group_sequential(
            task.rates, alpha=task.alpha, power=task.power, efficacy=name, efficacy_parameter=efficacy, futility=name,
            futility_parameter=futility, futility_binding=True,
        )  # fmt: skip

    def tuned(efficacy: float) -> Tuned | None:
        def beyond(futility: float) -> float:
            return design(efficacy, futility).inflation_factor - task.inflation

        if beyond(low) * beyond(high) > 0.0:
            return None
        futility = float(brentq(beyond, low, high, xtol=1e-9))
        found = design(efficacy, futility)
        upper = np.asarray(found.efficacy_z, dtype=np.float64)
        lower = np.asarray(found.futility_z, dtype=np.float64)
        lower[-1] = upper[-1]
        return Tuned(efficacy, futility, upper, lower, float(np.mean(task.expected(upper, lower))))

    grid = np.linspace(low, high, _TRIED)
    there = [found for found in map(tuned, grid.tolist()) if found is not None]
    if not there:
        raise ValueError(f"{name} has no bounds with a largest size of {task.inflation:g}")
    best = min(there, key=lambda each: each.mean)
    step = (high - low) / (_TRIED - 1)

    def mean_of(efficacy: float) -> float:
        found = tuned(efficacy)
        return np.inf if found is None else found.mean

    bounds = (max(low, best.efficacy - step), min(high, best.efficacy + step))
    polished = tuned(
        float(minimize_scalar(mean_of, bounds=bounds, method="bounded", options={"xatol": 1e-4}).x)
    )
    return best if polished is None or polished.mean > best.mean else polished
