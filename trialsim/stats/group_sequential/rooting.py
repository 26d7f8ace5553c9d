"""The root of a decreasing function by secant steps that never leave its bracket."""

from __future__ import annotations

import math
from collections.abc import Callable

_STEPS, _CLOSE = 200, 1e-12


class NoRootError(ArithmeticError):
    """No root was found between the limits."""


def root_of_decreasing(function: Callable[[float], float], start: float, low: float, high: float) -> float:
    """Return where a decreasing function is 0, within 1e-12 of it.

    Parameters
    ----------
    function
        Decreasing; may be infinite or flat away from its root.
    start
        A first guess.
    low, high
        Limits of the search; nothing is evaluated beyond them.

    Raises
    ------
    NoRootError
        Where the sign does not change between the limits.
    """
    before, value_before = math.nan, math.nan
    here = start
    left, right = -math.inf, math.inf  # known to be left and right of the root
    stride = 0.02 * (1.0 + abs(start))
    for _ in range(_STEPS):
        value = function(here)
        if value == 0.0:
            return here
        if value > 0.0:
            left = here
        else:
            right = here
        if right - left <= _CLOSE * (1.0 + abs(here)):
            return here
        slope = (value - value_before) / (here - before)
        ahead = here - value / slope if slope < 0.0 and math.isfinite(slope) else math.nan
        if math.isinf(left) or math.isinf(right):
            stride *= 2.0
            limit = here + math.copysign(stride, value)
            if not min(here, limit) <= ahead <= max(here, limit):
                ahead = limit
            ahead = min(max(ahead, low), high)
            if ahead == here and here in (low, high):
                raise NoRootError
        elif not left < ahead < right:
            ahead = 0.5 * (left + right)
        if abs(ahead - here) <= _CLOSE * (1.0 + abs(here)):
            return ahead
        before, value_before, here = here, value, ahead
    raise NoRootError
