"""The smallest number at which something rises to a target: as a real root, or among whole numbers."""

from __future__ import annotations

import math
from collections.abc import Callable

from trialsim.errors import UsageError

MOST_PATIENTS = 10_000_000


def real_root(excess: Callable[[float], float], lower: float, start: float) -> float:
    """Return where a rising function crosses zero.

    Parameters
    ----------
    excess
        What is to be zero; negative at ``lower`` or zero is taken there.
    lower
        The smallest allowed value.
    start
        Where to begin; doubled until the function is positive.

    Raises
    ------
    UsageError
        When it stays negative up to ten million.
    """
    from scipy.optimize import brentq

    if excess(lower) >= 0.0:
        return lower
    upper = max(start, lower * 1.5)
    while excess(upper) < 0.0:
        upper *= 2.0
        if upper > MOST_PATIENTS:
            raise too_many_patients()
    return float(brentq(excess, lower, upper, xtol=1e-10, rtol=1e-13, maxiter=300))


def whole_patients(treatment: float, control: float, least: int = 1) -> tuple[int, int]:
    """Return both arms rounded up, forgiving a rounding error of the solution, each with a least number.

    An arm of exactly 0 stays: there is none.

    Raises
    ------
    UsageError
        When there are more than ten million patients.
    """
    if not treatment + control <= MOST_PATIENTS:
        raise too_many_patients()
    return max(least, _up(treatment)), max(least, _up(control)) if control else 0


def too_many_patients() -> UsageError:
    """Return the refusal of a size beyond any trial."""
    return UsageError(
        f"more than {MOST_PATIENTS:,} patients would be needed; assume a larger effect or ask for less power."
    )


def _up(number: float) -> int:
    return math.ceil(number - 1e-8 * max(1.0, number))


def split_whole(patients: int, ratio: float) -> tuple[int, int]:
    """Return treatment and control patients of a total, to the nearest patient, each arm with one at least.

    Half a patient goes to the smaller arm, which gains the more from one, and to treatment where the arms are equal.
    """
    share = patients * ratio / (1.0 + ratio)
    half = 0.5 + 1e-12 * patients  # whatever is lost in writing 1/3
    treatment = math.ceil(share - half) if ratio > 1.0 else math.floor(share + half)
    treatment = min(max(treatment, 1), patients - 1)
    return treatment, patients - treatment
