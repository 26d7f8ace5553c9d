"""A request for bounds, checked: every problem at once, then arrays for the solver."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trialsim.designs.boundary_families import (
    EFFICACY,
    FUTILITY,
    efficacy_of,
    futility_of,
    objection,
    reads_times,
    real,
    several,
)
from trialsim.designs.boundary_request import BoundaryRequest, refused
from trialsim.errors import Problem
from trialsim.scenario.wording import shown
from trialsim.stats.group_sequential import bounds

Floats = NDArray[np.float64]

MOST_LOOKS = 20
LEAST_ALPHA, MOST_ALPHA = 1e-6, 0.5
MOST_POWER = 1.0 - 1e-9
LEAST_RATE, MOST_RATE = 1e-4, 10.0
MOST_EFFECT = 1e100
CLOSEST = 1e-5
"""Least distance of consecutive information rates, relative to the later: closer looks see nothing new."""


def checked(asked: BoundaryRequest, planned: bool) -> bounds.Wanted:
    """Return what is to be solved.

    Parameters
    ----------
    asked
        What is asked.
    planned
        Whether the power asked for must be met, for which the last look needs some type II error of its own.

    Raises
    ------
    ScenarioError
        With every problem found.
    """
    problems: list[Problem] = []
    rates = _rates(asked.information, problems)
    n_looks = len(several(asked.information) or ()) if rates is None else len(rates)
    times = rates
    if asked.spending_times is not None:
        times = _spending_times(asked.spending_times, n_looks, problems)
    good = _check_numbers(asked, problems)
    _check_families(asked, n_looks, good, problems)
    if asked.spending_times is not None and not any(
        reads_times(name) for name in (asked.efficacy, asked.futility)
    ):
        unread = "no family named reads its spending at a time; name a spending function, or leave them out."
        problems.append(Problem("spending_times", unread))
    if problems or rates is None or times is None:
        raise refused(problems)
    futility = None
    if asked.futility is not None:
        futility = futility_of(asked.futility, asked.futility_parameter, rates, times, asked.beta)
        if planned and isinstance(futility, np.ndarray) and np.diff(futility, prepend=0.0)[-1] <= 0.0:
            raise refused(
                [Problem("futility", "nothing is left to spend at the last look; spend less before it.")]
            )
    efficacy = efficacy_of(asked.efficacy, asked.efficacy_parameter, rates, times, asked.level, asked.sides)
    return bounds.Wanted(
        rates=rates,
        level=asked.level,
        two_sided=asked.sides == 2,
        efficacy=efficacy,
        futility=futility,
        binding=asked.futility_binding,
    )


def _ascending(name: str, given: Any, problems: list[Problem]) -> Floats | None:
    """Return numbers as an array, or None and a problem."""
    given_one_by_one = several(given)
    numbers = [real(each) for each in given_one_by_one or []]
    if given_one_by_one is None or None in numbers:
        problems.append(
            Problem(name, f"{shown(given)} is given; it takes numbers, one for each look, such as 0.5, 1.")
        )
        return None
    return np.array(numbers, dtype=np.float64)


def _rates(given: Any, problems: list[Problem]) -> Floats | None:
    """Return the information rates, or None and what is wrong with them."""
    rates = _ascending("information", given, problems)
    if rates is None:
        return None
    before = len(problems)
    if not 1 <= len(rates) <= MOST_LOOKS:
        problems.append(
            Problem("information", f"{len(rates)} looks are given; 1 to {MOST_LOOKS} are allowed.")
        )
    for look, rate in enumerate(rates):
        if not LEAST_RATE <= rate <= MOST_RATE:
            problems.append(
                Problem(
                    f"information[{look}]",
                    f"{shown(float(rate))} is not allowed; an information rate lies from {LEAST_RATE:g} to {MOST_RATE:g}.",
                )
            )
        elif look > 0 and not rate - rates[look - 1] >= CLOSEST * rate:
            problems.append(
                Problem(
                    f"information[{look}]",
                    f"{shown(float(rate))} follows {shown(float(rates[look - 1]))}; information rates ascend, each by "
                    f"{CLOSEST:g} of itself at least: leave out the look that sees nothing new.",
                )
            )
    return rates if len(problems) == before else None


def _spending_times(given: Any, n_looks: int, problems: list[Problem]) -> Floats | None:
    """Return the fractions at which spending is read, or None and what is wrong with them."""
    times = _ascending("spending_times", given, problems)
    if times is None:
        return None
    if len(times) != n_looks:
        problems.append(
            Problem("spending_times", f"{len(times)} are given for {n_looks} looks; give one for each.")
        )
    elif not np.all(times > 0.0) or not np.all(np.isfinite(times)) or np.any(np.diff(times) < 0.0):
        problems.append(Problem("spending_times", "they must be above 0 and never fall."))
    return times


def _check_numbers(asked: BoundaryRequest, problems: list[Problem]) -> bool:
    """Refuse levels that no bounds have; return whether alpha, sides and power can be used."""
    before = len(problems)
    if not _number_within(asked.alpha, LEAST_ALPHA, MOST_ALPHA):
        problems.append(
            Problem(
                "alpha",
                f"{shown(asked.alpha)} is not allowed; it lies from {LEAST_ALPHA:g} to {MOST_ALPHA:g}.",
            )
        )
    if real(asked.sides) not in (1.0, 2.0):
        problems.append(Problem("sides", f"{shown(asked.sides)} is not allowed; it is 1 or 2."))
    if not _number_within(asked.power, 0.0, MOST_POWER) or (
        len(problems) == before and asked.power <= asked.alpha
    ):
        problems.append(
            Problem(
                "power", f"{shown(asked.power)} is not allowed; it lies above alpha and is at most 1 - 1e-9."
            )
        )
    good = len(problems) == before
    if not (
        _number_within(asked.effect, -MOST_EFFECT, MOST_EFFECT) and abs(asked.effect) >= 1.0 / MOST_EFFECT
    ):
        problems.append(
            Problem(
                "effect",
                f"{shown(asked.effect)} is not allowed; it is any number but 0, of a size up to {MOST_EFFECT:g} and from "
                f"{1.0 / MOST_EFFECT:g} on.",
            )
        )
    return good


def _number_within(given: Any, least: float, most: float) -> bool:
    number = real(given)
    return number is not None and least <= number <= most


def _check_families(
    asked: BoundaryRequest, n_looks: int, good_numbers: bool, problems: list[Problem]
) -> None:
    """Refuse families that are unknown, and parameters that do not fit."""
    alpha, beta = (asked.alpha, asked.beta) if good_numbers else (math.nan, math.nan)
    wrong = objection(asked.efficacy, asked.efficacy_parameter, EFFICACY, n_looks, alpha)
    if wrong:
        problems.append(Problem("efficacy", wrong))
    if not isinstance(asked.futility_binding, bool | np.bool_):
        problems.append(
            Problem("futility_binding", f"{shown(asked.futility_binding)} is given; it is true or false.")
        )
    if asked.futility is None:
        if asked.futility_parameter is not None:
            problems.append(
                Problem("futility_parameter", "it is given without futility; name a family, or leave it out.")
            )
        if asked.futility_binding is True:
            problems.append(
                Problem(
                    "futility_binding", "it is asked for without futility; name a family, or leave it out."
                )
            )
        return
    wrong = objection(asked.futility, asked.futility_parameter, FUTILITY, n_looks, beta)
    if wrong:
        problems.append(Problem("futility", wrong))
